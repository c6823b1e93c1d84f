"""Running MTCNN: what is found, in bounded runs, for any pictures, and what happens when networks answer nonsense."""

import tracemalloc
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ligera.deploy.cascade.engine import CascadeEngine
from ligera.deploy.cascade.stages import CROPS, LEVEL_PIXELS, Cascade
from ligera.deploy.runtimes.mock import MockRuntime
from ligera.errors import ModelError
from ligera.models.area import AreaSums
from ligera.models.cascade import CascadeRule
from ligera.records import Detections

from .cascades import answer, brightness, card


def test_a_white_square_is_found_where_it_is_with_its_points_in_the_middle() -> None:
    pixels = np.zeros((90, 120, 3), np.uint8)
    pixels[30:62, 50:82] = 255
    runtime = MockRuntime(lambda batch: answer(batch, brightness))
    (found,) = Cascade(runtime, CascadeRule()).find([pixels])
    assert len(found) == 1
    np.testing.assert_allclose(found.boxes[0], [50, 30, 82, 62], atol=8)
    assert found.boxes[0][0] >= 50
    assert found.boxes[0][3] <= 63
    assert found.landmarks is not None
    centre = (found.boxes[0][:2] + found.boxes[0][2:]) / 2
    np.testing.assert_allclose(found.landmarks[0], np.tile(centre, (5, 1)), atol=1)


def test_a_dark_picture_costs_no_run_of_the_later_networks() -> None:
    runtime = MockRuntime(lambda batch: answer(batch, brightness))
    (found,) = Cascade(runtime, CascadeRule()).find([np.zeros((60, 80, 3), np.uint8)])
    assert len(found) == 0
    assert found.landmarks is not None
    assert found.landmarks.shape == (0, 5, 2)
    assert not {batch.shape[2:] for batch in runtime.batches} & {(24, 24), (48, 48)}


@pytest.mark.parametrize("size", [(1, 1), (12, 300), (19, 19)])
def test_a_picture_too_small_for_any_face_is_answered_without_a_run(size: tuple[int, int]) -> None:
    runtime = MockRuntime(lambda batch: answer(batch, 5.0))
    assert len(CascadeEngine(runtime, card(), CascadeRule()).detect(np.zeros((*size, 3), np.uint8))) == 0
    assert runtime.batches == []


def test_no_pictures_have_no_detections() -> None:
    runtime = MockRuntime(lambda batch: answer(batch, 5.0))
    assert CascadeEngine(runtime, card(), CascadeRule()).detect_many([]) == []


def test_runs_stay_bounded_however_many_pictures_and_candidates_there_are() -> None:
    runtime = MockRuntime(lambda batch: answer(batch, 5.0))
    pictures = [np.zeros((70, 90, 3), np.uint8)] * 5 + [np.zeros((60, 100, 3), np.uint8)]
    Cascade(runtime, CascadeRule()).find(pictures)
    sizes: dict[int, list[int]] = {24: [], 48: []}
    for batch in runtime.batches:
        if batch.shape[2] == batch.shape[3] and batch.shape[2] in sizes:
            sizes[batch.shape[2]].append(len(batch))
        else:
            assert len(batch) == 1 or batch.size <= 3 * LEVEL_PIXELS
    # of many crops only the last run is not full
    assert {side: set(counts[:-1]) for side, counts in sizes.items()} == {side: {CROPS[side]} for side in CROPS}
    assert any(len(batch) == 5 for batch in runtime.batches), "levels of one size share a run"


def test_a_hundred_thousand_candidates_take_no_more_memory_than_they_must() -> None:
    generator = np.random.default_rng(0)
    places = generator.uniform(0, 200, (100_000, 2))
    candidates = Detections(np.concatenate([places, places + 20], axis=1), generator.uniform(0.6, 1, 100_000))
    runtime = MockRuntime(lambda batch: answer(batch, -5.0))
    # the mock remembers every batch, which no real runtime does
    runtime.batches = Forgetful()
    tables = [AreaSums(np.zeros((230, 230, 3), np.uint8))]
    tracemalloc.start()
    (found,) = Cascade(runtime, CascadeRule()).refine(tables, [candidates], 0.7)
    peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    assert runtime.batches.count == 100_000
    assert len(found) == 0
    # their crops all at once would be 690 MB
    assert peak_mb < 50


