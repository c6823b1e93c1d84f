"""MTCNN's cascade over pictures of any sizes: P-, R- and O-Net in one runtime, without torch.

In: pictures ``(H, W, 3)`` uint8 RGB. Out: ``Detections`` of each. Pyramid levels of one size share a run of P-Net,
crops of all pictures share runs of R- and O-Net. Runs are bounded, so that memory grows with the pictures given at once
and their candidates, but not with what the networks need for them. ``models.cascade`` says what is computed.

Levels of different sizes have runs of their own. Laid side by side on one sheet they take P-Net 1.4 times as long: what
they save, the start of a run, is 7 % at most, while a third of a sheet stays empty (and P-Net's pooling, which rounds
up at a level's own edge, would look across it). Four levels of one size at once save 5 to 8 % of P-Net's time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ligera.boxes import nms
from ligera.deploy.runtimes import Runtime
from ligera.models.area import AreaSums
from ligera.models.cascade import (
    STAGE_SIDES_PX,
    CascadeRule,
    calibrated,
    cells_along,
    corners,
    face_scores,
    landmarks_at,
    level_size,
    proposals,
    pyramid_scales,
    smaller_box_nms,
    squares,
)
from ligera.records import Detections

__all__ = ["Cascade"]

# What one run takes at most: pixels of pyramid levels for P-Net (or one level), crops for R- and O-Net. A run's layers
# should fit the processor's cache: R-Net takes 1.4 times as long for a crop in runs of 128 as in runs of 32.
LEVEL_PIXELS = 1 << 16
CROPS = {24: 32, 48: 16}


class Answers(NamedTuple):
    """A network's: ``offsets`` (..., 4), ``margins`` (...) of face over background, ``places`` (..., 10 or 0)."""

    offsets: np.ndarray
    margins: np.ndarray
    places: np.ndarray


class Level(NamedTuple):
    """One level of one picture's pyramid, ``rows`` x ``columns`` px."""

    picture: int
    number: int
    scale: float
    rows: int
    columns: int


