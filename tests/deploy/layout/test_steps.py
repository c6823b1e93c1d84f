"""Each numpy step against torchvision's module of the same purpose, on the same inputs."""

import numpy as np
import pytest
import torch
from torchvision.models.detection._utils import BoxCoder
from torchvision.models.detection.image_list import ImageList

from ligera.deploy.layout.align import align, box_levels
from ligera.deploy.layout.box_coding import decode_offsets, wide_enough
from ligera.deploy.layout.proposals import propose
from ligera.deploy.layout.regions import decide_regions
from ligera.models.maskrcnn import build_maskrcnn

from .pages import random_net, tiny_spec

WITHIN_PX = 1e-3


def random_boxes(count, width, height, seed=0):
    """Boxes of all sizes and shapes within a page, some of them empty in one direction."""
    generator = np.random.default_rng(seed)
    sides = np.exp(generator.uniform(np.log(0.5), np.log([width, height]), (count, 2)))
    corners = generator.uniform(-0.1, 1.05, (count, 2)) * [width, height]
    boxes = np.concatenate([corners, corners + sides], axis=1)
    boxes[: count // 20, 2] = boxes[: count // 20, 0]
    return np.clip(boxes, 0, [width, height, width, height]).astype(np.float32)


@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0)])
def test_offsets_decode_as_torchvisions(weights):
    boxes = random_boxes(300, 300, 200)
    offsets = np.random.default_rng(1).normal(0, 4, boxes.shape).astype(np.float32)
    expected = BoxCoder(weights).decode_single(torch.from_numpy(offsets), torch.from_numpy(boxes))
    assert decode_offsets(offsets, boxes, weights) == pytest.approx(expected.numpy(), rel=1e-5, abs=WITHIN_PX)


def test_boxes_without_width_or_numbers_are_not_wide_enough():
    boxes = np.array([[0, 0, 5, 5], [0, 0, 0.5, 5], [0, 0, 5, np.nan], [5, 0, 0, 5]], np.float32)
    assert wide_enough(boxes, 1).tolist() == [True, False, False, False]


@pytest.mark.parametrize("page_size", [(160, 96), (70, 150)])
def test_proposals_are_torchvisions(page_size):
    net = random_net()
    padded = tuple(side + -side % 32 for side in page_size)
    torch.manual_seed(2)
    page = torch.randn(1, 3, *padded)
    with torch.no_grad():
        features = net.backbone(page)
        (expected,), _ = net.rpn(ImageList(page, [page_size]), features)
        logits, offsets = net.rpn.head(list(features.values()))
    rows = np.concatenate([level[0].permute(1, 2, 0).reshape(-1).numpy() for level in logits])
    fours = np.concatenate([level[0].permute(1, 2, 0).reshape(-1, 4).numpy() for level in offsets])
    ours = propose(rows, fours, net.spec.decoding, padded_size=padded, page_size=page_size)
    assert len(expected) > 20
    assert ours == pytest.approx(expected.numpy(), abs=WITHIN_PX)


