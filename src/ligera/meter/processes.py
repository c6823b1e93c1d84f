"""CPU time and memory of this process, its children and theirs: data workers count, finished ones too.

In: Linux's ``/proc``; elsewhere what the system tells of this process and its finished children alone. Out: seconds and
MB (resident set; pages that several processes share count in each of them, as adding them up once costs too much).
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ligera.meter.kernel import read_kernel_file

__all__ = ["ProcessTree", "Usage"]

# Of /proc/PID/stat behind the name in brackets: user, system, and both of children that were waited for; pages.
CPU_FIELDS = slice(11, 15)
CHILDREN_FIELDS = slice(13, 15)
PARENT_FIELD = 1
PAGES_FIELD = 21
RETRIES = 3


@dataclass(frozen=True, slots=True)
class Usage:
    """``cpu_s`` never falls; ``rss_mb`` is what is held now, ``None`` where nobody says."""

    cpu_s: float
    rss_mb: float | None


class ProcessTree:
    """This process and all it started. ``note`` says what cannot be seen on this system."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._pid = os.getpid()
        self._linux = self._stat(self._pid) is not None
        self._listed = (proc / f"{self._pid}/task/{self._pid}/children").exists()
        self.note = "" if self._linux else "children that are still running are not seen on this system"
        self._known: list[int] = []
        self._last_s = 0.0
        self._lost_s = 0.0

    def read(self, *, thorough: bool = True) -> Usage:
        """One look; a ``thorough`` one searches for new children first, which takes a call for each thread."""
        if not self._linux:
            times = os.times()
            own_s = time.process_time()
            return Usage(own_s + times.children_user + times.children_system, None)
        if thorough:
            self._known = self._descendants()
        usage = self._look()
        for _ in range(RETRIES):
            if usage.cpu_s + self._lost_s >= self._last_s:
                break
            # a child ended between two of our looks, its time is now found in its parent's
            usage = self._look()
        else:
            # a child that nobody waited for took its time along
            self._lost_s = self._last_s - usage.cpu_s
        self._last_s = usage.cpu_s + self._lost_s
        return Usage(self._last_s, usage.rss_mb)

    def high_water_mb(self) -> float | None:
        """The most that this process alone ever held, between two looks too."""
        if self._linux:
            try:
                for line in (self._proc / f"{self._pid}/status").read_text(encoding="ascii").splitlines():
                    if line.startswith("VmHWM:"):
                        return int(line.split()[1]) * 1024 / 1e6
            except (OSError, ValueError, IndexError):
                pass
        try:
            import resource
        except ModuleNotFoundError:
            return None
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6

    def _look(self) -> Usage:
        # missed for now: children that are new since the last thorough look; their time counts from their start
        tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
        own = self._stat(self._pid) or []
        # parents before children: one that ends meanwhile is missed, which shows, and not counted twice, which does not
        cpu_s = time.process_time() + sum(map(int, own[CHILDREN_FIELDS])) / tick
        pages = int(own[PAGES_FIELD]) if own else 0
        for pid in self._known:
            fields = self._stat(pid)
            if fields is not None:
                cpu_s += sum(map(int, fields[CPU_FIELDS])) / tick
                pages += int(fields[PAGES_FIELD])
        return Usage(cpu_s, pages * page / 1e6)

    def _descendants(self) -> list[int]:
        children = self._listed_children if self._listed else self._parents().get
        found: list[int] = []
        waiting = [self._pid]
        while waiting:
            new = [child for child in children(waiting.pop()) or () if child not in found]
            found += new
            waiting += new
        return found

    def _listed_children(self, pid: int) -> list[int]:
        """As the kernel lists them, for each thread those it started."""
        try:
            threads = list((self._proc / f"{pid}/task").iterdir())
        except OSError:
            return []
        found: list[int] = []
        for thread in threads:
            try:
                found += map(int, read_kernel_file(f"{thread}/children").split())
            except (OSError, ValueError):
                continue
        return found

    def _parents(self) -> dict[int, list[int]]:
        """For kernels that list no children: every process is asked for its parent."""
        children: dict[int, list[int]] = {}
        for folder in self._proc.iterdir():
            fields = self._stat(int(folder.name)) if folder.name.isdecimal() else None
            if fields is not None:
                children.setdefault(int(fields[PARENT_FIELD]), []).append(int(folder.name))
        return children

    def _stat(self, pid: int) -> list[bytes] | None:
        try:
            fields = read_kernel_file(f"{self._proc}/{pid}/stat").rpartition(b")")[2].split()
        except OSError:
            return None
        return fields if len(fields) > PAGES_FIELD else None
