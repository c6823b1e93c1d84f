"""The grid: sizes that matter for the pictures, runtimes where there is a choice, threads."""

import pytest

from ligera.deploy.pick.candidates import grid, ladder
from ligera.errors import UsageError

from .worlds import facts


def test_the_ladder_ends_with_the_first_rung_that_takes_the_pictures_in() -> None:
    assert ladder(416) == (160, 240, 320, 480)
    assert ladder(480) == (160, 240, 320, 480)
    assert ladder(5000)[-1] == 1280


def test_sizes_that_the_user_gives_stand_for_the_ladder() -> None:
    assert ladder(416, (640, 200, 640)) == (200, 640)
    with pytest.raises(UsageError, match="--size: expected 32 to 16384 px, got 8"):
        ladder(416, (8,))


def test_every_way_to_run_a_model_is_a_candidate() -> None:
    found = grid([facts("a")], longest_px=240, runtimes=("onnxruntime", "openvino"), threads=(1, 2))
    assert len(found) == 2 * 2 * 2 == len({one.key() for one in found})
    assert {one.max_side for one in found} == {160, 240}


def test_a_model_of_fixed_size_has_no_sizes_and_other_peoples_detectors_no_runtimes() -> None:
    (fixed,) = grid([facts("a", fixed=True)], longest_px=640, runtimes=("onnxruntime",), threads=(1,))
    assert fixed.max_side is None and fixed.label == "a"
    peers = grid(
        [facts("p", choice_of_runtime=False)], longest_px=160, runtimes=("openvino", "onnxruntime"), threads=(1,)
    )
    assert [one.runtime for one in peers] == ["onnxruntime"]


def test_a_layout_detector_is_tried_at_shares_of_its_own_size() -> None:
    layout = facts("l", task="detect-regions", own_side_px=1024)
    found = grid([layout], longest_px=5000, runtimes=("onnxruntime",), threads=(1,))
    assert [one.max_side for one in found] == [512, 768, 1024]
