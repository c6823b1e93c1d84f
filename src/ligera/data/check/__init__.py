"""What a data set holds and what is wrong with it, by file and line: the work behind ``ligera data check``.

In: a folder or annotation file. Out: a report with its counts and every problem. Each format stands in a file of its
own as a :class:`~ligera.data.check.report.Format`; one more is one more file, and one line in ``_ALL`` below.
"""

from __future__ import annotations

from pathlib import Path

from ligera.data.annotations import is_file, quoted
from ligera.data.check.cifar import CIFAR10
from ligera.data.check.classes import ClassReport
from ligera.data.check.faces import RETINAFACE, SIZE_EDGES_PX, WIDERFACE, CheckReport, SizeBucket
from ligera.data.check.folders import FOLDERS
from ligera.data.check.pages import COCO, PAGEXML
from ligera.data.check.report import Report
from ligera.errors import DataError, UsageError, nearest

__all__ = [
    "FORMATS",
    "SIZE_EDGES_PX",
    "CheckReport",
    "ClassReport",
    "Report",
    "SizeBucket",
    "check",
    "detect_format",
]

_ALL = (
    WIDERFACE,
    RETINAFACE,
    CIFAR10,
    COCO,
    PAGEXML,
    FOLDERS,
)
FORMATS = tuple(format.name for format in _ALL)


def check(path: str | Path, format: str | None = None, *, workers: int | None = None) -> Report:
    """Read a data set in full, decode each of its pictures, and report.

    ``format`` is one of ``FORMATS``, or ``None`` to tell from the files; ``workers`` threads decode (all cores if
    ``None``). Raises ``UsageError`` for a format it does not know, ``DataError`` when there is nothing to check.
    """
    path = Path(path)
    if format is not None and format not in FORMATS:
        hint = nearest(format, FORMATS)
        raise UsageError(f"--format: no format {quoted(format)}{hint}; formats supported: {', '.join(FORMATS)}")
    format = format or detect_format(path)
    return next(known for known in _ALL if known.name == format).check(path, workers)


def detect_format(path: Path) -> str:
    """Which of ``FORMATS`` stands at ``path``; ``DataError`` when it is none of them or more than one."""
    if not is_file(path) and not path.is_dir():
        raise DataError(f"{path}: no such file or folder")
    clear = [format.name for format in _ALL if not format.vague and format.recognise(path)]
    names = clear or [format.name for format in _ALL if format.vague and format.recognise(path)]
    if len(names) == 1:
        return names[0]
    if names:
        raise DataError(f"{path}: may be {' or '.join(names)}; say which with --format")
    *first, last = (f"{format.name} ({format.expects})" for format in _ALL)
    raise DataError(f"{path}: neither {', '.join(first)} nor {last}; say which with --format")
