"""Annotation files to break: labels, ignore regions, WIDER FACE lists, detection dumps and the official .mat files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from .damage import any_of, damaged, damaged_lines

__all__ = ["hostile_command"]

EVENT = "0--Parade"
POINTS = " ".join(["12.5 14 0"] * 5)
LABELS = f"""# {EVENT}/a.jpg
4 4 20 20 {POINTS} 0.98
30 8 12 16
# {EVENT}/b.jpg
8 9 11.5 12 {POINTS}
# {EVENT}/c.jpg
"""
IGNORE = f"""# {EVENT}/a.jpg
1 1 3 3 0.5
# {EVENT}/b.jpg
2 2 9 9
"""
LIST = f"""{EVENT}/a.jpg
2
4 4 20 20 0 0 0 0 0 0
30 8 12 16 0 0 0 1 0 0
{EVENT}/b.jpg
1
8 9 11 12 0 0 0 0 0 0
{EVENT}/c.jpg
0
0 0 0 0 0 0 0 0 0 0
"""
DUMP = """a
3
4.5 4 20 20 0.98
30 8 12 16 0.7
1 1 3e0 3 0.02
"""


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _broken(text: str, random: np.random.Generator) -> bytes:
    return damaged(text.encode(), random) if random.random() < 0.3 else damaged_lines(text, random)


def _pictures(folder: Path) -> None:
    for name in "abc":
        file = folder / EVENT / f"{name}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), np.full((48, 64, 3), 200, np.uint8))


def _score_or_check(data: Path, bundle: Path, random: np.random.Generator) -> list[str]:
    return ["eval", str(bundle), str(data)] if random.random() < 0.3 else ["data", "check", str(data)]


def _labels(random: np.random.Generator, folder: Path, bundle: Path) -> list[str]:
    _pictures(folder / "images")
    _write(folder / "label.txt", _broken(LABELS, random))
    return _score_or_check(any_of(random, (folder, folder / "label.txt")), bundle, random)


def _ignore(random: np.random.Generator, folder: Path, bundle: Path) -> list[str]:
    _pictures(folder)
    _write(folder / "label.txt", LABELS.encode())
    _write(folder / "ignore.txt", _broken(IGNORE, random))
    return _score_or_check(folder, bundle, random)


def _list(random: np.random.Generator, folder: Path, bundle: Path) -> list[str]:
    _pictures(folder / "WIDER_val" / "images")
    file = folder / "wider_face_split" / "wider_face_val_bbx_gt.txt"
    _write(file, _broken(LIST, random))
    return ["data", "check", str(any_of(random, (folder, file)))]


def _dump(random: np.random.Generator, folder: Path, bundle: Path) -> list[str]:
    _write_truth(folder / "split")
    _write(folder / "found" / EVENT / "b.txt", b"b\n0\n")
    _write(folder / "found" / EVENT / "a.txt", _broken(DUMP, random))
    return ["eval", "--detections", str(folder / "found"), "--ground-truth", str(folder / "split")]


def _truth(random: np.random.Generator, folder: Path, bundle: Path) -> list[str]:
    _write_truth(folder / "split")
    file = any_of(random, sorted((folder / "split").iterdir()))
    file.write_bytes(damaged(file.read_bytes(), random))
    _write(folder / "found" / EVENT / "a.txt", DUMP.encode())
    return ["eval", "--detections", str(folder / "found"), "--ground-truth", str(folder / "split")]


def _column(values: list[object]) -> np.ndarray:
    array = np.empty((len(values), 1), dtype=object)
    array[:, 0] = values
    return array


def _cells(values: list[object]) -> np.ndarray:
    """A MATLAB cell array of one event."""
    outer = np.empty((1, 1), dtype=object)
    outer[0, 0] = _column(values)
    return outer


def _write_truth(folder: Path) -> None:
    from scipy.io import savemat

    folder.mkdir(parents=True)
    boxes = [np.array([[4.0, 4, 20, 20], [30, 8, 12, 16]]), np.array([[8.0, 9, 11, 12]])]
    lists = {"event_list": _column([EVENT]), "file_list": _cells(["a", "b"]), "face_bbx_list": _cells(boxes)}
    # compressed as the published ones, so that damage shows in a checksum; without it scipy's reader in C may crash
    savemat(folder / "wider_face_val.mat", lists, do_compression=True)
    for setting in ("easy", "medium", "hard"):
        kept = _cells([np.array([[1], [2]]), np.array([[1]])])
        savemat(folder / f"wider_{setting}_val.mat", lists | {"gt_list": kept}, do_compression=True)


_KINDS = (_labels, _labels, _labels, _ignore, _ignore, _list, _list, _list, _dump, _dump, _dump, _truth)


def hostile_command(random: np.random.Generator, folder: Path, bundle: Path) -> list[str]:
    """Write a data set with damage into ``folder``; returns the command line that reads it."""
    return [*any_of(random, _KINDS)(random, folder, bundle), "--json"]
