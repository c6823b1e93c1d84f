"""A bundle in another precision: what it finds, what it says of itself, and when it is not written."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from ligera.boxes import iou
from ligera.deploy.builtin import builtin_path
from ligera.deploy.classifying.classifier import Classifier
from ligera.deploy.detector import Detector
from ligera.deploy.export.network import export_classifier
from ligera.deploy.quantization.converting import ConversionPlan, convert
from ligera.deploy.quantization.record import precision_from_metadata
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import DataError, GateFailed, ModelError, UsageError

from ..colour_sets import COLOURS, ColourOf, colours_card, plain, write_class_folders, write_plain
from .conftest import people


def test_int8_finds_the_same_faces_and_says_how_it_came_about(photos: Path, labelled: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.onnx"
    notes: list[str] = []
    plan = ConversionPlan("int8", calibrate=photos, gate_data=labelled, max_drop=20.0, threads=1)
    done = convert("face-small", out, plan, note=notes.append)
    with Detector.load("face-small", threads=1) as whole, Detector.load(out, threads=1) as small:
        expected, found = whole.detect(people(480), score=0.5), small.detect(people(480), score=0.4)
    overlaps = iou(expected.boxes, found.boxes)
    assert len(expected) >= 4 and (overlaps.max(axis=1) > 0.6).all()
    assert np.abs(expected.scores - found.scores[overlaps.argmax(axis=1)]).max() < 0.15

    metadata = OnnxRuntime(out, threads=1).metadata
    record = precision_from_metadata(metadata, str(out))
    assert record == done.record and record is not None
    assert record.precision == done.card.precision == "int8"
    assert record.calibration is not None and record.calibration.pictures == 4
    assert record.gate is not None and record.gate.before == 100 and record.gate.drop <= 20
    assert record.layers == 24 and all("heads" in name for name in record.kept_float[-4:])
    assert done.card.preprocess.dtype == "uint8"
    assert list(done.card.scores.values()) == [round(record.gate.after / 100, 4)]
    assert done.size_bytes == out.stat().st_size < 0.4 * done.source_bytes
    assert notes[0] == "calibrating on 4 pictures (minmax)"


def test_without_labelled_data_no_drop_is_claimed(photos: Path, tmp_path: Path) -> None:
    done = convert("face-small", tmp_path / "a.onnx", ConversionPlan("int8", calibrate=photos))
    assert done.record.gate is None and dict(done.card.scores) == {} and done.tried == ()


def test_layers_come_back_to_float_until_the_gate_holds(
    photos: Path, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ligera.deploy.quantization import eight_bits

    honest = eight_bits.ranges_of
    spoilt = "/backbone/stages.1/stages.1.0/act/Relu_output_0"

    def with_a_stray_value(*arguments: object, **options: object) -> dict[str, tuple[float, float]]:
        return {**honest(*arguments, **options), spoilt: (0.0, 1e5)}  # type: ignore[arg-type]

    monkeypatch.setattr(eight_bits, "ranges_of", with_a_stray_value)
    plan = ConversionPlan("int8", calibrate=photos, gate_data=labelled, max_drop=20.0, threads=1)
    done = convert("face-small", tmp_path / "a.onnx", plan)
    assert done.tried[0][0] == 0 and done.tried[0][1] > 50
    assert done.record.gate is not None and done.record.gate.drop <= 20
    kept = [name for name in done.record.kept_float if "heads" not in name]
    # that which gives the spoilt values and those that read them: the next stage, and the pyramid
    for part in ("stages.1.0/body/body.1", "stages.2.0/body/body.0", "lateral.1"):
        assert any(part in name for name in kept), part
    assert len(kept) <= 4


def test_what_loses_too_much_is_not_written(photos: Path, labelled: Path, tmp_path: Path) -> None:
    for path in photos.iterdir():
        # nothing is to be learnt from the dark: all real values are cut to its range
        cv2.imwrite(str(path), np.full((64, 64, 3), 1 + int(path.stem), np.uint8))
    out = tmp_path / "a.onnx"
    out.write_bytes(b"what stood there")
    plan = ConversionPlan("int8", calibrate=photos, gate_data=labelled, max_drop=1.0, threads=1)
    with pytest.raises(GateFailed, match=r"a\.onnx: not written, int8 loses .* even with 10 of 24 layers") as error:
        convert("face-small", out, plan)
    assert error.value.exit_code == 4
    assert out.read_bytes() == b"what stood there"


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_weights_take_half_the_room_and_lose_nothing_that_shows(
    precision: str, labelled: Path, tmp_path: Path
) -> None:
    if precision == "bf16":
        pytest.importorskip("openvino")
    out = tmp_path / "a.onnx"
    plan = ConversionPlan(precision, gate_data=labelled, max_drop=5.0, threads=1)  # type: ignore[arg-type]
    done = convert("face-small", out, plan)
    assert done.card.precision == precision and done.size_bytes < 0.55 * done.source_bytes
    assert done.record.gate is not None and abs(done.record.gate.drop) <= 5
    if precision == "bf16":
        with pytest.raises(ModelError, match="bf16 arithmetic, which ONNX Runtime has not; use --runtime openvino"):
            Detector.load(out)


def test_pictures_that_judge_must_not_calibrate(photos: Path, labelled: Path, tmp_path: Path) -> None:
    shutil.copy(labelled / "images" / "photos" / "a.png", photos / "copy.png")
    plan = ConversionPlan("int8", calibrate=photos, gate_data=labelled)
    with pytest.raises(UsageError, match=r"1 of 5 calibration pictures are in .* too; calibrate on others"):
        convert("face-small", tmp_path / "a.onnx", plan)


def test_what_was_converted_is_not_converted_again(tmp_path: Path, photos: Path) -> None:
    convert("face-small", tmp_path / "half.onnx", ConversionPlan("fp16"))
    with pytest.raises(UsageError, match=r"half\.onnx: is in fp16 already, and what it lost is lost"):
        convert(tmp_path / "half.onnx", tmp_path / "a.onnx", ConversionPlan("int8", calibrate=photos))


def test_a_folder_without_pictures_and_a_path_that_is_no_bundle_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    plan = ConversionPlan("int8", calibrate=tmp_path / "empty")
    with pytest.raises(DataError, match="empty': no pictures there"):
        convert("face-small", tmp_path / "a.onnx", plan)
    with pytest.raises(ModelError, match=r"none\.onnx: no such model file"):
        convert(tmp_path / "none.onnx", tmp_path / "a.onnx", ConversionPlan("fp16"))
    with pytest.raises(UsageError, match=r"expected a file ending in \.onnx"):
        convert("face-small", tmp_path / "a.pth", ConversionPlan("fp16"))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"precision": "int9"}, "--precision: there is no 'int9'; did you mean 'int8'"),
        ({"precision": "int8"}, "--precision int8: needs pictures to calibrate on"),
        ({"precision": "fp16", "calibrate": Path()}, "--calibrate: is for int8; fp16 needs no calibration"),
        ({"precision": "fp16", "max_drop": float("nan")}, "--max-drop: expected 0 to 100 points, got nan"),
        ({"precision": "int8", "calibrate": Path(), "activations": "u4"}, "--activations: there is no 'u4'"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(options: dict, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        ConversionPlan(**options)


class Colours(nn.Module):
    """``ColourOf`` with a hidden layer, so that there is more than a head."""

    def __init__(self) -> None:
        super().__init__()
        self.spread = nn.Conv2d(3, 8, 3, padding=1)
        self.act = nn.Hardswish()
        self.last = ColourOf()
        nn.init.dirac_(self.spread.weight)
        nn.init.zeros_(self.spread.bias)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.last(self.act(self.spread(pictures))[:, :3])


def test_a_classifier_keeps_its_input_and_its_answers(tmp_path: Path) -> None:
    source, out = tmp_path / "colours.onnx", tmp_path / "small.onnx"
    export_classifier(Colours(), colours_card(), source)
    data = write_class_folders(tmp_path / "data")
    for colour in COLOURS:
        write_plain(tmp_path / "other" / f"{colour}.png", colour, width=52)
    plan = ConversionPlan("int8", calibrate=tmp_path / "other", gate_data=data, max_drop=0.0, threads=1)
    done = convert(source, out, plan)
    # the picture's mean is taken off before, which no whole number says
    assert done.card.preprocess.dtype == "float32"
    assert done.record.gate is not None and done.record.gate.metric == "accuracy"
    assert done.record.kept_float == ()
    with Classifier.load(out, threads=1) as small:
        for colour in COLOURS:
            assert small.classify(plain(colour)).label == colour


def test_the_built_in_bundle_is_left_as_it_is(photos: Path, tmp_path: Path) -> None:
    before = builtin_path("face-small").read_bytes()
    convert("face-small", tmp_path / "a.onnx", ConversionPlan("int8", calibrate=photos))
    assert builtin_path("face-small").read_bytes() == before
