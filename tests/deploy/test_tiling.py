"""Tiles cover the picture, and merging them loses and doubles nothing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ligera.deploy.tiling import detect_tiled, merge, tile_corners
from ligera.records import Detections


@given(st.integers(1, 20_000), st.integers(32, 2000))
def test_tiles_cover_a_side_to_its_end_and_share_a_quarter(length: int, tile: int) -> None:
    corners = tile_corners(length, tile)
    assert corners[0] == 0
    assert max(corners[-1] + tile, length) == (length if length > tile else tile)
    steps = np.diff(corners)
    assert (steps > 0).all() and (steps <= np.ceil(tile * 0.75)).all()


def boxes(*rows: tuple[float, ...], landmarks: bool = False) -> Detections:
    points = np.zeros((len(rows), 5, 2)) if landmarks else None
    return Detections(np.array([row[:4] for row in rows]), np.array([row[4] for row in rows]), landmarks=points)


NOTHING = Detections(np.zeros((0, 4)), np.zeros(0))


def test_a_box_that_a_tile_cuts_is_left_to_the_tile_that_has_all_of_it() -> None:
    pixels = np.zeros((100, 160, 3), np.uint8)
    starts: list[int] = []

    def part(tile: np.ndarray) -> Detections:
        starts.append(len(starts))
        # the first tile (x from 0) sees the left half of a face that the second (x from 60) sees whole
        return boxes((80, 10, 100, 40, 0.9)) if len(starts) == 1 else boxes((20, 10, 60, 40, 0.8))

    found = detect_tiled(pixels, 100, whole=lambda _: NOTHING, part=part)
    np.testing.assert_allclose(found.boxes, [[80, 10, 120, 40]])


def test_a_box_at_the_edge_of_the_picture_itself_stays() -> None:
    pixels = np.zeros((100, 160, 3), np.uint8)
    tiles = iter([boxes((0, 0, 30, 30, 0.9)), boxes((70, 60, 100, 100, 0.8))])
    found = detect_tiled(pixels, 100, whole=lambda _: NOTHING, part=lambda _: next(tiles))
    np.testing.assert_allclose(found.boxes, [[0, 0, 30, 30], [130, 60, 160, 100]])


def test_the_same_face_seen_twice_is_one_with_the_better_score() -> None:
    found = merge([boxes((10, 10, 50, 50, 0.7)), boxes((11, 10, 51, 50, 0.9)), boxes((60, 10, 90, 50, 0.6))])
    np.testing.assert_allclose(found.scores, [0.9, 0.6])


def test_landmarks_move_with_their_tile_and_stay_only_where_all_have_them() -> None:
    pixels = np.zeros((100, 160, 3), np.uint8)
    whole = Detections(np.zeros((0, 4)), np.zeros(0), landmarks=np.zeros((0, 5, 2)))
    face = boxes((20, 20, 40, 40, 0.9), landmarks=True)
    found = detect_tiled(pixels, 100, whole=lambda _: whole, part=lambda _: face)
    assert found.landmarks is not None
    assert sorted(found.landmarks[:, 0, 0].tolist()) == [0, 60]
    assert merge([whole, boxes((1, 1, 9, 9, 0.5))]).landmarks is None
