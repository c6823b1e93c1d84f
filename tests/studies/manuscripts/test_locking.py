"""One study at a time in a folder, told in words of its own."""

import threading
from pathlib import Path

import pytest

from ligera.errors import UsageError
from ligera.studies.manuscripts.locking import held

pytest.importorskip("fcntl")


def test_a_second_study_is_refused_with_its_folder_until_the_first_is_over(tmp_path: Path) -> None:
    with (
        held(tmp_path / "lock", wait=False),
        pytest.raises(UsageError, match=f"^{tmp_path}: this study is at work there already; wait for it, or give"),
        held(tmp_path / "lock", wait=False),
    ):
        pass
    with held(tmp_path / "lock", wait=False):
        pass


def test_a_worker_waits_for_the_one_before(tmp_path: Path) -> None:
    order = []

    def work() -> None:
        with held(tmp_path / "lock", wait=True):
            order.append("second")

    waiting = threading.Thread(target=work, daemon=True)
    with held(tmp_path / "lock", wait=False):
        waiting.start()
        waiting.join(0.2)
        order.append("first")
    waiting.join(60)
    assert order == ["first", "second"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError) as caught, held(tmp_path / "file" / "lock", wait=False):
        pass
    assert caught.value.filename == str(tmp_path / "file")
