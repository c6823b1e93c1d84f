"""The study's figures as tables and sentences, the paper's beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ligera.studies.engines.contenders import BASE, REFERENCE, Contender
from ligera.studies.engines.judging import Verdict
from ligera.studies.engines.peer import WITHIN, Agreement, Pairs
from ligera.studies.engines.timing import Run
from ligera.studies.table import Table

__all__ = ["Entry", "agreement_table", "result_table", "said"]

COLUMNS = ("model", "engine", "in ms", "network ms", "out ms", "latency ms", "p95 ms", "pictures/s")
COLUMNS += ("x torch (90 %)", "x ONNX Runtime fp32", "score", "lost, points", "energy mJ", "layers with weights")
# What the paper says in words of its figures 6.5 to 6.7: int8 against the training framework.
PAPER = "Paper: int8 takes about 90 % off the latency and costs at most 5 points (TensorRT, Jetson and a GPU server)"


@dataclass(frozen=True, slots=True)
class Entry:
    """One contender with what was found out about it; ``run`` is ``None`` where it must not be quoted."""

    contender: Contender
    run: Run | None
    verdict: Verdict


def result_table(entries: Sequence[Entry], note: str) -> Table:
    """A row for each contender."""
    return Table("Engines and precisions (paper E, figures 6.5 to 6.9)", COLUMNS, tuple(map_rows(entries)), note)


def map_rows(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    return [_row(entry, entries) for entry in entries]


def find(entries: Sequence[Entry], model: str, key: str) -> Entry | None:
    """The entry of ``model`` in the engine called ``key``."""
    wanted = (entry for entry in entries if entry.contender.model == model and entry.contender.engine.key == key)
    return next(wanted, None)


def _row(entry: Entry, entries: Sequence[Entry]) -> tuple[str, ...]:
    contender, run, verdict = entry.contender, entry.run, entry.verdict
    names = (contender.model, contender.engine.title)
    layers = ", ".join(f"{count} {name}" for name, count in verdict.weighted.items()) or "all as written"
    score = "unknown" if verdict.points is None else f"{verdict.points:.2f} {verdict.metric}"
    judged = (score, _lost(entry, entries))
    if run is None:
        return (*names, *("too noisy",) * 6, "", "", *judged, "", layers)
    stages = tuple(f"{value:.3f}" for value in run.stages_ms)
    times = (f"{run.latency_ms:.2f}", f"{run.p95_ms:.2f}", f"{run.throughput:.1f}")
    return (*names, *stages, *times, *_ratios(entry, entries), *judged, _energy(run), layers)


def _ratios(entry: Entry, entries: Sequence[Entry]) -> tuple[str, str]:
    assert entry.run is not None
    texts = []
    for engine in (REFERENCE, BASE):
        other = find(entries, entry.contender.model, engine.key)
        if other is None or other.run is None:
            texts.append("unknown")
            continue
        ratio, low, high = entry.run.faster_than(other.run)
        texts.append(f"{ratio:.2f} ({low:.2f}-{high:.2f})")
    return texts[0], texts[1]


def lost_points(entry: Entry, entries: Sequence[Entry]) -> float | None:
    """Points below torch in fp32, or where it was not judged ONNX Runtime's; ``None`` where one is unknown."""
    for engine in (REFERENCE, BASE):
        other = find(entries, entry.contender.model, engine.key)
        if other is not None and other.verdict.points is not None and entry.verdict.points is not None:
            return other.verdict.points - entry.verdict.points
    return None


def _lost(entry: Entry, entries: Sequence[Entry]) -> str:
    lost = lost_points(entry, entries)
    # a tiny gain must not read as "-0.00"
    return "unknown" if lost is None else f"{round(lost, 2) + 0.0:+.2f}"


def _energy(run: Run) -> str:
    figure = run.energy
    return "unknown" if figure.value is None else f"{figure.value:.1f} {figure.source}"


def said(entries: Sequence[Entry]) -> tuple[str, ...]:
    """The fastest engine of each model, and what int8 gains and loses."""
    sentences = []
    for model in dict.fromkeys(entry.contender.model for entry in entries):
        own = [entry for entry in entries if entry.contender.model == model and entry.run is not None]
        base, reference = find(own, model, BASE.key), find(own, model, REFERENCE.key)
        if not own or base is None or reference is None:
            continue
        best = min(own, key=lambda entry: entry.run.latency_ms)  # type: ignore[union-attr]
        assert best.run is not None and base.run is not None and reference.run is not None
        lost = lost_points(best, entries)
        words = "what it loses is unknown" if lost is None else f"{max(lost, 0):.2f} points of its score lost"
        sentences.append(
            f"{model}: fastest in {best.contender.engine.title}, {best.run.latency_ms:.2f} ms, "
            f"{best.run.faster_than(reference.run)[0]:.1f} times as fast as torch eager and "
            f"{best.run.faster_than(base.run)[0]:.1f} times as fast as ONNX Runtime in fp32; {words}"
        )
    return (*sentences, PAPER)


def agreement_table(found: Sequence[Agreement], note: str) -> Table:
    """Our network stage beside benchmark_app's latency."""
    rows = tuple((one.key, *_compared(one.medians), *_compared(one.fastest)) for one in found)
    columns = (
        "contender",
        *("median ms (range)", "benchmark_app's ms", "ratio (90 %)", f"within {WITHIN:.0%}"),
        *("fastest ms (range)", "benchmark_app's ms", "ratio (90 %)", f"within {WITHIN:.0%}"),
    )
    return Table("Agreement with OpenVINO's benchmark_app", columns, rows, note)


def _compared(pairs: Pairs) -> tuple[str, str, str, str]:
    ours, theirs = (
        f"{np.median(times):.3f} ({min(times):.3f}-{max(times):.3f})" for times in (pairs.ours, pairs.theirs)
    )
    interval = "" if pairs.interval is None else " ({:.3f}-{:.3f})".format(*pairs.interval)
    return ours, theirs, f"{pairs.ratio:.3f}{interval}", pairs.verdict
