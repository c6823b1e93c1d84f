"""Settings of the study ``manuscripts``: what is swept, how it is trained, and how long one slice may take.

What is swept, the slice and the tariff may change from one command to the next in one run folder: trials that stand
there are kept. All else decides what a trial is, so a run folder belongs to it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from ligera.errors import nearest
from ligera.meter.tariff import DEFAULT_EUR_PER_KWH, MOST_EUR_PER_KWH
from ligera.models.layout_catalogue import BACKBONES, LAYOUT_DETECTORS
from ligera.studies.manuscripts.cases import BASE, CHOSEN, PAPER_CASES, Case, all_of
from ligera.typed_yaml import Frozen, shown

__all__ = ["QUICK", "Settings"]


# How the paper's tables of results call two of those that its tables of topologies call otherwise.
OF_THE_TABLES = {"resnet50": "ResNet-50a", "vovnet19l": "VoVNet-19-lite"}


def _several(value: Any) -> Any:
    """``a,b`` and ``a`` as well as ``[a, b]``."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    if isinstance(value, bool | int | float):
        value = [value]
    if isinstance(value, list | tuple):
        # true is no 1
        return [str(part) if isinstance(part, bool) else part for part in value]
    return value


def _texts(value: Any) -> Any:
    several = _several(value)
    if isinstance(several, list):
        return [f"{part:g}" if isinstance(part, int | float) else part for part in several]
    return several


Names = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Epochs = Annotated[tuple[Annotated[int, Field(ge=1, le=1_000_000)], ...], BeforeValidator(_several)]
Batches = Annotated[tuple[Annotated[int, Field(ge=1, le=65_536)], ...], BeforeValidator(_several)]


class Settings(Frozen):
    """``data`` is a folder with ``train`` and ``val`` in it (COCO or PAGE XML), or the training pages themselves where
    ``validation`` names others. Of ``backbones``, ``epochs``, ``steps`` and ``batch`` all combinations are trained;
    what is not named is the paper's choice, and with none of them named it is the cases of the paper. ``steps`` are
    percents of the run such as ``66.66/88.88``. ``base`` names the case that savings are against.

    An epoch shows ``pages``, drawn afresh, or all where it says nothing. ``learning_rate`` is the same for all batches,
    as in the paper, or with ``reference_batch`` scaled from that batch. ``warmup_steps`` are a tenth of a run at most.
    A trial's state is saved every ``checkpoint_steps`` steps or so. ``slice_minutes`` ends the command after so long,
    to be gone on with. ``step_backbones`` are those whose single steps are timed, ``timed_steps`` of each with
    ``step_batch`` pages; 0 times none.
    """

    data: Path
    validation: Path | None = None
    backbones: Names | None = Field(None, exclude=True)
    epochs: Epochs | None = Field(None, exclude=True)
    steps: Names | None = Field(None, exclude=True)
    batch: Batches | None = Field(None, exclude=True)
    base: str | None = Field(None, exclude=True)
    seeds: int = Field(1, ge=1, le=1000, exclude=True)
    slice_minutes: float | None = Field(None, gt=0, exclude=True)
    tariff: float = Field(DEFAULT_EUR_PER_KWH, ge=0, le=MOST_EUR_PER_KWH, exclude=True)
    step_backbones: Names = Field(tuple(BACKBONES), exclude=True)
    timed_steps: int = Field(4, ge=0, le=1000)
    step_batch: int = Field(CHOSEN.batch, ge=1, le=65_536)
    pages: int | None = Field(None, ge=1)
    side_px: int = Field(1024, ge=128, le=8192)
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = Field(0.02, gt=0, le=1000)
    reference_batch: int | None = Field(None, ge=1, le=65_536)
    weight_decay: float = Field(1e-4, ge=0, le=1000)
    warmup_steps: int = Field(1000, ge=0)
    ema_decay: float = Field(0.0, ge=0, lt=1)
    augment: bool = True
    checkpoint_steps: int = Field(100, ge=1)
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    threads: int | None = Field(None, ge=1, le=1024)
    workers: int = Field(0, ge=0, le=256)
    quick: bool = False

    @field_validator("backbones", "step_backbones")
    @classmethod
    def _are_known(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return names and tuple(dict.fromkeys(map(_known, names)))

    @field_validator("steps")
    @classmethod
    def _are_percents(cls, steps: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return steps and tuple(dict.fromkeys(map(_percents, steps)))

    @field_validator("backbones", "epochs", "steps", "batch")
    @classmethod
    def _are_some(cls, values: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        if values is not None and not values:
            raise ValueError("expected one or more, got none; leave it out for the paper's")
        return values

    @model_validator(mode="after")
    def _pages_are_there(self) -> Settings:
        # Here, so that a wrong path is told before anything remembers it.
        if not self.data.exists():
            raise ValueError(f"data: {self.data}: no such folder; give one with train and val in it")
        if self.validation is None:
            for part in ("train", "val"):
                if not (self.data / part).exists():
                    raise ValueError(
                        f"data: {self.data}: holds no {part!r}; give a folder with train and val in it, or the "
                        "training pages as data= and others as validation="
                    )
        elif not self.validation.exists():
            raise ValueError(f"validation: {self.validation}: no such file or folder")
        return self

    @property
    def training_pages(self) -> Path:
        return self.data / "train" if self.validation is None else self.data

    @property
    def validation_pages(self) -> Path:
        return self.data / "val" if self.validation is None else self.validation

    def cases(self) -> tuple[Case, ...]:
        """What is to be trained, in the order of its settings."""
        named = (self.backbones, self.epochs, self.steps, self.batch)
        if all(values is None for values in named):
            return PAPER_CASES
        usual = ((CHOSEN.backbone,), (CHOSEN.epochs,), (CHOSEN.steps,), (CHOSEN.batch,))
        return all_of(*(own or other for own, other in zip(named, usual, strict=True)))  # type: ignore[arg-type]

    def usual_base(self) -> Case:
        """What savings are against where ``base`` says nothing: the paper's base case, or else the first."""
        cases = self.cases()
        return BASE if BASE in cases else cases[0]


QUICK = {
    "backbones": ["VoVNet-19-lite", "ResNet-31"],
    "epochs": [1],
    "steps": ["66.66/88.88"],
    "batch": [2],
    "pages": 6,
    "side_px": 192,
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "timed_steps": 0,
    "quick": True,
}


def _known(name: str) -> str:
    """The catalogue's spelling of ``name``, which may lack hyphens and capitals or be one of the paper's tables."""
    plain = {_plain(known): known for known in LAYOUT_DETECTORS} | OF_THE_TABLES
    if _plain(name) in plain:
        return plain[_plain(name)]
    hint = nearest(_plain(name)[:60], plain)
    for key, known in plain.items():
        hint = hint.replace(f"'{key}'", f"'{known}'")
    raise ValueError(f"no backbone is called {shown(name)}{hint}; known: {', '.join(LAYOUT_DETECTORS)}")


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace(" ", "")


def _percents(text: str) -> str:
    """``66.66/88.88`` spelled in one way."""
    try:
        values = [float(part) for part in text.removesuffix("%").split("/")]
    except ValueError:
        values = []
    if not values or values != sorted(set(values)) or not 0 < values[0] <= values[-1] < 100 or len(values) > 8:
        raise ValueError(f"expected rising percents of the run such as 66.66/88.88, got {shown(text)}")
    if values[-1] < 1:
        raise ValueError(f"expected percents of the run such as 66.66/88.88, got {shown(text)}, which look like shares")
    return "/".join(f"{round(value, 4):.4f}".rstrip("0").rstrip(".") for value in values)
