"""Layout detectors judged by COCO average precision, of masks where all regions have outlines, of boxes otherwise."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ligera.data.check import detect_format
from ligera.data.coco import read_coco
from ligera.data.pagexml import read_pagexml
from ligera.data.pictures import read_picture
from ligera.deploy.pick.judging import redraws
from ligera.errors import DataError, PictureError, UsageError
from ligera.metrics import coco
from ligera.records import Detections, Picture

__all__ = ["PageJudge"]

# As ``eval`` has it.
LOWEST_SCORE = 0.05
# Outlines are matched anew for each, which takes most of a second over a few pages.
ROUNDS = 30


class PageJudge:
    """Mean AP over IoU 0.50 to 0.95 and the classes of the data; a model without one of them finds nothing of it."""

    group_name = "class"

    def __init__(self, data: Path) -> None:
        layout = detect_format(data)
        if layout not in ("coco", "pagexml"):
            raise UsageError(f"{data}: holds {layout} data; pages with regions are COCO instances or PAGE XML")
        pages = read_coco(data) if layout == "coco" else read_pagexml(data)
        if not pages.region_count:
            raise DataError(f"{data}: holds no labelled region; a layout detector's accuracy cannot be told from it")
        self._pages = pages.pages
        self._names = tuple(name for name in pages.names if any(name == r.name for p in pages.pages for r in p.regions))
        outlined = all(region.polygons or region.mask is not None for page in pages.pages for region in page.regions)
        self._kind: coco.Kind = "mask" if outlined else "box"
        self.metric = f"{self._kind} AP"
        self.protocol = f"COCO {self._kind} AP, IoU 0.50:0.95, of {', '.join(self._names)}; scores from {LOWEST_SCORE}"
        self.areas_px = np.array([page.width * page.height for page in self._pages])
        self.longest_px = max(max(page.width, page.height) for page in self._pages)
        self.sha256 = f"{self._kind}-{_digest(pages.file, self._pages)}"

    def __len__(self) -> int:
        return len(self._pages)

    def picture(self, row: int) -> Picture:
        page = self._pages[row]
        picture = read_picture(page.path)
        if (picture.width, picture.height) != (page.width, page.height):
            got = f"{picture.width} x {picture.height} px"
            raise PictureError(f"{page.path}: is {got}, but annotated as {page.width} x {page.height}")
        return picture

    def look(self, model: Any, rows: Sequence[int], max_side: int | None) -> list[Any]:
        return [model.detect(self.picture(row), score=LOWEST_SCORE, max_side=max_side).rows() for row in rows]

    def gist(self, row: int, say: Any) -> Any:
        return say

    def weigh(self, gists: Mapping[int, Any]) -> tuple[float, np.ndarray]:
        pairs = self._pairs(gists)
        sets = (np.repeat(np.arange(len(pairs)), times) for times in redraws(len(pairs), ROUNDS))
        redrawn = [self._result([pairs[place] for place in places]).overall.ap for places in sets]
        return self._result(pairs).overall.ap, np.array(redrawn)

    def groups(self, said: Mapping[int, Any]) -> dict[str, float | None]:
        """AP of each class."""
        by_class = self._result(self._pairs(said)).by_class
        return {name: None if math.isnan(scores.ap) else scores.ap for name, scores in by_class.items()}

    def _pairs(self, said: Mapping[int, Any]) -> list[Any]:
        return [(self._detections(said[row]), self._pages[row]) for row in sorted(said)]

    def _detections(self, rows: Sequence[Mapping[str, Any]]) -> Detections:
        known = [row for row in rows if row["label"] in self._names]
        polygons = tuple(tuple(np.array(part, np.float64) for part in row["polygon"]) for row in known)
        return Detections(
            np.array([row["box"] for row in known], np.float32).reshape(-1, 4),
            np.array([row["score"] for row in known], np.float32),
            np.array([self._names.index(row["label"]) for row in known], np.int64),
            self._names,
            polygons=polygons,
        )

    def _result(self, pairs: Sequence[Any]) -> coco.CocoResult:
        return coco.evaluate(pairs, self._names, kind=self._kind)


def _digest(file: Path, pages: Sequence[Any]) -> str:
    annotations = [file] if file.is_file() else sorted(path for path in file.rglob("*.xml") if path.is_file())
    digest = hashlib.sha256()
    for path in (*annotations, *(page.path for page in pages)):
        try:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()
