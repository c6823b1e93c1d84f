"""Backbones and page-layout detectors by name: plain dictionaries of specs. No torch here.

The ten backbones follow tables 3.1 and 3.2 of paper B. Where the tables and a working network disagree:

- Stems B and C say padding 2, which makes their sides differ from those of stem A; it is 1.
- "762" channels of VoVNet-19-lite are 768, as in its siblings.
- The third convolution of VoVNet's stem says stride 1; with it stage 2 would stand at stride 2. It is 2, as in VoVNet's
  release, so that all ten have features at strides 4, 8, 16 and 32.
- VoVNet-19-lite is listed like VoVNet-19; in VoVNet's release "lite" is a pyramid of 128 channels instead of 256.
- VoVNet-99 has 8 modules in stage 4, which makes 93 convolutions; its release has 9 and so the 99 of its name.
- Squeeze-and-excitation and shortcuts around modules, which the release has, stand neither in table nor text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ligera.errors import MissingExtra, UsageError, nearest
from ligera.models.layout_specs import AnchorSides, MaskRCNNSpec, RegionDecoding, ResNetSpec, VoVNetSpec
from ligera.records import Preprocess

if TYPE_CHECKING:
    from torchvision.models.detection.mask_rcnn import MaskRCNN

__all__ = ["BACKBONES", "LAYOUT_DETECTORS", "PAGE_ANCHORS", "build_layout", "find_backbone", "find_layout"]

BACKBONES: dict[str, ResNetSpec | VoVNetSpec] = {
    "ResNet-31": ResNetSpec((2, 3, 2, 3)),
    "ResNet-50a": ResNetSpec((3, 4, 6, 3), stem="A"),
    "ResNet-50b": ResNetSpec((3, 4, 6, 3), stem="B"),
    "ResNet-50c": ResNetSpec((3, 4, 6, 3), stem="C"),
    "ResNet-101": ResNetSpec((3, 4, 23, 3)),
    "VoVNet-19-lite": VoVNetSpec((1, 1, 1, 1), layers=3),
    "VoVNet-19": VoVNetSpec((1, 1, 1, 1), layers=3),
    "VoVNet-39": VoVNetSpec((1, 1, 2, 2), layers=5),
    "VoVNet-57": VoVNetSpec((1, 1, 4, 3), layers=5),
    "VoVNet-99": VoVNetSpec((1, 3, 8, 3), layers=5),
}

PAGE_SIDE_PX = 1024

# Measured on pages of music, 1024 px on the long side: staves are 230 to 570 px wide and 42 to 72 high, lines of lyrics
# 36 to 500 wide and 16 to 37 high, drop capitals 14 to 90 wide and 21 to 180 high. The level is chosen by the anchor's
# height, which is what a stride blurs: a line of text 25 px high needs a fine level however wide it is.
PAGE_ANCHORS: AnchorSides = (
    ((24, 28), (28, 54), (62, 22), (140, 23)),
    ((38, 42), (46, 80), (220, 28), (400, 28)),
    ((72, 104), (260, 62), (495, 44), (495, 62)),
    ((108, 170), (48, 200), (300, 110), (600, 120)),
)


def _input(max_side_px: int) -> Preprocess:
    # Pages are bright: centring them by their usual paper colour helps networks that start from nothing.
    return Preprocess(mean=(180.0, 165.0, 140.0), scale=(1 / 64,) * 3, max_side=max_side_px)


def _of_the_paper(name: str) -> MaskRCNNSpec:
    # Wide boxes are short: at the usual 224 px a staff would be pooled from five cells of height.
    decoding = RegionDecoding(PAGE_ANCHORS, canonical_px=448)
    lite = name.endswith("-lite")
    return MaskRCNNSpec(
        BACKBONES[name], decoding, pyramid_channels=128 if lite else 256, preprocess=_input(PAGE_SIDE_PX)
    )


_LAYOUT_SMALL = MaskRCNNSpec(
    VoVNetSpec((1, 1, 1, 1), layers=3, stem=(16, 16, 32), widths=(32, 40, 48, 56), channels=(64, 96, 128, 160)),
    RegionDecoding(PAGE_ANCHORS, candidates=300, proposals=200, canonical_px=448),
    pyramid_channels=64,
    pyramid_norm=True,
    box_channels=256,
    mask_layers=2,
    mask_channels=64,
    preprocess=_input(PAGE_SIDE_PX),
    train_candidates=500,
    train_proposals=500,
    box_samples=128,
).resized(768)

LAYOUT_DETECTORS: dict[str, MaskRCNNSpec] = {"layout-small": _LAYOUT_SMALL} | {
    name: _of_the_paper(name) for name in BACKBONES
}


def find_backbone(name: str) -> ResNetSpec | VoVNetSpec:
    """The backbone called ``name``; ``UsageError`` with the nearest name when there is none."""
    if name not in BACKBONES:
        raise UsageError(f"no backbone is called {name!r}{nearest(name, BACKBONES)}; known: {', '.join(BACKBONES)}")
    return BACKBONES[name]


def find_layout(name: str) -> MaskRCNNSpec:
    """The spec called ``name``; ``UsageError`` with the nearest name when there is none."""
    if name not in LAYOUT_DETECTORS:
        hint = nearest(name, LAYOUT_DETECTORS)
        raise UsageError(f"no layout detector is called {name!r}{hint}; known: {', '.join(LAYOUT_DETECTORS)}")
    return LAYOUT_DETECTORS[name]


def build_layout(model: str | MaskRCNNSpec) -> MaskRCNN:
    """A network with random weights, from a name or a spec; ``MissingExtra`` where torch or torchvision is missing."""
    spec = find_layout(model) if isinstance(model, str) else model
    try:
        from ligera.models.maskrcnn import build_maskrcnn
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("torch", "torchvision"):
            raise
        raise MissingExtra(package, "train", "building a network") from None
    return build_maskrcnn(spec)
