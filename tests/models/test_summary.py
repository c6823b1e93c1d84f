"""Parameters, multiply-adds and receptive fields, held against torch's own counts and gradients."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ligera.models.catalogue import build, find
from ligera.models.names import parse
from ligera.models.priors import prior_boxes
from ligera.models.receptive import receptive_field_px
from ligera.models.specs import BackboneSpec, DetectorSpec
from ligera.models.summary import summarize


@pytest.mark.parametrize("name", ["face-small", "R12_V3_HS", "RetinaFace-mobile0.25"])
def test_multiply_adds_are_half_of_what_torch_counts_as_operations(name):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        build(name).eval()(torch.randn(1, 3, 64, 96))
    assert summarize(name, (64, 96)).macs * 2 == counter.get_total_flops()


def test_a_picture_of_twice_the_sides_costs_four_times_as_much():
    small, large = summarize("face", (64, 64)), summarize("face", (128, 128))
    assert large.macs == 4 * small.macs
    assert large.parameters == small.parameters
    assert large.priors == len(prior_boxes(128, 128, find("face").priors))


def test_counting_allocates_no_weights_in_the_network_that_is_built_next():
    summarize("face-small")
    assert next(build("face-small").parameters()).device.type == "cpu"


def seen_columns(output, strip):
    """Width in px of what ``output`` depends on, by its gradient."""
    (gradient,) = torch.autograd.grad(output.sum(), strip, retain_graph=True)
    columns = torch.nonzero(gradient.abs().sum(dim=(0, 1, 2))).flatten()
    return int(columns[-1] - columns[0]) + 1


def positive(spec):
    """A network in which every path has a positive gradient: nothing cancels, no maximum hides its rivals."""
    net = build(spec).eval()
    if spec.backbone.maxpool:
        net.backbone.pool = nn.AvgPool2d(3, 2, 1)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
    return net


MIXED = DetectorSpec(
    BackboneSpec(
        first_channels=4,
        stages=(
            ("S_5x5_MBV1Conv_4", "Zero_4"),
            ("S_5x5_MBConv3_4", "3x3_DKConv_4"),
            ("S_3x3_BottleNeckConv4_4", "3x3_KKConv_Mid_4"),
            ("S_3x3_DKConv_4",),
        ),
        shortcut="conv",
    ),
    pyramid_channels=4,
)


@pytest.mark.parametrize("spec", [find("face-small"), find("R12_V3_HS"), MIXED], ids=["face-small", "R12", "mixed"])
def test_receptive_fields_are_what_the_gradient_sees(spec):
    width, start, widest = 512, 0, []
    strip = torch.ones(1, 3, 32, width, requires_grad=True)
    rows = torch.cat(positive(spec)(strip), dim=2)[0]
    for stride, sizes in zip(spec.priors.strides, spec.priors.sizes, strict=True):
        middle = width // stride // 2
        cells = [start + c * len(sizes) for c in range(middle - 2, middle + 2)]
        widest.append(max(seen_columns(rows[cell], strip) for cell in cells))
        start += 32 // stride * (width // stride) * len(sizes)
    assert tuple(widest) == receptive_field_px(spec)


def test_a_wider_kernel_sees_more():
    def side(block):
        stages = ((block,), ("S_3x3_KKConv_8",), ("S_3x3_KKConv_8",), ("S_3x3_KKConv_8",))
        return receptive_field_px(DetectorSpec(BackboneSpec(first_channels=8, stages=stages)))[-1]

    assert parse("S_5x5_MBV1Conv_8").kernel == 5
    assert side("S_5x5_MBV1Conv_8") - side("S_3x3_MBV1Conv_8") == 4
