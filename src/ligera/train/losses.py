"""Losses of a dense face detector: the paper's multibox loss and a quality loss for very small nets.

In: raw outputs (boxes ``(B, P, 4)``, scores ``(B, P, K)``, landmarks ``(B, P, 10)``), the priors ``(P, 4)`` and a
``FaceBatch`` that says what each prior should answer. Out: the parts of the loss by name; their sum is trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import distance_box_iou_loss

from ligera.train.matching import BACKGROUND


@dataclass(frozen=True, slots=True)
class FaceBatch:
    """``pixels (B, 3, S, S)`` uint8; ``matched (B, P)`` int64: the row in ``faces`` that a prior answers for,
    BACKGROUND or NEITHER; ``faces (T, 4)`` px corners and ``landmarks (T, 10)`` px (NaN where unknown) of the batch."""

    pixels: Tensor
    matched: Tensor
    faces: Tensor
    landmarks: Tensor

    def to(self, device: torch.device) -> FaceBatch:
        return FaceBatch(*(getattr(self, name).to(device, non_blocking=True) for name in self.__slots__))


def encode_boxes(boxes: Tensor, priors: Tensor, variances: tuple[float, float]) -> Tensor:
    """``(N, 4)`` px corners -> SSD offsets from ``priors (N, 4)``."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    side = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1e-3)
    return torch.cat(
        [(centre - priors[:, :2]) / (variances[0] * priors[:, 2:]), torch.log(side / priors[:, 2:]) / variances[1]], 1
    )


def decode_boxes(encoded: Tensor, priors: Tensor, variances: tuple[float, float]) -> Tensor:
    """The differentiable twin of ``ligera.models.decode.decode_boxes``."""
    centre = priors[:, :2] + encoded[:, :2] * variances[0] * priors[:, 2:]
    side = priors[:, 2:] * torch.exp((encoded[:, 2:] * variances[1]).clamp(max=10.0))
    return torch.cat([centre - side / 2, centre + side / 2], 1)


def encode_landmarks(points: Tensor, priors: Tensor, variances: tuple[float, float]) -> Tensor:
    """``(N, 10)`` px points -> offsets from ``priors (N, 4)``."""
    offsets = (points.view(-1, 5, 2) - priors[:, None, :2]) / (variances[0] * priors[:, None, 2:])
    return offsets.flatten(1)


def landmark_loss(raw: Tensor, points: Tensor, priors: Tensor, variances: tuple[float, float]) -> Tensor:
    """Smooth L1 summed over the coordinates of every prior whose face has known landmarks."""
    known = torch.isfinite(points).all(dim=1)
    if not known.any():
        return raw.sum() * 0.0
    target = encode_landmarks(points[known], priors[known], variances)
    return functional.smooth_l1_loss(raw[known], target, reduction="sum")


def multibox_loss(
    raw: tuple[Tensor, Tensor, Tensor],
    batch: FaceBatch,
    priors: Tensor,
    variances: tuple[float, float],
    positives: Tensor,
    negatives_per_positive: int = 7,
) -> dict[str, Tensor]:
    """Paper C: cross entropy with hard negative mining + 2.0 smooth L1 of boxes + smooth L1 of landmarks."""
    boxes, scores, landmarks = (part.float() for part in raw)
    positive = batch.matched >= 0
    where = priors.expand(len(boxes), -1, -1)[positive]
    entropy = functional.cross_entropy(scores.flatten(0, 1), positive.long().flatten(), reduction="none")
    entropy = entropy.view_as(positive)
    hardness = entropy.detach().masked_fill(batch.matched != BACKGROUND, -1.0)
    rank = hardness.argsort(dim=1, descending=True).argsort(dim=1)
    wanted = (positive.sum(dim=1, keepdim=True) * negatives_per_positive).clamp(min=16)
    hard = (rank < wanted) & (batch.matched == BACKGROUND)
    face = batch.matched[positive]
    box_target = encode_boxes(batch.faces[face], where, variances)
    return {
        "score": entropy[positive | hard].sum() / positives,
        "box": 2.0 * functional.smooth_l1_loss(boxes[positive], box_target, reduction="sum") / positives,
        "landmark": landmark_loss(landmarks[positive], batch.landmarks[face], where, variances) / positives,
    }


def quality_loss(
    raw: tuple[Tensor, Tensor, Tensor],
    batch: FaceBatch,
    priors: Tensor,
    variances: tuple[float, float],
    positives: Tensor,
) -> dict[str, Tensor]:
    """Quality focal loss on one logit (its target is the IoU of the predicted box) + 2.0 DIoU + 0.3 landmarks.

    Generalised focal loss (Li et al. 2020) with beta 2 and distance IoU (Zheng et al. 2020): no negatives to sample,
    and the score ranks boxes by how well they fit, which is what average precision rewards.
    """
    boxes, scores, landmarks = (part.float() for part in raw)
    positive = batch.matched >= 0
    where = priors.expand(len(boxes), -1, -1)[positive]
    found = decode_boxes(boxes[positive], where, variances)
    face = batch.matched[positive]
    distance = distance_box_iou_loss(found, batch.faces[face], reduction="none")
    target = torch.zeros_like(scores[..., 0])
    target[positive] = _iou(found.detach(), batch.faces[face])
    logit = scores[..., 0]
    entropy = functional.binary_cross_entropy_with_logits(logit, target, reduction="none")
    focal = entropy * (logit.sigmoid() - target).abs().square()
    taught = batch.matched >= BACKGROUND
    return {
        "score": focal[taught].sum() / positives,
        "box": 2.0 * distance.sum() / positives,
        "landmark": 0.3 * landmark_loss(landmarks[positive], batch.landmarks[face], where, variances) / positives,
    }


def _iou(left: Tensor, right: Tensor) -> Tensor:
    corner = torch.maximum(left[:, :2], right[:, :2])
    sides = (torch.minimum(left[:, 2:], right[:, 2:]) - corner).clamp(min=0)
    overlap = sides.prod(dim=1)
    union = (left[:, 2:] - left[:, :2]).prod(dim=1) + (right[:, 2:] - right[:, :2]).prod(dim=1) - overlap
    return overlap / union.clamp(min=1e-9)


LOSSES = {"multibox": multibox_loss, "quality": quality_loss}
