"""What to convert a bundle to, and what that may cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ligera.deploy.bundle import Precision
from ligera.deploy.quantization.calibration import METHODS, PICTURES
from ligera.deploy.quantization.int8 import ACTIVATION_TYPES, Activations
from ligera.deploy.quantization.record import Method
from ligera.errors import UsageError, nearest

__all__ = ["MAX_DROP_POINTS", "PRECISIONS", "ConversionPlan"]

PRECISIONS: tuple[Precision, ...] = ("fp16", "bf16", "int8")
MAX_DROP_POINTS = 1.0


@dataclass(frozen=True, slots=True)
class ConversionPlan:
    """What to make, and what it may cost.

    ``calibrate`` holds pictures for int8, ``method`` is minmax, entropy or percentile, ``activations`` u8, or s8 for
    TensorRT. ``gate_data`` are labelled pictures to measure on what is lost, of which ``max_drop`` points are allowed.
    Raises ``UsageError`` for a plan that makes no sense.
    """

    precision: Precision
    calibrate: Path | None = None
    method: Method = "minmax"
    pictures: int = PICTURES
    activations: Activations = "u8"
    gate_data: Path | None = None
    max_drop: float = MAX_DROP_POINTS
    threads: int | None = None

    def __post_init__(self) -> None:
        _expect("precision", self.precision, PRECISIONS)
        _expect("calibration", self.method, METHODS)
        _expect("activations", self.activations, ACTIVATION_TYPES)
        if not 0 <= self.max_drop <= 100:
            raise UsageError(f"--max-drop: expected 0 to 100 points, got {self.max_drop:g}")
        if self.precision == "int8" and self.calibrate is None:
            raise UsageError("--precision int8: needs pictures to calibrate on; add --calibrate FOLDER")
        if self.precision != "int8" and self.calibrate is not None:
            raise UsageError(f"--calibrate: is for int8; {self.precision} needs no calibration")


def _expect(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        hint = nearest(value, known)
        raise UsageError(f"--{option}: there is no {value!r}{hint}; known: {', '.join(known)}")
