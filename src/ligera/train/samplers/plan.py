"""The seam between samplers and the loop: what a sampler hands over for an epoch, and what it is told in return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class EpochPlan:
    """One epoch: ``rows (M,)`` int64 of the data set in the order of showing, ``weights (M,)`` float32.

    A sample's loss is multiplied by its weight, which is 1 except where rows were left out on account of their loss.
    """

    rows: np.ndarray
    weights: np.ndarray

    def __post_init__(self) -> None:
        for name, dtype in (("rows", np.int64), ("weights", np.float32)):
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != 1:
                got = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
                raise ValueError(f"{name}: expected {np.dtype(dtype)} (M,), got {got}")
        if len(self.rows) != len(self.weights):
            raise ValueError(f"weights: expected {len(self.rows)}, one for each row, got {len(self.weights)}")

    @classmethod
    def even(cls, rows: np.ndarray) -> EpochPlan:
        """``rows``, each with weight 1."""
        return cls(rows, np.ones(len(rows), np.float32))

    def __len__(self) -> int:
        return len(self.rows)


class Sampler(Protocol):
    """What the loop needs of any way to choose samples.

    An epoch is: ``plan``; a ``watch`` after each step where ``wants_losses``; ``observe`` at its end. ``state`` may be
    taken between any two of these, and ``restore`` into a sampler of the same recipe goes on from there bit for bit:
    ``plan`` of the epoch in progress is the same again. Under several processes each holds its own sampler, told the
    same losses and the same score.
    """

    wants_losses: bool
    """``watch`` must be called after each step."""
    wants_score: bool
    """``observe`` must be given a score after each epoch."""
    fewest_rows: int
    """No plan is shorter; a batch larger than this could leave an epoch without a step."""

    def plan(self, epoch: int) -> EpochPlan:
        """What to show in ``epoch`` (from 0), the one in progress."""

    def watch(self, epoch: int, rows: np.ndarray, losses: np.ndarray) -> None:
        """The samples of a global batch, ``rows (B,)``, and the loss of each before its weight, ``losses (B,)``."""

    def observe(self, epoch: int, score: float | None) -> None:
        """``epoch`` is over; ``score`` from validation is 0 to 1, more is better, None where there was none."""

    def state(self) -> dict[str, Any]:
        """All that ``restore`` needs, in tensors, numbers, strings and None: safe to load with ``weights_only``."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``state``. ``KeyError``, ``TypeError`` or ``ValueError`` when it is another sampler's."""
