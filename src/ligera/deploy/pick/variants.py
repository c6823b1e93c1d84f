"""Precisions beside fp32: the same bundles converted, once for each quantiser setting, and kept in the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ligera.deploy.pick.candidates import ModelFacts
from ligera.deploy.pick.probing import model_file
from ligera.errors import LigeraError, UsageError, nearest

if TYPE_CHECKING:
    from ligera.deploy.quantization.calibration import CalibrationSet

__all__ = ["Settings", "make_variants"]

PRECISIONS = ("int8", "bf16", "fp16")
METHODS = ("minmax", "percentile", "entropy")
USUAL_METHODS = ("minmax", "percentile")
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """``calibrate`` is a folder of pictures for int8, ``methods`` how ranges are taken from them.

    Without ``precisions`` int8 is made where there are pictures for it. Raises ``UsageError`` for what does not fit.
    """

    calibrate: Path | None = None
    precisions: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for option, given, known in (
            ("precision", self.precisions, PRECISIONS),
            ("calibration", self.methods, METHODS),
        ):
            for value in given:
                if value not in known:
                    hint = nearest(value, known)
                    raise UsageError(f"--{option}: there is no {value!r}{hint}; known: {', '.join(known)}")
        if self.calibrate is None and ("int8" in self.precisions or self.methods):
            raise UsageError("--precision int8: needs pictures to calibrate on; add --calibrate DIR")
        if self.calibrate is not None and self.precisions and "int8" not in self.precisions:
            raise UsageError("--calibrate: is for int8; add --precision int8")

    @property
    def ways(self) -> list[tuple[str, str]]:
        """Every precision with every way to make it, such as ``("int8", "minmax")`` or ``("bf16", "")``."""
        wanted = self.precisions or (("int8",) if self.calibrate is not None else ())
        methods = self.methods or USUAL_METHODS
        return [(name, method) for name in dict.fromkeys(wanted) for method in (methods if name == "int8" else ("",))]


def make_variants(
    models: Sequence[ModelFacts],
    settings: Settings,
    data: Path,
    folder: Path,
    left_out: dict[str, str],
    note: Note,
) -> list[ModelFacts]:
    """The versions that ``settings`` ask for of those of ``models`` that are bundles in fp32.

    They are files in ``folder``, found again as long as bundle and pictures stay. Raises ``DataError`` where there are
    no pictures and ``UsageError`` where they are the labelled ones; a bundle that cannot be converted is added to
    ``left_out``.
    """
    if not settings.ways:
        return []
    pictures = _pictures(settings.calibrate, data)
    found: list[ModelFacts] = []
    for facts, precision, method in _wanted(models, settings):
        name = " ".join(filter(None, (facts.name, precision, method if method != METHODS[0] else "")))
        note(f"making {name}")
        try:
            path = _converted(facts, precision, method, settings.calibrate, pictures, folder, note)
        except LigeraError as error:
            left_out[name] = str(error)
            continue
        content = path.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        if any(sha256 == other.sha256 for other in found):
            continue
        found.append(
            replace(
                facts,
                model=str(path),
                name=name,
                sha256=sha256,
                size_bytes=len(content),
                precision=precision,
                graph_sha256="",
                source_sha256=facts.graph_sha256,
            )
        )
    return found


def _pictures(calibrate: Path | None, data: Path) -> CalibrationSet | None:
    if calibrate is None:
        return None
    from ligera.deploy.quantization.calibration import choose_pictures
    from ligera.deploy.quantization.gate import expect_apart

    pictures = choose_pictures(calibrate)
    expect_apart(pictures, data)
    return pictures


def _wanted(models: Sequence[ModelFacts], settings: Settings) -> Iterator[tuple[ModelFacts, str, str]]:
    for facts in models:
        if facts.precision == "fp32" and facts.choice_of_runtime and not facts.source_sha256:
            yield from ((facts, precision, method) for precision, method in settings.ways)


def _converted(
    facts: ModelFacts,
    precision: str,
    method: str,
    calibrate: Path | None,
    pictures: CalibrationSet | None,
    folder: Path,
    note: Note,
) -> Path:
    from ligera.deploy.quantization.converting import ConversionPlan, convert

    own = "" if precision != "int8" or pictures is None else f"{pictures.sha256} {method}"
    digest = hashlib.sha256(f"{facts.sha256} {precision} {own}".encode()).hexdigest()
    stem = "-".join(filter(None, (model_file(facts.model).stem, precision, method)))
    path = folder / "converted" / digest / f"{stem}.onnx"
    if not path.is_file():
        how = {"calibrate": calibrate, "method": method} if precision == "int8" else {}
        convert(facts.model, path, ConversionPlan(precision, **how), note=note)
    return path
