"""Which boxes are positive, part, negative or nothing."""

import numpy as np
import pytest

from ligera.data.crops import KINDS
from ligera.deploy.mining.labelling import NO_KIND, label
from ligera.deploy.mining.settings import MineSettings
from ligera.records import Targets

FACE = [100.0, 100.0, 200.0, 200.0]


def kinds(boxes: list[list[float]], targets: Targets, **changes: object) -> list[str]:
    settings = MineSettings(12, least_face_px=20, **changes)  # type: ignore[arg-type]
    codes = label(np.array(boxes, np.float32).reshape(-1, 4), targets, settings).kinds
    return ["none" if code == NO_KIND else KINDS[code] for code in codes]


def overlapping(iou: float, face: list[float] | None = None) -> list[float]:
    """A box as large as the face, moved aside until the IoU is that."""
    x1, y1, x2, y2 = face or FACE
    aside = (x2 - x1) * (1 - iou) / (1 + iou)
    return [x1 + aside, y1, x2 + aside, y2]


def test_thresholds_are_those_of_zhang_with_a_gap_between_negatives_and_parts() -> None:
    boxes = [overlapping(iou) for iou in (0.0, 0.29, 0.35, 0.41, 0.64, 0.66, 1.0)]
    wanted = ["negative", "negative", "none", "part", "part", "positive", "positive"]
    assert kinds(boxes, Targets(np.array([FACE]))) == wanted


def test_with_the_paper_s_own_thresholds_there_is_no_gap() -> None:
    boxes = [overlapping(iou) for iou in (0.29, 0.31, 0.49, 0.51)]
    named = {"positive_iou": 0.5, "part_iou": 0.3}
    assert kinds(boxes, Targets(np.array([FACE])), **named) == ["negative", "part", "part", "positive"]


def test_nothing_in_an_ignore_region_is_a_negative_nor_a_positive() -> None:
    region = [[300, 300, 400, 400]]
    targets = Targets(np.array([FACE]), ignore=np.array(region))
    # the region itself, a piece of it, a box a third of which it covers
    assert kinds([region[0], [310, 310, 330, 330], [334, 300, 434, 400]], targets) == ["none"] * 3
    # far larger than the region, as a negative may hold a small face; and one beside it
    assert kinds([[200, 250, 500, 550], [400, 300, 500, 400]], targets) == ["negative", "negative"]


def test_a_face_within_an_ignored_crowd_is_still_a_face() -> None:
    targets = Targets(np.array([FACE]), ignore=np.array([[0, 0, 600, 400]]))
    assert kinds([FACE, overlapping(0.5), [300, 100, 400, 200]], targets) == ["positive", "part", "none"]


def test_what_an_ignore_region_explains_better_than_a_face_is_nothing() -> None:
    targets = Targets(np.array([FACE]), ignore=np.array([overlapping(0.7)]))
    assert kinds([overlapping(0.7), FACE], targets) == ["none", "positive"]


def test_a_tiny_face_is_neither_positive_nor_background() -> None:
    tiny = [10.0, 10.0, 28.0, 28.0]
    targets = Targets(np.array([FACE, tiny]))
    assert kinds([tiny, overlapping(0.5, tiny), FACE], targets) == ["none", "none", "positive"]
    settings = MineSettings(12, least_face_px=18)
    assert label(np.array([tiny], np.float32), targets, settings).kinds.tolist() == [KINDS.index("positive")]


def test_the_nearest_face_is_named_by_its_row_even_behind_tiny_ones() -> None:
    tiny, other = [0.0, 0.0, 5.0, 5.0], [300.0, 0.0, 400.0, 100.0]
    targets = Targets(np.array([tiny, FACE, other]))
    settings = MineSettings(12, least_face_px=20)
    labels = label(np.array([other, FACE, [600, 600, 700, 700]], np.float32), targets, settings)
    assert labels.faces.tolist() == [2, 1, -1]
    np.testing.assert_allclose(labels.ious, [1, 1, 0])


@pytest.mark.parametrize("count", [0, 1, 5000])
def test_any_number_of_boxes_is_labelled_alike(count: int) -> None:
    boxes = np.tile(np.array([FACE, [0, 0, 50, 50]], np.float32), (count, 1))
    labels = label(boxes, Targets(np.array([FACE])), MineSettings(12))
    assert labels.kinds.tolist() == [KINDS.index("positive"), KINDS.index("negative")] * count


def test_a_picture_without_faces_gives_negatives_alone() -> None:
    assert kinds([FACE, [0, 0, 9, 9]], Targets(np.zeros((0, 4)))) == ["negative"] * 2
