import numpy as np
import pytest

from ligera.models.preprocess import input_size, prepare
from ligera.records import Preprocess

PIXELS = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_values_are_pixel_minus_mean_times_scale_and_padding_is_zero(layout: str, channels: str) -> None:
    rule = Preprocess(mean=(10, 20, 30), scale=(1, 0.5, 2), channels=channels, layout=layout)
    batch, scale = prepare(PIXELS, rule)
    picture = batch[0] if layout == "nhwc" else batch[0].transpose(1, 2, 0)
    ordered = PIXELS if channels == "rgb" else PIXELS[:, :, ::-1]
    expected = (ordered.astype(np.float32) - [10, 20, 30]) * [1, 0.5, 2]
    assert picture.shape == (64, 96, 3)
    assert np.allclose(picture[:50, :70], expected)
    assert not picture[50:].any()
    assert not picture[:, 70:].any()
    assert scale.tolist() == [1, 1]


def test_uint8_pixels_go_in_untouched() -> None:
    batch, _ = prepare(PIXELS, Preprocess(dtype="uint8", layout="nhwc", multiple=1))
    assert batch.dtype == np.uint8
    assert np.array_equal(batch[0], PIXELS)


@pytest.mark.parametrize(
    ("rule", "size"),
    [
        (Preprocess(), (480, 640)),
        (Preprocess(max_side=320), (240, 320)),
        (Preprocess(max_side=1280), (480, 640)),
        (Preprocess(min_side=1280), (960, 1280)),
        (Preprocess(fixed=(240, 320)), (240, 320)),
    ],
)
def test_sizes_follow_the_rule(rule: Preprocess, size: tuple[int, int]) -> None:
    assert input_size(480, 640, rule) == size
    batch, scale = prepare(np.zeros((480, 640, 3), np.uint8), rule)
    assert batch.shape[2] % 32 == batch.shape[3] % 32 == 0
    assert np.allclose(scale, [size[1] / 640, size[0] / 480])


def test_a_one_pixel_picture_is_prepared() -> None:
    assert prepare(np.zeros((1, 1, 3), np.uint8), Preprocess(max_side=64))[0].shape == (1, 3, 32, 32)


def test_a_very_long_picture_keeps_a_pixel_of_height() -> None:
    assert input_size(2, 50_000, Preprocess(max_side=64)) == (1, 64)
