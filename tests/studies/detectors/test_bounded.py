import numpy as np
import pytest

from ligera.records import Detections
from ligera.studies.detectors.bounded import BoundedEngine, bounded


class OneBox:
    """Finds one box over the left half of whatever it is shown."""

    name, runtime, closed = "one", None, False

    def detect(self, pixels: np.ndarray, *, score: float | None = None, max_side: int | None = None) -> Detections:
        height, width = pixels.shape[:2]
        points = np.full((1, 5, 2), [width / 4, height / 2], np.float32)
        return Detections(np.float32([[0, 0, width / 2, height]]), np.float32([0.9]), landmarks=points)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("size", "shown_size"), [((300, 401), (239, 320)), ((100, 80), (100, 80)), ((1, 999), (1, 320))]
)
def test_a_picture_is_bounded_and_never_enlarged(size: tuple[int, int], shown_size: tuple[int, int]) -> None:
    shown, scale = bounded(np.full((*size, 3), 60, np.uint8), 320)
    assert shown.shape[:2] == shown_size
    assert scale == pytest.approx([shown_size[1] / size[1], shown_size[0] / size[0]])


@pytest.mark.parametrize("grey", [70, 100, 160])
def test_the_middle_grey_comes_to_half(grey: int) -> None:
    shown, _ = bounded(np.full((40, 50, 3), grey, np.uint8), 320)
    assert abs(int(shown[0, 0, 0]) - 128) <= 2


@pytest.mark.parametrize("grey", [0, 255])
def test_black_and_white_stay_as_they_are(grey: int) -> None:
    shown, _ = bounded(np.full((40, 50, 3), grey, np.uint8), 320)
    assert (shown == grey).all()


def test_single_wrong_pixels_go() -> None:
    pixels = np.full((40, 50, 3), 128, np.uint8)
    pixels[10, 10] = 255
    assert np.ptp(bounded(pixels, 320)[0]) == 0


def test_what_is_found_is_told_in_pixels_of_the_picture_given() -> None:
    engine = BoundedEngine(OneBox(), 200)
    found = engine.detect(np.zeros((300, 401, 3), np.uint8))
    assert found.boxes == pytest.approx(np.array([[0, 0, 200.5, 300]]), abs=0.5)
    assert found.landmarks[0, 0] == pytest.approx([100.25, 150], abs=0.5)
    engine.close()
    assert engine.engine.closed
