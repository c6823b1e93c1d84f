"""How long each detector takes on the same pictures: processes side by side, one picture after the other.

Every picture goes through all detectors, plain and bounded, before the next one does, and their order rotates, so that
other load on the machine falls on all of them. Each round is kept on disk once it is whole, with how noisy it was, so
that a stopped study goes on with the next. A noisy round is measured again, and once more by the next command.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ligera.deploy.timing.answering import AnsweringProcess
from ligera.deploy.timing.noise import NoiseMeter
from ligera.files import write_bytes
from ligera.studies.detectors.contenders import Contender
from ligera.studies.trials import Listener

__all__ = ["MODES", "Times", "measure_times"]

MODES = ("plain", "bounded")
_TRIES = 3  # of a round that was noisy


@dataclass(slots=True)
class Times:
    """``ms[mode]`` has one list of runs for each picture; ``peak_mb`` is the process's high water, if it says."""

    ms: dict[str, list[list[float]]] = field(default_factory=lambda: {mode: [] for mode in MODES})
    peak_mb: float | None = None


def measure_times(
    contenders: list[Contender],
    pictures: list[Path],
    rounds: int,
    threads: int,
    max_side_px: int,
    folder: Path,
    force: bool = False,
    tell: Listener | None = None,
) -> tuple[dict[str, Times], tuple[str, ...]]:
    """Times by contender's name, and why they must not be quoted, if so; ``folder`` keeps the rounds.

    With ``force`` noisy rounds are taken as they are.
    """
    names = [contender.name for contender in contenders]
    files = [folder / "times" / f"round-{number + 1}.json" for number in range(rounds)]
    kept = [_read(file, names, len(pictures), force) for file in files]
    if None in kept:
        with ExitStack() as stack:
            workers = [stack.enter_context(_Worker(one, threads, max_side_px)) for one in contenders]
            for worker in workers:
                worker.time("plain", pictures[0])  # a first run warms up
            for number, file in enumerate(files):
                if kept[number] is None:
                    what = f"timing {len(workers)} detectors, round {number + 1} of {rounds}"
                    for attempt in range(1 if force else _TRIES):
                        if tell:
                            tell({"trial": f"{what}, again after noise" if attempt else what})
                        kept[number] = _round(workers, pictures, number * len(pictures), threads)
                        write_bytes(file, (json.dumps(kept[number]) + "\n").encode())
                        if not kept[number]["noise"]:
                            break
    return _together(names, len(pictures), [one for one in kept if one is not None])


def _round(workers: list[_Worker], pictures: list[Path], first_turn: int, threads: int) -> dict[str, Any]:
    """Every picture once through all of ``workers``, both ways."""
    ms: dict[str, dict[str, list[float]]] = {worker.name: {mode: [] for mode in MODES} for worker in workers}
    noise = NoiseMeter(threads=threads)
    noise.start()
    for turn, picture in enumerate(pictures, first_turn):
        noise.calibrate()
        for step in range(len(workers)):
            worker = workers[(turn + step) % len(workers)]
            for mode in MODES if turn % 2 else reversed(MODES):
                answer = worker.time(mode, picture)
                noise.add_own(answer["cpu_s"])
                ms[worker.name][mode].append(answer["ms"])
    noise.stop()
    peaks_mb = {worker.name: worker.peak_mb() for worker in workers}
    return {"ms": ms, "peak_mb": peaks_mb, "noise": noise.reasons()}


def _read(file: Path, names: list[str], pictures: int, noisy_too: bool) -> dict[str, Any] | None:
    """A round that was kept; nothing where it is missing, damaged, of other detectors or pictures, or noisy."""
    try:
        values = json.loads(file.read_text())
        sizes = {name: [len(values["ms"][name][mode]) for mode in MODES] for name in values["ms"]}
        whole = set(values) == {"ms", "peak_mb", "noise"} and list(values["peak_mb"]) == names
        usable = whole and (noisy_too or not values["noise"])
        return values if usable and sizes == {name: [pictures] * len(MODES) for name in names} else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _together(
    names: list[str], pictures: int, rounds: list[dict[str, Any]]
) -> tuple[dict[str, Times], tuple[str, ...]]:
    times = {}
    for name in names:
        ms = {mode: [[one["ms"][name][mode][place] for one in rounds] for place in range(pictures)] for mode in MODES}
        peaks_mb = [one["peak_mb"][name] for one in rounds if one["peak_mb"][name] is not None]
        times[name] = Times(ms, max(peaks_mb, default=None))
    noise = [f"round {number}: {reason}" for number, one in enumerate(rounds, 1) for reason in one["noise"]]
    return times, tuple(noise)


class _Worker(AnsweringProcess):
    """One detector's process."""

    advice = "leave it out, or run again"

    def __init__(self, contender: Contender, threads: int, max_side_px: int) -> None:
        self.name = contender.name
        arguments = (contender.model, str(threads), str(max_side_px))
        super().__init__("ligera.studies.detectors.worker", *arguments, threads=threads)

    def time(self, mode: str, picture: Path) -> dict[str, float]:
        return self.answer(f"{mode} {picture}", self.name)

    def peak_mb(self) -> float | None:
        return self.answer("", self.name)["peak_mb"]
