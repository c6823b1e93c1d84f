"""A window on the user's screen, where there is one.

In: frames ``(H, W, 3)`` uint8 RGB. The light package's OpenCV has no windows, so Tk is taken, which most Pythons bring
along, else OpenCV's own where a build with windows is installed. :func:`open_window` says why where there is none.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any, Protocol

import cv2
import numpy as np

__all__ = ["NoWindow", "Window", "open_window"]

CLOSING_KEYS = ("q", "Q", "Escape")
OPENCV_CLOSING_KEYS = frozenset({ord("q"), ord("Q"), 27})
LARGEST_SHARE_OF_SCREEN = 0.9
PROBE_TIMEOUT_S = 20
PROBE = "import cv2; cv2.namedWindow('probe'); cv2.destroyAllWindows()"


class NoWindow(Exception):
    """There is no window to be had here; the text says why and what would help."""


class Window(Protocol):
    """Shows frames until its user closes it."""

    def show(self, pixels: np.ndarray) -> bool:
        """Put a frame up; ``False`` once the user has closed the window or pressed q or Esc."""
        ...

    def close(self) -> None: ...


def open_window(title: str) -> Window:
    """A window, from the main thread only; ``NoWindow`` where there is none."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise NoWindow("no window, as there is no display here (DISPLAY is not set)")
    try:
        import tkinter
    except ModuleNotFoundError:
        return _opencv_window(title)
    try:
        return TkWindow(title)
    except tkinter.TclError as error:
        raise NoWindow(f"no window ({_first_line(error)})") from None


class TkWindow:
    """Tk's picture in Tk's window; frames larger than the screen are shown smaller."""

    def __init__(self, title: str) -> None:
        import tkinter

        self._tkinter = tkinter
        self._root = tkinter.Tk(className="ligera")
        self._root.title(title)
        self._open = True
        self._root.protocol("WM_DELETE_WINDOW", self._leave)
        for key in CLOSING_KEYS:
            self._root.bind(f"<{key}>" if len(key) > 1 else key, self._leave)
        self._picture = tkinter.PhotoImage(master=self._root)
        tkinter.Label(self._root, image=self._picture, borderwidth=0).pack()

    def show(self, pixels: np.ndarray) -> bool:
        try:
            if self._open:
                self._picture.configure(data=_ppm(self._fitting(pixels)), format="PPM")
                self._root.update()
        except self._tkinter.TclError:
            # the screen went away, or a window manager killed the window
            self._open = False
        return self._open

    def _fitting(self, pixels: np.ndarray) -> np.ndarray:
        height, width = pixels.shape[:2]
        room = LARGEST_SHARE_OF_SCREEN * min(
            self._root.winfo_screenwidth() / width, self._root.winfo_screenheight() / height
        )
        if room >= 1:
            return pixels
        size = (max(1, round(width * room)), max(1, round(height * room)))
        return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)

    def _leave(self, *_: Any) -> None:
        self._open = False

    def close(self) -> None:
        try:
            self._root.destroy()
        except self._tkinter.TclError:
            return


def _ppm(pixels: np.ndarray) -> bytes:
    """A frame in the one form of picture that Tk reads without unpacking."""
    return f"P6 {pixels.shape[1]} {pixels.shape[0]} 255\n".encode() + pixels.tobytes()


def _opencv_window(title: str) -> Window:
    # A build for another screen system ends the whole process, so another process tries it first.
    try:
        tried = subprocess.run(
            [sys.executable, "-c", PROBE], capture_output=True, timeout=PROBE_TIMEOUT_S, check=False
        ).returncode
    except (OSError, subprocess.TimeoutExpired):
        tried = 1
    if tried != 0:
        raise NoWindow(
            "no window, as this Python has no Tk and this OpenCV no windows; install Tk (Debian: python3-tk), "
            "or replace opencv-python-headless by opencv-python"
        )
    return OpenCvWindow(title)


class OpenCvWindow:
    """OpenCV's own window, of its larger package."""

    def __init__(self, title: str) -> None:
        self._title = title
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        self._sized = False

    def show(self, pixels: np.ndarray) -> bool:
        if not self._sized:
            cv2.resizeWindow(self._title, pixels.shape[1], pixels.shape[0])
            self._sized = True
        cv2.imshow(self._title, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        pressed = cv2.waitKey(1) & 0xFF
        return pressed not in OPENCV_CLOSING_KEYS and cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1

    def close(self) -> None:
        cv2.destroyAllWindows()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
