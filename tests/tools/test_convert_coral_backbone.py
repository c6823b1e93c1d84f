"""The converter of backbones on the real file where it is at hand, and on what is none anywhere."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch.nn import functional

from ligera.errors import DataError
from ligera.models import catalogue
from ligera.models.specs import BackboneSpec
from ligera.train.checkpoint import load_into

pytest.importorskip("tflite", reason="reading a tflite file needs the package tflite, which is not installed")
ROOT = Path(__file__).parents[2]
CORAL = ROOT.parent / "shared" / "data" / "weights" / "imagenet-coral"
SOURCE = CORAL / "mobilenet_v1_0.25_128_quant.tflite"
spec = importlib.util.spec_from_file_location("convert_coral_backbone", ROOT / "tools" / "convert_coral_backbone.py")
assert spec is not None and spec.loader is not None
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)
real = pytest.mark.skipif(not SOURCE.is_file(), reason="no Coral weights at ../shared/data")
NET = "RetinaFace-mobile0.25"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth pictures: what photos share, and noise has not."""
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for number in range(tool.PHOTOS):
        coarse = random.integers(0, 256, (6, 6, 3), np.uint8)
        Image.fromarray(coarse).resize((96, 96), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def converted(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("coral") / "backbone.safetensors"
    assert tool.main([str(SOURCE), NET, str(photos), str(path)]) == 0
    return path


@real
def test_features_are_those_of_the_source(converted: Path, photos: Path) -> None:
    net = catalogue.build(NET)
    load_into(net, converted)
    # the activation of the source, without its ceiling at 6
    for module in net.modules():
        if isinstance(module, torch.nn.LeakyReLU):
            module.negative_slope = 0.0
    pixels = torch.from_numpy(tool.read_photos(photos))[:4]
    with torch.inference_mode():
        ours = net.eval().backbone(pixels)[0]
        theirs = (pixels * 255 - 128) / 128
        for place, layer in enumerate(tool.read_convolutions(SOURCE.read_bytes(), "coral")[:7]):
            stride = 2 if place in (0, 3) else 1
            groups = len(layer.weight) if place % 2 else 1
            if layer.weight.shape[2] == 3:
                theirs = functional.pad(theirs, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1))
            weight, bias = torch.from_numpy(layer.weight), torch.from_numpy(layer.bias)
            theirs = functional.conv2d(theirs, weight, bias, stride, groups=groups).relu()
    # ours pads above and to the left too: 1 px of the input and 2 px behind the stem, less than a cell of 4 px together
    finer = [
        functional.interpolate(maps, scale_factor=4, mode="bilinear")[..., 24:-24, 24:-24] for maps in (ours, theirs)
    ]
    moved = torch.roll(finer[1], (3, 3), (2, 3))
    agreement = torch.corrcoef(torch.stack([finer[0].flatten(), moved.flatten()]))[0, 1]
    assert agreement > 0.95


@real
def test_only_layers_of_the_source_are_in_the_file_and_the_rest_of_a_network_stays_random(converted: Path) -> None:
    state = load_file(converted)
    # stem and thirteen blocks of two, each a kernel and five tensors of its norm
    assert len(state) == 27 * 6 and all(name.startswith("backbone.") for name in state)
    torch.manual_seed(0)
    net = catalogue.build(NET)
    head = net.heads[0].weight.clone()
    load_into(net, converted)
    assert torch.equal(net.heads[0].weight, head)
    assert torch.equal(net.backbone.stem[0].weight, state["backbone.stem.0.weight"])


@real
def test_a_backbone_of_another_detector_is_refused(converted: Path) -> None:
    with pytest.raises(DataError, match="another network"):
        load_into(catalogue.build("R12_V3_HS"), converted)


@real
def test_a_file_or_detector_of_another_kind_is_one_line(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty, target = tmp_path / "empty", tmp_path / "out.safetensors"
    empty.mkdir()
    wrong = [
        ([SOURCE, "R12_V3_HS", photos], "expected a MobileNetV1 of its width"),
        ([SOURCE, "RetinaFace-mobil0.25", photos], "RetinaFace-mobile0.25"),
        ([SOURCE, NET, empty], "at least 32 photos"),
        ([tmp_path / "none.tflite", NET, photos], "no such file"),
        ([ROOT / "README.md", NET, photos], "tflite"),
    ]
    for given, expected in wrong:
        assert tool.main([*map(str, given), str(target)]) == 2
        error = capsys.readouterr().err
        assert expected in error and error.count("\n") == 1
    assert not target.exists()


def test_the_backbone_that_is_filled_has_its_norms_behind_its_convolutions() -> None:
    net = catalogue.build(NET)
    assert isinstance(net.spec.backbone, BackboneSpec)
    kinds = [
        type(module) for module in net.backbone.modules() if isinstance(module, torch.nn.Conv2d | torch.nn.BatchNorm2d)
    ]
    assert kinds == [torch.nn.Conv2d, torch.nn.BatchNorm2d] * (len(kinds) // 2)
