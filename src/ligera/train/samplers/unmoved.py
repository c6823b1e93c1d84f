"""What samplers share that neither losses nor scores move: a plan follows from seed and epoch alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from ligera.train.samplers.state import check_identity


class Unmoved:
    """A ``Sampler`` but for its ``plan`` and ``fewest_rows``; its state only says which sampler it is."""

    wants_losses = False
    wants_score = False

    def __init__(self, identity: dict[str, Any]) -> None:
        self._identity = identity

    def watch(self, epoch: int, rows: np.ndarray, losses: np.ndarray) -> None:
        """Losses change nothing here."""

    def observe(self, epoch: int, score: float | None) -> None:
        """Nor do scores."""

    def state(self) -> dict[str, Any]:
        return dict(self._identity)

    def restore(self, state: dict[str, Any]) -> None:
        check_identity(state, self._identity)
