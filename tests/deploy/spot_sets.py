"""Small labelled data sets for a detector of bright 32 px cells: what it finds and misses in them is known by hand."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from .conftest import CELL_PX, spots

Cell = tuple[int, int]


def box(cell: Cell) -> str:
    """``x y w h`` of a cell, px."""
    return f"{cell[0] * CELL_PX} {cell[1] * CELL_PX} {CELL_PX} {CELL_PX}"


def write_spots(path: Path, *bright: Cell) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), spots(128, 96, *bright))


def write_label_set(folder: Path) -> Path:
    """Two sources: in ``near`` both faces are bright; in ``far`` one is, one is dark, and one bright cell is no face.

    A third bright cell of ``far`` lies in an ignore region.
    """
    write_spots(folder / "images" / "near" / "a.png", (1, 1), (3, 0))
    write_spots(folder / "images" / "far" / "b.png", (0, 0), (2, 2), (3, 2))
    # all five landmarks in the middle of the cell, eyes 16 px apart
    known = "40 48 0 56 48 0 48 48 0 48 48 0 48 48 0"
    labels = ["# near/a.png", f"{box((1, 1))} {known}", box((3, 0)), "# far/b.png", box((0, 0)), box((1, 0))]
    (folder / "label.txt").write_text("\n".join(labels) + "\n")
    (folder / "ignore.txt").write_text(f"# far/b.png\n{box((3, 2))} 0.9\n")
    return folder


def cells(values: list) -> np.ndarray:
    """A MATLAB cell array of one column."""
    array = np.empty((len(values), 1), dtype=object)
    array[:, 0] = values
    return array


def write_wider_set(folder: Path) -> Path:
    """One event, two pictures of one face each; the second face is dark and counts only for the hard setting."""
    savemat = pytest.importorskip("scipy.io").savemat
    lists = folder / "wider_face_split"
    lists.mkdir(parents=True)
    images = folder / "WIDER_val" / "images" / "0--Parade"
    write_spots(images / "a.png", (1, 1))
    write_spots(images / "b.png")
    grades = "0 0 0 0 0 0"
    text = f"0--Parade/a.png\n1\n{box((1, 1))} {grades}\n0--Parade/b.png\n1\n{box((2, 0))} {grades}\n"
    (lists / "wider_face_val_bbx_gt.txt").write_text(text)
    faces = [np.array([[float(value) for value in box(cell).split()]]) for cell in ((1, 1), (2, 0))]
    names = {"event_list": cells(["0--Parade"]), "file_list": cells([cells(["a", "b"])])}
    savemat(lists / "wider_face_val.mat", {**names, "face_bbx_list": cells([cells(faces)])})
    first, none = np.array([[1]]), np.zeros((0, 1))
    for setting, second in (("easy", none), ("medium", none), ("hard", first)):
        savemat(lists / f"wider_{setting}_val.mat", {**names, "gt_list": cells([cells([first, second])])})
    return folder
