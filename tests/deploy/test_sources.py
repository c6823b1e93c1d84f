"""Whatever a user points at becomes pictures or a reason why not."""

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from ligera.deploy.sources import plan, shots
from ligera.errors import DataError, PictureError

from .conftest import spots

Write = Callable[..., Path]


def write_video(path: Path, frames: int = 5) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (128, 96))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no video")
    for number in range(frames):
        writer.write(spots(128, 96, (number % 4, 1))[:, :, ::-1])
    writer.release()
    return path


def test_files_folders_and_globs_become_pictures_in_order(tmp_path: Path, picture_file: Write) -> None:
    for name in ("folder/b.png", "folder/deep/a.png", "other/1.png", "other/2.png", "single.png"):
        picture_file(name)
    planned = plan([str(tmp_path / "folder"), str(tmp_path / "other" / "*.png"), str(tmp_path / "single.png")])
    assert [entry.target.as_posix() for entry in planned] == ["b", "deep/a", "1", "2", "single"]
    seen = list(shots(planned))
    assert [Path(shot.source.name).name for shot in seen] == ["b.png", "a.png", "1.png", "2.png", "single.png"]
    assert all(shot.picture is not None and shot.picture.width == 128 for shot in seen)


def test_pictures_of_one_name_keep_apart_in_the_results(tmp_path: Path, picture_file: Write) -> None:
    files = [str(picture_file(f"{folder}/1.png")) for folder in "abc"]
    targets = [entry.target.as_posix() for entry in plan(files)]
    assert targets == ["1", "1-2", "1-3"]


def test_a_broken_picture_is_a_shot_with_an_error_and_the_next_follows(tmp_path: Path, picture_file: Write) -> None:
    (tmp_path / "a.png").write_bytes(b"broken")
    picture_file("b.png")
    broken, fine = shots(plan([str(tmp_path)]))
    assert isinstance(broken.error, PictureError) and broken.picture is None
    assert fine.error is None and fine.picture is not None


def test_a_source_that_is_not_there_is_an_error_among_others_and_final_alone(picture_file: Write) -> None:
    missing, there = plan(["nowhere.jpg", str(picture_file())])
    assert isinstance(missing.error, DataError) and there.error is None
    with pytest.raises(DataError, match=r"nowhere\.jpg"):
        plan(["nowhere.jpg"])


def test_a_video_is_one_shot_for_each_frame(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.avi")
    seen = list(shots(plan([str(video)])))
    assert [shot.frame for shot in seen] == [0, 1, 2, 3, 4]
    assert seen[0].fps == 10.0
    assert seen[2].picture is not None
    assert seen[2].picture.pixels[40:60, 70:90].mean() > 200
    assert seen[2].picture.pixels[:20].mean() < 60


def test_a_video_cut_short_is_seen_as_far_as_it_goes_and_said(tmp_path: Path) -> None:
    whole, cut = write_video(tmp_path / "whole.avi", 60), tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    *frames, last = shots(plan([str(cut)]))
    assert 5 < len(frames) < 50 and all(shot.error is None for shot in frames)
    assert "cut.avi: damaged or cut short" in str(last.error) and "of 6.0 s could be read" in str(last.error)
    assert all(shot.error is None for shot in shots(plan([str(whole)])))


def test_a_video_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no video at all")
    (shot,) = shots(plan([str(tmp_path / "clip.mp4")]))
    assert "clip.mp4: cannot be opened as a video" in str(shot.error)


def test_a_camera_that_is_not_there_says_so() -> None:
    (entry,) = plan(["97"])
    assert entry.kind == "camera"
    (shot,) = shots([entry])
    assert "97: cannot be opened as a camera" in str(shot.error)


class Pipe:
    def __init__(self, content: bytes, terminal: bool = False) -> None:
        self.buffer, self._terminal = io.BytesIO(content), terminal

    def isatty(self) -> bool:
        return self._terminal


def test_a_dash_reads_one_picture_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    content = cv2.imencode(".png", np.full((8, 9, 3), 7, np.uint8))[1].tobytes()
    monkeypatch.setattr("sys.stdin", Pipe(content))
    (shot,) = shots(plan(["-"]))
    assert shot.picture is not None and shot.picture.pixels.shape == (8, 9, 3)


@pytest.mark.parametrize(("pipe", "reason"), [(Pipe(b""), "empty"), (Pipe(b"x", terminal=True), "terminal")])
def test_standard_input_without_a_picture_says_so(pipe: Pipe, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", pipe)
    (shot,) = shots(plan(["-"]))
    assert reason in str(shot.error)
