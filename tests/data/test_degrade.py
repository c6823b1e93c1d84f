import numpy as np
import pytest

from ligera.data.degrade import blur, compress, hide_parts, light


def scene(seed: int = 0) -> np.ndarray:
    """A smooth picture with some texture, (64, 80, 3)."""
    generator = np.random.default_rng(seed)
    ramp = np.add.outer(np.arange(64), np.arange(80))[..., None] + [0, 40, 80]
    return np.clip(ramp + generator.integers(-20, 21, (64, 80, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("change", [light, blur, compress])
@pytest.mark.parametrize("seed", range(8))
def test_a_change_keeps_the_size_leaves_its_input_and_follows_its_seed(change, seed: int) -> None:
    pixels = scene()
    changed = change(pixels, np.random.default_rng(seed))
    assert changed.shape == pixels.shape
    assert changed.dtype == np.uint8
    assert np.array_equal(pixels, scene())
    assert not np.array_equal(changed, pixels)
    assert np.array_equal(changed, change(pixels, np.random.default_rng(seed)))


def test_light_keeps_black_black_and_the_order_of_greys() -> None:
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    for seed in range(20):
        changed = light(greys, np.random.default_rng(seed)).astype(int)
        assert (changed[0, 0] == 0).all()
        assert (np.diff(changed, axis=1) >= 0).all()


def test_blur_takes_texture_away_and_keeps_the_brightness() -> None:
    for seed in range(20):
        changed = blur(scene(), np.random.default_rng(seed)).astype(float)
        assert np.abs(np.diff(changed, axis=1)).mean() < np.abs(np.diff(scene().astype(float), axis=1)).mean()
        assert abs(changed.mean() - scene().mean()) < 2


def test_hidden_parts_lie_in_their_faces_and_leave_at_least_half_of_each() -> None:
    boxes = np.float32([[5, 5, 35, 45], [40, 10, 70, 50]])
    for seed in range(30):
        hidden = hide_parts(scene(), boxes, 1.0, np.random.default_rng(seed))
        differs = (hidden != scene()).any(axis=2)
        for x1, y1, x2, y2 in boxes.astype(int):
            assert differs[y1:y2, x1:x2].mean() <= 0.55
            differs[y1:y2, x1:x2] = False
        assert not differs.any()


def test_no_face_is_hidden_at_a_share_of_nought() -> None:
    assert np.array_equal(hide_parts(scene(), np.float32([[5, 5, 35, 45]]), 0.0, np.random.default_rng(0)), scene())


def test_a_face_beyond_the_picture_is_left_alone() -> None:
    boxes = np.float32([[-40, -40, -10, -10], [100, 90, 120, 110]])
    assert np.array_equal(hide_parts(scene(), boxes, 1.0, np.random.default_rng(0)), scene())
