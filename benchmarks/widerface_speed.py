"""How long WIDER FACE's evaluation takes on a set of the official size: reading the dump, the .mat files, scoring.

Makes 3,226 pictures in 61 events with about 39,000 faces and up to ``--most`` detections each (fixed seed) in a
temporary folder, then reads and scores them ``--runs`` times in this process. Run: python benchmarks/widerface_speed.py
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.io import savemat

from ligera.metrics.widerface import evaluate, read_dump, read_ground_truth

EVENTS, PICTURES, FACES = 61, 3226, 39_000
COUNTED = {"easy": 0.19, "medium": 0.34, "hard": 0.82}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--typical", type=int, default=150, help="mean number of detections in a picture")
    parser.add_argument("--most", type=int, default=750, help="most detections in a picture")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        detections = make_set(Path(folder), options.typical, options.most)
        print(f"{PICTURES} pictures, {detections} detections, {options.runs} runs")
        rows = [timed(Path(folder)) for _ in range(options.runs)]
    for name in rows[0]:
        values = [row[name] * 1000 for row in rows]
        spread = f"{min(values):.0f} to {max(values):.0f}"
        print(f"{name:12} median {statistics.median(values):6.0f} ms, {spread} ms")


def timed(folder: Path) -> dict[str, float]:
    """Seconds for each step."""
    marks = [time.perf_counter()]
    detections = read_dump(folder / "dump")
    marks.append(time.perf_counter())
    ground_truth = read_ground_truth(folder / "split")
    marks.append(time.perf_counter())
    evaluate(detections, ground_truth)
    marks.append(time.perf_counter())
    steps = dict(zip(("dump", "ground truth", "scoring"), np.diff(marks), strict=True))
    return {**steps, "together": marks[-1] - marks[0]}


def make_set(folder: Path, typical: int, most: int) -> int:
    """Write the set; returns how many detections it has."""
    random = np.random.default_rng(7)
    counts = 1 + np.minimum(random.pareto(0.9, PICTURES) * 2, 700)
    counts = np.maximum(1, counts * FACES / counts.sum()).astype(int)
    faces = [np.round(random.uniform([0, 0, 6, 8], [900, 600, 90, 110], (count, 4))) for count in counts]
    split = np.array_split(np.arange(PICTURES), EVENTS)
    names = [[f"{event}_Event_{picture}" for picture in part] for event, part in enumerate(split)]
    events = [f"{event}--Event" for event in range(EVENTS)]
    (folder / "split").mkdir()
    lists = {"event_list": cells(events), "file_list": cells([cells(part) for part in names])}
    boxes = cells([cells([faces[p] for p in part]) for part in split])
    savemat(folder / "split" / "wider_face_val.mat", {**lists, "face_bbx_list": boxes}, do_compression=True)
    for setting, share in COUNTED.items():
        kept = [np.flatnonzero(random.random(count) < share)[:, None] + 1 for count in counts]
        content = {**lists, "gt_list": cells([cells([kept[p] for p in part]) for part in split])}
        savemat(folder / "split" / f"wider_{setting}_val.mat", content, do_compression=True)
    spread = np.minimum(random.gamma(1.5, typical / 1.5, PICTURES) if typical < most else most, most)
    wanted = np.broadcast_to(spread, PICTURES).astype(int)
    for event, part, own in zip(events, split, names, strict=True):
        (folder / "dump" / event).mkdir(parents=True)
        for picture, name in zip(part, own, strict=True):
            text = f"{name}\n{wanted[picture]}\n{found(random, faces[picture], wanted[picture])}"
            (folder / "dump" / event / f"{name}.txt").write_text(text)
    return int(wanted.sum())


def found(random: np.random.Generator, faces: np.ndarray, count: int) -> str:
    """Lines of detections: the faces, shifted, then boxes anywhere."""
    anywhere = random.uniform([0, 0, 6, 8], [900, 600, 90, 110], (count, 4))
    near = faces[:count] + random.normal(0, 3, faces[:count].shape)
    anywhere[: len(near)] = near
    scores = np.sort(random.random(count))[::-1]
    rows = np.column_stack([anywhere, scores])
    return "".join(f"{x:.1f} {y:.1f} {w:.1f} {h:.1f} {s:.6f}\n" for x, y, w, h, s in rows)


def cells(values: list) -> np.ndarray:
    """A MATLAB cell array of one column."""
    array = np.empty((len(values), 1), dtype=object)
    for place, value in enumerate(values):
        array[place, 0] = value
    return array


if __name__ == "__main__":
    main()
