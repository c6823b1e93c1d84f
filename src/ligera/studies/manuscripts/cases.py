"""One case of the sweep: backbone x epochs x steps of the learning rate x batch; those of paper B, and any others.

A case and a seed make a trial, whose name says both and reads back to them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from ligera.models.layout_catalogue import BACKBONES

__all__ = ["BASE", "CHOSEN", "PAPER_CASES", "STEPS", "Case", "all_of", "read_name"]

# Where the learning rate falls to a tenth, in percent of the run: at first, and the paper's two changes of it.
STEPS = ("66.66/88.88", "40/70", "75/90")
TRIAL_NAME = re.compile(
    r"(?P<backbone>.+)-(?P<epochs>\d+)e-(?P<steps>\d[\d.]*(?:-\d[\d.]*)*)-b(?P<batch>\d+)-seed(\d+)"
)


@dataclass(frozen=True, slots=True)
class Case:
    """``steps`` are percents of the run such as ``66.66/88.88``; ``batch`` counts pages."""

    backbone: str
    epochs: int
    steps: str
    batch: int

    @property
    def name(self) -> str:
        """As ``base=`` takes it and folders are called."""
        return f"{self.backbone}-{self.epochs}e-{self.steps.replace('/', '-')}-b{self.batch}"

    def trial(self, seed: int) -> str:
        """The name of the trial with this seed."""
        return f"{self.name}-seed{seed}"

    @property
    def step_at(self) -> tuple[float, ...]:
        """``steps`` as shares of the run."""
        return tuple(round(float(part) / 100, 6) for part in self.steps.split("/"))


def read_name(trial: str) -> tuple[Case, int] | None:
    """The case and the seed of a trial's name, ``None`` for a name that is none."""
    found = TRIAL_NAME.fullmatch(trial)
    if found is None:
        return None
    case = Case(found["backbone"], int(found["epochs"]), found["steps"].replace("-", "/"), int(found["batch"]))
    return case, int(found[5])


def all_of(
    backbones: Sequence[str], epochs: Sequence[int], steps: Sequence[str], batches: Sequence[int]
) -> tuple[Case, ...]:
    """Every combination, each once."""
    return tuple(dict.fromkeys(Case(*values) for values in product(backbones, epochs, steps, batches)))


BASE = Case("ResNet-50a", 2812, STEPS[0], 4)
# What the paper chose for its comparison of backbones.
CHOSEN = Case("ResNet-50a", 450, STEPS[0], 2)
PAPER_CASES = tuple(
    dict.fromkeys(
        (
            BASE,
            *all_of(("ResNet-50a",), (1407, 900, 450, 225, 115), STEPS[:1], (2,)),
            *all_of(("ResNet-50a",), (450, 225), STEPS[1:], (2,)),
            *all_of(("ResNet-50a",), (450, 225), STEPS[:1], (4, 6)),
            *all_of(("VoVNet-39",), (450,), STEPS[:1], (2, 4, 6)),
            *all_of(tuple(BACKBONES), (450,), STEPS[:1], (2,)),
        )
    )
)
