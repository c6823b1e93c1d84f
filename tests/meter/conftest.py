"""A played machine for each test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .machine import Machine


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., Machine]:
    """Makes a machine: ``play(cards=[...], packages=[...])``."""

    def make(**options: Any) -> Machine:
        return Machine(tmp_path / "powercap", **options)

    return make
