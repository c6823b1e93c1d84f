"""Box arithmetic equals torchvision's or a plain loop, also where boxes are many, strange or equal."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ligera.boxes import area, clip, iou, nms, soft_nms


def scattered(random: np.random.Generator, count: int, span: float, longest: float) -> np.ndarray:
    corner = random.uniform(0, span, (count, 2))
    return np.hstack([corner, corner + random.uniform(1, longest, (count, 2))]).astype(np.float32)


def crowded(random: np.random.Generator, count: int, spots: int) -> np.ndarray:
    """Wobbling copies of ``spots`` boxes."""
    spot = scattered(random, spots, 400, 80)
    boxes = spot[random.integers(0, spots, count)] + random.normal(0, 3, (count, 4)).astype(np.float32)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    return boxes


def overlap(left: np.ndarray, right: np.ndarray) -> float:
    """IoU as written in a textbook."""
    wide = max(0.0, min(left[2], right[2]) - max(left[0], right[0]))
    high = max(0.0, min(left[3], right[3]) - max(left[1], right[1]))
    shared = wide * high
    areas = [max(0.0, b[2] - b[0]) * max(0.0, b[3] - b[1]) for b in (left, right)]
    together = areas[0] + areas[1] - shared
    return shared / together if together > 0 else 0.0


def kept_by_plain_loop(boxes: np.ndarray, scores: np.ndarray, iou_threshold: float) -> list[int]:
    kept: list[int] = []
    for place in sorted(range(len(boxes)), key=lambda place: -scores[place]):
        if all(overlap(boxes[place], boxes[other]) <= iou_threshold for other in kept):
            kept.append(place)
    return kept


def kept_by_torchvision(boxes: np.ndarray, scores: np.ndarray, iou_threshold: float) -> np.ndarray:
    torch = pytest.importorskip("torch")
    torchvision = pytest.importorskip("torchvision")
    return torchvision.ops.nms(torch.from_numpy(boxes), torch.from_numpy(scores), iou_threshold).numpy()


def whole_boxes(count: int) -> st.SearchStrategy[np.ndarray]:
    """Boxes on a coarse grid: many equal, touching, nested or empty, overlaps that are simple fractions."""
    corner = arrays(np.float32, (count, 2), elements=st.integers(0, 12).map(float))
    sides = arrays(np.float32, (count, 2), elements=st.integers(0, 8).map(float))
    return st.tuples(corner, sides).map(lambda pair: np.hstack([pair[0], pair[0] + pair[1]]))


def test_overlap_of_every_pair_equals_torchvision() -> None:
    torch = pytest.importorskip("torch")
    ops = pytest.importorskip("torchvision").ops
    random = np.random.default_rng(0)
    left, right = scattered(random, 200, 100, 60), scattered(random, 150, 100, 60)
    wanted = ops.box_iou(torch.from_numpy(left), torch.from_numpy(right)).numpy()
    np.testing.assert_allclose(iou(left, right), wanted, rtol=1e-6, atol=1e-7)
    assert (wanted > 0.5).sum() > 50


def test_overlap_of_empty_boxes_is_zero() -> None:
    boxes = np.array([[5, 5, 5, 5], [0, 0, 10, 10], [8, 8, 2, 2]], dtype=np.float32)
    wanted = np.zeros((3, 3))
    wanted[1, 1] = 1
    np.testing.assert_array_equal(iou(boxes, boxes), wanted)


def test_area_counts_negative_sides_as_nothing() -> None:
    assert area(np.array([[0, 0, 2, 3], [2, 2, 1, 1], [1, 1, 0, 9]], dtype=np.float32)).tolist() == [6, 0, 0]


def test_clipping_equals_torchvision() -> None:
    torch = pytest.importorskip("torch")
    ops = pytest.importorskip("torchvision").ops
    boxes = np.random.default_rng(1).uniform(-50, 200, (300, 4)).astype(np.float32)
    clipped = clip(boxes, 120, 90)
    np.testing.assert_array_equal(clipped, ops.clip_boxes_to_image(torch.from_numpy(boxes), (90, 120)).numpy())
    assert clipped[:, [0, 2]].max() == 120


@pytest.mark.parametrize("iou_threshold", [0.0, 0.1, 0.4, 0.5, 0.75, 0.99, 1.0])
@pytest.mark.parametrize("make", [lambda r: scattered(r, 3000, 300, 40), lambda r: crowded(r, 3000, 40)])
def test_suppression_equals_torchvision(make: Callable, iou_threshold: float) -> None:
    random = np.random.default_rng(2)
    boxes = make(random)
    scores = random.random(len(boxes)).astype(np.float32)
    np.testing.assert_array_equal(nms(boxes, scores, iou_threshold), kept_by_torchvision(boxes, scores, iou_threshold))


@pytest.mark.parametrize("longest", [3, 30, 3000])
def test_suppression_equals_torchvision_over_all_sizes(longest: float) -> None:
    random = np.random.default_rng(3)
    sides = longest ** random.random((4000, 2))
    corner = random.uniform(-200, 200, (4000, 2))
    boxes = np.hstack([corner, corner + sides]).astype(np.float32)
    scores = random.random(4000).astype(np.float32)
    for iou_threshold in (0.02, 0.3, 0.7):
        np.testing.assert_array_equal(
            nms(boxes, scores, iou_threshold), kept_by_torchvision(boxes, scores, iou_threshold)
        )


@pytest.mark.parametrize("batch", [1, 50, 2000])
@pytest.mark.parametrize("make", [lambda r: scattered(r, 1500, 200, 60), lambda r: crowded(r, 1500, 20)])
def test_the_size_of_batches_changes_nothing(make: Callable, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(8)
    boxes = make(random)
    scores = random.random(len(boxes)).astype(np.float32)
    monkeypatch.setattr("ligera.boxes._SMALL", 16)
    monkeypatch.setattr("ligera.boxes._FEW_PAIRS", 0)
    monkeypatch.setattr("ligera.boxes._BATCH", batch)
    for iou_threshold in (0.0, 0.3, 0.7):
        np.testing.assert_array_equal(
            nms(boxes, scores, iou_threshold), kept_by_torchvision(boxes, scores, iou_threshold)
        )


@pytest.mark.parametrize("iou_threshold", [0.2, 0.25, 0.4, 0.5, 0.6])
def test_overlaps_equal_to_the_threshold_and_tied_scores_fall_as_in_torchvision(iou_threshold: float) -> None:
    random = np.random.default_rng(4)
    corner = random.integers(0, 40, (2500, 2))
    boxes = np.hstack([corner, corner + random.integers(1, 12, (2500, 2))]).astype(np.float32)
    scores = (random.integers(0, 5, 2500) / 5).astype(np.float32)
    np.testing.assert_array_equal(nms(boxes, scores, iou_threshold), kept_by_torchvision(boxes, scores, iou_threshold))


@given(
    whole_boxes(30),
    arrays(np.float64, 30, elements=st.sampled_from([0.1, 0.5, 0.9])),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
)
def test_suppression_equals_a_plain_loop(boxes: np.ndarray, scores: np.ndarray, iou_threshold: float) -> None:
    exact = boxes.astype(np.float64)
    assert nms(exact, scores, iou_threshold).tolist() == kept_by_plain_loop(exact, scores, iou_threshold)


def test_a_limit_keeps_the_same_boxes_but_fewer() -> None:
    random = np.random.default_rng(5)
    boxes, scores = scattered(random, 3000, 500, 40), random.random(3000)
    everything = nms(boxes, scores, 0.4)
    for limit in (0, 1, 7, 250, len(everything), 5000):
        np.testing.assert_array_equal(nms(boxes, scores, 0.4, limit), everything[:limit])


def test_boxes_without_area_or_without_numbers_suppress_nothing_and_stay() -> None:
    strange = [[5, 5, 5, 9], [8, 8, 2, 2], [np.nan, 0, 9, 9], [0, 0, np.inf, 9], [np.nan] * 4]
    boxes = np.array([[0, 0, 10, 10], *strange, [0, 0, 10, 9]], dtype=np.float32)
    scores = np.linspace(0.9, 0.3, len(boxes))
    assert nms(boxes, scores, 0.5).tolist() == [0, 1, 2, 3, 4, 5]
    assert nms(boxes, scores, 0.5, limit=3).tolist() == [0, 1, 2]


def test_scores_without_numbers_come_last() -> None:
    boxes = np.array([[0, 0, 5, 5], [20, 0, 25, 5], [40, 0, 45, 5]], dtype=np.float32)
    assert nms(boxes, np.array([np.nan, 0.2, 0.8]), 0.5).tolist() == [2, 1, 0]


def test_no_boxes_leave_no_boxes() -> None:
    kept = nms(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 0.5)
    assert kept.shape == (0,)
    assert kept.dtype.kind == "i"


def test_an_impossible_threshold_is_refused() -> None:
    for iou_threshold in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="iou_threshold"):
            nms(np.zeros((1, 4)), np.zeros(1), iou_threshold)


@pytest.mark.parametrize("spread", ["scattered", "one spot", "equal"])
def test_a_hundred_thousand_boxes_need_less_than_200_megabytes(spread: str) -> None:
    random = np.random.default_rng(6)
    boxes = {
        "scattered": lambda: scattered(random, 100_000, 1500, 40),
        "one spot": lambda: crowded(random, 100_000, 1),
        "equal": lambda: np.tile(np.array([[1, 2, 30, 40]], np.float32), (100_000, 1)),
    }[spread]()
    scores = random.random(len(boxes)).astype(np.float32)
    tracemalloc.start()
    try:
        kept = nms(boxes, scores, 0.5)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200e6
    wanted = {"scattered": (40_000, 90_000), "one spot": (2, 2000), "equal": (1, 1)}[spread]
    assert wanted[0] <= len(kept) <= wanted[1]
    assert (np.diff(scores[kept]) <= 0).all()


def soft_by_plain_loop(
    boxes: np.ndarray, scores: np.ndarray, sigma: float, score_threshold: float
) -> list[tuple[int, float]]:
    left = dict(enumerate(scores.tolist()))
    kept = []
    while left:
        best = max(left, key=lambda place: (left[place], -place))
        score = left.pop(best)
        if score < score_threshold:
            break
        kept.append((best, score))
        for other in left:
            left[other] *= float(np.exp(-(overlap(boxes[best], boxes[other]) ** 2) / sigma))
    return kept


@pytest.mark.parametrize("sigma", [0.1, 0.5])
def test_soft_suppression_equals_a_plain_loop(sigma: float) -> None:
    random = np.random.default_rng(7)
    boxes, scores = crowded(random, 80, 6).astype(np.float64), random.random(80)
    kept, decayed = soft_nms(boxes, scores, sigma=sigma, score_threshold=0.05)
    wanted = soft_by_plain_loop(boxes, scores, sigma, 0.05)
    assert kept.tolist() == [place for place, _ in wanted]
    assert decayed.tolist() == pytest.approx([score for _, score in wanted])
    assert 6 <= len(kept) < 80


def test_soft_suppression_leaves_boxes_apart_as_they_are_and_stops_at_its_limit() -> None:
    boxes = np.array([[0, 0, 5, 5], [20, 0, 25, 5], [40, 0, 45, 5]], dtype=np.float32)
    kept, decayed = soft_nms(boxes, np.array([0.2, 0.8, 0.5]), limit=2)
    assert kept.tolist() == [1, 2]
    assert decayed.tolist() == pytest.approx([0.8, 0.5])


def test_soft_suppression_of_no_boxes_is_empty() -> None:
    kept, decayed = soft_nms(np.zeros((0, 4)), np.zeros(0))
    assert (len(kept), len(decayed)) == (0, 0)
