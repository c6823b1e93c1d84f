"""Figures as the tables and sentences of the study write them."""

from __future__ import annotations

import math

from ligera.studies.manuscripts.cases import Case
from ligera.studies.manuscripts.judging import FIGURES
from ligera.studies.statistics import Spread

__all__ = ["COLUMNS", "NOT_MEASURED", "case_words", "minutes_words", "number", "percent", "with_spread"]

NOT_MEASURED = "not measured"
COLUMNS = dict(zip(FIGURES, ("AP", "AP50", "AP75", "APm", "APl"), strict=True))


def case_words(case: Case) -> str:
    epochs = "1 epoch" if case.epochs == 1 else f"{case.epochs:,} epochs"
    return f"{case.backbone}, {epochs}, {case.steps} %, batch {case.batch}"


def with_spread(found: Spread | None, digits: int = 2, unknown: str = NOT_MEASURED) -> str:
    """The mean and half its 95 % interval; the mean alone of one."""
    if found is None:
        return unknown
    mean = f"{found.mean:.{digits}f}"
    return mean if math.isnan(found.half) else f"{mean} ± {found.half:.{digits}f}"


def number(found: Spread | None, unknown: str = "unknown") -> str:
    """The mean in three digits, with its half interval where there is one."""
    if found is None:
        return unknown
    half = "" if math.isnan(found.half) else f" ± {_three(found.half)}"
    return _three(found.mean) + half


def percent(value: float | None, unknown: str = NOT_MEASURED) -> str:
    return unknown if value is None else f"{value:.1f} %"


def minutes_words(minutes: float | None) -> str:
    """As the paper says it: ``1 h 54 min``."""
    if minutes is None:
        return "-"
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"


def _three(value: float) -> str:
    """Three digits that count, and no power of ten that a reader has to undo."""
    if not value or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}"
