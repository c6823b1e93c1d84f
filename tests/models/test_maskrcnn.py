"""Mask R-CNN around our backbones: what goes in and out, bounded pages, strides that no first page can bend."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from ligera.errors import MissingExtra
from ligera.models.layout_catalogue import LAYOUT_DETECTORS, build_layout
from ligera.models.layout_specs import MaskRCNNSpec, ResNetSpec, VoVNetSpec
from ligera.models.maskrcnn import BoundedInput, build_maskrcnn
from ligera.models.preprocess import prepare
from ligera.records import Preprocess

SLIM = VoVNetSpec((1, 1, 1, 1), 1, (4, 4, 8), (8, 8, 8, 8), (8, 8, 8, 8))


def tiny(**changes) -> MaskRCNNSpec:
    """``layout-small`` for pages of 96 px, with a handful of channels."""
    spec = LAYOUT_DETECTORS["layout-small"].resized(96)
    decoding = replace(spec.decoding, candidates=50, proposals=30, max_detections=10, score_threshold=0.0)
    narrow = {"backbone": SLIM, "pyramid_channels": 8, "box_channels": 16, "mask_channels": 8, "mask_layers": 1}
    return replace(spec, decoding=decoding, train_proposals=50, box_samples=32, **(narrow | changes))


def target(count=2, size=(64, 96)):
    boxes = torch.tensor([[4.0, 6, 80, 14], [10, 20, 20, 40]])[:count]
    masks = torch.zeros(count, *size, dtype=torch.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
        mask[y1:y2, x1:x2] = 1
    return {"boxes": boxes, "labels": torch.arange(1, count + 1), "masks": masks}


@pytest.fixture(autouse=True)
def _same_chance():
    torch.manual_seed(0)


@pytest.mark.parametrize("backbone", [SLIM, ResNetSpec((1, 1, 1, 1), stem="C")], ids=["vovnet", "resnet"])
def test_training_returns_five_losses_that_reach_every_parameter(backbone):
    net = build_maskrcnn(tiny(backbone=backbone)).train()
    pages = [torch.rand(3, 64, 96), torch.rand(3, 60, 90)]
    losses = net(pages, [target(), target(1, (60, 90))])
    assert set(losses) == {"loss_classifier", "loss_box_reg", "loss_mask", "loss_objectness", "loss_rpn_box_reg"}
    total = sum(losses.values())
    assert total.isfinite()
    total.backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


def test_a_page_without_regions_still_trains():
    empty = {
        "boxes": torch.zeros(0, 4),
        "labels": torch.zeros(0, dtype=torch.int64),
        "masks": torch.zeros(0, 64, 96, dtype=torch.uint8),
    }
    losses = build_maskrcnn(tiny()).train()([torch.rand(3, 64, 96)], [empty])
    assert all(loss.isfinite() for loss in losses.values())


def test_eval_returns_regions_in_pixels_of_each_page_however_large_it_is():
    net = build_maskrcnn(tiny()).eval()
    with torch.no_grad():
        small, large = net([torch.rand(3, 50, 70), torch.rand(3, 300, 200)])
    for found, (height, width) in ((small, (50, 70)), (large, (300, 200))):
        count = len(found["boxes"])
        assert 0 < count <= 10
        assert found["masks"].shape == (count, 1, height, width)
        assert set(found["labels"].tolist()) <= {1, 2, 3}
        assert (found["boxes"][:, 2:] <= torch.tensor([width, height]) + 1e-3).all()
    assert large["boxes"].max() > 96


def test_it_learns_one_page_by_heart():
    net = build_maskrcnn(tiny()).train()
    page, wanted = torch.rand(3, 64, 96) * 0.2 + 0.8, target()
    page[:, 6:14, 4:80] = 0.2
    page[0, 20:40, 10:20] = 0.1
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    curve = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = sum(net([page], [wanted]).values())
        loss.backward()
        optimizer.step()
        curve.append(loss.item())
    assert np.mean(curve[-5:]) < 0.5 * np.mean(curve[:5])


def test_a_page_within_bounds_enters_as_it_is_and_in_the_same_numbers_as_prepared_for_a_runtime():
    rule = Preprocess(mean=(180, 165, 140), scale=(1 / 64, 1 / 60, 1 / 50), max_side=96)
    pixels = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    images, _ = BoundedInput(rule)([torch.from_numpy(pixels).permute(2, 0, 1) / 255])
    batch, _ = prepare(pixels, rule)
    assert images.image_sizes == [(50, 70)]
    assert torch.allclose(images.tensors, torch.from_numpy(batch), atol=1e-5)


def test_a_page_beyond_bounds_is_shrunk_with_its_regions():
    wanted = {
        "boxes": torch.tensor([[20.0, 40, 100, 80]]),
        "masks": torch.zeros(1, 200, 400, dtype=torch.uint8),
        "labels": torch.ones(1, dtype=torch.int64),
    }
    wanted["masks"][0, 40:80, 20:100] = 1
    images, (scaled,) = BoundedInput(Preprocess(max_side=100))([torch.rand(3, 200, 400)], [wanted])
    assert images.image_sizes == [(50, 100)]
    assert images.tensors.shape == (1, 3, 64, 128)
    assert scaled["boxes"].tolist() == [[5, 10, 25, 20]]
    assert scaled["masks"].shape == (1, 50, 100)
    assert int(scaled["masks"].sum()) == 20 * 10
    assert wanted["boxes"].tolist() == [[20, 40, 100, 80]]


def test_thin_lines_survive_a_page_being_shrunk():
    page = torch.ones(3, 400, 400)
    page[:, ::8] = 0
    images, _ = BoundedInput(Preprocess(max_side=100))([page])
    rows = images.tensors[0, 0, :100, 50] / 255
    # a line in eight px of paper, seen at a quarter of the size: never lost, never solid
    assert rows.std() < 0.2
    assert float(rows.mean()) == pytest.approx(7 / 8, abs=0.02)


def test_the_first_page_that_is_seen_does_not_decide_the_strides():
    net, other = (build_maskrcnn(tiny()).eval() for _ in range(2))
    other.load_state_dict(net.state_dict())
    page = torch.rand(3, 96, 64)
    with torch.no_grad():
        other([torch.rand(3, 9, 7)])
        (expected,), (got,) = net([page]), other([page])
    assert torch.equal(expected["boxes"], got["boxes"])


@pytest.mark.parametrize("name", LAYOUT_DETECTORS)
def test_every_detector_of_the_catalogue_can_be_built(name):
    with torch.device("meta"):
        net = build_layout(name)
    assert net.spec is LAYOUT_DETECTORS[name]
    assert net.backbone.out_channels == net.spec.pyramid_channels
    assert net.roi_heads.detections_per_img >= 60


def test_layout_small_is_small():
    with torch.device("meta"):
        parameters = sum(p.numel() for p in build_layout("layout-small").parameters())
    assert parameters < 2.5e6  # 5 MB with weights in 16 bits


@pytest.mark.parametrize("package", ["torch", "torchvision"])
def test_without_its_package_a_network_names_the_extra_to_install(monkeypatch, package):
    monkeypatch.delitem(sys.modules, "ligera.models.maskrcnn")
    for module in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf"needs {package}, .*ligera\[train\]"):
        build_layout("layout-small")
