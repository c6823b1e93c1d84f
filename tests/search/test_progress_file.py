"""What a killed profile leaves behind, and what another may do with it."""

import errno
from pathlib import Path

import pytest

from ligera.errors import DataError, UsageError
from ligera.search.progress_file import ProgressFile
from ligera.search.timing import TooSlow, Turn

ONE = Turn(1.0, 0.9, 1.1, 50, False, 2.0, "estimated")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "table.json"


def killed(output: Path, identity: dict) -> Path:
    progress = ProgressFile(output, identity, resume=False)
    progress.add("a", ONE)
    progress.add("b", TooSlow("too slow"))
    progress.close(done=False)
    return progress.path


def test_turns_are_there_after_a_kill_in_the_middle_of_a_line(output: Path) -> None:
    path = killed(output, {"space": "x"})
    with path.open("ab") as file:
        file.write(b'{"key": "c", "tu')
    progress = ProgressFile(output, {"space": "x"}, resume=True)
    assert progress.turns == {"a": [ONE]} and progress.skipped == {"b": "too slow"} and progress.count == 1
    progress.add("c", ONE)
    progress.close(done=False)
    again = ProgressFile(output, {"space": "x"}, resume=True)
    assert again.turns == {"a": [ONE], "c": [ONE]}
    again.close(done=True)
    assert not path.exists()


def test_an_unfinished_profile_is_not_overwritten(output: Path) -> None:
    killed(output, {"space": "x"})
    with pytest.raises(UsageError, match="an unfinished profile stands beside it; add --resume"):
        ProgressFile(output, {"space": "x"}, resume=False)


def test_turns_of_something_else_are_refused_by_what_differs(output: Path) -> None:
    killed(output, {"space": "x", "threads": 1})
    with pytest.raises(UsageError, match="has another threads; repeat its options"):
        ProgressFile(output, {"space": "x", "threads": 2}, resume=True)


def test_two_at_once_are_refused(output: Path) -> None:
    first = ProgressFile(output, {}, resume=True)
    with pytest.raises(UsageError, match="another profile is writing it right now"):
        ProgressFile(output, {}, resume=True)
    first.close(done=True)


def test_where_nothing_can_be_locked_turns_are_kept_all_the_same(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    killed(output, {})
    again = ProgressFile(output, {}, resume=True)
    assert again.turns == {"a": [ONE]}
    again.close(done=True)


def test_damage_is_named_by_its_line(output: Path) -> None:
    path = killed(output, {})
    path.write_bytes(path.read_bytes() + b"nonsense\n")
    with pytest.raises(DataError, match=":4: damaged"):
        ProgressFile(output, {}, resume=True)
