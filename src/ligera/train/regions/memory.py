"""Memory of training on pages: foretold before any step, measured while steps are taken, and what helps where it lacks.

In: a recipe, its network's spec, the largest input; out: megabytes (10^6 bytes). Foretold is what ``models.memory``
counts, with one more copy of the weights, the moving average. Measured is the peak of tensors on a GPU; on a CPU what
the process held at most over the steps before its first validation, less what it held before the network was made.
"""

from __future__ import annotations

import functools
import math

import torch

from ligera.errors import RecipeError
from ligera.meter.hardware import inspect_hardware
from ligera.meter.processes import ProcessTree
from ligera.models.layout_specs import MaskRCNNSpec
from ligera.models.memory import TrainingMemory, predict_training_memory
from ligera.train.regions.recipe import RegionsRecipe

__all__ = ["MemoryWatch", "check_room", "foretell", "lighter", "room_mb"]

BYTES_PER_MB = 1e6
SIDE_STEP_PX = 32
LEAST_SIDE_PX = 128
LIGHTEST = "layout-small"
_OPTIMIZER_COPIES = {"adamw": 2, "sgd": 1}


def foretell(recipe: RegionsRecipe, spec: MaskRCNNSpec, input_size: tuple[int, int], regions: int) -> TrainingMemory:
    """Peak memory of a step on inputs of ``input_size`` (height, width) px with ``regions`` regions on each page."""
    return _foretold(spec, input_size, recipe.batch, max(1, regions), _OPTIMIZER_COPIES[recipe.optimizer] + 1)


@functools.lru_cache(maxsize=8)
def _foretold(spec: MaskRCNNSpec, input_size: tuple[int, int], batch: int, regions: int, copies: int) -> TrainingMemory:
    # Playing a step through takes seconds, and a study asks again for each of its trials.
    return predict_training_memory(spec, input_size, batch, regions=regions, optimizer_copies=copies)


def room_mb() -> float | None:
    """Memory of the GPU that would be trained on, or else of this machine; ``None`` where nobody says."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory / BYTES_PER_MB
    return inspect_hardware().memory_mb


def check_room(recipe: RegionsRecipe, memory: TrainingMemory, room: float | None) -> None:
    """``RecipeError`` where a step is foretold to take more memory than there is ``room`` (MB)."""
    if room is None or memory.total_mb <= room:
        return
    raise RecipeError(
        f"batch: {recipe.batch} pages of {recipe.side_px} px need about {memory.total_mb:,.0f} MB with {recipe.model}, "
        f"and there are {room:,.0f} MB; {lighter(recipe, memory, room)}"
    )


def lighter(recipe: RegionsRecipe, memory: TrainingMemory, room: float | None) -> str:
    """What would make a step fit into ``room`` MB, by proportion: fewer pages, smaller ones, a lighter network."""
    kept = memory.total_mb - memory.step_mb
    share = 0.5 if room is None else min(0.8, max(0.0, room - kept) / memory.step_mb)
    batch = math.floor(recipe.batch * share)
    side = math.floor(recipe.side_px * share**0.5 / SIDE_STEP_PX) * SIDE_STEP_PX
    choices = [f"batch={batch}"] if batch >= 1 else []
    choices += [f"side_px={side}"] if side >= LEAST_SIDE_PX else []
    choices += [f"model={LIGHTEST}"] if recipe.model != LIGHTEST else []
    return f"try {' or '.join(choices)}" if choices else "it takes a machine with more memory"


class MemoryWatch:
    """Made before the network is; ``look`` before each step, ``stop`` before anything else takes memory."""

    def __init__(self) -> None:
        self._process = ProcessTree()
        self._before_mb = self._process.read().rss_mb
        self._high_mb = self._process.high_water_mb()
        self._device: torch.device | None = None
        self._steps = 0
        self._stopped = False
        self.measured_mb: float | None = None
        """The peak so far; ``None`` before the first whole step and where it cannot be told."""

    def look(self, device: torch.device) -> None:
        """A step on ``device`` is about to begin, so one before it is done."""
        if self._stopped:
            return
        if self._device is None and device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        self._device = device
        self._measure()
        self._steps += 1

    def stop(self) -> None:
        """What comes now is no training; the last step counts."""
        if not self._stopped:
            self._measure()
            self._stopped = True

    def _measure(self) -> None:
        if not self._steps or self._device is None:
            return
        if self._device.type == "cuda":
            self.measured_mb = torch.cuda.max_memory_allocated(self._device) / BYTES_PER_MB
            return
        high = self._process.high_water_mb()
        # a mark that did not rise was left by what came before
        if self._before_mb is not None and high is not None and self._high_mb is not None and high > self._high_mb:
            self.measured_mb = high - self._before_mb
