"""Box offsets: those that crops carry and those that the cascade applies.

A crop's are of the true corners from its own corners, over its side. R- and O-Net answer just that. The cascade gives
P-Net's windows a twelfth less at the left and at the top than the network sees (``models.cascade.proposals``: 1-based
first and last pixel, sides one pixel short, both at the size of the pyramid's level), so P-Net's answers are read
relative to that smaller window. Trained as crops carry them, its proposals would all sit 8 % too far right and low.
"""

from __future__ import annotations

from torch import Tensor

from ligera.models.cascade import STAGE_SIDES_PX

SIDE_PX = STAGE_SIDES_PX[0]
SHARE = (SIDE_PX - 1) / SIDE_PX


def as_applied(offsets: Tensor, net: str) -> Tensor:
    """``offsets`` ``(N, 4)`` of crops -> what ``net`` has to answer for the cascade to get there; NaN stays NaN."""
    if net != "p-net":
        return offsets
    return (offsets - offsets.new_tensor([1 / SIDE_PX, 1 / SIDE_PX, 0, 0])) / SHARE


def as_cropped(answers: Tensor, net: str) -> Tensor:
    """The inverse: ``net``'s ``answers`` ``(N, 4)`` as offsets from the crop's corners over its side."""
    if net != "p-net":
        return answers
    return answers * SHARE + answers.new_tensor([1 / SIDE_PX, 1 / SIDE_PX, 0, 0])
