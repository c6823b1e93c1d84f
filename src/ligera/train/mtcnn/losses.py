"""MTCNN's loss (Zhang et al. 2016, section II.B and C): is it a face, where is its box, where are five points.

Each crop takes part in the terms that its kind has a label for: positives and negatives say whether it is a face,
positives and part faces where its box is, landmark crops where the points are. Of the first term only the hardest
crops of a batch count.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ligera.models.retinaface import RawOutputs
from ligera.train.mtcnn.loading import LANDMARK, NEGATIVE, PART, POSITIVE, CropBatch
from ligera.train.mtcnn.recipe import TermWeights
from ligera.train.task import Losses


def term_counts(kinds: Tensor, hard_examples: float) -> Tensor:
    """``(3,)``: how many crops of ``kinds (B,)`` count in classification, boxes and landmarks."""
    judged = _judged(kinds).sum()
    return torch.stack([(judged * hard_examples).ceil(), _boxed(kinds).sum(), (kinds == LANDMARK).sum()]).float()


def mtcnn_losses(
    raw: RawOutputs, batch: CropBatch, counts: Tensor, weights: TermWeights, hard_examples: float
) -> Losses:
    """The three weighted terms over ``counts (3,)`` of the global batch (see ``term_counts``).

    ``raw`` has one row a crop. Squared distances are summed over a box's four offsets and a face's ten coordinates;
    unknown ones (NaN) count as hit.
    """
    boxes, scores, landmarks = (part[:, 0].float() for part in raw)
    kinds = batch.kinds
    entropy = functional.cross_entropy(scores, (kinds == POSITIVE).long(), reduction="none") * _judged(kinds)
    far = _squared(boxes, batch.boxes) * _boxed(kinds)
    off = _squared(landmarks, batch.landmarks) * (kinds == LANDMARK)
    hard = _hardest(entropy.detach(), _judged(kinds), hard_examples)
    counts = counts.clamp(min=1)
    scale = weights.classification, weights.boxes, float(weights.landmarks or 0)
    terms = {"classification": entropy * hard, "boxes": far, "landmarks": off}
    parts = {
        name: (batch.weights * term).sum() * times / count
        for (name, term), times, count in zip(terms.items(), scale, counts, strict=True)
    }
    return Losses(parts, (entropy * scale[0] + far * scale[1] + off * scale[2]).detach())


def _judged(kinds: Tensor) -> Tensor:
    return (kinds == POSITIVE) | (kinds == NEGATIVE)


def _boxed(kinds: Tensor) -> Tensor:
    return (kinds == POSITIVE) | (kinds == PART)


def _squared(answers: Tensor, wanted: Tensor) -> Tensor:
    """``(B,)``: squared distances over known coordinates."""
    return torch.where(wanted.isnan(), 0.0, answers - wanted.nan_to_num()).square().sum(1)


def _hardest(losses: Tensor, judged: Tensor, share: float) -> Tensor:
    """``(B,)`` 1 for the ``share`` of ``judged`` crops that lose most, 0 for all others; without leaving the device."""
    order = torch.where(judged, losses, -1.0).argsort(descending=True, stable=True)
    first = torch.arange(len(losses), device=losses.device) < (judged.sum() * share).ceil()
    return torch.zeros_like(losses).index_put((order,), first.to(losses.dtype)) * judged
