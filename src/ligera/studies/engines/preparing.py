"""Models by name -> bundles in every precision that is asked for, in the study's folder, made once.

``face`` and ``face-small`` are the built-in detectors, calibrated on the folder that the user gives. ``mobilenetv2`` is
the paper's task (``recognizer``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ligera.deploy.builtin import builtin_path
from ligera.deploy.bundle import Precision
from ligera.deploy.quantization.calibration import choose_pictures
from ligera.deploy.quantization.converting import ConversionPlan, convert
from ligera.deploy.quantization.gate import expect_apart
from ligera.studies.engines.contenders import Contender, Engine
from ligera.studies.engines.recognizer import SIDE_PX, make_recognizer
from ligera.studies.trials import Listener

__all__ = ["Model", "contenders_of", "prepare_model"]

PRECISIONS: tuple[Precision, ...] = ("bf16", "int8")


@dataclass(frozen=True, slots=True)
class Model:
    """A model's bundles by precision, what it is scored on, its input in px, and what torch needs of it besides."""

    name: str
    bundles: dict[str, Path]
    data: Path | None
    height: int
    width: int
    weights: Path | None = None
    head: Path | None = None
    note: str = ""


def prepare_model(name: str, settings: Any, folder: Path, tell: Listener | None = None) -> Model:
    """Bundles of ``name`` in fp32, bf16 and int8, found or made; ``settings`` are the study's."""
    made = folder / "models"
    note = (lambda text: tell({"trial": f"{name}: {text}"})) if tell else None
    if name == "mobilenetv2":
        if note:
            note("faces, features and head")
        model, calibration = _recognizer(settings, made / name)
    else:
        model = Model(name, {"fp32": builtin_path(name)}, settings.data, settings.height, settings.width)
        calibration = settings.calibrate
        expect_apart(choose_pictures(calibration, settings.pictures), settings.data)
    for precision in PRECISIONS:
        out = made / f"{name}-{precision}.onnx"
        if not out.is_file():
            pictures = calibration if precision == "int8" else None
            plan = ConversionPlan(precision, calibrate=pictures, pictures=settings.pictures)
            convert(model.bundles["fp32"], out, plan, note=note)
        model.bundles[precision] = out
    return model


def _recognizer(settings: Any, folder: Path) -> tuple[Model, Path]:
    """``mobilenetv2`` in fp32, and the faces to calibrate it on."""
    person, others = settings.people / settings.person, settings.people / settings.others
    own = make_recognizer(
        person, others, settings.weights, settings.faces, settings.strangers, settings.threads, folder
    )
    train, validation, test = own.counts
    note = (
        f"mobilenetv2: Coral's ImageNet base, pooled, one logit; {settings.person} among others, {train} faces to "
        f"train, {validation} for when to stop, {test} to test"
    )
    bundles = {"fp32": own.bundle}
    model = Model("mobilenetv2", bundles, own.test, SIDE_PX, SIDE_PX, settings.weights, own.head, note)
    return model, own.calibration


def contenders_of(model: Model, engines: tuple[Engine, ...], threads: int, batch: int) -> list[Contender]:
    """``model`` in each of ``engines``."""
    return [
        Contender(
            model.name,
            engine,
            model.bundles[engine.precision],
            model.height,
            model.width,
            threads,
            batch,
            model.weights,
            model.head if engine.runtime == "torch" else None,
        )
        for engine in engines
    ]
