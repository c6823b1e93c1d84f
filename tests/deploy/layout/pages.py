"""Pages to find regions in, drawn or real, and a Mask R-CNN small enough to learn one of them in a second or two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ligera.deploy.detector import Detector
from ligera.deploy.layout.engine import LayoutEngine
from ligera.models.layout_catalogue import LAYOUT_DETECTORS
from ligera.models.layout_specs import MaskRCNNSpec, VoVNetSpec
from ligera.models.maskrcnn import build_maskrcnn
from ligera.models.preprocess import input_size

REAL_PAGES = Path(__file__).parents[4] / "shared" / "data" / "manuscripts" / "val" / "images"
LABELS = ("staff", "lyrics", "drop-capital")
SIDE_PX = 160


def tiny_spec() -> MaskRCNNSpec:
    spec = LAYOUT_DETECTORS["layout-small"].resized(SIDE_PX)
    return replace(
        spec,
        backbone=VoVNetSpec((1, 1, 1, 1), 1, (8, 8, 16), (16, 16, 16, 16), (16, 16, 24, 24)),
        pyramid_channels=16,
        box_channels=32,
        mask_channels=16,
        mask_layers=1,
        decoding=replace(spec.decoding, candidates=150, proposals=100, max_detections=40, canonical_px=56),
        anchor_samples=128,
        box_samples=64,
    )


def random_net(seed: int = 0):
    """A network that knows nothing, with scores far enough apart that rounding decides nothing."""
    torch.manual_seed(seed)
    net = build_maskrcnn(tiny_spec()).eval()
    with torch.no_grad():
        net.rpn.head.cls_logits.weight.mul_(30)
        net.roi_heads.box_predictor.cls_score.weight.mul_(30)
        net.roi_heads.box_predictor.cls_score.bias[0] = -50  # everything is some region
    return net


def engine_of(path: Path) -> LayoutEngine:
    """The engine of a layout detector's bundle, on one thread."""
    engine = Detector.load(path, threads=1).engine
    assert isinstance(engine, LayoutEngine)
    return engine


def drawn_page(width: int = 112, height: int = 160) -> tuple[np.ndarray, list[tuple[int, tuple[int, int, int, int]]]]:
    """A page of staves, lines of text and one capital, and its regions as (class from 1 on, box)."""
    pixels = np.full((height, width, 3), (225, 210, 180), np.uint8)
    regions = []
    for top in range(12, height - 30, 40):
        for line in range(4):
            pixels[top + 4 * line, 30 : width - 8] = (150, 40, 40)
        regions.append((1, (30, top - 1, width - 8, top + 14)))
        pixels[top + 20 : top + 27, 30 : width - 20 : 2] = 40
        regions.append((2, (30, top + 20, width - 20, top + 27)))
    pixels[14:34, 8:24] = (30, 60, 150)
    return pixels, [*regions, (3, (8, 14, 24, 34))]


def tensor_of(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).float() / 255


def trained_net():
    """A network that knows the drawn page by heart."""
    torch.manual_seed(1)
    net = build_maskrcnn(tiny_spec()).train()
    pixels, regions = drawn_page()
    masks = torch.zeros(len(regions), *pixels.shape[:2], dtype=torch.uint8)
    for mask, (_, (x1, y1, x2, y2)) in zip(masks, regions, strict=True):
        mask[y1:y2, x1:x2] = 1
    target = {
        "boxes": torch.tensor([box for _, box in regions], dtype=torch.float32),
        "labels": torch.tensor([label for label, _ in regions]),
        "masks": masks,
    }
    optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
    page = tensor_of(pixels)
    for step in range(60):
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * (1 - step / 60)
        optimizer.zero_grad()
        sum(net([page], [target]).values()).backward()
        optimizer.step()
    return net.eval()


def real_page(side_px: int = 400) -> np.ndarray:
    """A page of the manuscripts, shrunk to be quick; the test is skipped where there is none."""
    found = sorted(REAL_PAGES.glob("*.jpg")) if REAL_PAGES.is_dir() else []
    if not found:
        pytest.skip("the manuscript pages are not at ../shared/data/manuscripts")
    pixels = cv2.imread(str(found[0]))[:, :, ::-1]
    factor = side_px / max(pixels.shape[:2])
    return cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def torch_regions(net, pixels: np.ndarray, *, score: float) -> dict[str, np.ndarray]:
    """What torchvision finds in ``pixels``, in their px, best first: boxes, labels from 0 on, scores, masks (N, H, W).

    The page is shrunk as the engine shrinks it, as that is no part of the network.
    """
    height, width = pixels.shape[:2]
    rows, columns = input_size(height, width, net.spec.preprocess)
    shown = cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_AREA)
    before, net.roi_heads.score_thresh = net.roi_heads.score_thresh, score
    with torch.no_grad():
        images, _ = net.transform([tensor_of(shown)])
        features = net.backbone(images.tensors)
        proposals, _ = net.rpn(images, features)
        found, _ = net.roi_heads(features, proposals, images.image_sizes)
        (result,) = net.transform.postprocess(found, images.image_sizes, [(height, width)])
    net.roi_heads.score_thresh = before
    values = {name: result[name].numpy() for name in ("boxes", "labels", "scores", "masks")}
    return values | {"labels": values["labels"] - 1, "masks": values["masks"][:, 0]}
