"""Files appear whole or not at all, and no run takes another's folder."""

import json
import stat
from pathlib import Path

import pytest

from ligera.files import JsonLines, new_run_folder, write_bytes, write_unforced


def test_a_file_is_replaced_in_one_step_and_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.bin"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert [file.name for file in path.parent.iterdir()] == ["a.bin"]
    ordinary = tmp_path / "b"
    ordinary.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)


def test_a_file_that_is_not_forced_onto_the_disk_is_whole_too_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path, unfinished = tmp_path / "deep" / "a.bin", tmp_path / "unfinished"
    for content in (b"one", b"two"):
        write_unforced(path, content, unfinished)
        assert path.read_bytes() == content
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError) as caught:
        write_unforced(path, b"three", unfinished)
    assert caught.value.filename == str(path)
    assert not list(unfinished.iterdir())


def test_lines_get_their_name_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with JsonLines(path) as lines:
        lines.write({"a": 1})
        assert not path.exists()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"a": 1}]
    assert [file.name for file in tmp_path.iterdir()] == ["rows.jsonl"]


def test_an_interrupt_keeps_the_lines_before_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with pytest.raises(KeyboardInterrupt), JsonLines(path) as lines:
        lines.write({"a": 1})
        raise KeyboardInterrupt
    assert path.read_text() == '{"a": 1}\n'


def test_a_full_disk_keeps_whole_lines_only(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"

    class FullAfterTen:
        def __init__(self, file) -> None:  # type: ignore[no-untyped-def]
            self.file, self.left = file, 20

        def write(self, content: bytes) -> int:
            if not self.left:
                raise OSError(28, "No space left on device")
            taken = self.file.write(content[: self.left])
            self.left -= taken
            return taken

        def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
            return getattr(self.file, name)

    with pytest.raises(OSError, match="No space"), JsonLines(path) as lines:
        lines._file = FullAfterTen(lines._file)  # type: ignore[assignment]
        lines.write({"a": 1})
        lines.write({"b": "much longer than what is left"})
    assert path.read_text() == '{"a": 1}\n'


def test_names_that_are_no_text_still_make_valid_json(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with JsonLines(path) as lines:
        lines.write({"path": "b\udcff.jpg", "other": "ä"})
    assert json.loads(path.read_text(encoding="ascii")) == {"path": "b\udcff.jpg", "other": "ä"}


def test_writing_outside_the_block_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="with JsonLines"):
        JsonLines(tmp_path / "a").write({})


def test_each_run_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    made = [new_run_folder(tmp_path, "detect", "photo") for _ in range(3)]
    assert [folder.relative_to(tmp_path).as_posix() for folder in made] == [
        "detect/photo",
        "detect/photo-2",
        "detect/photo-3",
    ]


@pytest.mark.parametrize(("name", "plain"), [("../../etc", "etc"), ("a b/c*", "a-b-c"), ("...", "run"), ("ü", "ü")])
def test_a_run_never_leaves_its_place(name: str, plain: str, tmp_path: Path) -> None:
    assert new_run_folder(tmp_path, "detect", name) == tmp_path / "detect" / plain
