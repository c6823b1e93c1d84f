"""The same promises on a cluster of two Ray workers; skipped where Ray is not installed."""

from collections.abc import Iterator
from pathlib import Path

import engine_chores as chores
import pytest
from ray_nodes import two_nodes

from ligera.data.engines import PerWorker, WorkerDied, run

ray = pytest.importorskip("ray", reason="ray is not installed (extra cluster)")
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Workers can import the chores."""
    with two_nodes({"PYTHONPATH": str(Path(__file__).parent)}):
        yield


@pytest.mark.usefixtures("cluster")
def test_outcomes_are_those_of_a_plain_loop_and_both_nodes_work() -> None:
    expected = [(o.item, o.value, repr(o.error)) for o in run("sequential", chores.square, range(60))]
    outcomes = list(run("ray", PerWorker(chores.signed_square), iter(range(60))))
    got = [(o.item, o.value and o.value[0], repr(o.error)) for o in outcomes]
    assert got == expected
    assert len({o.value[1] for o in outcomes if o.value}) == 2


@pytest.mark.usefixtures("cluster")
def test_a_worker_that_dies_costs_only_its_item() -> None:
    outcomes = list(run("ray", chores.leave, range(12)))
    assert [o.item for o in outcomes if o.error] == [5]
    assert isinstance(outcomes[5].error, WorkerDied)


@pytest.mark.usefixtures("cluster")
def test_a_worker_that_cannot_be_made_ends_the_run() -> None:
    with pytest.raises(ValueError, match="no such model"):
        list(run("ray", PerWorker(chores.broken_station), range(4)))


@pytest.mark.usefixtures("cluster")
def test_leaving_early_ends_the_actors_and_not_the_cluster() -> None:
    with run("ray", chores.square, range(1000), workers=1) as outcomes:
        assert next(outcomes).value == 0
    assert ray.is_initialized()
