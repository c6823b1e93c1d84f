"""What each task leaves in a training run that its bundle must know: the network and the card's own fields.

In: a recipe and its run folder. Out: :class:`Described`. A face detector follows from its recipe alone; a classifier
also from ``card.json`` in the run: ``labels``, ``side_px``, and ``mean`` and ``std`` of each channel on a scale of 0 to
255. A layout detector takes its ``labels`` from there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ligera.errors import DataError
from ligera.records import Preprocess

if TYPE_CHECKING:
    from torch import nn

    from ligera.train.classification.recipe import ClassificationRecipe
    from ligera.train.faces.recipe import FacesRecipe
    from ligera.train.recipe import Recipe
    from ligera.train.regions.recipe import RegionsRecipe

__all__ = ["CARD", "Described", "describe", "named_scores", "short_path"]

CARD = "card.json"
REGION_KINDS = {"box": "boxes", "mask": "masks"}


@dataclass(frozen=True, slots=True)
class Described:
    """``build`` makes the network with random weights; ``fields`` are the card's of this task, ``data`` names what it
    was trained on and ``scores`` turns a run's metrics into those of a card."""

    build: Callable[[], nn.Module]
    fields: dict[str, Any]
    data: str
    scores: Callable[[Mapping[str, Any]], dict[str, float]]


def describe(recipe: Recipe, folder: Path) -> Described:
    """What the task of ``recipe`` says of the run in ``folder``; ``DataError`` for a wrong ``card.json``."""
    if recipe.task == "classification":
        return _classifier(recipe, folder / CARD)  # type: ignore[arg-type]
    if recipe.task == "mtcnn":
        from ligera.deploy.export.cascade_runs import describe_net

        return describe_net(recipe, folder)  # type: ignore[arg-type]
    if recipe.task == "mtcnn-positives":
        from ligera.deploy.export.cascade_runs import describe_positives

        return describe_positives(recipe)  # type: ignore[arg-type]
    if recipe.task == "regions":
        return _layout_detector(recipe, folder / CARD)  # type: ignore[arg-type]
    return _face_detector(recipe)  # type: ignore[arg-type]


def _face_detector(recipe: FacesRecipe) -> Described:
    from ligera.models.catalogue import build
    from ligera.train.faces.task import VALIDATION_PROTOCOL, card_for

    preprocess, decoding = card_for(recipe.spec)
    data = ", ".join(f"{short_path(source.path)} ({source.labels})" for source in recipe.data)
    where = f" on {short_path(recipe.validation)}" if recipe.validation else ""

    def name(key: str) -> str | None:
        """``ap50`` and ``ap50_SOURCE`` are scores of a card."""
        kind, _, source = key.partition("_")
        return f"{f'AP50 {source}'.strip()}{where} ({VALIDATION_PROTOCOL})" if kind == "ap50" else None

    fields = {"preprocess": preprocess, "decoding": decoding}
    return Described(lambda: build(recipe.spec), fields, data, lambda metrics: named_scores(metrics, name))


def _classifier(recipe: ClassificationRecipe, card_file: Path) -> Described:
    from ligera.models.classifiers import build_classifier

    labels, preprocess = _read_class_card(card_file)
    where = short_path(recipe.data)
    only = f" ({recipe.training_pictures:,} pictures)" if recipe.training_pictures else ""
    names = {"accuracy": f"accuracy on {where} (validation)", "test_accuracy": f"accuracy on {where} (test)"}
    fields = {"preprocess": preprocess, "task": "classify", "labels": labels}
    return Described(
        lambda: build_classifier(recipe.model, len(labels)),
        fields,
        where + only,
        lambda metrics: named_scores(metrics, names.get),
    )


def _layout_detector(recipe: RegionsRecipe, card_file: Path) -> Described:
    from ligera.models.maskrcnn import build_maskrcnn
    from ligera.train.regions.task import spec_for

    labels = _read_region_labels(card_file)
    spec = spec_for(recipe.model, recipe.side_px, len(labels))
    where = f" on {short_path(recipe.validation)}" if recipe.validation else ""

    def name(key: str) -> str | None:
        """``ap50_mask_staff`` is a score of a card: ``AP50 masks of staff on ...``."""
        figure, _, rest = key.partition("_")
        kind, _, label = rest.partition("_")
        if figure not in ("ap", "ap50", "ap75") or kind not in REGION_KINDS:
            return None
        of = f" of {label}" if label else ""
        return f"{figure.upper()} {REGION_KINDS[kind]}{of}{where} (COCO, {recipe.side_px} px)"

    fields = {"preprocess": spec.preprocess, "task": "detect-regions", "labels": labels}
    data = short_path(recipe.data)
    return Described(lambda: build_maskrcnn(spec), fields, data, lambda metrics: named_scores(metrics, name))


def _read_region_labels(file: Path) -> tuple[str, ...]:
    """Classes of the layout detector that ``file`` is of."""
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or "no reason given").lower()
        raise DataError(
            f"{file}: cannot be read ({reason}); it names the classes of the network, give the folder of a training "
            "run with it"
        ) from None
    except (ValueError, RecursionError):
        card = None
    labels = card.get("labels") if isinstance(card, dict) else None
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise DataError(f"{file}: damaged (labels: expected a list of names); take it from the run again")
    return tuple(labels)


def _read_class_card(file: Path) -> tuple[tuple[str, ...], Preprocess]:
    """Labels and input of the classifier that ``file`` is of."""
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
        labels, side, mean, std = (card[key] for key in ("labels", "side_px", "mean", "std"))
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise ValueError("labels: expected a list of names")
        if type(side) is not int or side < 1:
            raise ValueError("side_px: expected a whole number of px")
        preprocess = Preprocess(
            mean=_channels("mean", mean),
            scale=tuple(1 / value for value in _channels("std", std, least=1e-6)),  # type: ignore[arg-type]
            multiple=1,
            fixed=(side, side),
            crop=True,
        )
    except OSError as error:
        raise DataError(
            f"{file}: cannot be read ({(error.strerror or 'no reason given').lower()}); it names the classes of the "
            "network, give the folder of a training run with it"
        ) from None
    except KeyError as error:
        raise DataError(f"{file}: damaged ({error.args[0]} is missing); resume the run to have it written") from None
    except (ValueError, TypeError, RecursionError) as error:
        reason = str(error).partition("\n")[0][:100]
        raise DataError(f"{file}: damaged ({reason}); resume the run to have it written again") from None
    return tuple(labels), preprocess


def _channels(name: str, values: Any, least: float = -math.inf) -> tuple[float, float, float]:
    numbers = isinstance(values, list) and all(type(value) in (int, float) for value in values)
    if not numbers or len(values) != 3 or not all(math.isfinite(value) and value >= least for value in values):
        raise ValueError(f"{name}: expected a number for each of three channels")
    return tuple(map(float, values))  # type: ignore[return-value]


def short_path(path: Path) -> str:
    """The last two parts: which data it was, without where its owner keeps it."""
    return "/".join(path.parts[-2:])


def named_scores(metrics: Mapping[str, Any], name: Callable[[str], str | None]) -> dict[str, float]:
    """The finite ones of ``metrics`` that have a ``name`` on a card."""
    scores = {}
    for key, value in metrics.items():
        label = name(key)
        if label is not None and isinstance(value, int | float) and math.isfinite(value):
            scores[label] = round(float(value), 4)
    return scores
