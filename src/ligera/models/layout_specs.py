"""What a Mask R-CNN for pages is made of, as frozen data. No torch here.

``ResNetSpec`` and ``VoVNetSpec`` are the two families of tables 3.1 and 3.2 of paper B, ``RegionDecoding`` how raw
outputs become regions (in torch and in numpy alike), ``MaskRCNNSpec`` the whole network. All check themselves when
made and raise ``ModelError``. Lengths are in px of the network's input, strides of the levels are 4, 8, 16, 32.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from ligera.errors import ModelError
from ligera.records import Preprocess

__all__ = ["LEVEL_STRIDES", "AnchorSides", "MaskRCNNSpec", "RegionDecoding", "ResNetSpec", "VoVNetSpec"]

LEVEL_STRIDES = (4, 8, 16, 32)
MOST_ANCHORS, MOST_PROPOSALS, MOST_POOLED = 64, 10_000, 64

AnchorSides = tuple[tuple[tuple[float, float], ...], ...]
"""Level by level, finest first, the (width, height) in px of the anchors at each cell."""


def _positive(what: str, values: tuple[float, ...], count: int | None = None) -> None:
    if (count is not None and len(values) != count) or not values or not min(values) > 0:
        wanted = f"{count} numbers" if count else "numbers"
        raise ModelError(f"{what}: expected {wanted} above 0, got {values}")


@dataclass(frozen=True, slots=True)
class ResNetSpec:
    """Bottleneck ResNet: ``blocks`` per stage, the first of each with a 1x1 shortcut (paper B, table 3.1).

    Stem "A" is one 7x7/2 convolution, "B" three of 3x3 (the first /2), "C" both side by side, added. ``pool`` is the
    3x3/2 pooling after it: average in the paper, maximum in He et al. 2016.
    """

    blocks: tuple[int, ...]
    stem: Literal["A", "B", "C"] = "A"
    pool: Literal["average", "max"] = "average"

    def __post_init__(self) -> None:
        _positive("resnet: blocks", self.blocks, 4)
        if self.stem not in ("A", "B", "C") or self.pool not in ("average", "max"):
            raise ModelError(
                f"resnet: expected stem A, B or C and pool average or max, got {self.stem!r} and {self.pool!r}"
            )

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the features after each of the four stages."""
        return (256, 512, 1024, 2048)


@dataclass(frozen=True, slots=True)
class VoVNetSpec:
    """Stages of one-shot aggregation (paper B, table 3.2; Lee et al. 2019).

    ``modules`` counts the modules of each stage; one has ``layers`` 3x3 convolutions of ``widths`` channels, its input
    and all of their outputs are concatenated once and brought to ``channels`` by a 1x1 convolution. ``stem`` holds the
    channels of the three convolutions before stage 2.
    """

    modules: tuple[int, ...]
    layers: int
    stem: tuple[int, ...] = (64, 64, 128)
    widths: tuple[int, ...] = (128, 160, 192, 224)
    channels: tuple[int, ...] = (256, 512, 768, 1024)

    def __post_init__(self) -> None:
        _positive("vovnet: modules", self.modules, 4)
        _positive("vovnet: layers", (self.layers,))
        _positive("vovnet: stem", self.stem, 3)
        _positive("vovnet: widths", self.widths, 4)
        _positive("vovnet: channels", self.channels, 4)


