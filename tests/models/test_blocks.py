"""Blocks as modules: shapes, structure and the legality of attention and shortcuts."""

import pytest
import torch
from torch import nn

from ligera.errors import ModelError
from ligera.models.blocks import Block, EffectiveSqueezeExcite, SqueezeExcite, build_block
from ligera.models.layers import activation
from ligera.models.names import parse, space


def convolutions(module):
    return [m for m in module.modules() if isinstance(m, nn.Conv2d)]


def silence(block):
    """Make the body of a block give 0 everywhere."""
    for module in block.body.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.zeros_(module.weight)


@pytest.mark.parametrize("spec", list(space(8)), ids=str)
def test_every_block_keeps_the_shape_its_name_says(spec):
    block = build_block(spec, 8, "leaky_relu").eval()
    out = block(torch.randn(2, 8, 12, 16))
    assert out.shape == (2, 8, 12 // spec.stride, 16 // spec.stride)
    assert out.isfinite().all()


@pytest.mark.parametrize("spec", [s for s in space(16) if s.kind != "Zero" and not s.attention], ids=str)
def test_every_block_can_change_the_channels(spec):
    assert build_block(spec, 8, "relu").eval()(torch.randn(1, 8, 8, 8)).shape[1] == 16


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("3x3_KKConv_16", [(16, 8, 3, 3), (16, 16, 3, 3)]),
        ("3x3_KKConv_Mid_16", [(16, 8, 3, 3)]),
        ("3x3_DKConv_16", [(8, 8, 1, 1), (16, 8, 3, 3)]),
        ("S_3x3_DKConv_16", [(16, 8, 3, 3)]),
        ("5x5_BottleNeckConv4_16", [(4, 8, 1, 1), (4, 4, 5, 5), (16, 4, 1, 1)]),
        ("5x5_MBV1Conv_16", [(8, 1, 5, 5), (16, 8, 1, 1)]),
        ("3x3_MBConv6_16", [(48, 8, 1, 1), (48, 1, 3, 3), (16, 48, 1, 1)]),
    ],
)
def test_a_block_consists_of_the_convolutions_of_the_paper(name, shapes):
    assert [tuple(conv.weight.shape) for conv in convolutions(build_block(parse(name), 8, "relu"))] == shapes


@pytest.mark.parametrize("attention", ["SE", "eSE"])
@pytest.mark.parametrize(
    ("block", "after", "width"),
    [("MBV1Conv", 1, 16), ("MBConv3", 2, 48), ("BottleNeckConv4", 2, 4), ("KKConv", 2, 16), ("DKConv", 2, 16)],
)
def test_attention_stands_where_the_paper_puts_it(attention, block, after, width):
    body = build_block(parse(f"{attention}_3x3_{block}_16"), 16, "relu").body
    kind = SqueezeExcite if attention == "SE" else EffectiveSqueezeExcite
    assert [place for place, module in enumerate(body) if isinstance(module, kind)] == [after]
    assert convolutions(body[after])[-1].out_channels == width


@pytest.mark.parametrize("attention", ["SE", "eSE"])
def test_attention_needs_as_many_channels_in_as_out(attention):
    with pytest.raises(ModelError, match="as many channels in as out"):
        build_block(parse(f"{attention}_3x3_KKConv_16"), 8, "relu")


@pytest.mark.parametrize("module", [SqueezeExcite(8), EffectiveSqueezeExcite(8)])
def test_attention_scales_whole_channels_between_nothing_and_all(module):
    x = torch.rand(1, 8, 4, 4) + 0.5
    share = module(x) / x
    assert ((share >= 0) & (share <= 1)).all()
    assert torch.allclose(share, share[:, :, :1, :1].expand_as(share))


def test_an_identity_shortcut_adds_the_input_before_the_last_activation():
    block = Block(parse("3x3_KKConv_8"), 8, "relu", "Identity")
    silence(block)
    x = torch.randn(1, 8, 6, 6)
    assert torch.equal(block(x), x.relu())


def test_an_inverted_residual_ends_without_activation():
    block = Block(parse("3x3_MBConv3_8"), 8, "relu", "Identity")
    silence(block)
    x = torch.randn(1, 8, 6, 6)
    assert torch.equal(block(x), x)


def test_a_convolution_shortcut_pools_first_where_the_stride_is_two():
    pooled = Block(parse("S_3x3_KKConv_16"), 8, "relu", "1x1_Conv_Pool")
    plain = Block(parse("3x3_KKConv_16"), 8, "relu", "1x1_Conv")
    assert isinstance(pooled.shortcut[0], nn.AvgPool2d)
    assert [conv.kernel_size for conv in convolutions(pooled.shortcut)] == [(1, 1)]
    assert pooled(torch.randn(1, 8, 8, 8)).shape == (1, 16, 4, 4)
    assert plain(torch.randn(1, 8, 8, 8)).shape == (1, 16, 8, 8)


@pytest.mark.parametrize(
    ("name", "shortcut"),
    [
        ("S_3x3_KKConv_8", "Identity"),
        ("3x3_KKConv_16", "Identity"),
        ("S_3x3_KKConv_8", "1x1_Conv"),
        ("3x3_KKConv_8", "1x1_Conv_Pool"),
    ],
)
def test_a_shortcut_that_does_not_fit_is_refused(name, shortcut):
    with pytest.raises(ModelError, match="shortcut"):
        build_block(parse(name), 8, "relu", shortcut)


def test_zero_hands_its_input_on():
    x = torch.randn(1, 8, 4, 4)
    assert build_block(parse("Zero_8"), 8, "relu")(x) is x
    with pytest.raises(ModelError):
        build_block(parse("Zero_8"), 16, "relu")


def test_a_name_with_an_input_shape_is_held_to_its_channels():
    with pytest.raises(ModelError, match="says 8 channels in"):
        build_block(parse("3x3_KKConv_16_8x40x40"), 12, "relu")


def test_the_leaky_slope_is_a_tenth():
    assert activation("leaky_relu")(torch.tensor([-1.0])).item() == pytest.approx(-0.1)


@pytest.mark.parametrize("name", ["3x3_MBV1Conv_32", "3x3_KKConv_32", "3x3_MBConv3_32"])
def test_fresh_weights_neither_fade_nor_explode(name):
    torch.manual_seed(0)
    first = convolutions(build_block(parse(name), 32, "relu").body[0])[0]
    x = torch.randn(4, 32, 16, 16)
    assert 0.5 < first(x).std().item() < 2.5