def test_proposals_of_scores_that_are_no_numbers_break_nothing():
    rule = tiny_spec().decoding
    count = sum(4 * (32 // stride) ** 2 for stride in (4, 8, 16, 32))
    with np.errstate(all="ignore"):
        ours = propose(
            np.full(count, np.nan, np.float32),
            np.full((count, 4), np.nan, np.float32),
            rule,
            padded_size=(32, 32),
            page_size=(32, 32),
        )
    assert ours.shape == (0, 4)


def test_proposals_of_another_number_of_anchors_are_refused():
    with pytest.raises(ValueError, match="a row for each of 340 anchors"):
        propose(
            np.zeros(3, np.float32),
            np.zeros((3, 4), np.float32),
            tiny_spec().decoding,
            padded_size=(32, 32),
            page_size=(32, 32),
        )


def pooled_by_torch(maps, boxes, side, spec):
    pooler = build_maskrcnn(spec).roi_heads.box_roi_pool
    pooler.output_size = (side, side)
    features = {str(i): torch.from_numpy(m).permute(2, 0, 1)[None] for i, m in enumerate(maps)}
    return pooler(features, [torch.from_numpy(boxes)], [(160, 224)]).permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("side", [3, 7, 14])
def test_align_is_torchvisions_over_all_levels(side):
    generator = np.random.default_rng(3)
    maps = [generator.normal(size=(160 // s, 224 // s, 5)).astype(np.float32) for s in (4, 8, 16, 32)]
    boxes = random_boxes(200, 224, 160)
    spec = tiny_spec()
    ours = align(maps, boxes, side, samples=2, canonical_px=spec.decoding.canonical_px)
    assert set(box_levels(boxes, spec.decoding.canonical_px)) == {0, 1, 2, 3}
    assert np.abs(ours - pooled_by_torch(maps, boxes, side, spec)).max() < 1e-4


def test_align_of_no_boxes_is_empty():
    maps = [np.zeros((32 // s, 32 // s, 5), np.float32) for s in (4, 8, 16, 32)]
    assert align(maps, np.zeros((0, 4), np.float32), 7, samples=2, canonical_px=224).shape == (0, 7, 7, 5)


def test_a_bin_over_a_slope_has_the_slopes_value_in_its_middle():
    slope = np.arange(16, dtype=np.float32)[None, :, None].repeat(16, axis=0)
    maps = [slope, slope[:8, :8], slope[:4, :4], slope[:2, :2]]
    # 16 to 48 px are cells 4 to 12; four bins of two cells each have their middles at 5, 7, 9, 11
    (pooled,) = align(maps, np.array([[16, 16, 48, 48]], np.float32), 4, samples=2, canonical_px=224)
    assert pooled[:, :, 0].tolist() == [[5, 7, 9, 11]] * 4


def test_a_box_of_the_canonical_side_is_pooled_from_stride_16_and_of_half_of_it_from_8():
    sides = np.array([1, 55, 111, 112, 223, 224, 447, 448, 5000], np.float32)
    boxes = np.stack([sides * 0, sides * 0, sides, sides], axis=1)
    assert box_levels(boxes, 224).tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 3]
    assert box_levels(np.zeros((1, 4), np.float32), 224).tolist() == [0]


@pytest.mark.parametrize("score", [0.05, 0.4, 0.99])
def test_regions_are_torchvisions(score):
    net = build_maskrcnn(tiny_spec())
    heads, rule = net.roi_heads, net.spec.decoding
    generator = np.random.default_rng(4)
    proposals = random_boxes(120, 200, 150, seed=5)
    logits = generator.normal(0, 2, (120, 4)).astype(np.float32)
    offsets = generator.normal(0, 1, (120, 4, 4)).astype(np.float32)
    heads.score_thresh = score
    boxes, scores, labels = heads.postprocess_detections(
        torch.from_numpy(logits), torch.from_numpy(offsets).flatten(1), [torch.from_numpy(proposals)], [(150, 200)]
    )
    rule = type(rule)(rule.anchors, score_threshold=score, nms_iou=rule.nms_iou, max_detections=rule.max_detections)
    ours = decide_regions(proposals, logits, offsets, rule, page_size=(150, 200))
    assert ours[0] == pytest.approx(boxes[0].numpy(), abs=WITHIN_PX)
    assert ours[1] == pytest.approx(scores[0].numpy(), abs=1e-6)
    assert ours[2].tolist() == (labels[0] - 1).tolist()
    assert len(ours[0]) <= rule.max_detections


def test_no_proposals_make_no_regions():
    boxes, scores, labels = decide_regions(
        np.zeros((0, 4), np.float32),
        np.zeros((0, 4), np.float32),
        np.zeros((0, 4, 4), np.float32),
        tiny_spec().decoding,
        page_size=(50, 50),
    )
    assert (boxes.shape, scores.shape, labels.shape) == ((0, 4), (0,), (0,))
