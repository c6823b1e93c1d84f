"""One archive of the small space with whole nets, made once for all tests that measure."""

from pathlib import Path

import pytest
import yaml

from ligera.search.exporting import export_space
from ligera.search.space import read_space

from .small_spaces import SMALL

NETS = 20


@pytest.fixture(scope="session")
def space_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("space") / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return path


@pytest.fixture(scope="session")
def archive(space_file: Path) -> Path:
    path = space_file.with_name("blocks.zip")
    export_space(read_space(space_file), path, source=space_file, nets=NETS)
    return path
