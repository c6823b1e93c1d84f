"""ImageNet MobileNetV2 as Coral publishes it (uint8 tflite) -> float weights that timm's network reads.

    python tools/convert_coral_mobilenet.py mobilenet_v2_1.0_224_quant.tflite mobilenetv2-coral.safetensors

In: the tflite file (Apache-2.0), in which batch norm is folded into convolutions and every weight is
``scale * (byte - zero_point)``. Out: a safetensors file for ``timm.create_model("mobilenetv2_100", num_classes=1001,
pad_type="same")``, the base ``mobilenetv2-coral`` of ``ligera enroll``: the padding stays TensorFlow's, which at stride
2 adds a row at the bottom and a column at the right only, and batch norm becomes the folded bias. Needs the packages
``tflite``, ``timm``, ``torch`` and ``safetensors``: ``pip install 'ligera[train,dev]'``.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ligera.errors import LigeraError, MissingExtra, ModelError
from ligera.files import write_whole

MODEL, CLASSES = "mobilenetv2_100", 1001
IDENTIFIER = b"TFL3"
WITH_WEIGHTS = ("CONV_2D", "DEPTHWISE_CONV_2D")
NORM_EPS = 1e-5


@dataclass(frozen=True, slots=True)
class Convolution:
    """One layer's ``weight`` ``(out, in, kernel, kernel)``, ``(channels, 1, kernel, kernel)`` of a depthwise one, and
    ``bias`` ``(out,)``, both float32."""

    weight: np.ndarray
    bias: np.ndarray


def read_convolutions(content: bytes, where: str) -> list[Convolution]:
    """The convolutions of a tflite file in the order in which they run; ``ModelError`` naming ``where``."""
    try:
        import tflite
    except ModuleNotFoundError:
        raise MissingExtra("tflite", "dev", "reading a tflite file") from None
    if content[4:8] != IDENTIFIER:
        raise ModelError(f"{where}: is no tflite file; expected Coral's mobilenet_v2_1.0_224_quant.tflite")
    names = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
    try:
        model = tflite.Model.GetRootAsModel(content, 0)
        graph = model.Subgraphs(0)
        operators = [graph.Operators(i) for i in range(graph.OperatorsLength())]
        kinds = [names[_code(model.OperatorCodes(operator.OpcodeIndex()))] for operator in operators]
        return [
            _convolution(model, graph, operator, kind)
            for operator, kind in zip(operators, kinds, strict=True)
            if kind in WITH_WEIGHTS
        ]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
        # a damaged flatbuffer points anywhere; each accessor fails in its own way
        raise ModelError(f"{where}: is damaged or of another kind ({type(error).__name__}: {error})") from None
    except Exception as error:
        if type(error).__module__ != "struct":
            raise
        raise ModelError(f"{where}: is cut short ({error}); fetch it again") from None


def _code(operator_code: Any) -> int:
    """Codes under 128 stand in the older, narrower field too, and in old files only there."""
    return max(operator_code.BuiltinCode(), operator_code.DeprecatedBuiltinCode())


def _convolution(model: Any, graph: Any, operator: Any, kind: str) -> Convolution:
    weight, bias = (_dequantised(model, graph.Tensors(index)) for index in operator.InputsAsNumpy()[1:3])
    # tflite's layouts are (out, rows, columns, in) and (1, rows, columns, channels)
    order = (3, 0, 1, 2) if kind == "DEPTHWISE_CONV_2D" else (0, 3, 1, 2)
    return Convolution(np.ascontiguousarray(weight.transpose(order)), bias)


def _dequantised(model: Any, tensor: Any) -> np.ndarray:
    kinds = {2: "<i4", 3: "u1"}
    raw = model.Buffers(tensor.Buffer()).DataAsNumpy()
    values = np.frombuffer(raw.tobytes(), kinds[tensor.Type()]).reshape(tensor.ShapeAsNumpy())
    rule = tensor.Quantization()
    scale, zero = rule.ScaleAsNumpy(), rule.ZeroPointAsNumpy()
    if len(scale) != 1 or len(zero) != 1:
        raise ValueError(f"{len(scale)} scales for one tensor, expected one")
    return ((values.astype(np.float64) - int(zero[0])) * float(scale[0])).astype(np.float32)


def to_timm(layers: list[Convolution], where: str) -> dict[str, Any]:
    """The state of timm's network by name; ``ModelError`` where ``layers`` are not those of MobileNetV2 1.0."""
    try:
        import timm
        import torch
    except ModuleNotFoundError as error:
        raise MissingExtra(str(error.name), "train", "building MobileNetV2") from None
    net = timm.create_model(MODEL, pretrained=False, num_classes=CLASSES, pad_type="same")
    state = net.state_dict()
    kernels = [name for name, value in state.items() if value.ndim == 4]
    norms = [name.removesuffix(".running_mean") for name in state if name.endswith(".running_mean")]
    shapes = [tuple(state[name].shape) for name in kernels] + [(*state["classifier.weight"].shape, 1, 1)]
    found = [layer.weight.shape for layer in layers]
    if found != shapes:
        place = next((i for i, pair in enumerate(zip(found, shapes, strict=False)) if pair[0] != pair[1]), len(found))
        raise ModelError(
            f"{where}: its layers are not those of MobileNetV2 1.0 ({len(found)} of {len(shapes)} convolutions, "
            f"different from layer {place})"
        )
    for kernel, norm, layer in zip(kernels, norms, layers, strict=False):
        state[kernel] = torch.from_numpy(layer.weight)
        count = len(layer.bias)
        # (x - 0) / sqrt((1 - eps) + eps) * 1 + bias
        state[f"{norm}.running_mean"], state[f"{norm}.running_var"] = torch.zeros(count), torch.ones(count) - NORM_EPS
        state[f"{norm}.weight"], state[f"{norm}.bias"] = torch.ones(count), torch.from_numpy(layer.bias)
    state["classifier.weight"] = torch.from_numpy(layers[-1].weight[:, :, 0, 0].copy())
    state["classifier.bias"] = torch.from_numpy(layers[-1].bias)
    return state


def convert(source: Path, target: Path) -> int:
    """Write the weights in ``source`` to ``target``, whole or not at all; returns the number of convolutions."""
    try:
        from safetensors.torch import save_file
    except ModuleNotFoundError:
        raise MissingExtra("safetensors", "train", "writing weights") from None
    if not source.is_file():
        raise ModelError(f"{source}: no such file; expected Coral's mobilenet_v2_1.0_224_quant.tflite")
    layers = read_convolutions(source.read_bytes(), str(source))
    state = to_timm(layers, str(source))
    about = {"base": "mobilenetv2-coral", "licence": "Apache-2.0", "source": source.name}
    write_whole(target, lambda temporary: save_file(state, temporary, metadata=about))
    return len(layers)


def main(arguments: list[str] | None = None) -> int:
    """The command line; its exit code."""
    parser = argparse.ArgumentParser(description="Coral's uint8 MobileNetV2 -> float weights for `ligera enroll`")
    parser.add_argument("source", type=Path, help="mobilenet_v2_1.0_224_quant.tflite")
    parser.add_argument("target", type=Path, help="the .safetensors file to write")
    asked = parser.parse_args(arguments)
    try:
        count = convert(asked.source, asked.target)
    except (LigeraError, OSError) as error:
        print(f"convert_coral_mobilenet: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 2)
    print(f"{asked.target}: {count} layers of {asked.source.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
