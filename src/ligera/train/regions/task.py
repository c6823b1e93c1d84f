"""The task "find regions of pages": network, losses and validation scores for the training loop."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision.models.detection.mask_rcnn import MaskRCNN

from ligera.data.pictures import read_picture
from ligera.data.regions import Page
from ligera.errors import RecipeError
from ligera.metrics.coco import CocoResult, evaluate
from ligera.models.layout_catalogue import find_layout
from ligera.models.layout_specs import MaskRCNNSpec
from ligera.models.maskrcnn import build_maskrcnn
from ligera.records import Detections
from ligera.train.checkpoint import load_into
from ligera.train.exhaustion import is_out_of_memory
from ligera.train.loading import loader
from ligera.train.regions.finding import find_regions, with_outlines
from ligera.train.regions.loading import PageDataset, RegionBatch, collate, read_pages, read_validation
from ligera.train.regions.losses import PARTS, lose_by_page
from ligera.train.regions.memory import MemoryWatch, check_room, foretell, lighter, room_mb
from ligera.train.regions.recipe import RegionsRecipe, iterations_of
from ligera.train.regions.sheet import draw_pages
from ligera.train.samplers import EpochPlan, make_sampler
from ligera.train.sampling import SampleKey
from ligera.train.task import Losses, check_batch

KINDS = ("box", "mask")
FIGURES = ("ap", "ap50", "ap75")
MOST_DRAWN = 9
DRAWN_SCORE = 0.5


def spec_for(model: str, side_px: int, classes: int) -> MaskRCNNSpec:
    """The network called ``model`` for pages of ``side_px`` and so many classes; ``UsageError`` for no such name."""
    return replace(find_layout(model).resized(side_px), classes=classes)


class RegionTask:
    """All that the loop needs to know of layout detection; built from a recipe, holds the pages."""

    score = "ap50_mask"

    def __init__(self, recipe: RegionsRecipe) -> None:
        self._recipe = recipe
        find_layout(recipe.model)  # a wrong name is said before anything is read
        pages = read_pages(recipe)
        self.names = pages.names
        self.spec = spec_for(recipe.model, recipe.side_px, len(self.names))
        self.validation = read_validation(recipe, self.names)
        self.sampler = make_sampler(
            recipe.sampler,
            rows=len(pages),
            weights=None,
            samples_per_epoch=recipe.samples_per_epoch,
            seed=recipe.seed,
            epochs=recipe.epochs,
        )
        check_batch(recipe, self.sampler)
        self.dataset = PageDataset(pages, self.spec.preprocess, recipe.augment)
        self.memory = foretell(recipe, self.spec, self.dataset.largest_input, self.dataset.most_regions)
        check_room(recipe, self.memory, room_mb())
        self._watch = MemoryWatch()

    def network(self) -> MaskRCNN:
        self._watch = MemoryWatch()
        network = build_maskrcnn(self.spec)
        if self._recipe.pretrained:
            load_into(network, self._recipe.pretrained)
        return lose_by_page(network)

    def batches(self, _plan: EpochPlan, keys: list[list[SampleKey]], _device: torch.device) -> Iterable[RegionBatch]:
        return loader(self.dataset, keys, collate, self._recipe.workers)

    def count(self, batch: RegionBatch) -> torch.Tensor:
        """Pages count alike."""
        return batch.weights.new_tensor(float(len(batch.rows)))

    def loss(self, network: nn.Module, batch: RegionBatch, count: torch.Tensor) -> Losses:
        """torchvision's five losses, each page's own."""
        device = batch.rows.device
        self._watch.look(device)
        pixels = [page.float().div_(255) for page in batch.pixels]
        # torchvision draws anchors and proposals by torch's global chance: seeded by the pages, a resumed run draws
        # the same, and left behind as it was found.
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(int(batch.chance.sum()) % 2**63)
            lost = self._lost(network, pixels, [dict(target) for target in batch.targets])
        parts = {PARTS[name]: (batch.weights * values.float()).sum() / count for name, values in lost.items()}
        return Losses(parts, torch.stack(list(lost.values())).float().sum(dim=0).detach())

    def _lost(self, network: nn.Module, *inputs: Any) -> dict[str, torch.Tensor]:
        try:
            return network(*inputs)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise self.out_of_memory() from error

    def out_of_memory(self) -> RecipeError:
        """What to tell whoever ran out of memory in a step, with what would help."""
        recipe = self._recipe
        return RecipeError(
            f"batch: out of memory with {recipe.batch} pages of {recipe.side_px} px and {recipe.model}, foretold were "
            f"{self.memory.total_mb:,.0f} MB; {lighter(recipe, self.memory, None)}"
        )

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """COCO's AP, AP50 and AP75 of boxes and masks on the validation pages, over all classes and for each."""
        self._watch.stop()
        if not self.validation:
            return {}
        seen = [(page, *self._look(network, page)) for page in self.validation]
        pairs = [(found, page) for page, found, _ in seen]
        scores: dict[str, float] = {}
        for kind in KINDS:
            masks = (own for _, _, own in seen) if kind == "mask" else None
            result = evaluate(pairs, self.names, kind=kind, masks=masks)
            scores |= dict(_figures(result, kind))
        return scores

    def finish(self, network: nn.Module) -> dict[str, float]:
        """Memory of a step as foretold and as measured, MB, and how far the first was off, as a share of the second."""
        self._watch.stop()
        foretold, measured = self.memory.total_mb, self._watch.measured_mb
        if measured is None:
            return {"memory_foretold_mb": foretold}
        error = (foretold - measured) / measured
        return {"memory_foretold_mb": foretold, "memory_measured_mb": measured, "memory_error": error}

    def card(self) -> dict[str, Any]:
        recipe, pages = self._recipe, len(self.dataset)
        shown = recipe.samples_per_epoch or pages
        return {
            "task": "detect-regions",
            "labels": list(self.names),
            "side_px": recipe.side_px,
            "pages": pages,
            "memory_foretold_mb": self.memory.total_mb,
            "iterations": round(iterations_of(recipe.epochs, recipe.batch, shown)),
        }

    def draw(self, network: nn.Module, folder: Path) -> None:
        """``pages.jpg``: some validation pages as labelled and as found."""
        some = np.linspace(0, len(self.validation) - 1, min(MOST_DRAWN, len(self.validation))).astype(int)
        shown = []
        for page in (self.validation[place] for place in some):
            pixels = read_picture(page.path).pixels
            shown.append((pixels, page, with_outlines(*find_regions(network, pixels, self.names, DRAWN_SCORE))))
        draw_pages(shown, self.names, folder / "pages.jpg")

    def _look(self, network: nn.Module, page: Page) -> tuple[Detections, list[np.ndarray]]:
        return find_regions(network, read_picture(page.path).pixels, self.names)


def _figures(result: CocoResult, kind: str) -> Iterator[tuple[str, float]]:
    """``ap50_box``, ``ap50_box_staff`` and so on; none for a class that validation lacks."""
    for suffix, scores in (("", result.overall), *((f"_{name}", own) for name, own in result.by_class.items())):
        for figure in FIGURES:
            value = getattr(scores, figure)
            if math.isfinite(value):
                yield f"{figure}_{kind}{suffix}", value
