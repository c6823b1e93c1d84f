"""MTCNN as one file: run without torch, the same faces as the original, bounded, and hard to lead astray."""

import importlib.util
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ligera.data.pictures import read_picture
from ligera.deploy.bundle import BundleCard, card_from_metadata
from ligera.deploy.cascade import CROPS, LEVEL_PIXELS, Cascade
from ligera.deploy.cascade_engine import CASCADE_KEY, CascadeEngine, open_engine
from ligera.deploy.detector import Detector
from ligera.deploy.engine import BundleEngine
from ligera.deploy.export_cascade import export_cascade
from ligera.deploy.runtimes import open_runtime
from ligera.deploy.runtimes.mock import MockRuntime
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import ModelError
from ligera.models.area import AreaSums
from ligera.models.cascade import CascadeRule, cells_along
from ligera.models.mtcnn import ONet, PNet, RNet
from ligera.models.mtcnn_weights import mtcnn_from_facenet
from ligera.records import Decoding, Preprocess

from .conftest import PEOPLE, REAL_DATA

INSTALLED = importlib.util.find_spec("facenet_pytorch")
VAL = REAL_DATA / "faces" / "val" / "images"
needs_facenet = pytest.mark.skipif(INSTALLED is None, reason="facenet-pytorch, the original to compare with, is missing")
needs_pictures = pytest.mark.skipif(not VAL.is_dir(), reason="no real pictures: ../shared/data/faces/val is missing")
RULE = Preprocess(mean=(127.5,) * 3, scale=(1 / 128,) * 3, multiple=1)


def card(**changes: object) -> BundleCard:
    return BundleCard("mtcnn", RULE, Decoding(), **changes)  # type: ignore[arg-type]


def opened(path: Path) -> CascadeEngine:
    runtime = open_runtime(path, threads=1)
    engine = open_engine(runtime, card_from_metadata(runtime.metadata, str(path)))
    assert isinstance(engine, CascadeEngine)
    return engine


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All three networks with random weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("cascade") / "untrained.onnx"
    export_cascade((PNet(), RNet(), ONet()), card(licence="CC0-1.0"), CascadeRule(), path)
    return path


@pytest.fixture(scope="module")
def facenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All three networks with the weights of facenet-pytorch."""
    assert INSTALLED is not None
    assert INSTALLED.origin is not None
    path = tmp_path_factory.mktemp("cascade") / "facenet.onnx"
    export_cascade(mtcnn_from_facenet(Path(INSTALLED.origin).parent / "data"), card(), CascadeRule(), path)
    return path


def answer(
    batch: np.ndarray, margins: Callable[[np.ndarray], np.ndarray] | float, *, points: int = 10
) -> dict[str, np.ndarray]:
    """What networks that leave every box where it is would say."""
    count, _, rows, columns = batch.shape
    cells = 1 if (rows, columns) in ((24, 24), (48, 48)) else cells_along(rows) * cells_along(columns)
    scores = np.zeros((count, cells, 1), np.float32)
    scores[:] = margins(batch) if callable(margins) else margins
    return {
        "boxes": np.zeros((count, cells, 4), np.float32),
        "scores": scores,
        "landmarks": np.full((count, cells, points), 0.5, np.float32),
    }


def brightness(batch: np.ndarray) -> np.ndarray:
    """Margins that are large where all of a network's window is white."""
    count, _, rows, columns = batch.shape
    if (rows, columns) in ((24, 24), (48, 48)):
        return batch.min(axis=(1, 2, 3)).reshape(count, 1, 1) / 10 - 20
    windows = np.lib.stride_tricks.sliding_window_view(batch[:, 0], (12, 12), axis=(1, 2))[:, ::2, ::2]
    windows = windows.min(axis=(3, 4))
    found = np.full((count, cells_along(rows), cells_along(columns)), -20.0)
    found[:, : windows.shape[1], : windows.shape[2]] = windows[:, : found.shape[1], : found.shape[2]] / 10 - 20
    return found.reshape(count, -1, 1)


