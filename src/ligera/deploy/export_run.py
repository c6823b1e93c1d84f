"""A training run or a file of weights -> one ONNX bundle: what ``ligera export`` does.

In: ``runs/train/NAME`` (finished or not), or a ``.safetensors`` beside a ``recipe.yaml`` or with the network's name.
Out: what ``export`` returns. Weights are safetensors, or a checkpoint read without running code. Needs torch.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ligera.deploy.bundle import BundleCard
from ligera.deploy.export import ExportReport, export_bundle
from ligera.errors import DataError, MissingExtra, ModelError, UsageError
from ligera.models.catalogue import build, find
from ligera.records import Decoding

if TYPE_CHECKING:
    from torch import Tensor

    from ligera.train.recipe import Recipe

__all__ = ["export_run"]

WEIGHTS = "weights.safetensors"
RECIPE = "recipe.yaml"
PROTOCOL = "validation pictures at their own size, single scale"


@dataclass(frozen=True, slots=True)
class _Trained:
    """What was found at a source: weights, and the run's recipe and scores where there is a run."""

    state: dict[str, Tensor]
    recipe: Recipe | None
    recipe_sha256: str
    scores: dict[str, float]


def export_run(
    source: Path,
    target: Path,
    *,
    model: str | None = None,
    name: str | None = None,
    licence: str = "",
    training_data: str = "",
) -> ExportReport:
    """Export the weights at ``source`` to the bundle ``target``.

    ``model`` is the catalogue name of the network where no recipe says so; ``name`` is the bundle's, by default the
    file's. Raises ``DataError`` where there are no weights, ``ModelError`` where they do not fit the network and
    ``MissingExtra`` without torch.
    """
    try:
        from ligera.train.faces import PREPROCESS
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("ligera"):
            raise
        raise MissingExtra(str(error.name), "train", "exporting a trained network") from None
    trained = _read(source)
    if model is None and trained.recipe is None:
        raise UsageError(f"{source}: no {RECIPE} beside it says which network it is; give --model NAME")
    spec = find(model or trained.recipe.model)  # type: ignore[union-attr]
    network = build(spec)
    _load(network, trained.state, source, model or trained.recipe.model)  # type: ignore[union-attr]
    card = BundleCard(
        name=name or target.stem,
        preprocess=PREPROCESS,
        decoding=Decoding(spec.priors, activation="sigmoid" if spec.score_channels == 1 else "softmax"),
        training_data=training_data or _data_names(trained.recipe),
        scores=trained.scores,
        licence=licence,
        recipe_sha256=trained.recipe_sha256,
    )
    return export_bundle(network, card, target)


def _read(source: Path) -> _Trained:
    if source.is_dir():
        weights, folder = source / WEIGHTS, source
    elif source.is_file():
        weights, folder = source, source.parent
    else:
        raise DataError(f"{source}: no such run folder or file of weights")
    recipe, digest = None, ""
    if (folder / RECIPE).is_file():
        from ligera.train.recipe import read_recipe

        recipe = read_recipe(folder / RECIPE)
        digest = hashlib.sha256((folder / RECIPE).read_bytes()).hexdigest()
    elif source.is_dir():
        raise DataError(f"{source}: not a training run (no {RECIPE}); give a folder such as runs/train/NAME")
    return _Trained(_weights(weights, folder), recipe, digest, _scores(folder))


def _weights(weights: Path, folder: Path) -> dict[str, Tensor]:
    """Finished weights, or the moving average in the checkpoint of a run that is not done."""
    if not weights.is_file():
        import torch

        from ligera.train.checkpoint import load_checkpoint

        return load_checkpoint(folder, torch.device("cpu"))["average"]
    if weights.suffix != ".safetensors":
        raise DataError(f"{weights}: expected a .safetensors file or a run folder")
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(weights)
    except SafetensorError as error:
        raise DataError(f"{weights}: damaged weights ({error}); train again or take another copy") from None


def _load(network: Any, state: dict[str, Tensor], source: Path, model: str) -> None:
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        detail = [line.strip() for line in str(error).splitlines()[1:2]]
        raise ModelError(f"{source}: these are not weights of {model} ({' '.join(detail)[:160]})") from None


def _scores(folder: Path) -> dict[str, float]:
    """The last validation scores of the run, each named with its protocol."""
    file = folder / "history.jsonl"
    if not file.is_file():
        return {}
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except ValueError:
        raise DataError(f"{file}: damaged (not JSON lines); resume the run, which writes it again") from None
    scored = [row for row in rows if "ap50" in row]
    last = scored[-1] if scored else {}
    return {
        f"{key.replace('ap50', 'AP50').replace('_', ' ')} ({PROTOCOL})": round(float(value), 4)
        for key, value in last.items()
        if key.startswith("ap50")
    }


def _data_names(recipe: Recipe | None) -> str:
    """The recipe's sources without their place on this machine."""
    if recipe is None:
        return ""
    return ", ".join(f"{'/'.join(source.path.parts[-2:])} ({source.labels})" for source in recipe.data)
