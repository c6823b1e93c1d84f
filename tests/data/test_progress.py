"""The record of what a run has done, through kills, full disks and changes of mind."""

import errno
import os
from pathlib import Path

import pytest

from ligera.data.progress import Progress, read_header
from ligera.errors import DataError, UsageError

HEADER = {"seed": 0, "sides": (1, 2)}


def record(path: Path, **changes: object) -> Progress:
    return Progress(path, HEADER | changes, "path")


def test_rows_are_there_again(tmp_path: Path) -> None:
    with record(tmp_path / "p.jsonl") as progress:
        progress.add({"path": "a", "faces": 1})
        progress.add({"path": "b\udcff", "faces": 2})
        progress.add({"path": "a", "faces": 3})
    with record(tmp_path / "p.jsonl") as progress:
        assert len(progress) == 2
        assert progress.get("a") == {"path": "a", "faces": 3}
        assert progress.get("b\udcff") == {"path": "b\udcff", "faces": 2}
        assert progress.get("c") is None


def test_half_a_line_is_cut_off_wherever_the_kill_came(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    with record(path) as progress:
        progress.add({"path": "a"})
        progress.add({"path": "b"})
    whole = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        with record(path) as progress:
            done = [name for name in ("a", "b") if progress.get(name)]
            assert len(done) == sum(end <= length for end in ends[1:])
            for name in ("a", "b"):
                if name not in done:
                    progress.add({"path": name})
        assert path.read_bytes() == whole


def test_another_task_in_the_same_place_is_refused(tmp_path: Path) -> None:
    with record(tmp_path / "p.jsonl"):
        pass
    with pytest.raises(UsageError, match="was begun with seed 0, not 1"), record(tmp_path / "p.jsonl", seed=1):
        pass


@pytest.mark.parametrize("content", [b"no json\n", b"[1]\n", b'{"seed": 0, "sides": [1, 2]}\n{"row": 1}\n', b"\xff\n"])
def test_another_file_in_its_place_is_an_error_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(content)
    with pytest.raises((DataError, UsageError), match=r"p\.jsonl:|was begun with"), record(path):
        pass
    assert path.read_bytes() == content


def test_a_line_that_does_not_fit_on_the_disk_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    with record(path) as progress:
        progress.add({"path": "a"})
        before = path.read_bytes()
        real = progress._file
        assert real is not None

        class Full:
            def write(self, line: bytes) -> int:
                if len(line) < 10:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return real.write(line[:9])

            def __getattr__(self, name: str) -> object:
                return getattr(real, name)

        progress._file = Full()  # type: ignore[assignment]
        with pytest.raises(OSError, match=r"p\.jsonl"):
            progress.add({"path": "b"})
    assert path.read_bytes() == before


def test_the_header_can_be_read_alone(tmp_path: Path) -> None:
    with record(tmp_path / "p.jsonl"):
        pass
    assert read_header(tmp_path / "p.jsonl") == {"seed": 0, "sides": [1, 2]}
    (tmp_path / "other").write_bytes(b"\x00\x01")
    assert read_header(tmp_path / "other") is None
    assert read_header(tmp_path / "nowhere") is None


def test_it_is_used_in_a_with_block(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside `with"):
        record(tmp_path / "p.jsonl").add({"path": "a"})
