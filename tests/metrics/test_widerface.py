"""The fast evaluation gives what the official rules give when they are followed step by step."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from ligera.errors import DataError
from ligera.metrics.widerface import WiderGroundTruth, WiderPicture, WiderResult, as_rows, evaluate, read_ground_truth
from ligera.records import Detections

from .conftest import picture, random_detections, random_pictures

FACE = [10.0, 10.0, 20.0, 20.0]


def step_by_step(
    detections: Mapping[str, Mapping[str, np.ndarray]], pictures: tuple[WiderPicture, ...], setting: str
) -> float:
    """The official evaluation as its rules read: one detection, one threshold after the other."""
    every_score = [row[4] for one in pictures for row in detections.get(one.event, {}).get(one.name, [])]
    lowest, highest = min(every_score), max(every_score)
    counted_faces = sum(int(one.counted[setting].sum()) for one in pictures)
    proposals, recalled = [0] * 1000, [0] * 1000
    for one in pictures:
        rows = [list(row) for row in detections.get(one.event, {}).get(one.name, [])]
        rows.sort(key=lambda row: -row[4])
        if not rows or not len(one.boxes):
            continue
        history = follow_picture(rows, one.boxes.tolist(), one.counted[setting].tolist())
        for step in range(1000):
            threshold = 1 - (step + 1) / 1000
            passing = [place for place, row in enumerate(rows) if (row[4] - lowest) / (highest - lowest) >= threshold]
            if passing:
                proposals[step] += history[passing[-1]][0]
                recalled[step] += history[passing[-1]][1]
    precision = [right / all_ if all_ else 0.0 for right, all_ in zip(recalled, proposals, strict=True)]
    recall = [right / counted_faces for right in recalled]
    area = 0.0
    for step in range(1000):
        before = recall[step - 1] if step else 0.0
        area += (recall[step] - before) * max(precision[step:])
    return area


def follow_picture(rows: list[list[float]], faces: list[list[float]], counts: list[bool]) -> list[tuple[int, int]]:
    """After each detection: how many of those so far count as proposals, and how many faces are found."""
    found: set[int] = set()
    proposals = 0
    history = []
    for row in rows:
        overlaps = [pixel_iou(row, face) for face in faces]
        best = overlaps.index(max(overlaps))
        if overlaps[best] < 0.5:
            proposals += 1
        elif counts[best]:
            proposals += 1
            found.add(best)
        history.append((proposals, len(found)))
    return history


def pixel_iou(left: list[float], right: list[float]) -> float:
    wide = min(left[0] + left[2], right[0] + right[2]) - max(left[0], right[0]) + 1
    high = min(left[1] + left[3], right[1] + right[3]) - max(left[1], right[1]) + 1
    if wide <= 0 or high <= 0:
        return 0.0
    areas = [(x + w - x + 1) * (y + h - y + 1) for x, y, w, h in (left[:4], right[:4])]
    return wide * high / (areas[0] + areas[1] - wide * high)


def score(pictures: list[WiderPicture], found: dict[str, list[list[float]]]) -> WiderResult:
    rows = {name: np.array(boxes, dtype=np.float64).reshape(-1, 5) for name, boxes in found.items()}
    return evaluate({"0--Parade": rows}, WiderGroundTruth(tuple(pictures)))


@pytest.mark.parametrize("seed", range(6))
def test_random_sets_score_as_the_official_rules_say_step_by_step(seed: int) -> None:
    random = np.random.default_rng(seed)
    pictures = random_pictures(random, 14)
    detections = random_detections(random, pictures, wobble=0.04 + 0.04 * seed)
    result = evaluate(detections, WiderGroundTruth(pictures))
    for setting in ("easy", "medium", "hard"):
        wanted = step_by_step(detections, pictures, setting)
        assert getattr(result, setting) == pytest.approx(wanted, abs=1e-12)
        assert 0 < wanted < 1


def test_real_lists_with_wobbling_detections_score_as_the_official_rules_say(wider_mini) -> None:
    ground_truth = read_ground_truth(wider_mini)
    detections = random_detections(np.random.default_rng(3), ground_truth.pictures, wobble=0.1)
    result = evaluate(detections, ground_truth)
    for setting in ("easy", "medium", "hard"):
        wanted = step_by_step(detections, ground_truth.pictures, setting)
        assert getattr(result, setting) == pytest.approx(wanted, abs=1e-12)


def test_the_real_faces_themselves_score_one(wider_mini) -> None:
    ground_truth = read_ground_truth(wider_mini)
    detections: dict[str, dict[str, np.ndarray]] = {}
    for one in ground_truth.pictures:
        rows = np.column_stack([one.boxes, np.linspace(0.9, 0.5, len(one.boxes))])
        detections.setdefault(one.event, {})[one.name] = rows
    result = evaluate(detections, ground_truth)
    assert (result.easy, result.medium, result.hard) == pytest.approx((1, 1, 1))
    assert (result.pictures, result.missing, result.unknown) == (40, 0, 0)


def test_the_order_of_detections_does_not_matter() -> None:
    random = np.random.default_rng(11)
    pictures = random_pictures(random, 10)
    detections = random_detections(random, pictures, wobble=0.1)
    shuffled = {e: {n: random.permutation(rows) for n, rows in names.items()} for e, names in detections.items()}
    assert evaluate(shuffled, WiderGroundTruth(pictures)) == evaluate(detections, WiderGroundTruth(pictures))


def test_a_second_detection_of_a_face_is_wrong() -> None:
    other = [100.0, 100.0, 20.0, 20.0]
    result = score([picture("a", [FACE, other])], {"a": [[*FACE, 0.9], [*FACE, 0.8], [*other, 0.1]]})
    assert result.easy == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_detections_on_faces_that_a_setting_does_not_count_are_neither_right_nor_wrong() -> None:
    other = [100.0, 100.0, 20.0, 20.0]
    truth = picture("a", [FACE, other], easy=[False, True], hard=[True, True])
    result = score([truth], {"a": [[*FACE, 0.9], [*FACE, 0.8], [*other, 0.1]]})
    assert result.easy == 1.0
    assert result.hard < 1.0


def test_sides_are_one_pixel_longer_than_their_lengths_and_one_half_is_enough() -> None:
    # 5 of 10 columns; by lengths it would be 4 / 9.
    assert score([picture("a", [[0, 0, 9, 9]])], {"a": [[0, 0, 4, 9, 0.9]]}).hard == 1.0
    assert score([picture("a", [[0, 0, 9, 9]])], {"a": [[0, 0, 3.99, 9, 0.9]]}).hard == 0.0


def test_detections_in_a_picture_without_faces_are_passed_over() -> None:
    pictures = [picture("a", [FACE]), picture("empty", [])]
    assert score(pictures, {"a": [[*FACE, 0.5]], "empty": [[*FACE, 0.9]]}).medium == 1.0


def test_pictures_without_an_entry_count_as_nothing_found_and_are_reported() -> None:
    pictures = [picture("a", [FACE]), picture("b", [FACE])]
    result = score(pictures, {"a": [[*FACE, 0.9]], "elsewhere": [[*FACE, 0.9]]})
    assert result.hard == pytest.approx(0.5)
    assert (result.pictures, result.missing, result.unknown) == (2, 1, 1)


def test_entries_outside_the_ground_truth_do_not_shift_the_scores() -> None:
    random = np.random.default_rng(5)
    pictures = random_pictures(random, 9)
    detections = random_detections(random, pictures, wobble=0.1)
    more = {**detections, "9--Other": {"x": np.array([[*FACE, 50.0]])}}
    plain, mixed = (evaluate(d, WiderGroundTruth(pictures)) for d in (detections, more))
    assert (plain.easy, plain.medium, plain.hard) == (mixed.easy, mixed.medium, mixed.hard)
    assert mixed.unknown == 1


def test_detections_of_another_set_are_an_error_that_names_one() -> None:
    with pytest.raises(DataError, match="0--Parade/x"):
        score([picture("a", [FACE])], {"x": [[*FACE, 0.9]]})


def test_nothing_detected_at_all_is_zero() -> None:
    result = evaluate({}, WiderGroundTruth((picture("a", [FACE]),)))
    assert (result.easy, result.hard, result.missing) == (0.0, 0.0, 1)


def test_a_setting_that_counts_no_face_is_unknown_and_not_zero() -> None:
    result = score([picture("a", [FACE], easy=[False])], {"a": [[*FACE, 0.9]]})
    assert math.isnan(result.easy)
    assert result.hard == 1.0


def test_equal_scores_everywhere_are_no_division_by_zero() -> None:
    assert score([picture("a", [FACE])], {"a": [[*FACE, 0.7], [90, 90, 9, 9, 0.7]]}).hard == pytest.approx(0.5)


@pytest.mark.parametrize("rows", [np.zeros((2, 4)), np.zeros(5), np.array([[0, 0, 1, 1, np.nan]])])
def test_arrays_of_another_shape_or_without_numbers_are_refused(rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match="0--Parade/a: expected finite"):
        evaluate({"0--Parade": {"a": rows}}, WiderGroundTruth((picture("a", [FACE]),)))


def test_the_result_says_its_protocol_and_how_detections_were_made() -> None:
    truth = WiderGroundTruth((picture("a", [FACE]),))
    result = evaluate({}, truth, inference="single scale, native size")
    assert "1000 thresholds" in result.protocol
    assert result.protocol.endswith("single scale, native size")


def test_detections_become_corner_and_sides() -> None:
    rows = as_rows(Detections(np.array([[1, 2, 4, 8]]), np.array([0.5])))
    assert rows.tolist() == [[1, 2, 3, 6, 0.5]]
