"""``ligera watch 0 --who NAME``: a camera or video in, who is in it out, live."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ligera.commands.terminal import complain, print_json, print_table, quiet_libraries, say
from ligera.errors import UsageError

if TYPE_CHECKING:
    from ligera.deploy.watching.feeds import Feed, Source
    from ligera.deploy.watching.recognizer import Recognizer
    from ligera.deploy.watching.running import Seen
    from ligera.deploy.watching.watcher import Watcher
    from ligera.deploy.watching.window import Window

LINE_EVERY_S = 1.0
MOST_TRACKS_SAID = 20
MOST_NAMES_SAID = 6


def watch(
    source: Annotated[str, typer.Argument(help="Camera index such as 0, or a video file.")],
    *,
    who: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Whom to tell from others, as enrolled; may be repeated.", show_default="all"
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", "-m", metavar="FILE.onnx", help="Bundle of `ligera enroll`.", show_default="NAME.onnx"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE.mp4", help="Also write what is shown as a video.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per frame on stdout, nothing else.")] = False,
    window: Annotated[
        bool | None,
        typer.Option(
            "--window/--no-window", help="Show it on the screen.", show_default="if there is one, and no --json"
        ),
    ] = None,
    live: Annotated[
        bool | None,
        typer.Option(
            "--live/--every-frame",
            help="Keep a video's own pace, dropping frames that come too late; cameras always do.",
            show_default="live in a window without --out",
        ),
    ] = None,
    timings: Annotated[bool, typer.Option(help="Draw what each stage takes.")] = True,
    score: Annotated[float, typer.Option(min=0, max=1, help="Least score of a face.")] = 0.5,
    max_side: Annotated[int, typer.Option(min=32, help="Search frames at this long side at most, px.")] = 640,
    detector: Annotated[
        str | None,
        typer.Option(help="Built-in face detector or bundle.", show_default="what the person was enrolled with"),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads.", show_default="cores, at most 4")] = None,
    runtime: Annotated[str, typer.Option(help="What runs the networks.")] = "onnxruntime",
) -> None:
    """Watch a camera or video for somebody.

    Faces are found, followed from frame to frame and recognised once each, again only when unsure. Green is whom you
    asked for, grey anybody else, amber not yet sure. q, Esc or Ctrl-C ends it; a video that is being written is then
    ended whole. Without --who and --model faces are only followed.
    """
    import cv2

    from ligera.deploy.runtimes import for_live
    from ligera.deploy.video import check_place
    from ligera.deploy.watching.feeds import open_source
    from ligera.deploy.watching.recognizer import Recognizer, find_bundle
    from ligera.deploy.watching.watcher import load_watcher

    if out is not None:
        check_place(out, source)
    if threads is not None:
        # resizing and colour conversion run on OpenCV's own threads
        cv2.setNumThreads(threads)
    bundle, names = find_bundle(who or [], model)
    with ExitStack() as stack:
        stack.enter_context(quiet_libraries())
        # what is not there is said at once, and no window opens for it
        opened = open_source(source)
        if live or opened.kind == "camera":
            runtime = for_live(runtime)
        try:
            recognizer: Recognizer | None = None
            if bundle is not None:
                recognizer = Recognizer.load(bundle, names, threads=threads, runtime=runtime)
            watcher = load_watcher(
                recognizer, detector=detector, score=score, max_side=max_side, threads=threads, runtime=runtime
            )
            stack.callback(watcher.close)
            screen = _screen(opened, window, as_json)
        except BaseException:
            opened.capture.release()
            raise
        if screen is not None:
            stack.callback(screen.close)
        if opened.kind == "camera":
            live = True
        elif live is None:
            live = screen is not None and out is None
        _run(opened, watcher, screen, out, live=live, timings=timings, as_json=as_json)


def _screen(source: Source, wanted: bool | None, as_json: bool) -> Window | None:
    """The window, or a word on standard error why there is none."""
    from ligera.deploy.watching.window import NoWindow, open_window

    if wanted is False or (wanted is None and as_json):
        return None
    try:
        return open_window(f"ligera watch {source.name}")
    except NoWindow as reason:
        if wanted:
            raise UsageError(f"--window: {reason}") from None
        complain(f"{reason}; going on without one")
        return None


def _run(
    source: Source,
    watcher: Watcher,
    screen: Window | None,
    out: Path | None,
    *,
    live: bool,
    timings: bool,
    as_json: bool,
) -> None:
    from ligera.deploy.video import VideoFile
    from ligera.deploy.watching.feeds import EveryFrame, NewestFrames
    from ligera.deploy.watching.running import watch_feed

    feed = NewestFrames(source) if live else EveryFrame(source)
    teller = Teller(silent=screen is not None)
    interrupted = False
    try:
        with _ended_by_sigterm(), _closing(feed), ExitStack() as stack:
            video = None if out is None else stack.enter_context(VideoFile(out, source.fps))
            for seen in watch_feed(feed, watcher, video=video, window=screen, live=live, timings=timings):
                if as_json:
                    print_json(seen.row(source.name))
                teller.tell(seen, watcher, as_json)
    except KeyboardInterrupt:
        interrupted = True
    written = out if out is not None and teller.frames else None
    _conclude(watcher, teller, written, as_json)
    if interrupted:
        complain("ligera: interrupted")
        raise typer.Exit(130)
    if feed.trouble is not None:
        complain(f"ligera: {feed.trouble}")
        raise typer.Exit(2)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """What stops a service ends a run as Ctrl-C does, with its video whole."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _closing(feed: Feed) -> Iterator[None]:
    try:
        yield
    finally:
        feed.close()


