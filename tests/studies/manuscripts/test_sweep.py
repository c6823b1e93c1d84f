"""One resumable sweep: nothing is done twice, a slice ends in time, what cannot be done is left out."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ligera.errors import DataError, UsageError
from ligera.studies.manuscripts import sweep
from ligera.studies.manuscripts.locking import held
from ligera.studies.manuscripts.process import Ending
from ligera.studies.manuscripts.settings import Settings
from ligera.studies.manuscripts.trial import Job

from .conftest import PAGES, finish

FEW = {"backbones": "VoVNet-19-lite,ResNet-31", "epochs": "2,1"}


class Fake:
    """Does each job at once, or what ``endings`` says of its name; ``seen`` are the names it was asked for."""

    def __init__(self, **endings: Ending | BaseException) -> None:
        self.endings = endings
        self.seen: list[str] = []

    def __call__(self, job: Job, _tell: object = None) -> Ending:
        self.seen.append(job.name)
        ending = self.endings.get(job.name.replace("-", "_").replace(".", "_"), Ending("done"))
        if isinstance(ending, BaseException):
            raise ending
        if ending.ended == "done":
            finish(job)
        return ending


def run(settings: Settings, folder: Path, runner: Fake) -> sweep.Standing:
    return sweep.run(settings, PAGES, folder, runner=runner)


def test_seeds_go_round_together_and_short_cases_come_first(settings: Callable[..., Settings], tmp_path: Path) -> None:
    runner = Fake()
    standing = run(settings(**FEW, seeds=2, timed_steps=1, step_backbones="ResNet-31"), tmp_path, runner)
    cases = [f"{name}-{epochs}e-66.66-88.88-b2" for epochs in (1, 2) for name in ("VoVNet-19-lite", "ResNet-31")]
    assert runner.seen == ["ResNet-31-b2", *(f"{case}-seed{seed}" for seed in range(2) for case in cases)]
    assert standing.total == 9
    assert not standing.left


def test_what_stands_is_not_done_again_and_the_sweep_may_grow(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    run(settings(**FEW), tmp_path, Fake())
    again, more = Fake(), Fake()
    run(settings(**FEW), tmp_path, again)
    run(settings(**FEW | {"epochs": "1,2,3"}), tmp_path, more)
    assert again.seen == []
    assert len(more.seen) == 2


def test_a_slice_ends_between_trials_and_says_what_is_left(
    settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(sweep.time, "time", lambda: now[0])

    class Slow(Fake):
        def __call__(self, job: Job, _tell: object = None) -> Ending:
            assert job.deadline == 600.0
            now[0] += 400.0
            return super().__call__(job)

    runner = Slow()
    standing = run(settings(**FEW, slice_minutes=10), tmp_path, runner)
    assert len(runner.seen) == standing.done == 2
    assert [name.split("-2e-")[0] for name in standing.left] == ["VoVNet-19-lite", "ResNet-31"]


def test_a_trial_stopped_inside_is_the_first_of_the_next_slice(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    first = Fake(ResNet_31_1e_66_66_88_88_b2_seed0=Ending("stopped", saved=2))
    standing = run(settings(**FEW, slice_minutes=10), tmp_path, first)
    assert standing.done == 1
    second = Fake()
    standing = run(settings(**FEW, slice_minutes=10), tmp_path, second)
    assert second.seen[0] == first.seen[-1]
    assert not standing.left


def test_a_slice_in_which_nothing_could_be_saved_is_told_to_be_longer(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    lazy = Fake(VoVNet_19_lite_1e_66_66_88_88_b2_seed0=Ending("stopped"))
    with pytest.raises(UsageError, match="slice_minutes: too short for VoVNet-19-lite"):
        run(settings(**FEW, slice_minutes=1), tmp_path, lazy)
    # not so where others were done before it in the slice
    lazy = Fake(ResNet_31_1e_66_66_88_88_b2_seed0=Ending("stopped"))
    assert run(settings(**FEW, slice_minutes=1), tmp_path, lazy).done == 1


def test_a_trial_that_cannot_be_trained_is_left_out_until_its_note_is_removed(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    full = Fake(ResNet_31_1e_66_66_88_88_b2_seed0=Ending("failed", "out of memory"))
    standing = run(settings(**FEW), tmp_path, full)
    assert not standing.left
    assert len(full.seen) == 4
    again = Fake()
    run(settings(**FEW), tmp_path, again)
    assert again.seen == []
    (tmp_path / "failed" / "ResNet-31-1e-66.66-88.88-b2-seed0.json").unlink()
    run(settings(**FEW), tmp_path, again)
    assert again.seen == ["ResNet-31-1e-66.66-88.88-b2-seed0"]


def test_a_killed_sweep_loses_nothing_that_was_finished(settings: Callable[..., Settings], tmp_path: Path) -> None:
    killed = Fake(ResNet_31_1e_66_66_88_88_b2_seed0=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run(settings(**FEW), tmp_path, killed)
    # as left by a process that died before it wrote its recipe, and by one that timed steps
    (tmp_path / "train" / "ResNet-31-1e-66.66-88.88-b2-seed0").mkdir()
    (tmp_path / ".steps-abc").mkdir()
    again = Fake()
    assert not run(settings(**FEW), tmp_path, again).left
    assert len(again.seen) == 3
    assert not list(tmp_path.glob(".steps-*"))


def test_an_error_of_the_data_ends_the_sweep(settings: Callable[..., Settings], tmp_path: Path) -> None:
    broken = Fake(VoVNet_19_lite_1e_66_66_88_88_b2_seed0=DataError("a page is gone"))
    with pytest.raises(DataError, match="gone"):
        run(settings(**FEW), tmp_path, broken)
    assert not (tmp_path / "failed").exists()


def test_two_studies_at_once_in_one_folder_are_refused(settings: Callable[..., Settings], tmp_path: Path) -> None:
    with held(tmp_path / ".study.lock", wait=False), pytest.raises(UsageError, match="at work there already"):
        run(settings(**FEW), tmp_path, Fake())
