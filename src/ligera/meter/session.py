"""The meter around a piece of work: samples each second in a thread of its own, keeps ``cost.json`` up to date.

    with Meter(folder / "cost.json") as meter:
        with meter.phase("train"):
            ...
    print(meter.cost().figures["energy_kwh"])

A run that is killed keeps what was written last, at most ``WRITE_EVERY_S`` old; one that goes on in the same folder
adds a leg. Phases are told apart to within half an interval.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal

from ligera.errors import UsageError
from ligera.files import write_bytes
from ligera.meter.cost import DEFAULT_CO2_G_PER_KWH, Cost, checked_co2, summarise
from ligera.meter.record import CostFile, Leg, cost_path, read_file
from ligera.meter.sources import Sources, find_sources
from ligera.meter.tally import Tally
from ligera.meter.tariff import Tariff

__all__ = ["WRITE_EVERY_S", "Meter"]

WRITE_EVERY_S = 10.0
JOIN_S = 10.0


class Meter:
    """What a run costs. ``path`` is the run's ``cost.json`` or ``None`` to keep nothing; under torchrun each process
    has a meter of its own and gives its ``rank``. ``tariff`` is EUR/kWh, a file or a ``Tariff``. ``gpus`` are the cards
    that the work runs on, as in ``find_sources``: ``()`` for none, ``None`` for all that are visible.

    ``background=False`` starts no thread: then ``sample`` is called by whoever knows when. Raises ``DataError`` where
    ``path`` holds what is no record of cost, ``UsageError`` or ``DataError`` for a wrong tariff or factor, and
    ``OSError`` where ``path`` cannot be written at the start or the end; in between, a disk that is full costs no run.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        tariff: Tariff | float | str | Path = Tariff.flat(),
        co2_g_per_kwh: float = DEFAULT_CO2_G_PER_KWH,
        interval_s: float = 1.0,
        rank: int = 0,
        gpus: Sequence[str | int] | None = None,
        sources: Sources | None = None,
        background: bool = True,
    ) -> None:
        if not interval_s > 0:
            raise UsageError(f"interval_s: expected a number over 0, got {interval_s}")
        self.path = path if path is None or rank == 0 else cost_path(path.parent, rank)
        self._tariff = Tariff.read(tariff)
        self._co2_g_per_kwh = checked_co2(co2_g_per_kwh)
        self._interval_s = interval_s
        self._rank = rank
        self._gpus = gpus
        self._sources = sources
        self._owns_sources = sources is None
        self._background = background
        self._earlier: tuple[Leg, ...] = ()
        self._tally: Tally | None = None
        self._last_leg: Leg | None = None
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._written_s = 0.0
        self._pid = 0

    def __enter__(self) -> Meter:
        if self._tally is not None:
            raise ValueError("a meter runs once; make another for another piece of work")
        if self.path is not None and self.path.exists():
            self._earlier = read_file(self.path).legs
        self._pid = os.getpid()
        self._sources = self._sources or find_sources(self._gpus)
        try:
            self._tally = Tally(self._sources)
            self._write("running")
        except BaseException:
            self._close()
            raise
        if self._background:
            self._thread = threading.Thread(target=self._run, name="ligera-meter", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if os.getpid() != self._pid:
            # a forked child that leaves the block with its parent's meter in hand
            return
        self._stop.set()
        if self._thread is not None:
            self._thread.join(JOIN_S)
        try:
            with self._lock:
                self._sample_safely(last=True)
            self._write("done" if kind is None else "stopped", "" if kind is None else kind.__name__)
        except Exception:
            # what went wrong in the block matters more
            if kind is None:
                raise
        finally:
            self._close()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Charge what runs inside to ``name``; phases may repeat, and nest: each has what runs in it alone."""
        if not name:
            raise ValueError("phase: expected a name")
        self._boundary(name)
        try:
            yield
        finally:
            self._boundary(None)

    def sample(self) -> None:
        """Take a sample now, and write the record where that is due."""
        with self._lock:
            self._sample()
            tally = self._running()
            due = tally.last_s - self._written_s >= WRITE_EVERY_S
        if due:
            self._write("running")

    def cost(self) -> Cost:
        """What all legs have cost up to the last sample."""
        where = "this run" if self.path is None else str(self.path.parent)
        return summarise([self._document("running")], where)

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            try:
                self.sample()
            except OSError as error:
                self._note(f"the record could not be written: {error.strerror or error}")
            except Exception as error:
                self._note(f"a sample failed: {type(error).__name__}: {error}")

    def _running(self) -> Tally:
        if self._tally is None:
            raise ValueError("a meter has to be entered first: with Meter(...) as meter")
        return self._tally

    def _sample(self, *, last: bool = False) -> None:
        tally, before_s = self._running(), time.thread_time()
        tally.sample(last=last)
        tally.metering_cpu_s += time.thread_time() - before_s

    def _sample_safely(self, *, last: bool = False) -> None:
        try:
            self._sample(last=last)
        except Exception as error:
            # metering must never end the work it meters
            self._note(f"a sample failed: {type(error).__name__}: {error}")

    def _boundary(self, name: str | None) -> None:
        """Enter a phase, or leave the innermost. What came before is sampled first unless that just happened."""
        with self._lock:
            tally = self._running()
            assert self._sources is not None
            now_s = self._sources.clock.monotonic()
            if not self._stop.is_set() and now_s - tally.last_s >= self._interval_s / 2:
                self._sample_safely()
            if name is None:
                tally.phases.leave(now_s)
            else:
                tally.phases.enter(name, now_s)

    def _document(self, state: Literal["running", "done", "stopped"], reason: str = "") -> CostFile:
        with self._lock:
            leg = self._last_leg or self._running().leg(state, reason)
            if state != "running":
                self._last_leg = leg
        return CostFile(
            rank=self._rank,
            tariff=self._tariff.as_dict(),
            co2_g_per_kwh=self._co2_g_per_kwh,
            legs=(*self._earlier, leg),
        )

    def _write(self, state: Literal["running", "done", "stopped"], reason: str = "") -> None:
        # not under the lock that phases wait for: a slow disk must not hold up the work
        with self._writing:
            before_s = time.thread_time()
            # also where it fails, lest a full disk be tried each second
            self._written_s = self._running().last_s
            if self.path is None and state == "running":
                return
            document = self._document(state, reason)
            if self.path is not None:
                write_bytes(self.path, document.model_dump_json(indent=1).encode())
            self._running().metering_cpu_s += time.thread_time() - before_s

    def _note(self, text: str) -> None:
        if self._tally is not None and text not in self._tally.notes:
            self._tally.notes.append(text)

    def _close(self) -> None:
        if self._owns_sources and self._sources is not None:
            self._sources.close()
