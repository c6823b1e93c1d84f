"""Study ``facenas``: its settings -> its report."""

from __future__ import annotations

from pathlib import Path

from ligera.studies.facenas import figures, plan, tables
from ligera.studies.facenas.measuring import Clock
from ligera.studies.report import Report
from ligera.studies.trials import Listener, place

Settings, QUICK = plan.Settings, plan.QUICK
REMADE = (plan.TABLE,)


def study(settings: plan.Settings, folder: Path, tell: Listener | None = None) -> Report:
    """Search and train what is missing in ``folder``, then set the paper's tables beside ours."""
    results = plan.run(settings, folder, tell)
    clock = Clock(results.table, folder, settings.measure)
    made = tables.tables(results, clock, place(settings.threads, settings.precision))
    said = tables.verdict(results, clock)
    return Report("FaceNAS", tuple(made), tuple(said), tuple(figures.draw(results, folder)))
