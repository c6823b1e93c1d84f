"""What each task leaves in a training run that its bundle must know: the network and the card's own fields.

In: a recipe and its run folder. Out: :class:`Described`. A face detector follows from its recipe alone; a classifier
also from ``card.json`` in the run: ``labels``, ``side_px``, and ``mean`` and ``std`` of each channel on a scale of 0 to
255.
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

__all__ = ["CARD", "Described", "describe"]

CARD = "card.json"


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
    return _face_detector(recipe)  # type: ignore[arg-type]


def _face_detector(recipe: FacesRecipe) -> Described:
    from ligera.models.catalogue import build
    from ligera.train.faces.task import VALIDATION_PROTOCOL, card_for

    preprocess, decoding = card_for(recipe.model)
    data = ", ".join(f"{_short(source.path)} ({source.labels})" for source in recipe.data)
    where = f" on {_short(recipe.validation)}" if recipe.validation else ""

    def name(key: str) -> str | None:
        """``ap50`` and ``ap50_SOURCE`` are scores of a card."""
        kind, _, source = key.partition("_")
        return f"{f'AP50 {source}'.strip()}{where} ({VALIDATION_PROTOCOL})" if kind == "ap50" else None

    fields = {"preprocess": preprocess, "decoding": decoding}
    return Described(lambda: build(recipe.model), fields, data, lambda metrics: _named(metrics, name))


def _classifier(recipe: ClassificationRecipe, card_file: Path) -> Described:
    from ligera.models.classifiers import build_classifier

    labels, preprocess = _read_class_card(card_file)
    where = _short(recipe.data)
    only = f" ({recipe.training_pictures:,} pictures)" if recipe.training_pictures else ""
    names = {"accuracy": f"accuracy on {where} (validation)", "test_accuracy": f"accuracy on {where} (test)"}
    fields = {"preprocess": preprocess, "task": "classify", "labels": labels}
    return Described(
        lambda: build_classifier(recipe.model, len(labels)),
        fields,
        where + only,
        lambda metrics: _named(metrics, names.get),
    )


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


def _short(path: Path) -> str:
    """The last two parts: which data it was, without where its owner keeps it."""
    return "/".join(path.parts[-2:])


def _named(metrics: Mapping[str, Any], name: Callable[[str], str | None]) -> dict[str, float]:
    """The finite ones of ``metrics`` that have a ``name`` on a card."""
    scores = {}
    for key, value in metrics.items():
        label = name(key)
        if label is not None and isinstance(value, int | float) and math.isfinite(value):
            scores[label] = round(float(value), 4)
    return scores
