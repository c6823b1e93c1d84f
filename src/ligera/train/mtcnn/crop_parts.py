"""Folders of crops -> what is learnt from and what is held back to judge it by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ligera.data.crops import CARD, KINDS, CropSet, read_crops
from ligera.errors import DataError
from ligera.train.mtcnn.networks import side_px_of
from ligera.train.mtcnn.recipe import CropMix, MtcnnRecipe


def crop_parts(recipe: MtcnnRecipe) -> tuple[CropSet, CropSet]:
    """Training and validation crops; ``DataError`` where a folder has others than its net takes, or too few."""
    training = joined([_read(folder, recipe.net) for folder in recipe.data])
    where = ", ".join(map(str, recipe.data))
    if recipe.validation is not None:
        validation = _read(recipe.validation, recipe.net)
        _check_faces(validation, f"{recipe.validation}")
    else:
        last = last_of_each_kind(training.kinds, recipe.held_out)
        training, validation = training.take(~last), training.take(last)
        _check_faces(validation, f"{where}: the held out part")
    _check_faces(training, where)
    return training, validation


def joined(parts: Sequence[CropSet]) -> CropSet:
    """All crops of ``parts``, in their order."""
    if len(parts) == 1:
        return parts[0]
    columns = zip(*((part.pixels, part.kinds, part.boxes, part.landmarks) for part in parts), strict=False)
    return CropSet(*(np.concatenate(column) for column in columns))


def last_of_each_kind(kinds: np.ndarray, amount: float) -> np.ndarray:
    """``(N,)`` bool: the last ``amount`` of each kind, a share of it under 1 (one crop at least) or a count."""
    last = np.zeros(len(kinds), bool)
    for kind in range(len(KINDS)):
        rows = np.flatnonzero(kinds == kind)
        count = max(1, round(amount * len(rows))) if amount < 1 else int(amount)
        if len(rows) and count >= len(rows):
            raise DataError(
                f"held_out: {amount:g} leaves none of the {len(rows):,} {KINDS[kind]} crops to learn from; make it "
                "smaller or give a validation folder"
            )
        last[rows[len(rows) - count :]] = True
    return last


def row_weights(kinds: np.ndarray, mix: CropMix) -> np.ndarray:
    """``(N,)``: how often each crop is shown so that the kinds there are come in the proportions of ``mix``."""
    weights = np.zeros(len(kinds))
    for kind, name in enumerate(KINDS):
        rows = kinds == kind
        if rows.any():
            weights[rows] = getattr(mix, name) / rows.sum()
    return weights * len(kinds) / weights.sum()


def mined_from(folders: Sequence[Path]) -> list[str]:
    """What pictures the crops were cut from, by the last two parts of their path; only what the folders' cards say."""
    sources = []
    for folder in folders:
        try:
            source = json.loads((folder / CARD).read_text(encoding="utf-8"))["source"]
            sources.append("/".join(Path(source).parts[-2:]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return list(dict.fromkeys(sources))


def _read(folder: Path, net: str) -> CropSet:
    crops = read_crops(folder)
    side_px = side_px_of(net)
    if crops.side_px != side_px:
        wanted = f"{net} takes {side_px}; give a folder mined for it, or another net"
        raise DataError(f"{folder}: holds crops of {crops.side_px} px, {wanted}")
    return crops


def _check_faces(crops: CropSet, where: str) -> None:
    for kind in ("positive", "negative"):
        if not (crops.kinds == KINDS.index(kind)).any():
            raise DataError(f"{where}: holds no {kind} crop, and without any nothing can be learnt; mine more pictures")
