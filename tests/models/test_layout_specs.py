"""Specs of layout detectors check themselves, and scale with the page."""

from dataclasses import replace

import numpy as np
import pytest

from ligera.errors import ModelError, UsageError
from ligera.models.layout_catalogue import BACKBONES, LAYOUT_DETECTORS, find_backbone, find_layout
from ligera.models.layout_specs import RegionDecoding, ResNetSpec, VoVNetSpec
from ligera.records import Preprocess

ONE_ANCHOR = (((8.0, 8.0),),) * 4
SMALL = LAYOUT_DETECTORS["layout-small"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ResNetSpec((3, 4, 6)), "resnet: blocks: expected 4 numbers above 0"),
        (lambda: ResNetSpec((3, 4, 6, 3), stem="D"), "expected stem A, B or C"),
        (lambda: ResNetSpec((3, 4, 6, 3), pool="none"), "pool average or max"),
        (lambda: VoVNetSpec((1, 1, 1, 0), 3), "vovnet: modules"),
        (lambda: VoVNetSpec((1, 1, 1, 1), 0), "vovnet: layers"),
        (lambda: VoVNetSpec((1, 1, 1, 1), 3, stem=(64, 64)), "vovnet: stem: expected 3 numbers"),
        (lambda: RegionDecoding(ONE_ANCHOR[:3]), "anchors: expected 4 levels"),
        (lambda: RegionDecoding((*ONE_ANCHOR[:3], ((8, 8), (4, 4)))), "the same number of anchors"),
        (lambda: RegionDecoding((*ONE_ANCHOR[:3], ((8, 0),))), "anchors: width and height"),
        (lambda: RegionDecoding(ONE_ANCHOR, proposals=10**9), "proposals: expected 1 to"),
        (lambda: RegionDecoding(ONE_ANCHOR, box_pool=0), "box_pool: expected 1 to"),
        (lambda: RegionDecoding(ONE_ANCHOR, canonical_px=0), "canonical_px"),
        (lambda: RegionDecoding(ONE_ANCHOR, canonical_px=float("nan")), "canonical_px"),
        (lambda: RegionDecoding(ONE_ANCHOR, nms_iou=1.5), "nms_iou: expected 0 to 1"),
        (lambda: replace(SMALL, classes=0), "classes: expected numbers above 0"),
        (lambda: replace(SMALL, preprocess=Preprocess()), "preprocess: expected a max_side"),
        (lambda: replace(SMALL, preprocess=Preprocess(max_side=640, multiple=8)), "a multiple of 32 px"),
        (lambda: replace(SMALL, preprocess=Preprocess(max_side=640, channels="bgr")), "expected RGB"),
    ],
)
def test_a_spec_that_cannot_be_built_says_what_it_expected(make, message):
    with pytest.raises(ModelError, match=message):
        make()


def test_the_ten_backbones_and_a_small_detector_are_there():
    assert list(BACKBONES) == [
        *("ResNet-31", "ResNet-50a", "ResNet-50b", "ResNet-50c", "ResNet-101"),
        *("VoVNet-19-lite", "VoVNet-19", "VoVNet-39", "VoVNet-57", "VoVNet-99"),
    ]
    assert list(LAYOUT_DETECTORS) == ["layout-small", *BACKBONES]


def test_a_misspelt_name_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'VoVNet-39'"):
        find_layout("VovNet-39")
    with pytest.raises(UsageError, match="did you mean 'ResNet-50a'"):
        find_backbone("Resnet-50a")


def test_lite_is_the_same_backbone_under_half_the_pyramid():
    lite, full = find_layout("VoVNet-19-lite"), find_layout("VoVNet-19")
    assert lite.backbone == full.backbone
    assert (lite.pyramid_channels, full.pyramid_channels) == (128, 256)


def test_a_smaller_page_has_smaller_anchors():
    half = SMALL.resized(384)
    assert half.preprocess.max_side == 384
    assert half.decoding.canonical_px == SMALL.decoding.canonical_px / 2
    assert 2 * np.array(half.decoding.anchors) == pytest.approx(np.array(SMALL.decoding.anchors), abs=0.11)


def test_resizing_keeps_a_least_side_within_the_largest():
    bounded = replace(SMALL, preprocess=replace(SMALL.preprocess, min_side=600)).resized(256)
    assert bounded.preprocess.min_side == 200
