"""One tree of errors: each message says what was wrong, where, and what to do.

LigeraError                exit code 1 would be a bug, so every child sets its own
├── UsageError        2    a wrong option, name or recipe key
│   └── RecipeError   2    a recipe that cannot be run
├── DataError         2    files that cannot be read or do not say what they should
│   └── PictureError  2    one picture that cannot be decoded
├── ModelError        2    a model file that is not what it claims
├── MissingExtra      3    an optional package or device that is not there
└── GateFailed        4    a measured value that missed its budget
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LigeraError(Exception):
    """Parent of everything Ligera raises on purpose; the message is one line a user can act on."""

    exit_code = 2


class UsageError(LigeraError):
    """A wrong option, name or combination of them."""


class RecipeError(UsageError):
    """A recipe with a wrong key, type or value."""


class DataError(LigeraError):
    """A data set, annotation file or folder that cannot be used as asked."""


class PictureError(DataError):
    """One picture that cannot be read; others may still be fine."""


class ModelError(LigeraError):
    """A model file that is missing, damaged or not a Ligera bundle."""


class MissingExtra(LigeraError):
    """An optional package or a device that this installation lacks."""

    exit_code = 3

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}, which is not installed; run: pip install 'ligera[{extra}]'")


class GateFailed(LigeraError):
    """A measurement that missed the budget or gate it was held against."""

    exit_code = 4


def nearest(word: str, choices: Iterable[str]) -> str:
    """A hint such as ``; did you mean 'epochs'?`` or an empty string when nothing is close."""
    match = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return f"; did you mean {match[0]!r}?" if match else ""
