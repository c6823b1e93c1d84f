"""Which prior answers for which face: the IoU rule of RetinaFace and the adaptive rule of ATSS.

In: priors ``(P, 4)`` (centre x, centre y, side, side, px), faces ``(N, 4)`` (x1 y1 x2 y2, px); out: for each prior the
index of its face, ``(P,)`` int64, or BACKGROUND, or NEITHER where it should not be taught at all.
"""

from __future__ import annotations

import numpy as np

from ligera.boxes import iou
from ligera.records import PriorSpec

BACKGROUND = -1
NEITHER = -2


def corners(priors: np.ndarray) -> np.ndarray:
    """Centre form -> ``x1 y1 x2 y2``."""
    half = priors[:, 2:] / 2
    return np.concatenate([priors[:, :2] - half, priors[:, :2] + half], axis=1)


def match_by_iou(priors: np.ndarray, faces: np.ndarray, threshold: float = 0.35, at_least: float = 0.2) -> np.ndarray:
    """RetinaFace's rule: positive where IoU >= ``threshold``, and each face's best prior if it reaches ``at_least``."""
    matched = np.full(len(priors), BACKGROUND, np.int64)
    if not len(faces):
        return matched
    overlap = iou(corners(priors), faces)
    best_face = overlap.argmax(axis=1)
    positive = overlap[np.arange(len(priors)), best_face] >= threshold
    matched[positive] = best_face[positive]
    best_prior = overlap.argmax(axis=0)
    worth = overlap[best_prior, np.arange(len(faces))] >= at_least
    matched[best_prior[worth]] = np.flatnonzero(worth)
    return matched


def match_adaptive(priors: np.ndarray, faces: np.ndarray, spec: PriorSpec, input_size: tuple[int, int]) -> np.ndarray:
    """ATSS (Zhang et al. 2020) with one prior per cell: each level's 3 x 3 cells around a face's centre are candidates.

    Positive are candidates whose IoU reaches the mean plus one standard deviation of that face's candidates and whose
    centre lies in the face (or in one cell around its centre, for faces smaller than a cell). Each face keeps its best
    candidate whatever its IoU; a prior wanted by several faces goes to the one it overlaps most.
    """
    matched = np.full(len(priors), BACKGROUND, np.int64)
    if not len(faces):
        return matched
    candidates, strides = _candidates(faces, spec, input_size)
    boxes = corners(priors[candidates.ravel()]).reshape(*candidates.shape, 4)
    overlap = _pairwise(boxes, faces[:, None, :])
    threshold = overlap.mean(axis=1) + overlap.std(axis=1)
    centre = (faces[:, :2] + faces[:, 2:]) / 2
    reach = np.maximum((faces[:, 2:] - faces[:, :2])[:, None, :], strides[None, :, None]) / 2
    inside = (np.abs(priors[candidates][..., :2] - centre[:, None, :]) <= reach).all(axis=2)
    positive = inside & (overlap >= threshold[:, None])
    positive[np.arange(len(faces)), overlap.argmax(axis=1)] = True
    face, place = np.nonzero(positive)
    order = np.argsort(overlap[face, place], kind="stable")
    matched[candidates[face, place][order]] = face[order]
    return matched


def leave_out(matched: np.ndarray, ignore: np.ndarray, spec: PriorSpec, input_size: tuple[int, int]) -> np.ndarray:
    """``matched`` with NEITHER in place of BACKGROUND wherever a prior's centre lies in an ignore region."""
    if not len(ignore):
        return matched
    changed, first = matched.copy(), 0
    for stride, sizes in zip(spec.strides, spec.sizes, strict=True):
        rows, columns = -(-input_size[0] // stride), -(-input_size[1] // stride)
        cells = changed[first : first + rows * columns * len(sizes)].reshape(rows, columns, len(sizes))
        first += cells.size
        low = np.ceil(ignore[:, :2] / stride - 0.5).astype(int).clip(min=0)
        high = np.floor(ignore[:, 2:] / stride - 0.5).astype(int) + 1
        for (x1, y1), (x2, y2) in zip(low.tolist(), high.tolist(), strict=True):
            part = cells[y1 : max(y1, y2), x1 : max(x1, x2)]
            part[part == BACKGROUND] = NEITHER
    return changed


def _candidates(faces: np.ndarray, spec: PriorSpec, input_size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Prior indices ``(N, 9 * levels)`` and the stride of each column."""
    height, width = input_size
    centre = (faces[:, :2] + faces[:, 2:]) / 2
    near = np.array([(dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
    columns, first = [], 0
    for stride in spec.strides:
        wide, high = -(-width // stride), -(-height // stride)
        cell = np.clip((centre // stride).astype(np.int64), 0, [wide - 1, high - 1])
        around = np.clip(cell[:, None, :] + near, 0, [wide - 1, high - 1])
        columns.append(first + around[..., 1] * wide + around[..., 0])
        first += wide * high
    return np.concatenate(columns, axis=1), np.repeat(np.array(spec.strides, np.float32), len(near))


def _pairwise(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    corner = np.maximum(left[..., :2], right[..., :2])
    sides = np.clip(np.minimum(left[..., 2:], right[..., 2:]) - corner, 0, None)
    overlap = sides[..., 0] * sides[..., 1]
    union = (
        np.prod(left[..., 2:] - left[..., :2], axis=-1) + np.prod(right[..., 2:] - right[..., :2], axis=-1) - overlap
    )
    return overlap / np.maximum(union, 1e-9)
