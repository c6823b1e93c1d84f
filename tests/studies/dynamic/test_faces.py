"""Time to a given average precision, on outcomes made up for the purpose."""

from pathlib import Path

import pytest

from ligera.meter import Meter
from ligera.studies.dynamic import faces
from ligera.studies.dynamic.faces import Settings
from ligera.studies.trials import Outcome
from ligera.train.reading import parse_recipe

SETTINGS = Settings(data="x", validation="y", levels=(0.2, 0.5))


@pytest.fixture(scope="module")
def cost():
    with Meter() as meter:
        pass
    return meter.cost()


def outcome(cost, *scores: float) -> Outcome:
    rows = [{"train_s": 8.0, "select_s": 0.5, "evaluate_s": 1.5, "ap50": score} for score in scores]
    return Outcome("made-up", Path(), rows, {}, cost)


def test_time_to_a_level_counts_selection_and_validation(cost) -> None:
    run = outcome(cost, 0.1, 0.3, 0.4)
    assert faces._time_to(run, 0.2) == 20
    assert faces._time_to(run, 0.5) is None


def test_the_table_says_how_many_seeds_reached_a_level(cost) -> None:
    runs = {"full": [outcome(cost, 0.1, 0.3), outcome(cost, 0.6, 0.6)], "dynamic": [outcome(cost, 0.1)]}
    table = faces._table(SETTINGS, runs, "somewhere")
    assert table.rows[0][1:3] == ("15 (2/2)", "10 (1/2)")
    assert table.rows[1][1:3] == ("- (0/1)", "- (0/1)")


def test_every_sampler_shows_as_many_samples_in_all() -> None:
    shown = set()
    for name in ("full", "dynamic", "rs2"):
        trial = faces._trial(SETTINGS, name, 0)
        recipe = parse_recipe(trial.recipe | {"name": trial.name}, "test")
        part = recipe.sampler.alpha or 1
        shown.add(round(recipe.epochs * recipe.samples_per_epoch * part))
    assert shown == {SETTINGS.epochs * SETTINGS.samples_per_epoch}


def test_the_figure_is_drawn(cost, tmp_path: Path) -> None:
    path = faces._draw({"full": [outcome(cost, 0.1, 0.3)], "rs2": [outcome(cost, 0.2)]}, tmp_path / "faces.png")
    assert path.read_bytes()[:4] == b"\x89PNG"
