"""Several turns of one graph, and the frame around it -> the row of a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ligera.meter.figure import weakest
from ligera.search.table import Row, Settings
from ligera.search.timing import Turn

__all__ = ["merged", "unframed", "unsteady"]

# Differences below this are nothing to a net that takes a hundred times as long.
LEAST_WIDTH_MS = 0.005


def merged(turns: Sequence[Turn], settings: Settings) -> Turn:
    """One turn that stands for all ``turns`` by the settings' statistic; its ``n`` counts all samples."""
    return (_quickest if settings.statistic == "fastest" else _middle)(turns)


def _quickest(turns: Sequence[Turn]) -> Turn:
    """The quickest turn, busy or not, as work of others only ever adds.

    Its interval reaches up to the second quickest and as far down: where those two differ, the bottom may lie below.
    """
    best, *others = sorted(turns, key=lambda turn: turn.latency_ms)
    gap = (others[0].latency_ms if others else best.high_ms) - best.latency_ms
    low, high = max(0.0, best.latency_ms - gap), best.latency_ms + gap
    return replace(best, low_ms=low, high_ms=high, n=sum(turn.n for turn in turns), busy=False)


def _middle(turns: Sequence[Turn]) -> Turn:
    """The median turn of those that were not busy, of all where all were; of an even number the lower, as noise adds.

    Its interval reaches from the median of the lows to that of the highs; ``busy`` where all were.
    """
    kept = [turn for turn in turns if not turn.busy] or list(turns)
    middle = sorted(kept, key=lambda turn: turn.latency_ms)[(len(kept) - 1) // 2]
    low = min(middle.latency_ms, float(np.median([turn.low_ms for turn in kept])))
    high = max(middle.latency_ms, float(np.median([turn.high_ms for turn in kept])))
    count = sum(turn.n for turn in kept)
    return replace(middle, low_ms=low, high_ms=high, n=count, busy=all(turn.busy for turn in turns))


def unsteady(turns: Sequence[Turn], settings: Settings) -> bool:
    """Whether a graph should have another turn: a wide interval, or of middle turns: always busy, or at odds."""
    one = merged(turns, settings)
    widest = max(LEAST_WIDTH_MS, settings.most_width * one.latency_ms)
    if one.busy or one.high_ms - one.low_ms > widest:
        return True
    kept = [turn.latency_ms for turn in turns if not turn.busy]
    if settings.statistic == "fastest" or len(kept) < 3:
        return False
    return 2 * float(np.median(np.abs(np.array(kept) - np.median(kept)))) > widest


def unframed(turns: Sequence[Turn], frame: Sequence[Turn], cost: Mapping[str, int], settings: Settings) -> Row:
    """The row of an entry: the time of its graph less that of its frame (no turns for an entry without one).

    Errors of the two add as independent ones do. No entry takes less than nothing.
    """
    graph = merged(turns, settings)
    around = merged(frame, settings) if frame else Turn(0.0, 0.0, 0.0, 0, False, 0.0, graph.energy_source)
    own_ms = max(0.0, graph.latency_ms - around.latency_ms)
    below = math.hypot(graph.latency_ms - graph.low_ms, around.high_ms - around.latency_ms)
    above = math.hypot(graph.high_ms - graph.latency_ms, around.latency_ms - around.low_ms)
    known = graph.energy_mj is not None and around.energy_mj is not None
    return Row(
        latency_ms=own_ms,
        low_ms=max(0.0, own_ms - below),
        high_ms=own_ms + above,
        frame_ms=around.latency_ms,
        n=graph.n,
        noisy=unsteady(turns, settings) or (bool(frame) and unsteady(frame, settings)),
        repeats=max(0, len(turns) - settings.rounds),
        energy_mj=max(0.0, (graph.energy_mj or 0.0) - (around.energy_mj or 0.0)) if known else None,
        energy_source=weakest([graph.energy_source, around.energy_source]) if known else "unknown",
        **cost,
    )
