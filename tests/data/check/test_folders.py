"""The check of folders per class counts what is there and names every file that is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ligera.data.check import check, detect_format
from ligera.errors import DataError

from ..class_sets import write_classes
from ..conftest import write_picture


def test_classes_and_sizes_are_counted(tmp_path: Path) -> None:
    write_classes(tmp_path, {"dog": 3, "cat": 1})
    report = check(tmp_path)
    assert (report.format, report.pictures, report.ok, report.problems) == ("folders", 4, True, ())
    assert [(part.split, part.classes) for part in report.splits] == [("train", (("cat", 1), ("dog", 3)))]
    assert report.sizes == ((24, 16, 2), (26, 16, 1), (28, 16, 1))


def test_splits_are_counted_apart(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", {"a": 3, "b": 2})
    write_classes(tmp_path / "val", {"a": 1, "b": 1}, width=40)
    report = check(tmp_path)
    assert report.ok and report.pictures == 7
    assert [(part.split, part.pictures) for part in report.splits] == [("train", 5), ("validation", 2)]


def test_everything_wrong_is_named_by_file(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 2, "b": 1, "empty": 0})
    cut = tmp_path / "a" / "0.jpg"
    cut.write_bytes(cut.read_bytes()[:200])
    (tmp_path / "b" / "notes.txt").write_text("x")
    write_picture(tmp_path / "loose.jpg")
    report = check(tmp_path, workers=2)
    assert not report.ok and report.broken == 1 and report.pictures == 3
    found = {(problem.file.name, problem.kind) for problem in report.problems}
    assert found == {
        (tmp_path.name, "malformed"),
        ("empty", "malformed"),
        ("notes.txt", "malformed"),
        ("0.jpg", "broken"),
    }
    broken = next(problem for problem in report.problems if problem.kind == "broken")
    assert str(broken).startswith(f"{cut}: is truncated")


def test_one_class_is_a_problem_and_not_an_end(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 2})
    report = check(tmp_path, "folders")
    assert not report.ok and report.pictures == 2
    assert "holds one class" in report.problems[0].message


def test_the_same_picture_in_two_classes_is_a_problem_that_names_both(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 3, "b": 2})
    shutil.copy(tmp_path / "a" / "1.jpg", tmp_path / "b" / "copy.jpg")
    report = check(tmp_path)
    (problem,) = report.problems
    assert problem.file == tmp_path / "b" / "copy.jpg"
    other = tmp_path / "a" / "1.jpg"
    assert problem.message == f"is the same picture as {other}; that is of class 'a', this of 'b'"


def test_a_picture_of_training_that_is_asked_about_again_is_a_problem(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", {"a": 2, "b": 2})
    write_classes(tmp_path / "test", {"a": 1, "b": 1}, width=50)
    shutil.copy(tmp_path / "train" / "a" / "0.jpg", tmp_path / "test" / "b" / "copy.jpg")
    (problem,) = check(tmp_path).problems
    assert "that is of class 'a', this of 'b' and of train, this of test" in problem.message


def test_copies_within_a_class_and_pictures_of_equal_length_are_no_problem(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 2, "b": 2})
    shutil.copy(tmp_path / "a" / "0.jpg", tmp_path / "a" / "copy.jpg")
    assert len((tmp_path / "a" / "0.jpg").read_bytes()) == len((tmp_path / "b" / "0.jpg").read_bytes())
    assert check(tmp_path).problems == ()


def test_classes_that_a_split_lacks_or_has_alone_are_told_apart(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", {"a": 1, "b": 1})
    write_classes(tmp_path / "val", {"a": 1, "c": 1}, width=40)
    report = check(tmp_path)
    kinds = {problem.message.split(" ")[-1]: problem.kind for problem in report.problems}
    assert kinds == {"'b'": "suspect", "have": "malformed"}


def test_the_report_is_ready_for_json(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 1, "b": 2})
    plain = json.loads(json.dumps(check(tmp_path).as_dict()))
    assert plain["splits"] == [{"split": "train", "pictures": 3, "classes": {"a": 1, "b": 2}}]
    assert plain["sizes"] == [{"width": 24, "height": 16, "pictures": 2}, {"width": 26, "height": 16, "pictures": 1}]
    assert (plain["missing"], plain["broken"], plain["problems"]) == (0, 0, [])


def test_many_classes_are_not_all_drawn(tmp_path: Path) -> None:
    write_classes(tmp_path, {f"class {number:02}": 1 for number in range(53)})
    lines = list(check(tmp_path).lines())
    assert sum(line.startswith("  class") for line in lines) == 50
    assert "  ... and 3 more classes; --json lists them all" in lines


@pytest.mark.parametrize("layout", [{"a": 1, "b": 0}, {"train/a": 1, "train/b": 1}])
def test_the_format_is_told_from_folders_of_pictures(tmp_path: Path, layout: dict[str, int]) -> None:
    assert detect_format(write_classes(tmp_path, layout)) == "folders"


def test_folders_without_any_picture_are_no_format(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 0, "b": 0})
    with pytest.raises(DataError, match="nor folders"):
        detect_format(tmp_path)


def test_a_path_that_is_no_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        check(tmp_path / "none", "folders")
