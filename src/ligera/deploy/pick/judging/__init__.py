"""How accurate a model is, one picture at a time: what it says of a picture is kept, and scored with any others.

A :class:`Judge` holds labelled pictures. ``look`` runs in a measured process and returns what a model says, ready for
JSON. ``gist`` keeps of that what scoring needs, which is far less. ``weigh`` turns the gists of some pictures into one
number, and into that number for redrawn sets of them, the same sets for every model, so that differences between models
can be told from chance. ``groups`` needs all that was said.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ligera.errors import UsageError, nearest
from ligera.records import Picture

__all__ = ["TASKS", "Judge", "Say", "open_judge", "redraws", "task_of"]

Say = Any
TASKS: Mapping[str, str] = {
    "faces": "detect-faces",
    "people": "classify",
    "classify": "classify",
    "pages": "detect-regions",
}
SEED = 20_240_607


class Judge(Protocol):
    """Labelled pictures and how answers about them are scored, 0 to 1.

    ``sha256`` stands for pictures, labels and protocol together; ``longest_px`` is the long side that takes in 95 % of
    the pictures; ``areas_px`` ``(N,)`` their sizes. ``groups`` are scores by ``group_name``.
    """

    metric: str
    group_name: str
    protocol: str
    sha256: str
    longest_px: int
    areas_px: np.ndarray

    def __len__(self) -> int: ...

    def picture(self, row: int) -> Picture: ...

    def look(self, model: Any, rows: Sequence[int], max_side: int | None) -> list[Say]: ...

    def gist(self, row: int, say: Say) -> Any: ...

    def weigh(self, gists: Mapping[int, Any]) -> tuple[float, np.ndarray]: ...

    def groups(self, said: Mapping[int, Say]) -> dict[str, float | None]: ...


def task_of(name: str) -> str:
    """``faces`` -> ``detect-faces``; ``UsageError`` with the nearest name for an unknown one."""
    if name not in TASKS:
        raise UsageError(f"no task {name!r} to pick a model for{nearest(name, TASKS)}; known: {', '.join(TASKS)}")
    return TASKS[name]


def open_judge(name: str, data: Path, protocol: str | None = None) -> Judge:
    """The judge for the task ``name`` over the labelled pictures at ``data``.

    Raises ``UsageError`` for an unknown task or a protocol that does not fit, ``DataError`` for data that cannot be
    read, has no labels or none to be found in it.
    """
    task = task_of(name)
    if task == "detect-faces":
        from ligera.deploy.pick.judging.faces import open_faces

        return open_faces(data, protocol)
    if protocol is not None:
        raise UsageError(f"--protocol: is for faces (ap50, widerface); {name} has one protocol only, leave it out")
    if name == "people":
        from ligera.deploy.pick.judging.people import PeopleJudge

        return PeopleJudge(data)
    if task == "classify":
        from ligera.deploy.pick.judging.classes import ClassJudge

        return ClassJudge(data)
    from ligera.deploy.pick.judging.pages import PageJudge

    return PageJudge(data)


@functools.lru_cache(maxsize=8)
def redraws(pictures: int, rounds: int) -> np.ndarray:
    """How often each of ``pictures`` is drawn in each of ``rounds`` bootstrap samples, ``(rounds, pictures)`` int64.

    Always the same for the same numbers, so that models are compared on the same samples.
    """
    random = np.random.default_rng([SEED, pictures])
    drawn = random.multinomial(pictures, np.full(pictures, 1 / pictures), size=rounds)
    drawn.flags.writeable = False
    return drawn
