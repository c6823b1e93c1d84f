"""What is drawn can be told apart, fits into the frame and is legible at any size."""

import numpy as np
import pytest

from ligera.deploy.watching.scene import KNOWN, NOBODY, OPEN, draw_scene, plain, status_lines
from ligera.deploy.watching.watcher import UNKNOWN, Person

DARK = np.full((240, 320, 3), 30, np.uint8)


def person(name: str | None, *, sure: bool = True, box: tuple[float, ...] = (100, 80, 160, 150)) -> Person:
    return Person(1, box, 0.9, name, 0.97, sure, 1)  # type: ignore[arg-type]


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == colour).all(axis=2).any())


@pytest.mark.parametrize(
    ("one", "colour"),
    [
        (person("ann"), KNOWN),
        (person(UNKNOWN), NOBODY),
        (person("ann", sure=False), OPEN),
        (person(None), OPEN),
    ],
)
def test_the_colour_says_who_it_is(one: Person, colour: tuple[int, int, int]) -> None:
    drawn = draw_scene(DARK, [one])
    assert has(drawn, colour)
    assert not any(has(drawn, other) for other in {KNOWN, NOBODY, OPEN} - {colour})
    assert (DARK == 30).all()


@pytest.mark.parametrize("size", [(2, 2), (16, 24), (480, 640), (2160, 3840)])
@pytest.mark.parametrize("box", [(-20.0, -20.0, 5.0, 5.0), (0.0, 0.0, 9999.0, 9999.0), (50.0, 3.0, 50.0, 3.0)])
def test_boxes_partly_outside_and_frames_of_any_size_can_be_drawn(
    size: tuple[int, int], box: tuple[float, ...]
) -> None:
    drawn = draw_scene(np.zeros((*size, 3), np.uint8), [person("ann", box=box)], ["a line", "another"])
    assert drawn.shape == (*size, 3)


def test_timings_stand_on_a_darkened_strip_at_the_bottom() -> None:
    bright = np.full((240, 320, 3), 240, np.uint8)
    drawn = draw_scene(bright, [], status_lines({"read": 1.0, "detect": 20.25, "draw": 0.1}, 24.9, 1234))
    assert (drawn[:190] == 240).all() and drawn[-4:].mean() < 120


def test_the_stages_stand_in_the_order_in_which_a_frame_meets_them() -> None:
    first, second = status_lines({"draw": 0.14, "read": 1.0, "detect": 20.25, "write": 3.0}, 24.9, 1234)
    assert first == "read 1.0  detect 20.2  draw 0.1 ms"
    assert second == "24.9 frames/s, 1,234 dropped"
    assert status_lines({}, 0, 0) == []


@pytest.mark.parametrize(("name", "shown"), [("José Núñez", "Jose Nunez"), ("李", "?"), ("Ann", "Ann")])
def test_letters_that_opencv_lacks_lose_their_marks(name: str, shown: str) -> None:
    assert plain(name) == shown