def test_a_white_square_is_found_where_it_is_with_its_points_in_the_middle() -> None:
    pixels = np.zeros((90, 120, 3), np.uint8)
    pixels[30:62, 50:82] = 255
    runtime = MockRuntime(lambda batch: answer(batch, brightness))
    (found,) = Cascade(runtime, CascadeRule()).find([pixels])
    assert len(found) == 1
    np.testing.assert_allclose(found.boxes[0], [50, 30, 82, 62], atol=8)
    assert found.boxes[0][0] >= 50
    assert found.boxes[0][3] <= 63
    assert found.landmarks is not None
    centre = (found.boxes[0][:2] + found.boxes[0][2:]) / 2
    np.testing.assert_allclose(found.landmarks[0], np.tile(centre, (5, 1)), atol=1)


def test_a_dark_picture_costs_no_run_of_the_later_networks() -> None:
    runtime = MockRuntime(lambda batch: answer(batch, brightness))
    (found,) = Cascade(runtime, CascadeRule()).find([np.zeros((60, 80, 3), np.uint8)])
    assert len(found) == 0
    assert found.landmarks is not None
    assert found.landmarks.shape == (0, 5, 2)
    assert not {batch.shape[2:] for batch in runtime.batches} & {(24, 24), (48, 48)}


@pytest.mark.parametrize("size", [(1, 1), (12, 300), (19, 19)])
def test_a_picture_too_small_for_any_face_is_answered_without_a_run(size: tuple[int, int]) -> None:
    runtime = MockRuntime(lambda batch: answer(batch, 5.0))
    assert len(CascadeEngine(runtime, card(), CascadeRule()).detect(np.zeros((*size, 3), np.uint8))) == 0
    assert runtime.batches == []


def test_no_pictures_have_no_detections() -> None:
    runtime = MockRuntime(lambda batch: answer(batch, 5.0))
    assert CascadeEngine(runtime, card(), CascadeRule()).detect_many([]) == []


def test_runs_stay_bounded_however_many_pictures_and_candidates_there_are() -> None:
    runtime = MockRuntime(lambda batch: answer(batch, 5.0))
    pictures = [np.zeros((150, 200, 3), np.uint8)] * 5 + [np.zeros((100, 130, 3), np.uint8)]
    Cascade(runtime, CascadeRule()).find(pictures)
    sizes: dict[int, list[int]] = {24: [], 48: []}
    for batch in runtime.batches:
        if batch.shape[2] == batch.shape[3] and batch.shape[2] in sizes:
            sizes[batch.shape[2]].append(len(batch))
        else:
            assert len(batch) == 1 or batch.size <= 3 * LEVEL_PIXELS
    # of many crops only the last run is not full
    assert {side: set(counts[:-1]) for side, counts in sizes.items()} == {side: {CROPS[side]} for side in CROPS}
    assert any(len(batch) == 5 for batch in runtime.batches), "levels of one size share a run"


def test_a_hundred_thousand_candidates_take_no_more_memory_than_they_must() -> None:
    rule = CascadeRule(min_face_px=12, level_iou=1.0, proposal_iou=1.0)
    # its first level alone has 296 x 371 cells; R-Net refuses all that it is shown
    pixels = np.zeros((600, 750, 3), np.uint8)
    shown = 0

    def accepts_then_refuses(batch: np.ndarray) -> dict[str, np.ndarray]:
        nonlocal shown
        crops = batch.shape[2:] == (24, 24)
        shown += len(batch) if crops else 0
        return answer(batch, -5.0 if crops else 5.0)

    runtime = MockRuntime(accepts_then_refuses)
    # the mock remembers every batch, which no real runtime does
    runtime.batches = _Forgetful()
    tracemalloc.start()
    (found,) = Cascade(runtime, rule).find([pixels])
    peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    assert shown > 100_000
    assert len(found) == 0
    # their crops alone would be 1,400 MB
    assert peak_mb < 250


