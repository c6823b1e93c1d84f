"""Made-up devices and models whose accuracy and times are known: what the race measures there can be checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ligera.deploy.pick.candidates import Candidate, ModelFacts
from ligera.deploy.pick.evidence import Screening, Visit
from ligera.deploy.pick.judging import redraws
from ligera.deploy.pick.measuring import VISITS
from ligera.errors import ModelError

STARTING_MS = 700.0


def facts(name: str, *, size_mb: float = 1.0, **changes: Any) -> ModelFacts:
    values: dict[str, Any] = {
        "model": f"{name}.onnx",
        "name": name,
        "task": "detect-faces",
        "sha256": f"sha of {name}",
        "size_bytes": round(size_mb * 1e6),
        "graph_sha256": f"graph of {name}",
    }
    return ModelFacts(**(values | changes))


def candidate(
    name: str = "a", side: int | None = 320, *, threads: int = 1, runtime: str = "onnxruntime", **changes: Any
) -> Candidate:
    return Candidate(facts(name, **changes), side, runtime, threads)


class ShareRight:
    """A judge whose answers are right or wrong as they say themselves."""

    metric, group_name, protocol, sha256, longest_px = "accuracy", "class", "share of answers that are right", "x", 640

    def __init__(self, count: int) -> None:
        self.areas_px = np.arange(count) + 1.0

    def __len__(self) -> int:
        return len(self.areas_px)

    def weigh(self, said: Mapping[int, float]) -> tuple[float, np.ndarray]:
        right = np.array([said[row] for row in sorted(said)])
        return float(right.mean()), redraws(len(right), 300) @ right / len(right)

    def groups(self, said: Mapping[int, float]) -> dict[str, float | None]:
        return {"all": self.weigh(said)[0]}


@dataclass
class World:
    """Stands in for a ``Measurer``: ``ms`` and ``accuracy`` of each candidate by its key.

    All models agree on which pictures are hard, as real ones do. ``spent_ms`` is what measuring would have taken,
    ``visited`` whom it was spent on and ``asked`` who answered. ``deaf`` candidates cannot be run. ``screening_off``
    multiplies a few runs' times.
    """

    ms: Mapping[str, float]
    accuracy: Mapping[str, float]
    pictures: int = 160
    jitter: float = 0.02
    seed: int = 0
    deaf: Sequence[str] = ()
    screening_off: Mapping[str, float] = field(default_factory=dict)
    spent_ms: float = 0.0
    visited: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.judge = ShareRight(self.pictures)
        random = np.random.default_rng(self.seed)
        self._hardness = random.random(self.pictures)
        self._order = random.permutation(self.pictures).tolist()

    def note(self, text: str) -> None:
        pass

    def screen(self, candidate: Candidate, limit_ms: float | None, calls: int = 8) -> Screening:
        self._expect_hearing(candidate)
        own = self.ms[candidate.key()] * self.screening_off.get(candidate.key(), 1.0)
        times = self._random(candidate, 1).lognormal(np.log(own), self.jitter, calls)
        if limit_ms is not None and own > limit_ms:
            times = times[:3]
        self.spent_ms += times.sum() + 50
        return Screening(tuple(times), own / 1e3, own, stopped=len(times) < calls)

    @property
    def steps(self) -> list[int]:
        return [self.pictures // part for part in (8, 4, 2, 1)]

    def look(self, candidate: Candidate, count: int, known: Mapping[int, float] | None = None) -> dict[int, float]:
        self._expect_hearing(candidate)
        self.asked.append(candidate.key())
        self.spent_ms += self.ms[candidate.key()] * (count - len(known or {}))
        # what a model answers does not depend on how many threads it has
        alone = replace(candidate, threads=1)
        wobble = 0.02 * self._random(alone, 2).standard_normal(self.pictures)
        right = self._hardness + wobble < self.accuracy[candidate.key()]
        return {row: float(right[row]) for row in self._order[:count]}

    def visit(
        self, group: Sequence[Candidate], hopeless: Callable[[Sequence[Visit]], bool]
    ) -> dict[Candidate, list[Visit]]:
        found: dict[Candidate, list[Visit]] = {}
        for candidate in group:
            self._expect_hearing(candidate)
            visits = found[candidate] = []
            while len(visits) < VISITS and not hopeless(visits):
                visits.append(self._visit(candidate, len(visits)))
        self.visited += [candidate.key() for candidate in group]
        return found

    def _visit(self, candidate: Candidate, number: int) -> Visit:
        own = self.ms[candidate.key()]
        random = self._random(candidate, 10 + number)
        rounds = tuple(tuple(random.lognormal(np.log(own), self.jitter, 24)) for _ in range(3))
        self.spent_ms += STARTING_MS + 72 * own
        return Visit(rounds, rounds, (own / 1e3 * 24,) * 3, (24,) * 3, "estimated", "made up", 700.0, 90.0, (), "now")

    def _random(self, candidate: Candidate, what: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, what, *candidate.key().encode()])

    def _expect_hearing(self, candidate: Candidate) -> None:
        if candidate.key() in self.deaf:
            raise ModelError(f"{candidate.facts.name}: cannot be loaded")


def random_world(seed: int) -> tuple[World, list[Candidate]]:
    """Four models, each at six sizes and one or two threads: larger is slower, and more accurate up to a point."""
    random = np.random.default_rng(seed)
    ms, accuracy, candidates = {}, {}, []
    for number in range(4):
        base_ms, top = random.uniform(0.8, 6), random.uniform(0.35, 0.7)
        needs_px = random.uniform(80, 250)
        for side in (160, 240, 320, 480, 640, 960):
            for threads in (1, 2):
                one = candidate(f"model{number}", side, threads=threads)
                ms[one.key()] = base_ms * (side / 320) ** 2 * (1.0 if threads == 1 else 0.6)
                accuracy[one.key()] = top * (1 - np.exp(-side / needs_px))
                candidates.append(one)
    return World(ms, accuracy, seed=seed), candidates
