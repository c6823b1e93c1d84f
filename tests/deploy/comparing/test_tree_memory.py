"""Memory and time of a process and its children, seen from outside."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ligera.deploy.comparing.tree_memory import TreeMemory

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")

PARENT = (
    "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdin=subprocess.PIPE); "
    "print('begun', flush=True); sys.stdin.read(); child.communicate()"
)
CHILD = "held = bytearray(60_000_000); held[::4096] = b'x' * len(held[::4096]); import sys; sys.stdin.read()"


def wait_for(what: Callable[[], bool]) -> bool:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.02)
    return False


def test_what_a_child_holds_counts_for_its_parent() -> None:
    process = subprocess.Popen([sys.executable, "-c", PARENT, CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        tree = TreeMemory(process.pid)

        def seen() -> bool:
            tree.look()
            return (tree.peak_mb or 0) > 60

        assert wait_for(seen)
        assert 60 < tree.peak_mb < 150  # type: ignore[operator]
        assert tree.cpu_s > 0
    finally:
        process.communicate()


def test_a_process_that_is_gone_is_nothing_and_no_error() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    tree = TreeMemory(process.pid)
    tree.look()
    assert tree.peak_mb is None and tree.cpu_s == 0
