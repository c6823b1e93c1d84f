"""From a name to a report: settings bind a folder once something stands there; how many are asked for never does."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import Field

from ligera.errors import DataError, LigeraError
from ligera.studies import running
from ligera.studies.report import Report
from ligera.studies.running import keep_settings, read_settings, run_study
from ligera.studies.trials import Trial, run_trials
from ligera.typed_yaml import Frozen


class Settings(Frozen):
    data: Path
    epochs: int = 1
    seeds: int = Field(1, exclude=True)


@pytest.fixture
def seen(classifier_values: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A study of one small training for each seed; what its trainings tell."""
    rows: list[dict[str, Any]] = []

    def study(settings: Settings, folder: Path, tell: Any = None) -> Report:
        values = classifier_values | {"data": str(settings.data), "epochs": settings.epochs}
        trials = [Trial(f"seed{seed}", values | {"seed": seed}) for seed in range(settings.seeds)]
        outcomes = run_trials(trials, folder, rows.append)
        return Report("Small", (), (f"{len(outcomes)} trainings",), ())

    module = SimpleNamespace(Settings=Settings, QUICK={}, study=study)
    monkeypatch.setitem(sys.modules, "small_study", module)
    monkeypatch.setitem(running.MODULES, "small", "small_study")
    return rows


def run(folder: Path, *overrides: str) -> tuple[str, ...]:
    return run_study("small", overrides, False, folder, None).said


def trained(rows: list[dict[str, Any]]) -> int:
    return sum("row" in row for row in rows)


def test_a_first_command_that_fails_binds_nobody(seen: list[dict[str, Any]], tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    with pytest.raises(DataError, match="nowhere"):
        run(folder, f"data={tmp_path / 'nowhere'}")
    assert run(folder, f"data={tmp_path / 'classes'}") == ("1 trainings",)
    assert trained(seen) == 1


def test_more_seeds_go_on_from_those_that_are_there_and_fewer_are_read(
    seen: list[dict[str, Any]], tmp_path: Path
) -> None:
    folder, data = tmp_path / "runs", f"data={tmp_path / 'classes'}"
    run(folder, data)
    assert run(folder, data, "seeds=3") == ("3 trainings",)
    assert trained(seen) == 3
    assert run(folder, data, "seeds=2") == ("2 trainings",)
    assert trained(seen) == 3


def test_what_was_trained_is_not_continued_under_other_settings(seen: list[dict[str, Any]], tmp_path: Path) -> None:
    folder, data = tmp_path / "runs", f"data={tmp_path / 'classes'}"
    run(folder, data)
    before = (folder / "settings.yaml").read_text()
    with pytest.raises(DataError, match=r"begun with other settings \(epochs: 1 there, 2 now\); give another --runs"):
        run(folder, data, "epochs=2", "seeds=2")
    assert (folder / "settings.yaml").read_text() == before


def test_a_training_that_began_binds_and_one_killed_before_its_first_save_is_taken_up(
    seen: list[dict[str, Any]], tmp_path: Path
) -> None:
    folder = tmp_path / "runs"
    place = folder / "train" / "seed0"
    run(folder, f"data={tmp_path / 'classes'}")
    for path in place.iterdir():
        if path.name != "recipe.yaml":
            path.unlink()
    with pytest.raises(DataError, match="other settings"):
        run(folder, f"data={tmp_path / 'classes'}", "epochs=2")
    assert run(folder, f"data={tmp_path / 'classes'}") == ("1 trainings",)


def test_files_that_follow_from_settings_alone_are_made_again_for_others(tmp_path: Path) -> None:
    keep_settings(Settings(data="x"), tmp_path)
    (tmp_path / "table.json").write_text("of x")
    (tmp_path / ".study.lock").touch()
    keep_settings(Settings(data="x"), tmp_path, ("table.json",))
    assert (tmp_path / "table.json").is_file()
    keep_settings(Settings(data="y"), tmp_path, ("table.json",))
    assert not (tmp_path / "table.json").exists()
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores" / "table.json").write_text("measured")
    with pytest.raises(DataError, match=r"\(data: 'y' there, 'z' now\)"):
        keep_settings(Settings(data="z"), tmp_path, ("table.json",))


def test_settings_that_an_earlier_version_kept_with_its_seeds_are_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("data: x\nepochs: 1\nseeds: 4\n")
    (tmp_path / "scores.json").write_text("{}")
    keep_settings(Settings(data="x", seeds=5), tmp_path)
    assert "seeds" not in (tmp_path / "settings.yaml").read_text()


@pytest.mark.parametrize("kept", ["", "data: [", "7"])
def test_damaged_settings_are_one_line_and_never_written_over_beside_results(kept: str, tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(kept)
    (tmp_path / "scores.json").write_text("{}")
    with pytest.raises(LigeraError) as error:
        keep_settings(Settings(data="x"), tmp_path)
    assert "settings" in str(error.value) and "\n" not in str(error.value)
    assert (tmp_path / "settings.yaml").read_text() == kept


@pytest.mark.parametrize(
    ("name", "free"),
    [
        ("dynamic", {"seeds": 9, "grid_seeds": 9}),
        ("dynamic-faces", {"seeds": 9}),
        ("detectors", {"rounds": 9}),
        ("facenas", {"seeds": 9}),
        ("manuscripts", {"seeds": 9}),
        ("mtcnn-parallel", {"batches": (1, 4, 16), "judged_pictures": 9}),
        ("transfer", {"seeds": 9}),
    ],
)
def test_how_many_are_asked_for_binds_no_study(name: str, free: dict[str, Any], tmp_path: Path) -> None:
    module = importlib.import_module(running.MODULES[name])
    for part in ("train", "val"):
        (tmp_path / part).mkdir()
    asked = [f"data={tmp_path}"]
    if "validation" in module.Settings.model_fields and name != "manuscripts":
        asked.append(f"validation={tmp_path}")
    settings = read_settings(name, module, tuple(asked), quick=True)
    keep_settings(settings, tmp_path)
    (tmp_path / "report.json").write_text("{}")
    keep_settings(settings.model_copy(update=free), tmp_path)
    with pytest.raises(DataError, match="data: "):
        keep_settings(settings.model_copy(update=free | {"data": tmp_path / "train"}), tmp_path)
