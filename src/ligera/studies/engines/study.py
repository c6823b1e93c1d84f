"""Study ``engines``: latency, throughput, score, energy and executed precision of each model in each engine (paper E).

50 warm-ups and 1,000 batches of each contender, latency split into copy in, network and copy out, as the paper measures
TensorRT; the contenders are those that run on a processor. Each run is kept as it is done, so a study that was stopped
goes on with the next, and runs on a machine that was not quiet are taken again. Beside it OpenVINO's own
``benchmark_app``, and the pictures of the paper's figures 6.5 to 6.9. What TensorRT does on a card its owner measures
with ``tools/tensorrt_engines.py``.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from ligera.errors import DataError, RecipeError
from ligera.meter.hardware import processor_name
from ligera.studies.engines import tables
from ligera.studies.engines.charts import draw_all
from ligera.studies.engines.contenders import ENGINES, MODELS, Contender
from ligera.studies.engines.judging import judge_contender
from ligera.studies.engines.peer import agree
from ligera.studies.engines.preparing import Model, contenders_of, prepare_model
from ligera.studies.engines.tables import Entry
from ligera.studies.engines.timing import BLOCK, Run, time_contender
from ligera.studies.report import Report
from ligera.studies.trials import Listener
from ligera.typed_yaml import Frozen


class Settings(Frozen):
    """``data`` has RetinaFace labels to score detectors on, ``calibrate`` other pictures for int8. ``people`` holds the
    folders ``person`` and ``others``, ``weights`` is Coral's MobileNetV2 as ``tools/convert_coral_mobilenet.py`` writes
    it; without both ``mobilenetv2`` is left out. Its int8 may lose ``max_drop`` points on faces of validation.
    Detectors are timed at ``width`` x ``height`` px. benchmark_app and our timing take turns in ``app_pairs`` pairs of
    slices of ``app_s`` seconds; 0 leaves it out. ``force`` shows times of a machine that was not quiet."""

    data: Path
    calibrate: Path
    people: Path | None = None
    person: str = "bush"
    others: str = "others"
    weights: Path | None = None
    models: tuple[str, ...] = MODELS
    engines: tuple[str, ...] = tuple(engine.key for engine in ENGINES)
    width: int = Field(416, ge=64, le=1280, multiple_of=32)
    height: int = Field(320, ge=64, le=1280, multiple_of=32)
    threads: int = Field(2, ge=1)
    batch: int = Field(1, ge=1, le=64)
    warm_up: int = Field(50, ge=1)
    batches: int = Field(1000, ge=BLOCK, multiple_of=BLOCK)
    pictures: int = Field(100, ge=1)
    faces: int = Field(400, ge=20)
    strangers: int = Field(3000, ge=20)
    max_drop: float = Field(0.5, ge=0, le=100)
    app_s: int = Field(2, ge=0)
    app_pairs: int = Field(8, ge=1)
    force: bool = False


# the score needs all of its pictures, so that what is small is the number of batches and models
QUICK = {"models": ["face-small"], "batches": 250, "app_pairs": 5}


def study(settings: Settings, folder: Path, tell: Listener | None = None) -> Report:
    """Judge and time what is not yet, and say it in a table and five pictures."""
    _expect_known(settings)
    models, missing = _models(settings, folder, tell)
    engines = tuple(engine for engine in ENGINES if engine.key in settings.engines)
    contenders = [one for model in models for one in contenders_of(model, engines, settings.threads, settings.batch)]
    data = {model.name: model.data for model in models}
    verdicts = []
    for contender in contenders:
        _say(tell, f"judging {contender.key}")
        verdicts.append(judge_contender(contender, data[contender.model], folder / "verdicts"))
    runs: list[Run] = []
    for contender in contenders:
        _say(tell, f"timing {contender.key}")
        runs.append(time_contender(contender, settings.batches // BLOCK, settings.warm_up, folder / "runs"))
    entries = [
        Entry(contender, run if settings.force or not run.reasons else None, verdict)
        for contender, run, verdict in zip(contenders, runs, verdicts, strict=True)
    ]
    found = [tables.result_table(entries, _note(settings, models, runs, entries))]
    if settings.app_s:
        found.append(_agreement(settings, contenders, folder, tell))
    return Report(
        "Engines in every precision",
        tuple(found),
        (*tables.said(entries), *(f"missing: {reason}" for reason in missing)),
        draw_all(entries, folder),
    )


def _expect_known(settings: Settings) -> None:
    known = {"models": MODELS, "engines": tuple(engine.key for engine in ENGINES)}
    for name, words in known.items():
        asked = getattr(settings, name)
        wrong = [word for word in asked if word not in words]
        if wrong or not asked:
            raise RecipeError(f"{name}: expected some of {', '.join(words)}, got {wrong[0] if wrong else 'none'!r}")


def _models(settings: Settings, folder: Path, tell: Listener | None) -> tuple[list[Model], list[str]]:
    ready, missing = [], []
    for name in settings.models:
        if name == "mobilenetv2" and (settings.people is None or settings.weights is None):
            missing.append(f"{name} (give people=DIR and weights=FILE, see tools/convert_coral_mobilenet.py)")
            continue
        ready.append(prepare_model(name, settings, folder, tell))
    if not ready:
        raise DataError(f"nothing to measure: {'; '.join(missing)}")
    return ready, missing


def _agreement(settings: Settings, contenders: list[Contender], folder: Path, tell: Listener | None) -> tables.Table:
    found = []
    for contender in contenders:
        if contender.engine.runtime == "openvino":
            _say(tell, f"benchmark_app beside {contender.key}")
            found.append(agree(contender, settings.app_pairs, settings.app_s, folder / "app"))
    note = (
        "benchmark_app -hint none -api sync -nireq 1 -nstreams 1, same file, shape, threads and precision, "
        f"{settings.app_pairs} slices of {settings.app_s} s, each beside one of ours, the stage network; of each slice "
        "the median and the fastest run. Ratio: ours over theirs, the median of pairs, and its interval by their "
        "order; open where only part of that is within the bound."
    )
    return tables.agreement_table(found, note)


def _say(tell: Listener | None, text: str) -> None:
    if tell:
        tell({"trial": text})


def _note(settings: Settings, models: list[Model], runs: list[Run], entries: list[Entry]) -> str:
    noisy = {reason for run in runs for reason in run.reasons}
    how = next((run.energy.note for run in runs if run.energy.note), "")
    protocols = dict.fromkeys(f"{e.contender.model}: {e.verdict.protocol}" for e in entries if e.verdict.protocol)
    parts = [
        f"{processor_name()}, {settings.threads} threads, batch {settings.batch}; detectors at {settings.width} x "
        f"{settings.height} px, prepared pictures in, outputs in numpy out. {settings.warm_up} warm-ups and "
        f"{settings.batches:,} batches in a process of its own; medians; pictures/s over the time of all",
        "Ratios: of medians, 90 % interval by bootstrap over blocks of 50",
        f"Scores: {'; '.join(protocols)}; lost: below torch's. int8 was calibrated on other pictures, of detectors on "
        f"up to {settings.pictures}, and nothing was chosen by these scores",
        *(model.note for model in models if model.note),
        *([f"Energy of one picture: {how}"] if how else []),
        *([f"Too noisy to be quoted: {'; '.join(sorted(noisy))}"] if noisy else []),
    ]
    return ". ".join(parts) + "."
