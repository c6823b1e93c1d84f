"""Block names and the blocks they stand for."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ligera.errors import ModelError
from ligera.models.names import BlockSpec, expand, parse, space

SPACE = list(space(64))


@pytest.mark.parametrize("spec", SPACE, ids=str)
def test_every_block_of_the_family_survives_its_name(spec):
    assert parse(str(spec)) == spec


@pytest.mark.parametrize("spec", SPACE, ids=str)
def test_every_block_survives_its_name_with_the_input_shape(spec):
    placed = BlockSpec(
        spec.kind, 64, spec.kernel, spec.expansion, spec.stride, spec.mid, spec.attention, 64, input_size=(80, 60)
    )
    assert str(placed) == f"{spec}_64x80x60"
    assert parse(str(placed)) == placed


@given(st.integers(1, 100_000), st.integers(1, 100_000), st.integers(1, 9999), st.integers(1, 9999), st.booleans())
def test_names_survive_any_number_of_channels_and_any_input(channels, channels_in, height, width, placed):
    for spec in space(channels):
        if placed and spec.kind != "Zero" and not spec.attention:
            size = (height, width)
            wanted = BlockSpec(
                spec.kind, channels, spec.kernel, spec.expansion, spec.stride, spec.mid, None, channels_in, size
            )
            assert parse(str(wanted)) == wanted
        assert parse(str(spec)) == spec


def test_the_family_has_as_many_blocks_as_the_paper_allows_and_no_name_twice():
    assert Counter(spec.kind for spec in SPACE) == {"MBV1": 12, "MBV2": 36, "BL": 12, "KK": 8, "DK": 4, "Zero": 1}
    assert len({str(spec) for spec in SPACE}) == len(SPACE)


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("S_3x3_DKConv_128", BlockSpec("DK", 128, stride=2)),
        ("3x3_KKConv_Mid_64", BlockSpec("KK", 64, mid=True)),
        ("S_3x3_BottleNeckConv4_1024", BlockSpec("BL", 1024, expansion=4, stride=2)),
        ("S_SE_5x5_MBConv6_24_24x80x80", BlockSpec("MBV2", 24, 5, 6, 2, False, "SE", 24, (80, 80))),
        ("eSE_3x3_MBV1Conv_32", BlockSpec("MBV1", 32, attention="eSE")),
        ("Zero_16", BlockSpec("Zero", 16, kernel=1)),
    ],
)
def test_names_of_the_paper_mean_what_it_says(name, spec):
    assert parse(name) == spec


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("S_3x3_DKCon_128", "S_3x3_DKConv_128"),
        ("3x3_kkconv_mid_32_16x80x80", "3x3_KKConv_Mid_32_16x80x80"),
        ("S_SE_3x3_MobileConv6_64", "S_SE_3x3_MBConv6_64"),
        ("3x3_BottleNeckConv_256", "3x3_BottleNeckConv4_256"),
        ("5x5_KKConv_32", "3x3_KKConv_32"),
    ],
)
def test_an_unknown_name_gets_the_nearest_one_as_a_hint(typo, meant):
    with pytest.raises(ModelError, match=f"did you mean '{meant}'") as caught:
        parse(typo)
    assert typo in str(caught.value)
    assert "\n" not in str(caught.value)


NOT_IN_THE_FAMILY = (
    *("", "S_", "3x3_KKConv", "3x3_KKConv_0", "3x3_KKConv_064", "3x5_MBV1Conv_8", "7x7_MBV1Conv_8", "3x3_MBConv5_8"),
    *("SE_3x3_KKConv_Mid_8", "S_SE_3x3_DKConv_8", "3x3_DKConv_Mid_8", "3x3_KKConv4_8", "SE_3x3_KKConv_16_8x40x40"),
    *("3x3_KKConv_8\n", "3x3_KKConv_٨", "S_Zero_8", "SE_Zero_8", "Zero_8_4x20x20", "3x3_BottleNeckConv4_6"),
)


@pytest.mark.parametrize("name", NOT_IN_THE_FAMILY)
def test_a_name_outside_the_family_is_refused(name):
    with pytest.raises(ModelError):
        parse(name)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"kind": "KK", "channels_out": 8, "kernel": 5}, "expected kernel 3, got 5"),
        ({"kind": "MBV2", "channels_out": 8}, "expected expansion 3 or 4 or 6, got 1"),
        ({"kind": "KK", "channels_out": 8, "stride": 3}, "stride 3"),
        ({"kind": "KK", "channels_out": 0}, "above 0"),
        ({"kind": "XX", "channels_out": 8}, "unknown kind"),
        ({"kind": "KK", "channels_out": 8, "attention": "CBAM"}, "expected attention SE, eSE"),
        ({"kind": "KK", "channels_out": 8, "channels_in": 8}, "go together"),
        ({"kind": "KK", "channels_out": 8, "mid": True, "attention": "SE"}, "one convolution"),
    ],
)
def test_a_block_outside_the_family_cannot_be_made(arguments, reason):
    with pytest.raises(ModelError, match=reason):
        BlockSpec(**arguments)


def test_a_star_repeats_a_name():
    assert [str(block) for block in expand(("S_3x3_KKConv_64", "3x3_KKConv_64 * 2"))] == [
        "S_3x3_KKConv_64",
        "3x3_KKConv_64",
        "3x3_KKConv_64",
    ]


@pytest.mark.parametrize("entry", ["3x3_KKConv_64*", "3x3_KKConv_64*0", "3x3_KKConv_64*x", "3x3_KKConv_64*1000"])
def test_a_repetition_that_is_no_small_number_is_refused(entry):
    with pytest.raises(ModelError, match="after '\\*'"):
        expand((entry,))
