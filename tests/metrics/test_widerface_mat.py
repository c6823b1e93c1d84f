"""The official .mat files are read, and what is wrong with them is said in one line."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from ligera.errors import DataError, LigeraError, MissingExtra
from ligera.metrics.widerface import WiderPicture, read_ground_truth

from .conftest import cells, mat_contents, picture, random_pictures, write_mats


@pytest.fixture
def pictures() -> tuple[WiderPicture, ...]:
    return random_pictures(np.random.default_rng(2), 7)


def test_what_the_files_hold_comes_back(tmp_path: Path, pictures: tuple[WiderPicture, ...]) -> None:
    read = read_ground_truth(write_mats(tmp_path, mat_contents(pictures)))
    wanted = {(one.event, one.name): one for one in pictures}
    assert [(one.event, one.name) for one in read.pictures] == sorted(wanted, key=lambda key: key[0])
    for one in read.pictures:
        same = wanted[one.event, one.name]
        np.testing.assert_array_equal(one.boxes, same.boxes)
        for setting, mask in one.counted.items():
            np.testing.assert_array_equal(mask, same.counted[setting])


def test_the_real_lists_are_read(wider_mini: Path) -> None:
    ground_truth = read_ground_truth(wider_mini)
    easy, medium, hard = (
        sum(one.counted[s].sum() for one in ground_truth.pictures) for s in ("easy", "medium", "hard")
    )
    assert len(ground_truth) == 40
    assert 0 < easy < medium < hard <= sum(len(one.boxes) for one in ground_truth.pictures)


@pytest.mark.parametrize(
    "name", ["wider_face_val.mat", "wider_easy_val.mat", "wider_medium_val.mat", "wider_hard_val.mat"]
)
def test_a_missing_file_is_named(tmp_path: Path, pictures: tuple[WiderPicture, ...], name: str) -> None:
    write_mats(tmp_path, mat_contents(pictures))
    (tmp_path / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: not there"):
        read_ground_truth(tmp_path)


@pytest.mark.parametrize("content", [b"", b"garbage", b"MATLAB 7.3 MAT-file" + bytes(200)])
def test_a_file_that_is_no_matlab_file_is_named(
    tmp_path: Path, pictures: tuple[WiderPicture, ...], content: bytes
) -> None:
    write_mats(tmp_path, mat_contents(pictures))
    (tmp_path / "wider_hard_val.mat").write_bytes(content)
    with pytest.raises(DataError, match=r"wider_hard_val.mat: ") as caught:
        read_ground_truth(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_face_number_beyond_the_faces_is_an_error_at_its_picture(tmp_path: Path) -> None:
    contents = mat_contents((picture("a", [[1, 2, 3, 4]]),))
    contents["wider_easy_val.mat"]["gt_list"] = cells([cells([np.array([[2]])])])
    with pytest.raises(DataError, match=r"wider_easy_val.mat: 0--Parade/a: expected face numbers 1 to 1, got 2"):
        read_ground_truth(write_mats(tmp_path, contents))


def test_a_face_number_given_twice_is_an_error(tmp_path: Path) -> None:
    contents = mat_contents((picture("a", [[1, 2, 3, 4]]),))
    contents["wider_easy_val.mat"]["gt_list"] = cells([cells([np.array([[1], [1]])])])
    with pytest.raises(DataError, match="twice"):
        read_ground_truth(write_mats(tmp_path, contents))


def test_lists_of_another_length_are_an_error(tmp_path: Path, pictures: tuple[WiderPicture, ...]) -> None:
    contents = mat_contents(pictures)
    contents["wider_hard_val.mat"]["gt_list"] = contents["wider_hard_val.mat"]["gt_list"][:-1]
    with pytest.raises(DataError, match=r"wider_hard_val.mat: gt_list has 2 cells, expected 3"):
        read_ground_truth(write_mats(tmp_path, contents))


@pytest.mark.parametrize("boxes", [np.zeros((2, 3)), np.array([[1, 2, np.nan, 4]]), "words"])
def test_boxes_that_are_none_are_an_error_at_their_picture(tmp_path: Path, boxes: object) -> None:
    contents = mat_contents((picture("a", [[1, 2, 3, 4]]),))
    contents["wider_face_val.mat"]["face_bbx_list"] = cells([cells([boxes])])
    with pytest.raises(DataError, match=r"wider_face_val.mat: 0--Parade/a: expected"):
        read_ground_truth(write_mats(tmp_path, contents))


def test_damaged_files_end_in_an_error_or_a_result_and_never_in_a_traceback(
    tmp_path: Path, pictures: tuple[WiderPicture, ...]
) -> None:
    write_mats(tmp_path, mat_contents(pictures))
    whole = {file: file.read_bytes() for file in sorted(tmp_path.glob("*.mat"))}
    random = np.random.default_rng(0)
    errors = 0
    for _ in range(120):
        file = list(whole)[random.integers(len(whole))]
        damaged = bytearray(whole[file])
        for _ in range(random.integers(1, 4)):
            damaged[random.integers(len(damaged))] = random.integers(256)
        file.write_bytes(damaged[: random.integers(1, len(damaged))] if random.random() < 0.3 else damaged)
        try:
            read_ground_truth(tmp_path)
        except LigeraError as error:
            errors += 1
            assert "\n" not in str(error)
        file.write_bytes(whole[file])
    assert errors > 60


def test_without_scipy_the_extra_to_install_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(MissingExtra, match=r"ligera\[train\]"):
        read_ground_truth(tmp_path)


@pytest.mark.parametrize(
    ("boxes", "counted", "complaint"),
    [
        (np.zeros((1, 3)), {}, "boxes"),
        (np.zeros((1, 4)), {"easy": np.array([True])}, "easy, medium, hard"),
        (np.zeros((2, 4)), dict.fromkeys(("easy", "medium", "hard"), np.array([True])), r"\(2,\) bool"),
    ],
)
def test_a_picture_of_the_ground_truth_checks_itself(boxes: np.ndarray, counted: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        WiderPicture("event", "name", boxes, counted)
