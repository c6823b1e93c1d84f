"""Workers in processes: what may happen to them must not happen to us."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import engine_chores as chores
import numpy as np
import pytest

from ligera.data.engines import WorkerDied, run
from ligera.data.engines.processes import START_METHODS
from ligera.errors import MissingExtra, UsageError

HERE = Path(__file__).parent
posix = pytest.mark.skipif(os.name != "posix", reason="signals and process groups are POSIX's")


def test_a_worker_that_leaves_costs_only_the_item_it_was_at() -> None:
    outcomes = list(run("processes", chores.leave, range(40), workers=2))
    assert [outcome.item for outcome in outcomes] == list(range(40))
    assert [outcome.item for outcome in outcomes if outcome.error] == [5]
    assert isinstance(outcomes[5].error, WorkerDied)
    assert str(outcomes[5].error) == "a worker process ended with exit code 7 while it worked on this"


@posix
def test_a_killed_worker_is_an_error_and_not_a_hang() -> None:
    outcomes = list(run("processes", chores.be_killed, range(6), workers=2))
    assert [outcome.value for outcome in outcomes] == [0, 1, None, 3, 4, 5]
    assert "killed by SIGKILL (out of memory?)" in str(outcomes[2].error)


def test_a_result_that_cannot_travel_is_the_error_of_its_item() -> None:
    outcomes = list(run("processes", chores.unpicklable, range(3), workers=1))
    assert [outcome.value for outcome in outcomes] == [0, None, 2]
    assert "cannot be sent back" in str(outcomes[1].error)


def test_an_item_that_cannot_travel_is_the_error_of_its_item() -> None:
    items = [int, lambda: 1, int]
    outcomes = list(run("processes", chores.call, items, workers=1))
    assert [outcome.value for outcome in outcomes] == [0, None, 0]
    assert "cannot be sent to another process" in str(outcomes[1].error)


def test_an_error_arrives_with_its_type_message_and_origin() -> None:
    (outcome,) = run("processes", chores.miss, [0], workers=1)
    assert isinstance(outcome.error, MissingExtra)
    assert "pip install 'ligera[cluster]'" in str(outcome.error)
    assert "in miss" in outcome.error.__notes__[0]


def test_work_that_cannot_be_sent_is_refused_in_one_line() -> None:
    with pytest.raises(UsageError, match="define it at the top of a module, or use threads") as refused:
        list(run("processes", lambda number: number, [1]))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("method", START_METHODS)
def test_every_way_to_start_a_process_gives_the_same(method: str) -> None:
    outcomes = list(run("processes", chores.process_number, range(8), workers=2, start_method=method))
    workers = {outcome.unwrap() for outcome in outcomes}
    assert os.getpid() not in workers and 1 <= len(workers) <= 2


@pytest.mark.skipif("fork" not in START_METHODS, reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_forked_workers_may_use_opencv_after_its_threads_have_run_here() -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        expected = chores.blur(300)
        outcomes = list(run("processes", lambda n: chores.blur(300 + n), [0] * 6, workers=2, start_method="fork"))
        assert [outcome.unwrap() for outcome in outcomes] == [expected] * 6
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)


@pytest.mark.parametrize("method", START_METHODS)
def test_opencv_has_one_thread_in_each_worker(method: str) -> None:
    (outcome,) = run("processes", chores.opencv_threads, [0], workers=1, start_method=method)
    assert outcome.value == 1


def test_large_items_and_results_pass_both_ways_at_once() -> None:
    items = [np.full(400_000, number, np.uint8) for number in range(12)]
    for number, outcome in enumerate(run("processes", np.negative, items, workers=2)):
        assert outcome.unwrap()[0] == (256 - number) % 256


def script(tmp_path: Path, body: str) -> Path:
    path = tmp_path / "script.py"
    path.write_text(f"import sys\nsys.path.insert(0, {str(HERE)!r})\nimport engine_chores as chores\n{body}")
    return path


def test_a_script_without_its_guard_is_told_so(tmp_path: Path) -> None:
    body = "from ligera.data.engines import run\nprint(list(run('processes', chores.square, [1], workers=1)))\n"
    done = subprocess.run([sys.executable, script(tmp_path, body)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "if __name__ == '__main__':" in done.stderr.splitlines()[-1]


INTERRUPTED = """
from ligera.data.engines import run
if __name__ == "__main__":
    try:
        with run("{engine}", chores.write_slowly, ["{folder}/a", "{folder}/b"], workers=2) as outcomes:
            list(outcomes)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)
"""


def wait_for(what: object, patience_s: float = 20.0) -> bool:
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if what():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


def group_is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def begun(tmp_path: Path, engine: str) -> subprocess.Popen:
    body = INTERRUPTED.format(engine=engine, folder=tmp_path)
    process = subprocess.Popen(
        [sys.executable, script(tmp_path, body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert wait_for(lambda: (tmp_path / "a.begun").exists() and (tmp_path / "b.begun").exists())
    return process


@posix
def test_an_interrupt_ends_the_workers_tidily_and_says_nothing_else(tmp_path: Path) -> None:
    process = begun(tmp_path, "processes")
    os.killpg(process.pid, signal.SIGINT)
    output, trouble = process.communicate(timeout=20)
    assert (process.returncode, output, trouble) == (130, "interrupted\n", "")
    assert wait_for(lambda: group_is_gone(process.pid))
    assert not list(tmp_path.glob("*.part"))


@posix
def test_workers_at_work_end_when_we_are_killed(tmp_path: Path) -> None:
    process = begun(tmp_path, "processes")
    process.kill()
    process.communicate()
    assert wait_for(lambda: group_is_gone(process.pid))
    assert not list(tmp_path.glob("*.part"))


@posix
def test_workers_end_when_we_are_killed_while_they_wait(tmp_path: Path) -> None:
    body = (
        "from ligera.data.engines import run\nif __name__ == '__main__':\n"
        "    outcomes = run('processes', chores.process_number, range(9), workers=2)\n"
        "    print(next(outcomes).value, flush=True)\n    chores.nap(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, script(tmp_path, body)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None and process.stdout.readline()
    process.kill()
    process.communicate()
    assert wait_for(lambda: group_is_gone(process.pid))


def test_nobody_is_left_after_a_run() -> None:
    assert len(list(run("processes", chores.square, range(9), workers=3))) == 9
    assert not multiprocessing.active_children()