class _Forgetful(list):
    def append(self, item: object) -> None:
        pass


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


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.integers(20, 120), st.integers(20, 120)), min_size=1, max_size=4), st.integers(0, 99))
def test_pictures_together_have_what_each_has_alone(sizes: list[tuple[int, int]], seed: int) -> None:
    generator = np.random.default_rng(seed)
    pictures = []
    for height, width in sizes:
        coarse = generator.integers(0, 2, (height // 15 + 1, width // 15 + 1, 1), np.uint8) * np.uint8(255)
        enlarged = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
        pictures.append(np.repeat(enlarged[:, :, None], 3, axis=2))
    cascade = Cascade(MockRuntime(lambda batch: answer(batch, brightness)), CascadeRule())
    for together, pixels in zip(cascade.find(pictures), pictures, strict=True):
        (alone,) = cascade.find([pixels])
        np.testing.assert_array_equal(together.boxes, alone.boxes)
        np.testing.assert_array_equal(together.scores, alone.scores)
        np.testing.assert_array_equal(together.landmarks, alone.landmarks)


def test_the_bundle_is_one_small_file_that_onnxruntime_runs_alone(untrained: Path) -> None:
    assert [path.name for path in untrained.parent.iterdir()] == [untrained.name]
    assert untrained.stat().st_size < 2_500_000
    script = (
        "import sys\n"
        "for name in ('torch', 'onnx', 'scipy', 'matplotlib'): sys.modules[name] = None\n"
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from ligera.deploy.bundle import card_from_metadata\n"
        "from ligera.deploy.cascade_engine import open_engine\n"
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
    export_cascade((PNet(score_channels=1), RNet())[:count], card(), CascadeRule(), path)
    engine = opened(path)
    assert engine.rule.stages == count
    found = engine.detect(np.random.default_rng(0).integers(0, 256, (60, 70, 3), np.uint8), score=0.0)
    assert found.landmarks is None
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


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw | {"boxes": raw["boxes"][:, :, :3]},
        lambda raw: raw | {"scores": raw["scores"][:, :-1]},
        lambda raw: raw | {"scores": raw["scores"].astype(np.int64)},
        lambda raw: raw | {"boxes": raw["boxes"] * np.float32("nan")},
        lambda raw: raw | {"boxes": raw["boxes"] + np.float32(3e38)},
        lambda raw: {name: values for name, values in raw.items() if name != "landmarks"},
        lambda raw: raw | {"landmarks": raw["landmarks"] * np.float32("inf")},
        lambda raw: {},
    ],
)
def test_networks_that_answer_nonsense_are_named_in_one_line(spoil: Callable) -> None:
    engine = CascadeEngine(MockRuntime(lambda batch: spoil(answer(batch, 5.0))), card(), CascadeRule())
    with pytest.raises(ModelError, match="mtcnn: outputs are not those of a cascade") as caught:
        engine.detect(np.zeros((64, 64, 3), np.uint8))
    assert "\n" not in str(caught.value)


def test_margins_that_are_no_numbers_are_no_faces() -> None:
    engine = CascadeEngine(MockRuntime(lambda batch: answer(batch, float("nan"))), card(), CascadeRule())
    assert len(engine.detect(np.zeros((64, 64, 3), np.uint8))) == 0


def test_a_box_beside_the_picture_is_dropped_on_the_way() -> None:
    def far_away(batch: np.ndarray) -> dict[str, np.ndarray]:
        raw = answer(batch, 5.0)
        if batch.shape[2:] != (24, 24):
            raw["boxes"] += 1000
        return raw

    assert len(CascadeEngine(MockRuntime(far_away), card(), CascadeRule()).detect(np.zeros((64, 64, 3), np.uint8))) == 0


def test_a_picture_larger_than_asked_is_searched_smaller_and_answered_in_its_own_pixels() -> None:
    pixels = np.zeros((360, 480, 3), np.uint8)
    pixels[120:248, 200:328] = 255
    runtime = MockRuntime(lambda batch: answer(batch, brightness))
    found = CascadeEngine(runtime, card(), CascadeRule()).detect(pixels, max_side=120)
    assert max(batch.shape[3] for batch in runtime.batches) <= 120 * 0.6 + 1
    assert len(found) == 1
    np.testing.assert_allclose(found.boxes[0], [200, 120, 328, 248], atol=32)


def test_the_least_score_asked_for_is_the_last_networks() -> None:
    def unsure(batch: np.ndarray) -> dict[str, np.ndarray]:
        return answer(batch, 0.0 if batch.shape[2:] == (48, 48) else 5.0)

    engine = CascadeEngine(MockRuntime(unsure), card(), CascadeRule())
    picture = np.zeros((64, 64, 3), np.uint8)
    assert len(engine.detect(picture)) == 0
    found = engine.detect(picture, score=0.4)
    assert len(found) > 0
    np.testing.assert_allclose(found.scores, 0.5)


def original() -> object:
    from facenet_pytorch import MTCNN

    return MTCNN(keep_all=True, min_face_size=20, device="cpu")


def differences(theirs: object, cascade: Cascade, pixels: np.ndarray) -> tuple[int, float, float, float]:
    """Faces, and the largest difference of boxes, scores and points; the same number of faces is asserted."""
    boxes, scores, points = theirs.detect(pixels, landmarks=True)  # type: ignore[attr-defined]
    (found,) = cascade.find([pixels])
    if boxes is None:
        assert len(found) == 0
        return 0, 0.0, 0.0, 0.0
    boxes, scores, points = (np.asarray(values, np.float32) for values in (boxes, scores, points))
    assert len(found) == len(boxes)
    match = np.abs(boxes[:, None] - found.boxes[None]).max(axis=2).argmin(axis=1)
    assert len(set(match)) == len(match)
    ours = found.take(match)
    pairs = ((boxes, ours.boxes), (scores, ours.scores), (points, ours.landmarks))
    box, score, point = (float(np.abs(a - b).max()) for a, b in pairs)
    return len(boxes), box, score, point


@needs_facenet
@needs_pictures
def test_faces_points_and_scores_are_those_of_facenet_pytorch_on_real_pictures(facenet: Path) -> None:
    theirs, cascade = original(), Cascade(OnnxRuntime(facenet, threads=1), CascadeRule())
    pictures = sorted(VAL.rglob("*.jpg"), key=lambda path: (path.stat().st_size, path.name))[::14]
    assert len(pictures) > 8
    faces = 0
    for path in pictures:
        count, box, score, point = differences(theirs, cascade, read_picture(path).pixels)
        faces += count
        assert box <= 1e-2, path.name
        assert point <= 1e-2, path.name
        assert score <= 1e-4, path.name
    assert faces > 20


@needs_facenet
def test_the_example_picture_has_the_faces_that_facenet_pytorch_finds(facenet: Path) -> None:
    pixels = read_picture(PEOPLE).pixels
    faces, box, score, point = differences(original(), Cascade(OnnxRuntime(facenet, threads=1), CascadeRule()), pixels)
    assert faces >= 2
    assert max(box, point) <= 1e-2
    assert score <= 1e-4


@needs_facenet
def test_a_detector_around_it_answers_as_any_other(facenet: Path) -> None:
    with Detector(opened(facenet)) as detector:
        found = detector.detect(PEOPLE, score=0.9)
        assert detector.name == "mtcnn"
        assert len(found) >= 2
        assert (np.diff(found.scores) <= 0).all()
        rows = json.loads(json.dumps(found.rows()))
        assert len(rows[0]["landmarks"]) == 5
        assert len(detector.detect(PEOPLE, tile=200)) >= 2
