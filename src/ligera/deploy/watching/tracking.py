"""Faces of one frame tied to those of the frames before: who is the same face, who came, who left.

In: boxes ``(N, 4)`` x1 y1 x2 y2 px with scores, and the time of their frame in seconds. Out: :class:`Track` objects,
which live from frame to frame. A track moves on with its speed; a box belongs to the track whose foreseen place it
overlaps or lies near, all ties settled together (``assignment``). All spans are in seconds, as frames may be dropped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from ligera.boxes import iou
from ligera.deploy.watching.assignment import cheapest_pairs

__all__ = ["Track", "TrackRules", "Tracker"]


@dataclass(frozen=True, slots=True)
class TrackRules:
    """When tracks begin, go on and end.

    ``birth_score`` is the least of a box that begins a track; weaker ones only go on with one. A track counts from its
    ``born_after``-th sight on, is forgotten when unseen for ``forget_after_s`` and ``forget_after_frames``, where it
    left the picture already after ``forget_outside_s``. Within ``reach`` sides of a face (``far_reach`` when long
    unseen) its next box is sought, up to ``size_ratio`` times larger or smaller. Faces nearer than ``near`` sides are
    entangled: which is which is uncertain until they part. Whoever was out of sight for ``absent_s`` may be another.
    """

    birth_score: float = 0.5
    born_after: int = 2
    forget_after_s: float = 1.0
    forget_outside_s: float = 0.3
    forget_after_frames: int = 3
    reach: float = 0.9
    far_reach: float = 1.8
    size_ratio: float = 2.0
    near: float = 0.9
    absent_s: float = 0.5
    speed_memory_s: float = 0.15
    coast_s: float = 0.4


@dataclass(slots=True, eq=False)
class Track:
    """One face followed; ``box`` is where it was last seen, ``speed`` that of its centre in px per second.

    ``row`` is its row among the boxes of the frame that it was seen in. ``doubts`` counts the times after which it may
    be somebody else than before: parted from a face that came near, or back after an absence.
    """

    number: int
    box: np.ndarray
    score: float
    born_s: float
    seen_s: float
    row: int = 0
    sights: int = 1
    missed: int = 0
    confirmed: bool = False
    entangled: bool = False
    doubts: int = 0
    speed: np.ndarray = field(default_factory=lambda: np.zeros(2))

    @property
    def seen(self) -> bool:
        """Whether it is in the newest frame."""
        return self.missed == 0

    @property
    def side_px(self) -> float:
        """The longer side of its box."""
        return float(max(self.box[2] - self.box[0], self.box[3] - self.box[1]))

    def foreseen(self, time_s: float, coast_s: float) -> np.ndarray:
        """Its box at ``time_s``: moved on with its speed, which fades within ``coast_s`` of being unseen."""
        span = max(0.0, time_s - self.seen_s)
        moved = self.speed * coast_s * (1 - math.exp(-span / coast_s))
        return self.box + np.tile(moved, 2)


class Tracker:
    """Follows faces through the frames of one video."""

    def __init__(self, rules: TrackRules = TrackRules()) -> None:
        self.rules = rules
        self.tracks: list[Track] = []
        self._born = 0

    def update(self, boxes: np.ndarray, scores: np.ndarray, time_s: float, size: tuple[int, int]) -> list[Track]:
        """The confirmed tracks seen in a frame of ``size`` (height, width), by number.

        ``boxes (N, 4)`` and ``scores (N,)`` are what was found in it. Times must not go back.
        """
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        free = np.arange(len(boxes))
        strong = np.asarray(scores) >= self.rules.birth_score
        # Whoever has been followed goes first, so that a face half hidden is not taken over by a newcomer;
        # then weak boxes, which are more often right where a track is waiting for one.
        for tracks, suited in (
            ([track for track in self.tracks if track.confirmed], free[strong]),
            ([track for track in self.tracks if not track.confirmed], free[strong]),
            ([track for track in self.tracks if track.confirmed], free[~strong]),
        ):
            waiting = [track for track in tracks if track.seen_s < time_s]
            rows = suited[np.isin(suited, free)]
            for place, row in self._pairs(waiting, boxes[rows], time_s):
                self._go_on(waiting[place], boxes[rows[row]], float(scores[rows[row]]), time_s)
                waiting[place].row = int(rows[row])
                free = free[free != rows[row]]
        for track in self.tracks:
            track.missed += track.seen_s < time_s
        self.tracks = [track for track in self.tracks if not self._forgotten(track, time_s, size)]
        # numbered from left to right, whatever order the detector has
        for row in sorted(free[strong[free]], key=lambda row: boxes[row, 0]):
            self._begin(int(row), boxes[row], float(scores[row]), time_s)
        self._mark_entangled(time_s)
        return [track for track in self.tracks if track.confirmed and track.seen]

    def _pairs(self, tracks: list[Track], boxes: np.ndarray, time_s: float) -> list[tuple[int, int]]:
        if not tracks or not len(boxes):
            return []
        rules = self.rules
        foreseen = np.stack([track.foreseen(time_s, rules.coast_s) for track in tracks])
        overlap = iou(foreseen, boxes)
        own, other = _sides(foreseen)[:, None], _sides(boxes)[None]
        apart = np.linalg.norm(_centres(foreseen)[:, None] - _centres(boxes)[None], axis=2) / ((own + other) / 2)
        unseen_s = np.array([time_s - track.seen_s for track in tracks])
        grown = np.minimum(unseen_s / rules.forget_after_s, 1)[:, None]
        reach = rules.reach + (rules.far_reach - rules.reach) * grown
        ratio = np.maximum(own, other) / np.minimum(own, other)
        possible = ((overlap > 0.1) | (apart < reach)) & (ratio < rules.size_ratio)
        costs = (1 - overlap) + apart + 0.5 * np.log(ratio)
        worst = 10.0
        return cheapest_pairs(np.where(possible, np.minimum(costs, worst), 2 * worst), worst)

    def _go_on(self, track: Track, box: np.ndarray, score: float, time_s: float) -> None:
        span = time_s - track.seen_s
        moved = (_centres(box[None])[0] - _centres(track.box[None])[0]) / span
        trust = 1.0 if track.sights == 1 else 1 - math.exp(-span / self.rules.speed_memory_s)
        track.speed = track.speed + trust * (moved - track.speed)
        track.doubts += span >= self.rules.absent_s and track.missed >= 2
        track.box, track.score, track.seen_s = box, score, time_s
        track.sights, track.missed = track.sights + 1, 0
        track.confirmed = track.confirmed or track.sights >= self.rules.born_after

    def _begin(self, row: int, box: np.ndarray, score: float, time_s: float) -> None:
        self._born += 1
        track = Track(self._born, box, score, time_s, time_s, row, confirmed=self.rules.born_after <= 1)
        self.tracks.append(track)

    def _forgotten(self, track: Track, time_s: float, size: tuple[int, int]) -> bool:
        if track.missed == 0:
            return False
        if not track.confirmed:
            return True
        rules = self.rules
        unseen_s = time_s - track.seen_s
        x, y = _centres(track.foreseen(time_s, rules.coast_s)[None])[0]
        outside = not (0 <= x < size[1] and 0 <= y < size[0])
        if outside and unseen_s >= rules.forget_outside_s:
            return True
        return unseen_s >= rules.forget_after_s and track.missed >= rules.forget_after_frames

    def _mark_entangled(self, time_s: float) -> None:
        """Faces that meet, also where one is hidden behind the other; a track that is free again is in doubt."""
        known = [track for track in self.tracks if track.confirmed]
        if not known:
            return
        places = np.stack([track.foreseen(time_s, self.rules.coast_s) for track in known])
        centres, sides = _centres(places), _sides(places)
        apart = np.linalg.norm(centres[:, None] - centres[None], axis=2) / ((sides[:, None] + sides[None]) / 2)
        np.fill_diagonal(apart, np.inf)
        for track, distance in zip(known, apart.min(axis=1), strict=True):
            entangled = bool(distance < self.rules.near)
            track.doubts += track.entangled and not entangled
            track.entangled = entangled


def _centres(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def _sides(boxes: np.ndarray) -> np.ndarray:
    """The longer side of each box, at least a pixel."""
    return np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1), 1.0)
