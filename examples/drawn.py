"""Small data sets drawn on the spot, for the examples that need labels: discs with two eyes, stripes, plain colours."""

from pathlib import Path

import cv2
import numpy as np


def discs(folder: Path, pictures: int = 12, seed: int = 0) -> Path:
    """Two round faces on noise in each picture, labelled as RetinaFace labels faces: ``label.txt`` and ``images/``."""
    draw = np.random.default_rng(seed)
    (folder / "images" / "discs").mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(pictures):
        pixels = draw.integers(0, 90, (120, 160, 3), dtype=np.uint8)
        lines.append(f"# discs/{number}.png")
        for column in range(2):
            radius = int(draw.integers(12, 25))
            x, y = int(draw.integers(30, 55)) + 75 * column, int(draw.integers(35, 85))
            cv2.circle(pixels, (x, y), radius, (160, 190, 230), -1)
            marks = [(x - radius // 3, y - 4), (x + radius // 3, y - 4), (x, y + 2), (x - 4, y + 8), (x + 4, y + 8)]
            for eye in marks[:2]:
                cv2.circle(pixels, eye, 2, (20, 20, 20), -1)
            points = " ".join(f"{px} {py} 0" for px, py in marks)
            lines.append(f"{x - radius} {y - radius} {2 * radius} {2 * radius} {points} 1.0")
        cv2.imwrite(str(folder / "images" / "discs" / f"{number}.png"), pixels)
    (folder / "label.txt").write_text("\n".join(lines) + "\n")
    return folder


def colours(folder: Path, each: int = 24, seed: int = 0) -> Path:
    """A folder for each of three classes: pictures that are mostly red, green or blue."""
    draw = np.random.default_rng(seed)
    for place, name in enumerate(("blue", "green", "red")):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            pixels = draw.integers(0, 120, (32, 32, 3), dtype=np.uint8)
            pixels[:, :, place] += draw.integers(60, 130, dtype=np.uint8)
            cv2.imwrite(str(folder / name / f"{number}.png"), pixels)
    return folder


def page(path: Path) -> Path:
    """A page of three staves with words below, as a pen might draw them."""
    draw = np.random.default_rng(0)
    pixels = np.full((1000, 720, 3), (178, 205, 222), np.uint8)
    pixels = np.clip(pixels + draw.normal(0, 6, pixels.shape), 0, 255).astype(np.uint8)
    for top in (120, 400, 680):
        for line in range(4):
            y = top + 22 * line
            cv2.line(pixels, (70, y), (650, y), (60, 60, 160), 2, cv2.LINE_AA)
        for _ in range(14):
            x, y = int(draw.integers(90, 630)), top + int(draw.integers(0, 70))
            cv2.rectangle(pixels, (x, y), (x + 12, y + 12), (40, 45, 55), -1)
        cv2.putText(pixels, "glo - ri - a in ex - cel - sis", (90, top + 125), cv2.FONT_ITALIC, 1.1, (45, 50, 60), 3)
    cv2.imwrite(str(path), pixels)
    return path
