"""The study of search: small runs of its own, tables beside the paper's, sentences that follow from the numbers."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ligera.errors import DataError
from ligera.studies.facenas import plan, tables
from ligera.studies.facenas import study as facenas_study
from ligera.studies.facenas.measuring import Clock
from ligera.studies.facenas.plan import DRAWN, FEWEST, FOUND, RANDOM_SEARCH, Landing, Results
from ligera.studies.running import read_settings
from ligera.studies.trials import Outcome

from ...search.searches import MINI
from ...train.conftest import write_face_folder

MOBILE = "RetinaFace-mobile0.25"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("facenas")


@pytest.fixture(scope="module")
def settings(folder: Path) -> plan.Settings:
    write_face_folder(folder / "faces")
    write_face_folder(folder / "val", pictures=2, seed=1)
    (folder / "mini.yaml").write_text(yaml.safe_dump(MINI))
    small = {"channels": None, "samples_per_epoch": 4, "batch": 2, "search_epochs": 2, "losses": ("absolute", "signed")}
    return plan.Settings(
        data=folder / "faces", validation=folder / "val", space=folder / "mini.yaml", **plan.QUICK | small
    )


@pytest.fixture(scope="module")
def results(settings: plan.Settings, folder: Path) -> Results:
    return plan.run(settings, folder / "study")


def clock(results: Results, folder: Path) -> Clock:
    return Clock(results.table, folder, wanted=False)


def test_all_contenders_are_trained_and_those_without_a_search_train_longer(results: Results) -> None:
    assert set(results.contenders) == {FOUND, RANDOM_SEARCH, DRAWN, FEWEST, MOBILE}
    found = results.contenders[FOUND][0]
    assert found.search_s > 0
    assert found.epochs == 1
    assert results.contenders[DRAWN][0].epochs >= 1
    assert results.contenders[MOBILE][0].search_s == 0


def test_a_study_that_goes_on_makes_nothing_twice(results: Results, settings: plan.Settings, folder: Path) -> None:
    rows: list[dict] = []
    again = plan.run(settings, folder / "study", rows.append)
    assert not any("row" in row or "step" in row for row in rows)
    assert again.landings == results.landings
    with pytest.raises(DataError, match="other settings"):
        plan.run(settings.model_copy(update={"strength": 1.0}), folder / "study")


def test_tables_set_the_paper_beside_ours_and_say_what_is_not_measured(results: Results, folder: Path) -> None:
    landing, pay, *published, devices = tables.tables(results, clock(results, folder), "somewhere")
    assert [row[0] for row in landing.rows] == ["absolute", "signed"]
    assert {row[0] for row in pay.rows} == set(results.contenders)
    assert all(row[3] == tables.NOT_MEASURED for row in pay.rows)
    by_net = {row[0]: row for row in published[1].rows}
    assert by_net["R12_V3_HS"][1:6] == ("91.68", "89.17", "76.48", "85.78", "125")
    assert by_net[MOBILE][9] != "not trained"
    assert by_net["R11_V2_HS"][9] == "not trained"
    assert any(row[0] == "Raspberry Pi 4" and "ligera profile" in row[-1] for row in devices.rows)
    assert "estimated" in devices.rows[0][-1]


def test_the_quick_study_says_what_it_cannot_show(results: Results, folder: Path) -> None:
    said = " ".join(tables.verdict(results, clock(results, folder)))
    assert "no time in the table is measured" in said
    assert "too few seeds" in said
    assert "trained to its end" in said
    assert "one seed, so nothing can be said" in said


def scored(results: Results, kind: str, *ap50: float) -> list[plan.Contender]:
    like = results.contenders[kind][0]
    outcome: Outcome = like.outcome
    return [replace(like, seed=n, outcome=replace(outcome, history=[{"ap50": ap}])) for n, ap in enumerate(ap50)]


def test_random_search_is_named_the_better_default_unless_gates_win(results: Results, folder: Path) -> None:
    even = {FOUND: scored(results, FOUND, 0.5, 0.4), RANDOM_SEARCH: scored(results, RANDOM_SEARCH, 0.4, 0.5)}
    won = even | {RANDOM_SEARCH: scored(results, RANDOM_SEARCH, 0.3, 0.201)}
    told = [
        " ".join(
            tables.verdict(replace(results, contenders=results.contenders | these | mobile), clock(results, folder))
        )
        for these in (even, won)
        for mobile in ({MOBILE: scored(results, MOBILE, 0.3, 0.3)},)
    ]
    assert "better default" in told[0]
    assert "gates are better than random search" in told[1]


def test_nine_of_ten_seeds_near_the_target_are_enough_and_eight_are_not(results: Results, folder: Path) -> None:
    def told(near: int) -> str:
        name = results.landings[0].name
        lands = [Landing("absolute", n, 1.5, 1.0 if n < near else 1.5, name) for n in range(10)]
        small = results.settings.model_copy(update={"losses": ("absolute",)})
        return tables.verdict(replace(results, settings=small, landings=tuple(lands)), clock(results, folder))[0]

    assert "it reaches" in told(9)
    assert "does not reach" in told(8)


def test_the_report_is_drawn_from_what_is_there(results: Results, settings: plan.Settings, folder: Path) -> None:
    report = facenas_study.study(settings, folder / "study")
    assert [path.name for path in report.pictures] == ["landing.png", "pay.png"]
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in report.pictures)
    assert "(a) Where searches land" in report.as_markdown()


def test_quick_settings_are_read_by_name() -> None:
    settings = read_settings("facenas", facenas_study, ("data=x", "validation=y"), quick=True)
    assert settings.seeds == 1
