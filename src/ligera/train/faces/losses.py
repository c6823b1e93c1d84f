"""Losses of a dense face detector: the paper's multibox loss and a quality loss for very small nets.

In: raw outputs (boxes ``(B, P, 4)``, scores ``(B, P, K)``, landmarks ``(B, P, 10)``), the priors ``(P, 4)`` and a
``FaceBatch`` that says what each prior should answer. Out: ``Losses``: each term by name, and what each picture lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import distance_box_iou_loss

from ligera.train.faces.matching import BACKGROUND
from ligera.train.task import Losses


@dataclass(frozen=True, slots=True)
class FaceBatch:
    """``pixels (B, 3, S, S)`` uint8; ``matched (B, P)`` int64: the row in ``faces`` that a prior answers for,
    BACKGROUND or NEITHER; ``faces (T, 4)`` px corners and ``landmarks (T, 10)`` px (NaN where unknown) of the batch;
    ``rows (B,)`` of the data set and the ``weights (B,)`` of their losses."""

    pixels: Tensor
    matched: Tensor
    faces: Tensor
    landmarks: Tensor
    rows: Tensor
    weights: Tensor

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
    """``(N,)``: smooth L1 summed over a prior's ten coordinates, 0 where its face has no known landmarks."""
    known = torch.isfinite(points).all(dim=1, keepdim=True)
    # a target where there is none would turn the gradient into NaN, even under a factor of 0
    target = torch.where(known, encode_landmarks(points, priors, variances), raw.detach())
    return functional.smooth_l1_loss(raw, target, reduction="none").sum(dim=1)


def _collected(terms: dict[str, Tensor], picture: Tensor, batch: FaceBatch, count: Tensor) -> Losses:
    """Terms per picture ``(B,)`` or per positive ``(N,)``, those added up by their ``picture`` -> weighted parts."""
    size = len(batch.pixels)
    each = {
        name: term if name == "score" else term.new_zeros(size).index_add(0, picture, term)
        for name, term in terms.items()
    }
    own = torch.bincount(picture, minlength=size).clamp(min=1)
    total = torch.stack(list(each.values())).sum(dim=0).detach()
    return Losses({name: (batch.weights * term).sum() / count for name, term in each.items()}, total / own)


def multibox_loss(
    raw: tuple[Tensor, Tensor, Tensor],
    batch: FaceBatch,
    priors: Tensor,
    variances: tuple[float, float],
    positives: Tensor,
    negatives_per_positive: int = 7,
) -> Losses:
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
    terms = {
        "score": (entropy * (positive | hard)).sum(dim=1),
        "box": 2.0 * functional.smooth_l1_loss(boxes[positive], box_target, reduction="none").sum(dim=1),
        "landmark": landmark_loss(landmarks[positive], batch.landmarks[face], where, variances),
    }
    return _collected(terms, positive.nonzero()[:, 0], batch, positives)


def quality_loss(
    raw: tuple[Tensor, Tensor, Tensor],
    batch: FaceBatch,
    priors: Tensor,
    variances: tuple[float, float],
    positives: Tensor,
) -> Losses:
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
    terms = {
        "score": (focal * taught).sum(dim=1),
        "box": 2.0 * distance,
        "landmark": 0.3 * landmark_loss(landmarks[positive], batch.landmarks[face], where, variances),
    }
    return _collected(terms, positive.nonzero()[:, 0], batch, positives)


def _iou(left: Tensor, right: Tensor) -> Tensor:
    corner = torch.maximum(left[:, :2], right[:, :2])
    sides = (torch.minimum(left[:, 2:], right[:, 2:]) - corner).clamp(min=0)
    overlap = sides.prod(dim=1)
    union = (left[:, 2:] - left[:, :2]).prod(dim=1) + (right[:, 2:] - right[:, :2]).prod(dim=1) - overlap
    return overlap / union.clamp(min=1e-9)


LOSSES = {"multibox": multibox_loss, "quality": quality_loss}
