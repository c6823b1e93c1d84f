"""A process that answers by lines takes nobody's processor while it waits, and is never left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ligera.deploy.pick.process import WorkerProcess
from ligera.deploy.pick.worker import WorkerJob
from ligera.deploy.timing.answering import AnsweringProcess

PATIENCE_S = 60.0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")


def state_of(pid: int) -> str:
    """``T`` for a process that stands still, ``Z`` for one that ended and was not asked after, "" for none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def wait_for(pid: int, states: str) -> str:
    until = time.monotonic() + PATIENCE_S
    while (state := state_of(pid)) and state not in states and time.monotonic() < until:
        time.sleep(0.02)
    return state


def test_it_stands_still_between_its_answers_and_goes_on_with_the_next() -> None:
    with WorkerProcess(WorkerJob("faces"), threads=1) as process:
        pid = process._process.pid
        for _ in range(2):
            assert wait_for(pid, "T") == "T"
            assert process.ask("peak", about="it")["peak_mb"] > 0
    assert state_of(pid) == ""


def test_one_that_tells_by_itself_runs_on_until_it_has_told_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "telling.py").write_text(
        "import json, time\n"
        "for number in range(3):\n"
        "    print(json.dumps({'number': number}), flush=True)\n"
        "    time.sleep(0.05)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with AnsweringProcess("telling") as process:
        # one that was made to stand still would keep this waiting for ever
        timer = threading.Timer(PATIENCE_S, process._process.kill)
        timer.start()
        assert [process.told("it")["number"] for _ in range(3)] == [0, 1, 2]
        timer.cancel()


def test_it_is_gone_with_a_parent_that_was_killed() -> None:
    script = (
        "import time\nfrom ligera.deploy.pick.process import WorkerProcess\n"
        "from ligera.deploy.pick.worker import WorkerJob\n"
        "process = WorkerProcess(WorkerJob('faces'), threads=1)\n"
        "print(process._process.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
    assert wait_for(pid, "T") == "T"
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert wait_for(pid, "Z") in ("Z", "")
