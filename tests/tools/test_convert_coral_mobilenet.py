"""The converter on the real file where it is at hand, and on what is none anywhere."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file

from ligera.data.pictures import read_picture
from ligera.errors import ModelError

pytest.importorskip("tflite", reason="reading a tflite file needs the package tflite, which is not installed")
ROOT = Path(__file__).parents[2]
CORAL = ROOT.parent / "shared" / "data" / "weights" / "imagenet-coral"
SOURCE = CORAL / "mobilenet_v2_1.0_224_quant.tflite"
spec = importlib.util.spec_from_file_location("convert_coral_mobilenet", ROOT / "tools" / "convert_coral_mobilenet.py")
assert spec is not None and spec.loader is not None
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)
real = pytest.mark.skipif(not SOURCE.is_file(), reason="no Coral weights at ../shared/data")


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("coral") / "coral.safetensors"
    assert tool.main([str(SOURCE), str(path)]) == 0
    return path


@real
@pytest.mark.parametrize(
    ("file", "label", "probability"),
    # what tflite's own runtime (ai-edge-litert 2.3.0) says of them at 224 x 224
    [
        ("bird.bmp", "chickadee", 0.99),
        ("cat.bmp", "Egyptian cat", 0.77),
        ("hot_dog.jpg", "hotdog, hot dog, red hot", 0.94),
    ],
)
def test_real_pictures_get_the_labels_that_tflite_gives_them(
    converted: Path, file: str, label: str, probability: float
) -> None:
    net = timm.create_model("mobilenetv2_100", pretrained=False, num_classes=1001, pad_type="same")
    net.load_state_dict(load_file(converted))
    pixels = cv2.resize(read_picture(CORAL / file).pixels, (224, 224), interpolation=cv2.INTER_AREA)
    with torch.inference_mode():
        logits = net.eval()((torch.from_numpy(pixels).float().permute(2, 0, 1)[None] - 128) / 128)[0]
    labels = [line.split(None, 1)[1].strip() for line in (CORAL / "imagenet_labels.txt").read_text().splitlines()]
    assert labels[int(logits.argmax())] == label
    assert float(logits.softmax(0).max()) == pytest.approx(probability, abs=0.05)


@real
def test_the_other_networks_of_the_folder_are_refused_by_their_layers(tmp_path: Path) -> None:
    other = CORAL / "mobilenet_v1_0.25_128_quant.tflite"
    with pytest.raises(ModelError, match="not those of MobileNetV2"):
        tool.convert(other, tmp_path / "out.safetensors")
    assert not list(tmp_path.iterdir())


@real
@pytest.mark.parametrize("kept", [8, 40, 1000, 100_000])
def test_a_file_cut_short_is_one_line(kept: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cut.tflite").write_bytes(SOURCE.read_bytes()[:kept])
    assert tool.main([str(tmp_path / "cut.tflite"), str(tmp_path / "out.safetensors")]) == 2
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1 and "cut.tflite" in told
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("content", [b"", b"no", b"PK\x03\x04 something else entirely", b"\x00" * 64])
def test_another_kind_of_file_is_one_line(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "it.tflite").write_bytes(content)
    assert tool.main([str(tmp_path / "it.tflite"), str(tmp_path / "out.safetensors")]) == 2
    assert "is no tflite file" in capsys.readouterr().err


def test_a_missing_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main([str(tmp_path / "no.tflite"), str(tmp_path / "out.safetensors")]) == 2
    assert "no such file" in capsys.readouterr().err


def test_a_folded_bias_comes_out_of_batch_norm_unchanged() -> None:
    shapes = _shapes()
    generator = np.random.default_rng(0)
    layers = [
        tool.Convolution(
            generator.normal(0, 0.1, s).astype(np.float32), generator.normal(0, 1, s[0]).astype(np.float32)
        )
        for s in shapes
    ]
    net = timm.create_model("mobilenetv2_100", pretrained=False, num_classes=1001, pad_type="same").eval()
    net.load_state_dict(tool.to_timm(layers, "it"))
    pictures = torch.randn(1, 3, 32, 32)
    # TensorFlow's padding: at stride 2 and an even side, one row below and one column to the right
    padded = torch.nn.functional.pad(pictures, (0, 1, 0, 1))
    weight, bias = torch.from_numpy(layers[0].weight), torch.from_numpy(layers[0].bias)
    expected = torch.nn.functional.conv2d(padded, weight, bias, stride=2).clamp(0, 6)
    with torch.no_grad():
        assert torch.allclose(net.bn1(net.conv_stem(pictures)), expected, atol=1e-4)


def _shapes() -> list[tuple[int, ...]]:
    net = timm.create_model("mobilenetv2_100", pretrained=False, num_classes=1001, pad_type="same")
    return [tuple(v.shape) for v in net.state_dict().values() if v.ndim == 4] + [(1001, 1280, 1, 1)]
