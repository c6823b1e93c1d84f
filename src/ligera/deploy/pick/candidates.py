"""Which models are up for choice: every model at every size, runtime and number of threads that it can run with.

In: what is known of each model file (:class:`ModelFacts`) and the pictures' sizes. Out: :class:`Candidate` records. A
detector of free input size has one candidate for each rung of a ladder of ``max_side``; larger rungs than the pictures
need are left out, as they change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from ligera.errors import UsageError

__all__ = ["LADDER_PX", "Candidate", "ModelFacts", "grid", "ladder"]

LADDER_PX = (160, 240, 320, 480, 640, 960, 1280)
SMALLEST_SIDE_PX, LARGEST_SIDE_PX = 32, 16_384
# Of a layout detector's own size: text and staves vanish below.
LAYOUT_SHARES = (0.5, 0.75, 1.0)
LAYOUT_MULTIPLE_PX = 32
# Runtimes without the arithmetic of a precision.
CANNOT = {"bf16": ("onnxruntime",)}


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What opening a model once has told.

    ``model`` is what ``load_model`` takes, ``sha256`` that of its file, or of what stands for it where a package brings
    the weights. ``source_sha256`` is the graph that a converted bundle was made of. ``fixed`` says that the input has
    one size; ``own_side_px`` is the size that the model itself asks for. ``runtimes`` is empty for a detector without a
    choice of them.
    """

    model: str
    name: str
    task: str
    sha256: str
    size_bytes: int | None
    precision: str = "fp32"
    graph_sha256: str = ""
    source_sha256: str = ""
    fixed: bool = False
    own_side_px: int | None = None
    choice_of_runtime: bool = True
    labels: tuple[str, ...] = ()
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to run one model; ``max_side`` is ``None`` where the model leaves no choice of size."""

    facts: ModelFacts
    max_side: int | None
    runtime: str
    threads: int

    @property
    def size_mb(self) -> float | None:
        return None if self.facts.size_bytes is None else self.facts.size_bytes / 1e6

    @property
    def label(self) -> str:
        """``face at 320 px``, with what else tells it from its neighbours."""
        size = "" if self.max_side is None else f" at {self.max_side} px"
        return f"{self.facts.name}{size}"

    @property
    def family(self) -> tuple[str, str, int]:
        """Candidates that differ in nothing but their size."""
        return (self.facts.sha256, self.runtime, self.threads)

    def key(self) -> str:
        """What tells it from all others of a grid, in words."""
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{self.label}, {self.facts.precision}, {self.runtime}, {threads}"


def ladder(longest_px: int, sizes: Sequence[int] = ()) -> tuple[int, ...]:
    """Long sides to search at, px: ``sizes`` as the user gave them, or rungs up to the first that takes in
    ``longest_px``. Raises ``UsageError`` for a size out of range."""
    for side in sizes:
        if not SMALLEST_SIDE_PX <= side <= LARGEST_SIDE_PX:
            raise UsageError(f"--size: expected {SMALLEST_SIDE_PX} to {LARGEST_SIDE_PX} px, got {side}")
    if sizes:
        return tuple(sorted(set(sizes)))
    enough = next((side for side in LADDER_PX if side >= longest_px), LADDER_PX[-1])
    return tuple(side for side in LADDER_PX if side <= enough)


def grid(
    models: Sequence[ModelFacts],
    *,
    longest_px: int,
    sizes: Sequence[int] = (),
    runtimes: Sequence[str],
    threads: Sequence[int],
) -> tuple[Candidate, ...]:
    """Every candidate, models in the order given, smallest input first."""
    found = []
    for facts in models:
        sides = _sides(facts, longest_px, sizes)
        ways = [way for way in runtimes if way not in CANNOT.get(facts.precision, ())]
        if not facts.choice_of_runtime:
            ways = ["onnxruntime"]
        found += [Candidate(facts, side, way, count) for way, count, side in product(ways, threads, sides)]
    return tuple(found)


def _sides(facts: ModelFacts, longest_px: int, sizes: Sequence[int]) -> tuple[int | None, ...]:
    if facts.fixed:
        return (None,)
    if sizes or facts.task != "detect-regions" or facts.own_side_px is None:
        return ladder(longest_px, sizes)
    scaled = (facts.own_side_px * share // LAYOUT_MULTIPLE_PX * LAYOUT_MULTIPLE_PX for share in LAYOUT_SHARES)
    return tuple(sorted({int(side) for side in scaled} | {facts.own_side_px}))
