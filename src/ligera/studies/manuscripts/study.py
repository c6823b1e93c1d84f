"""Study ``manuscripts``: its settings -> its report.

For a graphics card, in slices, the same command again and again until it says that nothing is left:
``ligera study manuscripts data=PAGES slice_minutes=24 seeds=3 workers=8 precision=bf16``.
"""

from __future__ import annotations

from pathlib import Path

from ligera.errors import LigeraError, UsageError, nearest
from ligera.studies.manuscripts import figures, sweep
from ligera.studies.manuscripts.answer import LEAST_AP, answer, by_steps
from ligera.studies.manuscripts.cases import Case
from ligera.studies.manuscripts.judging import pages_of
from ligera.studies.manuscripts.measured import Measured, read_all
from ligera.studies.manuscripts.paper_tables import paper_tables
from ligera.studies.manuscripts.settings import QUICK, Settings
from ligera.studies.manuscripts.sweep import Standing
from ligera.studies.manuscripts.tables import STEP_BASE, classes_table, costs_table, scores_table, steps_table
from ligera.studies.manuscripts.trial import training_job
from ligera.studies.report import Report
from ligera.studies.running import SETTINGS
from ligera.studies.trials import Listener, place
from ligera.train.run import environment
from ligera.typed_yaml import shown

__all__ = ["QUICK", "Settings", "study"]

MOST_NAMED = 4


def study(settings: Settings, folder: Path, tell: Listener | None = None) -> Report:
    """Train what is missing in ``folder``, or as much as the slice allows, then set the paper's tables beside ours."""
    try:
        pages, judged = _checked(settings, folder)
    except LigeraError:
        _forget(folder)
        raise
    epoch = min(pages, settings.pages or pages)
    standing = sweep.run(settings, epoch, folder, tell)
    measured = read_all(folder, settings.tariff)
    base = _base(settings, measured)
    where = place(settings.threads, settings.precision)
    if gpu := environment()["gpu"]:
        where = f"{gpu}, {where}"
    of_them = "" if epoch == pages else f", {epoch} of them in an epoch"
    note = f"{pages} pages to train on{of_them}, {judged} to judge by, {settings.side_px} px, {where}"
    cases = tuple(dict.fromkeys((*settings.cases(), *measured.runs)))
    made = [
        scores_table(measured, cases, f"{_scores_note(measured)} {note}."),
        classes_table(measured, "Mean over the seeds, as above."),
        costs_table(measured, cases, base, f"{_costs_note(settings, measured)} {note}."),
        steps_table(measured, settings.step_backbones, f"{_steps_note(settings)} {note}."),
        *paper_tables(measured, base, f"Paper: VORAU-253, 128 pages to train on and 100 to judge by. Ours: {note}."),
    ]
    said = (*_standing_words(standing), *_quick_words(settings), answer(measured), *_findings(measured, folder))
    return Report(
        "Pages of manuscripts: ten backbones, and what each point of AP costs",
        tuple(table for table in made if table.rows),
        said,
        tuple(figures.draw(measured, note, folder / "pareto.png")),
    )


def _checked(settings: Settings, folder: Path) -> tuple[int, int]:
    """How many pages there are to train on and to judge by, after everything that could be wrong was looked at."""
    cases = settings.cases()
    _base(settings, read_all(folder, settings.tariff))
    first = training_job(settings, cases[0], 0, 1, folder)
    pages, judged = pages_of(first.recipe, first.validation)
    epoch = min(pages, settings.pages or pages)
    for key, batch in (("batch", max(case.batch for case in cases)), ("step_batch", settings.step_batch)):
        if batch > epoch:
            raise UsageError(
                f"{key}: {batch} is more than the {epoch} pages that an epoch shows of {settings.training_pages}; make "
                "it smaller"
            )
    return pages, judged


def _base(settings: Settings, measured: Measured) -> Case:
    """The case that savings are against."""
    if settings.base is None:
        return settings.usual_base()
    known = {case.name.lower(): case for case in (*settings.cases(), *measured.runs)}
    if settings.base.lower() not in known:
        names = [case.name for case in known.values()]
        some = ", ".join(names[:MOST_NAMED]) + (" ..." if len(names) > MOST_NAMED else "")
        raise UsageError(
            f"base: no case is called {shown(settings.base)}{nearest(settings.base, names)}; known: {some}"
        )
    return known[settings.base.lower()]


def _forget(folder: Path) -> None:
    """Settings under which nothing was begun bind nobody: what was wrong with them may be put right."""
    if not any((folder / part).exists() for part in ("train", "steps", "failed")):
        (folder / SETTINGS).unlink(missing_ok=True)


def _standing_words(standing: Standing) -> list[str]:
    if not standing.left:
        return [f"all {standing.total} pieces of work are done, nothing is left"]
    way = f" ({standing.under_way} is under way and goes on from its last save)" if standing.under_way else ""
    return [
        f"the slice is over: {standing.done} of {standing.total} pieces of work are done, {len(standing.left)} are "
        f"left{way}; run the same command again to go on"
    ]


def _quick_words(settings: Settings) -> list[str]:
    if not settings.quick:
        return []
    return ["this is the quick version: it shows the path on a few steps, and nothing that could be concluded from"]


def _findings(measured: Measured, folder: Path) -> list[str]:
    said = [sentence for sentence in [by_steps(measured)] if sentence]
    front = figures.front_of(figures.points_of(measured))
    if front and front[-1].ap < LEAST_AP:
        said.append(
            f"no case reaches {LEAST_AP:g} points of box AP, so what they cost can be compared and nothing else"
        )
    elif front:
        said.append(
            "on the front of box AP against euros, cheapest first: "
            + ", ".join(f"{point.case.name} ({point.ap:.2f} for {point.cents:.3g} cents)" for point in front)
        )
    for name, reason in measured.failed.items():
        said.append(f"{name} could not be trained here: {reason} (to try it again remove {folder}/failed/{name}.json)")
    return said


def _scores_note(measured: Measured) -> str:
    protocol = next((run.scores.protocol for runs in measured.runs.values() for run in runs), "COCO average precision")
    return f"{protocol}; mean and half the 95 % interval over the seeds, which all cases share; trained from nothing."


def _costs_note(settings: Settings, measured: Measured) -> str:
    runs = [run for runs in measured.runs.values() for run in runs]
    memory = {
        "GPU": "memory is the card's at its fullest, whoever held it",
        "host": "memory is that of the process on the host, as no card was used; the paper's is a card's",
    }
    kinds = [memory[kind] for kind in dict.fromkeys(run.memory_of for run in runs)]
    sources = list(dict.fromkeys(run.energy_source for run in runs))[:1]
    energy = [f"energy {source}" for source in sources]
    words = "; ".join([*kinds, *energy, f"at {settings.tariff:g} EUR/kWh"])
    return (
        f"Minutes, kWh and cents of the training steps alone, scoring and saving left out; {words}; savings of means."
    )


def _steps_note(settings: Settings) -> str:
    return (
        f"Medians of steps with {settings.step_batch} whole pages, the same for all, the first left out. Each backbone "
        "has a process of its own, whose peak is given; foretold are tensors alone. Networks are untrained: how many "
        "of their proposals reach the mask head differs, which on small inputs outweighs the backbone. Least to most "
        f"and the share of {STEP_BASE}'s are of time on a card and of CPU without; paper: share of ResNet-50's minutes "
        "of 450 epochs."
    )
