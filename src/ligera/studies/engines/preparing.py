"""Models by name -> bundles in every precision that is asked for, in the study's folder, made once.

``face`` and ``face-small`` are the built-in detectors, calibrated on the folder that the user gives. ``mobilenetv2`` is
the paper's task (``recognizer``), calibrated on photos of its training part; layers of it stay in float, as few as will
do, until it holds the bound on those of its validation part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ligera.deploy.builtin import builtin_path
from ligera.deploy.bundle import Precision
from ligera.deploy.quantization.calibration import choose_pictures
from ligera.deploy.quantization.converting import ConversionPlan, convert
from ligera.deploy.quantization.gate import expect_apart
from ligera.deploy.quantization.record import precision_from_metadata
from ligera.deploy.runtimes.onnxruntime import inspect_onnx
from ligera.studies.engines.contenders import Contender, Engine
from ligera.studies.engines.recognizer import CALIBRATION, SIDE_PX, make_recognizer
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
    gate = None
    if name == "mobilenetv2":
        if note:
            note("faces, features and head")
        model, calibration, gate = _recognizer(settings, made / name)
    else:
        model = Model(name, {"fp32": builtin_path(name)}, settings.data, settings.height, settings.width)
        calibration = settings.calibrate
        expect_apart(choose_pictures(calibration, settings.pictures), settings.data)
    for precision in PRECISIONS:
        out = made / f"{name}-{precision}.onnx"
        if not out.is_file():
            plan = ConversionPlan("bf16") if precision == "bf16" else _int8(calibration, gate, settings)
            convert(model.bundles["fp32"], out, plan, note=note)
        model.bundles[precision] = out
    return model if gate is None else replace(model, note=f"{model.note}; {_how_it_held(model.bundles['int8'])}")


def _int8(calibration: Path, gate: Path | None, settings: Any) -> ConversionPlan:
    return ConversionPlan(
        "int8",
        calibrate=calibration,
        pictures=settings.pictures if gate is None else CALIBRATION,
        gate_data=gate,
        max_drop=settings.max_drop,
        threads=settings.threads,
    )


def _how_it_held(bundle: Path) -> str:
    """What a gated bundle says of how its precision came about."""
    record = precision_from_metadata(inspect_onnx(bundle).metadata, str(bundle))
    assert record is not None and record.gate is not None
    gate, kept = record.gate, ", ".join(name.strip("/") for name in record.kept_float) or "none"
    return (
        f"its layers in float, {len(record.kept_float)} of {record.layers}, were chosen on {gate.judged:,} faces of "
        f"validation, where int8 lost {gate.drop:+.2f} of {gate.max_drop:g} points allowed: {kept}"
    )


def _recognizer(settings: Any, folder: Path) -> tuple[Model, Path, Path]:
    """``mobilenetv2`` in fp32, the photos to calibrate it on, and those to hold it to its bound by."""
    person, others = settings.people / settings.person, settings.people / settings.others
    own = make_recognizer(
        person, others, settings.weights, settings.faces, settings.strangers, settings.threads, folder
    )
    train, validation, test = own.counts
    note = (
        f"mobilenetv2: Coral's ImageNet base, pooled, one logit; {settings.person} among others, {train} faces to "
        f"train, {validation} for when to stop and for int8's bound, {test} to test"
    )
    bundles = {"fp32": own.bundle}
    model = Model("mobilenetv2", bundles, own.test, SIDE_PX, SIDE_PX, settings.weights, own.head, note)
    return model, own.calibration, own.gate


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
