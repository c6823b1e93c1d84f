"""What a bundle says of how its precision came about: JSON in the key ``ligera.precision`` of its metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from ligera.deploy.bundle import Precision, record_from_metadata

__all__ = ["PRECISION_KEY", "Calibration", "Gate", "PrecisionRecord", "precision_from_metadata"]

PRECISION_KEY = "ligera.precision"

Method = Literal["minmax", "entropy", "percentile"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Ranges of activations were taken by ``method`` on ``pictures`` pictures; ``sha256`` is that of their files.

    ``faces`` says that it was the main face of each that was shown, squared as the recogniser squares it.
    """

    method: Method
    pictures: int
    sha256: str
    faces: bool = False


@dataclass(frozen=True, slots=True)
class Gate:
    """What was lost on ``data``: ``before`` and ``after`` are ``metric`` times 100, ``max_drop`` the points allowed.

    ``judged`` counts the pictures, or faces to detect, that both are of.
    """

    metric: str
    data: str
    before: float
    after: float
    max_drop: float
    judged: int = 0

    @property
    def drop(self) -> float:
        """Points lost; negative where the score rose."""
        return self.before - self.after

    @property
    def holds(self) -> bool:
        return self.drop <= self.max_drop


@dataclass(frozen=True, slots=True)
class PrecisionRecord:
    """``source_sha256`` is that of the graph this one was made of. ``calibration`` is that of int8, in which of
    ``layers`` layers with weights ``kept_float`` were not quantised. ``logit_shift`` is what was taken off each logit
    of a recogniser again, as int8 raised it by so much on the calibration faces; thresholds are thus kept. ``gate`` is
    ``None`` without labelled data.
    """

    precision: Precision
    source_sha256: str
    calibration: Calibration | None = None
    gate: Gate | None = None
    layers: int = 0
    kept_float: tuple[str, ...] = ()
    logit_shift: tuple[float, ...] = ()

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)


def precision_from_metadata(metadata: Mapping[str, str], where: str) -> PrecisionRecord | None:
    """The record of a converted bundle, ``None`` for one as it was trained; ``ModelError`` for a damaged one."""
    return record_from_metadata(PrecisionRecord, metadata, PRECISION_KEY, where, "metadata on precision")
