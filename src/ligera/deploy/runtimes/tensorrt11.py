"""TensorRT 11: ONNX -> an engine whose precision is that of the network's own tensors, int8 by its Q/DQ nodes.

In: a network and a :class:`~ligera.deploy.runtimes.tensorrt_plan.BuildOrder`. Out: the serialised engine and what the
builder said of it. All networks are strongly typed here: builder flags for precisions, calibrators and the questions
what a card can do are gone (https://docs.nvidia.com/deeplearning/tensorrt/latest/api/migration/
tensorrt-10x-to-11x-python-api-reference.html). So int8 is a bundle that was quantised before, with signed activations
(https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/quantized-types-explicit-quantization.html), and
fp16 a graph that computes in fp16, which ``deploy.quantization.half_arithmetic`` makes. DLAs came back with 11.4.1 on
Jetson AGX Orin (https://docs.nvidia.com/deeplearning/tensorrt/11.4.1/inference-library/dla-strongly-typed-networks.html).
"""

from __future__ import annotations

from typing import Any

from ligera.deploy.runtimes.tensorrt_api import add_profile, make_config, make_logger, parse_onnx, serialise
from ligera.deploy.runtimes.tensorrt_plan import BuildOrder, BuiltPlan, expect_dla_core, use_dla
from ligera.errors import UsageError

__all__ = ["build"]


def build(tensorrt: Any, order: BuildOrder, feed: Any = None) -> BuiltPlan:
    """Build the engine that ``order`` asks for.

    Raises ``ModelError`` for a network that TensorRT cannot read or build, ``UsageError`` for pictures to calibrate on
    or for bf16, which only a graph made so would have, ``NoDevice`` for a DLA that is not there.
    """
    if feed is not None:
        raise UsageError(
            f"{order.where}: TensorRT 11 calibrates no more; quantise first with "
            "`ligera export --precision int8 --activations s8 --calibrate FOLDER`"
        )
    if order.precision == "bf16":
        raise UsageError(f"{order.where}: is in bf16, which TensorRT 11 takes from typed graphs alone; choose fp16")
    logger = make_logger(tensorrt)
    builder = tensorrt.Builder(logger)
    network = builder.create_network()
    hint = "; for TensorRT quantise with `ligera export --activations s8`" if order.precision == "int8" else ""
    content = _in_halves(order) if order.precision == "fp16" else order.content
    parser = parse_onnx(tensorrt, network, logger, content, order.where, hint, for_dla=order.dla_core is not None)
    config = make_config(tensorrt, builder)
    add_profile(builder, config, network, order.shapes)
    allowed = None
    if order.dla_core is not None:
        expect_dla_core(builder.num_DLA_cores, order)
        allowed = use_dla(tensorrt, config, network, order.dla_core)
    plan = serialise(builder, network, config, logger, order.where)
    del parser
    return BuiltPlan(plan, allowed)


def _in_halves(order: BuildOrder) -> bytes:
    from ligera.deploy.quantization.half_arithmetic import compute_in_halves

    return compute_in_halves(order.content, order.where)
