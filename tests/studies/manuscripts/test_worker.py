"""A trial in its process: trained, scored, stopped and gone on with; on drawn pages and a tiny network."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from safetensors.torch import load_file

from ligera.errors import LigeraError
from ligera.studies.manuscripts import worker
from ligera.studies.manuscripts.cases import Case
from ligera.studies.manuscripts.measured import read_all
from ligera.studies.manuscripts.process import Ending, run_job
from ligera.studies.manuscripts.settings import Settings
from ligera.studies.manuscripts.trial import Job, probe_job, training_job
from ligera.studies.manuscripts.worker import SliceOver, Watch

from .conftest import PAGES, in_this_process


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The worker's clock, which stands until it is set."""
    own = SimpleNamespace(now=0.0, perf_counter=worker.time.perf_counter)
    own.time = lambda: own.now
    monkeypatch.setattr(worker, "time", own)
    return own


def job_for(settings: Callable[..., Settings], folder: Path, model: str, deadline: float | None = None) -> Job:
    """Two chunks of two epochs."""
    case = Case(model, 4, "50", 2)
    job = training_job(settings(checkpoint_steps=4, epochs=4), case, 0, PAGES, folder)
    return (
        Job.from_json(job.to_json()) if deadline is None else Job(**json.loads(job.to_json()) | {"deadline": deadline})
    )


def watch(every: int | None = None, deadline: float | None = 100.0) -> Watch:
    recipe = {"checkpoint_every_steps": every, "epochs": 5}
    return Watch(Job("train", "x", recipe, "", "", epochs_at_once=3, deadline=deadline), lambda _row: None)


def test_a_slice_ends_after_the_save_whose_next_would_come_too_late(clock: SimpleNamespace) -> None:
    look = watch()
    clock.now = 45.0
    look({"row": {"epoch": 1}})
    clock.now = 90.0
    with pytest.raises(SliceOver):
        look({"row": {"epoch": 2}})
    assert look.saved == 2


def test_the_last_epoch_is_never_stopped_after(clock: SimpleNamespace) -> None:
    look = watch()
    clock.now = 99.0
    look({"row": {"epoch": 5}})
    assert look.saved == 0


def test_saves_within_a_long_epoch_end_a_slice_too(clock: SimpleNamespace) -> None:
    look = watch(every=10)
    clock.now = 60.0
    look({"epoch": 0, "step": 10, "steps": 64})
    with pytest.raises(SliceOver):
        look({"epoch": 0, "step": 11, "steps": 64})
    assert look.saved == 1


def test_a_step_after_the_end_of_the_slice_is_the_last_one(clock: SimpleNamespace) -> None:
    look = watch()
    look({"epoch": 0, "step": 1, "steps": 64})
    clock.now = 101.0
    with pytest.raises(SliceOver):
        look({"epoch": 0, "step": 2, "steps": 64})
    assert look.saved == 0
    watch(deadline=None)({"epoch": 0, "step": 2, "steps": 64})


def test_a_trial_is_trained_scored_and_keeps_no_checkpoint(
    settings: Callable[..., Settings], tmp_path: Path, tiny: str
) -> None:
    rows: list[dict] = []
    job = job_for(settings, tmp_path, tiny)
    assert in_this_process(job, rows.append) == Ending("done")
    assert [row["row"]["epoch"] for row in rows if "row" in row] == [2, 4]
    assert not (job.place / "checkpoint.pt").exists()
    (runs,) = read_all(tmp_path, 0.25).runs.values()
    assert set(runs[0].scores.by_class["mask"]) == {"band", "disc"}
    assert runs[0].steps == 8
    assert runs[0].minutes > 0
    assert runs[0].memory_of in ("host", "GPU")


def test_a_trial_stopped_at_the_end_of_a_slice_ends_in_the_same_weights(
    settings: Callable[..., Settings], tmp_path: Path, tiny: str, clock: SimpleNamespace
) -> None:
    whole = job_for(settings, tmp_path / "whole", tiny)
    in_this_process(whole)
    job = job_for(settings, tmp_path / "sliced", tiny, deadline=10.0)

    def later(row: dict) -> None:
        if "row" in row:
            clock.now = 9.0

    assert in_this_process(job, later) == Ending("stopped", saved=1)
    assert not job.answer.exists()
    clock.now = 0.0
    assert in_this_process(job) == Ending("done")
    one, other = (load_file(own.place / "weights.safetensors") for own in (whole, job))
    assert all(one[name].equal(other[name]) for name in one)
    # only what is missing: a trial without scores is scored, not trained
    job.answer.unlink()
    seen: list[dict] = []
    assert in_this_process(job, seen.append) == Ending("done")
    assert job.answer.exists()
    assert seen == []


def test_a_trial_that_is_trained_as_the_slice_ends_is_scored_in_the_next(
    settings: Callable[..., Settings], tmp_path: Path, tiny: str, clock: SimpleNamespace
) -> None:
    job = job_for(settings, tmp_path, tiny, deadline=10.0)

    def later(row: dict) -> None:
        clock.now = 11.0 if row.get("row", {}).get("epoch") == 4 else 0.0

    assert in_this_process(job, later).ended == "stopped"
    clock.now = 0.0
    assert in_this_process(job) == Ending("done")


def test_a_trial_that_does_not_fit_into_memory_failed_with_what_would_help(
    settings: Callable[..., Settings], tmp_path: Path, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ligera.train.regions.task.room_mb", lambda: 1.0)
    ending = in_this_process(job_for(settings, tmp_path, tiny))
    assert ending.ended == "failed"
    assert "MB" in ending.reason
    assert "try" in ending.reason


def test_steps_are_timed_and_nothing_else_is_left(settings: Callable[..., Settings], tmp_path: Path, tiny: str) -> None:
    job = probe_job(settings(timed_steps=3), tiny, tmp_path)
    assert in_this_process(job) == Ending("done")
    steps = read_all(tmp_path, 0.25).steps[tiny]
    assert len(steps.step_s) == 3
    assert min(steps.step_s) > 0
    assert steps.foretold_mb > 0
    assert {path.name for path in tmp_path.iterdir()} == {"steps", ".worker.lock"}


def test_what_goes_wrong_in_the_process_is_raised_here(settings: Callable[..., Settings], tmp_path: Path) -> None:
    job = training_job(settings(), Case("nonesuch", 1, "50", 2), 0, PAGES, tmp_path)
    with pytest.raises(LigeraError, match="nonesuch") as caught:
        run_job(job)
    assert caught.value.exit_code == 2
