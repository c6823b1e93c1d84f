"""Drawings show what was found, at any size, and change nothing else."""

import numpy as np
import pytest

from ligera.deploy.drawing import crop, draw
from ligera.records import Detections

FACE = np.array([[0.25, 0.25, 0.75, 0.75]])


@pytest.mark.parametrize(("height", "width"), [(40, 60), (480, 640), (1500, 2000)])
def test_a_frame_follows_the_size_of_the_picture(height: int, width: int) -> None:
    pixels = np.full((height, width, 3), 128, np.uint8)
    box = FACE * [width, height, width, height]
    points = np.full((1, 5, 2), [width / 2, height / 2])
    drawn = draw(pixels, Detections(box, np.array([0.9]), landmarks=points))
    changed = (drawn != pixels).any(axis=2)
    assert (pixels == 128).all()
    assert drawn.shape == pixels.shape and drawn.dtype == np.uint8
    assert changed[height // 2, width // 4] and changed[height // 2, width // 2]
    assert not changed[-1].any()
    assert 0.001 < changed.mean() < 0.5


def test_a_score_that_has_no_room_is_left_out() -> None:
    pixels = np.zeros((200, 200, 3), np.uint8)
    small = Detections(np.array([[100.0, 100, 106, 106]]), np.array([0.9]))
    np.testing.assert_array_equal(draw(pixels, small), draw(pixels, small, scores=False))
    large = Detections(np.array([[50.0, 50, 150, 150]]), np.array([0.9]))
    assert (draw(pixels, large) != draw(pixels, large, scores=False)).any()


def test_unknown_landmarks_and_boxes_at_the_edge_are_no_trouble() -> None:
    pixels = np.zeros((50, 50, 3), np.uint8)
    found = Detections(np.array([[0.0, 0, 50, 50]]), np.array([1.0]), landmarks=np.full((1, 5, 2), np.nan))
    assert draw(pixels, found).any()
    assert not draw(pixels, Detections(np.zeros((0, 4)), np.zeros(0))).any()


def test_a_crop_is_the_box_and_a_margin_within_the_picture() -> None:
    pixels = np.arange(100 * 100 * 3, dtype=np.uint8).reshape(100, 100, 3)
    np.testing.assert_array_equal(crop(pixels, np.array([20, 30, 40, 50]), margin=0), pixels[30:50, 20:40])
    assert crop(pixels, np.array([20, 30, 40, 50])).shape == (28, 28, 3)
    assert crop(pixels, np.array([90, 90, 100, 100])).shape == (12, 12, 3)
    assert crop(pixels, np.array([100, 100, 100, 100])).shape == (1, 1, 3)


def test_regions_with_outlines_are_drawn_in_the_colours_of_their_classes() -> None:
    pixels = np.full((200, 300, 3), 240, np.uint8)
    outlines = tuple((np.array([[20, y], [280, y], [280, y + 60], [20, y + 60]], np.float32),) for y in (20, 120))
    boxes = np.array([[20, 20, 280, 80], [20, 120, 280, 180]], np.float32)
    names = ("staff", "lyrics", "drop-capital")
    found = Detections(boxes, np.array([0.9, 0.8]), np.array([0, 1]), names, polygons=outlines)
    drawn = draw(pixels, found, legend=False)
    assert drawn.shape == pixels.shape
    red, green = drawn[50, 150].astype(int), drawn[150, 150].astype(int)
    assert red[0] > red[1] + 30 and green[1] > green[0] + 30
    np.testing.assert_array_equal(drawn[100], pixels[100])
    with_legend = draw(pixels, found)
    np.testing.assert_array_equal(with_legend[:200], drawn)
    # the strip names all classes of the model, so that pictures of one run are alike
    assert draw(pixels, found.take([])).shape == with_legend.shape
