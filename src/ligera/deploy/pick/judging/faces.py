"""Face detectors judged by average precision at IoU 0.5, as ``eval --protocol ap50`` does it, or WIDER FACE's own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ligera.deploy.pick.judging import Judge, redraws
from ligera.deploy.pick.judging.face_pictures import (
    LOWEST_SCORE,
    FacePictures,
    found_in,
    packed,
    packed_detections,
    read_face_pictures,
    unpacked,
    unpacked_detections,
)
from ligera.errors import UsageError, nearest
from ligera.metrics.average_precision import average_precision_by_size, judge
from ligera.records import Picture

__all__ = ["FaceJudge", "open_faces", "redrawn_ap"]

PROTOCOLS = ("ap50", "widerface")
ROUNDS = 400


def open_faces(data: Path, protocol: str | None) -> Judge:
    """The judge for ``protocol``, by default that of the data's layout, as ``eval`` has it."""
    if protocol is not None and protocol not in PROTOCOLS:
        raise UsageError(f"no protocol {protocol!r}{nearest(protocol, PROTOCOLS)}; known: {', '.join(PROTOCOLS)}")
    pictures = read_face_pictures(data)
    chosen = protocol or ("widerface" if pictures.layout == "widerface" else "ap50")
    if chosen == "ap50":
        return FaceJudge(pictures)
    if pictures.layout != "widerface":
        raise UsageError(
            f"{data}: has RetinaFace labels; the widerface protocol needs WIDER FACE's own layout, or ap50"
        )
    from ligera.deploy.pick.judging.wider import WiderJudge

    return WiderJudge(pictures)


class FaceJudge:
    """AP at IoU 0.5 over labels with ignore regions."""

    metric = "AP50"
    group_name = "long side of faces"

    def __init__(self, pictures: FacePictures) -> None:
        self._pictures = pictures
        self.protocol = f"AP@0.5, all points, ignore regions left out; single scale, scores from {LOWEST_SCORE}"
        self.sha256 = f"ap50-{pictures.digest}"
        self.longest_px, self.areas_px = pictures.longest_px, pictures.areas_px

    def __len__(self) -> int:
        return len(self._pictures.samples)

    def picture(self, row: int) -> Picture:
        return self._pictures.picture(row)

    def look(self, model: Any, rows: Sequence[int], max_side: int | None) -> list[Any]:
        """Boxes and scores, and of the detections that count scores and whether they are right."""
        said = []
        for row, found in zip(rows, found_in(model, self._pictures, rows, max_side), strict=True):
            scores, right = judge([(found, self._pictures.samples[row].targets)])
            said.append([*packed_detections(found), packed(scores, "f8"), packed(right, "?")])
        return said

    def gist(self, row: int, say: Any) -> tuple[np.ndarray, np.ndarray]:
        return unpacked(say[2], "f8"), unpacked(say[3], "?")

    def weigh(self, gists: Mapping[int, Any]) -> tuple[float, np.ndarray]:
        rows = sorted(gists)
        faces = np.array([len(self._pictures.samples[row].targets) for row in rows])
        times = np.concatenate([np.ones((1, len(rows)), np.int64), redraws(len(rows), ROUNDS)])
        scores, right = ([gists[row][part] for row in rows] for part in (0, 1))
        value, *redrawn = redrawn_ap(scores, right, times, faces).tolist()
        return value, np.array(redrawn)

    def groups(self, said: Mapping[int, Any]) -> dict[str, float | None]:
        """AP by the long side of faces."""
        pairs = [(unpacked_detections(say), self._pictures.samples[row].targets) for row, say in said.items()]
        by_size = average_precision_by_size(pairs)
        return {name: None if math.isnan(part.ap) else part.ap for name, part in by_size.items()}


def redrawn_ap(
    scores: Sequence[np.ndarray], right: Sequence[np.ndarray], times: np.ndarray, faces: np.ndarray
) -> np.ndarray:
    """AP of redrawn sets of pictures, ``(R,)``; NaN for one without a face.

    ``scores`` and ``right`` hold, for each of ``P`` pictures, the detections that count and whether each is on a face;
    ``times`` ``(R, P)`` says how often each picture is in a set, ``faces`` ``(P,)`` how many faces it has. Precision
    only ever peaks where a face is found, so the curve is taken at the scores of those detections alone.
    """
    hits = [-np.sort(-own[flags]) for own, flags in zip(scores, right, strict=True)]
    misses = [-np.sort(-own[~flags]) for own, flags in zip(scores, right, strict=True)]
    levels = np.unique(np.concatenate(hits))[::-1]
    weight = times.astype(np.float64)
    found = weight @ _reached(hits, levels)
    counted = found + weight @ _reached(misses, levels)
    precision = np.divide(found, counted, out=np.zeros_like(found), where=counted > 0)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    area = (np.diff(found, axis=1, prepend=0.0) * envelope).sum(axis=1)
    total = weight @ faces
    return np.divide(area, total, out=np.full(len(times), np.nan), where=total > 0)


def _reached(scores: Sequence[np.ndarray], levels: np.ndarray) -> np.ndarray:
    """How many of each picture's ``scores``, highest first, are at ``levels`` ``(K,)`` or above: ``(P, K)``."""
    return np.array([np.searchsorted(-own, -levels, side="right") for own in scores], np.float64).reshape(
        len(scores), len(levels)
    )
