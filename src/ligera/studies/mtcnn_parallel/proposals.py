"""What a P-Net proposes on pictures, as the paper's table 2 counts it, and what it says where there is no face.

In: a bundle that begins with P-Net, and pictures with their faces. Out: ``Proposed``. Pyramid, least score, suppression
in each level and across levels are the paper's; offsets are applied as the cascade does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ligera.boxes import iou
from ligera.data.faces import FaceSample, read_retinaface
from ligera.data.pictures import read_picture
from ligera.deploy.cascade.engine import rule_from_metadata
from ligera.deploy.cascade.stages import Cascade
from ligera.deploy.opening import open_bundle
from ligera.errors import DataError, ModelError
from ligera.models.area import AreaSums
from ligera.models.cascade import CascadeRule, cells_along, level_size, pyramid_scales

POSITIVE_IOU, PART_IOU = 0.5, 0.3
PAIRS_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Proposed:
    """Over all judged pictures with faces: boxes left by suppression, of which kinds, their IoU with the nearest face.

    ``passed`` and ``passed_without`` are the shares of cells that reach the score, in pictures with faces and in such
    without any (NaN where none were given). ``covered``: the share of faces, as large as is sought, that some box meets
    with an IoU of 0.5 or more.
    """

    boxes: int
    positive: int
    part: int
    negative: int
    least_iou: float
    largest_iou: float
    mean_iou: float
    passed: float
    passed_without: float
    covered: float
    pictures: int
    pictures_without: int


def judged_samples(folder: Path, count: int) -> tuple[list[FaceSample], list[FaceSample]]:
    """Up to ``count`` pictures with faces and as many without, evenly chosen; ``DataError`` for no face at all."""
    samples = read_retinaface(folder).samples
    with_faces = [sample for sample in samples if len(sample.targets)]
    if not with_faces:
        raise DataError(f"{folder}: holds no picture with a face to search for proposals")
    without = [sample for sample in samples if not len(sample.targets) and not len(sample.targets.ignore)]
    return _evenly(with_faces, count), _evenly(without, count)


def judge(
    bundle: Path, samples: tuple[Sequence[FaceSample], Sequence[FaceSample]], score: float, nms_iou: float
) -> Proposed:
    """What the P-Net in ``bundle`` proposes on ``samples``, with and without faces; ``ModelError`` for no cascade."""
    opened = open_bundle(bundle, threads=1)
    try:
        rule = rule_from_metadata(opened.runtime.metadata, opened.card.name)
        if rule is None:
            raise ModelError(f"{bundle}: is no cascade; give a bundle of MTCNN, as `ligera export` makes of its runs")
        rule = replace(rule, stages=1, level_iou=nms_iou, proposal_iou=nms_iou)
        return _judged(opened.runtime, rule, samples, score)
    finally:
        opened.runtime.close()


def _judged(runtime, rule: CascadeRule, samples, score: float) -> Proposed:  # type: ignore[no-untyped-def]
    kept = Cascade(runtime, rule)
    # At an IoU of 1 nothing is suppressed: what is left is what reached the score.
    every = Cascade(runtime, replace(rule, level_iou=1.0, proposal_iou=1.0))
    ious, met, counts = [], [], np.zeros((2, 2), np.int64)
    for place, group in enumerate(samples):
        for sample in group:
            table = AreaSums(read_picture(sample.path).pixels)
            counts[place] += len(every.propose([table], score)[0]), _cells(table, rule)
            if place == 0:
                boxes = kept.propose([table], score)[0].boxes
                own, faces = _overlaps(boxes, sample, rule.min_face_px)
                ious.append(own)
                met.append(faces)
    passed = [float(through / cells) if cells else float("nan") for through, cells in counts]
    return _summed(np.concatenate(ious), np.concatenate(met), passed, [len(group) for group in samples])


def _summed(ious: np.ndarray, met: np.ndarray, passed: Sequence[float], pictures: Sequence[int]) -> Proposed:
    positive, part = int((ious >= POSITIVE_IOU).sum()), int(((ious >= PART_IOU) & (ious < POSITIVE_IOU)).sum())
    figures = (ious.min(), ious.max(), ious.mean()) if len(ious) else (np.nan,) * 3
    return Proposed(
        len(ious),
        positive,
        part,
        len(ious) - positive - part,
        *map(float, figures),
        *passed,
        float((met >= POSITIVE_IOU).mean()) if len(met) else float("nan"),
        *pictures,
    )


def _cells(table: AreaSums, rule: CascadeRule) -> int:
    """How many cells P-Net has on all levels of a picture."""
    sizes = (level_size(table.height, table.width, s) for s in pyramid_scales(table.height, table.width, rule))
    return sum(cells_along(rows) * cells_along(columns) for rows, columns in sizes)


def _overlaps(boxes: np.ndarray, sample: FaceSample, least_px: float) -> tuple[np.ndarray, np.ndarray]:
    """The best IoU of each box with a face ``(N,)``, and of each face of ``least_px`` or more with a box."""
    faces = np.asarray(sample.targets.boxes)
    best, met = [np.zeros(0, np.float32)], np.zeros(len(faces), np.float32)
    step = max(1, PAIRS_AT_ONCE // len(faces))
    for start in range(0, len(boxes), step):
        part = iou(boxes[start : start + step], faces)
        best.append(part.max(axis=1))
        met = np.maximum(met, part.max(axis=0))
    large = (faces[:, 2:] - faces[:, :2]).max(axis=1) >= least_px
    return np.concatenate(best), met[large]


def _evenly(samples: Sequence[FaceSample], count: int) -> list[FaceSample]:
    return [samples[i] for i in np.linspace(0, len(samples) - 1, min(count, len(samples))).astype(int)]
