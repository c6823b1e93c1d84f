"""A training run on disk -> its network, with weights, and the card that a bundle of it carries.

In: a folder that ``ligera train`` made (``recipe.yaml`` with ``weights.safetensors``, or ``checkpoint.pt`` of a run
that is not done), or one of those two weight files in it. Out: :class:`TrainedNetwork`. No picture is opened: card and
network follow from the recipe, and for a classifier from ``card.json`` beside its weights. torch comes in only when a
run is loaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ligera.deploy.bundle import BundleCard
from ligera.errors import DataError, MissingExtra, ModelError, UsageError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ligera.deploy.export.layout import LayoutExport
    from ligera.deploy.export.network import ExportReport

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
    path: Path,
    out: Path,
    *,
    recipe: Path | None = None,
    name: str | None = None,
    training_data: str | None = None,
    licence: str = "",
) -> ExportReport | LayoutExport:
    """Write the run at ``path`` as one bundle to ``out``; see :func:`load_run` for the rest and for what it raises."""
    if out.suffix.lower() != ".onnx" or out.is_dir():
        raise UsageError(f"{out}: expected a file ending in .onnx to write to")
    trained = load_run(path, recipe=recipe, name=name, training_data=training_data, licence=licence)
    if trained.card.task == "detect-regions":
        from ligera.deploy.export.layout import export_layout

        return export_layout(trained.network, trained.card, out)
    from ligera.deploy.export.network import export_bundle, export_classifier

    export = export_classifier if trained.card.task == "classify" else export_bundle
    return export(trained.network, trained.card, out)


def load_run(
    path: Path,
    *,
    recipe: Path | None = None,
    name: str | None = None,
    training_data: str | None = None,
    licence: str = "",
) -> TrainedNetwork:
    """The run at ``path``: its final weights, or the moving average of its last checkpoint while it is not done.

    ``recipe`` is the file to go by where none stands beside the weights. ``name`` and ``training_data`` go into the
    card, by default those of the recipe. Raises ``DataError`` for a path that is no run or a damaged file,
    ``ModelError`` for weights of another network, ``MissingExtra`` without torch.
    """
    file = _weights_file(path)
    recipe_file = recipe or file.parent / RECIPE
    if not recipe_file.is_file():
        raise DataError(f"{recipe_file}: no such recipe, which says what network {file.name} is of; see --recipe")
    try:
        from ligera.deploy.export.run_tasks import describe
        from ligera.train.reading import read_recipe

        rules = read_recipe(recipe_file)
        task = describe(rules, file.parent)
        network = task.build().eval()
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    weights, metrics = _finished(file) if file.suffix == ".safetensors" else _unfinished(file)
    _check_fit(network, weights, f"{file}: its weights are not those of {rules.model}")
    network.load_state_dict(weights)
    try:
        card = BundleCard(
            name=rules.name if name is None else name,
            **task.fields,
            training_data=task.data if training_data is None else training_data,
            scores=task.scores(metrics),
            licence=licence,
            recipe_sha256=hashlib.sha256(recipe_file.read_bytes()).hexdigest(),
        )
    except ValueError as error:
        raise UsageError(f"the bundle's card cannot be written: {error}") from None
    return TrainedNetwork(network, card, file, file.suffix == ".safetensors")


def _weights_file(path: Path) -> Path:
    """The file with the weights: ``path`` itself or the one to take of a run folder."""
    if path.is_file() and (path.suffix == ".safetensors" or path.name == CHECKPOINT):
        return path
    if not path.is_dir():
        reason = "not a file with weights" if path.exists() else "no such run"
        raise DataError(f"{path}: {reason}; expected a folder such as runs/train/NAME, its {WEIGHTS} or {CHECKPOINT}")
    file = next((path / name for name in (WEIGHTS, CHECKPOINT) if (path / name).is_file()), None)
    if file is None:
        raise DataError(f"{path}: holds neither {WEIGHTS} nor {CHECKPOINT}; give the folder of a training run")
    return file


def _missing(error: ModuleNotFoundError) -> Exception:
    package = (error.name or "").partition(".")[0]
    return error if package == "ligera" else MissingExtra(package, "train", "exporting a run")


def _finished(file: Path) -> tuple[dict[str, Tensor], Mapping[str, Any]]:
    """Weights in ``file`` and the scores in the result beside it; none where there is no result of them."""
    from ligera.train.checkpoint import load_weights

    weights = load_weights(file)
    result = file.parent / RESULT
    if file.name != WEIGHTS or not result.is_file():
        return weights, {}
    try:
        content = json.loads(result.read_text(encoding="utf-8"))
        return weights, dict(content["metrics"]) | dict(content.get("closing", {}))
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{result}: damaged (no metrics in it); resume the run to have it written again") from None


def _unfinished(file: Path) -> tuple[dict[str, Tensor], Mapping[str, Any]]:
    """The moving average of the last checkpoint, and its scores where it was saved right after they were taken."""
    from ligera.train.checkpoint import load_checkpoint

    state = load_checkpoint(file.parent, "cpu")
    try:
        at_epoch_end = state["progress"]["step"] == 0
        return state["average"], dict(state["history"][-1]) if at_epoch_end and state["history"] else {}
    except (KeyError, TypeError):
        raise DataError(f"{file}: not a checkpoint of a training run") from None


def _check_fit(network: nn.Module, weights: Mapping[str, Tensor], complaint: str) -> None:
    ours = {name: tensor.shape for name, tensor in network.state_dict().items()}
    theirs = {name: getattr(value, "shape", None) for name, value in weights.items()}
    differ = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    if differ:
        raise ModelError(f"{complaint}: {len(differ):,} of {len(ours):,} tensors differ, {differ[0]} first")
