"""AP at one IoU: worked examples, a plain loop beside it, ignore regions, sizes and the bootstrap."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from ligera.metrics.average_precision import (
    average_precision,
    average_precision_by_size,
    average_precision_interval,
)
from ligera.records import Detections, Targets

FACE = [10.0, 10.0, 30.0, 30.0]
OTHER = [100.0, 100.0, 140.0, 140.0]
NOWHERE = [200.0, 200.0, 220.0, 220.0]

Pair = tuple[Detections, Targets]
Found = list[tuple[list[float], float]]


def pair(found: Found, faces: list[list[float]], ignore: Sequence[list[float]] = ()) -> Pair:
    boxes = np.array([box for box, _ in found]).reshape(-1, 4)
    scores = np.array([score for _, score in found])
    return Detections(boxes, scores), Targets(np.array(faces).reshape(-1, 4), ignore=np.array(ignore).reshape(-1, 4))


def random_pairs(seed: int, count: int = 12) -> list[Pair]:
    random = np.random.default_rng(seed)
    pairs = []
    for _ in range(count):
        corner = random.uniform(0, 150, (random.integers(0, 6), 2))
        faces = np.hstack([corner, corner + random.uniform(5, 140, corner.shape)])
        near = np.repeat(faces, random.integers(0, 3), axis=0)
        near = near + random.normal(0, 3, near.shape)
        corner = random.uniform(0, 150, (random.integers(0, 8), 2))
        anywhere = np.hstack([corner, corner + random.uniform(5, 140, corner.shape)])
        boxes = np.concatenate([near, anywhere])
        corner = random.uniform(0, 150, (random.integers(0, 3), 2))
        ignore = np.hstack([corner, corner + random.uniform(5, 140, corner.shape)])
        pairs.append((Detections(boxes, random.random(len(boxes))), Targets(faces, ignore=ignore)))
    return pairs


def overlap_area(left: np.ndarray, right: np.ndarray) -> float:
    wide = min(left[2], right[2]) - max(left[0], right[0])
    high = min(left[3], right[3]) - max(left[1], right[1])
    return float(wide * high) if wide > 0 and high > 0 else 0.0


def own_area(box: np.ndarray) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def by_plain_loops(pairs: list[Pair], iou_threshold: float) -> float:
    """AP as the rules read, one detection after the other; scores must be distinct."""
    judged = []
    faces = 0
    for found, targets in pairs:
        free = set(range(len(targets)))
        faces += len(free)
        for row in sorted(range(len(found)), key=lambda row: -found.scores[row]):
            box = found.boxes[row].astype(float)
            best, best_iou = None, iou_threshold
            for face in sorted(free):
                shared = overlap_area(box, targets.boxes[face].astype(float))
                own = shared / (own_area(box) + own_area(targets.boxes[face].astype(float)) - shared)
                if own >= best_iou:
                    best, best_iou = face, own
            if best is not None:
                free.remove(best)
                judged.append((found.scores[row], True))
            elif not any(overlap_area(box, region) >= 0.5 * own_area(box) for region in targets.ignore):
                judged.append((found.scores[row], False))
    judged.sort(key=lambda one: -one[0])
    curve = []
    for count in range(1, len(judged) + 1):
        right = sum(is_right for _, is_right in judged[:count])
        curve.append((right / faces, right / count))
    area = 0.0
    for place, (recall, _) in enumerate(curve):
        before = curve[place - 1][0] if place else 0.0
        area += (recall - before) * max(precision for _, precision in curve[place:])
    return area


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("iou_threshold", [0.3, 0.5, 0.75])
def test_random_pictures_score_as_plain_loops_say(seed: int, iou_threshold: float) -> None:
    pairs = random_pairs(seed)
    wanted = by_plain_loops(pairs, iou_threshold)
    assert average_precision(pairs, iou_threshold).ap == pytest.approx(wanted, abs=1e-9)
    assert 0 < wanted < 1


def test_every_face_found_and_nothing_else_is_one() -> None:
    result = average_precision([pair([(FACE, 0.9), (OTHER, 0.6)], [FACE, OTHER])])
    assert (result.ap, result.recall, result.precision) == (1.0, 1.0, 1.0)
    assert (result.faces, result.pictures) == (2, 1)


def test_a_worked_example() -> None:
    # Right, wrong, right: recall 1/2 at precision 1, then 1 at 2/3.
    result = average_precision([pair([(FACE, 0.9), (NOWHERE, 0.8), (OTHER, 0.3)], [FACE, OTHER])])
    assert result.ap == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert result.recalls.tolist() == pytest.approx([0.5, 0.5, 1.0])
    assert result.precisions.tolist() == pytest.approx([1, 1 / 2, 2 / 3])
    assert result.scores.tolist() == pytest.approx([0.9, 0.8, 0.3])
    assert (result.recall, result.precision) == pytest.approx((0.5, 0.5))


def test_the_operating_score_belongs_to_the_detections_it_admits() -> None:
    pairs = [pair([(FACE, 0.75), (NOWHERE, 0.25)], [FACE])]
    assert average_precision(pairs, operating_score=0.25).precision == pytest.approx(0.5)
    assert average_precision(pairs, operating_score=0.26).precision == 1.0
    silent = average_precision(pairs, operating_score=0.8)
    assert silent.recall == 0.0
    assert math.isnan(silent.precision)


def test_a_second_detection_of_a_face_is_wrong() -> None:
    result = average_precision([pair([(FACE, 0.9), (FACE, 0.8)], [FACE])])
    assert result.precision == 0.5


def test_a_detection_takes_the_free_face_it_overlaps_most() -> None:
    shifted = [14.0, 10.0, 34.0, 30.0]
    result = average_precision([pair([(FACE, 0.9), (FACE, 0.8)], [shifted, FACE])])
    assert result.recall == 1.0


def test_a_stray_detection_half_inside_an_ignore_region_is_left_out() -> None:
    half = [190.0, 190.0, 210.0, 230.0]
    less = [190.0, 190.0, 209.0, 230.0]
    found = [(FACE, 0.9), (NOWHERE, 0.95)]
    assert average_precision([pair(found, [FACE], [half])]).precision == 1.0
    assert average_precision([pair(found, [FACE], [less])]).precision == 0.5


def test_two_ignore_regions_are_not_added_up() -> None:
    parts = [[200.0, 200.0, 208.0, 220.0], [212.0, 200.0, 220.0, 220.0]]
    assert average_precision([pair([(NOWHERE, 0.9)], [FACE], parts)]).precision == 0.0


def test_a_face_inside_an_ignore_region_still_counts() -> None:
    assert average_precision([pair([(FACE, 0.9)], [FACE], [[0, 0, 300, 300]])]).recall == 1.0


def test_equal_scores_enter_together_whatever_the_order_of_pictures() -> None:
    right, wrong = pair([(FACE, 0.5)], [FACE]), pair([(NOWHERE, 0.5)], [FACE])
    assert average_precision([right, wrong]).ap == average_precision([wrong, right]).ap == pytest.approx(0.25)


def test_no_faces_are_unknown_and_not_zero() -> None:
    result = average_precision([pair([(FACE, 0.9)], [])])
    assert math.isnan(result.ap)
    assert math.isnan(result.recall)
    assert result.precision == 0.0
    assert math.isnan(average_precision([]).ap)


def test_nothing_found_is_zero() -> None:
    result = average_precision([pair([], [FACE])])
    assert (result.ap, result.recall) == (0.0, 0.0)


def test_a_box_without_numbers_is_wrong_and_not_dropped() -> None:
    found = Detections(np.array([FACE, [np.nan] * 4]), np.array([0.9, 0.8]))
    assert average_precision([(found, Targets(np.array([FACE])))]).precision == 0.5


def test_more_than_one_class_is_refused() -> None:
    found = Detections(np.array([FACE]), np.array([0.9]), np.array([1]), names=("face", "mask"))
    with pytest.raises(ValueError, match="one class"):
        average_precision([(found, Targets(np.array([FACE])))])


def test_an_impossible_threshold_is_refused() -> None:
    with pytest.raises(ValueError, match="iou_threshold"):
        average_precision([pair([(FACE, 0.9)], [FACE])], 0.0)


def test_the_protocol_names_its_iou() -> None:
    assert average_precision([pair([], [FACE])], 0.75).protocol.startswith("AP@0.75")


def test_sizes_are_scored_apart_and_other_sizes_left_out() -> None:
    small = [300.0, 300.0, 310.0, 310.0]
    found = [(FACE, 0.9), (small, 0.8), ([400.0, 400.0, 408.0, 408.0], 0.95)]
    results = average_precision_by_size(iter([pair(found, [FACE, small, OTHER])]))
    assert list(results) == ["<16 px", "16-32 px", "32-96 px", ">=96 px"]
    assert [result.faces for result in results.values()] == [1, 1, 1, 0]
    assert results["<16 px"].ap == pytest.approx(0.5)
    assert results["16-32 px"].ap == 1.0
    assert results["16-32 px"].precision == 1.0
    assert results["32-96 px"].ap == 0.0
    assert math.isnan(results[">=96 px"].ap)


def test_a_face_of_the_asked_size_is_preferred_to_a_better_fitting_one_of_another_size() -> None:
    asked, bigger = [0.0, 0.0, 31.0, 31.0], [0.0, 0.0, 33.0, 33.0]
    results = average_precision_by_size([pair([(bigger, 0.9)], [asked, bigger])])
    assert results["16-32 px"].recall == 1.0
    assert results["32-96 px"].recall == 1.0


def test_the_bootstrap_holds_the_ap_and_repeats_with_its_seed() -> None:
    pairs = random_pairs(3, count=30)
    interval = average_precision_interval(pairs, rounds=200, seed=1)
    assert interval.ap == average_precision(pairs).ap
    assert interval.low < interval.ap < interval.high
    assert interval == average_precision_interval(pairs, rounds=200, seed=1)
    assert interval != average_precision_interval(pairs, rounds=200, seed=2)
    narrow = average_precision_interval(pairs, rounds=200, seed=1, level=0.5)
    assert interval.low < narrow.low < narrow.high < interval.high


def test_pictures_that_are_all_alike_have_no_spread() -> None:
    pairs = [pair([(FACE, 0.9), (NOWHERE, 0.95)], [FACE])] * 5
    interval = average_precision_interval(pairs, rounds=20)
    assert interval.low == pytest.approx(interval.ap) == pytest.approx(interval.high)


def test_the_bootstrap_of_nothing_is_unknown() -> None:
    assert math.isnan(average_precision_interval([], rounds=5).low)
    with pytest.raises(ValueError, match="level"):
        average_precision_interval([], level=1.0)
