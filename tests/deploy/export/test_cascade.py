"""MTCNN's networks as one file: run without torch, whole or in part, and refused where it is damaged."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from ligera.deploy.bundle import card_from_metadata
from ligera.deploy.cascade.engine import CASCADE_KEY
from ligera.deploy.cascade.stages import Cascade
from ligera.deploy.engine import BundleEngine
from ligera.deploy.export.cascade import export_cascade
from ligera.deploy.opening import open_engine
from ligera.deploy.runtimes import open_runtime
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import ModelError
from ligera.models.area import AreaSums
from ligera.models.cascade import CascadeRule, cells_along
from ligera.models.mtcnn import ONet, PNet, RNet

from ..cascade.cascades import card, opened


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All three networks with random weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("cascade") / "untrained.onnx"
    export_cascade((PNet(), RNet(), ONet()), card(licence="CC0-1.0"), CascadeRule(), path)
    return path


def test_the_bundle_is_one_small_file_that_onnxruntime_runs_alone(untrained: Path) -> None:
    assert [path.name for path in untrained.parent.iterdir()] == [untrained.name]
    assert untrained.stat().st_size < 2_500_000
    script = (
        "import sys\n"
        "for name in ('torch', 'onnx', 'scipy', 'matplotlib'): sys.modules[name] = None\n"
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from ligera.deploy.bundle import card_from_metadata\n"
        "from ligera.deploy.opening import open_engine\n"
        "from ligera.deploy.runtimes import open_runtime\n"
        "runtime = open_runtime(Path(sys.argv[1]), threads=1)\n"
        "engine = open_engine(runtime, card_from_metadata(runtime.metadata, 'x'))\n"
        "print(len(engine.detect(np.full((64, 64, 3), 90, np.uint8), score=0.0)), type(engine).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(untrained)], capture_output=True, text=True, check=True)
    assert done.stdout.split()[1] == "CascadeEngine"


def test_the_bundles_hash_is_that_of_its_whole_graph(untrained: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    nets = (PNet(), RNet(), ONet())
    again = export_cascade(nets, card(), CascadeRule(), tmp_path / "again.onnx").card
    assert again.graph_sha256 == opened(untrained).card.graph_sha256
    with torch.no_grad():
        nets[2].boxes.bias += 1
    other = export_cascade(nets, card(), CascadeRule(), tmp_path / "other.onnx").card
    assert other.graph_sha256 != again.graph_sha256


@pytest.mark.parametrize("count", [1, 2])
def test_the_first_networks_alone_are_a_bundle_that_ends_with_proposals(count: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "part.onnx"
    export_cascade((PNet(score_channels=1), RNet())[:count], card(), CascadeRule(scores=(0.0, 0.7, 0.7)), path)
    engine = opened(path)
    assert engine.rule.stages == count
    found = engine.detect(np.random.default_rng(0).integers(0, 256, (60, 70, 3), np.uint8), score=0.0)
    assert found.landmarks is None
    assert len(found) > 0
    assert found.boxes.min() >= 0
    assert found.boxes.max() <= 70


@pytest.mark.parametrize("nets", [(), (PNet, RNet, ONet, ONet)])
def test_no_network_and_too_many_are_refused_and_nothing_is_written(nets: tuple, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected 1 to 3"):
        export_cascade([net() for net in nets], card(), CascadeRule(), tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_onnx_cannot_follow_is_not_written(tmp_path: Path) -> None:
    class Fickle(PNet):
        def forward(self, pictures: torch.Tensor) -> object:
            raw = super().forward(pictures)
            return raw._replace(boxes=raw.boxes * (2.0 if torch.jit.is_tracing() else 1.0))

    with pytest.raises(ModelError, match=r"x.onnx: not written, ONNX Runtime and torch differ by"):
        export_cascade([Fickle()], card(), CascadeRule(), tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_without_a_cascade_gets_the_engine_of_all_others(bundle: Path) -> None:
    runtime = open_runtime(bundle, threads=1)
    engine = open_engine(runtime, card_from_metadata(runtime.metadata, str(bundle)))
    assert isinstance(engine, BundleEngine)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "rule"),
        ('{"stages": 9}', "expected 1 to 3"),
        ('{"scale_step": 0.99999}', "scale_step: expected"),
        ('{"min_face_px": 0.001}', "min_face_px: expected"),
        ('{"scores": [0.5]}', "scores"),
        ('{"min_face_px": NaN}', "min_face_px"),
    ],
)
def test_a_damaged_rule_is_named_in_one_line(untrained: Path, tmp_path: Path, text: str, reason: str) -> None:
    model = onnx.load(untrained)
    next(entry for entry in model.metadata_props if entry.key == CASCADE_KEY).value = text
    path = tmp_path / "damaged.onnx"
    onnx.save(model, path)
    with pytest.raises(ModelError, match=rf"mtcnn: its cascade metadata is damaged \(.*{reason}") as caught:
        opened(path)
    assert "\n" not in str(caught.value)


def test_a_level_of_a_crops_size_is_still_read_by_the_proposal_network(untrained: Path) -> None:
    torch.manual_seed(0)
    net = PNet()
    pixels = np.random.default_rng(0).integers(0, 256, (23, 23, 3), np.uint8)
    rule = CascadeRule(min_face_px=12, level_iou=1.0, proposal_iou=1.0)
    table = AreaSums(pixels)
    # the first of its two levels is 24 px wide and high
    (found,) = Cascade(OnnxRuntime(untrained, threads=1), rule).propose([table], 0.0)
    with torch.no_grad():
        raw = net((torch.from_numpy(table.shrink(24, 24))[None] - 127.5) / 128)
    scores = raw.scores.softmax(2)[0, :, 1].numpy()
    assert len(scores) == cells_along(24) ** 2
    assert np.isclose(found.scores[None], scores[:, None], atol=1e-5).any(axis=1).all()
    assert len(found) == cells_along(24) ** 2 + cells_along(17) ** 2
