"""Ranges of activations, and the cache they are kept in."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ligera.deploy.bundle import BundleCard, card_from_metadata
from ligera.deploy.quantization.calibration import choose_pictures, ranges_of
from ligera.deploy.quantization.graph import prepare_graph
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import DataError, PictureError, UsageError


@pytest.fixture
def card(face_small: bytes) -> BundleCard:
    return card_from_metadata(OnnxRuntime(face_small, threads=1).metadata, "face-small")


@pytest.fixture
def graph(face_small: bytes) -> bytes:
    return prepare_graph(face_small, "face-small")


def test_pictures_are_spread_evenly_over_the_folder(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}.png").write_bytes(b"content")
    assert [path.stem for path in choose_pictures(tmp_path, 4).paths] == ["0", "3", "6", "9"]
    assert len(choose_pictures(tmp_path, 50).paths) == 10


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pictures there"):
        choose_pictures(tmp_path)
    with pytest.raises(DataError, match="no such file or folder"):
        choose_pictures(tmp_path / "none")
    with pytest.raises(UsageError, match="expected 1 to 100,000, got 0"):
        choose_pictures(tmp_path, 0)


@pytest.mark.parametrize("method", ["minmax", "percentile", "entropy"])
def test_ranges_hold_zero_and_nothing_but_what_was_seen(
    method: str, graph: bytes, card: BundleCard, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = choose_pictures(photos)
    widest = ranges_of(graph, card, pictures)
    ranges = ranges_of(graph, card, pictures, method)
    assert ranges.keys() == widest.keys() and len(ranges) > 24
    for name, (low, high) in ranges.items():
        assert low <= 0 <= high
        # a histogram's bins may end a little outside of what it holds
        slack = 0.02 * (widest[name][1] - widest[name][0]) + 1e-6
        assert widest[name][0] - slack <= low and high <= widest[name][1] + slack, name
    relu = next(name for name in ranges if "Relu" in name)
    assert ranges[relu][0] == 0 and ranges[relu][1] > 0
    assert capsys.readouterr().out == ""


def test_pictures_of_several_sizes_may_lie_together(graph: bytes, card: BundleCard, photos: Path) -> None:
    cv2.imwrite(str(photos / "wide.png"), np.full((40, 150, 3), 255, np.uint8))
    for method in ("minmax", "percentile"):
        assert ranges_of(graph, card, choose_pictures(photos), method)["pictures"][1] == pytest.approx(255, abs=1)


def test_ranges_are_measured_once_for_the_same_pictures(
    graph: bytes, card: BundleCard, photos: Path, cache: Path
) -> None:
    notes: list[str] = []
    first = ranges_of(graph, card, choose_pictures(photos), note=notes.append)
    assert notes == ["calibrating on 4 pictures (minmax)"]
    assert len(list((cache / "calibration").iterdir())) == 1
    assert ranges_of(graph, card, choose_pictures(photos), note=notes.append) == first
    assert len(notes) == 1
    # the same names with another content
    cv2.imwrite(str(photos / "0.png"), np.zeros((64, 64, 3), np.uint8))
    assert ranges_of(graph, card, choose_pictures(photos), note=notes.append) != first
    assert len(notes) == 2


@pytest.mark.parametrize(
    "damage", [b"", b"[1]", b'{"pictures": [0, "x"]}', b'{"pictures": [1, 0]}', b"\xff\xfe", b"{}"]
)
def test_a_damaged_cache_is_ignored_with_a_line(
    damage: bytes, graph: bytes, card: BundleCard, photos: Path, cache: Path
) -> None:
    pictures = choose_pictures(photos)
    expected = ranges_of(graph, card, pictures)
    (file,) = (cache / "calibration").iterdir()
    file.write_bytes(damage)
    notes: list[str] = []
    assert ranges_of(graph, card, pictures, note=notes.append) == expected
    assert "a damaged calibration cache, ignored" in notes[0]
    assert ranges_of(graph, card, pictures, note=notes.append) == expected and len(notes) == 2


def test_a_cache_that_cannot_be_written_stops_nothing(
    graph: bytes, card: BundleCard, photos: Path, cache: Path
) -> None:
    cache.parent.mkdir()
    cache.write_text("a file where the folder should be")
    assert ranges_of(graph, card, choose_pictures(photos))


def test_a_file_that_is_no_picture_is_named(graph: bytes, card: BundleCard, photos: Path) -> None:
    (photos / "bad.jpg").write_bytes(b"hello")
    with pytest.raises(PictureError, match=r"bad\.jpg"):
        ranges_of(graph, card, choose_pictures(photos))


def test_an_unknown_method_gets_the_nearest_name(graph: bytes, card: BundleCard, photos: Path) -> None:
    with pytest.raises(UsageError, match="no calibration method 'percentil'; did you mean 'percentile'"):
        ranges_of(graph, card, choose_pictures(photos), "percentil")
