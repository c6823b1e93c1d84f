"""The package ``tensorrt``: imported in this one place, and what 10 and 11 have in common.

Names follow NVIDIA's Python reference (https://docs.nvidia.com/deeplearning/tensorrt/latest/_static/python-api/), and
were looked up in the wheels ``tensorrt-cu12-bindings`` 10.7.0 and ``tensorrt-cu13-bindings`` 11.4.0; what changed
between the two is at https://docs.nvidia.com/deeplearning/tensorrt/latest/api/migration/tensorrt-10x-to-11x.html. No
machine of Ligera's developers has run it: the adapters are tested against a stand-in for this interface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ligera.errors import MissingExtra, ModelError, UsageError

__all__ = ["Shapes", "add_profile", "load_tensorrt", "major_version", "parse_onnx", "serialise"]

OLDEST, NEWEST = 10, 11
# Leaves room for what else lives on a small card; TensorRT's own default is all there is.
WORKSPACE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Shapes:
    """What inputs an engine takes: the smallest, the one it is tuned for, the largest; each ``(N, C, H, W)``."""

    lowest: tuple[int, ...]
    likely: tuple[int, ...]
    highest: tuple[int, ...]

    @property
    def fixed(self) -> bool:
        return self.lowest == self.highest

    def takes(self, shape: tuple[int, ...]) -> bool:
        return len(shape) == len(self.lowest) and all(
            low <= side <= high for low, side, high in zip(self.lowest, shape, self.highest, strict=True)
        )

    def __str__(self) -> str:
        low, high = ("x".join(map(str, shape)) for shape in (self.lowest, self.highest))
        return low if self.fixed else f"{low} to {high}"


def load_tensorrt() -> Any:
    """The package ``tensorrt``; ``MissingExtra`` without it or the libraries it needs."""
    try:
        import tensorrt
    except ImportError:
        raise MissingExtra("tensorrt", "tensorrt", "the runtime tensorrt") from None
    return tensorrt


def major_version(tensorrt: Any) -> int:
    """10 or 11; ``UsageError`` for another, whose interface is not the one written for here."""
    major = int(str(tensorrt.__version__).partition(".")[0])
    if not OLDEST <= major <= NEWEST:
        raise UsageError(f"the runtime tensorrt: is written for TensorRT 10 and 11, and {tensorrt.__version__} is here")
    return major


def make_logger(tensorrt: Any) -> Any:
    """A logger that keeps errors in ``errors`` and prints nothing, as TensorRT's own writes to standard output."""

    class Quiet(tensorrt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            tensorrt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, msg: str) -> None:
            if severity in (tensorrt.ILogger.Severity.ERROR, tensorrt.ILogger.Severity.INTERNAL_ERROR):
                self.errors.append(" ".join(str(msg).split())[:200])

    return Quiet()


def parse_onnx(
    tensorrt: Any, network: Any, logger: Any, content: bytes, where: str, hint: str = "", *, for_dla: bool = False
) -> Any:
    """Fill ``network`` with the ONNX file's layers; ``ModelError`` with the parser's first complaint.

    ``for_dla`` lets a parser that can (of 11) bend layers into what a DLA takes. Returns the parser, which has to
    outlive the network's weights.
    """
    parser = tensorrt.OnnxParser(network, logger)
    bend = getattr(tensorrt.OnnxParserFlag, "ADJUST_FOR_DLA", None)
    if for_dla and bend is not None:
        parser.set_flag(bend)
    if not parser.parse(content):
        said = parser.get_error(0).desc() if parser.num_errors else (logger.errors or ["no reason given"])[-1]
        reason = " ".join(str(said).split())[:200]
        raise ModelError(f"{where}: cannot be read by TensorRT's ONNX parser ({reason}){hint}")
    if network.num_inputs != 1:
        raise ModelError(f"{where}: has {network.num_inputs} inputs, expected one")
    return parser


def add_profile(builder: Any, config: Any, network: Any, shapes: Shapes) -> Any:
    """Say what inputs to build for, where the file leaves sides open; the profile, ``None`` where it leaves none."""
    entry = network.get_input(0)
    if -1 not in tuple(entry.shape):
        return None
    profile = builder.create_optimization_profile()
    profile.set_shape(entry.name, shapes.lowest, shapes.likely, shapes.highest)
    config.add_optimization_profile(profile)
    return profile


def make_config(tensorrt: Any, builder: Any) -> Any:
    """What every build is told: how much memory to work in, to keep what the inspector says of layers, no TF32."""
    config = builder.create_builder_config()
    config.set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
    config.profiling_verbosity = tensorrt.ProfilingVerbosity.DETAILED
    # precision is always said: TensorRT would otherwise round float32 to 10 bits wherever the card can
    config.clear_flag(tensorrt.BuilderFlag.TF32)
    return config


def serialise(builder: Any, network: Any, config: Any, logger: Any, where: str) -> bytes:
    """The engine; ``ModelError`` with TensorRT's last complaint where it cannot be built."""
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        reason = (logger.errors or ["no reason given"])[-1]
        raise ModelError(f"{where}: TensorRT cannot build an engine of it ({reason})")
    return bytes(plan)
