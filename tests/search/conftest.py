"""What searches are made of in tests: discs for faces, a table by counting, a target in the middle of what there is."""

from pathlib import Path

import numpy as np
import pytest

from ligera.search.costs import Costs, Target, make_costs
from ligera.search.table import LatencyTable

from ..train.conftest import write_face_folder
from .searches import mini_table, search_values


@pytest.fixture(scope="session")
def table() -> LatencyTable:
    return mini_table()


@pytest.fixture(scope="session")
def table_file(table: LatencyTable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "table.json"
    table.write(path)
    return path


@pytest.fixture(scope="session")
def target_ms(table: LatencyTable) -> float:
    """A latency that about half of the nets are below."""
    random = np.random.default_rng(0)
    return float(np.median([table.latency_ms(table.space.sample(random)) for _ in range(101)]))


@pytest.fixture(scope="session")
def costs(table: LatencyTable, target_ms: float) -> Costs:
    return make_costs(table.space, table, [Target(attribute="latency_ms", target=target_ms)])


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_face_folder(tmp_path_factory.mktemp("discs"), pictures=8)


@pytest.fixture
def values(faces: Path, table_file: Path, target_ms: float) -> dict:
    return search_values(faces, table_file, target_ms)
