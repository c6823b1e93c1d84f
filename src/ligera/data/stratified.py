"""A part of labelled pictures set aside, in which each class has its share.

In: :class:`LabelledPictures`, how much to hold and a seed. Out: rows, so that one array in memory serves both parts.
"""

from __future__ import annotations

import numpy as np

from ligera.data.annotations import quoted
from ligera.errors import UsageError
from ligera.records import LabelledPictures

__all__ = ["split_off"]


def split_off(pictures: LabelledPictures, share_or_count: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """``(rest_rows, held_rows)``, both ascending int64, which together are all rows, each once.

    ``share_or_count`` is a share of all (a float between 0 and 1) or a number of pictures (a whole one). Each class
    gives its proportional part, rounded up or down, at least one where rounding alone can make room for it; a class
    always keeps one, for which others give more if they must. The same seed gives the same rows. Raises ``UsageError``
    for an amount that leaves nothing on one side.
    """
    counts = np.bincount(pictures.labels, minlength=len(pictures.names))
    held = _quotas(counts, _wanted(share_or_count, len(pictures)))
    random = np.random.default_rng(seed)
    rows = [np.sort(random.permutation(np.flatnonzero(pictures.labels == label))[:n]) for label, n in enumerate(held)]
    held_rows = np.sort(np.concatenate(rows)).astype(np.int64)
    return np.setdiff1d(np.arange(len(pictures), dtype=np.int64), held_rows, assume_unique=True), held_rows


def _wanted(share_or_count: float, total: int) -> int:
    """The number of pictures to hold; at least one of each is left on either side."""
    complaint = f"expected a share between 0 and 1 or a number of pictures from 1 to {total - 1:,}"
    if isinstance(share_or_count, bool) or not isinstance(share_or_count, int | float | np.integer | np.floating):
        raise UsageError(f"{complaint}, got {quoted(str(share_or_count))}")
    if isinstance(share_or_count, float | np.floating):
        if not 0 < share_or_count < 1:
            raise UsageError(f"{complaint}, got {share_or_count}")
        wanted = max(1, round(float(share_or_count) * total))
    else:
        wanted = int(share_or_count)
    if not 1 <= wanted < total:
        raise UsageError(f"{complaint}, got {wanted:,}" if total > 1 else "expected two pictures or more to split")
    return wanted


def _quotas(counts: np.ndarray, wanted: int) -> np.ndarray:
    """How many of each class to hold: whole numbers that sum to ``wanted``, those most in arrears first."""
    total, spare = int(counts.sum()), np.maximum(counts - 1, 0)
    if spare.sum() < wanted:
        raise UsageError(f"cannot hold {wanted:,} of {total:,} pictures and leave one of each class")
    # Shares in parts of `total`, as floats would round 3 of 3 pictures down to 2.
    exact = counts * wanted
    least, most = np.minimum(exact // total, spare), np.minimum(-(-exact // total), spare)
    if most.sum() < wanted:
        most = spare
    one_each = np.maximum(least, np.minimum(most, 1))
    held = one_each if one_each.sum() <= wanted else least
    while (short := wanted - int(held.sum())) > 0:
        open_classes = np.flatnonzero(held < most)
        arrears = (exact - held * total)[open_classes]
        held[open_classes[np.argsort(-arrears, kind="stable")[:short]]] += 1
    return held