class Forgetful(list):
    """Counts the pictures of batches instead of keeping them."""

    count = 0

    def append(self, batch: np.ndarray) -> None:
        self.count += len(batch)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.integers(20, 120), st.integers(20, 120)), min_size=1, max_size=4), st.integers(0, 99))
def test_pictures_together_have_what_each_has_alone(sizes: list[tuple[int, int]], seed: int) -> None:
    generator = np.random.default_rng(seed)
    pictures = []
    for height, width in sizes:
        coarse = generator.integers(0, 2, (height // 15 + 1, width // 15 + 1, 1), np.uint8) * np.uint8(255)
        enlarged = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
        pictures.append(np.repeat(enlarged[:, :, None], 3, axis=2))
    cascade = Cascade(MockRuntime(lambda batch: answer(batch, brightness)), CascadeRule())
    for together, pixels in zip(cascade.find(pictures), pictures, strict=True):
        (alone,) = cascade.find([pixels])
        np.testing.assert_array_equal(together.boxes, alone.boxes)
        np.testing.assert_array_equal(together.scores, alone.scores)
        np.testing.assert_array_equal(together.landmarks, alone.landmarks)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw | {"boxes": raw["boxes"][:, :, :3]},
        lambda raw: raw | {"scores": raw["scores"][:, :-1]},
        lambda raw: raw | {"scores": raw["scores"].astype(np.int64)},
        lambda raw: raw | {"boxes": raw["boxes"] * np.float32("nan")},
        lambda raw: raw | {"boxes": raw["boxes"] + np.float32(3e38)},
        lambda raw: {name: values for name, values in raw.items() if name != "landmarks"},
        lambda raw: raw | {"landmarks": raw["landmarks"] * np.float32("inf")},
        lambda raw: {},
    ],
)
def test_networks_that_answer_nonsense_are_named_in_one_line(spoil: Callable) -> None:
    engine = CascadeEngine(MockRuntime(lambda batch: spoil(answer(batch, 5.0))), card(), CascadeRule())
    with pytest.raises(ModelError, match="mtcnn: outputs are not those of a cascade") as caught:
        engine.detect(np.zeros((64, 64, 3), np.uint8))
    assert "\n" not in str(caught.value)


def test_margins_that_are_no_numbers_are_no_faces() -> None:
    engine = CascadeEngine(MockRuntime(lambda batch: answer(batch, float("nan"))), card(), CascadeRule())
    assert len(engine.detect(np.zeros((64, 64, 3), np.uint8))) == 0


def test_a_box_beside_the_picture_is_dropped_on_the_way() -> None:
    def far_away(batch: np.ndarray) -> dict[str, np.ndarray]:
        raw = answer(batch, 5.0)
        if batch.shape[2:] != (24, 24):
            raw["boxes"] += 1000
        return raw

    assert len(CascadeEngine(MockRuntime(far_away), card(), CascadeRule()).detect(np.zeros((64, 64, 3), np.uint8))) == 0


def test_a_picture_larger_than_asked_is_searched_smaller_and_answered_in_its_own_pixels() -> None:
    pixels = np.zeros((360, 480, 3), np.uint8)
    pixels[120:248, 200:328] = 255
    runtime = MockRuntime(lambda batch: answer(batch, brightness))
    found = CascadeEngine(runtime, card(), CascadeRule()).detect(pixels, max_side=120)
    assert max(batch.shape[3] for batch in runtime.batches) <= 120 * 0.6 + 1
    assert len(found) == 1
    np.testing.assert_allclose(found.boxes[0], [200, 120, 328, 248], atol=32)


def test_the_least_score_asked_for_is_the_last_networks() -> None:
    def unsure(batch: np.ndarray) -> dict[str, np.ndarray]:
        return answer(batch, 0.0 if batch.shape[2:] == (48, 48) else 5.0)

    engine = CascadeEngine(MockRuntime(unsure), card(), CascadeRule())
    picture = np.zeros((64, 64, 3), np.uint8)
    assert len(engine.detect(picture)) == 0
    found = engine.detect(picture, score=0.4)
    assert len(found) > 0
    np.testing.assert_allclose(found.scores, 0.5)
