"""Studies go on where they were stopped, and are never continued under other settings."""

from pathlib import Path

import pytest

from ligera.errors import DataError
from ligera.studies.trials import Trial, run_trials


@pytest.fixture
def trials(classifier_values: dict) -> list[Trial]:
    values = {key: value for key, value in classifier_values.items() if key != "name"} | {"epochs": 1}
    return [Trial(f"seed{seed}", values | {"seed": seed}) for seed in range(2)]


def test_each_trial_is_trained_once_and_read_back_afterwards(trials: list[Trial], tmp_path: Path) -> None:
    seen: list[dict] = []
    first = run_trials(trials, tmp_path, seen.append)
    trained = sum("row" in row for row in seen)
    second = run_trials(trials, tmp_path, seen.append)
    assert trained == 2
    assert sum("row" in row for row in seen) == 2
    assert [first[name].history for name in first] == [second[name].history for name in second]


def test_a_trial_that_was_stopped_is_taken_up_again(trials: list[Trial], tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(row: dict) -> None:
        if row.get("step") == 3:
            raise Stopped

    with pytest.raises(Stopped):
        run_trials(trials, tmp_path, stop)
    outcomes = run_trials(trials, tmp_path)
    assert all(len(outcome.history) == 1 for outcome in outcomes.values())


def test_other_settings_in_the_same_folder_are_refused(trials: list[Trial], tmp_path: Path) -> None:
    run_trials(trials[:1], tmp_path)
    with pytest.raises(DataError, match="other settings"):
        run_trials([Trial(trials[0].name, trials[0].recipe | {"epochs": 2})], tmp_path)


def test_time_and_pictures_are_those_of_all_epochs(trials: list[Trial], tmp_path: Path) -> None:
    outcome = run_trials(trials[:1], tmp_path)["seed0"]
    assert outcome.pictures == 36
    assert outcome.seconds > 0
    assert outcome.cpu_seconds > 0
    assert 0 <= outcome.last("accuracy") <= outcome.best("accuracy") <= 1
