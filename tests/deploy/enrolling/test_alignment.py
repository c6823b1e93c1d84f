import math

import cv2
import numpy as np
import pytest

from ligera.deploy.enrolling.alignment import POINTS, pose_of, upright_square
from ligera.deploy.enrolling.squares import FaceRule, face_square, square_around

MIDDLE = np.array([150.0, 130.0])
SIDE_PX = 80.0
BOX = np.array([110.0, 90.0, 190.0, 170.0])


def landmarks(degrees: float = 0.0, side: float = SIDE_PX) -> np.ndarray:
    """Those of a face at ``MIDDLE``, turned clockwise."""
    turn = math.radians(degrees)
    matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return (MIDDLE + side * POINTS @ matrix.T).astype(np.float32)


def dotted(points: np.ndarray, enlarged: int = 1) -> np.ndarray:
    """A dark picture with a bright disc on each of ``points``."""
    pixels = np.full((260 * enlarged, 300 * enlarged, 3), 30, np.uint8)
    for x, y in np.floor(points * enlarged).astype(int).tolist():
        cv2.circle(pixels, (x, y), 3 * enlarged, (255, 255, 255), -1)
    return pixels


def dots(square: np.ndarray) -> np.ndarray:
    """Where the discs are, px, upper ones first."""
    bright = (square[..., 0] > 140).astype(np.uint8)
    _, _, _, centres = cv2.connectedComponentsWithStats(bright)
    found = centres[1:] + 0.5
    return found[np.lexsort((found[:, 0], found[:, 1].round(-1)))]


@pytest.mark.parametrize("degrees", [0, 20, -35])
@pytest.mark.parametrize("enlarged", [1, 6])
def test_landmarks_of_a_turned_face_come_to_their_places_whatever_its_size(degrees: float, enlarged: int) -> None:
    points = landmarks(degrees)
    pose = pose_of(BOX * enlarged, points * enlarged)
    assert pose is not None and math.degrees(pose.turn) == pytest.approx(degrees, abs=0.1)
    square = upright_square(dotted(points, enlarged), pose, 128, 1.3)
    expected = (POINTS / 1.3 + 0.5) * 128
    assert np.abs(dots(square) - expected).max() < 1.5


def test_an_upright_square_shows_as_much_as_the_one_around_the_box() -> None:
    generator = np.random.default_rng(4)
    pixels = cv2.resize(generator.integers(0, 256, (26, 30, 3), np.uint8), (300, 260))
    upright = face_square(pixels, BOX, landmarks(), 104, FaceRule(alignment="landmarks"))
    around = square_around(pixels, BOX, 104, 1.3)
    assert np.abs(upright.astype(int) - around).mean() < 2


@pytest.mark.parametrize(
    "points",
    [
        None,
        np.full((5, 2), np.nan, np.float32),
        np.tile(MIDDLE, (5, 1)),
        landmarks(90),
        landmarks(side=2 * SIDE_PX),
        landmarks() + 60,
        landmarks()[[1, 0, 2, 4, 3]],
    ],
    ids=["none", "unknown", "in one point", "lying", "too wide", "elsewhere", "mirrored"],
)
def test_landmarks_that_do_not_fit_the_box_leave_the_square_around_it(points: np.ndarray | None) -> None:
    pixels = dotted(landmarks())
    square = face_square(pixels, BOX, points, 64, FaceRule(alignment="landmarks"))
    assert (square == square_around(pixels, BOX, 64, 1.3)).all()


def test_a_rule_that_says_nothing_of_alignment_is_the_box_s() -> None:
    pixels = dotted(landmarks(30))
    assert (face_square(pixels, BOX, landmarks(30), 64, FaceRule()) == square_around(pixels, BOX, 64, 1.3)).all()


def test_a_face_at_the_edge_repeats_the_edge() -> None:
    pixels = np.full((100, 100, 3), 9, np.uint8)
    pixels[0] = 200
    moved = landmarks() - MIDDLE + (50, 2)
    pose = pose_of(np.array([10.0, -38, 90, 42]), moved)
    assert pose is not None and (upright_square(pixels, pose, 64, 1.3)[:20] > 150).all()
