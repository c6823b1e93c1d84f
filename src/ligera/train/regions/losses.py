"""The five losses of Mask R-CNN (He et al. 2017), each page's own, so that pages may weigh and be watched.

torchvision averages over all pages of a batch at once. Here the same functions are called for one page after another;
features, and so most of the work, are still computed for the whole batch. For a batch of one nothing differs; in larger
ones a proposal's loss is averaged over its own page first, so that a page counts as one however full it is.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection.mask_rcnn import MaskRCNN
from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss, maskrcnn_loss
from torchvision.models.detection.rpn import RegionProposalNetwork

__all__ = ["PARTS", "lose_by_page"]

PARTS = {
    "loss_objectness": "objectness",
    "loss_rpn_box_reg": "proposals",
    "loss_classifier": "classes",
    "loss_box_reg": "boxes",
    "loss_mask": "masks",
}
"""torchvision's names of the losses, and ours."""


class _ProposalsByPage(RegionProposalNetwork):
    def compute_loss(
        self, objectness: Tensor, pred_bbox_deltas: Tensor, labels: list[Tensor], regression_targets: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Objectness and box losses ``(B,)``."""
        pages = len(labels)
        of_pages = zip(objectness.chunk(pages), pred_bbox_deltas.chunk(pages), labels, regression_targets, strict=True)
        losses = [super(_ProposalsByPage, self).compute_loss(o, d, [own], [wanted]) for o, d, own, wanted in of_pages]
        objects, boxes = zip(*losses, strict=True)
        return torch.stack(objects), torch.stack(boxes)


class _HeadsByPage(RoIHeads):
    def forward(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: Any = None,
    ) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        """In training no detections, and class, box and mask losses ``(B,)``; in eval what torchvision does."""
        if not self.training:
            return super().forward(features, proposals, image_shapes, targets)
        proposals, matched, labels, offsets = self.select_training_samples(proposals, targets)
        pooled = self.box_roi_pool(features, proposals, image_shapes)
        logits, deltas = self.box_predictor(self.box_head(pooled))
        counts = [len(own) for own in labels]
        of_pages = zip(logits.split(counts), deltas.split(counts), labels, offsets, strict=True)
        losses = [fastrcnn_loss(own_logits, own, [label], [wanted]) for own_logits, own, label, wanted in of_pages]
        classes, boxes = (torch.stack(loss) for loss in zip(*losses, strict=True))
        masks = self._mask_losses(features, image_shapes, proposals, matched, labels, targets)
        return [], {"loss_classifier": classes, "loss_box_reg": boxes, "loss_mask": masks}

    def _mask_losses(
        self,
        features: dict[str, Tensor],
        image_shapes: list[tuple[int, int]],
        proposals: list[Tensor],
        matched: list[Tensor],
        labels: list[Tensor],
        targets: list[dict[str, Tensor]],
    ) -> Tensor:
        positive = [torch.where(own > 0)[0] for own in labels]
        boxes = [own[rows] for own, rows in zip(proposals, positive, strict=True)]
        logits = self.mask_predictor(self.mask_head(self.mask_roi_pool(features, boxes, image_shapes)))
        parts = logits.split([len(rows) for rows in positive])
        return torch.stack(
            [
                maskrcnn_loss(own, [own_boxes], [target["masks"]], [target["labels"]], [own_matched[rows]])
                for own, own_boxes, target, own_matched, rows in zip(
                    parts, boxes, targets, matched, positive, strict=True
                )
            ]
        )


def lose_by_page(net: MaskRCNN) -> MaskRCNN:
    """``net`` with losses ``(B,)`` in training, same weights under the same names; in eval it is what it was."""
    # Their parts, limits and weights stay: only what is computed of them in training differs.
    net.rpn.__class__ = _ProposalsByPage
    net.roi_heads.__class__ = _HeadsByPage
    return net
