"""The paper's question in words: is VoVNet-39 worth more than ResNet-101 per kWh? From the numbers, or not at all."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ligera.studies.manuscripts.cases import CHOSEN, Case
from ligera.studies.manuscripts.measured import Measured, Run
from ligera.studies.statistics import Spread, paired

__all__ = ["CHALLENGER", "CHAMPION", "LEAST_AP", "answer", "by_steps"]

CHALLENGER, CHAMPION = "VoVNet-39", "ResNet-101"
QUESTION = f"is {CHALLENGER} worth more than {CHAMPION} per kWh?"
# Below this many points of box AP neither network has learnt what it is judged by.
LEAST_AP = 5.0
PAPER = (
    "the paper, which gives no kWh of ResNet-101, has 70.00 points of box AP after 130 minutes against 69.81 after 146 "
    "(tables 3.21 to 3.24)"
)


def answer(measured: Measured) -> str:
    """One sentence, from the longest training that both have in common, the paper's own first."""
    common = _common(measured)
    if common is None:
        missing = [name for name in (CHALLENGER, CHAMPION) if not any(case.backbone == name for case in measured.runs)]
        why = f"{' and '.join(missing)} not trained here" if missing else "no case and seed in common"
        return f"{QUESTION} Not measured: {why}; {PAPER}"
    case, pairs = common
    return f"{QUESTION} {_judged(case, pairs)}; {PAPER}"


def by_steps(measured: Measured) -> str | None:
    """What single steps say of the question where they were timed: the price, not the worth."""
    first, second = measured.steps.get(CHALLENGER), measured.steps.get(CHAMPION)
    if first is None or second is None:
        return None
    share = float(np.median(first.price_s) / np.median(second.price_s))
    paper = 130 / 146
    time = "time" if first.memory_of == "GPU" else "CPU time"
    return (
        f"a step of {CHALLENGER} takes {share:.2f} of the {time} of one of {CHAMPION} here ({len(first.step_s)} steps "
        f"of either), where the paper's trainings took {paper:.2f} of it{_alike(first.price_s, second.price_s)}"
    )


def _alike(first: Sequence[float], second: Sequence[float]) -> str:
    """A warning where single steps of the two took about as long."""
    apart = max(first) < min(second) or max(second) < min(first)
    return "" if apart else "; their ranges overlap, so these steps rank neither"


def _common(measured: Measured) -> tuple[Case, list[tuple[Run, Run]]] | None:
    """The case of the challenger's that both were trained in, and their runs in pairs."""
    found = []
    for case in measured.runs:
        if case.backbone == CHALLENGER:
            other = Case(CHAMPION, case.epochs, case.steps, case.batch)
            if pairs := measured.pairs(case, other):
                found.append((case, pairs))
    chosen = Case(CHALLENGER, CHOSEN.epochs, CHOSEN.steps, CHOSEN.batch)
    return max(found, key=lambda item: (item[0] == chosen, item[0].epochs, len(item[1])), default=None)


def _judged(case: Case, pairs: list[tuple[Run, Run]]) -> str:
    settings = f"{case.epochs} epochs, steps at {case.steps} %, batch {case.batch}, {len(pairs)} paired seed(s)"
    own, other = ([run.score("box", "ap") for run in part] for part in zip(*pairs, strict=True))
    if None in own or None in other:
        return f"Not measured: the validation pages give no AP ({settings})"
    mean, base = float(np.mean(own)), float(np.mean(other))  # type: ignore[arg-type]
    if max(mean, base) < LEAST_AP:
        return f"Not answered: neither has learnt enough, box AP {mean:.2f} against {base:.2f} ({settings})"
    gained = paired(own, other)  # type: ignore[arg-type]
    energies = [[run.kwh for run in part] for part in zip(*pairs, strict=True)]
    if any(value is None for part in energies for value in part) or not all(map(sum, energies)):  # type: ignore[arg-type]
        return f"Not measured: the energy is unknown here; {_gain(gained)} ({settings})"
    kwh, base_kwh = (float(np.mean(part)) for part in energies)  # type: ignore[arg-type]
    rates = f"{mean / kwh:,.1f} against {base / base_kwh:,.1f} points of box AP per kWh"
    more_per_kwh = mean / kwh > base / base_kwh
    verdict = _verdict(more_per_kwh, gained, kwh, base_kwh)
    return f"{verdict}: {rates}, {_gain(gained)}, {_spent(kwh, base_kwh)} ({settings})"


def _verdict(more_per_kwh: bool, gained: Spread, kwh: float, base_kwh: float) -> str:
    if not more_per_kwh:
        if gained.mean > 0:
            each = (kwh - base_kwh) / gained.mean
            return f"No, though it finds more: each further point costs {each:.3g} kWh"
        return "No"
    if gained.low > 0 and kwh <= base_kwh:
        return "Yes, on both counts"
    return "Yes per kWh, at fewer points" if gained.mean < 0 and not _by_chance(gained) else "Yes"


def _by_chance(gained: Spread) -> bool:
    """Whether the interval over seeds holds 0; one seed has none."""
    return gained.low <= 0 <= gained.high


def _gain(gained: Spread) -> str:
    """The difference in points, and whether it is more than chance."""
    words = f"{gained.mean:+.2f} points of box AP"
    if math.isnan(gained.half):
        return f"{words} (one seed, which cannot tell it from chance)"
    sure = ", which is no more than chance" if _by_chance(gained) else ""
    return f"{words} ({gained.low:+.2f} to {gained.high:+.2f}{sure})"


def _spent(kwh: float, base_kwh: float) -> str:
    share = 100 * (kwh / base_kwh - 1)
    return f"{abs(share):.0f} % {'more' if share > 0 else 'less'} energy"
