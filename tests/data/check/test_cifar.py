"""The check of CIFAR-10 counts each class of each split and names every file that is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ligera.data.check import check, detect_format

from ..class_sets import NAMES, cifar_rows, dump, write_cifar


def test_classes_of_both_splits_are_counted(tmp_path: Path) -> None:
    write_cifar(tmp_path, each=20)
    report = check(tmp_path)
    assert (report.format, report.pictures, report.ok) == ("cifar10", 120, True)
    assert [(part.split, part.classes) for part in report.splits] == [
        ("train", tuple((name, 10) for name in NAMES)),
        ("test", tuple((name, 2) for name in NAMES)),
    ]
    assert report.sizes == ((32, 32, 120),)


def test_the_format_is_told_from_the_folder_or_the_one_above(tmp_path: Path) -> None:
    place = write_cifar(tmp_path)
    assert detect_format(place) == detect_format(tmp_path) == "cifar10"


def test_a_batch_of_another_length_than_the_published_is_suspect(tmp_path: Path) -> None:
    write_cifar(tmp_path)
    problems = check(tmp_path).problems
    assert [problem.kind for problem in problems] == ["suspect"] * 6
    assert problems[0].message == "holds 10 pictures, a published batch 10,000"


def test_every_file_that_is_wrong_is_named_and_the_rest_counted(tmp_path: Path) -> None:
    place = write_cifar(tmp_path)
    (place / "data_batch_1").unlink()
    (place / "data_batch_2").write_bytes((place / "data_batch_2").read_bytes()[:5000])
    dump(place / "data_batch_3", {b"data": cifar_rows(1), b"labels": [10]})
    report = check(tmp_path)
    grave = {
        problem.file.name: (problem.kind, problem.message) for problem in report.problems if problem.kind != "suspect"
    }
    assert grave["data_batch_1"] == ("missing", "is missing")
    assert grave["data_batch_2"] == ("malformed", "is cut short or no pickle")
    assert "has the label 10" in grave["data_batch_3"][1] and len(grave) == 3
    assert (report.missing, report.pictures) == (1, 30)


def test_without_names_the_classes_are_numbers(tmp_path: Path) -> None:
    (write_cifar(tmp_path) / "batches.meta").unlink()
    report = check(tmp_path)
    assert report.missing == 1 and not report.ok
    assert report.splits[1].classes == tuple((str(label), 1) for label in range(10))


def test_the_same_pixels_under_two_labels_are_named_by_row(tmp_path: Path) -> None:
    place = write_cifar(tmp_path)
    rows = cifar_rows(3, seed=99)
    rows[2] = cifar_rows(10, seed=0)[7]
    dump(place / "test_batch", {b"data": rows, b"labels": np.array([0, 1, 2])})
    (problem,) = (problem for problem in check(tmp_path).problems if "same picture" in problem.message)
    assert problem.file.name == "test_batch"
    assert problem.message == (
        "picture 2 (from 0) is the same picture as picture 7 of data_batch_1; "
        "that is of class 'horse', this of 'bird' and of train, this of test"
    )
