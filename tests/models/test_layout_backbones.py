"""The ten backbones of paper B against its tables, counted by hand, and ResNet-50a against torchvision's ResNet-50."""

import functools
import math

import pytest
import torch
from torch import nn
from torchvision.models import resnet50

from ligera.models.backbones.resnet import ResNet, ResNet50
from ligera.models.backbones.vovnet import OneShotAggregation, VoVNet
from ligera.models.layout_catalogue import BACKBONES
from ligera.models.layout_specs import ResNetSpec, VoVNetSpec
from ligera.models.layout_summary import summarize_backbone, summarize_layout
from ligera.models.maskrcnn import build_backbone

SIZE = (64, 96)

# Tables 3.1 and 3.2, written out once more: stem, and bottlenecks or (modules, convolutions in each) of every stage.
RESNETS = {
    "ResNet-31": ("A", (2, 3, 2, 3)),
    "ResNet-50a": ("A", (3, 4, 6, 3)),
    "ResNet-50b": ("B", (3, 4, 6, 3)),
    "ResNet-50c": ("C", (3, 4, 6, 3)),
    "ResNet-101": ("A", (3, 4, 23, 3)),
}
VOVNETS = {
    "VoVNet-19-lite": ((1, 1, 1, 1), 3),
    "VoVNet-19": ((1, 1, 1, 1), 3),
    "VoVNet-39": ((1, 1, 2, 2), 5),
    "VoVNet-57": ((1, 1, 4, 3), 5),
    "VoVNet-99": ((1, 3, 8, 3), 5),
}


