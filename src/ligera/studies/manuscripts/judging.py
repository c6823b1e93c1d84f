"""A trained trial -> ``scores.json``: COCO's five figures of boxes and masks on the validation pages, for each class.

Scored once, after training and outside its meter, so that minutes and energy are those of training alone.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ligera.data.pictures import read_picture
from ligera.errors import DataError
from ligera.files import write_bytes
from ligera.metrics.coco import CocoResult, evaluate
from ligera.models.maskrcnn import build_maskrcnn
from ligera.train.checkpoint import load_into
from ligera.train.reading import parse_recipe
from ligera.train.regions.finding import find_regions
from ligera.train.regions.loading import read_pages, read_validation
from ligera.train.regions.recipe import RegionsRecipe
from ligera.train.regions.task import spec_for
from ligera.train.run import environment

__all__ = ["FIGURES", "KINDS", "Scores", "judge", "pages_of", "read_scores"]

FIGURES = ("ap", "ap50", "ap75", "ap_medium", "ap_large")
KINDS = ("box", "mask")
FILE_NAME = "scores.json"


@dataclass(frozen=True, slots=True)
class Scores:
    """``overall[kind]`` and ``by_class[kind][name]`` are figure -> 0 to 1, ``None`` where there is nothing to find."""

    overall: dict[str, dict[str, float | None]]
    by_class: dict[str, dict[str, dict[str, float | None]]]
    pages: int
    protocol: str


def pages_of(values: dict[str, Any], validation: str) -> tuple[int, int]:
    """How many pages there are to train on and to judge by; ``DataError`` for what cannot be learned from."""
    recipe = _recipe(values, validation)
    pages = read_pages(recipe)
    others = read_validation(recipe, pages.names)
    if not any(not region.crowd for page in others for region in page.regions):
        raise DataError(f"{validation}: no page has a region to judge by; is it the right folder?")
    return len(pages), len(others)


def judge(values: dict[str, Any], validation: str, place: Path) -> None:
    """Score the weights in the run folder ``place``, on the device they were trained on."""
    recipe = _recipe(values, validation)
    names = read_pages(recipe).names
    net = build_maskrcnn(spec_for(recipe.model, recipe.side_px, len(names)))
    load_into(net, place / "weights.safetensors")
    net.to(environment()["device"])
    seen = [
        (page, *find_regions(net, read_picture(page.path).pixels, names)) for page in read_validation(recipe, names)
    ]
    pairs = [(found, page) for page, found, _ in seen]
    results = {"box": evaluate(pairs, names), "mask": evaluate(pairs, names, kind="mask", masks=[m for *_, m in seen])}
    document: dict[str, Any] = {"pages": len(seen), "protocol": results["box"].protocol}
    document |= {kind: _figures(result) for kind, result in results.items()}
    write_bytes(place / FILE_NAME, (json.dumps(document, indent=1) + "\n").encode())


def read_scores(place: Path) -> Scores:
    """What ``judge`` wrote; ``DataError`` for a file that is not that."""
    path = place / FILE_NAME
    try:
        document = json.loads(path.read_text())
        overall = {kind: {name: document[kind]["all"][name] for name in FIGURES} for kind in KINDS}
        by_class = {kind: document[kind]["classes"] for kind in KINDS}
        return Scores(overall, by_class, int(document["pages"]), str(document["protocol"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{path}: damaged scores; remove it, and the study scores the trial again") from None


def _figures(result: CocoResult) -> dict[str, Any]:
    def known(scores: Any) -> dict[str, float | None]:
        values = {name: getattr(scores, name) for name in FIGURES}
        return {name: value if math.isfinite(value) else None for name, value in values.items()}

    return {"all": known(result.overall), "classes": {name: known(own) for name, own in result.by_class.items()}}


def _recipe(values: dict[str, Any], validation: str) -> RegionsRecipe:
    recipe = parse_recipe(values | {"name": "judged", "validation": validation}, "manuscripts")
    assert isinstance(recipe, RegionsRecipe)
    return recipe
