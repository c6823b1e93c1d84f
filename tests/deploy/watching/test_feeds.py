"""Every frame of a file; of a camera the newest; of a file shown live those whose time it is."""

import itertools
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ligera.deploy.watching.feeds import EveryFrame, NewestFrames, Source, open_source
from ligera.errors import DataError, UsageError

from .coloured import ANN, write_film

PATIENCE_S = 30


class Film:
    """A capture of ``count`` frames, each of its own grey; a camera's come when the test says so."""

    def __init__(self, count: int, *, waits: bool = False, times_s: list[float] | None = None) -> None:
        self.asked = self.grabbed = 0
        self.released = threading.Event()
        self.idle = threading.Event()
        self._count, self._times_s = count, times_s
        self._ready = threading.Semaphore(0) if waits else None

    def let(self, frames: int) -> None:
        """Let the camera deliver ``frames``, and wait until somebody asks for one more."""
        assert self._ready is not None
        self.idle.clear()
        for _ in range(frames):
            self._ready.release()
        assert self.idle.wait(PATIENCE_S)

    def grab(self) -> bool:
        if self._ready is not None and not self._ready.acquire(blocking=False):
            self.idle.set()
            self._ready.acquire()
        self.asked += 1
        self.grabbed += 1
        return self.asked <= self._count

    def retrieve(self) -> tuple[bool, Any]:
        return True, np.full((4, 6, 3), self.asked - 1, np.uint8)

    def read(self) -> tuple[bool, Any]:
        self.asked += 1
        return self.asked <= self._count, np.full((4, 6, 3), self.asked - 1, np.uint8)

    def get(self, prop: int, /) -> float:
        if prop == cv2.CAP_PROP_POS_MSEC and self._times_s is not None:
            return self._times_s[self.asked - 1] * 1e3
        return 0.0

    def release(self) -> None:
        self.released.set()


class Clock:
    """Seconds that pass only by waiting, and by ``step_s`` whenever somebody looks."""

    def __init__(self, step_s: float = 0.0) -> None:
        self.now_s, self._step_s = 0.0, step_s
        self.waited_s: list[float] = []

    def __call__(self) -> float:
        self.now_s += self._step_s
        return self.now_s

    def wait(self, _: threading.Event, span_s: float) -> None:
        self.waited_s.append(span_s)
        self.now_s += span_s


def test_a_file_gives_all_its_frames_in_order_with_their_times(tmp_path: Path) -> None:
    source = open_source(str(write_film(tmp_path / "film.mp4", [{(1, 1): ANN}] * 7)))
    feed = EveryFrame(source)
    frames = list(feed)
    feed.close()
    assert source.kind == "video" and source.fps == 10 and source.promised_s == pytest.approx(0.7)
    assert [frame.number for frame in frames] == list(range(7))
    assert [frame.time_s for frame in frames] == pytest.approx([0.1 * number for number in range(7)])
    assert all(frame.dropped == 0 for frame in frames) and feed.trouble is None
    red, _, blue = frames[3].pixels[48, 48]
    assert red > blue + 30


def test_a_camera_gives_the_newest_frame_and_counts_what_was_dropped() -> None:
    camera = Film(100, waits=True)
    feed = NewestFrames(Source("0", "camera", camera, 30.0))
    frames = iter(feed)
    threading.Thread(target=camera.let, args=(1,)).start()
    first = next(frames)
    camera.let(4)
    second = next(frames)
    assert (first.number, first.dropped) == (0, 0)
    assert (second.number, second.dropped) == (4, 3)
    assert second.pixels[0, 0, 0] == 4 and second.time_s >= first.time_s


def test_a_camera_that_stops_is_told_of_and_freed() -> None:
    camera = Film(3)
    feed = NewestFrames(Source("0", "camera", camera, 30.0))
    numbers = [frame.number for frame in feed]
    assert numbers[-1] == 2
    assert feed.trouble is not None and "stopped after 3 frames" in feed.trouble
    assert camera.released.wait(PATIENCE_S)


def test_closing_a_camera_frees_it_even_before_the_first_frame() -> None:
    camera = Film(3)
    NewestFrames(Source("0", "camera", camera, 30.0)).close()
    assert camera.released.is_set()


def test_a_file_shown_live_is_held_back_to_its_own_pace() -> None:
    clock = Clock()
    feed = NewestFrames(Source("a.mp4", "video", Film(5), 25.0), clock, clock.wait)
    assert [frame.number for frame in feed][-1] == 4
    assert clock.waited_s == pytest.approx([0.04] * 4)


def test_frames_of_a_file_whose_time_is_over_are_skipped_but_something_is_always_seen() -> None:
    # each look at the clock takes longer than a frame lasts
    film, clock = Film(60), Clock(step_s=0.5)
    feed = NewestFrames(Source("a.mp4", "video", film, 25.0), clock, clock.wait)
    frames = list(feed)
    assert frames and 40 < film.grabbed < 60
    numbers = [frame.number for frame in frames]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] + 1 == len(frames) + sum(frame.dropped for frame in frames)


def test_an_error_in_the_reading_thread_is_raised_where_frames_are_taken() -> None:
    film = Film(3)
    film.read = lambda: (True, film.nothing)  # type: ignore[attr-defined,method-assign]
    with pytest.raises(AttributeError):
        list(NewestFrames(Source("a.mp4", "video", film, 25.0)))


@pytest.mark.parametrize("times_s", [[0.0] * 5, [0.0, 0.2, 0.1, 0.3, 0.4], [0.0, 1e9, 1e9, 1e9, 1e9]])
def test_times_that_stand_still_or_run_back_are_mended(times_s: list[float]) -> None:
    feed = EveryFrame(Source("a.mp4", "video", Film(5, times_s=[*times_s, 0.0]), 25.0))
    times = [frame.time_s for frame in feed]
    assert all(later > earlier for earlier, later in itertools.pairwise(times)) and times[-1] < 10


def test_a_file_that_ends_long_before_its_time_is_told_of() -> None:
    feed = EveryFrame(Source("a.avi", "video", Film(12), 10.0, promised_s=10.0))
    assert len(list(feed)) == 12
    assert feed.trouble == "a.avi: damaged or cut short, 1.2 s of 10.0 s could be read"


def test_a_file_without_a_frame_is_told_of() -> None:
    feed = EveryFrame(Source("a.avi", "video", Film(0), 10.0))
    assert list(feed) == []
    assert feed.trouble == "a.avi: holds no frame that can be decoded"


@pytest.mark.parametrize(
    ("name", "error", "reason"),
    [
        ("nowhere.mp4", DataError, "nowhere.mp4: no such video file"),
        ("97", DataError, "97: cannot be opened as a camera"),
        ("99999999999999", DataError, "cannot be opened as a camera"),
        ("-1", DataError, "-1: no such video file; a camera is given by its index"),
        ("torn.mp4", DataError, "torn.mp4: cannot be opened as a video (damaged"),
        ("empty.mp4", DataError, "empty.mp4: cannot be opened as a video (it is empty)"),
        ("photo.jpg", UsageError, "photo.jpg: is a picture"),
        ("folder", UsageError, "folder: is a folder"),
    ],
)
def test_what_is_no_video_is_named(
    name: str, error: type[Exception], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("torn.mp4").write_bytes(b"\0\0\0\x18ftypmp42 and no more")
    Path("empty.mp4").touch()
    Path("photo.jpg").write_bytes(b"x")
    Path("folder").mkdir()
    with pytest.raises(error) as caught:
        open_source(name)
    assert reason in str(caught.value)
