"""Tiny annotated pictures: a bright square with dots for a face, on noise; some without points."""

from pathlib import Path

import cv2
import numpy as np

SIDE_PX = 64


def write_faces(folder: Path, count: int, seed: int = 0) -> Path:
    """A RetinaFace data set of ``count`` pictures of 64 px with one or two faces, and a quarter as many without any."""
    generator = np.random.default_rng(seed)
    lines, ignored = [], []
    for number in range(count):
        pixels = _noise(generator)
        lines.append(f"# {number:03d}.png")
        for column in range(1 + number % 2):
            side = int(generator.integers(22, 30))
            x, y = int(generator.integers(0, 3)) + 32 * column, int(generator.integers(2, 30))
            pixels[y : y + side, x : x + side] = generator.integers(190, 230)
            points = [(0.3, 0.3), (0.7, 0.3), (0.5, 0.5), (0.35, 0.75), (0.65, 0.75)]
            places = [(x + a * side, y + b * side) for a, b in points]
            for place in places:
                cv2.circle(pixels, tuple(int(v) for v in place), 2, (20, 20, 20), -1)
            known = number % 3 > 0
            text = " ".join(f"{a:.1f} {b:.1f} 0" if known else "-1 -1 -1" for a, b in places)
            lines.append(f"{x} {y} {side} {side} {text} 1.0")
        if number % 4 == 0:
            ignored += [f"# {number:03d}.png", "0 50 14 14 0.6"]
        _write(folder / "images" / f"{number:03d}.png", pixels)
    for number in range(count // 4):
        _write(folder / "background" / f"{number}.png", _noise(generator))
    (folder / "label.txt").write_text("\n".join(lines) + "\n")
    (folder / "ignore.txt").write_text("\n".join(ignored) + "\n")
    return folder


def _noise(generator: np.random.Generator) -> np.ndarray:
    small = generator.integers(0, 160, (16, 16, 3), np.uint8)
    return cv2.resize(small, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR)


def _write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
