"""One frame after the other -> who is in it: find faces, follow them, look at those whose name is open.

In: frames ``(H, W, 3)`` uint8 RGB with their times. Out: :class:`Person` records and, between frames, :class:`Event`
records. A face's network runs once per track, and again only where ``identity`` or ``tracking`` is in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ligera.deploy.detector import Detector
from ligera.deploy.watching.identity import Identity, LookRules, Verdict
from ligera.deploy.watching.recognizer import Recognizer
from ligera.deploy.watching.stages import StageClock
from ligera.deploy.watching.tracking import Track, Tracker, TrackRules
from ligera.errors import UsageError

__all__ = ["DEFAULT_MAX_SIDE_PX", "UNKNOWN", "Event", "Person", "TrackSummary", "Watcher", "load_watcher"]

UNKNOWN = "unknown"
DEFAULT_SCORE = 0.5
# A weaker box still goes on with a track that waits for one there.
WEAK_SHARE = 0.6
# Smaller faces than 16 px of a webcam's width are found beyond this, but not recognised.
DEFAULT_MAX_SIDE_PX = 640
SMALLEST_LOOKED_AT_PX = 16.0
MOST_LOOKS_PER_FRAME = 4
MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Person:
    """A face that is followed, as it stands in one frame.

    ``box`` is x1 y1 x2 y2 px. ``name`` is ``None`` before the first look, ``unknown`` for anybody not asked for;
    ``certainty`` is its probability, ``sure`` whether no more looks are wanted, ``looks`` how many there were.
    """

    track: int
    box: tuple[float, float, float, float]
    score: float
    name: str | None = None
    certainty: float | None = None
    sure: bool = False
    looks: int = 0

    def row(self) -> dict[str, Any]:
        """Ready for JSON."""
        certainty = None if self.certainty is None else round(self.certainty, 4)
        values = {"track": self.track, "box": [round(value, 1) for value in self.box], "score": round(self.score, 4)}
        return values | {"name": self.name, "certainty": certainty, "sure": self.sure, "looks": self.looks}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a track: it ``came``, was ``named`` (or renamed), or ``left``."""

    kind: str
    track: int
    name: str | None

    def row(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"event": self.kind, "track": self.track, "name": self.name}


@dataclass(slots=True)
class TrackSummary:
    """What became of one track: times in seconds, ``looks`` at its face, ``renamed`` how often its name changed."""

    track: int
    first_s: float
    last_s: float
    name: str | None = None
    looks: int = 0
    renamed: int = 0


