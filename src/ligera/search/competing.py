"""A detector for a budget, out of a given time: table of this device, search, training, bundle; resumable throughout.

In: labelled pictures to train on, milliseconds that the network may take, how long all of it may last. Out: a bundle
that competes with others (``ligera pick --include-search``), and what it cost. Nets at the target's cost are drawn at
random and trained shortly, the best of them longer, as that ends when its time is over, whatever the machine; what is
left goes on training the best. Everything stands in one folder, from which a killed search goes on; the table stands
elsewhere, as it is of the device alone.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ligera.data.faces import read_retinaface
from ligera.deploy.export.checkpoints import export_run
from ligera.deploy.pick.searched import Searched
from ligera.errors import DataError
from ligera.files import write_bytes
from ligera.meter import read_cost
from ligera.meter.hardware import processor_name
from ligera.search.archive import open_archive
from ligera.search.costs import Target, make_costs
from ligera.search.device_state import runtime_version
from ligera.search.profiling import profile
from ligera.search.recipe import SearchRecipe, read_search_recipe
from ligera.search.run import RECIPE, SearchResult, resume_search, start_search
from ligera.search.sourcing import SHIPPED
from ligera.search.space import Space
from ligera.search.table import LatencyTable, Settings, settings_for
from ligera.search.trials import FACTOR
from ligera.train.faces.architecture import read_architecture
from ligera.train.run import resume, start

__all__ = ["Ask", "search_for"]

SEARCH, FINAL, BUNDLE, DONE = "searched", "final", "searched.onnx", "searched.json"
# Of the time that the table leaves, what goes into trying nets; the rest trains the one that was found.
SEARCH_SHARE = 0.4
LEAST_TRAINING_SHARE = 0.3
# A target this many times under what the quickest net of the space takes is not worth a search.
TOO_FAR = 3
# A target this far inside what the space's nets can cost.
INSIDE = 0.03
EPOCHS = 10
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ask:
    """``train`` is a folder with RetinaFace labels; the rest of a recipe may be changed by ``changes`` to it."""

    train: Path
    network_ms: float
    seconds: float
    threads: int = 1
    blocks: Path = SHIPPED / "tiny.zip"
    changes: tuple[tuple[str, Any], ...] = ()

    @property
    def minutes(self) -> float:
        return self.seconds / 60


def search_for(ask: Ask, folder: Path, tables: Path, note: Note = lambda text: None) -> Searched:
    """Find and train a net for ``ask`` in ``folder``, or go on with, or read back, what stands there.

    ``tables`` is where the device's table is kept. Raises ``DataError`` for pictures without labelled faces, and
    where no net of the space comes near the target.
    """
    done = _done(folder)
    if done is not None:
        return done
    if not read_retinaface(ask.train).face_count:
        raise DataError(f"{ask.train}: holds no labelled face to train on")
    ask = _as_begun(ask, folder)
    table, path, table_s = _table(ask, folder, tables, note)
    target_ms = _reachable(ask.network_ms, table)
    result = _search(ask, target_ms, path, folder, max(0.0, ask.seconds - table_s), note)
    left_s = ask.seconds - table_s - result.cost["figures"]["wall_s"]["value"]
    run = _train(ask, result, folder, max(left_s, LEAST_TRAINING_SHARE * ask.seconds), note)
    name = str(result.found["name"])
    export_run(run, folder / BUNDLE, name=name, training_data=ask.train.name)
    costs = [result.cost["figures"], read_cost(run).as_dict()["figures"]]
    energy = [cost["energy_kwh"] for cost in costs]
    known = all(figure["value"] is not None for figure in energy)
    found = Searched(
        name=name,
        model=str(folder / BUNDLE),
        train=str(ask.train),
        target_ms=target_ms,
        asked_s=ask.seconds,
        parts_s={
            "table": table_s,
            "search": costs[0]["wall_s"]["value"],
            "training": costs[1]["wall_s"]["value"],
        },
        trials=len(_trials(result.folder)),
        energy_kwh=sum(figure["value"] for figure in energy) if known else None,
        energy_source=_worst([figure["source"] for figure in energy]),
    )
    write_bytes(folder / DONE, (json.dumps(found.as_dict(), indent=2) + "\n").encode())
    return found


def _worst(sources: list[str]) -> str:
    return next((source for source in ("unknown", "estimated") if source in sources), "measured")


def _done(folder: Path) -> Searched | None:
    """What a finished search in ``folder`` said; a file that cannot be read is as good as none."""
    try:
        values = json.loads((folder / DONE).read_text())
        values.pop("took_s")
        found = Searched(**values)
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return None
    return found if Path(found.model).is_file() else None


def _as_begun(ask: Ask, folder: Path) -> Ask:
    """``ask`` with the target of the search that was begun here: a new measurement would shift it a little."""
    plan = folder / "plan.json"
    try:
        return replace(ask, network_ms=float(json.loads(plan.read_text())["network_ms"]))
    except FileNotFoundError:
        write_bytes(plan, json.dumps({"network_ms": ask.network_ms}).encode())
        return ask
    except (OSError, ValueError, TypeError, LookupError):
        raise DataError(f"{plan}: damaged; remove {folder} to search anew") from None


def _table(ask: Ask, folder: Path, tables: Path, note: Note) -> tuple[LatencyTable, Path, float]:
    """The table of this device, its file, and the seconds that it took for this search."""
    spent = folder / "table_s.json"
    with open_archive(ask.blocks) as blocks:
        settings = settings_for("onnxruntime", rounds=2, samples=20, warm_up_runs=10, rest_ms=5.0)
        path = tables / f"{blocks.space.name}-{_digest(blocks.space, settings, ask.threads)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        before_s = _read_seconds(spent)
        started = time.perf_counter()
        try:
            table = profile(
                blocks,
                path,
                settings=settings,
                threads=ask.threads,
                resume=True,
                track=lambda work, what: _noted(work, f"search: latency table of this device, {what}", note),
            )
        finally:
            table_s = before_s + time.perf_counter() - started
            write_bytes(spent, json.dumps(table_s).encode())
    return table, path, table_s


def _digest(space: Space, settings: Settings, threads: int) -> str:
    """What tells one table from others: after a new version of the runtime, or on another machine, it is made anew."""
    made_by = [runtime_version("onnxruntime"), processor_name(), threads, settings.model_dump(mode="json")]
    return hashlib.sha256(json.dumps([space.digest, made_by]).encode()).hexdigest()[:16]


def _read_seconds(path: Path) -> float:
    try:
        return float(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return 0.0


def _noted(work: Any, words: str, note: Note) -> Any:
    for number, item in enumerate(work, start=1):
        note(f"{words}: {number} of {len(work)}")
        yield item


def _search(ask: Ask, target_ms: float, path: Path, folder: Path, left_s: float, note: Note) -> SearchResult:
    def tell(row: dict[str, Any]) -> None:
        if "candidate" in row:
            note(f"search: net {row['candidate']}, rung {row['rung'] + 1}, AP50 {row['score']:.3f}: {row['name']}")

    place = folder / "search" / SEARCH
    if (place / RECIPE).is_file():
        return resume_search(place, tell)
    if place.is_dir() and not any(place.iterdir()):
        place.rmdir()  # of a search that was killed between making it and writing into it
    note("search: trying nets")
    minutes = max(SEARCH_SHARE * left_s, 1.0) / 60
    return start_search(_recipe(ask, target_ms, path, minutes), folder, tell)


def _reachable(network_ms: float, table: LatencyTable) -> float:
    """``network_ms``, or the nearest that nets of the space can take, as these may be given smaller pictures later."""
    least, most = make_costs(table.space, table, [Target(attribute="latency_ms", target=1.0)]).extremes()
    if network_ms * TOO_FAR < least:
        raise DataError(
            f"space {table.space.name}: its quickest net takes {least:.2f} ms at {table.space.side()} px, and "
            f"{network_ms:.2f} ms were asked for; allow more time (--max-ms)"
        )
    return min(max(network_ms, least * (1 + INSIDE)), most * (1 - INSIDE))


def _recipe(ask: Ask, target_ms: float, table: Path, minutes: float) -> SearchRecipe:
    """Short trainings, as long as there are minutes, of nets at the target."""
    values: dict[str, Any] = {
        "name": SEARCH,
        "model": "supernet",
        "data": [{"path": str(ask.train.resolve())}],
        "table": str(table),
        "targets": [{"attribute": "latency_ms", "target": target_ms}],
        "method": "random",
        # whoever asks times what comes of it
        "measure": False,
        "minutes": minutes,
        "rungs": 2,
        "held_out": 0.15,
        "side_px": 192,
        "samples_per_epoch": int(min(1600, max(64, 40 * ask.minutes))),
        "batch": 16,
        "learning_rate": 2e-3,
        "weight_decay": 0.02,
        "warmup_steps": 20,
        "augment": {
            "crop_ratios": [0.3, 0.45, 0.6, 0.8, 1.0, 1.25, 1.5],
            "mosaic": 0.4,
            "min_face_px": 4.0,
            "keep_face_px": 8.0,
            "fill": 0,
        },
        "workers": 0,
        "checkpoint_every_steps": 50,
    }
    return SearchRecipe.model_validate(values | dict(ask.changes))


def _trials(search: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (search / "candidates.jsonl").read_text().splitlines()]


def _train(ask: Ask, result: SearchResult, folder: Path, seconds: float, note: Note) -> Path:
    """Go on training the net that was found for about ``seconds``, going by how long its trial took."""

    def tell(row: dict[str, Any]) -> None:
        if "row" not in row and "step" in row:
            note(f"search: training the net that was found, epoch {row.get('epoch')}, step {row['step']}")

    run = folder / "train" / FINAL
    if (run / "result.json").is_file():
        return run
    if (run / "recipe.yaml").is_file():
        return resume(run, tell).folder
    if run.is_dir() and not any(run.iterdir()):
        run.rmdir()
    trials = _trials(result.folder)
    last = max(trial["rung"] for trial in trials)
    number = max(
        (place for place, trial in enumerate(trials) if trial["rung"] == last), key=lambda p: trials[p]["score"]
    )
    recipe = read_search_recipe(result.folder / RECIPE)
    trial = trials[number]
    shown = (recipe.samples_per_epoch or 1) * recipe.trial_epochs * FACTOR ** trial["rung"]
    samples = int(shown * seconds / max(trial["seconds"], 0.1) / EPOCHS)
    net = read_architecture(result.architecture)
    weights = result.folder / "train" / f"candidate-{number:04d}" / "weights.safetensors"
    final = recipe.training(
        name=FINAL,
        model=net.name,
        architecture=net.spec,
        pretrained=weights,
        epochs=EPOCHS,
        samples_per_epoch=max(recipe.batch, samples),
        evaluate_every=EPOCHS,
    )
    note("search: training the net that was found")
    return start(final, folder, tell).folder
