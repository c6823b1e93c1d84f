"""Our MTCNN beside facenet-pytorch's: the same weights, pictures and settings; does it find the same, and how fast?

facenet-pytorch's weights are written as one of our bundles. Each side has ``--processes`` of its own with ``--threads``
threads each; every picture goes through both sides before the next one does, and the side that begins alternates.
Printed: how far boxes, scores and points differ, and the ratio of times (theirs over ours) turn by turn: median, its
90 % interval by resampling, and how turns differ. Ratios hold on a busy machine, times do not; and ratios of several
threads only where the cores are free: torch's threads wait for each other spinning, which costs them the more the more
of their time others take. Two processes of one thread use two cores without that.

Run: python benchmarks/mtcnn_against_facenet.py --pictures DIR/faces/val/images --processes 2 --threads 1
Needs facenet-pytorch (pip install --no-deps facenet-pytorch: its own requirements pin an old torch).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ligera.data.pictures import read_picture
from ligera.deploy.bundle import BundleCard, card_from_metadata
from ligera.deploy.opening import open_engine
from ligera.deploy.runtimes import open_runtime
from ligera.models.cascade import CascadeRule
from ligera.records import Decoding, Preprocess

SIDES = ("facenet-pytorch", "ligera")
LARGEST_PX = 1280

Turn = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def main() -> None:
    options = parsed()
    if options.worker:
        work(options.worker, options.bundle, options.threads)
        return
    pictures = sorted(path for path in options.pictures.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    pictures = pictures[:: max(1, len(pictures) // options.count)][: options.count]
    if not pictures:
        raise SystemExit(f"{options.pictures}: no .jpg or .png pictures in there")
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "mtcnn.onnx"
        size_bytes = export(bundle)
        turns = compare(pictures, bundle, options)
    print(report(turns, size_bytes, options))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, help="folder of pictures, searched in depth")
    parser.add_argument("--count", type=int, default=80, help="this many of them, evenly spread")
    parser.add_argument("--seconds", type=float, default=40, help="stop after this long")
    parser.add_argument("--processes", type=int, default=1, help="of each side, with a picture each at a time")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--worker", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--bundle", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not (options.worker or options.pictures):
        parser.error("--pictures is needed")
    return options


def export(bundle: Path) -> int:
    """facenet-pytorch's weights as a bundle of ours; its size in bytes."""
    from ligera.deploy.export.cascade import export_cascade
    from ligera.models.mtcnn_weights import mtcnn_from_facenet

    found = importlib.util.find_spec("facenet_pytorch")
    if found is None or found.origin is None:
        raise SystemExit("facenet-pytorch is not installed; run: pip install --no-deps facenet-pytorch")
    nets = mtcnn_from_facenet(Path(found.origin).parent / "data")
    rule = Preprocess(mean=(127.5,) * 3, scale=(1 / 128,) * 3, multiple=1, max_side=LARGEST_PX)
    return export_cascade(nets, BundleCard("mtcnn", rule, Decoding()), CascadeRule(), bundle).size_bytes


def compare(pictures: list[Path], bundle: Path, options: argparse.Namespace) -> list[Turn]:
    """What each side answered to the pictures of each turn, in the order of ``SIDES``."""
    teams = [[Worker(side, bundle, options.threads) for _ in range(options.processes)] for side in SIDES]
    turns: list[Turn] = []
    try:
        for team in teams:
            together(team, pictures[:1] * len(team))
        started = time.monotonic()
        for start in range(0, len(pictures), options.processes):
            if time.monotonic() - started > options.seconds:
                break
            part = pictures[start : start + options.processes]
            order = (0, 1) if len(turns) % 2 else (1, 0)
            answers = {place: together(teams[place], part) for place in order}
            turns.append((answers[0], answers[1]))
    finally:
        for worker in (worker for team in teams for worker in team):
            worker.close()
    return turns


def together(team: list[Worker], pictures: list[Path]) -> list[dict[str, Any]]:
    """Each picture's answer, all of them searched at once."""
    for worker, picture in zip(team, pictures, strict=False):
        worker.ask(picture)
    return [worker.answer() for worker, _ in zip(team, pictures, strict=False)]


class Worker:
    """One side in a process of its own."""

    def __init__(self, side: str, bundle: Path, threads: int) -> None:
        command = [sys.executable, __file__, "--worker", side, "--bundle", str(bundle), "--threads", str(threads)]
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, picture: Path) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{picture}\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a worker ended without an answer; its error stands above")
        return json.loads(line)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