@dataclass(slots=True)
class Teller:
    """Says one line a second of what is seen, and counts."""

    silent: bool
    frames: int = 0
    dropped: int = 0
    began_s: float = 0.0
    _said_s: float = 0.0
    _names: dict[str, None] = field(default_factory=dict)
    _faces: int = 0

    def tell(self, seen: Seen, watcher: Watcher, as_json: bool) -> None:
        now = time.perf_counter()
        if not self.frames:
            self.began_s = self._said_s = now
        self.frames += 1
        self.dropped = seen.dropped
        self._faces = max(self._faces, len(seen.people))
        self._names.update({person.name: None for person in seen.people if person.name is not None})
        if as_json or self.silent or now - self._said_s < LINE_EVERY_S:
            return
        names = [*self._names]
        named = ", ".join(names[:MOST_NAMES_SAID]) + (", ..." if len(names) > MOST_NAMES_SAID else "")
        faces = f"{self._faces:,} face{'s' * (self._faces != 1)}" + (f" ({named})" if named else "")
        say(f"{_clock(seen.time_s)}  {faces}  {seen.frames_per_s:.1f} frames/s  {_stages(watcher, recent=True)} ms")
        # whoever reads a pipe must not wait for it to fill
        sys.stdout.flush()
        self._said_s, self._faces = now, 0
        self._names.clear()


def _conclude(watcher: Watcher, teller: Teller, out: Path | None, as_json: bool) -> None:
    """Who was there, and what it took; on standard error where standard output is for JSON."""
    speak = complain if as_json else say
    if not as_json and watcher.summaries:
        rows = [
            [f"#{one.track}", one.name or "-", _clock(one.first_s), _clock(one.last_s), f"{one.looks:,}"]
            for one in [*watcher.summaries.values()][:MOST_TRACKS_SAID]
        ]
        print_table(("track", "name", "from", "to", "looks"), rows, left=2)
        if watcher.track_count > len(rows):
            say(f"... and {watcher.track_count - len(rows):,} more")
    if teller.frames:
        lasted_s = time.perf_counter() - teller.began_s
        parts = [f"{teller.frames:,} frame{'s' * (teller.frames != 1)} in {lasted_s:.1f} s, {teller.dropped:,} dropped"]
        parts.append(f"{watcher.track_count:,} track{'s' * (watcher.track_count != 1)}")
        if watcher.recognizer is not None:
            parts.append(f"{watcher.look_count:,} recognition{'s' * (watcher.look_count != 1)}")
        speak("; ".join(parts) + (f" -> {out}" if out is not None else ""))
        speak(f"median ms: {_stages(watcher)}")


def _stages(watcher: Watcher, *, recent: bool = False) -> str:
    from ligera.deploy.watching.stages import STAGES

    medians_ms = watcher.stages.medians_ms(recent=recent)
    return "  ".join(f"{name} {medians_ms[name]:.1f}" for name in STAGES if name in medians_ms)


def _clock(time_s: float) -> str:
    """``1:05.3``, with hours from the first on."""
    tenths = round(time_s * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{tenths // 10:02d}.{tenths % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"