@dataclass(frozen=True, slots=True)
class RegionDecoding:
    """How raw outputs of a Mask R-CNN become regions, the same in torch and in numpy.

    ``candidates`` are kept per level by objectness, ``proposals`` over all levels after suppression at
    ``proposal_iou``. A box of area ``canonical_px`` squared is pooled from the level of stride 16, one of half the side
    from stride 8, and so on; each of ``box_pool`` x ``box_pool`` bins averages ``samples`` x ``samples`` points, masks
    likewise. Regions score above ``score_threshold``, are suppressed at ``nms_iou`` within their class, and are
    ``max_detections`` at most.
    """

    anchors: AnchorSides
    candidates: int = 500
    proposals: int = 300
    proposal_iou: float = 0.7
    canonical_px: float = 224
    box_pool: int = 7
    mask_pool: int = 14
    samples: int = 2
    score_threshold: float = 0.05
    nms_iou: float = 0.5
    max_detections: int = 100

    def __post_init__(self) -> None:
        levels, counts = len(self.anchors), {len(shapes) for shapes in self.anchors}
        if levels != len(LEVEL_STRIDES) or len(counts) != 1 or not 1 <= max(counts) <= MOST_ANCHORS:
            raise ModelError(
                f"anchors: expected {len(LEVEL_STRIDES)} levels with the same number of anchors, at most "
                f"{MOST_ANCHORS}, got {levels} levels with {sorted(counts)}"
            )
        for shapes in self.anchors:
            for sides in shapes:
                _positive("anchors: width and height", sides, 2)
        _positive("canonical_px", (self.canonical_px,))
        for name, most in (
            *((name, MOST_PROPOSALS) for name in ("candidates", "proposals", "max_detections")),
            *((name, MOST_POOLED) for name in ("box_pool", "mask_pool", "samples")),
        ):
            if not 1 <= getattr(self, name) <= most:
                raise ModelError(f"{name}: expected 1 to {most}, got {getattr(self, name)}")
        for name in ("proposal_iou", "score_threshold", "nms_iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise ModelError(f"{name}: expected 0 to 1, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class MaskRCNNSpec:
    """Mask R-CNN with a feature pyramid (He et al. 2017; Lin et al. 2017) over one of the backbones.

    ``classes`` are those of regions, background apart. ``pyramid_norm`` puts batch norm into the pyramid, which nets
    trained from nothing need. ``box_channels`` is the width of the two dense layers, ``mask_layers`` and
    ``mask_channels`` those of the mask head's 3x3 convolutions. ``preprocess`` bounds the input and gives its mean and
    scale. In training, ``train_candidates`` and ``train_proposals`` stand in for those of ``decoding``, and
    ``anchor_samples`` anchors and ``box_samples`` proposals of each picture enter the losses.
    """

    backbone: ResNetSpec | VoVNetSpec
    decoding: RegionDecoding
    classes: int = 3
    pyramid_channels: int = 256
    pyramid_norm: bool = False
    box_channels: int = 1024
    mask_layers: int = 4
    mask_channels: int = 256
    preprocess: Preprocess = field(default_factory=Preprocess)
    train_candidates: int = 1000
    train_proposals: int = 1000
    anchor_samples: int = 256
    box_samples: int = 512

    def __post_init__(self) -> None:
        for name in ("classes", "pyramid_channels", "box_channels", "mask_layers", "mask_channels"):
            _positive(name, (getattr(self, name),))
        for name in ("train_candidates", "train_proposals", "anchor_samples", "box_samples"):
            _positive(name, (getattr(self, name),))
        rule = self.preprocess
        if rule.max_side is None:
            raise ModelError("preprocess: expected a max_side, as pages are as large as their scanner")
        if rule.multiple % LEVEL_STRIDES[-1] or rule.layout != "nchw" or rule.channels != "rgb" or rule.fixed:
            raise ModelError(
                f"preprocess: expected RGB in nchw of free size, a multiple of {LEVEL_STRIDES[-1]} px, got {rule}"
            )

    def resized(self, max_side_px: int) -> MaskRCNNSpec:
        """The same network for pages of another size: input bound, anchors and pooling scale with the long side."""
        before = self.preprocess.max_side or max_side_px
        factor = max_side_px / before
        anchors = tuple(
            tuple((round(width * factor, 1), round(height * factor, 1)) for width, height in shapes)
            for shapes in self.decoding.anchors
        )
        decoding = replace(self.decoding, anchors=anchors, canonical_px=self.decoding.canonical_px * factor)
        smallest = self.preprocess.min_side and max(8, round(self.preprocess.min_side * factor))
        preprocess = replace(self.preprocess, max_side=max_side_px, min_side=smallest)
        return replace(self, decoding=decoding, preprocess=preprocess)
