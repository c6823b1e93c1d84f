"""Pages -> varied batches: the pages of a recipe are read and decoded once and kept in memory, reduced."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ligera.data.check import detect_format
from ligera.data.coco import read_coco
from ligera.data.page_augment import LabelledPage, PageAugment, keep_page, vary_page
from ligera.data.pagexml import read_pagexml
from ligera.data.pictures import read_picture
from ligera.data.regions import Page, PageSet
from ligera.errors import DataError, RecipeError, nearest
from ligera.models.preprocess import input_size
from ligera.records import Preprocess
from ligera.train.regions.recipe import RegionsRecipe
from ligera.train.sampling import SampleKey

__all__ = ["PageDataset", "RegionBatch", "collate", "read_pages", "read_validation"]


@dataclass(frozen=True, slots=True)
class RegionBatch:
    """``pixels``: pages ``(3, H, W)`` uint8 of any sizes; ``targets``: of each its ``boxes`` ``(R, 4)`` px, ``labels``
    ``(R,)`` from 1 on and ``masks`` ``(R, H, W)`` uint8; ``rows`` ``(B,)`` of the data set, ``weights`` ``(B,)``;
    ``chance`` ``(B,)`` int64 seeds what training draws of each page."""

    pixels: tuple[Tensor, ...]
    targets: tuple[dict[str, Tensor], ...]
    rows: Tensor
    weights: Tensor
    chance: Tensor

    def to(self, device: torch.device) -> RegionBatch:
        def moved(value: Tensor) -> Tensor:
            return value.to(device, non_blocking=True)

        targets = tuple({name: moved(value) for name, value in target.items()} for target in self.targets)
        return RegionBatch(tuple(map(moved, self.pixels)), targets, moved(self.rows), moved(self.weights), self.chance)


def read_pages(recipe: RegionsRecipe) -> PageSet:
    """The pages to train on; ``DataError`` where there is nothing that can be learned from them."""
    pages = _read(recipe, recipe.data, recipe.pictures)
    if not any(not region.crowd for page in pages.pages for region in page.regions):
        raise DataError(f"{pages.file}: no page has a region to learn from; is it the right file?{_unmapped(pages)}")
    _check_outlines(pages)
    return pages


def read_validation(recipe: RegionsRecipe, names: Sequence[str]) -> tuple[Page, ...]:
    """The pages to judge by, none where the recipe names none; ``DataError`` for classes that are never trained."""
    if recipe.validation is None:
        return ()
    pages = _read(recipe, recipe.validation, recipe.validation_pictures or recipe.pictures)
    found = {region.name for page in pages.pages for region in page.regions}
    unknown = sorted(found - set(names))
    if unknown:
        raise DataError(
            f"{pages.file}: has regions of class {unknown[0]!r}, which the training pages don't know"
            f"{nearest(unknown[0], names)}; there are {', '.join(names)}"
        )
    _check_outlines(pages)
    return pages.pages


def _read(recipe: RegionsRecipe, source: Path, pictures: Path | None) -> PageSet:
    layout = detect_format(source) if recipe.format == "auto" else recipe.format
    if layout == "pagexml":
        return read_pagexml(source, recipe.tags, pictures=pictures)
    if layout != "coco":
        raise DataError(f"{source}: expected pages with regions, as COCO instances or PAGE XML, found {layout} data")
    if recipe.tags is not None:
        raise RecipeError("tags: say what regions of PAGE XML are; COCO files name their classes, leave tags out")
    return read_coco(source, pictures=pictures)


def _unmapped(pages: PageSet) -> str:
    if not pages.unmapped:
        return ""
    tags = ", ".join(sorted(pages.unmapped)[:5])
    return f" the recipe's tags give no class to {tags}"


def _check_outlines(pages: PageSet) -> None:
    """A box alone taught as an outline would teach every mask to be its box."""
    for page in pages.pages:
        bare = [region for region in page.regions if not region.polygons and region.mask is None and not region.crowd]
        if bare:
            key = f" ({bare[0].key})" if bare[0].key else ""
            raise DataError(
                f"{pages.file}: {page.name}: {len(bare)} regions have a box but no outline, first one of class "
                f"{bare[0].name!r}{key}; draw their outlines or leave them out"
            )


class PageDataset(Dataset):
    """Samples by ``SampleKey``; all pages decoded, no larger than zooming into them needs."""

    def __init__(self, pages: PageSet, rule: Preprocess, augment: PageAugment) -> None:
        # Here, not in the workers: a worker that finds OpenCV's threads of before the fork waits for them for ever.
        cv2.setNumThreads(1)
        self._augment = augment
        largest = round((rule.max_side or 0) * augment.zoom[1] * max(augment.stretch[1], 1 / augment.stretch[0]) ** 0.5)

        def kept(page: Page) -> tuple[LabelledPage, tuple[int, int]]:
            picture = read_picture(page.path)
            size = input_size(picture.height, picture.width, rule)
            return keep_page(page, picture.pixels, pages.names, largest), size

        with ThreadPoolExecutor() as pool:
            self._pages = list(pool.map(kept, pages.pages))

    def __len__(self) -> int:
        return len(self._pages)

    @property
    def largest_input(self) -> tuple[int, int]:
        """Height and width, px, of the largest window that may be shown."""
        share = self._augment.window[1]
        return tuple(max(round(size[side] * share) for _, size in self._pages) for side in (0, 1))

    @property
    def most_regions(self) -> int:
        return max(len(page.labels) for page, _ in self._pages)

    def __getitem__(self, key: SampleKey) -> tuple[Tensor, dict[str, Tensor], Tensor, Tensor, Tensor]:
        page, size = self._pages[key.index]
        generator = key.generator()
        sample = vary_page(page, size, self._augment, generator)
        target = {
            "boxes": torch.from_numpy(sample.boxes),
            "labels": torch.from_numpy(sample.labels + 1),
            "masks": torch.from_numpy(sample.masks),
        }
        pixels = torch.from_numpy(np.ascontiguousarray(sample.pixels.transpose(2, 0, 1)))
        chance = torch.tensor(int(generator.integers(2**62)))
        return pixels, target, torch.tensor(key.index), torch.tensor(key.weight), chance


def collate(samples: list[tuple[Tensor, dict[str, Tensor], Tensor, Tensor, Tensor]]) -> RegionBatch:
    pixels, targets, rows, weights, chance = zip(*samples, strict=True)
    return RegionBatch(pixels, targets, torch.stack(rows), torch.stack(weights), torch.stack(chance))
