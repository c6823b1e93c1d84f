"""A window where there is a screen, a plain reason where there is none."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from ligera.deploy.watching import window
from ligera.deploy.watching.window import NoWindow, open_window

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere DISPLAY says nothing")


@linux
def test_without_a_display_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(NoWindow, match="no display here"):
        open_window("test")


@linux
def test_a_display_that_does_not_answer_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tkinter")
    monkeypatch.setenv("DISPLAY", ":9753")
    with pytest.raises(NoWindow, match="no window"):
        open_window("test")


def test_without_tk_and_with_an_opencv_without_windows_both_ways_out_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":9753")
    monkeypatch.setitem(sys.modules, "tkinter", None)
    with pytest.raises(NoWindow, match=r"python3-tk.*opencv-python"):
        open_window("test")


def test_an_opencv_whose_windows_hang_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: Any, **__: Any) -> None:
        raise subprocess.TimeoutExpired("cv2", 1)

    monkeypatch.setenv("DISPLAY", ":9753")
    monkeypatch.setitem(sys.modules, "tkinter", None)
    monkeypatch.setattr(window.subprocess, "run", hang)
    with pytest.raises(NoWindow):
        open_window("test")


def test_a_frame_goes_to_tk_as_it_is() -> None:
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    header, _, body = window._ppm(pixels).partition(b"\n")
    assert header == b"P6 3 2 255" and body == pixels.tobytes()


def test_the_window_shows_frames_until_its_user_closes_it() -> None:
    try:
        opened = open_window("test")
    except NoWindow as reason:
        pytest.skip(str(reason))
    assert opened.show(np.zeros((48, 64, 3), np.uint8))
    assert opened.show(np.zeros((3000, 5000, 3), np.uint8))
    opened._root.event_generate("<Escape>")  # type: ignore[attr-defined]
    opened.show(np.zeros((48, 64, 3), np.uint8))
    assert not opened.show(np.zeros((48, 64, 3), np.uint8))
    opened.close()
