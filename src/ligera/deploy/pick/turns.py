"""Models in processes of their own, timed in turns: each round begins with another, so that what drifts meets all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ligera.deploy.pick.candidates import Candidate
from ligera.deploy.pick.evidence import Visit
from ligera.deploy.pick.process import WorkerProcess
from ligera.deploy.timing.energy import Turns, look
from ligera.deploy.timing.noise import NoiseMeter
from ligera.meter.sources import Sources

__all__ = ["calibrate", "take_turns"]


def take_turns(
    workers: Mapping[Candidate, tuple[WorkerProcess, float]],
    asked: Mapping[Candidate, dict[str, Any]],
    sources: Sources,
    rounds: int,
) -> dict[Candidate, Visit]:
    """The visit of each candidate: its worker with the milliseconds that this took to start, and what it is asked."""
    turns = {candidate: Turns(on_card=False) for candidate in workers}
    times: dict[Candidate, list[dict[str, Any]]] = {candidate: [] for candidate in workers}
    noise = NoiseMeter(threads=max(candidate.threads for candidate in workers))
    noise.start()
    names = list(workers)
    for number in range(rounds):
        first = number % len(names)
        for candidate in names[first:] + names[:first]:
            calibrate(noise, 2)
            before = look(sources)
            answer = workers[candidate][0].ask("time", about=candidate.key(), **asked[candidate])
            after = look(sources)
            turns[candidate].add(sources, before, after, cpu_s=answer["cpu_s"], detections=answer["pictures"])
            noise.add_own(answer["cpu_s"])
            times[candidate].append(answer)
    noise.stop()
    source = "measured" if sources.rapl.zones else "estimated"
    note = "counters of whole devices" if sources.rapl.zones else sources.estimate.how
    return {
        candidate: Visit(
            rounds_ms=tuple(tuple(part["times_ms"]) for part in times[candidate]),
            network_ms=tuple(tuple(part["network_ms"]) for part in times[candidate]),
            joules=tuple(turns[candidate].joules),
            pictures=tuple(turns[candidate].detections),
            energy_source=source,
            energy_note=note,
            started_ms=started_ms,
            peak_mb=worker.ask("peak", about=candidate.key())["peak_mb"],
            noise=noise.reasons(),
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        for candidate, (worker, started_ms) in workers.items()
    }


def calibrate(noise: NoiseMeter, times: int) -> None:
    """See so often how fast a core is just now."""
    for _ in range(times):
        noise.calibrate()
