"""Backbones: what comes out after each stage, and what they are made of."""

import pytest
import torch
from torch import nn

from ligera.models.backbones.resnet import ResNet50
from ligera.models.backbones.staged import StagedBackbone
from ligera.models.catalogue import DETECTORS
from ligera.models.specs import BackboneSpec

STAGED = [name for name, spec in DETECTORS.items() if isinstance(spec.backbone, BackboneSpec) and name != "TT3_NoSE"]


def kinds(module, kind):
    return [m for m in module.modules() if isinstance(m, kind)]


@pytest.mark.parametrize("name", STAGED)
def test_features_have_strides_4_8_16_32_and_the_channels_that_the_spec_says(name):
    net = StagedBackbone(DETECTORS[name].backbone).eval()
    features = net(torch.randn(1, 3, 64, 96))
    assert [tuple(f.shape[2:]) for f in features] == [(16, 24), (8, 12), (4, 6), (2, 3)]
    assert tuple(f.shape[1] for f in features) == net.channels


def test_resnet_50_is_torchvisions_without_its_classifier():
    net = ResNet50().eval()
    assert sum(p.numel() for p in net.parameters()) == 25_557_032 - (2048 * 1000 + 1000)
    features = net(torch.randn(1, 3, 32, 64))
    assert [tuple(f.shape[1:]) for f in features] == [(256, 8, 16), (512, 4, 8), (1024, 2, 4), (2048, 1, 2)]


@pytest.mark.parametrize("name", ["R11_V2_HS", "R12_V3_HS", "J15_HS"])
def test_hard_swish_stands_in_stages_3_and_4_and_the_last_convolution_only(name):
    net = StagedBackbone(DETECTORS[name].backbone)
    for early in (net.stem, net.prestage, *net.stages[:2]):
        assert kinds(early, nn.LeakyReLU)
        assert not kinds(early, nn.Hardswish)
    for late in (*net.stages[2:], net.last):
        assert kinds(late, nn.Hardswish)
        assert not kinds(late, nn.LeakyReLU)


def test_shortcuts_follow_the_tables_of_the_paper():
    weak_cpu = StagedBackbone(DETECTORS["R11_V2_HS"].backbone)
    jetson = StagedBackbone(DETECTORS["J15_HS"].backbone)
    for stage in (*weak_cpu.stages, *jetson.stages[2:]):
        assert all(isinstance(block.shortcut, nn.Identity) for block in stage[1:])
    assert all(stage[0].shortcut is None for stage in weak_cpu.stages)
    assert [len(stage[0].shortcut) for stage in jetson.stages] == [1, 2, 2, 2]


def test_mobilenet_has_no_shortcuts_at_all():
    net = StagedBackbone(DETECTORS["RetinaFace-mobile0.25"].backbone)
    assert all(block.shortcut is None for stage in net.stages for block in stage)
