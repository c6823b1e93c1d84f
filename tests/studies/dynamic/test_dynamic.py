"""The study of dynamic training: its trials, its tables, what it says; on outcomes made up for the purpose."""

from dataclasses import replace
from pathlib import Path

import pytest

from ligera.errors import DataError, RecipeError
from ligera.meter import Cost, Meter
from ligera.studies.dynamic import figures, plan, tables
from ligera.studies.dynamic import study as dynamic_study
from ligera.studies.dynamic.plan import BASE, EQUAL_TIME, Results, Settings
from ligera.studies.running import keep_settings, read_settings
from ligera.studies.trials import Outcome, Trial
from ligera.train.reading import parse_recipe

SETTINGS = Settings(data="x", **plan.QUICK | {"betas": (0.1,), "augmented": (False, True)})


@pytest.fixture(scope="module")
def cost():
    with Meter() as meter, meter.phase("train"):
        sum(range(300_000))
    return meter.cost()


def outcome(cost, accuracy: float, seconds: float = 10.0, epochs: int = 3) -> Outcome:
    row = {"train_s": seconds / epochs, "select_s": 0.0, "evaluate_s": 0.0, "pictures": 100}
    history = [row | {"accuracy": accuracy * (epoch + 1) / epochs} for epoch in range(epochs)]
    return Outcome("made-up", Path(), history, {"test_accuracy": accuracy}, cost)


def scaled(cost: Cost, share: float) -> Cost:
    """The same cost with ``share`` of its processor time."""
    train = cost.phases["train"]
    seconds = replace(train["cpu_s"], value=train["cpu_s"].value * share)
    return replace(cost, phases={"train": train | {"cpu_s": seconds}})


@pytest.fixture
def results(cost) -> Results:
    names = [condition.name for condition in plan.conditions(SETTINGS)] + [EQUAL_TIME]
    compared = {
        (name, augmented): [outcome(cost, 0.8 - 0.01 * place, 10.0 - place) for _ in range(2)]
        for augmented in (False, True)
        for place, name in enumerate(names)
    }
    return Results(SETTINGS, compared, {(0.5, 0.1): [outcome(cost, 0.7)]})


def test_every_trial_has_a_name_of_its_own_and_a_recipe_that_reads() -> None:
    trials = [
        plan._trial(SETTINGS, condition, seed, augmented)
        for condition in plan.conditions(SETTINGS)
        for seed in range(2)
        for augmented in (False, True)
    ]
    assert len({trial.name for trial in trials}) == len(trials)
    for trial in trials:
        recipe = parse_recipe(trial.recipe | {"name": trial.name}, "test")
        assert recipe.augment.shift_px == (4 if "augmented" in trial.name else 0)


def test_pairs_share_seed_data_and_schedule() -> None:
    full, changing = plan.conditions(SETTINGS)[0], plan.conditions(SETTINGS)[2]
    one, other = (plan._trial(SETTINGS, condition, 1, False).recipe for condition in (full, changing))
    assert {key for key in one if one[key] != other[key]} == {"sampler"}


def test_full_training_is_shortened_to_the_time_of_dynamic_training(cost) -> None:
    half = [outcome(cost, 0.5)]
    compared = {(BASE, False): [outcome(cost, 0.5)], ("dynamic", False): half}
    assert plan._equal_epochs(SETTINGS, compared, False) == SETTINGS.epochs


def test_tables_set_the_paper_beside_ours(results: Results) -> None:
    grid, plain, augmented = tables.tables(results, "somewhere")
    assert grid.rows[1][1] == "82.1"
    by_name = {row[0]: row for row in plain.rows}
    assert by_name[BASE][-2:] == ("85.17", "100 %")
    assert by_name["rs2"][-2:] == ("-", "-")
    assert by_name["static"][2].startswith("-1.00")
    assert "90.65" in augmented.as_markdown()


def test_what_is_said_follows_from_the_numbers(results: Results, cost) -> None:
    said = tables.verdict(results)
    assert any("static" not in sentence and "does not reach" in sentence for sentence in said)
    assert sum("best mean is that of dynamic" in sentence for sentence in said) == 2


def test_curves_are_drawn_for_both_kinds(results: Results, tmp_path: Path) -> None:
    pictures = figures.draw(results, tmp_path)
    assert [path.name for path in pictures] == ["curves.png", "curves-augmented.png"]
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in pictures)


def test_a_wrong_setting_is_named_with_the_nearest_one() -> None:
    with pytest.raises(RecipeError, match="did you mean 'seeds'"):
        read_settings("dynamic", dynamic_study, ("data=x", "seed=3"), quick=True)


def test_a_study_is_not_continued_under_other_settings(tmp_path: Path) -> None:
    keep_settings(SETTINGS, tmp_path)
    (tmp_path / "report.md").write_text("made")
    with pytest.raises(DataError, match="other settings"):
        keep_settings(SETTINGS.model_copy(update={"epochs": 4}), tmp_path)


def test_with_more_seeds_shortened_trainings_of_another_length_are_others(
    cost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dynamic training takes half the time with the first seeds and, with all four, three quarters of it."""
    shares = {"dynamic-seed0": 0.5, "dynamic-seed1": 0.5, "dynamic-seed2": 1.0, "dynamic-seed3": 1.0}
    asked: list[Trial] = []

    def made_up(trials: list[Trial], _folder: Path, _tell: object) -> dict[str, Outcome]:
        asked.extend(trials)
        (trial,) = trials
        done = outcome(cost, 0.5)
        return {trial.name: replace(done, cost=scaled(done.cost, shares.get(trial.name, 1.0)))}

    monkeypatch.setattr(plan, "run_trials", made_up)
    settings = SETTINGS.model_copy(update={"epochs": 8, "augmented": (False,), "grid_seeds": 0})
    lengths = []
    for seeds in (2, 4):
        asked.clear()
        results = plan.run(settings.model_copy(update={"seeds": seeds}), tmp_path)
        short = [trial for trial in asked if trial.name.startswith("full-shortened")]
        assert len(results.compared[EQUAL_TIME, False]) == len(short) == seeds
        lengths.append({(trial.name.rpartition("-seed")[0], trial.recipe["epochs"]) for trial in short})
    assert lengths == [{("full-shortened-to-4-epochs", 4)}, {("full-shortened-to-6-epochs", 6)}]
