"""A training run on disk -> its network, with weights, and the card that a bundle of it carries.

In: a folder that ``ligera train`` made (``recipe.yaml`` with ``weights.safetensors``, or ``checkpoint.pt`` of a run
that is not done), or one of those two weight files in it. Out: :class:`TrainedNetwork`. No picture is opened: card and
network follow from the recipe alone. torch comes in only when a run is loaded.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ligera.deploy.bundle import BundleCard
from ligera.errors import DataError, MissingExtra, ModelError, UsageError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ligera.deploy.export import ExportReport
    from ligera.train.recipe import Recipe

__all__ = ["TrainedNetwork", "export_run", "load_run"]

RECIPE = "recipe.yaml"
WEIGHTS = "weights.safetensors"
CHECKPOINT = "checkpoint.pt"
RESULT = "result.json"


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A network in eval mode, the file its weights came from and its card. ``finished`` is false for a checkpoint."""

    network: nn.Module
    card: BundleCard
    source: Path
    finished: bool


def export_run(
    path: Path, out: Path, *, name: str | None = None, training_data: str | None = None, licence: str = ""
) -> ExportReport:
    """Write the run at ``path`` as one bundle to ``out``; see :func:`load_run` for the rest and for what it raises."""
    if out.suffix.lower() != ".onnx" or out.is_dir():
        raise UsageError(f"{out}: expected a file ending in .onnx to write to")
    trained = load_run(path, name=name, training_data=training_data, licence=licence)
    from ligera.deploy.export import export_bundle

    return export_bundle(trained.network, trained.card, out)


def load_run(
    path: Path, *, name: str | None = None, training_data: str | None = None, licence: str = ""
) -> TrainedNetwork:
    """The run at ``path``: its final weights, or the moving average of its last checkpoint while it is not done.

    ``name`` and ``training_data`` stand in the card, by default those of the recipe. Raises ``DataError`` for a path that
    is no run or a damaged file, ``ModelError`` for weights of another network, ``MissingExtra`` without torch.
    """
    folder, file = _find(path)
    try:
        from ligera.models.catalogue import build
        from ligera.train.recipe import read_recipe
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    recipe = read_recipe(folder / RECIPE)
    network = build(recipe.model).eval()
    weights, metrics = _finished(folder, file) if file.suffix == ".safetensors" else _unfinished(folder)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise ModelError(f"{file}: its weights are not those of {recipe.model} ({reason})") from None
    try:
        card = _card(recipe, folder, metrics, name=name, training_data=training_data, licence=licence)
    except ValueError as error:
        raise UsageError(f"the bundle's card cannot be written: {error}") from None
    return TrainedNetwork(network, card, file, file.suffix == ".safetensors")


def _find(path: Path) -> tuple[Path, Path]:
    """The run folder and the file with its weights."""
    hint = f"expected a folder such as runs/train/NAME with {RECIPE} and {WEIGHTS}"
    if not path.exists():
        raise DataError(f"{path}: no such run; {hint}")
    folder = path if path.is_dir() else path.parent
    if not (folder / RECIPE).is_file():
        raise DataError(f"{path}: not a training run, {folder / RECIPE} is not there; {hint}")
    if path.is_file():
        if path.suffix != ".safetensors" and path.name != CHECKPOINT:
            raise DataError(f"{path}: expected a run folder, its {WEIGHTS} or its {CHECKPOINT}")
        return folder, path
    file = next((folder / name for name in (WEIGHTS, CHECKPOINT) if (folder / name).is_file()), None)
    if file is None:
        raise DataError(f"{path}: the run has neither {WEIGHTS} nor {CHECKPOINT} yet; train on, or wait")
    return folder, file


def _missing(error: ModuleNotFoundError) -> Exception:
    package = (error.name or "").partition(".")[0]
    return error if package == "ligera" else MissingExtra(package, "train", "exporting a run")


def _finished(folder: Path, file: Path) -> tuple[dict[str, Tensor], Mapping[str, Any]]:
    """Weights in ``file`` and the scores in the run's result; none for weights that are not the run's own last ones."""
    from ligera.train.checkpoint import load_weights

    weights = load_weights(file)
    result = folder / RESULT
    if file.name != WEIGHTS or not result.is_file():
        return weights, {}
    try:
        metrics = json.loads(result.read_text(encoding="utf-8"))["metrics"]
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{result}: damaged (no metrics in it); resume the run to have it written again") from None
    return weights, metrics if isinstance(metrics, dict) else {}


def _unfinished(folder: Path) -> tuple[dict[str, Tensor], Mapping[str, Any]]:
    """The moving average of the last checkpoint, and its scores where it was saved right after they were taken."""
    from ligera.train.checkpoint import load_checkpoint

    state = load_checkpoint(folder, "cpu")
    try:
        at_epoch_end = state["progress"]["step"] == 0
        return state["average"], state["history"][-1] if at_epoch_end and state["history"] else {}
    except (KeyError, TypeError):
        raise DataError(f"{folder / CHECKPOINT}: not a checkpoint of a training run") from None


def _card(
    recipe: Recipe,
    folder: Path,
    metrics: Mapping[str, Any],
    *,
    name: str | None,
    training_data: str | None,
    licence: str,
) -> BundleCard:
    from ligera.train.faces import card_for

    preprocess, decoding = card_for(recipe.model)
    return BundleCard(
        name=recipe.name if name is None else name,
        preprocess=preprocess,
        decoding=decoding,
        training_data=_data(recipe) if training_data is None else training_data,
        scores=_scores(metrics, recipe),
        licence=licence,
        recipe_sha256=hashlib.sha256((folder / RECIPE).read_bytes()).hexdigest(),
    )


def _short(path: Path) -> str:
    """The last two parts: which data it was, without where its owner keeps it."""
    return "/".join(path.parts[-2:])


def _data(recipe: Recipe) -> str:
    parts = (f"{_short(source.path)} ({source.labels})" for source in recipe.data)
    return ", ".join(parts)


def _scores(metrics: Mapping[str, Any], recipe: Recipe) -> dict[str, float]:
    """``ap50`` and ``ap50_SOURCE`` of a run's row, named with their data and protocol."""
    from ligera.train.faces import VALIDATION_PROTOCOL

    where = f" on {_short(recipe.validation)}" if recipe.validation else ""
    scores = {}
    for key, value in metrics.items():
        kind, _, source = key.partition("_")
        if kind == "ap50" and isinstance(value, int | float) and math.isfinite(value):
            label = f"AP50 {source}".strip()
            scores[f"{label}{where} ({VALIDATION_PROTOCOL})"] = round(float(value), 4)
    return scores
