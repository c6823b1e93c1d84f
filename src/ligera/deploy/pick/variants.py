"""Precisions beside fp32: the same bundles in int8, made once from the user's own pictures and kept in the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ligera.deploy.pick.candidates import ModelFacts
from ligera.deploy.pick.probing import model_file
from ligera.errors import LigeraError

__all__ = ["make_variants"]

Note = Callable[[str], None]


def make_variants(
    models: Sequence[ModelFacts],
    calibrate: Path | None,
    data: Path,
    folder: Path,
    left_out: dict[str, str],
    note: Note,
) -> list[ModelFacts]:
    """The int8 versions of those of ``models`` that are bundles in fp32; none without pictures to ``calibrate`` on.

    They are files in ``folder``, found again as long as bundle and pictures stay. Raises ``DataError`` where there are
    no pictures and ``UsageError`` where they are the labelled ones; a bundle that cannot be converted is added to
    ``left_out``.
    """
    if calibrate is None:
        return []
    from ligera.deploy.quantization.calibration import choose_pictures
    from ligera.deploy.quantization.converting import ConversionPlan, convert
    from ligera.deploy.quantization.gate import expect_apart

    pictures = choose_pictures(calibrate)
    expect_apart(pictures, data)
    found = []
    for facts in models:
        if facts.precision != "fp32" or not facts.choice_of_runtime or facts.source_sha256:
            continue
        digest = hashlib.sha256(f"{facts.sha256} {pictures.sha256}".encode()).hexdigest()
        path = folder / "int8" / digest / f"{model_file(facts.model).stem}-int8.onnx"
        note(f"making {facts.name} in int8")
        try:
            if not path.is_file():
                convert(facts.model, path, ConversionPlan("int8", calibrate=calibrate), note=note)
        except LigeraError as error:
            left_out[f"{facts.name} in int8"] = str(error)
            continue
        content = path.read_bytes()
        found.append(
            replace(
                facts,
                model=str(path),
                name=f"{facts.name} int8",
                sha256=hashlib.sha256(content).hexdigest(),
                size_bytes=len(content),
                precision="int8",
                graph_sha256="",
                source_sha256=facts.graph_sha256,
            )
        )
    return found
