"""TensorRT 10: ONNX -> an engine in a precision the builder is told, int8 by a calibrator, on a DLA where asked.

In: a network and a :class:`~ligera.deploy.runtimes.tensorrt_plan.BuildOrder`. Out: the serialised engine and what the
builder said of it. Networks are weakly typed, precision comes from builder flags, and ranges for int8 from pictures
(``IInt8EntropyCalibrator2`` or ``IInt8MinMaxCalibrator``; deprecated since 10.1, gone in 11:
https://docs.nvidia.com/deeplearning/tensorrt/10.8.0/inference-library/work-quantized-types.html). A network that was
quantised before says its precision itself and is built strongly typed. A DLA runs fp16 and int8 alone, takes one shape,
and leaves to the GPU what it cannot do (``GPU_FALLBACK``):
https://docs.nvidia.com/deeplearning/tensorrt/10.7.0/inference-library/work-with-dla.html.
"""

from __future__ import annotations

from typing import Any

from ligera.deploy.runtimes.tensorrt_api import add_profile, make_config, make_logger, parse_onnx, serialise
from ligera.deploy.runtimes.tensorrt_calibration import Feed, calibrator_class
from ligera.deploy.runtimes.tensorrt_plan import BuildOrder, BuiltPlan, expect_dla_core, use_dla
from ligera.errors import ModelError

__all__ = ["build"]


def build(tensorrt: Any, order: BuildOrder, feed: Feed | None) -> BuiltPlan:
    """Build the engine that ``order`` asks for; ``feed`` gives pictures to calibrate int8 on.

    Raises ``ModelError`` for a network that TensorRT cannot read or build and for a precision that the card lacks,
    ``NoDevice`` for a DLA that is not there.
    """
    logger = make_logger(tensorrt)
    builder = tensorrt.Builder(logger)
    _expect_precision(builder, order)
    typed = order.precision == "int8" and feed is None
    flags = 1 << int(tensorrt.NetworkDefinitionCreationFlag.STRONGLY_TYPED) if typed else 0
    network = builder.create_network(flags)
    hint = "; for TensorRT quantise with `ligera export --activations s8`" if typed else ""
    parser = parse_onnx(tensorrt, network, logger, order.content, order.where, hint, for_dla=order.dla_core is not None)
    config = make_config(tensorrt, builder)
    profile = add_profile(builder, config, network, order.shapes)
    if not typed:
        for name in _flags(order):
            config.set_flag(getattr(tensorrt.BuilderFlag, name))
    calibrator = None
    if feed is not None:
        # kept in a name, as the builder holds no reference to it
        calibrator = config.int8_calibrator = calibrator_class(tensorrt, feed.method)(feed)
        if profile is not None:
            config.set_calibration_profile(profile)
    allowed = None
    if order.dla_core is not None:
        expect_dla_core(builder.num_DLA_cores, order)
        allowed = use_dla(tensorrt, config, network, order.dla_core)
    plan = serialise(builder, network, config, logger, order.where)
    if feed is not None:
        feed.finish()
    del calibrator, parser
    return BuiltPlan(plan, allowed)


def _expect_precision(builder: Any, order: BuildOrder) -> None:
    has = {"fp16": builder.platform_has_fast_fp16, "int8": builder.platform_has_fast_int8}
    if not has.get(order.precision, True):
        raise ModelError(f"{order.where}: the card has no fast {order.precision} arithmetic; build it in fp32")


def _flags(order: BuildOrder) -> tuple[str, ...]:
    """Flags of the builder. On a DLA what is not int8 is fp16, as it knows no float32."""
    named = {"fp16": ("FP16",), "bf16": ("BF16",), "int8": ("INT8",)}.get(order.precision, ())
    return (*named, "FP16") if order.dla_core is not None and order.precision == "int8" else named
