"""Masks pasted as torchvision pastes them, and outlines that follow their borders."""

import cv2
import numpy as np
import pytest
import torch
from torchvision.models.detection.roi_heads import paste_masks_in_image

from ligera.deploy.layout.masks import STRAIGHT_WITHIN_PX, mask_polygons, paste_mask

SIZE = (60, 90)


def soft_mask(seed, side=28):
    """Smooth probabilities such as a network draws: some blobs, from 0 to 1."""
    noise = np.random.default_rng(seed).normal(size=(side, side)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, None, 3)
    return ((smooth - smooth.min()) / np.ptp(smooth)).astype(np.float32)


BOXES = [
    [10.3, 20.7, 60.2, 44.9],
    [0, 0, 90, 60],
    [80.5, 50.5, 90, 60],
    [0, 3.2, 4.1, 59.9],
    [30, 30, 30.4, 30.6],
    [5, 5, 33, 33],
    [12.5, 2.5, 26.5, 16.5],
]


@pytest.mark.parametrize("box", BOXES)
def test_a_mask_is_pasted_as_torchvision_does_it(box):
    mask, corners = soft_mask(0), np.array(box, np.float32)
    expected = paste_masks_in_image(torch.from_numpy(mask)[None, None], torch.from_numpy(corners)[None], SIZE)
    assert np.abs(paste_mask(mask, corners, SIZE) - expected[0, 0].numpy()).max() < 1e-5


def covered(polygons, size):
    """Pixels whose centre is inside one of the polygons, found point by point."""
    inside = np.zeros(size, bool)
    for polygon in polygons:
        contour = polygon.astype(np.float32).reshape(-1, 1, 2)
        for y in range(size[0]):
            for x in range(size[1]):
                inside[y, x] |= cv2.pointPolygonTest(contour, (x + 0.5, y + 0.5), measureDist=False) >= 0
    return inside


def without_specks(solid):
    _, parts, statistics, _ = cv2.connectedComponentsWithStats(solid.astype(np.uint8))
    areas = statistics[:, cv2.CC_STAT_AREA] * (np.arange(len(statistics)) > 0)
    return np.isin(parts, np.flatnonzero(areas >= 0.04 * areas.max())) & solid


@pytest.mark.parametrize("box", BOXES[:3])
@pytest.mark.parametrize("seed", [0, 1])
def test_outlines_follow_the_pasted_mask_to_less_than_a_pixel(box, seed):
    mask, corners = soft_mask(seed), np.array(box, np.float32)
    solid = paste_mask(mask, corners, SIZE) > 0.5
    polygons = mask_polygons(mask, corners, SIZE)
    assert polygons
    # what the outlines leave out or add lies along the mask's own border or in holes, once specks are gone
    solid = without_specks(solid)
    wrong = (covered(polygons, SIZE) != solid).astype(np.uint8)
    deep = cv2.erode(solid.astype(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    assert not (wrong & deep).any()
    perimeter = sum(cv2.arcLength(p.reshape(-1, 1, 2), True) for p in polygons)
    assert wrong.sum() <= STRAIGHT_WITHIN_PX * perimeter + 0.05 * solid.sum()


def test_outlines_stay_within_the_page_and_the_largest_comes_first():
    polygons = mask_polygons(soft_mask(3), np.array([-5, -5, 95, 65], np.float32).clip(0), SIZE)
    areas = [cv2.contourArea(polygon) for polygon in polygons]
    assert areas == sorted(areas, reverse=True)
    for polygon in polygons:
        assert polygon.dtype == np.float32
        assert (polygon >= 0).all()
        assert (polygon <= [90, 60]).all()
        assert len(polygon) >= 3


def test_a_full_mask_is_outlined_along_its_box():
    (polygon,) = mask_polygons(np.ones((28, 28), np.float32), np.array([20, 10, 70, 40], np.float32), SIZE)
    assert polygon.min(axis=0) == pytest.approx([20, 10], abs=1)
    assert polygon.max(axis=0) == pytest.approx([70, 40], abs=1)


def test_an_empty_mask_has_no_outline():
    assert mask_polygons(np.full((28, 28), 0.5, np.float32), np.array([20, 10, 70, 40], np.float32), SIZE) == ()


def test_specks_are_left_out():
    mask = np.zeros((28, 28), np.float32)
    mask[2:20, 2:26] = 1
    mask[25, 25] = 1
    assert len(mask_polygons(mask, np.array([0, 0, 90, 60], np.float32), SIZE)) == 1
