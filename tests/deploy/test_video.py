"""A video stands whole at its place or not at all, whatever ends the writing."""

import errno
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from ligera.deploy.video import VideoFile, check_place
from ligera.errors import DataError, UsageError

from .watching.coloured import ANN, frame, write_film

OLD = b"what stood there before"
PIXELS = frame({(1, 1): ANN})


def frames_in(path: Path) -> int:
    capture, count = cv2.VideoCapture(str(path)), 0
    while capture.read()[0]:
        count += 1
    return count


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "out.mp4"
    path.write_bytes(OLD)
    return path


def test_the_frames_arrive_and_the_old_file_stands_until_then(place: Path) -> None:
    with VideoFile(place, 10.0) as video:
        for _ in range(9):
            video.write(PIXELS)
        assert place.read_bytes() == OLD
    assert frames_in(place) == 9
    assert [path.name for path in place.parent.iterdir()] == ["out.mp4"]


def test_ctrl_c_ends_the_file_whole(place: Path) -> None:
    with pytest.raises(KeyboardInterrupt), VideoFile(place, 10.0) as video:
        for _ in range(5):
            video.write(PIXELS)
        raise KeyboardInterrupt
    assert frames_in(place) == 5


@pytest.mark.parametrize("frames", [0, 5])
def test_an_error_leaves_what_was_there_before(frames: int, place: Path) -> None:
    with pytest.raises(ValueError, match="broken"), VideoFile(place, 10.0) as video:
        for _ in range(frames):
            video.write(PIXELS)
        raise ValueError("broken")
    assert place.read_bytes() == OLD
    assert [path.name for path in place.parent.iterdir()] == ["out.mp4"]


def test_without_a_frame_nothing_is_written(place: Path) -> None:
    with VideoFile(place, 10.0):
        pass
    assert place.read_bytes() == OLD


def test_a_killed_run_leaves_the_old_file_and_the_next_run_clears_up(place: Path) -> None:
    code = (
        "import os, sys, numpy as np; from pathlib import Path; from ligera.deploy.video import VideoFile\n"
        "with VideoFile(Path(sys.argv[1]), 10.0) as video:\n"
        "    [video.write(np.zeros((96, 160, 3), np.uint8)) for _ in range(50)]\n"
        "    os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(place)], check=False).returncode == -9
    assert place.read_bytes() == OLD
    with VideoFile(place, 10.0) as video:
        video.write(PIXELS)
    assert frames_in(place) == 1
    assert [path.name for path in place.parent.iterdir()] == ["out.mp4"]


def test_a_disk_about_to_be_full_ends_the_file_whole_in_time(place: Path) -> None:
    space = iter([10**9, 10**9, 10**6])
    with (
        pytest.raises(DataError, match=r"no space left on the disk; the video ends after 60 frames"),
        VideoFile(place, 10.0, free_bytes=lambda _: next(space)) as video,
    ):
        for _ in range(200):
            video.write(PIXELS)
    assert frames_in(place) == 60


def test_a_disk_full_from_the_start_leaves_what_was_there(place: Path) -> None:
    with (
        pytest.raises(DataError, match="no space left on the disk; nothing was written"),
        VideoFile(place, 10.0, free_bytes=lambda _: 0) as video,
    ):
        video.write(PIXELS)
    assert place.read_bytes() == OLD


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file size are POSIX")
def test_a_file_that_the_system_cuts_short_is_an_error_and_the_old_one_stays(place: Path) -> None:
    code = (
        "import resource, sys, numpy as np; from pathlib import Path\n"
        "from ligera.deploy.video import VideoFile; from ligera.errors import DataError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)); noise = np.random.default_rng(0)\n"
        "try:\n"
        "    with VideoFile(Path(sys.argv[1]), 10.0) as video:\n"
        "        [video.write(noise.integers(0, 256, (96, 160, 3)).astype(np.uint8)) for _ in range(40)]\n"
        "except DataError as error:\n"
        "    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(place)], capture_output=True, text=True, check=True)
    assert "could not be written whole" in done.stdout
    assert place.read_bytes() == OLD
    assert [path.name for path in place.parent.iterdir()] == ["out.mp4"]


def test_two_runs_do_not_write_one_file(place: Path) -> None:
    pytest.importorskip("fcntl")
    with VideoFile(place, 10.0) as video:
        with pytest.raises(DataError, match="is being written by another run"), VideoFile(place, 10.0):
            pass
        video.write(PIXELS)
    assert frames_in(place) == 1


def test_where_nothing_can_be_locked_the_video_is_written_all_the_same(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with VideoFile(place, 10.0) as video:
        video.write(PIXELS)
    assert frames_in(place) == 1


def test_a_live_video_repeats_frames_to_last_as_long_as_what_it_shows(place: Path) -> None:
    with VideoFile(place, 10.0) as video:
        for time_s in (0.0, 0.52, 0.53, 1.0):
            video.write(PIXELS, until_s=time_s)
    assert frames_in(place) == 11


def test_frames_of_odd_or_changing_size_are_made_to_fit(place: Path) -> None:
    with VideoFile(place, 10.0) as video:
        video.write(np.zeros((51, 77, 3), np.uint8))
        video.write(np.zeros((120, 160, 3), np.uint8))
    capture = cv2.VideoCapture(str(place))
    assert capture.read()[1].shape == (50, 76, 3) and capture.read()[0]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError), VideoFile(tmp_path / "file" / "out.mp4", 10.0):
        pass


def test_the_video_that_is_watched_is_not_overwritten(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", [{}])
    link = tmp_path / "link.mp4"
    link.symlink_to(film)
    for out in (film, link, tmp_path / "." / "film.mp4"):
        with pytest.raises(UsageError, match="would be overwritten"):
            check_place(out, str(film))
    check_place(tmp_path / "other.mp4", str(film))


@pytest.mark.parametrize("name", ["out.avi", "out", "folder.mp4"])
def test_only_a_file_ending_in_mp4_is_a_place(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(UsageError, match=r"expected a file ending in \.mp4"):
        check_place(tmp_path / name, "0")
