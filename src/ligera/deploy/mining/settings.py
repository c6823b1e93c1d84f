"""What is mined and by which rule: all that fixes the result of ``ligera mine``.

Thresholds are those of SPEC section A: at stage 12 those of Zhang et al. 2016 (section II.C), later those of the
paper's table 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from ligera.data.crops import KINDS
from ligera.errors import UsageError
from ligera.models.cascade import STAGE_SIDES_PX

__all__ = ["MineSettings", "parsed_ratio", "settings_for"]

MOST_CROPS, MOST_PER_PICTURE, MOST_WINDOWS = 10_000_000, 10_000, 10_000
LARGEST_SHARE = 1000
# Positive and part; a negative is below 0.3 at every stage.
THRESHOLDS = {12: (0.65, 0.4), 24: (0.5, 0.3), 48: (0.5, 0.3)}
# Positive : part : negative : landmark. Points are what O-Net alone has to find.
RATIOS = {12: (1, 1, 3, 0), 24: (1, 1, 3, 0), 48: (1, 1, 3, 2)}


@dataclass(frozen=True, slots=True)
class MineSettings:
    """The rule of one mining; ``settings_for`` fills in what a stage asks for.

    ``stage`` is the side of the crops, 12, 24 or 48 px. ``model`` is a cascade whose proposals are mined, ``None`` at
    stage 12. A proposal needs ``score`` and outlasts suppression by ``nms_iou``, in each level, across levels and
    behind R-Net. IoU with a face makes a crop positive, part, or, below ``negative_iou``, negative; a landmark crop
    has ``landmark_iou`` with a face whose five points are known. A face whose long side is under ``least_face_px``
    counts as a region to ignore; ``None`` takes the smallest that the model seeks. ``ratio`` is positive : part :
    negative : landmark of the result, of at most ``most_crops`` crops; a picture gives at most ``per_picture`` of a
    kind. ``around_face`` random windows are tried about each face and ``in_picture`` in each picture, where windows
    are random. Sides longer than ``max_side_px`` are shrunk before anything is sought.
    """

    stage: int
    model: str | None = None
    score: float = 0.7
    nms_iou: float = 0.7
    positive_iou: float = 0.65
    part_iou: float = 0.4
    negative_iou: float = 0.3
    landmark_iou: float = 0.65
    least_face_px: float | None = None
    ratio: tuple[int, int, int, int] = (1, 1, 3, 0)
    most_crops: int = 250_000
    per_picture: int = 200
    around_face: int = 25
    in_picture: int = 60
    max_side_px: int = 1280
    shard_crops: int = 8192
    seed: int = 0

    def __post_init__(self) -> None:
        if self.stage not in STAGE_SIDES_PX:
            raise UsageError(f"stage: expected 12, 24 or 48, got {self.stage}")
        if self.stage == STAGE_SIDES_PX[0] and self.model is not None:
            raise UsageError("stage 12 is mined without a network; leave --model away, or choose stage 24 or 48")
        if self.stage != STAGE_SIDES_PX[0] and not self.model:
            needed = "P-Net" if self.stage == STAGE_SIDES_PX[1] else "P- and R-Net"
            raise UsageError(f"stage {self.stage} is mined with a trained {needed}; give --model, a bundle of MTCNN")
        for name in ("score", "nms_iou", "positive_iou", "part_iou", "negative_iou", "landmark_iou"):
            _check_range(name, getattr(self, name), 0, 1)
        if not 0 < self.negative_iou <= self.part_iou <= self.positive_iou:
            got = f"{self.negative_iou:g}, {self.part_iou:g}, {self.positive_iou:g}"
            raise UsageError(f"IoU: expected 0 < negative <= part <= positive, got {got}")
        if self.least_face_px is not None:
            _check_range("least face", self.least_face_px, 4, 4096)
        _check_ratio(self.ratio)
        limits = {"most_crops": MOST_CROPS, "per_picture": MOST_PER_PICTURE, "around_face": MOST_WINDOWS}
        limits |= {"in_picture": MOST_WINDOWS, "shard_crops": 1 << 20}
        for name, most in limits.items():
            _check_range(name.replace("_", " "), getattr(self, name), 1, most)
        _check_range("max side", self.max_side_px, 32, 16_384)
        if self.seed < 0:
            raise UsageError(f"seed: expected 0 or more, got {self.seed}")

    @property
    def shares(self) -> tuple[int, ...]:
        """The ratio in the order of ``KINDS``."""
        positive, part, negative, landmark = self.ratio
        named = {"positive": positive, "part": part, "negative": negative, "landmark": landmark}
        return tuple(named[kind] for kind in KINDS)


def settings_for(stage: int, **given: Any) -> MineSettings:
    """Settings of ``stage`` with what is ``given`` and not ``None``; ``UsageError`` for what is out of range."""
    positive, part = THRESHOLDS.get(stage, THRESHOLDS[12])
    own = {"positive_iou": positive, "part_iou": part, "ratio": RATIOS.get(stage, RATIOS[12])}
    known = {field.name for field in fields(MineSettings)}
    chosen = {name: value for name, value in given.items() if value is not None}
    if unknown := set(chosen) - known:
        raise UsageError(f"no such setting: {', '.join(sorted(unknown))}")
    return MineSettings(stage, **(own | chosen))


def parsed_ratio(text: str, stage: int) -> tuple[int, int, int, int]:
    """``1:1:3`` or ``1:1:3:2``, positive to part to negative (to landmark); ``UsageError`` for anything else."""
    parts = text.split(":")
    if len(parts) not in (3, 4) or not all(part.isascii() and part.isdigit() and len(part) < 5 for part in parts):
        raise UsageError(
            f"ratio: expected positive:part:negative or positive:part:negative:landmark, got {text[:40]!r}"
        )
    shares = [int(part) for part in parts]
    if len(shares) == 3:
        shares.append(RATIOS.get(stage, RATIOS[12])[3])
    _check_ratio(shares)
    return tuple(shares)  # type: ignore[return-value]


def _check_ratio(shares: Sequence[int]) -> None:
    if len(shares) != 4 or shares[0] < 1 or not all(0 <= share <= LARGEST_SHARE for share in shares):
        got = ":".join(map(str, shares))
        raise UsageError(f"ratio: expected whole numbers up to {LARGEST_SHARE}, of positives at least 1, got {got}")


def _check_range(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise UsageError(f"{name.replace('_', ' ')}: expected {least:g} to {most:,}, got {value:g}")