class Cascade:
    """The networks of one bundle and the rule they are run by; each step can be used alone.

    Steps take tables of sums of the pictures and what the step before found in each, and raise ``ValueError`` where a
    network answers something else than it should.
    """

    def __init__(self, runtime: Runtime, rule: CascadeRule) -> None:
        self.runtime = runtime
        self.rule = rule

    def find(self, pictures: Sequence[np.ndarray], *, score: float | None = None) -> list[Detections]:
        """What all the networks there are leave of each picture, best first; ``score`` is the last one's least.

        Boxes may reach beyond the picture. Landmarks are ``None`` where the rule says that there is no O-Net.
        """
        tables = [AreaSums(pixels) for pixels in pictures]
        least = list(self.rule.scores[: self.rule.stages])
        if score is not None:
            least[-1] = score
        found = self.propose(tables, least[0])
        for step, value in zip((self.refine, self.decide), least[1:], strict=False):
            found = step(tables, found, value)
        return found

    def propose(self, tables: Sequence[AreaSums], score: float) -> list[Detections]:
        """P-Net's proposals of ``score`` or more, suppressed in each level and across levels, then calibrated."""
        levels: list[list[list[np.ndarray]]] = [[] for _ in tables]
        for level, offsets, margins in self._levels(tables):
            windows, scores, moves = proposals(margins, offsets, cells_along(level.columns), level.scale, score)
            kept = nms(windows, scores, self.rule.level_iou)
            levels[level.picture].append([np.full(len(kept), level.number), windows[kept], scores[kept], moves[kept]])
        return [self._across(parts) for parts in levels]

    def refine(self, tables: Sequence[AreaSums], found: Sequence[Detections], score: float) -> list[Detections]:
        """R-Net's view of proposals: those above ``score``, suppressed, then calibrated."""
        refined = []
        for boxes, answers in self._look(tables, found, STAGE_SIDES_PX[1]):
            scores = face_scores(answers.margins)
            passed = np.flatnonzero(scores > score)
            kept = passed[nms(boxes[passed], scores[passed], self.rule.refined_iou)]
            moved = calibrated(boxes[kept], answers.offsets[kept], end_included=True)
            refined.append(Detections(moved, scores[kept]))
        return refined

    def decide(self, tables: Sequence[AreaSums], found: Sequence[Detections], score: float) -> list[Detections]:
        """O-Net's faces: those above ``score``, calibrated, with five points each, suppressed by the smaller box."""
        decided = []
        for boxes, answers in self._look(tables, found, STAGE_SIDES_PX[2]):
            scores = face_scores(answers.margins)
            passed = np.flatnonzero(scores > score)
            moved = calibrated(boxes[passed], answers.offsets[passed], end_included=True)
            kept = smaller_box_nms(moved, scores[passed], self.rule.output_overlap)
            points = landmarks_at(boxes[passed], answers.places[passed])
            decided.append(Detections(moved, scores[passed], landmarks=points).take(kept))
        return decided

    def _levels(self, tables: Sequence[AreaSums]) -> Iterator[tuple[Level, np.ndarray, np.ndarray]]:
        """Every level of every picture with its cells' offsets ``(P, 4)`` and margins ``(P,)``, in order of size."""
        levels = [
            Level(picture, number, scale, *level_size(table.height, table.width, scale))
            for picture, table in enumerate(tables)
            for number, scale in enumerate(pyramid_scales(table.height, table.width, self.rule))
        ]
        alike: dict[tuple[int, int], list[Level]] = {}
        for level in levels:
            alike.setdefault((level.rows, level.columns), []).append(level)
        for (rows, columns), members in alike.items():
            at_once = max(1, LEVEL_PIXELS // (rows * columns))
            for start in range(0, len(members), at_once):
                part = members[start : start + at_once]
                batch = np.empty((len(part), 3, rows, columns), np.float32)
                for place, level in zip(batch, part, strict=True):
                    tables[level.picture].shrink(rows, columns, out=place)
                answers = self._cells(batch)
                yield from zip(part, answers.offsets, answers.margins, strict=True)

    def _cells(self, levels: np.ndarray) -> Answers:
        """P-Net's answers ``(B, P, ...)`` for levels ``(B, 3, rows, columns)``, cells row by row."""
        count, _, rows, columns = levels.shape
        cells = cells_along(rows), cells_along(columns)
        if rows != columns or rows not in STAGE_SIDES_PX[1:]:
            return _answers(self.runtime.run(levels), (count, cells[0] * cells[1]), 0)
        # A level of a crop's size would be read by that crop's network; two columns more make one cell more.
        wider = np.pad(levels, ((0, 0), (0, 0), (0, 0), (0, 2)))
        answers = _answers(self.runtime.run(wider), (count, cells[0] * (cells[1] + 1)), 0)
        own = np.arange(answers.margins.shape[1]) % (cells[1] + 1) < cells[1]
        return Answers(*(values[:, own] for values in answers))

    def _across(self, levels: list[list[np.ndarray]]) -> Detections:
        """One picture's levels as one set. They come as runs had them, so ties are put back in the order of levels."""
        if not levels:
            return Detections(np.zeros((0, 4)), np.zeros(0))
        level, windows, scores, moves = (np.concatenate(values) for values in zip(*levels, strict=True))
        order = np.argsort(level, kind="stable")
        kept = order[nms(windows[order], scores[order], self.rule.proposal_iou)]
        return Detections(calibrated(windows[kept], moves[kept], end_included=False), scores[kept])

    def _look(
        self, tables: Sequence[AreaSums], found: Sequence[Detections], side_px: int
    ) -> Iterator[tuple[np.ndarray, Answers]]:
        """What each picture's ``found`` became: squares, and a network's answers to their crops.

        A box outside its picture, of which nothing can be seen, is left out.
        """
        squared, cuts = [], []
        for table, one in zip(tables, found, strict=True):
            boxes = squares(one.boxes)
            if not np.isfinite(boxes).all():
                raise ValueError("boxes: expected finite numbers")
            cut = corners(boxes, table.height, table.width)
            inside = (cut[:, 2:] > cut[:, :2]).all(axis=1)
            squared.append(boxes[inside])
            cuts.append(cut[inside])
        if not squared:
            return
        points = 10 if side_px == STAGE_SIDES_PX[-1] else 0
        parts = [Answers(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, points), np.float32))]
        for batch in _crops(tables, cuts, side_px):
            answers = _answers(self.runtime.run(batch), (len(batch), 1), points)
            parts.append(Answers(*(values[:, 0] for values in answers)))
        ends = np.cumsum([len(boxes) for boxes in squared])[:-1]
        columns = (np.split(np.concatenate(values), ends) for values in zip(*parts, strict=True))
        for boxes, *values in zip(squared, *columns, strict=True):
            yield boxes, Answers(*values)


def _crops(tables: Sequence[AreaSums], cuts: Sequence[np.ndarray], side_px: int) -> Iterator[np.ndarray]:
    """Regions of all pictures in order, in batches ``(B, 3, side_px, side_px)``; each is overwritten by the next."""
    at_once = CROPS[side_px]
    total = sum(map(len, cuts))
    buffer = np.empty((min(at_once, total), 3, side_px, side_px), np.float32)
    filled = 0
    for table, cut in zip(tables, cuts, strict=True):
        start = 0
        while start < len(cut):
            part = cut[start : start + at_once - filled]
            table.crops(part, side_px, out=buffer[filled : filled + len(part)])
            start, filled = start + len(part), filled + len(part)
            if filled == at_once:
                yield buffer
                filled = 0
    if filled:
        yield buffer[:filled]


def _answers(outputs: Mapping[str, np.ndarray], grid: tuple[int, int], points: int) -> Answers:
    """Outputs of a run as ``(B, P, ...)``; ``ValueError`` where they are no floats or not of ``grid``, (B, P)."""
    values = []
    for name, columns in (("boxes", 4), ("scores", 1), ("landmarks", points)):
        array = outputs.get(name)
        if name == "landmarks" and not points:
            array = np.zeros((*grid, 0), np.float32)
        if array is None or array.shape != (*grid, columns) or array.dtype.kind != "f":
            got = "none" if array is None else f"{array.dtype} {array.shape}"
            raise ValueError(f"{name}: expected floats {(*grid, columns)}, got {got}")
        values.append(array)
    return Answers(values[0], values[1][:, :, 0], values[2])
