"""CPU time and memory of a process and all it started, compared with psutil's view of the same."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from ligera.meter.processes import ProcessTree

WORK = "import os, sys, time\nwhile time.process_time() < {seconds}: pass\n"
WAIT = "print('done', flush=True)\nsys.stdin.read()\n"
linux = pytest.mark.skipif(sys.platform != "linux", reason="children are seen on Linux alone")


@contextmanager
def child(code: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process that has said it is done and waits for the end of its input."""
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdin is not None
    try:
        assert process.stdout.readline() == "done\n"
        yield process
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def test_own_work_counts() -> None:
    tree = ProcessTree()
    before = tree.read().cpu_s
    own = time.process_time()
    while time.process_time() < own + 0.05:
        pass
    assert 0.05 <= tree.read().cpu_s - before < 5


@linux
@pytest.mark.parametrize("listed", [True, False], ids=["listed by the kernel", "found by their parents"])
def test_a_child_counts_while_it_runs_and_after(listed: bool) -> None:
    tree = ProcessTree()
    tree._listed = listed
    before = tree.read().cpu_s
    with child(WORK.format(seconds=0.15) + WAIT) as process:
        during = tree.read()
        seen = psutil.Process(process.pid)
        times = seen.cpu_times()
        assert during.cpu_s - before >= 0.13
        assert times.user + times.system >= 0.13
        both_mb = (psutil.Process().memory_info().rss + seen.memory_info().rss) / 1e6
        assert during.rss_mb == pytest.approx(both_mb, rel=0.1)
    after = tree.read()
    assert after.cpu_s >= during.cpu_s
    assert after.rss_mb is not None and during.rss_mb is not None and after.rss_mb < during.rss_mb


@linux
def test_a_child_that_is_found_late_counts_from_its_start() -> None:
    tree = ProcessTree()
    before = tree.read().cpu_s
    with child(WORK.format(seconds=0.1) + WAIT):
        assert tree.read(thorough=False).cpu_s - before < 0.09
        assert tree.read().cpu_s - before >= 0.09
        known = tree.read(thorough=False).cpu_s
        assert known - before >= 0.09
    assert tree.read(thorough=False).cpu_s >= known


@linux
def test_a_grandchild_counts_and_so_does_one_started_by_a_thread() -> None:
    grandchild = WORK.format(seconds=0.1) + WAIT
    code = (
        "import subprocess, sys, threading\n"
        f"run = lambda: subprocess.run([sys.executable, '-S', '-c', {grandchild!r}])\n"
        "thread = threading.Thread(target=run)\nthread.start()\nthread.join()\n"
    )
    tree = ProcessTree()
    before = tree.read().cpu_s
    with child(code) as process:
        assert [one.pid for one in psutil.Process().children(recursive=True)].count(process.pid) == 1
        assert tree.read().cpu_s - before >= 0.09
    assert tree.read().cpu_s - before >= 0.09


@linux
def test_time_of_a_child_that_nobody_waits_for_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = ProcessTree()
    real, extra = tree._stat, [5000]

    def stat(pid: int) -> list[bytes] | None:
        fields = real(pid)
        if pid == os.getpid() and fields is not None:
            fields[13] = str(int(fields[13]) + extra[0]).encode()
        return fields

    monkeypatch.setattr(tree, "_stat", stat)
    high = tree.read().cpu_s
    extra[0] = 0
    fallen = tree.read().cpu_s
    assert fallen == high
    start = time.process_time()
    while time.process_time() < start + 0.02:
        pass
    assert 0.02 <= tree.read().cpu_s - fallen < 5


def test_the_high_water_mark_is_at_least_what_is_held() -> None:
    tree = ProcessTree()
    held, most = tree.read().rss_mb, tree.high_water_mb()
    assert most is not None and most > 1
    assert held is None or most >= held * 0.9
