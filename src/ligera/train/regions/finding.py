"""A network in training looks at a page: the regions it finds, with masks as large as the page.

In: ``(H, W, 3)`` uint8 RGB, prepared as for what ships. Out: ``Detections`` in px of that picture, and their masks.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNN
from torchvision.models.detection.roi_heads import paste_masks_in_image

from ligera.data.outlines import outlines_of
from ligera.models.preprocess import input_size, prepare
from ligera.records import Detections

__all__ = ["find_regions", "with_outlines"]

_TOGETHER = 16  # masks pasted at once: each is a page of floats


@torch.inference_mode()
def find_regions(
    net: MaskRCNN, pixels: np.ndarray, names: tuple[str, ...], score: float | None = None
) -> tuple[Detections, list[np.ndarray]]:
    """Regions and their masks ``(H, W)`` bool, best first; those under ``score`` are left out."""
    net.eval()
    rule, device = net.spec.preprocess, next(net.parameters()).device
    height, width = pixels.shape[:2]
    batch = torch.from_numpy(prepare(pixels, rule)[0]).to(device, memory_format=torch.channels_last)
    sizes = [input_size(height, width, rule)]
    features = net.backbone(batch)
    proposals, _ = net.rpn(ImageList(batch, sizes), features)
    found = net.roi_heads(features, proposals, sizes)[0][0]
    if score is not None:
        found = {name: values[found["scores"] >= score] for name, values in found.items()}
    ratios = torch.tensor([width / sizes[0][1], height / sizes[0][0]] * 2, device=device)
    boxes = found["boxes"].float() * ratios
    masks: list[np.ndarray] = []
    for part, own in zip(found["masks"].float().split(_TOGETHER), boxes.split(_TOGETHER), strict=True):
        masks += list((paste_masks_in_image(part, own, (height, width))[:, 0] > 0.5).cpu().numpy())
    labels = found["labels"].cpu().numpy() - 1
    return Detections(boxes.cpu().numpy(), found["scores"].float().cpu().numpy(), labels, names), masks


def with_outlines(found: Detections, masks: list[np.ndarray]) -> Detections:
    """``found`` with the outlines of its masks."""
    return replace(found, polygons=tuple(outlines_of(mask) for mask in masks))
