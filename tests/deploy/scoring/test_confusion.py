"""The picture of a confusion matrix shows its counts where they are, whatever the number of classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ligera.data.pictures import read_picture
from ligera.deploy.scoring.confusion import draw_confusion, write_confusion


def matrix_part(picture: np.ndarray, classes: int) -> np.ndarray:
    """The colour in the middle of the right edge of each cell ``(K, K, 3)``, where no count is written."""
    cell = min(72, max(2, 1000 // classes))
    bottom, right = picture.shape[0] - 12, picture.shape[1] - 12
    middles = np.arange(classes) * cell + cell // 2
    return picture[bottom - classes * cell + middles[:, None], right - classes * cell + middles[None] + cell // 2 - 2]


def test_right_answers_are_green_mistakes_red_and_what_never_happened_white() -> None:
    counts = np.diag(np.full(10, 90)) + np.diag(np.full(9, 10), 1)
    colours = matrix_part(draw_confusion(counts, tuple(f"class {i}" for i in range(10))), 10).astype(int)
    right, mistake, never = colours[3, 3], colours[3, 4], colours[4, 3]
    assert right[1] > right[0] + 50
    assert mistake[0] > mistake[1] + 20
    assert never.tolist() == [255, 255, 255]


def test_a_class_without_pictures_is_a_white_row() -> None:
    counts = np.diag(np.full(10, 5))
    counts[2] = 0
    colours = matrix_part(draw_confusion(counts, tuple("abcdefghij")), 10)
    assert (colours[2] == 255).all() and not (colours[3] == 255).all()


def test_every_number_of_classes_and_length_of_name_fits() -> None:
    for classes in (2, 3, 25, 90, 400, 1000):
        counts = np.eye(classes, dtype=np.int64) * 12_345_678
        for names in (tuple(map(str, range(classes))), tuple(f"{'ü' * 300} {i}" for i in range(classes))):
            picture = draw_confusion(counts, names)
            assert picture.dtype == np.uint8 and picture.shape[2] == 3
            assert max(picture.shape[:2]) <= 2_400


def test_a_name_and_its_count_leave_ink_beside_and_in_their_cell() -> None:
    counts = np.diag([7, 0, 0]) + np.diag([1, 1], 1)
    named, bare = draw_confusion(counts, ("one", "two", "three")), draw_confusion(counts, (" ", " ", " "))
    assert named.shape[1] >= bare.shape[1]
    assert (named < 100).sum() > (bare < 100).sum()
    assert (draw_confusion(counts * 0, (" ", " ", " ")) < 100).sum() < (bare < 100).sum()


@pytest.mark.parametrize("folder", [".", "deep/er"])
def test_the_file_is_a_png_of_the_same_picture(tmp_path: Path, folder: str) -> None:
    counts = np.array([[3, 1], [0, 5]])
    write_confusion(tmp_path / folder / "confusion.png", counts, ("a", "b"))
    written = read_picture(tmp_path / folder / "confusion.png").pixels
    np.testing.assert_array_equal(written, draw_confusion(counts, ("a", "b")))
