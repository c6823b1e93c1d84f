"""Study ``dynamic``: its settings -> its report."""

from __future__ import annotations

from pathlib import Path

from ligera.studies.dynamic import figures, plan, tables
from ligera.studies.report import Report
from ligera.studies.trials import Listener, place

Settings, QUICK = plan.Settings, plan.QUICK


def study(settings: plan.Settings, folder: Path, tell: Listener | None = None) -> Report:
    """Train what is missing in ``folder``, then set the paper's tables beside ours."""
    results = plan.run(settings, folder, tell)
    where = place(settings.threads, settings.precision)
    pictures = tuple(figures.draw(results, folder))
    return Report("Dynamic training", tuple(tables.tables(results, where)), tuple(tables.verdict(results)), pictures)
