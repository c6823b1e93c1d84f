"""The cache: what was written comes back, what was damaged does not, and a full disk ends nothing."""

import errno
from pathlib import Path
from typing import Any

import pytest

from ligera.deploy.pick import store as store_module
from ligera.deploy.pick.evidence import Screening
from ligera.deploy.pick.store import Store, pick_folder

KEY = {"model": "a", "threads": 1}


def same(value: Any) -> Any:
    return value


def only_file(folder: Path) -> Path:
    (path,) = folder.rglob("*.gz")
    return path


def test_a_value_comes_back_under_its_own_key_alone(tmp_path: Path) -> None:
    Store(tmp_path).write("answers", KEY, {"1": [0.5]})
    again = Store(tmp_path)
    assert again.read("answers", dict(reversed(KEY.items())), same) == {"1": [0.5]}
    assert again.read("answers", KEY | {"threads": 2}, same) is None
    assert again.read("visits", KEY, same) is None
    assert again.damaged == 0


def test_what_measuring_took_stays_with_the_value_and_counts_once(tmp_path: Path) -> None:
    first = Store(tmp_path)
    first.write("answers", KEY, [1], 2.5)
    first.write("visits", KEY, [1], 4.0)
    first.write("visits", KEY, [1, 2], 3.0)
    assert first.worth_s == 9.5
    again = Store(tmp_path)
    for _ in range(2):
        again.read("visits", KEY, same)
    assert again.worth_s == 7.0


@pytest.mark.parametrize("how", ["cut", "flipped", "empty", "text"])
def test_a_damaged_file_is_ignored_and_counted(how: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write("answers", KEY, list(range(100)))
    path = only_file(tmp_path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes({"cut": content[:20], "flipped": content, "empty": b"", "text": b"hello"}[how])
    assert store.read("answers", KEY, same) is None
    assert store.damaged == 1
    store.write("answers", KEY, [1])
    assert store.read("answers", KEY, same) == [1]


def test_a_value_of_another_form_is_as_good_as_damaged(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write("screenings", KEY, {"times_ms": "soon"})
    assert store.read("screenings", KEY, Screening.from_dict) is None
    assert store.damaged == 1


def test_what_cannot_be_written_is_remembered_for_this_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(store_module, "write_bytes", full)
    store = Store(tmp_path)
    store.write("answers", KEY, [1, 2])
    assert store.read("answers", KEY, same) == [1, 2]
    assert store.unwritten == 1 and "no space left on device" in store.trouble
    assert Store(tmp_path).read("answers", KEY, same) is None


def test_the_cache_is_where_its_user_wants_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert pick_folder() == tmp_path / "ligera" / "pick"
