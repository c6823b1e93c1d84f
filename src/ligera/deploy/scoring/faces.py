"""Any detector over a data set, scored: ours, a bundle or another maker's, through the same ``Detections``.

In: a :class:`Detector` and a data set with RetinaFace labels or in WIDER FACE's layout. Out: :class:`LabelScores` (AP
at IoU 0.5 overall, per source folder and face size, recall and precision, landmark error) or :class:`WiderScores`
(easy, medium, hard by the official protocol). Pictures are searched one by one at the size that the protocol names;
only their detections are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ligera.data.check import detect_format
from ligera.data.faces import FaceSample, FaceSet, read_retinaface
from ligera.data.pictures import read_picture
from ligera.data.widerface import read_widerface
from ligera.deploy.detector import Detector
from ligera.errors import DataError, ModelError, PictureError, UsageError, nearest
from ligera.metrics import widerface
from ligera.metrics.average_precision import (
    ApResult,
    average_precision,
    average_precision_by_size,
    average_precision_interval,
)
from ligera.metrics.landmarks import landmark_error
from ligera.records import Detections, Picture, Targets

__all__ = ["PROTOCOLS", "GroupScore", "LabelScores", "Watch", "WiderScores", "detected_in", "evaluate", "input_rule"]

PROTOCOLS = ("ap50", "widerface")
_LAYOUTS = ("retinaface", "widerface")
# AP needs the whole curve, so nearly everything that a network finds; below this only the tail of precision is left.
LOWEST_SCORE = 0.02
OPERATING_SCORE = 0.5
INTERVAL_ROUNDS = 200
MOST_BROKEN_NAMED = 5
_NATIVE_PX = 1_000_000  # longer than any side of a picture

Pair = tuple[Detections, Targets]
Sample = TypeVar("Sample")
Watch = Callable[[Iterable[Sample], int], Iterable[Sample]]


@dataclass(frozen=True, slots=True)
class GroupScore:
    """Scores of some of the faces; ``None`` where there is nothing to take one of.

    ``ap50`` is 0 to 1; ``recall`` and ``precision`` are those of detections from score 0.5 on. ``nme`` is the landmark
    error in distances between the eyes, over the ``nme_faces`` that were found among those with known landmarks.
    """

    pictures: int
    faces: int
    ap50: float | None
    recall: float | None
    precision: float | None
    nme: float | None = None
    nme_faces: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The scores ready for JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class LabelScores:
    """Scores over labels with ignore regions: ``overall``, by ``sources`` (the pictures' folders) and by ``sizes``.

    ``interval`` holds 95 % of the APs of redrawn pictures.
    """

    model: str
    data: str
    protocol: str
    overall: GroupScore
    interval: tuple[float, float] | None
    sources: Mapping[str, GroupScore]
    sizes: Mapping[str, GroupScore]

    def as_dict(self) -> dict[str, Any]:
        """The scores ready for JSON."""
        return {
            "model": self.model,
            "data": self.data,
            "protocol": self.protocol,
            **self.overall.as_dict(),
            "ap50_interval": None if self.interval is None else list(self.interval),
            "sources": {name: group.as_dict() for name, group in self.sources.items()},
            "sizes": {name: _without_landmarks(group) for name, group in self.sizes.items()},
        }


@dataclass(frozen=True, slots=True)
class WiderScores:
    """AP by WIDER FACE's official protocol, 0 to 1; ``None`` where a setting counts no face."""

    model: str
    data: str
    protocol: str
    pictures: int
    easy: float | None
    medium: float | None
    hard: float | None

    def as_dict(self) -> dict[str, Any]:
        """The scores ready for JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def evaluate(
    detector: Detector,
    data: str | Path,
    *,
    protocol: str | None = None,
    max_side: int | None = None,
    min_face: int | None = None,
    watch: Watch[FaceSample] | None = None,
) -> LabelScores | WiderScores:
    """Run ``detector`` over the data set at ``data`` and score it.

    ``protocol`` is ``ap50`` or ``widerface``, by default that of the data's layout. Pictures keep their size unless
    ``max_side`` (px) or the model itself bounds it. Faces whose long side is under ``min_face`` px become ignore
    regions (``ap50`` only). ``watch(samples, count)`` may follow the samples on their way. Raises ``DataError`` for
    labels or pictures that cannot be read, naming them, ``UsageError`` for a protocol that does not fit the data and
    ``ModelError`` for a network whose boxes are no numbers.
    """
    others = {"accuracy": "classifiers", "coco": "layout detectors"}
    if protocol in others:
        raise UsageError(
            f"--protocol {protocol} is for {others[protocol]}; {detector.name} finds faces: ap50, widerface"
        )
    if detector.task != "detect-faces":
        raise UsageError(f"{detector.name} finds regions of pages; score it with evaluate_regions")
    layout = detect_format(Path(data))
    protocol = _checked_protocol(protocol, layout, data)
    if protocol == "widerface":
        if min_face is not None:
            raise UsageError(
                "--min-face: the widerface protocol has its own rule of which faces count; add --protocol ap50"
            )
        return _evaluate_wider(detector, Path(data), max_side, watch)
    faces = read_widerface(data) if layout == "widerface" else read_retinaface(data)
    counted, rule = _counted_from(min_face)
    pairs = [(found, counted(sample.targets)) for sample, found in _detected(detector, faces, max_side, watch)]
    sources = [sample.path.parent.name for sample in faces.samples]
    return _label_scores(pairs, sources, detector.name, str(data), _inference(detector, max_side) + rule)


def input_rule(detector: Detector, max_side: int | None = None) -> str:
    """At which size ``detector`` sees a picture here, in words for a protocol: ``native size`` and the like."""
    card = getattr(detector.engine, "card", None)
    sides = card.preprocess.fixed if card and card.preprocess.fixed else _graph_sides(detector)
    if sides:
        return f"input fixed at {sides[1]} x {sides[0]} px"
    most = max_side or (card.preprocess.max_side if card else None)
    least = card.preprocess.min_side if card else None
    bounds = [f"at least {least} px"] if least else []
    bounds += [f"at most {most} px"] if most else []
    return f"long side {' and '.join(bounds)}" if bounds else "native size"


def _graph_sides(detector: Detector) -> tuple[int, int] | None:
    """Height and width in px where the network's file leaves no choice; it has three channels wherever they stand."""
    runtime = detector.engine.runtime
    sides = [] if runtime is None else [side for side in runtime.input_shape[1:] if side != 3]
    return (sides[0], sides[1]) if len(sides) == 2 and all(sides) else None


def _bound(detector: Detector, max_side: int | None) -> int | None:
    """The bound on the long side to detect with, px: detection's usual one would shrink pictures of a camera's size."""
    card = getattr(detector.engine, "card", None)
    own = card is not None and card.preprocess.max_side is not None
    return _NATIVE_PX if max_side is None and not own else max_side


def _inference(detector: Detector, max_side: int | None) -> str:
    return f"{input_rule(detector, max_side)}, single scale, scores from {LOWEST_SCORE}"


def _counted_from(min_face: int | None) -> tuple[Callable[[Targets], Targets], str]:
    """What makes faces under ``min_face`` px ignore regions, and the words that a protocol needs for it."""
    if min_face is None:
        return lambda targets: targets, ""

    def counted(targets: Targets) -> Targets:
        long_side_px = (targets.boxes[:, 2:] - targets.boxes[:, :2]).max(axis=1, initial=0)
        kept = long_side_px >= min_face
        ignore = np.concatenate([targets.ignore, targets.boxes[~kept]])
        return Targets(targets.boxes[kept], targets.labels[kept], targets.landmarks[kept], ignore)

    return counted, f", faces with a long side under {min_face} px ignored"


def _checked_protocol(protocol: str | None, layout: str, data: str | Path) -> str:
    if layout not in _LAYOUTS:
        raise UsageError(f"{data}: holds {layout} data, without labelled faces; a face detector is scored on those")
    if protocol is None:
        return "widerface" if layout == "widerface" else "ap50"
    if protocol not in PROTOCOLS:
        raise UsageError(f"no protocol {protocol!r}{nearest(protocol, PROTOCOLS)}; known: {', '.join(PROTOCOLS)}")
    if protocol == "widerface" and layout != "widerface":
        raise UsageError(
            f"{data}: holds {layout} labels; the widerface protocol needs WIDER FACE's own layout, or ap50"
        )
    return protocol


def _detected(
    detector: Detector, faces: FaceSet, max_side: int | None, watch: Watch[FaceSample] | None
) -> Iterator[tuple[FaceSample, Detections]]:
    bound = _bound(detector, max_side)
    for sample, found in detected_in(
        detector, faces.samples, lambda sample: read_picture(sample.path), LOWEST_SCORE, bound, watch
    ):
        if not np.isfinite(found.boxes).all():
            raise ModelError(f"{detector.name}: gives boxes that are no numbers in {sample.path}; train it again")
        yield sample, found


def detected_in(
    detector: Detector,
    samples: Sequence[Sample],
    read: Callable[[Sample], Picture],
    score: float,
    max_side: int | None,
    watch: Watch[Sample] | None,
) -> Iterator[tuple[Sample, Detections]]:
    """Every sample, its picture being what ``read`` gives, with what was found in it from ``score`` on.

    Scores without some of the pictures would be those of another data set, so once one is broken the rest is only
    looked through for more, and ``DataError`` names them at the end.
    """
    broken: list[PictureError] = []
    for sample in watch(samples, len(samples)) if watch else samples:
        try:
            picture = read(sample)
        except PictureError as error:
            broken.append(error)
            continue
        if not broken:
            yield sample, detector.detect(picture, score=score, max_side=max_side)
    if broken:
        more = f"; and {len(broken) - MOST_BROKEN_NAMED:,} more" if len(broken) > MOST_BROKEN_NAMED else ""
        named = "; ".join(str(error) for error in broken[:MOST_BROKEN_NAMED])
        raise DataError(f"{len(broken):,} of {len(samples):,} pictures cannot be read: {named}{more}")


def _label_scores(pairs: list[Pair], sources: list[str], model: str, data: str, inference: str) -> LabelScores:
    whole = average_precision(pairs, operating_score=OPERATING_SCORE)
    interval = average_precision_interval(pairs, rounds=INTERVAL_ROUNDS)
    groups = {}
    for source in sorted(set(sources)):
        part = [pair for pair, own in zip(pairs, sources, strict=True) if own == source]
        groups[source] = _with_landmarks(part, average_precision(part, operating_score=OPERATING_SCORE))
    by_size = average_precision_by_size(pairs, operating_score=OPERATING_SCORE)
    return LabelScores(
        model,
        data,
        protocol=f"{whole.protocol}; {inference}",
        overall=_with_landmarks(pairs, whole),
        interval=None if math.isnan(interval.low) else (interval.low, interval.high),
        sources=groups,
        sizes={name: _group(part) for name, part in by_size.items()},
    )


def _group(result: ApResult) -> GroupScore:
    scores = (_known(result.ap), _known(result.recall), _known(result.precision))
    return GroupScore(result.pictures, result.faces, *scores)


def _with_landmarks(pairs: list[Pair], result: ApResult) -> GroupScore:
    if any(len(found) and found.landmarks is None for found, _ in pairs):
        return _group(result)
    points = landmark_error(pairs)
    return replace(_group(result), nme=_known(points.nme), nme_faces=points.matched)


def _evaluate_wider(
    detector: Detector, data: Path, max_side: int | None, watch: Watch[FaceSample] | None
) -> WiderScores:
    faces = read_widerface(data)
    # read before an hour of detection, as it may be missing
    ground_truth = widerface.read_ground_truth(faces.file.parent)
    found: dict[str, dict[str, Any]] = {}
    for sample, detections in _detected(detector, faces, max_side, watch):
        found.setdefault(sample.path.parent.name, {})[sample.path.stem] = widerface.as_rows(detections)
    result = widerface.evaluate(found, ground_truth, inference=_inference(detector, max_side))
    scores = (_known(result.easy), _known(result.medium), _known(result.hard))
    return WiderScores(detector.name, str(data), result.protocol, result.pictures, *scores)


def _known(value: float) -> float | None:
    """JSON has no NaN, and unknown is not zero."""
    return None if math.isnan(value) else value


def _without_landmarks(group: GroupScore) -> dict[str, Any]:
    return {name: value for name, value in group.as_dict().items() if not name.startswith("nme")}
