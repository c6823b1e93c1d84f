"""Random windows: squares of whole pixels within the picture, and near faces where they should be."""

import numpy as np
import pytest

from ligera.boxes import iou
from ligera.deploy.mining.windows import windows_about, windows_anywhere, windows_near

FACES = np.array([[40, 30, 70, 70], [0, 0, 25, 25]], np.float32)
SIZE = (120, 160)


def check(windows: np.ndarray, size: tuple[int, int] = SIZE) -> None:
    sides = windows[:, 2:] - windows[:, :2]
    assert windows.dtype == np.float32
    assert (sides[:, 0] == sides[:, 1]).all() and (sides >= 6).all()
    assert (windows == np.floor(windows)).all()
    assert (windows[:, :2] >= 0).all() and (windows[:, 2:] <= [size[1], size[0]]).all()


def test_windows_near_a_face_overlap_it_well() -> None:
    windows = windows_near(FACES, SIZE, 300, np.random.default_rng(0))
    check(windows)
    best = iou(windows, FACES).max(axis=1)
    assert (best >= 0.65).mean() > 0.1 and (best >= 0.4).mean() > 0.6


def test_windows_about_a_face_touch_it_and_are_mostly_no_face() -> None:
    windows = windows_about(FACES[:1], SIZE, 300, np.random.default_rng(0))
    check(windows)
    overlaps = iou(windows, FACES[:1])[:, 0]
    assert (overlaps < 0.3).mean() > 0.5 and (overlaps > 0).mean() > 0.9


def test_windows_anywhere_are_of_all_sizes() -> None:
    windows = windows_anywhere(SIZE, 12, 400, np.random.default_rng(0))
    check(windows)
    assert len(windows) == 400
    sides = windows[:, 2] - windows[:, 0]
    assert sides.min() >= 12 and sides.max() > 100 and np.median(sides) < 60


@pytest.mark.parametrize("size", [(1, 300), (5, 5), (6, 6), (11, 40)])
def test_a_picture_too_small_for_any_window_gives_few_or_none(size: tuple[int, int]) -> None:
    windows = windows_anywhere(size, 12, 20, np.random.default_rng(0))
    check(windows, size)
    assert len(windows) == (20 if min(size) >= 6 else 0)


def test_no_faces_have_no_windows() -> None:
    nobody = np.zeros((0, 4), np.float32)
    for windows in (windows_near, windows_about):
        assert windows(nobody, SIZE, 5, np.random.default_rng(0)).shape == (0, 4)
