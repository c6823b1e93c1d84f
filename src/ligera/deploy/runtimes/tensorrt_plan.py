"""What an engine of TensorRT is to be, and the part of its making that 10 and 11 share: the DLA.

In: a bundle's bytes and :class:`TensorRtOptions`. Out: :class:`BuildOrder`, which a version's ``build`` carries out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ligera.deploy.runtimes.cuda_memory import NoDevice
from ligera.deploy.runtimes.precision import CARD_KEY
from ligera.deploy.runtimes.tensorrt_api import Shapes
from ligera.errors import UsageError, nearest

__all__ = ["BuildOrder", "BuiltPlan", "TensorRtOptions", "expect_dla_core", "shapes_for", "use_dla"]

PRECISIONS = ("fp32", "fp16", "bf16", "int8")
CALIBRATIONS = ("entropy", "minmax")
# Sides of a free input, px: the smallest that a pyramid of stride 32 has, the usual, and what detection is bounded to.
SMALLEST_PX, USUAL_PX, LARGEST_PX = 32, 640, 1280
LARGEST_BATCH = 64


@dataclass(frozen=True, slots=True)
class TensorRtOptions:
    """What the owner of a card may choose.

    ``precision`` ``None`` is the bundle's own. ``calibrate`` holds pictures for TensorRT 10's calibrator, ``pictures``
    of them are used. ``dla_core`` puts on that DLA what it can run, the rest on the GPU. ``size`` (width, height) in px
    builds for that input alone, where the bundle leaves it free. Raises ``UsageError`` for what makes no sense.
    """

    precision: str | None = None
    calibrate: Path | None = None
    calibration: Literal["entropy", "minmax"] = "entropy"
    pictures: int = 100
    dla_core: int | None = None
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name, value, known in (
            ("precision", self.precision, (None, *PRECISIONS)),
            ("calibration", self.calibration, CALIBRATIONS),
        ):
            if value not in known:
                words = [word for word in known if word]
                raise UsageError(f"--{name}: there is no {value!r}{nearest(str(value), words)}; known: {words}")
        if self.calibrate is not None and self.precision not in (None, "int8"):
            raise UsageError(f"--calibrate: is for int8; {self.precision} needs no calibration")
        if self.dla_core is not None and self.dla_core < 0:
            raise UsageError(f"--dla: expected the number of a DLA core, 0 or more, got {self.dla_core}")
        if self.size is not None and (min(self.size) < SMALLEST_PX or any(side % SMALLEST_PX for side in self.size)):
            raise UsageError(f"--size: expected multiples of {SMALLEST_PX} px, got {self.size[0]}x{self.size[1]}")


@dataclass(frozen=True, slots=True)
class BuildOrder:
    """``content`` is the ONNX file, ``where`` names it in errors."""

    content: bytes
    where: str
    precision: str
    shapes: Shapes
    dla_core: int | None = None


@dataclass(frozen=True, slots=True)
class BuiltPlan:
    """A serialised engine; where a DLA is used, ``network`` lists the network's layers and whether it may run them."""

    engine: bytes
    network: tuple[tuple[str, bool], ...] | None = None


def expect_dla_core(cores: int, order: BuildOrder) -> None:
    """Refuse a DLA that is not there, or that would be asked for what it cannot do."""
    if order.dla_core is None:
        return
    if not 0 <= order.dla_core < cores:
        raise NoDevice(f"DLA core {order.dla_core}: this device has {cores}; leave --dla out to run on the GPU")
    if order.precision not in ("fp16", "int8"):
        raise UsageError(f"--dla: a DLA computes in fp16 and int8, not in {order.precision}; say --precision fp16")


def use_dla(tensorrt: Any, config: Any, network: Any, core: int) -> tuple[tuple[str, bool], ...]:
    """Put on DLA ``core`` what it can run and the rest on the GPU; each layer of the network, and whether it can."""
    config.default_device_type = tensorrt.DeviceType.DLA
    config.DLA_core = core
    config.set_flag(tensorrt.BuilderFlag.GPU_FALLBACK)
    layers = [network.get_layer(number) for number in range(network.num_layers)]
    return tuple((layer.name, bool(config.can_run_on_DLA(layer))) for layer in layers)


def shapes_for(
    input_shape: tuple[int | None, ...], metadata: Mapping[str, str], options: TensorRtOptions, where: str
) -> Shapes:
    """What inputs to build for: the file's own where it fixes them, or the bundle's, or those that detection sends.

    Raises ``UsageError`` for a size that the bundle does not take, or none for a DLA, whose networks have one shape.
    """
    count, channels, *sides = input_shape
    given = _fixed(metadata) or (None, None)
    own = tuple(side or fixed for side, fixed in zip(sides, given, strict=False))
    if options.size is not None:
        wanted = options.size[::-1]
        if any(side not in (None, want) for side, want in zip(own, wanted, strict=True)):
            raise UsageError(f"{where}: takes {own[1]} x {own[0]} px, not --size {options.size[0]}x{options.size[1]}")
        own = wanted
    free = None in own
    if options.dla_core is not None and free:
        raise UsageError(f"{where}: takes any size, and a DLA one alone; add --size WIDTHxHEIGHT")
    # a batch of detectors is one picture; of classifiers, whose size is fixed, as many as are sent together
    most = 1 if free or options.size is not None or options.dla_core is not None else LARGEST_BATCH
    batches = (1, 1, most) if count is None else (count,) * 3
    lowest, likely, highest = (
        (batch, channels or 3, *(side or instead for side in own))
        for batch, instead in zip(batches, (SMALLEST_PX, USUAL_PX, LARGEST_PX), strict=True)
    )
    return Shapes(lowest, likely, highest)  # type: ignore[arg-type]


def _fixed(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """(height, width) of a card's fixed input; ``None`` where there is none, or no card that can be read."""
    try:
        height, width = json.loads(metadata[CARD_KEY])["preprocess"]["fixed"]
        return int(height), int(width)
    except (KeyError, ValueError, TypeError, RecursionError):
        return None