def work(side: str, bundle: Path, threads: int) -> None:
    """A line with a picture's path -> its faces, and how long they took from decoded picture on. Once to warm up."""
    import cv2

    cv2.setNumThreads(threads)
    detect = (theirs if side == SIDES[0] else ours)(bundle, threads)
    for line in sys.stdin:
        pixels = read_picture(line.rstrip("\n")).pixels
        cpu_before, started = time.process_time(), time.perf_counter()
        boxes, scores, points = detect(pixels)
        times = {"ms": (time.perf_counter() - started) * 1e3, "cpu_ms": (time.process_time() - cpu_before) * 1e3}
        faces = {"boxes": boxes.tolist(), "scores": scores.tolist(), "points": points.tolist()}
        print(json.dumps(times | faces), flush=True)


Detect = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


def theirs(_bundle: Path, threads: int) -> Detect:
    import torch
    from facenet_pytorch import MTCNN

    torch.set_num_threads(threads)
    network = MTCNN(keep_all=True, min_face_size=20, device="cpu")

    def detect(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        boxes, scores, points = network.detect(pixels, landmarks=True)
        if boxes is None:
            return np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2))
        return np.asarray(boxes, float), np.asarray(scores, float), np.asarray(points, float)

    return detect


def ours(bundle: Path, threads: int) -> Detect:
    from ligera.deploy.cascade.stages import Cascade

    runtime = open_runtime(bundle, threads=threads)
    engine = open_engine(runtime, card_from_metadata(runtime.metadata, str(bundle)))
    # the engine would cut boxes to the picture, which theirs does not
    cascade = Cascade(runtime, engine.rule)  # type: ignore[attr-defined]

    def detect(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        (found,) = cascade.find([pixels])
        assert found.landmarks is not None
        return found.boxes, found.scores, found.landmarks

    return detect


def report(turns: list[Turn], size_bytes: int, options: argparse.Namespace) -> str:
    pairs = [pair for turn in turns for pair in zip(*turn, strict=True)]
    differences = [difference(*pair) for pair in pairs]
    alike = [found for found in differences if found is not None]
    faces = sum(len(their["scores"]) for their, _ in pairs)
    worst = [max((found[part] for found in alike), default=0.0) for part in range(3)]
    lines = [
        f"{len(pairs)} pictures, {faces} faces by facenet-pytorch; {len(pairs) - len(alike)} pictures with other faces",
        f"largest difference: boxes {worst[0]:.1e} px, scores {worst[1]:.1e}, points {worst[2]:.1e} px",
        f"bundle {size_bytes / 1e6:.2f} MB; {options.processes} processes of {options.threads} threads for each side",
    ]
    for kind, name in (("ms", "time"), ("cpu_ms", "processor time")):
        times = np.array([[sum(answer[kind] for answer in answers) for answers in turn] for turn in turns])
        ratios = times[:, 0] / times[:, 1]
        low, high = interval(ratios)
        tenths = np.quantile(ratios, (0.1, 0.9))
        mean_ms = times.sum(axis=0) / len(pairs)
        lines.append(
            f"{name}: ratio {np.median(ratios):.2f} ({low:.2f} to {high:.2f}), turns' 10 % to 90 %: "
            f"{tenths[0]:.2f} to {tenths[1]:.2f}; over all pictures {mean_ms[0] / mean_ms[1]:.2f}; "
            f"{mean_ms[0]:.0f} and {mean_ms[1]:.0f} ms a picture on this machine at this time"
        )
    return "\n".join(lines)


def difference(their: dict[str, Any], our: dict[str, Any]) -> tuple[float, float, float] | None:
    """The largest difference of boxes, scores and points; ``None`` where the faces are not the same ones."""
    if len(their["scores"]) != len(our["scores"]):
        return None
    if not their["scores"]:
        return 0.0, 0.0, 0.0
    boxes, scores, points = (
        [np.array(side[part]).reshape(len(side["scores"]), -1) for side in (their, our)]
        for part in ("boxes", "scores", "points")
    )
    match = np.abs(boxes[0][:, None] - boxes[1][None]).max(axis=2).argmin(axis=1)
    if len(set(match)) < len(match):
        return None
    box, score, point = (float(np.abs(a - b[match]).max()) for a, b in (boxes, scores, points))
    return box, score, point


def interval(ratios: np.ndarray) -> tuple[float, float]:
    """The 90 % interval of the median, by resampling the pictures."""
    picks = np.random.default_rng(0).integers(0, len(ratios), (2000, len(ratios)))
    low, high = np.quantile(np.median(ratios[picks], axis=1), (0.05, 0.95))
    return float(low), float(high)


if __name__ == "__main__":
    main()
