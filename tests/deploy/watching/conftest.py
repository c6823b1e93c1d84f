"""A recogniser of coloured cells, made once."""

from pathlib import Path

import pytest

from .coloured import write_recognizer_of_colours


@pytest.fixture(scope="session")
def ann(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of ``ann``."""
    return write_recognizer_of_colours(tmp_path_factory.mktemp("ann") / "ann.onnx", str(bundle))
