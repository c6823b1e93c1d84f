"""Accuracy of each detector, plain and bounded: kept on disk per detector, so that a stopped study goes on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ligera.deploy.detector import Detector
from ligera.deploy.scoring.faces import LabelScores, WiderScores, evaluate, input_rule
from ligera.errors import LigeraError
from ligera.files import write_bytes
from ligera.studies.detectors.bounded import BoundedEngine
from ligera.studies.detectors.contenders import Contender, weights_bytes
from ligera.studies.detectors.timing import MODES
from ligera.studies.trials import Listener

__all__ = ["Row", "score_all"]


@dataclass(frozen=True, slots=True)
class Row:
    """``labels[mode]`` and ``wider`` hold scores as ``LabelScores.as_dict`` and ``WiderScores.as_dict`` say them."""

    contender: Contender
    input: str
    size_bytes: int | None
    labels: dict[str, dict[str, Any]]
    wider: dict[str, Any] | None


def score_all(
    contenders: list[Contender],
    labelled: Path,
    wider: Path | None,
    min_face: int,
    max_side_px: int,
    folder: Path,
    tell: Listener | None,
) -> tuple[list[Row], list[str]]:
    """A row for each detector that can be run here, and a line for each that cannot.

    ``labelled`` and ``wider`` are data sets; ``folder`` keeps what was scored.
    """
    rows, missing = [], []
    for contender in contenders:
        kept = folder / "scores" / f"{contender.name}.json"
        if tell:
            tell({"trial": f"scoring {contender.name}"})
        try:
            values = _read(kept) or _score(contender, labelled, wider, min_face, max_side_px)
        except LigeraError as error:
            missing.append(f"{contender.name}: {error}")
            continue
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(kept, (json.dumps(values) + "\n").encode())
        rows.append(Row(contender, values["input"], weights_bytes(contender), values["labels"], values["wider"]))
    return rows, missing


def _read(path: Path) -> dict[str, Any] | None:
    """What was kept; nothing where it is missing or damaged, and is scored anew then."""
    try:
        values = json.loads(path.read_text())
        return values if set(values) == {"input", "labels", "wider"} and set(values["labels"]) == set(MODES) else None
    except (OSError, ValueError, TypeError):
        return None


def _score(contender: Contender, labelled: Path, wider: Path | None, min_face: int, max_side_px: int) -> dict[str, Any]:
    with Detector.load(contender.model) as plain:
        bounded = Detector(BoundedEngine(plain.engine, max_side_px))
        labels = {}
        for mode, detector in (("plain", plain), ("bounded", bounded)):
            scores = evaluate(detector, labelled, protocol="ap50", min_face=min_face)
            assert isinstance(scores, LabelScores)
            labels[mode] = scores.as_dict()
        wider_scores = None
        if wider is not None:
            found = evaluate(plain, wider, protocol="widerface")
            assert isinstance(found, WiderScores)
            wider_scores = found.as_dict()
        return {"input": input_rule(plain), "labels": labels, "wider": wider_scores}
