from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from ligera.deploy.export.recognizer import trace_base
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import ModelError, UsageError
from ligera.train.recognition import bases
from ligera.train.recognition.bases import BASES, BaseSpec, find_weights, load_base
from ligera.train.recognition.gradients import Gradients


@pytest.fixture
def coral(tmp_path: Path) -> Path:
    """Random weights for the network of Coral's MobileNetV2."""
    torch.manual_seed(0)
    net = timm.create_model("mobilenetv2_100", pretrained=False, num_classes=1001, pad_type="same")
    save_file(net.state_dict(), tmp_path / "coral.safetensors")
    return tmp_path / "coral.safetensors"


@pytest.mark.parametrize(("reading", "features"), [("pooled", 1280), ("places", 96 * 4 * 4)])
def test_a_base_gives_its_features_in_torch_and_in_onnx_alike(coral: Path, reading: str, features: int) -> None:
    base = load_base("mobilenetv2-coral", coral, reading)  # type: ignore[arg-type]
    assert "coral.safetensors" in base.source
    found = OnnxRuntime(trace_base(base, 64), threads=1).run(np.zeros((3, 3, 64, 64), np.float32))["features"]
    assert found.shape == (3, features)


@pytest.mark.parametrize("name", ["mobilenetv2", "resnet50", "xception", "vgg16"])
def test_the_papers_bases_give_maps_at_both_depths(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Their weights are not at hand: what is shown is that their networks fit, on the device that holds no numbers."""
    spec = BASES[name]
    with torch.device("meta"):
        net = timm.create_model(spec.model, pretrained=False, num_classes=spec.classes).eval()
        pictures = torch.empty(2, 3, 64, 64)
        assert bases._Pooled(net)(pictures).shape == (2, net.num_features if name != "vgg16" else 512)
        places = bases._Places(net)(pictures)
    assert places.shape[0] == 2 and places.shape[1] % 16 == 0


def test_the_papers_preprocessing_is_that_of_timms_weights() -> None:
    for name, spec in BASES.items():
        if spec.options or not spec.model:
            continue
        about = timm.get_pretrained_cfg(spec.model)
        assert spec.mean == pytest.approx([255 * value for value in about.mean], abs=0.01), name
        assert spec.scale == pytest.approx([1 / (255 * value) for value in about.std], rel=1e-4), name


def test_without_weights_it_is_said_where_they_come_from_and_nothing_is_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bases, "find_weights", lambda _name: None)
    with pytest.raises(ModelError, match=r"Ligera downloads none; give a file as --weights, fetch them once"):
        load_base("resnet50", None, "pooled")
    with pytest.raises(ModelError, match=r"tools/convert_coral_mobilenet\.py"):
        load_base("mobilenetv2-coral", None, "places")


def test_weights_that_timm_left_in_the_cache_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "models--timm--resnet50.a1_in1k"
    place = folder / "snapshots" / "abc" / "model.safetensors"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert find_weights("resnet50") == place
    assert find_weights("mobilenetv2") is None
    assert find_weights("mobilenetv2-coral") is None


def test_weights_of_another_network_are_refused(coral: Path) -> None:
    with pytest.raises(ModelError, match="not those of resnet50"):
        load_base("resnet50", coral, "pooled")


def test_an_unknown_base_gets_the_nearest_and_gradients_take_no_weights(coral: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'resnet50'"):
        load_base("resnet5", None, "pooled")
    with pytest.raises(UsageError, match="--weights: the base gradients takes none"):
        load_base("gradients", coral, "places")


def test_gradients_tell_directions_and_do_not_mind_how_bright_it_is() -> None:
    pictures = torch.zeros(1, 3, 32, 32)
    pictures[..., 4::8] = 200.0
    upright, lying = Gradients()(pictures)[0], Gradients()(pictures.mT.contiguous())[0]
    strongest = upright.mean((1, 2)).argmax(), lying.mean((1, 2)).argmax()
    assert strongest[0] == 0 and strongest[1] in (4, 5)
    dim = Gradients()(pictures * 0.3 + 40)[0]
    assert torch.allclose(dim[:, 1:-1, 1:-1], upright[:, 1:-1, 1:-1], atol=0.03)
    assert torch.isfinite(Gradients()(torch.zeros(1, 3, 32, 32))).all()


def test_a_spec_says_what_the_paper_calls_it() -> None:
    titles = [spec.title for spec in BASES.values() if isinstance(spec, BaseSpec) and spec.title]
    assert set(titles) == {"MobileNetV2", "ResNet50", "ResNet152", "Xception", "VGG16"}
