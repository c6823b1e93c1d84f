"""What paper C reports in its final tables: WIDER FACE AP in percent and the backbone's latency on its devices."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEVICES", "TABLES", "Published", "PublishedTable"]


@dataclass(frozen=True, slots=True)
class Published:
    """AP (easy, medium, hard, the paper's mean of them) and ``latency_ms`` of the backbone."""

    easy: float
    medium: float
    hard: float
    mean: float
    latency_ms: float


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """``batch`` pictures of ``side_px``; ``nets`` by the catalogue's names."""

    number: int
    device: str
    batch: int
    side_px: int
    nets: dict[str, Published]


RESNET50 = (95.27, 93.83, 84.33, 91.14)
MOBILE = (89.71, 86.83, 71.47, 82.67)

TABLES = (
    PublishedTable(
        *(33, "DGX-1 (V100)", 8, 640),
        {
            "RetinaFace-ResNet50": Published(*RESNET50, 5.905),
            "TT3_NoSE": Published(94.52, 92.80, 83.18, 90.17, 4.28),
        },
    ),
    PublishedTable(
        *(43, "Raspberry Pi 4", 1, 320),
        {
            "RetinaFace-mobile0.25": Published(*MOBILE, 204.0),
            "RetinaFace-ResNet50": Published(*RESNET50, 1521.0),
            "R11_V2_HS": Published(93.02, 90.70, 79.17, 87.63, 235.0),
            "R12_V3_HS": Published(91.68, 89.17, 76.48, 85.78, 125.0),
        },
    ),
    PublishedTable(
        *(52, "Jetson Nano", 1, 640),
        {
            "RetinaFace-mobile0.25": Published(*MOBILE, 37.22),
            "RetinaFace-ResNet50": Published(*RESNET50, 613.64),
            "J15_HS": Published(92.10, 89.56, 77.38, 86.35, 37.53),
        },
    ),
)
# The paper's devices with its target for the backbone, and the space that suits each.
DEVICES = {
    "DGX-1 (V100)": (5.5, "recipes/spaces/gpu.yaml"),
    "Raspberry Pi 4": (210.0, "recipes/spaces/tiny.yaml"),
    "Jetson Nano": (45.0, "recipes/spaces/gpu.yaml"),
}