class Count:
    """Adds up convolutions without bias, each with its batch norm, from nothing but their sizes."""

    def __init__(self, size):
        self.cells, self.parameters, self.macs, self.layers = math.prod(size), 0, 0, 0

    def conv(self, kernel, channels_in, channels_out, stride):
        weights = kernel * kernel * channels_in * channels_out
        self.parameters += weights + 2 * channels_out
        self.macs += weights * (self.cells // stride**2)
        self.layers += 1


def by_hand_resnet(stem, blocks):
    count = Count(SIZE)
    if stem in "AC":
        count.conv(7, 3, 64, 2)
    if stem in "BC":
        count.conv(3, 3, 64, 2)
        count.conv(3, 64, 64, 2)
        count.conv(3, 64, 64, 2)
    channels, stride = 64, 4
    for place, (number, middle) in enumerate(zip(blocks, (64, 128, 256, 512), strict=True)):
        for block in range(number):
            before, stride = stride, 4 * 2**place
            count.conv(1, channels, middle, before)
            count.conv(3, middle, middle, stride)
            count.conv(1, middle, 4 * middle, stride)
            if block == 0:
                count.conv(1, channels, 4 * middle, stride)
                count.layers -= 1  # names of ResNets do not count shortcuts
            channels = 4 * middle
    return count


def by_hand_vovnet(modules, layers):
    count = Count(SIZE)
    count.conv(3, 3, 64, 2)
    count.conv(3, 64, 64, 2)
    count.conv(3, 64, 128, 4)
    channels = 128
    for place, (number, width, out) in enumerate(
        zip(modules, (128, 160, 192, 224), (256, 512, 768, 1024), strict=True)
    ):
        stride = 4 * 2**place
        for _ in range(number):
            count.conv(3, channels, width, stride)
            for _ in range(layers - 1):
                count.conv(3, width, width, stride)
            count.conv(1, channels + layers * width, out, stride)
            channels = out
    return count


def by_hand(name):
    return by_hand_resnet(*RESNETS[name]) if name in RESNETS else by_hand_vovnet(*VOVNETS[name])


@functools.cache
def on_meta(name):
    with torch.device("meta"):
        return build_backbone(BACKBONES[name]).eval()


@pytest.mark.parametrize("name", BACKBONES)
def test_features_stand_at_strides_4_to_32(name):
    height, width = SIZE
    features = on_meta(name)(torch.empty(2, 3, height, width, device="meta"))
    channels = (256, 512, 1024, 2048) if name in RESNETS else (256, 512, 768, 1024)
    expected = [(2, c, height // s, width // s) for c, s in zip(channels, (4, 8, 16, 32), strict=True)]
    assert [tuple(feature.shape) for feature in features] == expected
    assert on_meta(name).channels == channels


@pytest.mark.parametrize("name", BACKBONES)
def test_parameters_and_multiply_adds_are_those_of_the_table_by_hand(name):
    summary, expected = summarize_backbone(name, SIZE), by_hand(name)
    assert summary.parameters == expected.parameters
    assert summary.macs == expected.macs


@pytest.mark.parametrize("name", BACKBONES)
def test_convolutions_are_as_many_as_the_table_has(name):
    shortcuts = 4 if name in RESNETS else 0
    convolutions = sum(isinstance(module, nn.Conv2d) for module in on_meta(name).modules())
    assert convolutions - shortcuts == by_hand(name).layers


@pytest.mark.parametrize(
    ("name", "layers"),
    # The paper counts 50, 52 and 53 for stems A to C, one more than there are; 99 would need nine modules in stage 4.
    [
        *(("ResNet-31", 31), ("ResNet-50a", 49), ("ResNet-50b", 51), ("ResNet-50c", 52), ("ResNet-101", 100)),
        *(("VoVNet-19", 19), ("VoVNet-39", 39), ("VoVNet-57", 57), ("VoVNet-99", 93)),
    ],
)
def test_the_name_counts_the_convolutions(name, layers):
    assert by_hand(name).layers == layers


def test_resnet_50_has_the_parameters_of_torchvisions_without_its_classifier():
    with torch.device("meta"):
        original = resnet50(weights=None)
    classifier = sum(p.numel() for p in original.fc.parameters())
    total = sum(p.numel() for p in original.parameters())
    assert summarize_backbone("ResNet-50a", SIZE).parameters == total - classifier


@pytest.fixture(scope="module")
def pair():
    """torchvision's ResNet-50 and ours with its weights and running statistics."""
    torch.manual_seed(0)
    original = resnet50(weights=None).eval()
    for module in original.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    ours = ResNet(BACKBONES["ResNet-50a"]).eval()
    missing = ours.load_state_dict(original.state_dict(), strict=False)
    assert missing.missing_keys == []
    assert missing.unexpected_keys == ["fc.weight", "fc.bias"]
    return original, ours


def original_stages(original, x):
    features = []
    for stage in (original.layer1, original.layer2, original.layer3, original.layer4):
        x = stage(x)
        features.append(x)
    return features


def test_resnet_50a_is_torchvisions_from_the_pooling_on(pair):
    original, ours = pair
    x = torch.rand(1, 64, 16, 24)
    with torch.no_grad():
        for expected, got in zip(original_stages(original, x), ours.stages(x), strict=True):
            assert torch.equal(got, expected)


def test_resnet_50a_is_torchvisions_up_to_the_pooling(pair):
    original, ours = pair
    x = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        before = original.relu(original.bn1(original.conv1(x)))
        expected = nn.functional.avg_pool2d(before, 3, 2, 1, count_include_pad=False)
        assert torch.equal(ours(x)[3], ours.stages(expected)[3])


def test_with_the_maximum_for_a_pool_it_is_torchvisions_throughout(pair):
    original, _ = pair
    ours = ResNet50().eval()
    ours.load_state_dict(original.state_dict(), strict=False)
    x = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        stem = original.maxpool(original.relu(original.bn1(original.conv1(x))))
        for expected, got in zip(original_stages(original, stem), ours(x), strict=True):
            assert torch.equal(got, expected)


@pytest.mark.parametrize("stem", ["A", "B", "C"])
def test_every_stem_reaches_the_stages_and_learns(stem):
    net = ResNet(ResNetSpec((1, 1, 1, 1), stem=stem)).train()
    sum(feature.square().mean() for feature in net(torch.rand(2, 3, 64, 64))).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_padding_does_not_darken_the_average_at_the_border():
    net = ResNet(ResNetSpec((1, 1, 1, 1)))
    assert torch.allclose(net.pool(torch.ones(1, 64, 8, 8)), torch.ones(1, 64, 4, 4))


def test_an_aggregation_concatenates_its_input_and_every_output_once():
    module = OneShotAggregation(8, 4, 3, 16).eval()
    seen = {}
    module.join[0].register_forward_hook(lambda _module, inputs, _output: seen.update(joined=inputs[0]))
    x = torch.rand(1, 8, 6, 6)
    with torch.no_grad():
        module(x)
        parts = [x]
        for layer in module.layers:
            parts.append(layer(parts[-1]))
    assert torch.equal(seen["joined"], torch.cat(parts, dim=1))
    assert seen["joined"].shape[1] == 8 + 3 * 4


def test_a_slim_vovnet_learns_in_all_its_parts():
    net = VoVNet(VoVNetSpec((1, 2, 1, 1), 2, (4, 4, 8), (4, 4, 4, 4), (8, 8, 8, 8))).train()
    sum(feature.square().mean() for feature in net(torch.rand(2, 3, 64, 64))).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


@pytest.mark.parametrize("size", [(0, 32), (32, 33), (-32, 32)])
def test_a_summary_of_a_size_that_32_does_not_divide_is_refused(size):
    with pytest.raises(ValueError, match="sides that 32 divides"):
        summarize_backbone("VoVNet-19", size)
    with pytest.raises(ValueError, match="sides that 32 divides"):
        summarize_layout("layout-small", size)


def test_a_layout_detectors_cost_grows_with_the_page_the_proposals_and_the_regions():
    one, two = summarize_layout("layout-small", (64, 96)), summarize_layout("layout-small", (128, 96))
    assert two.page_macs == 2 * one.page_macs
    assert (two.proposal_macs, two.region_macs) == (one.proposal_macs, one.region_macs)
    more = summarize_layout("layout-small", (64, 96), regions=41)
    assert more.macs - one.macs == one.region_macs
    assert one.macs == one.page_macs + 200 * one.proposal_macs + 40 * one.region_macs


def test_the_box_head_of_a_proposal_is_its_two_dense_layers_and_two_answers():
    # 64 channels of 7 x 7 -> 256 -> 256 -> 4 logits and 16 offsets
    expected = 64 * 49 * 256 + 256 * 256 + 256 * 4 + 256 * 16
    assert summarize_layout("layout-small", (64, 96)).proposal_macs == expected
