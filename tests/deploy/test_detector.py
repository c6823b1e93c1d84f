"""The detector that users hold: any source, any size, one kind of answer."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ligera
from ligera.deploy import builtin
from ligera.deploy.detector import Detector
from ligera.deploy.engine import BundleEngine
from ligera.deploy.runtimes.mock import MockRuntime
from ligera.errors import ModelError, PictureError, UsageError
from ligera.records import Picture, Preprocess

from .conftest import spots, spots_card


def cells_of(found: ligera.records.Detections) -> set[tuple[int, int]]:
    return {(round(float(x)) // 32, round(float(y)) // 32) for x, y in found.boxes[:, :2]}


@pytest.fixture
def detector(bundle: Path) -> Detector:
    return Detector.load(bundle, threads=1)


def test_a_bundle_finds_what_its_network_was_made_for(detector: Detector) -> None:
    found = detector.detect(spots(160, 96, (0, 0), (3, 2)))
    np.testing.assert_allclose(found.boxes, [[0, 0, 32, 32], [96, 64, 128, 96]], atol=1e-3)
    assert found.names == ("face",)
    np.testing.assert_allclose(found.landmarks[0], np.full((5, 2), 16.0), atol=1e-3)


def test_array_picture_and_path_give_the_same(detector: Detector, picture_file: Callable[..., Path]) -> None:
    path = picture_file("a.png", (1, 1))
    pixels = spots(128, 96, (1, 1))
    rows = [detector.detect(source).rows() for source in (pixels, Picture(pixels), path, str(path))]
    assert len(rows[0]) == 1
    assert all(other == rows[0] for other in rows)


def test_load_at_the_top_of_the_package_is_the_same_detector(bundle: Path) -> None:
    assert len(ligera.load(str(bundle), threads=1).detect(spots(64, 64, (1, 0)))) == 1


def test_boxes_are_in_pixels_of_the_original_picture_however_it_was_shrunk(detector: Detector) -> None:
    large = np.kron(spots(128, 128, (2, 1)), np.ones((4, 4, 1), np.uint8))
    found = detector.detect(large, max_side=128)
    np.testing.assert_allclose(found.boxes, [[256, 128, 384, 256]], atol=1e-2)


def test_the_score_asked_for_overrides_that_of_the_card(detector: Detector) -> None:
    pixels = spots(64, 32)
    pixels[:, 32:] = 140
    assert len(detector.detect(pixels)) == 0
    assert len(detector.detect(pixels, score=0.5)) == 1
    assert len(detector.detect(pixels, score=0)) == 2


def test_a_picture_of_any_shape_is_searched_whole(detector: Detector) -> None:
    for height, width in ((1, 1), (1, 500), (700, 3), (33, 31)):
        assert len(detector.detect(np.zeros((height, width, 3), np.uint8))) == 0
        found = detector.detect(np.full((height, width, 3), 255, np.uint8), score=0)
        assert len(found) >= 1
        assert (found.boxes >= 0).all() and (found.boxes <= [width, height, width, height]).all()


def mock_detector(rule: Preprocess | None = None) -> tuple[Detector, MockRuntime]:
    def nothing(batch: np.ndarray) -> dict[str, np.ndarray]:
        count = (batch.shape[2] // 32) * (batch.shape[3] // 32)
        return {"boxes": np.zeros((1, count, 4)), "scores": np.full((1, count, 1), -9.0)}

    runtime = MockRuntime(nothing)
    return Detector(BundleEngine(runtime, replace(spots_card(), preprocess=rule or Preprocess()))), runtime


def test_a_huge_picture_is_bounded_without_being_asked() -> None:
    detector, runtime = mock_detector()
    detector.detect(np.zeros((300, 6000, 3), np.uint8))
    assert runtime.batches[0].shape == (1, 3, 64, 1280)


def test_a_card_may_ask_for_enlarging_and_a_smaller_bound_wins() -> None:
    detector, runtime = mock_detector(Preprocess(min_side=640))
    detector.detect(np.zeros((100, 200, 3), np.uint8))
    detector.detect(np.zeros((100, 200, 3), np.uint8), max_side=320)
    assert [batch.shape[3] for batch in runtime.batches] == [640, 320]


def test_tiles_find_what_shrinking_loses_and_no_more_than_once(detector: Detector) -> None:
    pixels = spots(1920, 1280, (3, 3), (30, 20), (59, 39))
    lost = detector.detect(pixels, max_side=192)
    assert len(lost) < 3
    found = detector.detect(pixels, max_side=192, tile=512)
    assert cells_of(found) == {(3, 3), (30, 20), (59, 39)}
    # each tile has a grid of its own, so only the best of what it sees of a spot stays
    assert len(found) == len({tuple(np.round(box / 32)) for box in found.boxes})


def test_tiles_keep_every_batch_as_small_as_a_tile() -> None:
    detector, runtime = mock_detector()
    detector.detect(np.zeros((2000, 3000, 3), np.uint8), tile=512, max_side=640)
    assert len(runtime.batches) > 20
    assert max(batch.shape[2] * batch.shape[3] for batch in runtime.batches[1:]) == 512 * 512
    assert runtime.batches[0].shape[3] == 640


def test_a_picture_no_larger_than_a_tile_is_searched_once() -> None:
    detector, runtime = mock_detector()
    detector.detect(np.zeros((100, 300, 3), np.uint8), tile=320)
    assert len(runtime.batches) == 1


@pytest.mark.parametrize("option", [{"score": 1.5}, {"score": float("nan")}, {"max_side": 8}, {"tile": 0}])
def test_an_option_out_of_range_is_named(detector: Detector, option: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(option))}: expected"):
        detector.detect(spots(64, 64), **option)  # type: ignore[arg-type]


def test_an_array_that_is_no_picture_is_refused(detector: Detector) -> None:
    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match="pixels: expected"):
            detector.detect(wrong)


def test_a_file_that_is_no_picture_is_refused(detector: Detector, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("hello")
    with pytest.raises(PictureError, match=r"a\.jpg"):
        detector.detect(tmp_path / "a.jpg")


def test_outputs_that_are_not_what_the_card_says_are_an_error_and_no_boxes() -> None:
    engine = BundleEngine(
        MockRuntime(lambda _: {"boxes": np.zeros((1, 7, 4)), "scores": np.ones((1, 7, 1))}), spots_card()
    )
    with pytest.raises(ModelError, match="spots: outputs are not what its card says"):
        Detector(engine).detect(spots(64, 64))
    engine = BundleEngine(MockRuntime(lambda _: {"y": np.zeros((1, 7, 4))}), spots_card())
    with pytest.raises(ModelError, match="spots: outputs"):
        Detector(engine).detect(spots(64, 64))


def test_an_unknown_name_lists_what_there_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("face", "face-small"):
        (tmp_path / f"{name}.onnx").touch()
    monkeypatch.setattr(builtin, "_folder", lambda: tmp_path)
    with pytest.raises(ModelError, match=r"'face-smal'.*did you mean 'face-small'.*built in: face, face-small"):
        Detector.load("face-smal")


def test_a_name_finds_the_bundle_of_that_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "mine.onnx").write_bytes(bundle.read_bytes())
    monkeypatch.setattr(builtin, "_folder", lambda: tmp_path)
    assert Detector.load("mine").name == "spots"


def test_a_misspelt_kind_is_told_the_nearest() -> None:
    with pytest.raises(ModelError, match="no kind 'yunett' of detector; did you mean 'yunet'"):
        Detector.load("yunett:face.onnx")


def test_a_kind_without_its_file_says_which_it_takes() -> None:
    with pytest.raises(ModelError, match="scrfd: expected its file, as in --model scrfd:FILE"):
        Detector.load("scrfd")


def test_leaving_a_with_block_closes_the_network() -> None:
    detector, runtime = mock_detector()
    with detector:
        detector.detect(spots(64, 64))
    assert runtime.closed