class Watcher:
    """Follows and names the faces of one video; not for several threads at once."""

    def __init__(
        self,
        detector: Detector,
        recognizer: Recognizer | None = None,
        *,
        score: float = DEFAULT_SCORE,
        max_side: int = DEFAULT_MAX_SIDE_PX,
        stages: StageClock | None = None,
        track_rules: TrackRules | None = None,
        look_rules: LookRules = LookRules(),
    ) -> None:
        self.detector, self.recognizer = detector, recognizer
        self.stages = stages or StageClock()
        self.summaries: dict[int, TrackSummary] = {}
        self.track_count = self.look_count = 0
        self._max_side, self._weak_score = max_side, WEAK_SHARE * score
        self._tracker = Tracker(track_rules or TrackRules(birth_score=score))
        self._look_rules = look_rules
        self._identities: dict[int, Identity] = {}
        self._present: dict[int, str | None] = {}

    def see(self, pixels: np.ndarray, time_s: float) -> tuple[list[Person], list[Event]]:
        """Who is in a frame taken at ``time_s``, later than the one before, and what has happened since."""
        with self.stages.stage("detect"):
            found = self.detector.detect(pixels, score=self._weak_score, max_side=self._max_side)
        with self.stages.stage("track"):
            tracks = self._tracker.update(found.boxes, found.scores, time_s, pixels.shape[:2])
            alive = {track.number for track in self._tracker.tracks if track.confirmed}
            self._identities = {number: kept for number, kept in self._identities.items() if number in alive}
        if self.recognizer is not None:
            self._look(pixels, tracks, found.landmarks, time_s)
        people = [self._person(track) for track in tracks]
        return people, self._events(people, alive, time_s)

    def _look(self, pixels: np.ndarray, tracks: list[Track], landmarks: np.ndarray | None, time_s: float) -> None:
        """Recognise the faces whose name is open, those never looked at first."""
        recognizer = self.recognizer
        assert recognizer is not None
        due = []
        for track in tracks:
            identity = self._identities.get(track.number)
            if identity is None:
                identity = self._identities[track.number] = Identity(len(recognizer.persons), self._look_rules)
            # two faces in one square would be named after either
            open_to_looks = track.side_px >= SMALLEST_LOOKED_AT_PX and (not track.entangled or identity.first)
            if open_to_looks and identity.wants_look(time_s, track.side_px, track.doubts):
                due.append((track, identity))
        due = sorted(due, key=lambda pair: pair[1].looks)[:MOST_LOOKS_PER_FRAME]
        if not due:
            return
        with self.stages.stage("recognise"):
            points = None if landmarks is None else [landmarks[track.row] for track, _ in due]
            logits = recognizer.look(pixels, [track.box for track, _ in due], points)
        for (track, identity), row in zip(due, logits, strict=True):
            identity.add(row, time_s, track.side_px)
            self.look_count += 1

    def _person(self, track: Track) -> Person:
        x1, y1, x2, y2 = (float(value) for value in track.box)
        identity = self._identities.get(track.number)
        verdict = None if identity is None else identity.verdict()
        if verdict is None:
            return Person(track.number, (x1, y1, x2, y2), track.score)
        name = self._name(verdict)
        return Person(track.number, (x1, y1, x2, y2), track.score, name, verdict.certainty, verdict.sure, verdict.looks)

    def _name(self, verdict: Verdict) -> str:
        recognizer = self.recognizer
        if recognizer is None or verdict.row < 0 or recognizer.persons[verdict.row] not in recognizer.wanted:
            return UNKNOWN
        return recognizer.persons[verdict.row]

    def _events(self, people: list[Person], alive: set[int], time_s: float) -> list[Event]:
        events = []
        for number in sorted(self._present.keys() - alive):
            events.append(Event("left", number, self._present.pop(number)))
        for person in people:
            if person.track not in self._present:
                events.append(Event("came", person.track, None))
                self._present[person.track] = None
                self._remember(person, time_s)
            before = self._present[person.track]
            if person.name != before:
                events.append(Event("named", person.track, person.name))
                self._present[person.track] = person.name
            self._sum_up(person, before, time_s)
        return events

    def _remember(self, person: Person, time_s: float) -> None:
        self.track_count += 1
        if len(self.summaries) >= MOST_REMEMBERED:
            del self.summaries[next(iter(self.summaries))]
        self.summaries[person.track] = TrackSummary(person.track, time_s, time_s)

    def _sum_up(self, person: Person, before: str | None, time_s: float) -> None:
        summary = self.summaries.get(person.track)
        if summary is not None:
            summary.renamed += before is not None and person.name != before
            summary.last_s, summary.name, summary.looks = time_s, person.name, person.looks

    def close(self) -> None:
        """Free the networks."""
        self.detector.close()
        if self.recognizer is not None:
            self.recognizer.close()


def load_watcher(
    recognizer: Recognizer | None,
    *,
    detector: str | None = None,
    score: float = DEFAULT_SCORE,
    max_side: int = DEFAULT_MAX_SIDE_PX,
    threads: int | None = None,
    runtime: str = "onnxruntime",
) -> Watcher:
    """A watcher with the detector that the recogniser learnt with, or ``detector``.

    Raises ``ModelError`` for a detector that is not here and ``UsageError`` for one that finds no faces or an option
    out of range.
    """
    chosen = detector or ("face" if recognizer is None else recognizer.rule.detector)
    loaded = Detector.load(chosen, threads=threads, runtime=runtime)
    try:
        if loaded.task != "detect-faces":
            raise UsageError(f"--detector {chosen}: finds the regions of pages, not faces")
        loaded.check_options(score=score, max_side=max_side)
    except UsageError:
        loaded.close()
        raise
    return Watcher(loaded, recognizer, score=score, max_side=max_side)
