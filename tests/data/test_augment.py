import numpy as np
import pytest

from ligera.data.affine import carry
from ligera.data.augment import AugmentRecipe, augment, colour_matrix, keep_teachable, mirror
from ligera.records import Picture, Targets

SIDE = 96


def marked_picture(generator: np.random.Generator, size: tuple[int, int] = (150, 200)) -> tuple[Picture, Targets]:
    """A dark picture whose faces are bright squares, so that a box can be checked against the pixels it should hold."""
    pixels = np.zeros((*size, 3), np.uint8)
    boxes, points = [], []
    for column in range(3):
        side = int(generator.integers(16, 40))
        x, y = int(generator.integers(2, 20)) + 62 * column, int(generator.integers(5, size[0] - 45))
        pixels[y : y + side, x : x + side] = 255
        boxes.append([x, y, x + side, y + side])
        points.append(
            [[x + side * u, y + side * v] for u, v in ((0.3, 0.3), (0.7, 0.3), (0.5, 0.5), (0.3, 0.8), (0.7, 0.8))]
        )
    return Picture(pixels), Targets(boxes, landmarks=points)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("mosaic", [0.0, 1.0])
def test_boxes_and_landmarks_move_with_their_pixels(seed: int, mosaic: float) -> None:
    generator = np.random.default_rng(seed)
    recipe = AugmentRecipe((0.5, 0.8, 1.0, 1.5), mosaic=mosaic, mosaic_grids=(2, 3), colour=0, fill=0, min_face_px=6)
    pixels, targets = augment(lambda: marked_picture(generator), recipe, SIDE, generator)
    grey = pixels.mean(axis=2)
    for x1, y1, x2, y2 in targets.boxes:
        inner = grey[int(y1) + 2 : max(int(y2) - 2, int(y1) + 3), int(x1) + 2 : max(int(x2) - 2, int(x1) + 3)]
        assert inner.mean() > 200
    left, right = targets.landmarks[:, 0, 0], targets.landmarks[:, 1, 0]
    assert (left < right).all()
    outside = np.ones((SIDE, SIDE), bool)
    for x1, y1, x2, y2 in np.concatenate([targets.boxes, targets.ignore]):
        outside[max(0, int(y1) - 2) : int(y2) + 3, max(0, int(x1) - 2) : int(x2) + 3] = False
    assert not (grey[outside] > 128).any(), "every bright pixel belongs to a face or an ignore region"


def test_a_seed_fixes_a_sample() -> None:
    def sample() -> tuple[np.ndarray, Targets]:
        generator = np.random.default_rng(5)
        picture = marked_picture(np.random.default_rng(1))
        return augment(lambda: picture, AugmentRecipe(mosaic=0.5, grey=0.5), SIDE, generator)

    (first, targets), (second, same) = sample(), sample()
    assert np.array_equal(first, second)
    assert np.array_equal(targets.boxes, same.boxes)


def test_a_crop_keeps_a_face_large_enough_to_teach() -> None:
    generator = np.random.default_rng(0)
    recipe = AugmentRecipe(colour=0)
    for _ in range(50):
        _, targets = augment(lambda: marked_picture(generator), recipe, SIDE, generator)
        assert len(targets) >= 1


def test_a_picture_without_faces_gives_a_sample_without_faces() -> None:
    empty = Picture(np.full((40, 300, 3), 7, np.uint8)), Targets(np.zeros((0, 4)))
    pixels, targets = augment(lambda: empty, AugmentRecipe(mosaic=0.5), SIDE, np.random.default_rng(0))
    assert pixels.shape == (SIDE, SIDE, 3)
    assert len(targets) == len(targets.ignore) == 0


def test_mirroring_twice_gives_back_what_was() -> None:
    picture, targets = marked_picture(np.random.default_rng(2))
    twice, back = mirror(*mirror(picture.pixels, targets))
    assert np.array_equal(twice, picture.pixels)
    assert np.allclose(back.boxes, targets.boxes)
    assert np.allclose(back.landmarks, targets.landmarks)


