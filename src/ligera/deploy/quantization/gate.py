"""How good a model is, as one number that a conversion may not lower by more than a bound.

In: a bundle file, labelled data, a runtime. Out: the metric's name and its value in points, 0 to 100.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ligera.data.pictures import find_pictures
from ligera.deploy.classifying.classifier import Classifier
from ligera.deploy.loading import load_model
from ligera.deploy.quantization.calibration import CalibrationSet, picture_digests
from ligera.deploy.scoring.accuracy import evaluate_classifier
from ligera.deploy.scoring.faces import LabelScores, evaluate, input_rule
from ligera.errors import DataError, UsageError

__all__ = ["Score", "expect_apart", "score_points"]


@dataclass(frozen=True, slots=True)
class Score:
    """``points`` of ``metric``, 0 to 100; ``label`` says on what and how, in words for a bundle's card.

    ``judged`` counts the pictures, or faces to detect, that it is of.
    """

    metric: str
    label: str
    points: float
    judged: int = 0


def score_points(bundle: Path, data: str | Path, *, runtime: str = "onnxruntime", threads: int | None = None) -> Score:
    """The AP50 of a face detector, or the accuracy of a classifier, on the labelled ``data``.

    A recogniser finds the face in each picture by itself and answers at its threshold.

    Raises ``DataError`` for data that cannot be read or holds nothing to score, ``MissingExtra`` without the runtime.
    """
    with load_model(bundle, threads=threads, runtime=runtime) as model:
        if isinstance(model, Classifier):
            result = evaluate_classifier(model, data).result
            return Score("accuracy", f"accuracy on {_short(data)}", 100 * float(result.accuracy), result.pictures)
        scores = evaluate(model, data, protocol="ap50")
        label = f"AP50 on {_short(data)} ({input_rule(model)}, single scale)"
    assert isinstance(scores, LabelScores)
    if scores.overall.ap50 is None:
        raise DataError(f"{data}: holds no labelled faces, so that no drop can be measured on it")
    return Score("AP50", label, 100 * scores.overall.ap50, scores.overall.faces)


def _short(data: str | Path) -> str:
    """The last two names of a path: what lies above them differs from machine to machine."""
    return "/".join(Path(data).absolute().parts[-2:])


def expect_apart(calibration: CalibrationSet, data: str | Path) -> None:
    """Raise ``UsageError`` where pictures that ranges are taken from are among those that judge the result."""
    try:
        judging = set(picture_digests(find_pictures(data)))
    except DataError:
        # not a folder of pictures, such as CIFAR-10's batches: what is wrong with it is said when it is read
        return
    shared = sum(digest in judging for digest in calibration.digests)
    if shared:
        raise UsageError(
            f"{shared:,} of {len(calibration.digests):,} calibration pictures are in {data} too; calibrate on others, "
            "or the drop would look smaller than it is"
        )
