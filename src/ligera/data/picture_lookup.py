"""Where the pictures of an annotation file are: its names for them tried in the folders that such files expect.

In: names as files write them, often relative to a folder that is not said, or from another machine. Out: a path, or
``None``. Folders are asked, no picture is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ligera.data.annotations import is_file
from ligera.data.pictures import PICTURE_SUFFIXES
from ligera.errors import DataError

__all__ = ["PictureLookup", "folders_beside"]


class PictureLookup:
    """Finds pictures by name in ``folders``, first those where the last one was."""

    def __init__(self, folders: Sequence[Path], *, any_suffix: bool = False) -> None:
        self._folders = [folder for folder in dict.fromkeys(folders) if _is_folder(folder)]
        self._fallback = folders[0]
        self._any_suffix = any_suffix

    def find(self, name: str) -> Path | None:
        """The picture ``name``, or else one of its last part; with ``any_suffix`` also one of the same stem."""
        whole = name.replace("\\", "/")
        last = PurePosixPath(whole).name
        candidates = [whole, last] if last and last != whole else [whole]
        if self._any_suffix and last:
            # A dot is as often part of a name as the start of a suffix.
            stem = last if PurePosixPath(last).suffix.lower() not in PICTURE_SUFFIXES else PurePosixPath(last).stem
            candidates += [stem + suffix for suffix in sorted(PICTURE_SUFFIXES) if stem + suffix not in candidates]
        for candidate in candidates:
            for folder in self._folders:
                if is_file(folder / candidate):
                    self._folders.remove(folder)
                    self._folders.insert(0, folder)
                    return folder / candidate
        return None

    def expected(self, name: str) -> Path:
        """Where ``name`` would be: for naming what is missing."""
        return self._fallback / name


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def folders_beside(file: Path, pictures: str | Path | None, *names: str) -> list[Path]:
    """Folders that may hold the pictures of ``file``: ``pictures`` alone where given, else those around the file.

    ``names`` are further folders beside it or one level up, such as ``val2017`` for ``instances_val2017.json``. Raises
    ``DataError`` when ``pictures`` is no folder.
    """
    if pictures is not None:
        if not _is_folder(Path(pictures)):
            raise DataError(f"{pictures}: no such folder of pictures")
        return [Path(pictures)]
    here, above = file.parent, file.absolute().parent.parent
    inner = [root / name for root in (here, here / "images", above, above / "images") for name in names]
    return [here / "images", here, *inner, above / "images", above]
