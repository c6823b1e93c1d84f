"""WIDER FACE lists are read with their quirks, and each line that cannot be used is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ligera.data.faces import FaceSet
from ligera.data.widerface import read_widerface
from ligera.errors import DataError

from .conftest import write_picture

A, B = "0--Parade/a.jpg", "1--Handshaking/b.jpg"
ZEROS = "0 0 0 0 0 0 0 0 0 0"


def write_list(root: Path, text: str | bytes, split: str = "val") -> Path:
    folder = root / "wider_face_split"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"wider_face_{split}_bbx_gt.txt"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    for name in (A, B):
        write_picture(root / f"WIDER_{split}" / "images" / name)
    return file


def read(root: Path, text: str | bytes) -> FaceSet:
    write_list(root, text)
    return read_widerface(root, strict=False)


def test_boxes_and_paths_are_read(tmp_path: Path) -> None:
    faces = read(tmp_path, f"{A}\n2\n1 2 3 4 0 0 0 0 0 0 \n10.5 20 5 6 2 1 0 0 2 1\n{B}\n1\n5 6 7 8 0 0 0 0 0 0\n")
    assert faces.problems == ()
    assert [sample.name for sample in faces.samples] == [A, B]
    assert faces.samples[0].path == tmp_path / "WIDER_val" / "images" / "0--Parade" / "a.jpg"
    np.testing.assert_array_equal(faces.samples[0].targets.boxes, np.float32([[1, 2, 4, 6], [10.5, 20, 15.5, 26]]))
    assert np.isnan(faces.samples[0].targets.landmarks).all()
    assert faces.samples[0].face_lines == (3, 4)


@pytest.mark.parametrize("zeros", [ZEROS + "\n", ""])
def test_a_picture_without_faces_may_have_one_line_of_zeros(tmp_path: Path, zeros: str) -> None:
    faces = read(tmp_path, f"{A}\n0\n{zeros}{B}\n1\n5 6 7 8 0 0 0 0 0 0\n")
    assert faces.problems == ()
    assert [len(sample.targets) for sample in faces.samples] == [0, 1]
    assert len(faces.samples[0].targets.ignore) == 0


def test_faces_marked_invalid_become_ignore_regions(tmp_path: Path) -> None:
    targets = read(tmp_path, f"{A}\n2\n1 2 3 4 0 0 0 1 0 0\n5 6 7 8 0 0 0 0 0 0\n").samples[0].targets
    assert targets.boxes.tolist() == [[5, 6, 12, 14]]
    assert targets.ignore.tolist() == [[1, 2, 4, 6]]


def test_a_face_without_area_is_suspect_as_the_official_files_have_some(tmp_path: Path) -> None:
    write_list(tmp_path, f"{A}\n2\n1 2 0 4 0 0 0 0 0 0\n5 6 7 8 0 0 0 0 0 0\n")
    faces = read_widerface(tmp_path)
    assert [(p.line, p.kind) for p in faces.problems] == [(3, "suspect")]
    assert faces.face_count == 1


@pytest.mark.parametrize(
    "line, complaint",
    [
        ("1 2 3 4 0 0 0 0 0", "expected 10 numbers, got 9"),
        ("1 2 3 four 0 0 0 0 0 0", "expected numbers, got 'four'"),
        ("1 2 nan 4 0 0 0 0 0 0", "expected finite numbers, got 'nan'"),
        ("1 2 3 -4 0 0 0 0 0 0", "expected a box of positive size, got 3 x -4 px"),
        ("\x07", r"expected numbers, got '\\x07'"),
    ],
)
def test_a_malformed_face_is_named_by_file_and_line_and_left_out(tmp_path: Path, line: str, complaint: str) -> None:
    file = write_list(tmp_path, f"{A}\n2\n5 6 7 8 0 0 0 0 0 0\n{line}\n{B}\n1\n5 6 7 8 0 0 0 0 0 0\n")
    faces = read_widerface(tmp_path, strict=False)
    (problem,) = faces.problems
    assert (problem.file, problem.line, problem.kind) == (file, 4, "malformed")
    assert faces.face_count == 2
    with pytest.raises(DataError, match=rf"wider_face_val_bbx_gt\.txt:4: {complaint}"):
        read_widerface(tmp_path)


@pytest.mark.parametrize("count, found", [(3, 1), (0, 2), (1, 2)])
def test_a_count_that_is_not_so_is_named_by_its_line(tmp_path: Path, count: int, found: int) -> None:
    face = "5 6 7 8 0 0 0 0 0 0\n"
    faces = read(tmp_path, f"{A}\n{count}\n{face * found}{B}\n1\n{face}")
    (problem,) = faces.problems
    assert (problem.line, problem.message) == (2, f"says {count} faces, {found} follow")
    assert len(faces.samples[1].targets) == 1


def test_a_missing_count_is_named_and_reading_goes_on_at_the_next_picture(tmp_path: Path) -> None:
    faces = read(tmp_path, f"{A}\n5 6 7 8 0 0 0 0 0 0\n{B}\n1\n5 6 7 8 0 0 0 0 0 0\n")
    (problem,) = faces.problems
    assert (problem.line, problem.kind) == (2, "malformed")
    assert f"expected the number of faces in '{A}'" in problem.message
    assert [len(sample.targets) for sample in faces.samples] == [0, 1]


def test_a_list_that_ends_after_a_path_is_named_by_its_last_line(tmp_path: Path) -> None:
    (problem,) = read(tmp_path, f"{B}\n0\n{ZEROS}\n{A}\n").problems
    assert problem.line == 4
    assert "the end of the file" in problem.message


def test_numbers_where_a_path_should_stand_are_named_once(tmp_path: Path) -> None:
    faces = read(tmp_path, f"7\n{ZEROS}\n{A}\n0\n")
    assert [(p.line, p.kind) for p in faces.problems] == [(1, "malformed")]
    assert len(faces) == 1


def test_a_missing_picture_and_one_named_twice_are_said(tmp_path: Path) -> None:
    face = "5 6 7 8 0 0 0 0 0 0"
    faces = read(tmp_path, f"{A}\n1\n{face}\n2--No/c.jpg\n0\n{A}\n1\n{face}\n")
    assert [(p.line, p.kind) for p in faces.problems] == [(6, "suspect"), (4, "missing")]
    assert faces.samples[0].face_lines == (3, 8)


def test_the_list_is_found_from_its_folder_and_from_above(tmp_path: Path) -> None:
    file = write_list(tmp_path, f"{A}\n0\n")
    for source in (tmp_path, file.parent, file):
        assert read_widerface(source).samples[0].path.is_file()


def test_one_of_two_splits_must_be_chosen(tmp_path: Path) -> None:
    write_list(tmp_path, f"{A}\n0\n", "val")
    write_list(tmp_path, f"{A}\n0\n{B}\n0\n", "train")
    with pytest.raises(DataError, match="name one of these files"):
        read_widerface(tmp_path)
    assert len(read_widerface(tmp_path, split="train")) == 2
    with pytest.raises(DataError, match=r"wider_face_test_bbx_gt\.txt, found none"):
        read_widerface(tmp_path, split="test")


def test_a_place_without_a_list_is_an_error(tmp_path: Path) -> None:
    for source, complaint in [(tmp_path, "found none"), (tmp_path / "none", "no such file or folder")]:
        with pytest.raises(DataError, match=complaint):
            read_widerface(source, strict=False)
    write_list(tmp_path, "")
    with pytest.raises(DataError, match="names no picture"):
        read_widerface(tmp_path)


def test_garbage_ends_in_problems_never_in_a_traceback(tmp_path: Path) -> None:
    chance = np.random.default_rng(4)
    good = f"{A}\n2\n1 2 3 4 0 0 0 0 0 0\n5 6 7 8 0 0 0 1 0 0\n{B}\n0\n{ZEROS}\n".encode() * 2
    file = write_list(tmp_path, good)
    with_problems = 0
    for _ in range(200):
        content = bytearray(good)
        for place in chance.integers(0, len(content), 6):
            content[place] = chance.integers(0, 256)
        file.write_bytes(content[: chance.integers(len(content) // 2, len(content))])
        faces = read_widerface(tmp_path, strict=False)
        with_problems += bool(faces.problems)
        assert all(str(problem).isprintable() for problem in faces.problems)
    assert with_problems > 150


def test_the_real_wider_faces_agree_with_the_official_lists(faces_folder: Path) -> None:
    io = pytest.importorskip("scipy.io", reason="needs scipy, of the train extra")
    faces = read_widerface(faces_folder / "wider_mini")
    official = io.loadmat(faces_folder / "wider_mini" / "wider_face_split" / "wider_face_val.mat")
    assert (len(faces), faces.face_count, faces.problems) == (40, 659, ())
    ignored = sum(len(sample.targets.ignore) for sample in faces.samples)
    total = sum(len(boxes[0]) for event in official["face_bbx_list"] for boxes in event[0])
    assert faces.face_count + ignored == total
