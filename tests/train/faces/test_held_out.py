"""Pictures kept from training: a share of every folder, never shown by one half's batches nor the other's."""

from pathlib import Path

import numpy as np
import pytest

from ligera.data.faces import FaceSample
from ligera.errors import RecipeError
from ligera.records import Targets
from ligera.train.faces.loading import held_out_rows
from ligera.train.faces.task import FaceTask
from ligera.train.reading import parse_recipe


def samples(**counts: int) -> list[FaceSample]:
    targets = Targets(np.zeros((0, 4)))
    return [FaceSample(Path(folder) / f"{n}.png", targets) for folder, count in counts.items() for n in range(count)]


def test_each_folder_gives_its_share_and_keeps_the_rest() -> None:
    held = held_out_rows(samples(many=40, few=3, single=1), 0.25, seed=0)
    assert held[:40].sum() == 10
    assert held[40:43].sum() == 1
    assert held[43:].sum() == 0
    assert (held == held_out_rows(samples(many=40, few=3, single=1), 0.25, seed=0)).all()
    assert (held != held_out_rows(samples(many=40, few=3, single=1), 0.25, seed=1)).any()
    assert not held_out_rows(samples(many=40), 0.0, seed=0).any()


@pytest.fixture
def task(recipe_values: dict) -> FaceTask:
    values = {key: value for key, value in recipe_values.items() if key != "validation"}
    return FaceTask(parse_recipe(values | {"held_out": 0.5}, "test"))


def test_the_two_halves_show_different_pictures_and_mosaics_mix_none(task: FaceTask) -> None:
    other = task.held_out()
    shown, judged = (set(half.sampler.plan(0).rows.tolist()) for half in (task, other))
    assert len(shown) == len(judged) == 3
    assert not shown & judged
    random = np.random.default_rng(0)
    for half, rows in ((task, shown), (other, judged)):
        beside = half.dataset._rows(0, random)
        next(beside)
        assert {next(beside) for _ in range(200)} == rows


def test_held_out_pictures_are_the_validation_where_none_is_given(task: FaceTask, recipe_values: dict) -> None:
    judged = {sample.path for sample, _ in task.validation}
    assert len(judged) == 3
    given = FaceTask(parse_recipe(recipe_values | {"held_out": 0.5}, "test"))
    assert len(given.validation) == 6


def test_nothing_held_out_is_no_half(recipe_values: dict) -> None:
    with pytest.raises(RecipeError, match="held_out"):
        FaceTask(parse_recipe(recipe_values, "test")).held_out()
