"""Spaces: what they hold, names that parse back, and errors that say what to write instead."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ligera.errors import RecipeError
from ligera.models.summary import summarize
from ligera.search.pieces import cost_of
from ligera.search.space import Space, parse_space, read_space

from .small_spaces import SMALL, small_space

STANDARD = sorted((Path(__file__).parents[2] / "recipes" / "spaces").glob("*.yaml"))


@pytest.fixture(params=STANDARD, ids=lambda path: path.stem)
def standard(request: pytest.FixtureRequest) -> Space:
    return read_space(request.param)


def test_every_net_has_a_name_that_leads_back_to_it_and_pieces_that_the_space_lists(standard: Space) -> None:
    random, listed = np.random.default_rng(0), set(standard.entries())
    assert len({entry.key for entry in listed}) == len(listed)
    for _ in range(50):
        net = standard.sample(random)
        assert standard.architecture(net.name) == net
        assert set(net.entries()) <= listed


def test_pieces_add_up_to_the_whole_net(standard: Space) -> None:
    random, side_px = np.random.default_rng(1), standard.side()
    for _ in range(3):
        net = standard.sample(random)
        costs = [cost_of(standard, entry) for entry in net.entries()]
        whole = summarize(net.spec(), (side_px, side_px))
        assert sum(cost.macs for cost in costs) == standard.batch * whole.macs
        assert sum(cost.parameters for cost in costs) == whole.parameters


def test_a_space_survives_json() -> None:
    space = small_space(side_px=[64, 96], last_channels=8, prestage=["3x3_KKConv_Mid_8"], maxpool=True)
    assert Space.model_validate_json(space.model_dump_json()) == space


def test_each_side_has_entries_of_its_own() -> None:
    space = small_space(side_px=[64, 96])
    assert len(space.entries()) == 2 * len(small_space().entries())
    net = space.sample(np.random.default_rng(0))
    assert not set(net.entries(64)) & set(net.entries(96))
    with pytest.raises(RecipeError, match="has sides 64, 96 px, not 128"):
        net.entries(128)


def test_a_widening_beyond_the_limit_is_left_out_with_its_reason() -> None:
    stages = [dict(menu) for menu in SMALL["stages"]]
    stages[1]["channels"] = [8, 16]
    space = small_space(most_jump=2, stages=stages)
    assert space.left_out()["S_3x3_KKConv_Mid_16_4x16x16+relu"] == "4 to 16 channels is more than 2 times"
    assert not {entry.key for entry in space.entries()} & set(space.left_out())
    random = np.random.default_rng(0)
    assert {space.sample(random).channels[:2] for _ in range(50)} == {(4, 8), (8, 8), (8, 16)}
    with pytest.raises(RecipeError, match="stage 2: 4 to 16 channels is more than 2 times"):
        space.architecture("small-4a-16a0-16a0-16a")


def test_the_count_is_that_of_all_nets() -> None:
    space = small_space()
    random = np.random.default_rng(0)
    assert len({space.sample(random).name for _ in range(1000)}) == space.count() == 48


def test_zero_leaves_a_block_out() -> None:
    space = small_space()
    with_it, without = space.architecture("small-4a-8ab-8ab-16a"), space.architecture("small-4a-8a0-8ab-16a")
    assert len(with_it.entries()) == len(without.entries()) + 1
    assert without.spec().backbone.stages[1] == ("S_3x3_KKConv_Mid_8",)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"side": 64}, "side: no such key; did you mean 'side_px'?"),
        ({"side_px": 50}, "side_px.0: input should be a multiple of 32, got 50"),
        ({"side_px": [64, 64]}, "different sides"),
        ({"first_channels": 0}, "greater than or equal to 1"),
        ({"most_jump": 1}, "no menu of channels leads"),
        ({"prestage": ["3x3_KKConv_Mid"]}, "unknown block name"),
        ({"stages": SMALL["stages"][:3]}, "at least 4 items"),
        ({"neck": {"stages": [3, 4]}}, "expected 2 groups"),
        ({"neck": {"contxt": "ssh"}}, "neck.contxt: no such key; did you mean 'context'?"),
        ({"name": "a-b"}, "name: string should match"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_space(SMALL | changes, "here.yaml")
    assert said in str(caught.value)
    assert str(caught.value).startswith("here.yaml: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("stage", "slots", "said"),
    [
        (1, [["3x3_KKConf"]], "'3x3_KKConf' is no block name without S_ and channels; did you mean '3x3_KKConv'?"),
        (1, [["S_3x3_KKConv"]], "is no block name without S_ and channels"),
        (1, [["3x3_KKConv_64"]], "is no block name without S_ and channels"),
        (1, [["Zero"]], "Zero is no candidate"),
        (1, [["SE_3x3_KKConv"]], "not in a first slot"),
        (1, [["3x3_KKConv", "3x3_KKConv"]], "more than once"),
        (1, [], "at least 1 item"),
        (3, [["3x3_KKConv"], ["SE_3x3_KKConv"]], "belong to stages 1 and 2"),
    ],
)
def test_a_slot_that_cannot_be_is_named(stage: int, slots: list[list[str]], said: str) -> None:
    stages = [dict(menu) for menu in SMALL["stages"]]
    stages[stage - 1]["slots"] = slots
    with pytest.raises(RecipeError) as caught:
        parse_space(SMALL | {"stages": stages}, "here.yaml")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: [", ":1: not valid YAML"),
        (b"", "expected 'key: value' lines"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (None, "no such"),
    ],
)
def test_a_file_that_is_no_space_is_named(content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecipeError) as caught:
        read_space(path)
    assert said in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "small",
        "other-4a-8a0-8ab-16a",
        "small-4a-8a0-8ab",
        "small-5a-8a0-8ab-16a",
        "small-4z-8a0-8ab-16a",
        "small-4a-8a-8ab-16a",
    ],
)
def test_a_name_of_no_net_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match="small"):
        small_space().architecture(name)


def test_choices_are_checked() -> None:
    space = small_space()
    for channels, choices in (((4, 8, 8), [[0], [0, 0], [0, 0]]), ((4, 8, 8, 16), [[0], [0, 7], [0, 0], [0]])):
        with pytest.raises(RecipeError, match="expected"):
            space.choose(channels, choices)


def test_entries_are_told_apart_by_what_they_cost_alone() -> None:
    entry = small_space().entries()[1]
    assert dataclasses.replace(entry, first=not entry.first) == entry
    assert dataclasses.replace(entry, batch=2).key != entry.key
