"""Detection dumps come back as written; a malformed one is named by file and line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ligera.errors import DataError, LigeraError
from ligera.metrics.widerface import WiderGroundTruth, evaluate, read_dump, write_dump

from .conftest import random_detections, random_pictures

GOOD = "a\n2\n1 2 3 4 0.5\n5 6 7 8 0.25\n"


def put(folder: Path, text: str | bytes, name: str = "0--Parade/a.txt") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def test_a_dump_is_read_by_event_and_picture(tmp_path: Path) -> None:
    put(tmp_path, GOOD)
    put(tmp_path, "b\n0\n", "1--Dancing/b.txt")
    read = read_dump(tmp_path)
    assert read["0--Parade"]["a"].tolist() == [[1, 2, 3, 4, 0.5], [5, 6, 7, 8, 0.25]]
    assert read["1--Dancing"]["b"].shape == (0, 5)


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", " \n"),
        GOOD.rstrip("\n"),
        GOOD + "\n\n",
        GOOD.replace("4 0.5", "4  0.5").replace("6 7", "6\t7"),
        GOOD.replace("0.5\n", "0.5\n\n"),
        GOOD.replace("0.25", "2.5e-1"),
        GOOD.replace("0.25", "0.25000000000000000"),
        GOOD.replace("1 2", "+1 2."),
    ],
)
def test_spacing_line_ends_and_notation_of_numbers_are_free(tmp_path: Path, text: str) -> None:
    assert read_dump(put(tmp_path, text))["0--Parade"]["a"].tolist() == [[1, 2, 3, 4, 0.5], [5, 6, 7, 8, 0.25]]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 2),
        ("a\n", 2),
        ("a\nmany\n1 2 3 4 0.5\n", 2),
        ("a\n-1\n", 2),
        ("a\n3\n1 2 3 4 0.5\n5 6 7 8 0.25\n", 2),
        ("a\n1\n1 2 3 4 0.5\n5 6 7 8 0.25\n", 2),
        ("a\n2\n1 2 3 4 0.5\n5 6 7 8\n", 4),
        ("a\n2\n1 2 3 4 0.5 9\n5 6 7 8\n", 3),
        ("a\n2\n1 2 3 4 0.5\n5 6 7 x 0.25\n", 4),
        ("a\n2\n1 2 3 4 0.5\n5 6 7 8 nan\n", 4),
        ("a\n2\n1 2 3 4 inf\n5 6 7 8 0.5\n", 3),
        ("a\n2\n1 2 3 4 0.5\n5 6 7 1-2 0.25\n", 4),
        ("a\n2\n1 2 3 4 0.5\n5 6 7 1.2.3 0.25\n", 4),
        ("a\n2\n1 2 3 4 0.5\n5 6 7 - 0.25\n", 4),
    ],
)
def test_a_malformed_file_is_named_by_file_and_line(tmp_path: Path, text: str, line: int) -> None:
    put(tmp_path, GOOD, "0--Parade/fine.txt")
    with pytest.raises(DataError, match=rf"0--Parade.a\.txt:{line}: ") as caught:
        read_dump(put(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.txt:3: "):
        read_dump(put(tmp_path, b"a\n1\n1 2 3 4\x000.5\xff\n"))


def test_too_few_lines_in_one_file_are_not_made_up_by_the_next(tmp_path: Path) -> None:
    put(tmp_path, "a\n2\n1 2 3 4 0.5\n")
    put(tmp_path, "b\n1\n1 2 3 4 0.5\n5 6 7 8 0.25\n", "0--Parade/b.txt")
    with pytest.raises(DataError, match=r"a\.txt:2: announces 2 detections, but 1 follow"):
        read_dump(tmp_path)


def test_a_folder_without_dumps_or_none_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no EVENT/PICTURE\.txt"):
        read_dump(tmp_path)
    with pytest.raises(DataError, match="not a folder"):
        read_dump(tmp_path / "nowhere")


def test_what_is_written_comes_back_and_scores_the_same(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    pictures = random_pictures(random, 9)
    detections = random_detections(random, pictures, wobble=0.1)
    single = {e: {n: rows.astype(np.float32) for n, rows in names.items()} for e, names in detections.items()}
    assert write_dump(tmp_path / "dump", single) == 9
    read = read_dump(tmp_path / "dump")
    for event, names in single.items():
        for name, rows in names.items():
            np.testing.assert_array_equal(read[event][name].astype(np.float32), rows)
    truth = WiderGroundTruth(pictures)
    assert evaluate(read, truth).hard == pytest.approx(evaluate(single, truth).hard)
    assert not list((tmp_path / "dump").rglob("*.part"))


@pytest.mark.parametrize("name", ["../a", "a/b", "", "..", "a\nb"])
def test_a_name_that_leads_out_of_the_folder_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="plain name"):
        write_dump(tmp_path / "dump", {"0--Parade": {"fine": np.zeros((0, 5)), name: np.zeros((0, 5))}})
    assert not (tmp_path / "dump").exists()


def test_damaged_dumps_end_in_an_error_that_names_the_file_or_in_numbers(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    whole = GOOD.encode()
    errors = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(random.integers(1, 4)):
            damaged[random.integers(len(damaged))] = random.integers(256)
        put(tmp_path, bytes(damaged[: random.integers(0, len(damaged) + 1)]))
        try:
            rows = read_dump(tmp_path)["0--Parade"]["a"]
            assert rows.shape[1] == 5
            assert np.isfinite(rows).all()
        except LigeraError as error:
            errors += 1
            assert "a.txt:" in str(error)
            assert "\n" not in str(error)
    assert errors > 100
