"""What a process and all its descendants hold and use, seen from outside: peak memory and processor time of an engine.

In: a process number. Out: MB and seconds. Memory is the proportional set size, in which pages that several processes
share count once between them: with plain sizes, forked workers would be charged for each other's libraries. Linux only;
elsewhere nothing is known.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["TreeMemory"]

PROC = Path("/proc")
# Of /proc/PID/stat behind the name in brackets: user and system time.
CPU_FIELDS = slice(11, 13)
# Reading a proportional size takes milliseconds, a plain one a tenth of one: only what may be a new peak is read.
NEW_PEAK = 1.02


class TreeMemory:
    """Call ``look`` again and again while the process ``pid`` lives; what it saw stands in the properties."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._plain_peak_kb = 0.0
        self._peak_kb = 0
        self._cpu_ticks: dict[int, int] = {}

    @property
    def peak_mb(self) -> float | None:
        """The most that was held at one time; ``None`` where the system does not say."""
        return self._peak_kb * 1024 / 1e6 if self._peak_kb else None

    @property
    def cpu_s(self) -> float:
        """Processor time of all that was seen, up to the last look at each."""
        return sum(self._cpu_ticks.values()) / os.sysconf("SC_CLK_TCK") if self._cpu_ticks else 0.0

    def look(self) -> None:
        pids = _tree(self._pid)
        for pid in pids:
            ticks = _cpu_ticks(pid)
            if ticks is not None:
                self._cpu_ticks[pid] = ticks
        plain_kb = sum(_plain_kb(pid) for pid in pids)
        if plain_kb > NEW_PEAK * self._plain_peak_kb:
            self._plain_peak_kb = plain_kb
            self._peak_kb = max(self._peak_kb, sum(_proportional_kb(pid) for pid in pids))


def _tree(pid: int) -> list[int]:
    found, waiting = [pid], [pid]
    while waiting:
        parent = waiting.pop()
        try:
            threads = list((PROC / str(parent) / "task").iterdir())
        except OSError:
            continue
        for thread in threads:
            try:
                children = [int(word) for word in (thread / "children").read_bytes().split()]
            except (OSError, ValueError):
                continue
            found += children
            waiting += children
    return found


def _cpu_ticks(pid: int) -> int | None:
    try:
        fields = (PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
        return sum(map(int, fields[CPU_FIELDS]))
    except (OSError, ValueError):
        return None


def _plain_kb(pid: int) -> float:
    """Resident pages, the second word of ``statm``, in KiB."""
    try:
        return int((PROC / str(pid) / "statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024
    except (OSError, ValueError, IndexError):
        return 0.0


def _proportional_kb(pid: int) -> int:
    try:
        for line in (PROC / str(pid) / "smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1])
    except (OSError, ValueError, IndexError):
        pass
    return 0
