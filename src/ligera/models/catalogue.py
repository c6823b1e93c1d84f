"""Detectors by name: a plain dictionary of specs, and ``build`` to make one. Only ``build`` imports torch.

The paper's nets follow tables 34, 44, 45 and 53 of paper C; RetinaFace's own follow Deng et al. 2019. ``face-small``
and ``face`` are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ligera.errors import MissingExtra, UsageError, nearest
from ligera.models.specs import BackboneSpec, DetectorSpec
from ligera.records import PriorSpec

if TYPE_CHECKING:
    from ligera.models.retinaface import RetinaFace

__all__ = ["DETECTORS", "build", "find", "names"]

_TT3_NOSE = BackboneSpec(
    first_channels=8,
    prestage=("3x3_KKConv_32",),
    maxpool=True,
    stages=(
        ("3x3_KKConv_64", "3x3_KKConv_Mid_64"),
        ("S_3x3_DKConv_128", "3x3_KKConv_128*2"),
        ("S_3x3_BottleNeckConv4_1024", "3x3_BottleNeckConv4_1024*3"),
        ("S_3x3_BottleNeckConv4_2048", "3x3_BottleNeckConv4_2048*4"),
    ),
    shortcut="conv",
    early="leaky_relu",
    late="leaky_relu",
    last_channels=2560,
)

_R11_V2_HS = BackboneSpec(
    first_channels=8,
    prestage=("3x3_KKConv_Mid_16",),
    maxpool=True,
    stages=(
        ("3x3_DKConv_32", "3x3_DKConv_32*3"),
        ("S_3x3_DKConv_64", "3x3_DKConv_64*2"),
        ("S_3x3_DKConv_128", "3x3_DKConv_128*8"),
        ("S_3x3_DKConv_256", "3x3_DKConv_256*5"),
    ),
    early="leaky_relu",
    late="hardswish",
    last_channels=256,
)

_R12_V3_HS = BackboneSpec(
    first_channels=8,
    prestage=("3x3_DKConv_16",),
    maxpool=True,
    stages=(
        ("3x3_KKConv_32",),
        ("S_3x3_KKConv_64",),
        ("S_3x3_KKConv_Mid_128", "3x3_KKConv_Mid_128"),
        ("S_3x3_KKConv_Mid_256", "3x3_KKConv_Mid_256"),
    ),
    early="leaky_relu",
    late="hardswish",
    last_channels=256,
)

_J15_HS = BackboneSpec(
    first_channels=8,
    prestage=("3x3_KKConv_Mid_16",),
    maxpool=True,
    stages=(
        ("3x3_KKConv_24",),
        ("S_3x3_KKConv_32",),
        ("S_3x3_KKConv_64", "3x3_KKConv_64*3"),
        ("S_3x3_KKConv_128", "3x3_KKConv_128*2"),
    ),
    shortcut="conv",
    early="leaky_relu",
    late="hardswish",
    last_channels=256,
)

_MOBILENET_V1_025 = BackboneSpec(
    first_channels=8,
    prestage=("3x3_MBV1Conv_16",),
    stages=(
        ("S_3x3_MBV1Conv_32", "3x3_MBV1Conv_32"),
        ("S_3x3_MBV1Conv_64", "3x3_MBV1Conv_64"),
        ("S_3x3_MBV1Conv_128", "3x3_MBV1Conv_128*5"),
        ("S_3x3_MBV1Conv_256", "3x3_MBV1Conv_256"),
    ),
    identity=False,
    early="leaky_relu",
    late="leaky_relu",
)

_FACE_SMALL = BackboneSpec(
    first_channels=8,
    stages=(("S_3x3_KKConv_16",), ("S_3x3_KKConv_32",), ("S_3x3_KKConv_48",), ("S_3x3_KKConv_64",)),
)

_FACE = BackboneSpec(
    first_channels=16,
    stages=(
        ("S_3x3_KKConv_16",),
        ("S_3x3_KKConv_32", "3x3_KKConv_Mid_32"),
        ("S_3x3_KKConv_64", "3x3_KKConv_Mid_64"),
        ("S_3x3_KKConv_64",),
    ),
)


def _ours(backbone: BackboneSpec, pyramid_channels: tuple[int, ...]) -> DetectorSpec:
    """One prior per cell on four levels: faces from 6 px up, and the fewest rows to decode."""
    return DetectorSpec(
        backbone,
        pyramid_stages=(1, 2, 3, 4),
        pyramid_channels=pyramid_channels,
        context="conv",
        priors=PriorSpec(strides=(4, 8, 16, 32), sizes=((8,), (24,), (64,), (192,))),
        score_channels=1,
        activation="relu",
    )


DETECTORS: dict[str, DetectorSpec] = {
    "face-small": _ours(_FACE_SMALL, (16, 16, 16, 16)),
    "face": _ours(_FACE, (16, 32, 32, 32)),
    "R12_V3_HS": DetectorSpec(_R12_V3_HS),
    "R11_V2_HS": DetectorSpec(_R11_V2_HS),
    "J15_HS": DetectorSpec(_J15_HS),
    "TT3_NoSE": DetectorSpec(_TT3_NOSE, pyramid_channels=256, activation="relu"),
    "RetinaFace-mobile0.25": DetectorSpec(_MOBILENET_V1_025),
    "RetinaFace-ResNet50": DetectorSpec("resnet50", pyramid_channels=256, activation="relu"),
}


def names() -> tuple[str, ...]:
    """Names of the detectors that ``build`` knows."""
    return tuple(DETECTORS)


def find(name: str) -> DetectorSpec:
    """The spec called ``name``; ``UsageError`` with the nearest name when there is none."""
    if name not in DETECTORS:
        raise UsageError(f"no detector is called {name!r}{nearest(name, DETECTORS)}; known: {', '.join(DETECTORS)}")
    return DETECTORS[name]


def build(model: str | DetectorSpec) -> RetinaFace:
    """A network with random weights, from a name or a spec; ``MissingExtra`` where torch is not installed."""
    spec = find(model) if isinstance(model, str) else model
    try:
        from ligera.models.retinaface import RetinaFace
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "torch":
            raise
        raise MissingExtra("torch", "train", "building a network") from None
    return RetinaFace(spec)
