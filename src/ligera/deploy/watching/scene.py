"""A frame with what was seen in it: boxes, names, and what each stage takes.

In: ``(H, W, 3)`` uint8 RGB and :class:`Person` records. Out: a drawn copy. Green is somebody asked for, grey anybody
else, amber a face whose name is still open. OpenCV's letters are ASCII; others are shown without their marks, or as
``?``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from ligera.deploy.watching.stages import SHOWN_STAGES
from ligera.deploy.watching.watcher import UNKNOWN, Person

__all__ = ["draw_scene", "status_lines"]

KNOWN, NOBODY, OPEN = (90, 230, 120), (190, 190, 190), (255, 190, 60)
RIM, INK, PAPER = (20, 20, 20), (15, 25, 15), (245, 245, 245)
FONT = cv2.FONT_HERSHEY_SIMPLEX
FONT_HEIGHT_PX = 22.0
SMALLEST_TEXT_PX, LARGEST_TEXT_PX = 9.0, 28.0
LONGEST_NAME = 24


def draw_scene(pixels: np.ndarray, people: Sequence[Person], lines: Sequence[str] = ()) -> np.ndarray:
    """A copy of ``pixels`` with a box and a plate for each of ``people``, and ``lines`` at the lower left."""
    picture = np.ascontiguousarray(pixels).copy()
    side = max(picture.shape[:2])
    text_px = min(LARGEST_TEXT_PX, max(SMALLEST_TEXT_PX, side / 50))
    stroke = max(1, round(side / 400))
    # whoever was asked for is drawn last, on top
    for person in sorted(people, key=lambda one: _colour(one) == KNOWN):
        x1, y1, x2, y2 = (round(value) for value in person.box)
        colour = _colour(person)
        cv2.rectangle(picture, (x1, y1), (x2, y2), RIM, stroke + 2, cv2.LINE_AA)
        cv2.rectangle(picture, (x1, y1), (x2, y2), colour, stroke, cv2.LINE_AA)
        _plate(picture, plain(_words(person)), (x1, y1), text_px, colour)
    _status(picture, lines, max(SMALLEST_TEXT_PX, text_px * 0.8))
    return picture


def status_lines(stages_ms: Mapping[str, float], frames_per_s: float, dropped: int) -> list[str]:
    """``read 1.2  detect 20.1 ...`` and the pace, ready for a frame's corner; empty before there is anything to say."""
    if not stages_ms:
        return []
    stages = "  ".join(f"{name} {stages_ms[name]:.1f}" for name in SHOWN_STAGES if name in stages_ms)
    return [f"{stages} ms", f"{frames_per_s:.1f} frames/s, {dropped:,} dropped"]


def plain(text: str) -> str:
    """``text`` in ASCII: letters without their marks, ``?`` for what has none."""
    apart = unicodedata.normalize("NFKD", text)
    bare = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return bare.encode("ascii", "replace").decode("ascii")


def _colour(person: Person) -> tuple[int, int, int]:
    if person.name is None or not person.sure:
        return OPEN
    return NOBODY if person.name == UNKNOWN else KNOWN


def _words(person: Person) -> str:
    if person.name is None:
        return f"#{person.track}"
    name = person.name if len(person.name) <= LONGEST_NAME else f"{person.name[: LONGEST_NAME - 3]}..."
    if person.name == UNKNOWN:
        return f"#{person.track} {name}{'' if person.sure else '?'}"
    return f"#{person.track} {name}{'' if person.sure else '?'} {person.certainty:.2f}"


def _plate(picture: np.ndarray, text: str, corner: tuple[int, int], text_px: float, colour: tuple[int, ...]) -> None:
    """``text`` on a plate above the box at ``corner``, inside it at the upper edge."""
    scale = text_px / FONT_HEIGHT_PX
    weight = max(1, round(scale * 1.6))
    (width, height), _ = cv2.getTextSize(text, FONT, scale, weight)
    margin = max(2, height // 3)
    left = min(max(0, corner[0]), max(0, picture.shape[1] - width - 2 * margin))
    top = corner[1] - height - 2 * margin
    top = max(0, corner[1]) if top < 0 else top
    cv2.rectangle(picture, (left, top), (left + width + 2 * margin, top + height + 2 * margin), colour, -1)
    cv2.putText(picture, text, (left + margin, top + margin + height), FONT, scale, INK, weight, cv2.LINE_AA)


def _status(picture: np.ndarray, lines: Sequence[str], text_px: float) -> None:
    """Light letters on a darkened strip, smaller where the frame is narrow."""
    if not lines:
        return
    height, width = picture.shape[:2]
    scale = text_px / FONT_HEIGHT_PX
    widest = max(cv2.getTextSize(line, FONT, scale, 1)[0][0] for line in lines)
    scale *= min(1.0, (width - 8) / max(widest, 1))
    step = round(scale * FONT_HEIGHT_PX * 1.7) + 1
    top = max(0, height - step * len(lines) - 4)
    strip = picture[top:]
    strip[:] = strip // 3
    for number, line in enumerate(lines):
        place = (4, top + step * (number + 1) - step // 3)
        cv2.putText(picture, line, place, FONT, scale, PAPER, 1, cv2.LINE_AA)
