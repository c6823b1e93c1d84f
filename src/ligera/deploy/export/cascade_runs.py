"""Training runs of MTCNN's networks -> one cascade bundle, whole or the first part of it.

In: run folders (or weight files) of the task ``mtcnn``, in any order: their recipes say which network each is. P-Net's
alone, P- and R-Net's, or all three; parts are what ``ligera mine`` makes the next network's crops with. Out: a bundle
of ``cascade``. No torch before a run is loaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ligera.deploy.bundle import BundleCard
from ligera.deploy.export.checkpoints import RECIPE, TrainedNetwork, export_run, load_run
from ligera.deploy.export.run_tasks import CARD, Described, named_scores, short_path
from ligera.errors import UsageError, nearest
from ligera.models.cascade import CascadeRule
from ligera.records import Decoding

if TYPE_CHECKING:
    from ligera.deploy.export.network import ExportReport
    from ligera.train.mtcnn.recipe import MtcnnRecipe, PositivesRecipe

__all__ = ["cascade_rule", "describe_net", "describe_positives", "export_runs"]

TASKS = ("mtcnn", "mtcnn-positives")
NAMES = ("P-Net", "R-Net", "O-Net")


def export_runs(
    runs: Sequence[Path],
    out: Path,
    *,
    recipe: Path | None = None,
    name: str | None = None,
    training_data: str | None = None,
    licence: str = "",
    rule: Sequence[str] = (),
) -> ExportReport:
    """One run, or those of MTCNN's networks, as one bundle at ``out``; ``rule``: ``KEY=VALUE`` of ``CascadeRule``.

    Raises ``UsageError`` for runs that make no bundle together, and what ``export_run`` raises.
    """
    tasks = [_task_of(run, recipe) for run in runs]
    if not set(TASKS) & set(tasks):
        if len(runs) != 1:
            raise UsageError(f"{runs[1]}: one run makes one bundle; only the networks of MTCNN go together")
        if rule:
            raise UsageError(f"--rule: is for a cascade, and {runs[0]} is no network of MTCNN; leave it out")
        return export_run(runs[0], out, recipe=recipe, name=name, training_data=training_data, licence=licence)
    if other := [run for run, task in zip(runs, tasks, strict=True) if task not in TASKS]:
        raise UsageError(f"{other[0]}: is no network of MTCNN, which go together only with each other")
    if recipe is not None and len(runs) > 1:
        raise UsageError("--recipe: says of what network one run's weights are; give run folders, which hold theirs")
    if out.suffix.lower() != ".onnx" or out.is_dir():
        raise UsageError(f"{out}: expected a file ending in .onnx to write to")
    # P-Net's windows count from 0 once it is trained so (``train.mtcnn.windows``); R- and O-Net's boxes from 1.
    chosen = cascade_rule(rule, CascadeRule(first_corner_shift_px=float(len(runs) > 1)))
    loaded = [load_run(run, recipe=recipe, licence=licence) for run in runs]
    ordered = _ordered(runs, loaded)
    card = _joint_card(ordered, out.stem if name is None else name, training_data)
    from ligera.deploy.export.cascade import export_cascade
    from ligera.train.mtcnn.networks import shipped

    return export_cascade([shipped(one.network) for one in ordered], card, chosen, out)


def cascade_rule(changes: Sequence[str], rule: CascadeRule | None = None) -> CascadeRule:
    """``rule`` (None: the default) with each ``KEY=VALUE`` put in; ``UsageError`` for the first wrong one."""
    values: dict[str, Any] = {}
    for change in changes:
        key, equals, text = change.partition("=")
        known = [field for field in CascadeRule.__dataclass_fields__ if field != "stages"]
        if key not in known:
            raise UsageError(f"--rule {key[:40]!r}: no such key{nearest(key, known)}; there are: {', '.join(known)}")
        try:
            values[key] = _value(text) if equals else None
            CascadeRule(**values)
        except (ValueError, TypeError) as error:
            reason = (
                str(error) if str(error).startswith(key) else f"{key}: expected {_expected(key)}, got {text[:40]!r}"
            )
            raise UsageError(f"--rule {reason}") from None
    return replace(rule or CascadeRule(), **values)


def _value(text: str) -> float | tuple[float, ...]:
    numbers = tuple(float(part) for part in text.strip("()[] ").split(","))
    if len(numbers) not in (1, 3):
        raise ValueError("expected one number or three")
    return numbers if len(numbers) == 3 else numbers[0]


def _expected(key: str) -> str:
    return "three numbers such as 0.6,0.7,0.7" if key == "scores" else "a number"


def _task_of(run: Path, recipe: Path | None) -> str:
    """The task of a run; faces where nothing says so, since then loading it will say what is wrong."""
    file = recipe or (run if run.is_dir() else run.parent) / RECIPE
    if not file.is_file():
        return "faces"
    try:
        from ligera.train.reading import read_recipe
    except ModuleNotFoundError:
        return "faces"
    return read_recipe(file).task


def _ordered(runs: Sequence[Path], loaded: Sequence[TrainedNetwork]) -> list[TrainedNetwork]:
    """P-, R- and O-Net in this order, as many as there are; ``UsageError`` where one is missing or there twice."""
    from ligera.models.mtcnn import ONet, PNet, RNet
    from ligera.train.mtcnn.networks import shipped

    stages = [(PNet, RNet, ONet).index(type(shipped(one.network))) for one in loaded]
    for stage, name in enumerate(NAMES):
        own = [run for run, at in zip(runs, stages, strict=True) if at == stage]
        if len(own) > 1:
            raise UsageError(f"{own[1]}: a second {name} after {own[0]}; give one run of each network")
        if not own and max(stages) > stage:
            later = runs[stages.index(max(stages))]
            wanted = "P-Net's alone, P- and R-Net's, or all three"
            raise UsageError(f"{later}: {NAMES[max(stages)]} is of no use without {name}; give the runs of {wanted}")
    return [one for _, one in sorted(zip(stages, loaded, strict=True), key=lambda pair: pair[0])]


def _joint_card(networks: Sequence[TrainedNetwork], name: str, training_data: str | None) -> BundleCard:
    """One card of several: data and scores side by side, one hash of all recipes."""
    cards = [one.card for one in networks]
    if other := [one for one in networks if one.card.preprocess != cards[0].preprocess]:
        first = networks[0].source
        raise UsageError(
            f"{other[0].source}: its pixels are scaled otherwise than those of {first}; train it like that"
        )
    data = list(dict.fromkeys(card.training_data for card in cards))
    scores = {label: value for card in cards for label, value in card.scores.items()}
    digest = hashlib.sha256("".join(card.recipe_sha256 for card in cards).encode()).hexdigest()
    try:
        return replace(
            cards[0],
            name=name,
            training_data=", ".join(data) if training_data is None else training_data,
            scores=scores,
            recipe_sha256=digest,
        )
    except ValueError as error:
        raise UsageError(f"the bundle's card cannot be written: {error}") from None


def describe_net(recipe: MtcnnRecipe, folder: Path) -> Described:
    """One network of MTCNN for ``run_tasks.describe``; ``folder`` is that of its run."""
    from ligera.train.mtcnn.networks import PREPROCESS, trained_net

    where = short_path(recipe.validation) if recipe.validation else "crops held out"
    names = {
        "ap": f"{recipe.net}: AP of positive against negative crops ({where})",
        "box_iou": f"{recipe.net}: mean IoU of boxes of positive and part crops ({where})",
    }
    fields = {"preprocess": PREPROCESS, "decoding": Decoding()}
    data = _mined_from(folder / CARD) or ", ".join(map(short_path, recipe.data))
    return Described(lambda: trained_net(recipe.net), fields, data, lambda metrics: named_scores(metrics, names.get))


def describe_positives(recipe: PositivesRecipe) -> Described:
    """P-Net of paper A's protocol, whose scores say nothing about faces."""
    from ligera.models.mtcnn import PNet
    from ligera.train.mtcnn.positives import PREPROCESS

    fields = {"preprocess": PREPROCESS, "decoding": Decoding()}
    data = f"{short_path(recipe.data)} (largest face of each picture, no negatives)"
    return Described(lambda: PNet(score_channels=1), fields, data, lambda _metrics: {})


def _mined_from(card: Path) -> str:
    """What pictures the crops of a run were cut from, where its card says so."""
    try:
        sources = json.loads(card.read_text(encoding="utf-8"))["mined_from"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
    return ", ".join(map(str, sources)) if isinstance(sources, list) else ""
