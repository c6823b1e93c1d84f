"""What a processor draws where no counter tells: its thermal design power (TDP), shared out by the time it worked.

    energy [J] = CPU seconds of the run x TDP [W] / threads of the model

that is TDP share times utilisation. It leaves out idle power, memory, the board and losses of the power supply, and
takes every busy thread to be worth the same. For a model that is not in the table the median of its kind (EPYC, Xeon,
Ryzen, Core, Raspberry Pi) stands in, or that of all kinds, with their range beside it.

TDP and threads are the makers' own: Intel's product specifications (ark.intel.com; base power for hybrid models), AMD's
(amd.com/en/products/specifications); of a Raspberry Pi the typical draw of the bare board at 5 V, which is more than
its processor (raspberrypi.com/documentation, "Power supply").
"""

from __future__ import annotations

import re
import statistics
from dataclasses import dataclass

__all__ = ["CpuEstimate", "estimate_for"]

# Model as its name says it -> watts, threads.
TDP: dict[str, tuple[float, int]] = {
    "EPYC 7302": (155, 32),
    "EPYC 7402": (180, 48),
    "EPYC 7742": (225, 128),
    "EPYC 7763": (280, 128),
    "EPYC 9554": (360, 128),
    "EPYC 9654": (360, 192),
    "Ryzen 5 3600": (65, 12),
    "Ryzen 5 5600X": (65, 12),
    "Ryzen 7 3700X": (65, 16),
    "Ryzen 7 5800X": (105, 16),
    "Ryzen 9 3900X": (105, 24),
    "Ryzen 9 5900X": (105, 24),
    "Ryzen 9 5950X": (105, 32),
    "Ryzen Threadripper 3970X": (280, 64),
    "Xeon E5-2680 v4": (120, 28),
    "Xeon Gold 6148": (150, 40),
    "Xeon Gold 6248": (150, 40),
    "Xeon Platinum 8480+": (350, 112),
    "Core i5-8250U": (15, 8),
    "Core i7-1165G7": (28, 8),
    "Core i7-8550U": (15, 8),
    "Core i7-8700": (65, 12),
    "Core i7-8700K": (95, 12),
    "Core i7-9700K": (95, 8),
    "Core i7-10700K": (125, 16),
    "Core i7-12700K": (125, 20),
    "Core i9-9900K": (95, 16),
    "Core i9-10900K": (125, 20),
    "Raspberry Pi 3 Model B": (5 * 0.4, 4),
    "Raspberry Pi 3 Model B Plus": (5 * 0.5, 4),
    "Raspberry Pi 4 Model B": (5 * 0.6, 4),
    "Raspberry Pi 5 Model B": (5 * 0.8, 4),
}
WHOLE_BOARDS = "Raspberry Pi"


@dataclass(frozen=True, slots=True)
class CpuEstimate:
    """Watts of one busy thread; ``range_w`` where the model is not known; ``how`` in words."""

    watts_per_thread: float
    range_w: tuple[float, float] | None
    how: str


def estimate_for(processor: str) -> CpuEstimate:
    """What a busy thread of the processor of this name draws."""
    words = _words(processor)
    matches = [model for model in TDP if _within(_words(model), words)]
    if matches:
        model = max(matches, key=len)
        watts, threads = TDP[model]
        kind = "typical draw of the board" if WHOLE_BOARDS in model else "TDP"
        each = watts / threads
        how = f"CPU seconds x {each:.2f} W, the share of one of {threads} threads in the {kind} of {watts:g} W"
        return CpuEstimate(each, None, how)
    relatives = [model for model in TDP if _words(model)[0] in words]
    others = [model for model in TDP if WHOLE_BOARDS not in model]
    shares = [TDP[model][0] / TDP[model][1] for model in relatives or others]
    each, low, high = statistics.median(shares), min(shares), max(shares)
    kind = f"{len(shares)} {'models of its kind' if relatives else 'known models'}"
    how = f"CPU seconds x {each:.2f} W, the median of {kind} ({low:.1f} to {high:.1f} W a thread)"
    return CpuEstimate(each, (low, high), f"{how}; the TDP of {processor!r} is not known")


def _words(name: str) -> list[str]:
    """``Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz`` -> intel core i7-8700 ..."""
    plain = re.sub(r"\((r|tm)\)|[®™]|@.*", " ", name.lower())
    return [word for word in plain.split() if word not in ("cpu", "processor")]


def _within(part: list[str], whole: list[str]) -> bool:
    return any(whole[i : i + len(part)] == part for i in range(len(whole) - len(part) + 1))
