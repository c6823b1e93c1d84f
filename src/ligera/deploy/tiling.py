"""Small objects in large pictures: overlapping tiles at full size, merged with one look at the whole picture.

In: pixels and a function that detects in them. Out: one ``Detections`` for the picture. Memory stays that of one tile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ligera.boxes import nms
from ligera.records import Detections

__all__ = ["detect_tiled", "merge", "tile_corners"]

OVERLAP = 0.25
MERGE_IOU = 0.4
# A box that comes this near to an edge inside the picture was cut there; a neighbour or the whole picture has it all.
CUT_PX = 2.0


def tile_corners(length: int, tile: int) -> list[int]:
    """Where tiles of ``tile`` px start along a side of ``length`` px: evenly spread, at least a quarter shared."""
    if length <= tile:
        return [0]
    step = tile * (1 - OVERLAP)
    count = int(np.ceil((length - tile) / step)) + 1
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]


def _tiles(height: int, width: int, tile: int) -> Iterator[tuple[slice, slice]]:
    for top in tile_corners(height, tile):
        for left in tile_corners(width, tile):
            yield slice(top, min(top + tile, height)), slice(left, min(left + tile, width))


def detect_tiled(
    pixels: np.ndarray,
    tile: int,
    *,
    whole: Callable[[np.ndarray], Detections],
    part: Callable[[np.ndarray], Detections],
) -> Detections:
    """``whole`` on the picture and ``part`` on each tile of ``tile`` px, merged.

    A picture no larger than one tile is only looked at once.
    """
    height, width = pixels.shape[:2]
    found = [whole(pixels)]
    if max(height, width) > tile:
        for rows, columns in _tiles(height, width, tile):
            inside = part(np.ascontiguousarray(pixels[rows, columns]))
            found.append(_uncut(_moved(inside, columns.start, rows.start), rows, columns, height, width))
    return merge(found)


def _moved(found: Detections, left: int, top: int) -> Detections:
    shift = np.array([left, top], np.float32)
    landmarks = None if found.landmarks is None else found.landmarks + shift
    return Detections(found.boxes + np.tile(shift, 2), found.scores, found.labels, found.names, landmarks)


def _uncut(found: Detections, rows: slice, columns: slice, height: int, width: int) -> Detections:
    """The detections that no edge of the tile cuts, unless it is the picture's own edge."""
    cut = np.zeros(len(found), bool)
    if columns.start > 0:
        cut |= found.boxes[:, 0] < columns.start + CUT_PX
    if rows.start > 0:
        cut |= found.boxes[:, 1] < rows.start + CUT_PX
    if columns.stop < width:
        cut |= found.boxes[:, 2] > columns.stop - CUT_PX
    if rows.stop < height:
        cut |= found.boxes[:, 3] > rows.stop - CUT_PX
    return found.take(~cut)


def merge(found: list[Detections]) -> Detections:
    """Several detections of one picture as one: duplicates suppressed at IoU 0.4, best first."""
    boxes = np.concatenate([part.boxes for part in found])
    scores = np.concatenate([part.scores for part in found])
    labels = np.concatenate([part.labels for part in found])
    landmarks = None
    if all(part.landmarks is not None for part in found):
        landmarks = np.concatenate([part.landmarks for part in found])
    kept = nms(boxes, scores, MERGE_IOU)
    return Detections(boxes, scores, labels, found[0].names, landmarks).take(kept)
