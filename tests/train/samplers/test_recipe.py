from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ligera.train.samplers import SamplerRecipe
from ligera.train.samplers.recipe import DEFAULTS


def message(values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        SamplerRecipe.model_validate(values)
    return caught.value.errors()[0]["msg"]


@pytest.mark.parametrize("kind", DEFAULTS)
def test_a_kind_alone_is_spelled_out_with_its_own_options_only(kind: str) -> None:
    recipe = SamplerRecipe.model_validate(kind)
    assert recipe == SamplerRecipe(kind=kind)
    assert recipe.model_dump(mode="json") == {"kind": kind} | DEFAULTS[kind]


def test_the_variant_has_a_gamma_of_its_own() -> None:
    assert SamplerRecipe(kind="dynamic", design="variant").gamma == 0.97
    assert SamplerRecipe(kind="dynamic").gamma is None


@given(
    st.sampled_from(
        [
            {"kind": "static", "alpha": 0.25},
            {"kind": "dynamic", "beta": 0.3, "design": "variant", "gamma": 0.5},
            {"kind": "rs2", "alpha": 25_000, "replacement": True},
            {"kind": "infobatch", "prune": 0.25, "anneal": None},
            {},
            "rs2",
        ]
    )
)
@settings(deadline=None, max_examples=50)
def test_what_is_written_down_reads_back_equal(values: Any) -> None:
    recipe = SamplerRecipe.model_validate(values)
    assert SamplerRecipe.model_validate(recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": "full", "beta": 0.3}, ["beta", "kind: dynamic", "not to kind: full", "leave it out"]),
        ({"alpha": 0.3}, ["alpha", "static or dynamic or rs2", "kind: full"]),
        ({"kind": "rs2", "prune": 0.3}, ["prune", "kind: infobatch", "not to kind: rs2"]),
        ({"kind": "dynamic", "gamma": 0.9}, ["gamma", "design: variant", "set that design"]),
        ({"kind": "dynamic", "design": "base", "gamma": 0.9}, ["gamma", "design: variant"]),
        ({"kind": "static", "gamma": 0.9}, ["gamma", "kind: dynamic"]),
        ({"kind": "static", "alpha": 1.5}, ["alpha", "whole count", "1.5"]),
        ({"kind": "dynamic", "beta": 1.2}, ["less than or equal to 1"]),
        ({"kind": "dynamic", "beta": -0.1}, ["greater than or equal to 0"]),
        ({"kind": "static", "alpha": 0}, ["greater than 0"]),
        ({"kind": "static", "alpha": True}, ["expected a number"]),
        ({"kind": "static", "alpha": float("nan")}, ["finite"]),
        ({"kind": "static", "alpha": "half"}, ["number"]),
        ({"kind": "infobatch", "prune": 1}, ["less than 1"]),
        ({"kind": "dynamic", "design": "best"}, ["base"]),
        ({"kind": "randomly"}, ["full", "rs2"]),
        ("dynamc", ["dynamic"]),
        ({"kind": ["rs2"]}, ["rs2"]),
        ({"kind": "rs2", "alpa": 0.5}, ["not permitted"]),
        (3, ["dictionary"]),
        (None, ["dictionary"]),
    ],
)
def test_a_wrong_value_is_refused_in_one_line(values: Any, words: list[str]) -> None:
    said = message(values)
    assert "\n" not in said
    for word in words:
        assert word in said


def test_it_is_frozen() -> None:
    with pytest.raises(ValidationError):
        SamplerRecipe().kind = "rs2"
