"""The loop of ``ligera watch``: feed -> watcher -> drawn frame -> video file and window.

In: an opened source and a watcher. Out: one :class:`Seen` per frame that was looked at. Live sources drop what comes
too late, and their video repeats frames, so that it lasts as long as what it shows.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ligera.deploy.video import VideoFile
from ligera.deploy.watching.feeds import Feed, Frame
from ligera.deploy.watching.scene import draw_scene, status_lines
from ligera.deploy.watching.watcher import Event, Person, Watcher
from ligera.deploy.watching.window import Window

__all__ = ["Seen", "watch_feed"]

PACE_OVER_FRAMES = 30


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One frame and who was in it.

    ``dropped`` counts frames left out so far, ``delay_ms`` is from the frame's arrival to its being shown,
    ``stages_ms`` what each stage took, ``frames_per_s`` the pace over the last frames, 0 before there is one.
    """

    frame: int
    time_s: float
    width: int
    height: int
    people: tuple[Person, ...]
    events: tuple[Event, ...]
    stages_ms: dict[str, float]
    dropped: int
    delay_ms: float
    frames_per_s: float

    def row(self, name: str) -> dict[str, Any]:
        """Ready for JSON, as a frame of the source ``name``."""
        return {
            "path": name,
            "frame": self.frame,
            "time_s": round(self.time_s, 4),
            "width": self.width,
            "height": self.height,
            "people": [person.row() for person in self.people],
            "events": [event.row() for event in self.events],
            "stages_ms": {stage: round(value, 2) for stage, value in self.stages_ms.items()},
            "dropped": self.dropped,
            "delay_ms": round(self.delay_ms, 2),
            "frames_per_s": round(self.frames_per_s, 2),
        }


def watch_feed(
    feed: Feed,
    watcher: Watcher,
    *,
    video: VideoFile | None = None,
    window: Window | None = None,
    live: bool = False,
    timings: bool = True,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Seen]:
    """Look at every frame of ``feed`` until it ends or the window is closed; frames are drawn only for somebody.

    ``live`` says that the feed drops frames, so that ``video`` has to keep to its times. Raises what reading, the
    networks and ``video`` raise.
    """
    stages = watcher.stages
    taken: deque[float] = deque(maxlen=PACE_OVER_FRAMES)
    dropped, goes_on = 0, True
    for frame in feed:
        dropped += frame.dropped
        stages.add("read", frame.read_ms)
        people, events = watcher.see(frame.pixels, frame.time_s)
        pace = _pace(taken, clock())
        if video is not None or window is not None:
            with stages.stage("draw"):
                lines = status_lines(stages.medians_ms(recent=True), pace, dropped) if timings else []
                drawn = draw_scene(frame.pixels, people, lines)
            goes_on = _give(drawn, frame, video, window, live, watcher)
        delay_ms = (clock() - frame.arrived_s) * 1e3
        spent = dict(stages.newest_ms)
        stages.next_frame()
        height, width = frame.pixels.shape[:2]
        yield Seen(frame.number, frame.time_s, width, height, (*people,), (*events,), spent, dropped, delay_ms, pace)
        if not goes_on:
            return


def _give(
    drawn: np.ndarray, frame: Frame, video: VideoFile | None, window: Window | None, live: bool, watcher: Watcher
) -> bool:
    """The drawn frame to window and file; whether the window is still open."""
    goes_on = True
    if window is not None:
        with watcher.stages.stage("show"):
            goes_on = window.show(drawn)
    if video is not None:
        with watcher.stages.stage("write"):
            video.write(drawn, frame.time_s if live else None)
    return goes_on


def _pace(taken: deque[float], now_s: float) -> float:
    taken.append(now_s)
    return (len(taken) - 1) / (taken[-1] - taken[0]) if len(taken) > 1 and taken[-1] > taken[0] else 0.0
