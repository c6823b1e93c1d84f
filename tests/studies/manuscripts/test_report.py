"""Savings, tables, the answer in words and the picture, from runs that were made up for the purpose."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ligera.errors import UsageError
from ligera.meter import Figure, Meter
from ligera.studies.manuscripts import figures, sweep
from ligera.studies.manuscripts.answer import answer, by_steps
from ligera.studies.manuscripts.cases import BASE, CHOSEN, STEPS, Case
from ligera.studies.manuscripts.measured import Measured, Run, Steps
from ligera.studies.manuscripts.memory import peak_memory
from ligera.studies.manuscripts.paper_tables import paper_tables
from ligera.studies.manuscripts.settings import Settings
from ligera.studies.manuscripts.tables import classes_table, costs_table, scores_table, steps_table
from ligera.studies.manuscripts.words import NOT_MEASURED
from ligera.studies.running import run_study

from .conftest import in_this_process, made_up

V39, R101 = (Case(name, 450, STEPS[0], 2) for name in ("VoVNet-39", "ResNet-101"))


def measured(*runs: Run, steps: dict[str, Steps] | None = None) -> Measured:
    cases = dict.fromkeys(run.case for run in runs)
    return Measured({case: tuple(run for run in runs if run.case == case) for case in cases}, steps or {})


def pair(ap: float, kwh: float | None, base_ap: float, base_kwh: float | None, seeds: int = 1) -> Measured:
    runs = [made_up(V39, seed, ap + seed / 1000, kwh=kwh) for seed in range(seeds)]
    return measured(*runs, *(made_up(R101, seed, base_ap, kwh=base_kwh) for seed in range(seeds)))


def test_savings_are_percent_of_the_base_over_the_seeds_of_both() -> None:
    found = measured(
        *(made_up(BASE, seed, 0.5, minutes=100, kwh=2.0) for seed in range(3)),
        *(made_up(CHOSEN, seed, 0.5 + 0.01 * seed, minutes=25, kwh=1.0) for seed in range(2)),
    )
    assert found.saved_percent(CHOSEN, BASE, "minutes") == pytest.approx(75)
    assert found.saved_percent(CHOSEN, BASE, "kwh") == pytest.approx(50)
    gained = found.gained(CHOSEN, BASE)
    assert gained is not None
    assert (gained.mean, gained.n) == (pytest.approx(0.5), 2)
    table = costs_table(found, (BASE, CHOSEN, V39), BASE, "")
    assert table.rows[0][8:] == ("-",) * 5
    assert table.rows[1][8:11] == ("75.0 %", "50.0 %", "50.0 %")
    assert "±" in table.rows[1][11]
    assert set(table.rows[2][2:]) == {NOT_MEASURED}


def test_savings_against_a_base_that_was_not_run_are_not_measured() -> None:
    row = costs_table(measured(made_up(CHOSEN)), (CHOSEN,), BASE, "").rows[0]
    assert set(row[8:]) == {NOT_MEASURED}
    assert row[3:5] == ("10.0", "9.00")


def test_energy_that_is_unknown_is_not_nothing() -> None:
    found = measured(made_up(BASE, kwh=None), made_up(CHOSEN, kwh=None))
    row = costs_table(found, (CHOSEN,), BASE, "").rows[0]
    assert row[6:8] == ("unknown", "unknown")
    assert row[9] == NOT_MEASURED
    assert figures.points_of(found) == []


def test_memory_is_the_cards_where_one_trained_and_the_hosts_without_and_never_one_for_the_other(
    tmp_path: Path,
) -> None:
    with Meter(background=False, gpus=()) as meter:
        pass
    cost = meter.cost()
    for device, of in (("cpu", "host"), ("cuda:0", "GPU")):
        (tmp_path / "environment.json").write_text(json.dumps({"device": device}))
        memory = peak_memory(tmp_path, cost)
        assert memory.of == of
        # nobody looked at the card
        assert (memory.mib is None) == (of == "GPU")
    seen = Figure(5000.0, "MB", "measured", "a card", None, 3)
    looked = replace(cost, devices={"a card": {"memory_peak_mb": seen}})
    assert peak_memory(tmp_path, looked).mib == pytest.approx(4768.4, abs=0.1)


def test_scores_read_not_measured_where_nothing_was_run_and_none_there_where_nothing_is_to_find() -> None:
    found = measured(made_up(CHOSEN, ap=0.25))
    first, second = scores_table(found, (CHOSEN, BASE), "").rows
    assert first[2:7] == ("25.00", "25.00", "25.00", "none there", "25.00")
    assert set(second[2:]) == {NOT_MEASURED}
    assert classes_table(found, "").rows[0][1:] == ("25.00",) * 4


def test_the_papers_figures_stand_beside_ours_and_never_among_them() -> None:
    tables = list(paper_tables(measured(made_up(V39, ap=0.6125)), BASE, ""))
    rows = [row for table in tables for row in table.rows if row[0].startswith("VoVNet-39, 450 epochs")]
    assert any(row[2:4] == ("paper, 3.23, 3.24", "70.00") for row in rows)
    assert any(row[2:4] == ("ours", "61.25") for row in rows)
    assert any(
        row[1:] == ("paper, 3.25-3.28", "2 h 10 min", "4,087 / 4,087", "0.808", "19.8", "78.8 %") for row in rows
    )
    others = [
        row for table in tables for row in table.rows if "ours" in row and not row[0].startswith("VoVNet-39, 450")
    ]
    others += [row for row in rows if "ours" in row and ", batch 2" not in row[0]]
    assert others
    assert all(NOT_MEASURED in row for row in others)
    numbers = " ".join(table.title for table in tables)
    assert all(f"3.{first} " in numbers for first in (3, 7, 8, 12, 18, 21, 23, 25))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (pair(0.70, 0.8, 0.69, 0.9), "Yes: 87.5 against 76.7 points.*one seed.*11 % less energy"),
        (pair(0.68, 0.8, 0.69, 0.9), "Yes per kWh, at fewer points"),
        (pair(0.72, 0.91, 0.69, 0.9), r"Yes: .*\+3.00 points"),
        (pair(0.72, 1.2, 0.69, 0.9), "No, though it finds more: each further point costs 0.1 kWh"),
        (pair(0.60, 1.2, 0.69, 0.9), "No: 50.0 against 76.7"),
        (pair(0.70, None, 0.69, 0.9), "Not measured: the energy is unknown"),
        (pair(0.01, 0.8, 0.02, 0.9), "Not answered: neither has learnt enough"),
        (pair(0.70, 0.8, 0.60, 0.9, seeds=3), r"Yes, on both counts: .*\+10.10 points of box AP \(\+9.85 to \+10.35\)"),
        (pair(0.699, 0.8, 0.70, 0.9, seeds=3), r"Yes: .*no more than chance"),
        (measured(), "Not measured: VoVNet-39 and ResNet-101 not trained here"),
        (measured(made_up(V39)), "Not measured: ResNet-101 not trained here"),
        (measured(made_up(V39, 0), made_up(R101, 1)), "Not measured: no case and seed in common"),
    ],
)
def test_the_papers_question_is_answered_from_the_numbers(found: Measured, words: str) -> None:
    said = answer(found)
    assert said.startswith("is VoVNet-39 worth more than ResNet-101 per kWh?")
    assert "69.81" in said
    assert re.search(words, said), said


def test_the_answer_is_from_the_papers_own_case_where_there_is_one() -> None:
    longer = [Case(name, 900, STEPS[0], 2) for name in ("VoVNet-39", "ResNet-101")]
    found = measured(*(made_up(case, ap=0.9) for case in longer), *pair(0.7, 0.8, 0.69, 0.9).runs[V39], made_up(R101))
    assert "450 epochs" in answer(found)


def test_single_steps_say_what_a_step_costs_and_no_more() -> None:
    steps = {
        name: Steps(name, 2, (9.0,), times, 900.0, "host", 700.0)
        for name, times in (("VoVNet-39", (1.0, 3.0)), ("ResNet-101", (4.0,)), ("ResNet-50a", (1.0,)))
    }
    found = measured(steps=steps)
    assert "takes 0.50 of the CPU time" in str(by_steps(found))
    assert "rank neither" not in str(by_steps(found))
    steps["ResNet-101"] = Steps("ResNet-101", 2, (9.0,), (2.0, 6.0), 900.0, "host", 700.0)
    assert "rank neither" in str(by_steps(found))
    steps["ResNet-101"] = Steps("ResNet-101", 2, (9.0,), (4.0,), 900.0, "host", 700.0)
    assert by_steps(measured()) is None
    table = steps_table(found, ("ResNet-50a", "ResNet-101", "VoVNet-99"), "")
    assert [row[5] for row in table.rows] == ["1.00", "4.00", NOT_MEASURED]
    assert [row[6] for row in table.rows] == ["1.00", "1.28", "1.74"]


def test_the_front_is_of_those_that_nothing_beats_in_both(tmp_path: Path) -> None:
    cheap, dear, beaten = (Case("ResNet-31", epochs, STEPS[0], 2) for epochs in (1, 3, 2))
    found = measured(
        *(made_up(cheap, seed, 0.2, kwh=0.1) for seed in range(2)),
        made_up(dear, ap=0.4, kwh=3.0),
        made_up(beaten, ap=0.1, kwh=0.2),
    )
    points = figures.points_of(found)
    assert [point.case for point in figures.front_of(points)] == [cheap, dear]
    (picture,) = figures.draw(found, "somewhere", tmp_path / "pareto.png")
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert figures.draw(measured(), "", tmp_path / "none.png") == []


def test_the_whole_study_trains_and_reports_and_goes_on_for_nothing(
    pages: Path, tmp_path: Path, tiny: str, monkeypatch: pytest.MonkeyPatch, settings: Callable[..., Settings]
) -> None:
    monkeypatch.setattr(sweep, "run_job", in_this_process)
    asked = (
        *(f"data={pages}", "backbones=tiny", "epochs=1,2", "side_px=160", "threads=1", "optimizer=adamw"),
        *("step_backbones=tiny", "timed_steps=1", "learning_rate=0.001", f"base={tiny}-2e-66.66-88.88-b2"),
    )
    report = run_study("manuscripts", asked, False, tmp_path, None)
    assert (tmp_path / "report.md").is_file()
    assert (tmp_path / "pareto.png").is_file()
    assert "nothing is left" in report.said[0]
    assert any("Not measured: VoVNet-39 and ResNet-101" in sentence for sentence in report.said)
    scores = next(table for table in report.tables if table.title.startswith("Measured here: scores"))
    assert [row[1] for row in scores.rows] == ["1", "1"]
    rows: list[dict] = []
    again = run_study("manuscripts", (*asked, "seeds=1"), False, tmp_path, rows.append)
    assert rows == []
    assert again.tables == report.tables


def test_a_batch_larger_than_the_pages_is_told_before_anything_is_made(pages: Path, tmp_path: Path) -> None:
    wrong = (f"data={pages}", "batch=5", "backbones=ResNet-31")
    with pytest.raises(UsageError, match="batch: 5 is more than the 4 pages"):
        run_study("manuscripts", wrong, False, tmp_path, None)
    with pytest.raises(UsageError, match=r"base: no case is called 'ResNet-32-450e'.*did you mean 'ResNet-31-450e"):
        run_study("manuscripts", (*wrong[::2], "base=ResNet-32-450e"), False, tmp_path, None)
    # and what was wrong may be put right in the same folder
    assert not (tmp_path / "settings.yaml").exists()
