"""Anchors in numpy against torchvision's generator, and how well the page anchors meet real regions."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models.detection.image_list import ImageList

from ligera.boxes import iou
from ligera.models.anchors import anchor_boxes, anchor_counts, anchor_recall, cell_anchors
from ligera.models.layout_catalogue import LAYOUT_DETECTORS, PAGE_ANCHORS
from ligera.models.maskrcnn import build_maskrcnn

PAGES = Path(__file__).parents[3] / "shared" / "data" / "manuscripts"
SQUARES = (((16, 16),), ((32, 32),), ((64, 64),), ((128, 128),))


@pytest.mark.parametrize("size", [(64, 96), (160, 32)])
def test_anchors_are_torchvisions_in_its_order(size):
    spec = LAYOUT_DETECTORS["layout-small"]
    with torch.device("meta"):
        generator = build_maskrcnn(spec).rpn.anchor_generator
    assert generator.num_anchors_per_location() == [4, 4, 4, 4]
    generator.cell_anchors = [torch.from_numpy(cell_anchors(sides)) for sides in spec.decoding.anchors]
    maps = [torch.zeros(1, 1, size[0] // stride, size[1] // stride) for stride in (4, 8, 16, 32)]
    (expected,) = generator(ImageList(torch.zeros(1, 3, *size), [size]), maps)
    ours = anchor_boxes(*size, spec.decoding.anchors)
    assert np.array_equal(ours, expected.numpy())
    assert len(ours) == sum(anchor_counts(*size, spec.decoding.anchors))


def test_the_network_is_built_with_the_anchors_of_its_spec():
    spec = LAYOUT_DETECTORS["layout-small"]
    generator = build_maskrcnn(spec).rpn.anchor_generator
    for own, sides in zip(generator.cell_anchors, spec.decoding.anchors, strict=True):
        assert (own[:, 2:] - own[:, :2]).numpy() == pytest.approx(np.array(sides), abs=1e-4)


def test_cached_anchors_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        anchor_boxes(32, 32, SQUARES)[0, 0] = 1


def test_recall_counts_boxes_that_some_anchor_overlaps_enough():
    exact = np.array([[-8, -8, 8, 8], [56, 24, 72, 40]], np.float32)
    elsewhere = np.array([[200, 200, 700, 210]], np.float32)
    recall = anchor_recall([(exact, (64, 96)), (elsewhere, (256, 704))], SQUARES)
    assert recall.recall == pytest.approx(2 / 3)
    assert recall.boxes == 3


def test_the_best_anchor_is_the_one_that_holding_every_anchor_against_a_box_finds():
    generator = np.random.default_rng(0)
    corners = generator.uniform(-10, 100, (40, 2))
    boxes = np.concatenate([corners, corners + generator.uniform(4, 90, (40, 2))], axis=1).astype(np.float32)
    best = iou(boxes, anchor_boxes(96, 128, PAGE_ANCHORS)).max(axis=1)
    for threshold in (0.3, 0.5, 0.7):
        found = anchor_recall([(boxes, (90, 120))], PAGE_ANCHORS, threshold=threshold)
        assert found.recall == pytest.approx((best >= threshold).mean())
        assert found.mean_iou == pytest.approx(best.mean(), abs=1e-5)


def test_recall_of_no_boxes_is_refused():
    with pytest.raises(ValueError, match="at least one box"):
        anchor_recall([(np.zeros((0, 4)), (64, 64))], SQUARES)


def real_pages(split, side):
    if not PAGES.is_dir():
        pytest.skip("the manuscript pages are not at ../shared/data/manuscripts")
    annotations = json.loads((PAGES / split / "annotations.json").read_text(encoding="utf-8"))
    for image in annotations["images"]:
        factor = side / max(image["height"], image["width"])
        boxes = [a["bbox"] for a in annotations["annotations"] if a["image_id"] == image["id"]]
        boxes = np.array(boxes, np.float32) * factor
        boxes[:, 2:] += boxes[:, :2]
        yield boxes, (round(image["height"] * factor), round(image["width"] * factor))


@pytest.mark.parametrize("split", ["train", "val"])
def test_page_anchors_meet_staves_lyrics_and_capitals_where_the_usual_ones_do_not(split):
    usual = tuple(
        tuple((size * ratio**-0.5, size * ratio**0.5) for ratio in (0.5, 1, 2)) for size in (32, 64, 128, 256)
    )
    pages = list(real_pages(split, 1024))
    assert anchor_recall(pages, PAGE_ANCHORS).recall > 0.95
    assert anchor_recall(pages, PAGE_ANCHORS, threshold=0.7).recall > 0.5
    assert anchor_recall(pages, usual).recall < 0.4
