"""Tables 2 to 5 of paper D beside ours, and what they say about saving time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ligera.studies.dynamic.plan import BASE, EQUAL_TIME, Results
from ligera.studies.statistics import Spread, paired, spread
from ligera.studies.table import Table
from ligera.studies.trials import Outcome

SCORE = "test_accuracy"
# Accuracy (%) and minutes of the paper's GeForce GTX 1070, tables 2 and 3: rows alpha, columns beta 0.1 to 0.7.
PAPER_BETAS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
PAPER_GRID = {
    0.5: (82.1, 82.5, 83.8, 83.4, 83.3, 82.6, 84.4),
    0.4: (80.9, 81.5, 82.5, 83.1, 82.6, 82.3, 81.6),
    0.3: (79.4, 79.3, 80.0, 80.7, 80.1, 82.1, 82.2),
}
PAPER_MINUTES = {
    0.5: (32.47, 32.23, 33.23, 36.73, 32.42, 32.73, 32.63),
    0.4: (27.23, 27.25, 27.23, 27.25, 27.32, 27.33, 27.35),
    0.3: (21.37, 21.35, 21.43, 21.50, 21.40, 21.42, 21.53),
}
# Tables 4 and 5: accuracy (%), share of full training's time (%). The variant's time is the text's.
PAPER_ROWS = {
    (BASE, False): (85.17, 100.0),
    ("static", False): (81.17, 54.9),
    ("dynamic", False): (84.55, 65.9),
    ("variant", False): (84.85, 45.8),
    (BASE, True): (90.65, 100.0),
    ("static", True): (86.95, 53.4),
    ("variant", True): (89.03, 54.0),
}
SAVED, LOST = 54.0, 0.2


def tables(results: Results, where: str) -> list[Table]:
    """Every table of the study; ``where`` says on what it was measured."""
    out = [_grid(results, where)] if results.grid else []
    return out + [_compared(results, augmented, where) for augmented in results.settings.augmented]


def _grid(results: Results, where: str) -> Table:
    """Tables 2 and 3: accuracy and time for each alpha and beta."""
    columns = ("alpha (share)", *(f"beta {beta:g}" for beta in results.settings.betas))
    rows = []
    for alpha in results.settings.alphas:
        cells = [results.grid[alpha, beta] for beta in results.settings.betas]
        rows.append((f"{alpha:g} ours, %", *(_percent([_score(run) for run in runs]) for runs in cells)))
        rows.append((f"{alpha:g} paper, %", *_published(PAPER_GRID, alpha, results.settings.betas)))
        rows.append((f"{alpha:g} ours, min", *(f"{_minutes(runs):.2f}" for runs in cells)))
        rows.append((f"{alpha:g} paper, min", *_published(PAPER_MINUTES, alpha, results.settings.betas)))
    note = f"{results.settings.grid_seeds} seed(s) a cell, {where}. The paper's accuracy is the best of any epoch."
    return Table("Tables 2 and 3: accuracy and time by alpha and beta", columns, tuple(rows), note)


def _compared(results: Results, augmented: bool, where: str) -> Table:
    """Tables 4 and 5: every way beside full training, seeds paired."""
    settings = results.settings
    base = results.compared[BASE, augmented]
    columns = (
        *("sampler", "test %", "against full, points", "time", "CPU time", "shown", "Wh", "EUR cents"),
        *("paper: %", "paper: time"),
    )
    rows = []
    for (name, own), runs in results.compared.items():
        if own != augmented:
            continue
        said = PAPER_ROWS.get((name, augmented))
        published = (f"{said[0]:.2f}", f"{said[1]:.0f} %") if said else ("-", "-")
        times = (_share(runs, base, what) for what in ("seconds", "cpu_seconds", "pictures"))
        shares = tuple(f"{share:.0f} %" for share in times)
        rows.append((name, _percent(scores(runs)), _difference(runs, base), *shares, *_energy(runs), *published))
    title = f"Table {5 if augmented else 4}: {'with' if augmented else 'without'} augmentation"
    note = (
        f"{settings.pictures:,} training pictures, {settings.seeds} paired seeds, {where}. Test accuracy after the "
        "last epoch, mean and 95 % interval; time includes selection and validation (median over seeds, share of full "
        "training's); shown: pictures shown, which no other load on the machine can change. Energy and euros: mean of "
        f"the runs, test pictures included, {_provenance(base)}."
    )
    return Table(title, columns, tuple(rows), note)


def verdict(results: Results) -> list[str]:
    """What the numbers say, a sentence each; the aim is to save 54 % of the time at no more than 0.2 points lost."""
    said = []
    for augmented in results.settings.augmented:
        base = results.compared[BASE, augmented]
        words = "with" if augmented else "without"
        for name in ("dynamic", "variant", "rs2", "infobatch", EQUAL_TIME):
            runs = results.compared[name, augmented]
            saved = 100 - _share(runs, base, "cpu_seconds")
            lost = paired(scores(base), scores(runs))
            reached = "reaches" if saved >= SAVED and lost.high <= LOST else "does not reach"
            said.append(
                f"{words} augmentation, {name} saves {saved:.0f} % of the CPU time and loses {_points(lost)} points: "
                f"it {reached} the aim ({SAVED:g} % saved, at most {LOST:g} points lost)"
            )
        best = max(("dynamic", "rs2", EQUAL_TIME), key=lambda name: np.mean(scores(results.compared[name, augmented])))
        said.append(f"{words} augmentation, at about equal time the best mean is that of {best}")
    return said


def scores(runs: Sequence[Outcome]) -> list[float]:
    """Test accuracy of each run, in percent."""
    return [_score(run) for run in runs]


def _score(run: Outcome) -> float:
    return 100 * run.closing[SCORE]


def _percent(values: Sequence[float]) -> str:
    found = spread(values)
    return f"{found.mean:.2f}" if math.isnan(found.half) else f"{found.mean:.2f} ± {found.half:.2f}"


def _points(found: Spread) -> str:
    return f"{found.mean:.2f}" if math.isnan(found.half) else f"{found.mean:.2f} ({found.low:.2f} to {found.high:.2f})"


def _difference(runs: Sequence[Outcome], base: Sequence[Outcome]) -> str:
    if runs is base:
        return "-"
    return _points(paired(scores(runs), scores(base)))


def _share(runs: Sequence[Outcome], base: Sequence[Outcome], what: str) -> float:
    """Median of ``what`` over ``runs`` in percent of that over ``base``."""
    own, other = (float(np.median([getattr(run, what) for run in part])) for part in (runs, base))
    return 100 * own / other


def _energy(runs: Sequence[Outcome]) -> tuple[str, str]:
    """Watt-hours and cents of a run, in the mean."""
    shown = []
    for name, factor in (("energy_kwh", 1000), ("euros", 100)):
        values = [run.cost.figures[name].value for run in runs]
        known = [value for value in values if value is not None]
        shown.append(f"{factor * float(np.mean(known)):.3g}" if len(known) == len(values) else "unknown")
    return shown[0], shown[1]


def _provenance(runs: Sequence[Outcome]) -> str:
    figure = runs[0].cost.figures["energy_kwh"]
    return f"{figure.source} ({figure.note})" if figure.note else figure.source


def _minutes(runs: Sequence[Outcome]) -> float:
    return float(np.median([run.seconds for run in runs])) / 60


def _published(grid: dict[float, tuple[float, ...]], alpha: float, betas: Sequence[float]) -> list[str]:
    row = dict(zip(PAPER_BETAS, grid.get(alpha, ()), strict=False))
    return [f"{row[beta]:.1f}" if beta in row else "-" for beta in betas]
