"""Face detectors judged by WIDER FACE's official protocol: the hard setting decides, as it counts all faces."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ligera.deploy.pick.judging import redraws
from ligera.deploy.pick.judging.face_pictures import (
    LOWEST_SCORE,
    FacePictures,
    found_in,
    packed_detections,
    unpacked_detections,
)
from ligera.errors import DataError
from ligera.metrics import widerface
from ligera.records import Picture

__all__ = ["WiderJudge"]

# The official matching is done anew for each round, so large sets get fewer.
MOST_ROUNDS, FEWEST_ROUNDS, PICTURES_IN_ALL = 200, 40, 20_000


class WiderJudge:
    """AP of the hard setting; easy and medium stand beside it."""

    metric = "AP hard"
    group_name = "setting"

    def __init__(self, pictures: FacePictures) -> None:
        self._pictures = pictures
        self._truth = widerface.read_ground_truth(pictures.file.parent)
        places = {(picture.event, picture.name): picture for picture in self._truth.pictures}
        names = [(sample.path.parent.name, sample.path.stem) for sample in pictures.samples]
        missing = next((name for name in names if name not in places), None)
        if missing is not None:
            raise DataError(
                f"{self._truth.source}: does not list {missing[0]}/{missing[1]}, which {pictures.file} does"
            )
        self._known = [places[name] for name in names]
        self.protocol = f"WIDER FACE official, hard; single scale, scores from {LOWEST_SCORE}"
        self.sha256 = f"widerface-{pictures.digest}"
        self.longest_px, self.areas_px = pictures.longest_px, pictures.areas_px

    def __len__(self) -> int:
        return len(self._known)

    def picture(self, row: int) -> Picture:
        return self._pictures.picture(row)

    def look(self, model: Any, rows: Sequence[int], max_side: int | None) -> list[Any]:
        return [packed_detections(found) for found in found_in(model, self._pictures, rows, max_side)]

    def gist(self, row: int, say: Any) -> Any:
        return say

    def weigh(self, gists: Mapping[int, Any]) -> tuple[float, np.ndarray]:
        found, known = self._found(gists), [self._known[row] for row in sorted(gists)]
        rounds = min(MOST_ROUNDS, max(FEWEST_ROUNDS, PICTURES_IN_ALL // len(known)))
        sets = (np.repeat(np.arange(len(known)), times) for times in redraws(len(known), rounds))
        redrawn = [self._result(found, [known[place] for place in places]).hard for places in sets]
        return self._result(found, known).hard, np.array(redrawn)

    def groups(self, said: Mapping[int, Any]) -> dict[str, float | None]:
        """AP of the three settings."""
        result = self._result(self._found(said), [self._known[row] for row in sorted(said)])
        values = {setting: getattr(result, setting) for setting in ("easy", "medium", "hard")}
        return {name: None if math.isnan(value) else value for name, value in values.items()}

    def _found(self, said: Mapping[int, Any]) -> dict[str, dict[str, np.ndarray]]:
        found: dict[str, dict[str, np.ndarray]] = {}
        for row, own in said.items():
            known = self._known[row]
            found.setdefault(known.event, {})[known.name] = widerface.as_rows(unpacked_detections(own))
        return found

    def _result(self, found: Mapping[str, Mapping[str, np.ndarray]], pictures: list[Any]) -> widerface.WiderResult:
        return widerface.evaluate(found, replace(self._truth, pictures=tuple(pictures)))
