"""Every detector of the catalogue: the contract that losses, decoding and runtimes rely on."""

import functools

import numpy as np
import pytest
import torch
from torch import nn

from ligera.models.catalogue import DETECTORS, build
from ligera.models.priors import prior_boxes
from ligera.models.retinaface import RawOutputs
from ligera.models.specs import BackboneSpec, DetectorSpec
from ligera.records import PriorSpec

built = functools.cache(build)

TINY = BackboneSpec(
    first_channels=4,
    stages=(("S_3x3_KKConv_Mid_4",), ("S_3x3_KKConv_Mid_8",), ("S_3x3_KKConv_Mid_8",), ("S_3x3_KKConv_Mid_8",)),
)


def tiny(**changes):
    return build(DetectorSpec(TINY, pyramid_channels=8, **changes))


@pytest.mark.parametrize("size", [(32, 64), (96, 64)])
@pytest.mark.parametrize("name", DETECTORS)
def test_raw_outputs_have_one_finite_row_for_each_prior(name, size):
    net, spec = built(name).eval(), DETECTORS[name]
    with torch.no_grad():
        raw = net(torch.randn(2, 3, *size))
    count = len(prior_boxes(*size, spec.priors))
    assert isinstance(raw, RawOutputs)
    assert [tuple(part.shape) for part in raw] == [(2, count, 4), (2, count, spec.score_channels), (2, count, 10)]
    assert all(part.isfinite().all() for part in raw)


@pytest.mark.parametrize("name", ["face-small", "face", "R12_V3_HS", "RetinaFace-mobile0.25"])
def test_training_returns_the_same_type_and_reaches_every_parameter(name):
    net = build(name).train()
    raw = net(torch.randn(2, 3, 32, 64))
    assert isinstance(raw, RawOutputs)
    sum(part.square().sum() for part in raw).backward()
    assert [key for key, p in net.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


def test_pyramid_levels_may_each_have_their_own_width():
    net = build(DetectorSpec(TINY, pyramid_channels=(4, 8, 12), context="conv")).eval()
    seen = []
    for head in net.heads:
        head.register_forward_pre_hook(lambda _head, inputs: seen.append(tuple(inputs[0].shape[1:])))
    net(torch.randn(1, 3, 64, 64))
    assert seen == [(4, 8, 8), (8, 4, 4), (12, 2, 2)]


class WhereIAm(nn.Module):
    """Stands in for a head: the box channels of each prior carry its cell's centre, stride and its index."""

    def __init__(self, stride, priors):
        super().__init__()
        self.stride, self.priors = stride, priors

    def forward(self, x):
        height, width = x.shape[2:]
        y, by_x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
        parts = []
        for place in range(self.priors):
            tags = [by_x * self.stride, y * self.stride, torch.full_like(y, self.stride), torch.full_like(y, place)]
            parts += [torch.stack(tags), torch.zeros(12, height, width)]
        return torch.cat(parts)[None].expand(x.shape[0], -1, -1, -1)


def test_rows_stand_in_the_order_of_the_priors():
    priors = PriorSpec(sizes=((16, 24, 32), (64, 128), (256,)))
    net = tiny(priors=priors).eval()
    net.heads = nn.ModuleList(WhereIAm(s, len(z)) for s, z in zip(priors.strides, priors.sizes, strict=True))
    rows = net(torch.zeros(1, 3, 64, 96)).boxes[0].numpy()
    expected = prior_boxes(64, 96, priors)
    assert np.array_equal(rows[:, :2], expected[:, :2])
    sizes = dict(zip(priors.strides, priors.sizes, strict=True))
    assert [sizes[int(stride)][int(place)] for stride, place in rows[:, 2:]] == expected[:, 2].tolist()


def test_box_score_and_landmark_channels_are_not_mixed_up():
    net = tiny().eval()
    for head in net.heads:
        nn.init.zeros_(head.weight)
        head.bias.data = torch.arange(32.0)
    raw = net(torch.zeros(1, 3, 32, 32))
    for prior in (0, 1):
        first = 16.0 * prior
        assert raw.boxes[0, prior].tolist() == [first + i for i in range(4)]
        assert raw.scores[0, prior].tolist() == [first + 4, first + 5]
        assert raw.landmarks[0, prior].tolist() == [first + 6 + i for i in range(10)]


@pytest.mark.parametrize("name", ["face-small", "face"])
def test_a_sigmoid_detector_starts_out_expecting_one_face_in_a_hundred_priors(name):
    torch.manual_seed(0)
    scores = build(name).eval()(torch.randn(1, 3, 64, 64)).scores.sigmoid()
    assert scores.mean().item() == pytest.approx(0.01, rel=0.3)


def test_pictures_of_a_batch_do_not_influence_each_other():
    net = built("face-small").eval()
    pictures = torch.randn(2, 3, 64, 64)
    together = net(pictures)
    for i in range(2):
        for whole, single in zip(together, net(pictures[i : i + 1]), strict=True):
            assert torch.allclose(whole[i], single[0], atol=1e-5)


@pytest.mark.parametrize("context", ["ssh", "conv", "none"])
@pytest.mark.parametrize(("stages", "strides"), [((1, 2, 3, 4), (4, 8, 16, 32)), ((3, 4), (16, 32)), ((2,), (8,))])
def test_any_run_of_stages_can_feed_the_pyramid(context, stages, strides):
    priors = PriorSpec(strides=strides, sizes=((16,),) * len(strides))
    net = tiny(pyramid_stages=stages, priors=priors, context=context).eval()
    assert net(torch.zeros(1, 3, 64, 32)).boxes.shape[1] == len(prior_boxes(64, 32, priors))


def test_sides_that_32_does_not_divide_are_refused():
    with pytest.raises(ValueError, match="sides that 32 divides, got 60x64 px"):
        tiny()(torch.zeros(1, 3, 60, 64))


def test_a_traced_network_works_at_other_sizes():
    net = built("R12_V3_HS").eval()
    with torch.no_grad():
        program = torch.export.export(
            net,
            (torch.randn(1, 3, 64, 96),),
            dynamic_shapes={"pictures": {2: 32 * torch.export.Dim("rows"), 3: 32 * torch.export.Dim("columns")}},
        ).module()
        pictures = torch.randn(1, 3, 128, 64)
        for traced, eager in zip(program(pictures), net(pictures), strict=True):
            assert torch.allclose(traced, eager, atol=1e-5)