def test_what_still_shows_of_a_face_that_left_is_ignored() -> None:
    moved = carry(Targets([[90, 10, 130, 50]]), np.eye(2, 3), (100, 100))
    assert len(moved) == 0
    assert moved.ignore.tolist() == [[90, 10, 100, 50]]


def test_faces_too_small_to_teach_become_ignore_regions() -> None:
    kept = keep_teachable(Targets([[0, 0, 3, 3], [10, 10, 40, 50]]), 4.0)
    assert kept.boxes.tolist() == [[10, 10, 40, 50]]
    assert kept.ignore.tolist() == [[0, 0, 3, 3]]


def test_a_colour_change_that_never_happens_changes_nothing() -> None:
    matrix = colour_matrix(0.0, np.random.default_rng(0))
    assert np.allclose(matrix, np.hstack([np.eye(3), np.zeros((3, 1))]), atol=1e-6)


def test_colour_changes_keep_grey_grey() -> None:
    for seed in range(20):
        matrix = colour_matrix(1.0, np.random.default_rng(seed))
        changed = matrix[:, :3] @ np.full(3, 100.0) + matrix[:, 3]
        assert np.ptp(changed) < 1e-3


def test_a_window_chosen_by_a_face_shows_it_at_a_size_of_the_asked_range() -> None:
    generator = np.random.default_rng(0)
    recipe = AugmentRecipe(colour=0, by_face=1.0, face_px=(20.0, 24.0), min_face_px=1)
    for _ in range(60):
        picture, targets = marked_picture(generator)
        one = Targets(targets.boxes[:1], landmarks=targets.landmarks[:1])
        _, shown = augment(lambda one=one, picture=picture: (picture, one), recipe, SIDE, generator)
        sizes = (shown.boxes[:, 2:] - shown.boxes[:, :2]).max(axis=1)
        assert len(sizes) == 1
        assert 17 <= sizes[0] <= 26


@pytest.mark.parametrize("seed", range(20))
def test_turned_and_stretched_faces_keep_their_boxes_on_them(seed: int) -> None:
    generator = np.random.default_rng(seed)
    recipe = AugmentRecipe((1.0, 1.5), colour=0, fill=0, turn=1.0, stretch=1.0, mirror=0, min_face_px=6)
    picture, targets = marked_picture(generator)
    pixels, shown = augment(lambda: (picture, targets), recipe, SIDE, generator)
    for (x1, y1, x2, y2), points in zip(shown.boxes, shown.landmarks, strict=True):
        middle = pixels[round((y1 + y2) / 2 - 1) : round((y1 + y2) / 2 + 1), round((x1 + x2) / 2 - 1) :][:, :2]
        assert middle.min() > 200
        if x1 > 0 and x2 < SIDE and y1 > 0 and y2 < SIDE:
            assert ((points > [x1, y1]) & (points < [x2, y2])).all()


def test_every_kind_of_damage_keeps_the_boxes_of_the_undamaged_sample() -> None:
    picture = marked_picture(np.random.default_rng(1))
    damage = {"hide": 1.0, "light": 1.0, "blur": 1.0, "compress": 1.0, "grey": 1.0}
    plain, damaged = (
        augment(lambda: picture, AugmentRecipe(mirror=0, **kinds), SIDE, np.random.default_rng(3))
        for kinds in ({}, damage)
    )
    assert np.array_equal(plain[1].boxes, damaged[1].boxes)
    assert not np.array_equal(plain[0], damaged[0])
    assert damaged[0].shape == (SIDE, SIDE, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"crop_ratios": ()}, {"crop_ratios": (0.0,)}, {"mosaic": 1.5}, {"mosaic_grids": (1,)}, {"colour": -0.1}),
        *({"blur": 2.0}, {"turn_deg": 200.0}, {"face_px": (40.0, 20.0)}, {"face_px": (0.0, 20.0)}),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        AugmentRecipe(**wrong)
