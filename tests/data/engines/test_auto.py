"""What ``auto`` concludes from its first measurements."""

import os

import engine_chores as chores
import pytest

from ligera.data.engines import PerWorker, auto, run
from ligera.data.engines.auto import Sample, automatic, candidates
from ligera.data.engines.effort import Effort, thread_effort
from ligera.data.engines.flow import Source
from ligera.data.engines.trial import Finding
from ligera.errors import LigeraError


def sample(items: int, wall_s: float, cpu_s: float, queued_s: float = 0.0) -> Sample:
    return Sample(items, wall_s, Effort(cpu_s, queued_s))


def test_tiny_items_are_not_worth_handing_over() -> None:
    assert candidates(sample(1000, 0.001, 0.001), chores.square, workers=8) == ()


def test_work_that_waits_may_wait_for_many_things_at_once() -> None:
    waiting = sample(10, 1.0, 0.1)
    assert candidates(waiting, chores.nap, workers=1) == ("async", "threads")
    assert candidates(waiting, chores.nap_awake, workers=8) == ("async",)


def test_work_that_computes_is_tried_in_threads_first() -> None:
    computing = sample(10, 1.0, 0.9)
    assert candidates(computing, chores.square, workers=2) == ("threads", "processes")
    assert candidates(computing, chores.square, workers=1) == ()


def test_standing_in_line_for_a_processor_is_not_waiting() -> None:
    assert sample(10, 1.0, 0.3).waiting
    assert not sample(10, 1.0, 0.3, queued_s=0.6).waiting


def test_it_measures_until_it_knows() -> None:
    assert not sample(1, 0.1, 0.1).enough
    assert sample(1, 0.5, 0.5).enough
    assert sample(3, 0.06, 0.01).enough
    assert sample(200, 0.001, 0.001).enough and not sample(199, 0.001, 0.001).enough


def test_threads_that_wait_for_each_other_are_no_faster() -> None:
    # two workers that shared one lock computed for one second between them
    alone = sample(10, 1.0, 1.0)
    assert alone.speedup(Finding(10, 1.0, Effort(1.0))) == pytest.approx(1.0)
    assert alone.speedup(Finding(20, 1.0, Effort(2.0))) == pytest.approx(2.0)


def test_a_busy_machine_does_not_hide_that_workers_work_side_by_side() -> None:
    # each had a processor for half of the time and stood in line for the other half
    alone = sample(10, 2.0, 1.0, queued_s=1.0)
    assert alone.speedup(Finding(10, 1.0, Effort(1.0, 1.0))) == pytest.approx(2.0)


def test_items_that_cost_more_elsewhere_count_against_an_engine() -> None:
    assert sample(10, 1.0, 1.0).speedup(Finding(10, 2.0, Effort(4.0))) == pytest.approx(0.5)
    assert sample(10, 1.0, 1.0).speedup(Finding()) == 0.0


def test_smaller_items_later_make_no_engine_faster_than_its_workers_are_together() -> None:
    # two workers did five times as many items of a fifth of the size, at three quarters of what they could
    assert sample(10, 1.0, 1.0).speedup(Finding(75, 1.0, Effort(1.5))) == pytest.approx(1.5)


def test_work_that_waits_a_little_counts_from_what_it_computes_alone() -> None:
    # alone it computed for 0.6 of the time; two workers side by side for 1.2 of it
    assert sample(10, 1.0, 0.6).speedup(Finding(20, 1.0, Effort(1.2))) == pytest.approx(2.0)


def test_waiting_goes_by_the_clock() -> None:
    assert sample(10, 1.0, 0.01).speedup(Finding(300, 1.0)) == pytest.approx(30.0)


@pytest.mark.parametrize(
    ("items", "speedup", "worth"), [(20, 1.0, True), (5, 1.0, False), (20, 1.8, False), (200, 1.8, True)]
)
def test_processes_are_tried_where_they_could_save_more_than_their_start_takes(
    items: int, speedup: float, worth: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto, "begun", lambda: False)
    race = auto._Race(sample(10, 1.0, 1.0), Source(range(items)), lambda name: None, print, 2, 128, 0.0)
    race._speedup = speedup
    assert race._worth_a_trial("processes") is worth


def test_naps_end_in_the_engine_for_waiting() -> None:
    outcomes = run("auto", chores.nap, [0.05] * 150)
    assert [outcome.value for outcome in outcomes] == [0.05] * 150
    assert outcomes.engine == "async"


def test_tiny_work_stays_where_it_is() -> None:
    outcomes = run("auto", chores.square, range(5000))
    assert sum(1 for _ in outcomes) == 5000
    assert outcomes.engine == "sequential"


def test_an_engine_that_cannot_start_is_passed_over() -> None:
    tried = []

    def refuse(name: str) -> object:
        tried.append(name)
        raise LigeraError("no processes here")

    announced: list[str] = []
    outcomes = automatic(chores.nap, Source([0.01] * 40), refuse, 2, 8, announced.append)  # type: ignore[arg-type]
    assert [outcome.value for outcome in outcomes] == [0.01] * 40
    assert tried == ["async", "threads"] and announced == ["sequential", "sequential"]


@pytest.mark.parametrize("engine", ["auto", "sequential"])
def test_what_the_first_measurements_need_is_made_here(engine: str) -> None:
    made = {outcome.unwrap()[0] for outcome in run(engine, PerWorker(chores.named_station), range(3))}
    assert made == {os.getpid()}


def test_effort_is_of_this_thread_and_never_falls() -> None:
    before = thread_effort()
    chores.blur(200)
    effort = thread_effort() - before
    assert effort.cpu_s > 0 and effort.queued_s >= 0
    assert effort.computing_s == effort.cpu_s + effort.queued_s
