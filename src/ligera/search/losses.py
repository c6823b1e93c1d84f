"""What being off the target costs: three losses of paper C (equations 8, 9 and 10) on a net's relative cost.

In: ``relative``, the expected cost over its target (1 is on target), and ``strength``, the paper's lambda. Out: a
scalar that is added to the task's loss (equation 6).
"""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor

__all__ = ["KINDS", "TargetLoss", "target_loss"]

TargetLoss = Literal["absolute", "one-sided", "signed"]
KINDS: tuple[TargetLoss, ...] = get_args(TargetLoss)


def target_loss(relative: Tensor, strength: float, kind: TargetLoss = "absolute") -> Tensor:
    """``absolute``: |lambda (E - T) / T| pulls from both sides (equation 10).

    The other two are kept for the ablation: ``signed`` (8) rewards every net below the target, down to nothing but
    skips; ``one-sided`` (9) is content with any of them.
    """
    off = strength * (relative - 1)
    if kind == "signed":
        return off
    return off.clamp(min=0) if kind == "one-sided" else off.abs()
