"""Pictures varied with their faces: what is labelled must be what is seen."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ligera.data.affine import carry
from ligera.data.variation import Variation, vary
from ligera.records import Picture, Targets

FACE = np.array([[60.0, 40.0, 100.0, 90.0]], np.float32)
POINTS = np.array([[[70, 55], [90, 55], [80, 65], [72, 78], [88, 78]]], np.float32)
STILL = Variation(size=(1, 1), scale=(1, 1), rotation_deg=0, mirror=0, shift=0)


def disc_picture(width: int = 200, height: int = 140) -> Picture:
    """A dark picture with one bright ellipse in the box ``FACE``."""
    pixels = np.full((height, width, 3), 30, np.uint8)
    x1, y1, x2, y2 = FACE[0]
    # in sixteenths of a pixel; OpenCV's coordinates are those of pixel centres
    centre = (int(((x1 + x2) / 2 - 0.5) * 16), int(((y1 + y2) / 2 - 0.5) * 16))
    axes = (int((x2 - x1) / 2 * 16), int((y2 - y1) / 2 * 16))
    cv2.ellipse(pixels, centre, axes, 0, 0, 360, (250, 250, 250), -1, cv2.LINE_AA, shift=4)
    return Picture(pixels)


def bright_box(pixels: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(pixels[:, :, 0] > 160)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def targets(**changes: np.ndarray) -> Targets:
    return Targets(FACE, landmarks=POINTS, **changes)


def test_no_variation_changes_nothing() -> None:
    picture = disc_picture()
    pixels, moved = vary(picture, targets(), STILL, np.random.default_rng(0))
    assert np.array_equal(pixels, picture.pixels)
    assert np.allclose(moved.boxes, FACE) and np.allclose(moved.landmarks, POINTS)


@pytest.mark.parametrize("seed", range(25))
def test_the_box_is_where_the_face_went(seed: int) -> None:
    wide = Variation(rotation_deg=180, scale=(0.6, 1.1), shift=0.05, min_face_px=1)
    pixels, moved = vary(disc_picture(), targets(), wide, np.random.default_rng(seed))
    height, width = pixels.shape[:2]
    (box,) = moved.boxes
    inside = (box[:2] > 0).all() and box[2] < width and box[3] < height
    # of a face that the edge cuts, the ellipse's rim says less than its box
    assert np.abs(bright_box(pixels) - box).max() < (1.6 if inside else 8)


def test_a_quarter_turn_swaps_the_sides_of_a_box() -> None:
    quarter = np.array([[0.0, -1.0, 140.0], [1.0, 0.0, 0.0]])
    moved = carry(targets(), quarter, (140, 200))
    assert np.allclose(moved.boxes, [[50, 60, 100, 100]], atol=1e-4)


def test_an_eighth_turn_does_not_blow_boxes_up_as_their_corners_would() -> None:
    c = np.sqrt(0.5)
    square = Targets(np.array([[-20.0, -20.0, 20.0, 20.0]]))
    moved = carry(square, np.array([[c, -c, 100.0], [c, c, 100.0]]), (200, 200))
    assert np.allclose(moved.boxes, [[80, 80, 120, 120]], atol=1e-3)


def test_regions_to_ignore_cover_all_that_they_may_have_covered() -> None:
    c = np.sqrt(0.5)
    square = Targets(np.zeros((0, 4)), ignore=np.array([[-20.0, -20.0, 20.0, 20.0]]))
    moved = carry(square, np.array([[c, -c, 100.0], [c, c, 100.0]]), (200, 200))
    reach = 20 * np.sqrt(2)
    assert np.allclose(moved.ignore, [[100 - reach, 100 - reach, 100 + reach, 100 + reach]], atol=1e-3)


def test_a_mirrored_face_keeps_its_left_eye_on_the_left() -> None:
    flip = Variation(size=(1, 1), scale=(1, 1), rotation_deg=0, mirror=1, shift=0)
    _, moved = vary(disc_picture(), targets(), flip, np.random.default_rng(0))
    assert np.allclose(moved.boxes, [[100, 40, 140, 90]])
    assert np.allclose(moved.landmarks[0, :2], [[110, 55], [130, 55]])
    assert moved.landmarks[0, 3, 0] < moved.landmarks[0, 4, 0]


def test_unknown_landmarks_stay_unknown() -> None:
    _, moved = vary(disc_picture(), Targets(FACE), Variation(), np.random.default_rng(1))
    assert np.isnan(moved.landmarks).all()


def test_a_face_that_leaves_becomes_a_region_to_ignore() -> None:
    two = Targets(np.array([[60.0, 40.0, 100.0, 90.0], [190.0, 0.0, 300.0, 90.0]]))
    moved = carry(two, np.array([[1.0, 0, 0], [0, 1, 0]]), (200, 140))
    assert len(moved) == 1
    assert np.allclose(moved.ignore, [[190, 0, 200, 90]])


def test_faces_too_small_to_teach_become_regions_to_ignore() -> None:
    shrink = Variation(size=(0.5, 0.5), scale=(1, 1), rotation_deg=0, mirror=0, shift=0, min_face_px=30)
    _, moved = vary(disc_picture(), targets(), shrink, np.random.default_rng(0))
    assert len(moved) == 0 and len(moved.ignore) == 1


@given(
    width=st.integers(1, 900),
    height=st.integers(1, 900),
    seed=st.integers(0, 2**32),
    rotation=st.floats(0, 180),
    zoom=st.floats(0.2, 8),
)
@settings(max_examples=60, deadline=None)
def test_any_picture_gives_a_picture_and_boxes_within_it(
    width: int, height: int, seed: int, rotation: float, zoom: float
) -> None:
    generator = np.random.default_rng(seed)
    corners = np.sort(generator.uniform(0, 1, (3, 2, 2)), axis=1).reshape(3, 4) * [width, height, width, height]
    variation = Variation(scale=(zoom, zoom), rotation_deg=rotation, shift=0.5, max_side_px=300, min_face_px=0)
    pixels, moved = vary(Picture(np.zeros((height, width, 3), np.uint8)), Targets(corners), variation, generator)
    assert pixels.dtype == np.uint8 and max(pixels.shape[:2]) <= 300
    assert len(moved) >= 1
    frame = [pixels.shape[1], pixels.shape[0]] * 2
    for boxes in (moved.boxes, moved.ignore):
        assert (boxes >= 0).all() and (boxes <= frame).all()


def test_a_very_long_picture_is_no_problem() -> None:
    strip = Picture(np.zeros((8, 40_000, 3), np.uint8))
    pixels, _ = vary(strip, Targets(np.zeros((0, 4))), Variation(max_side_px=16_384), np.random.default_rng(0))
    assert max(pixels.shape) <= 16_384


def test_a_seed_fixes_the_variation() -> None:
    one, two, other = (vary(disc_picture(), targets(), Variation(), np.random.default_rng(s)) for s in (3, 3, 4))
    assert np.array_equal(one[0], two[0]) and np.array_equal(one[1].boxes, two[1].boxes)
    assert one[0].shape != other[0].shape or not np.array_equal(one[0], other[0])


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": (0.0, 1.0)},
        {"scale": (2.0, 1.0)},
        {"rotation_deg": 181.0},
        {"rotation_deg": float("nan")},
        {"mirror": 1.5},
        {"shift": 0.6},
        {"max_side_px": 8},
    ],
)
def test_a_variation_out_of_range_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        Variation(**wrong)
