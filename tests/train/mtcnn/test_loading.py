"""Batches of crops that are varied all at once."""

import numpy as np
import pytest
import torch

from ligera.data.crops import CropSet
from ligera.models.cascade import calibrated, proposals
from ligera.train.mtcnn.loading import CropsOnDevice, mirrored, normal
from ligera.train.mtcnn.recipe import CropAugment
from ligera.train.mtcnn.windows import as_applied, as_cropped
from ligera.train.samplers import EpochPlan
from ligera.train.sampling import batches

from .conftest import made_crops

CPU = torch.device("cpu")
PLAIN = CropAugment(mirror=0, grey=0, brightness=0, contrast=0, saturation=0)


def keys_of(count: int, **changes) -> list:
    plan = EpochPlan.even(np.arange(count)[::-1].copy())
    return list(batches(plan, **({"seed": 0, "epoch": 3, "batch": 8} | changes)))


def shown(crops: CropSet, keys: list, recipe: CropAugment, net: str = "r-net") -> list:
    return list(CropsOnDevice(crops, net, CPU).varied(keys, recipe, len(crops), 0, 3))


def test_without_variation_a_batch_is_the_crops_themselves_in_the_order_of_their_keys() -> None:
    crops = made_crops(4)
    first = shown(crops, keys_of(16), PLAIN)[0]
    rows = first.rows.numpy()
    assert rows.tolist() == [15, 14, 13, 12, 11, 10, 9, 8]
    expected = (crops.pixels[rows].astype(np.float32) - 127.5) / 128
    np.testing.assert_allclose(first.pixels.permute(0, 2, 3, 1), expected, atol=1e-5)
    np.testing.assert_array_equal(first.boxes, crops.boxes[rows])
    np.testing.assert_array_equal(first.landmarks, crops.landmarks[rows])
    assert first.kinds.tolist() == crops.kinds[rows].tolist()


def test_a_mirrored_crop_is_its_mirror_image_with_its_targets() -> None:
    crops = made_crops(4)
    plain, other = (shown(crops, keys_of(16), PLAIN.model_copy(update={"mirror": m}))[0] for m in (0.0, 1.0))
    torch.testing.assert_close(other.pixels, plain.pixels.flip(3))
    np.testing.assert_allclose(other.boxes[:, 0], -plain.boxes[:, 2])
    np.testing.assert_allclose(other.boxes[:, 1], plain.boxes[:, 1])
    left_eye, right_eye = plain.landmarks[:, :2], other.landmarks[:, 2:4]
    np.testing.assert_allclose(right_eye, torch.stack([1 - left_eye[:, 0], left_eye[:, 1]], 1))


def test_mirrored_twice_is_as_before() -> None:
    crops, yes = made_crops(4), torch.ones(16, dtype=torch.bool)
    boxes, points = torch.from_numpy(crops.boxes), torch.from_numpy(crops.landmarks)
    again = mirrored(*mirrored(boxes, points, yes), yes)
    torch.testing.assert_close(again[0], boxes, equal_nan=True)
    torch.testing.assert_close(again[1], points, equal_nan=True)


def test_colours_change_within_the_range_and_a_grey_crop_is_grey() -> None:
    crops = made_crops(4)
    strong = CropAugment(mirror=0, grey=1, brightness=1, contrast=1, saturation=1)
    for batch in shown(crops, keys_of(16), strong):
        assert batch.pixels.abs().max() <= 1
        torch.testing.assert_close(batch.pixels[:, 0], batch.pixels[:, 2])
    varied = shown(crops, keys_of(16), CropAugment(mirror=0))[0]
    assert not torch.allclose(varied.pixels, shown(crops, keys_of(16), PLAIN)[0].pixels, atol=0.01)


def test_two_processes_show_together_what_one_shows_and_an_epoch_can_be_entered_late() -> None:
    crops, recipe = made_crops(4), CropAugment()
    whole = shown(crops, keys_of(16), recipe)
    one = {int(row): pixels for batch in whole for row, pixels in zip(batch.rows, batch.pixels, strict=True)}
    for rank in range(2):
        for batch in shown(crops, keys_of(16, rank=rank, world=2), recipe):
            for row, pixels in zip(batch.rows, batch.pixels, strict=True):
                torch.testing.assert_close(one[int(row)], pixels)
    assert torch.equal(shown(crops, keys_of(16, first_step=1), recipe)[0].pixels, whole[1].pixels)


def test_crops_are_shown_to_networks_as_the_cascades_bundle_scales_them() -> None:
    seen = normal(torch.tensor([0.0, 127.5, 255.0]).repeat(1, 1, 1, 1))
    np.testing.assert_allclose(seen.flatten(), [-127.5 / 128, 0, 127.5 / 128])


@pytest.mark.parametrize("net", ["p-net", "r-net", "o-net"])
def test_what_networks_answer_and_what_crops_carry_are_the_same_thing_said_twice(net: str) -> None:
    offsets = torch.randn(9, 4)
    torch.testing.assert_close(as_cropped(as_applied(offsets, net), net), offsets)


def test_a_p_net_that_answers_as_trained_is_brought_to_the_true_box_by_the_cascade() -> None:
    true = np.array([5.0, 3.0, 15.0, 16.0], np.float32)
    column, row = 2, 1  # the window from (4, 2) to (16, 14) px
    corners = np.array([4, 2, 16, 14], np.float32)
    answer = as_applied(torch.from_numpy((true - corners) / 12)[None], "p-net").numpy()
    margins, offsets = np.full(20, -9.0), np.zeros((20, 4), np.float32)
    margins[row * 4 + column], offsets[row * 4 + column] = 9, answer
    windows, _, moves = proposals(margins, offsets, 4, 1.0, 0.5)
    np.testing.assert_allclose(calibrated(windows, moves, end_included=False), true[None], atol=1e-4)
