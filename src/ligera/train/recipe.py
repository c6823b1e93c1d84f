"""What decides any training run, whatever its task: the fields every recipe has, as a frozen typed record.

Each task's own recipe (``faces.recipe``, ``classification.recipe``) adds its data and its loss to these. ``reading``
turns YAML into one of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from ligera.train.samplers.recipe import SamplerRecipe
from ligera.typed_yaml import Frozen


class Recipe(Frozen):
    """One training run. Times are steps or fractions of the run, sizes pixels; ``batch`` is over all processes."""

    name: str = Field(pattern=r"^[\w.-]+$")
    task: str
    model: str
    seed: int = Field(0, ge=0, lt=2**63)

    batch: int = Field(16, ge=1, le=65_536)
    epochs: int = Field(10, ge=1, le=1_000_000)
    samples_per_epoch: int | None = Field(None, ge=1, le=100_000_000)
    sampler: SamplerRecipe = SamplerRecipe()

    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = Field(1e-3, gt=0, le=1000)
    weight_decay: float = Field(0.01, ge=0, le=1000)
    momentum: float = Field(0.9, ge=0, lt=1)
    warmup_steps: int = Field(200, ge=0, le=1_000_000_000)
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    step_at: tuple[float, ...] = (0.6666, 0.8888)
    step_factor: float = Field(0.1, gt=0, le=1)
    clip_norm: float = Field(10.0, gt=0)
    ema_decay: float = Field(0.999, ge=0, lt=1)

    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    threads: int | None = Field(None, ge=1, le=1024)
    evaluate_every: int = Field(1, ge=1)
    checkpoint_every_steps: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _steps_rise(self) -> Recipe:
        if list(self.step_at) != sorted(self.step_at) or any(not 0 < s < 1 for s in self.step_at):
            raise ValueError("step_at: expected rising fractions between 0 and 1")
        return self

    @model_validator(mode="after")
    def _dynamic_sampling_is_told_its_score(self) -> Recipe:
        if self.sampler.kind == "dynamic" and self.evaluate_every != 1:
            raise ValueError("evaluate_every: a dynamic sampler needs the score of every epoch; set it to 1")
        return self

    def anchored(self, folder: Path) -> Recipe:
        """This recipe with its relative paths taken from ``folder``."""
        raise NotImplementedError
