"""ImageNet MobileNetV1 as Coral publishes it (uint8 tflite) -> the backbone of a detector, for a recipe's `pretrained`.

    python tools/convert_coral_backbone.py mobilenet_v1_0.5_160_quant.tflite face PHOTOS mobilenetv1-coral.safetensors

In: the tflite file (Apache-2.0); a detector of ``ligera models`` or an architecture file, whose backbone begins with
MobileNetV1's blocks; a folder of any natural photos. Out: a safetensors file of the first backbone layers, as many as
agree in shape. Batch norm is folded in the source: here every norm gets the mean and variance that 32 of the photos
have there, and a scale and offset that give back what went in plus the folded bias, so that training starts from the
features of the source. Pictures go in as RGB from 0 to 1, where the source reads -1 to 1. The source pads below and
to the right at stride 2, ours all around: the same features, moved by less than a cell. Needs ``tflite``, ``torch``
and ``safetensors``: ``pip install 'ligera[train,dev]'``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from convert_coral_mobilenet import Convolution, read_convolutions

from ligera.data.pictures import read_picture
from ligera.errors import DataError, LigeraError, MissingExtra, ModelError
from ligera.files import write_whole
from ligera.models import catalogue

if TYPE_CHECKING:
    from torch import Tensor, nn

PHOTOS, SIDE_PX = 32, 256
# a source reads (byte - 128) / 128, a detector byte / 255
SCALE = 255 / 128
FEWEST_LAYERS = 3
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


def read_photos(folder: Path) -> np.ndarray:
    """``PHOTOS`` pictures spread over ``folder``, squeezed to squares ``(n, 3, SIDE_PX, SIDE_PX)``, 0 to 1."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if len(paths) < PHOTOS:
        raise DataError(f"{folder}: {len(paths)} pictures; expected a folder of at least {PHOTOS} photos")
    chosen = [paths[i * len(paths) // PHOTOS] for i in range(PHOTOS)]
    squares = [cv2.resize(read_picture(path).pixels, (SIDE_PX, SIDE_PX)) for path in chosen]
    return np.stack(squares).transpose(0, 3, 1, 2).astype(np.float32) / 255


def fill(backbone: nn.Module, layers: Sequence[Convolution], photos: np.ndarray, where: str) -> dict[str, nn.Module]:
    """Put ``layers`` into the first convolutions of ``backbone`` and their norms; what was filled, by its name."""
    import torch
    from torch import nn

    named = [pair for pair in backbone.named_modules() if isinstance(pair[1], nn.Conv2d | nn.BatchNorm2d)]
    kernels, norms = (
        [module for _, module in named if isinstance(module, kind)] for kind in (nn.Conv2d, nn.BatchNorm2d)
    )
    same = [tuple(kernel.weight.shape) == layer.weight.shape for kernel, layer in zip(kernels, layers, strict=False)]
    count = same.index(False) if False in same else len(same)
    if count < FEWEST_LAYERS:
        raise ModelError(
            f"{where}: layer {count} has another shape than the detector's; expected a MobileNetV1 of its width"
        )
    with torch.no_grad():
        for kernel, layer in zip(kernels[:count], layers, strict=False):
            kernel.weight.copy_(torch.from_numpy(layer.weight))
        kernels[0].weight *= SCALE
        biases = [torch.from_numpy(layer.bias.copy()) for layer in layers[:count]]
        biases[0] -= torch.from_numpy(layers[0].weight).sum((1, 2, 3))
        hooks = [
            norm.register_forward_pre_hook(_Settle(bias)) for norm, bias in zip(norms[:count], biases, strict=True)
        ]
        backbone.eval()(torch.from_numpy(photos))
    for hook in hooks:
        hook.remove()
    # each convolution is followed by its norm
    return dict(named[: 2 * count])


class _Settle:
    """Gives a norm the statistics of what is about to enter it, and makes it add ``bias`` and change nothing else."""

    def __init__(self, bias: Tensor) -> None:
        self.bias = bias

    def __call__(self, norm: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
        variance, mean = inputs[0].var((0, 2, 3), unbiased=False), inputs[0].mean((0, 2, 3))
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(mean + self.bias)


def convert(source: Path, detector: str, photos: Path, target: Path) -> int:
    """Write the backbone, whole or not at all; returns the number of convolutions that came from ``source``."""
    try:
        from safetensors.torch import save_file

        from ligera.train.faces.architecture import SUFFIXES as FILES
        from ligera.train.faces.architecture import read_architecture
    except ModuleNotFoundError as error:
        raise MissingExtra(str(error.name), "train", "writing weights") from None
    if not source.is_file():
        raise ModelError(f"{source}: no such file; expected one of Coral's mobilenet_v1_*_quant.tflite")
    spec = read_architecture(Path(detector)).spec if detector.endswith(FILES) else catalogue.find(detector)
    backbone = catalogue.build(spec).backbone
    filled = fill(backbone, read_convolutions(source.read_bytes(), str(source)), read_photos(photos), str(source))
    state = {
        f"backbone.{name}.{part}": value
        for name, module in filled.items()
        for part, value in module.state_dict().items()
    }
    about = {"licence": "Apache-2.0", "source": source.name}
    write_whole(target, lambda temporary: save_file(state, temporary, metadata=about))
    return len(filled) // 2


def main(arguments: list[str] | None = None) -> int:
    """The command line; its exit code."""
    parser = argparse.ArgumentParser(description="Coral's uint8 MobileNetV1 -> the backbone of a face detector")
    parser.add_argument("source", type=Path, help="mobilenet_v1_*_quant.tflite")
    parser.add_argument("detector", help="a name from `ligera models`, or an architecture file")
    parser.add_argument("photos", type=Path, help=f"a folder of at least {PHOTOS} natural photos")
    parser.add_argument("target", type=Path, help="the .safetensors file to write")
    given = parser.parse_args(arguments)
    try:
        count = convert(given.source, given.detector, given.photos, given.target)
    except (LigeraError, OSError) as error:
        print(f"convert_coral_backbone: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 2)
    print(f"{given.target}: {count} convolutions of {given.source.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
