"""The recipe of one of MTCNN's networks: which net, its crops, how kinds of crop are mixed, varied and weighed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from ligera.train.recipe import Recipe
from ligera.typed_yaml import Frozen

NETS = ("p-net", "r-net", "o-net")
LANDMARK_WEIGHTS = {"p-net": 0.5, "r-net": 0.5, "o-net": 1.0}


class CropMix(Frozen):
    """How many crops of each kind an epoch shows, in proportion to each other; Zhang et al. have 3 : 1 : 1 : 2."""

    negative: float = Field(3.0, gt=0, le=1000)
    positive: float = Field(1.0, gt=0, le=1000)
    part: float = Field(1.0, ge=0, le=1000)
    landmark: float = Field(2.0, ge=0, le=1000)


class CropAugment(Frozen):
    """Chance of a mirrored and of a grey crop, and the most that its colours change.

    ``brightness`` is a share of the whole range, added or taken away; contrast and saturation are multiplied by
    1 - x to 1 + x.
    """

    mirror: float = Field(0.5, ge=0, le=1)
    grey: float = Field(0.1, ge=0, le=1)
    brightness: float = Field(0.15, ge=0, le=1)
    contrast: float = Field(0.3, ge=0, le=1)
    saturation: float = Field(0.3, ge=0, le=1)


class TermWeights(Frozen):
    """What each term of the loss is multiplied by; ``landmarks`` left out is 0.5, and 1 for O-Net, as in the paper."""

    classification: float = Field(1.0, gt=0, le=1000)
    boxes: float = Field(0.5, ge=0, le=1000)
    landmarks: float | None = Field(None, ge=0, le=1000)


class MtcnnRecipe(Recipe):
    """One training of ``net`` on folders of crops that ``ligera mine`` wrote.

    Without a ``validation`` folder the last ``held_out`` of each kind (a share, or a count above 1) are kept apart.
    Folders hold crops picture by picture, so these are, but for the pictures at the seam, of other pictures.
    Of positives and negatives only the ``hard_examples`` part of a batch that loses most is learnt from.
    """

    task: Literal["mtcnn"]
    net: Literal["p-net", "r-net", "o-net"]
    model: Literal["mtcnn"] = "mtcnn"
    data: tuple[Path, ...] = Field(min_length=1)
    validation: Path | None = None
    held_out: float = Field(0.05, gt=0, le=1e9)
    mix: CropMix = CropMix()
    augment: CropAugment = CropAugment()
    weights: TermWeights = TermWeights()
    hard_examples: float = Field(0.7, gt=0, le=1)

    @field_validator("data", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str | Path) else value

    @field_validator("held_out")
    @classmethod
    def _share_or_count(cls, value: float) -> float:
        if value >= 1 and value != int(value):
            raise ValueError("expected a share under 1 or a whole number of crops")
        return value

    @model_validator(mode="after")
    def _landmarks_have_a_weight(self) -> MtcnnRecipe:
        if self.weights.landmarks is None:
            own = self.weights.model_copy(update={"landmarks": LANDMARK_WEIGHTS[self.net]})
            object.__setattr__(self, "weights", own)
        return self

    def anchored(self, folder: Path) -> MtcnnRecipe:
        data = tuple(folder / path for path in self.data)
        return self.model_copy(
            update={"data": data, "validation": folder / self.validation if self.validation else None}
        )


class PositivesRecipe(Recipe):
    """Paper A's protocol: P-Net from the largest face of each picture alone, without a single negative.

    ``data`` is a folder with RetinaFace labels; ``pictures`` keeps only the first so many with a face. Each is resized
    to ``side_px`` square, decoded anew every epoch by ``workers`` processes (0: the training one).
    """

    task: Literal["mtcnn-positives"]
    model: Literal["p-net-6599"] = "p-net-6599"
    data: Path
    pictures: int | None = Field(None, ge=1)
    side_px: int = Field(128, ge=12, le=1024)
    workers: int = Field(0, ge=0, le=64)
    box_weight: float = Field(0.5, ge=0, le=1000)

    def anchored(self, folder: Path) -> PositivesRecipe:
        return self.model_copy(update={"data": folder / self.data})
