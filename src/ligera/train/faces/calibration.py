"""Scores that mean something: Platt scaling (Platt 1999) of a detector's logits.

In: scores ``(N,)`` from 0 to 1 of detections and whether each is on a face, ``(N,)`` bool. Out: slope and offset, so
that ``sigmoid(slope * logit(score) + offset)`` is the share of detections with that score that are right.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

FEWEST = 50


def fit_scores(scores: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """Slope (kept above 0.1) and offset of least log loss; (1, 0) where there is too little to learn them from."""
    if min(right.sum(), (~right).sum()) < FEWEST:
        return 1.0, 0.0
    clipped = np.clip(scores, 1e-6, 1 - 1e-6)
    logits = np.log(clipped / (1 - clipped))

    def log_loss(change: np.ndarray) -> float:
        moved = change[0] * logits + change[1]
        return float(np.mean(np.logaddexp(0, moved) - right * moved))

    best = minimize(log_loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[(0.1, 20), (-20, 20)])
    return float(best.x[0]), float(best.x[1])
