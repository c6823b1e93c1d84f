"""Backbone and detector specs refuse what cannot be built."""

from dataclasses import asdict

import pytest
from pydantic import TypeAdapter

from ligera.errors import ModelError
from ligera.models.catalogue import DETECTORS
from ligera.models.specs import BackboneSpec, DetectorSpec
from ligera.records import PriorSpec

STAGES = (("S_3x3_KKConv_16",), ("S_3x3_KKConv_32", "3x3_KKConv_32*2"), ("S_3x3_DKConv_48",), ("S_3x3_DKConv_64",))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"stages": STAGES[:3]}, "four stages"),
        ({"stages": (*STAGES[:3], ())}, "at least one block"),
        ({"stages": (("3x3_KKConv_16",), *STAGES[1:])}, "stage 1: expected a first block of stride 2"),
        ({"maxpool": True}, "stage 1: expected a first block of stride 1"),
        ({"stages": (*STAGES[:3], ("S_3x3_KKConv_64", "S_3x3_KKConv_64"))}, "stage 4: .* then blocks of stride 1"),
        ({"stages": (*STAGES[:2], ("S_3x3_KKConv_64", "SE_3x3_KKConv_64"), STAGES[3])}, "stage 3: SE and eSE"),
        ({"stages": (("S_SE_3x3_KKConv_16",), *STAGES[1:])}, "as many channels in as out"),
        ({"stages": (("S_3x3_KKConv_16", "Zero_8"), *STAGES[1:])}, "Zero"),
        ({"stages": (("Zero_8",), *STAGES[1:]), "maxpool": True}, "other than Zero"),
        ({"prestage": ("S_3x3_KKConv_8",)}, "pre-stage"),
        ({"prestage": ("SE_3x3_KKConv_8",)}, "pre-stage"),
        ({"first_channels": 0}, "above 0"),
        ({"last_channels": 0}, "above 0"),
        ({"early": "leaky"}, "did you mean 'leaky_relu'"),
        ({"shortcut": "identity"}, "shortcut: expected none or conv"),
    ],
)
def test_a_backbone_that_cannot_be_built_says_why(change, reason):
    with pytest.raises(ModelError, match=reason):
        BackboneSpec(**({"first_channels": 8, "stages": STAGES} | change))


def test_attention_is_legal_in_the_first_two_stages_where_channels_stay():
    stages = (("S_3x3_KKConv_16", "SE_3x3_KKConv_16"), ("S_3x3_KKConv_32", "eSE_3x3_DKConv_32"), *STAGES[2:])
    assert BackboneSpec(first_channels=8, stages=stages).channels == (16, 32, 48, 64)


def test_zero_blocks_and_repetitions_are_counted_in_the_stages():
    spec = BackboneSpec(first_channels=8, stages=(("S_3x3_KKConv_16", "Zero_16"), *STAGES[1:]), last_channels=128)
    assert [len(blocks) for blocks in spec.stage_blocks()] == [2, 3, 1, 1]
    assert spec.channels == (16, 32, 48, 128)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pyramid_stages": ()}, "stages from 1 to 4"),
        ({"pyramid_stages": (2, 3, 5)}, "stages from 1 to 4"),
        ({"pyramid_stages": (2, 4)}, "neighbours in rising order"),
        ({"pyramid_stages": (1, 2, 3, 4)}, "expected strides \\(4, 8, 16, 32\\)"),
        ({"priors": PriorSpec(sizes=((16,), (), (64,)))}, "at least one size"),
        ({"score_channels": 3}, "score_channels: expected 1 or 2"),
        ({"context": "shh"}, "did you mean 'ssh'"),
        ({"activation": "swish"}, "did you mean 'hardswish'"),
        ({"pyramid_channels": 18}, "4 divides"),
        ({"pyramid_channels": (16, 16)}, "3 as there are levels"),
        ({"pyramid_channels": (16, 16, 18)}, "4 divides"),
        ({"backbone": "resnet18"}, "'resnet50'"),
    ],
)
def test_a_detector_that_cannot_be_built_says_why(change, reason):
    with pytest.raises(ModelError, match=reason):
        DetectorSpec(**({"backbone": "resnet50"} | change))


@pytest.mark.parametrize("name", DETECTORS)
def test_a_spec_survives_the_way_through_json(name):
    adapter = TypeAdapter(DetectorSpec)
    assert adapter.validate_json(adapter.dump_json(DETECTORS[name])) == DETECTORS[name]
    assert adapter.validate_python(asdict(DETECTORS[name])) == DETECTORS[name]
