"""A lock keeps others out, goes with its process, and stands in nobody's way where there is none to take."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ligera import locks
from ligera.locks import lock

needs_locks = pytest.mark.skipif(locks.fcntl is None, reason="this system has no such locks")

HOLDER = (
    "import sys, time; from ligera.locks import lock\n"
    "file = open(sys.argv[1], 'ab'); print(lock(file), flush=True); time.sleep(600)"
)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the lock on ``tmp_path / "lock"``."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "True\n"
        yield process
        process.kill()


@needs_locks
def test_a_second_holder_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("wb") as first, (tmp_path / "lock").open("ab") as second:
        assert lock(first)
        assert not lock(second)
        first.close()
        assert lock(second)


@needs_locks
def test_it_is_gone_when_its_process_is_killed(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with (tmp_path / "lock").open("ab") as file:
        assert not lock(file)
        holder.kill()
        holder.wait()
        assert lock(file)


@needs_locks
def test_one_who_waits_has_it_as_soon_as_it_is_free(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    taken = []
    with (tmp_path / "lock").open("ab") as file:
        waiting = threading.Thread(target=lambda: taken.append(lock(file, wait=True)), daemon=True)
        waiting.start()
        waiting.join(0.2)
        assert not taken
        holder.kill()
        waiting.join(60)
        assert taken == [True]


@needs_locks
def test_a_folder_that_cannot_be_written_can_be_locked_and_nothing_is_put_there(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    first, second = (os.open(tmp_path, os.O_RDONLY) for _ in range(2))
    try:
        assert lock(first)
        assert not lock(second)
        assert not list(tmp_path.iterdir())
    finally:
        os.close(first)
        os.close(second)
        tmp_path.chmod(0o755)


@needs_locks
@pytest.mark.parametrize(
    ("number", "free"),
    [
        pytest.param(errno.EOPNOTSUPP, True, id="a network share without locks"),
        pytest.param(errno.ENOSYS, True, id="Lustre without them"),
        pytest.param(errno.ENOLCK, True, id="NFS whose server has none"),
        pytest.param(errno.EBADF, True, id="a folder on NFS"),
        pytest.param(errno.EACCES, False, id="an SMB share where it is taken"),
    ],
)
def test_a_file_system_without_locks_lets_everybody_go_on(
    number: int, free: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    with (tmp_path / "lock").open("wb") as file:
        assert lock(file) is free


def test_a_system_without_locks_lets_everybody_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "fcntl", None)
    with (tmp_path / "lock").open("wb") as first, (tmp_path / "lock").open("ab") as second:
        assert lock(first) and lock(second)
