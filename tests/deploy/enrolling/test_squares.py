import json
from pathlib import Path

import numpy as np
import pytest

from ligera.deploy.detector import Detector
from ligera.deploy.enrolling.squares import (
    FACE_KEY,
    FaceRule,
    FaceSquares,
    face_rule_from_metadata,
    main_face,
    square_around,
    squares_from_metadata,
)
from ligera.errors import ModelError
from ligera.records import Detections

from ..conftest import spots


def detections(*boxes: tuple[float, float, float, float]) -> Detections:
    return Detections(np.array(boxes, np.float32), np.full(len(boxes), 0.9))


def test_the_sitter_is_nearest_the_middle_unless_another_face_is_twice_as_large() -> None:
    in_the_middle, beside = (40, 40, 60, 60), (0, 0, 25, 25)
    assert main_face(detections(beside, in_the_middle), 100, 100) == 1
    large = (0, 0, 45, 45)
    assert main_face(detections(large, in_the_middle), 100, 100) == 0


def test_the_square_is_centred_on_the_box_and_as_large_as_asked() -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[40:60, 45:55] = 255
    square = square_around(pixels, np.array([45, 40, 55, 60]), 64, 2.0)
    assert square.shape == (64, 64, 3)
    rows, columns = np.nonzero(square[..., 0] > 127)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (16, 47, 24, 39)


def test_a_square_beyond_the_picture_repeats_its_edge_instead_of_failing() -> None:
    pixels = np.full((40, 30, 3), 7, np.uint8)
    pixels[:, 0] = 200
    square = square_around(pixels, np.array([-20, -20, 15, 15]), 32, 1.3)
    assert (square[:, 0] == 200).all() and (square[:, -1] == 7).all()


def test_the_face_in_a_picture_is_cut_and_a_picture_without_one_gives_none(bundle: Path) -> None:
    with Detector.load(bundle) as detector:
        squares = FaceSquares(detector, 64, FaceRule(margin=1.0))
        found = squares.cut(spots(128, 96, (2, 1)))
        assert found is not None and found.min() == 250
        assert squares.cut(spots(128, 96)) is None


def test_a_bundle_of_another_kind_has_no_rule() -> None:
    assert face_rule_from_metadata({}, "model.onnx") is None


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"margin": 99}', '{"margin": "x"}', '{"detector": 3}', '{"thresholds": 1}']
)
def test_a_damaged_rule_is_named_by_its_file(text: str) -> None:
    with pytest.raises(ModelError, match=r"me\.onnx: its face metadata is damaged"):
        face_rule_from_metadata({FACE_KEY: text}, "me.onnx")


def test_a_detector_that_is_not_here_is_named(tmp_path: Path) -> None:
    metadata = {FACE_KEY: json.dumps({"detector": "nobody"})}
    with pytest.raises(ModelError, match=r"me\.onnx: needs its face detector"):
        squares_from_metadata(metadata, "me.onnx", 64)
