"""The frozen networks that recognition builds on, by name, with their own preprocessing and where weights come from.

In: a name, and a weights file or what timm left in the user's cache. Out: :class:`Base`, a torch module from prepared
pictures ``(B, 3, S, S)`` to features ``(B, F)``. Nothing is ever downloaded. Source: paper E, whose head is global
average pooling over the last map (``pooled``); ``places`` keeps the map of stride 16 as it is, so that the head knows
where in the face something was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from ligera.errors import MissingExtra, ModelError, UsageError, nearest
from ligera.models.classifiers import build_classifier

__all__ = ["BASES", "BUILT_IN", "GRADIENTS", "Base", "BaseSpec", "Reading", "find_weights", "load_base"]

Reading = Literal["pooled", "places"]
BUILT_IN, GRADIENTS = "face", "gradients"
PLACES_STRIDE = 16
Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class BaseSpec:
    """``model`` of timm, built with ``options`` for ``classes``; ``value = (pixel - mean) * scale`` is its input.

    ``title`` is what the paper calls it, empty where it has no such base.
    """

    model: str
    mean: Triple
    scale: Triple
    title: str = ""
    classes: int = 1000
    options: Mapping[str, Any] = field(default_factory=dict)


def _imagenet(model: str, title: str) -> BaseSpec:
    mean, deviation = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    return BaseSpec(model, mean, tuple(1 / value for value in deviation), title)  # type: ignore[arg-type]


BASES: dict[str, BaseSpec] = {
    "mobilenetv2-coral": BaseSpec(
        "mobilenetv2_100", (128.0,) * 3, (1 / 128,) * 3, "MobileNetV2", 1001, {"pad_type": "same"}
    ),
    "mobilenetv2": _imagenet("mobilenetv2_100", "MobileNetV2"),
    "resnet50": _imagenet("resnet50", "ResNet50"),
    "resnet152": _imagenet("resnet152", "ResNet152"),
    "xception": BaseSpec("legacy_xception", (127.5,) * 3, (1 / 127.5,) * 3, "Xception"),
    "vgg16": _imagenet("vgg16", "VGG16"),
    BUILT_IN: BaseSpec("", (0.0,) * 3, (1.0,) * 3),
    GRADIENTS: BaseSpec("", (0.0,) * 3, (1.0,) * 3),
}
"""``mobilenetv2-coral`` reads what ``tools/convert_coral_mobilenet.py`` writes; ``face``, the built-in detector's own
layers, and ``gradients`` are always at hand."""


@dataclass(frozen=True, slots=True)
class Base:
    """``network`` takes prepared pictures ``(B, 3, S, S)`` to features ``(B, F)``; ``source`` is its weights."""

    name: str
    network: nn.Module
    spec: BaseSpec
    reading: Reading
    source: str


class _Pooled(nn.Module):
    """The last map of a network of timm, averaged over its places; its own classifier is not run."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, pictures: Tensor) -> Tensor:
        return self.net.forward_features(pictures).mean((2, 3))


class _Places(nn.Module):
    """The last map of stride 16, channel by channel and place by place."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        strides = [level["reduction"] for level in net.feature_info]
        self.level = max(i for i, stride in enumerate(strides) if stride == PLACES_STRIDE)

    def forward(self, pictures: Tensor) -> Tensor:
        (places,) = self.net.forward_intermediates(
            pictures, indices=[self.level], stop_early=True, intermediates_only=True
        )
        return places.flatten(1)


class _Cells(nn.Module):
    """What a network without a classifier says of each cell, place by place or averaged over them."""

    def __init__(self, cells: nn.Module, reading: Reading) -> None:
        super().__init__()
        self.cells, self.pooled = cells, reading == "pooled"

    def forward(self, pictures: Tensor) -> Tensor:
        cells = self.cells(pictures)
        return cells.mean((2, 3)) if self.pooled else cells.flatten(1)


def load_base(name: str, weights: Path | None, reading: Reading) -> Base:
    """The base ``name`` in eval mode, its weights from ``weights`` or, without one, from the user's cache.

    Raises ``UsageError`` for an unknown name or weights for a base that has none, ``ModelError`` where there are no
    weights or those of another network, ``MissingExtra`` without timm.
    """
    if name not in BASES:
        raise UsageError(f"--base: no base is called {name!r}{nearest(name, BASES)}; known: {', '.join(BASES)}")
    spec = BASES[name]
    if name in (BUILT_IN, GRADIENTS):
        if weights is not None:
            raise UsageError(f"--weights: the base {name} takes none; leave it out or choose another --base")
        cells, source = _at_hand(name)
        return Base(name, _Cells(cells, reading).eval().requires_grad_(False), spec, reading, source)
    file = weights or find_weights(name)
    if file is None:
        raise ModelError(_nowhere(name, spec))
    net = _with_options(spec, file) if spec.options else build_classifier(spec.model, spec.classes, file)
    body = _Pooled(net) if reading == "pooled" else _Places(net)
    return Base(name, body.eval().requires_grad_(False), spec, reading, f"ImageNet weights of {file.name}")


def _at_hand(name: str) -> tuple[nn.Module, str]:
    """A base that comes with the package, and what it is made of."""
    if name == GRADIENTS:
        from ligera.train.recognition.gradients import Gradients

        return Gradients(), "no weights: gradient directions"
    from ligera.train.recognition.detector_layers import DETECTOR, DetectorCells

    return DetectorCells(), f"first layers of the built-in detector {DETECTOR}, and gradient directions"


def _with_options(spec: BaseSpec, file: Path) -> nn.Module:
    """A network of timm in a variant that its name alone does not ask for."""
    try:
        import timm
        from safetensors.torch import load_file
    except ModuleNotFoundError as error:
        raise MissingExtra(str(error.name), "train", "building a base") from None
    if not file.is_file():
        raise ModelError(f"{file}: no such weights file; tools/convert_coral_mobilenet.py writes one")
    net = timm.create_model(spec.model, pretrained=False, num_classes=spec.classes, **spec.options)
    try:
        net.load_state_dict(load_file(file))
    except Exception as error:
        # safetensors raises kinds of its own for a damaged file
        reason = (str(error).splitlines() or [""])[0][:80]
        raise ModelError(
            f"{file}: not weights of Coral's MobileNetV2 ({type(error).__name__}: {reason}); "
            "tools/convert_coral_mobilenet.py writes them"
        ) from None
    return net


def find_weights(name: str) -> Path | None:
    """The weights of the base ``name`` that timm has put into the user's cache before; ``None`` where it has not."""
    spec = BASES[name]
    if not spec.model or spec.options:
        return None
    import timm
    import torch

    about = timm.get_pretrained_cfg(spec.model)
    if about is None:
        return None
    if about.hf_hub_id:
        from huggingface_hub import try_to_load_from_cache

        for file in ("model.safetensors", "pytorch_model.bin"):
            found = try_to_load_from_cache(about.hf_hub_id, file)
            if isinstance(found, str):
                return Path(found)
    if about.url:
        fetched = Path(torch.hub.get_dir()) / "checkpoints" / about.url.rpartition("/")[2]
        return fetched if fetched.is_file() else None
    return None


def _nowhere(name: str, spec: BaseSpec) -> str:
    if spec.options:
        return (
            f"{name}: needs its weights; convert Coral's MobileNetV2 with tools/convert_coral_mobilenet.py and give "
            "the file as --weights, or take --base face, which needs none"
        )
    return (
        f"{name}: no ImageNet weights in timm's cache, and Ligera downloads none; give a file as --weights, fetch them "
        f"once with timm.create_model({spec.model!r}, pretrained=True), or take --base face, which needs none"
    )
