"""Work for workers in other processes, which find it by its name; so it cannot stand in a test file."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from ligera.errors import MissingExtra


def square(number: int) -> int:
    if number % 10 == 3:
        raise ValueError(f"{number} ends in 3")
    return number * number


async def square_later(number: int) -> int:
    await asyncio.sleep(0.0005 * (number % 3))
    return square(number)


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


async def nap_awake(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


def leave(number: int) -> int:
    if number == 5:
        os._exit(7)
    return number


def be_killed(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def unpicklable(number: int) -> object:
    return (lambda: number) if number == 1 else number


def call(function: Callable[[], int]) -> int:
    return function()


def miss(_item: int) -> int:
    raise MissingExtra("ray", "cluster", "this test")


def blur(side: int) -> int:
    """Work on OpenCV's own threads, where it may have any."""
    return int(cv2.GaussianBlur(np.full((side, side, 3), 9, np.uint8), (31, 31), 0).sum())


def opencv_threads(_item: int) -> int:
    return cv2.getNumThreads()


def process_number(_item: int) -> int:
    return os.getpid()


def named_station() -> Callable[[int], tuple[int, int]]:
    """A maker: what it makes tells in which thread of which process it was made."""
    made = os.getpid(), threading.get_ident()
    return lambda _item: made


def signed_square() -> Callable[[int], tuple[int, int]]:
    """A maker: its work also says which process it is done in, and takes long enough for two to have a share."""
    mine = os.getpid()

    def work(number: int) -> tuple[int, int]:
        time.sleep(0.05)
        return square(number), mine

    return work


def broken_station() -> Callable[[int], int]:
    raise ValueError("no such model")


def write_slowly(path: str) -> str:
    """Leaves a temporary file where it is stopped without a chance to tidy up."""
    temporary = Path(path + ".part")
    temporary.write_text("half")
    try:
        Path(path + ".begun").touch()
        time.sleep(30)
        return path
    finally:
        temporary.unlink()
