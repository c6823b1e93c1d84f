"""What paper B reports in its tables 3.3 to 3.28: VORAU-253, 128 pages to train and 100 to test, two 8 GB cards.

AP in percent, minutes of training, mean memory in MiB of either card. Where two tables disagree on one case, which they
often do by a tenth of a point, each stands with its number. Energy is given for three runs only (section 3.4.6).
"""

from __future__ import annotations

from dataclasses import dataclass

from ligera.studies.manuscripts.cases import BASE, STEPS, Case

__all__ = ["TOPICS", "Published", "Topic"]

Five = tuple[float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Published:
    """``table`` names where the figures stand; ``box`` and ``mask`` are AP, AP50, AP75, APm, APl, or AP alone."""

    table: str
    case: Case
    box: tuple[float, ...] = ()
    mask: tuple[float, ...] = ()
    minutes: float | None = None
    memory_mib: tuple[int, ...] = ()
    kwh: float | None = None
    cents: float | None = None
    saved_percent: float | None = None


@dataclass(frozen=True, slots=True)
class Topic:
    """One question of the paper and the tables that answer it."""

    title: str
    rows: tuple[Published, ...]

    @property
    def cases(self) -> tuple[Case, ...]:
        return tuple(dict.fromkeys(row.case for row in self.rows))


def _resnet(epochs: int, steps: str = STEPS[0], batch: int = 2) -> Case:
    return Case("ResNet-50a", epochs, steps, batch)


def _backbone(name: str, batch: int = 2) -> Case:
    return Case(name, 450, STEPS[0], batch)


def _steps(epochs: int, tables: str, *scores: tuple[float, float]) -> tuple[Published, ...]:
    return tuple(
        Published(tables, _resnet(epochs, steps), (box,), (mask,))
        for steps, (box, mask) in zip(STEPS, scores, strict=True)
    )


def _compared(tables: str, name: str, box: Five, mask: Five, minutes: float, memory: tuple[int, int]) -> Published:
    return Published(tables, _backbone(name), box, mask, minutes, memory)


_VOVNET_39 = (70.00, 97.55, 82.08, 38.18, 70.30), (68.75, 96.29, 79.84, 32.05, 69.14)
_RESNET_50 = (69.34, 97.55, 81.89, 40.51, 69.56), (68.02, 96.55, 78.93, 35.14, 68.28)

TOPICS = (
    Topic(
        "Tables 3.3 to 3.6: the base case, and as many steps with half the batch",
        (
            Published(
                *("3.3", BASE, (68.66, 96.45, 80.48, 44.88, 68.85), (67.38, 95.86, 78.25, 38.71, 67.68)),
                *(648, (4941, 4901)),
            ),
            Published(
                *("3.4-3.6", BASE, (68.97, 96.94, 81.63, 43.63, 69.23), (67.41, 96.19, 78.66, 40.84, 67.64)),
                minutes=648,
            ),
            Published(
                *("3.4-3.6", _resnet(1407)),
                *((69.43, 97.68, 80.84, 43.91, 69.97), (67.82, 96.10, 78.41, 36.70, 68.14), 358),
            ),
        ),
    ),
    Topic(
        "Table 3.7 and figure 3.10: epochs (900 and 115 stand in the figure alone)",
        (
            Published("figure 3.10", _resnet(900)),
            Published(
                *("3.7", _resnet(450)),
                *((69.56, 97.24, 81.89, 40.97, 69.85), (68.17, 96.25, 79.48, 37.36, 68.43), 114),
            ),
            Published(
                *("3.7", _resnet(225)),
                *((69.39, 97.42, 81.86, 46.89, 69.63), (68.31, 96.26, 79.51, 29.35, 68.68), 57),
            ),
            Published("figure 3.10", _resnet(115)),
        ),
    ),
    Topic(
        "Tables 3.8 to 3.11: when the learning rate falls",
        (
            *_steps(225, "3.8, 3.9", (69.39, 68.31), (68.66, 67.88), (69.06, 68.09)),
            *_steps(450, "3.10, 3.11", (69.47, 67.96), (68.78, 67.65), (69.35, 68.03)),
        ),
    ),
    Topic(
        "Tables 3.12 to 3.17: batch, with ResNet-50",
        (
            Published("3.12-3.14", _resnet(450), (69.30,), (68.02,), 115, (3319, 3299)),
            Published("3.12-3.14", _resnet(450, batch=4), (69.15,), (67.83,), 104, (4835, 4541)),
            Published("3.12-3.14", _resnet(450, batch=6), (69.16,), (67.51,), 102, (7845, 7835)),
            Published("3.15-3.17", _resnet(225), (69.39,), (68.31,), 57, (3025, 3285)),
            Published("3.15-3.17", _resnet(225, batch=4), (68.57,), (67.45,), 50, (4885, 5071)),
            Published("3.15-3.17", _resnet(225, batch=6), (68.77,), (67.86,), 50, (7443, 6463)),
        ),
    ),
    Topic(
        "Tables 3.18 to 3.20: batch, with VoVNet-39",
        (
            Published("3.18-3.20", _backbone("VoVNet-39", 2), (70.23,), (68.72,), 130, (4087, 4027)),
            Published("3.18-3.20", _backbone("VoVNet-39", 4), (69.29,), (67.93,), 118, (6683, 6585)),
            Published("3.18-3.20", _backbone("VoVNet-39", 6), (68.85,), (67.76,), 117, (7791, 7897)),
        ),
    ),
    Topic(
        "Tables 3.21 and 3.22: ResNets",
        (
            _compared(
                *("3.21, 3.22", "ResNet-31", (68.84, 97.51, 80.62, 40.56, 69.06)),
                *((67.42, 96.35, 78.33, 33.13, 67.71), 105, (2795, 3089)),
            ),
            _compared("3.21, 3.22", "ResNet-50a", *_RESNET_50, 114, (3247, 3363)),
            _compared(
                *("3.21, 3.22", "ResNet-50b", (68.12, 94.47, 80.01, 40.13, 68.78)),
                *((67.20, 96.09, 77.98, 35.21, 67.23), 114, (2998, 3354)),
            ),
            _compared(
                *("3.21, 3.22", "ResNet-50c", (67.94, 96.94, 79.74, 42.00, 68.28)),
                *((66.49, 95.96, 77.19, 35.28, 66.86), 116, (2791, 3583)),
            ),
            _compared(
                *("3.21, 3.22", "ResNet-101", (69.81, 97.29, 81.96, 42.31, 70.06)),
                *((68.39, 96.66, 79.63, 37.59, 68.71), 146, (3965, 3837)),
            ),
        ),
    ),
    Topic(
        "Tables 3.23 and 3.24: VoVNets",
        (
            _compared(
                *("3.23, 3.24", "VoVNet-19-lite", (68.12, 97.27, 80.27, 37.95, 68.33)),
                *((66.89, 96.41, 77.96, 36.50, 67.33), 97, (3461, 3285)),
            ),
            _compared(
                *("3.23, 3.24", "VoVNet-19", (68.29, 96.92, 79.76, 35.37, 68.53)),
                *((66.99, 96.11, 77.61, 30.22, 67.29), 110, (4061, 3669)),
            ),
            _compared("3.23, 3.24", "VoVNet-39", *_VOVNET_39, 130, (4087, 4087)),
            _compared(
                *("3.23, 3.24", "VoVNet-57", (69.95, 97.58, 82.43, 40.13, 70.15)),
                *((68.62, 95.98, 80.53, 32.82, 68.95), 140, (4065, 4474)),
            ),
            _compared(
                *("3.23, 3.24", "VoVNet-99", (70.29, 97.63, 82.88, 42.76, 70.59)),
                *((68.91, 96.06, 80.34, 36.85, 69.23), 198, (5551, 5205)),
            ),
        ),
    ),
    Topic(
        "Tables 3.25 to 3.28: what was saved",
        (
            Published(
                *("3.25-3.28", BASE, (68.66, 96.47, 80.48, 44.88, 68.65), (67.38, 95.86, 78.25, 38.71, 67.68)),
                *(648, (4941, 4901), 3.823, 94.0),
            ),
            Published("3.25-3.28", _backbone("ResNet-50a"), *_RESNET_50, 114, (3247, 3363), 0.684, 16.8, 82.1),
            Published("3.25-3.28", _backbone("VoVNet-39"), *_VOVNET_39, 130, (4087, 4087), 0.808, 19.8, 78.8),
        ),
    ),
)
