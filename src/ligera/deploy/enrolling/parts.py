"""Faces split into training, validation and test so that nothing leaks from one part to another.

In: :class:`Faces`. Out: rows of each part. Near-duplicates, as burst shots and copies are, and their mirror images stay
together; photos of one of the other people stay together too, so that a threshold is judged on people never seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ligera.deploy.enrolling.photos import Faces
from ligera.errors import DataError

__all__ = ["Parts", "near_duplicates", "split_faces"]

# Scalar product of two faces' thumbs from which on they are one; where the whole pictures are one, ALIKE will do. The
# whole picture alone says little: people photographed before one wall are still different people.
SAME, ALIKE = 0.985, 0.9
SHARES = (0.6, 0.2, 0.2)
FEWEST = 3
BLOCK = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Rows of the faces for each part, ascending; ``contrary`` rows stand on both sides and are in none of them.

    ``duplicates`` counts the faces that are a near-duplicate of an earlier one.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    contrary: np.ndarray
    duplicates: int


def split_faces(faces: Faces, seed: int, shares: tuple[float, float, float] = SHARES) -> Parts:
    """Every person's faces, and those of others, in three parts of ``shares``.

    Raises ``DataError`` where a person, or the others, have not enough different photos to be in each part.
    """
    labels = faces.labels
    clusters = near_duplicates(faces.thumbs)
    contrary = _contrary(clusters, labels)
    groups = _with_people(clusters, faces, labels)
    random = np.random.default_rng(seed)
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for label in np.unique(labels):
        rows = np.flatnonzero((labels == label) & ~contrary)
        members = [rows[groups[rows] == group] for group in np.unique(groups[rows])]
        if len(members) < FEWEST:
            who = faces.names[label] if label >= 0 else "other people"
            raise DataError(
                f"{who}: {len(members)} different photo{'s' * (len(members) != 1)} with a face, expected "
                f"{FEWEST} or more of different moments{'' if label >= 0 else ' and people'}; give more photos"
            )
        _share_out([members[i] for i in random.permutation(len(members))], shares, parts)
    train, validation, test = (np.array(sorted(part), np.int64) for part in parts)
    return Parts(train, validation, test, np.flatnonzero(contrary), int(len(clusters) - len(np.unique(clusters))))


def _share_out(members: list[np.ndarray], shares: tuple[float, ...], parts: tuple[list[int], ...]) -> None:
    """Each group of rows to the part that lacks most of its share; the first three to one each."""
    total = sum(map(len, members))
    given = [0] * len(parts)
    # large groups first: a small one always fits somewhere
    for number, rows in enumerate(sorted(members, key=len, reverse=True)):
        lacking = [share * total - count for share, count in zip(shares, given, strict=True)]
        place = number if number < len(parts) else int(np.argmax(lacking))
        parts[place].extend(rows.tolist())
        given[place] += len(rows)


def near_duplicates(thumbs: np.ndarray) -> np.ndarray:
    """``(N,)`` int64: a number for each cluster of near-duplicates among ``thumbs (N, 2, T)``."""
    count, kinds, cells = thumbs.shape
    side = round(cells**0.5)
    mirrored = thumbs.reshape(count, kinds, side, side)[..., ::-1].reshape(thumbs.shape)
    parent = np.arange(count)
    for first, second in _pairs(thumbs, mirrored):
        a, b = _root(parent, first), _root(parent, second)
        parent[max(a, b)] = min(a, b)
    return np.array([_root(parent, row) for row in range(count)], np.int64)


def _pairs(thumbs: np.ndarray, mirrored: np.ndarray) -> Iterator[tuple[int, int]]:
    """Rows that look the same, a block of the ``(N, N)`` comparisons at a time."""
    for start in range(0, len(thumbs), BLOCK):
        block = thumbs[start : start + BLOCK]
        for shown in (thumbs, mirrored):
            picture, face = (block[:, kind] @ shown[:, kind].T for kind in range(2))
            for row, other in np.argwhere((face >= SAME) | ((picture >= SAME) & (face >= ALIKE))):
                if other < start + row:
                    yield int(start + row), int(other)


def _root(parent: np.ndarray, row: int) -> int:
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = int(parent[row])
    return row


def _contrary(clusters: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """``(N,)`` bool: faces of which a near-duplicate is said to be somebody else."""
    mixed = [cluster for cluster in np.unique(clusters) if len(np.unique(labels[clusters == cluster])) > 1]
    return np.isin(clusters, mixed)


def _with_people(clusters: np.ndarray, faces: Faces, labels: np.ndarray) -> np.ndarray:
    """Clusters joined where others' photos are of one person."""
    parent = np.arange(len(clusters))
    first: dict[object, int] = {}
    for row, sighting in enumerate(faces.sightings):
        keys: list[object] = [int(clusters[row])]
        if labels[row] < 0:
            keys.append(sighting.person)
        for key in keys:
            a, b = _root(parent, first.setdefault(key, row)), _root(parent, row)
            parent[max(a, b)] = min(a, b)
    return np.array([_root(parent, row) for row in range(len(clusters))], np.int64)
