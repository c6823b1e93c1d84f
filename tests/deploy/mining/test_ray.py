"""Mining on a cluster of two Ray workers: the same bytes, also when whoever ordered it is killed in the middle."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray_nodes import two_nodes

from ligera.data.crops import PROGRESS
from ligera.deploy.mining import mine, settings_for

from .killing import digests

pytest.importorskip("ray", reason="ray is not installed (extra cluster)")
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(600)]

ORDER = """
import sys
from pathlib import Path
from ligera.deploy.mining import mine, settings_for
data, out, model = sys.argv[1:]
mine(data, Path(out), settings_for(24, model=model, score=0.3, shard_crops=40), "ray", 2)
"""
ENOUGH_ROWS, PATIENCE_S = 3, 300


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with two_nodes() as address:
        yield address


@pytest.fixture(scope="module")
def undisturbed(faces: Path, cascade_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one after another leaves."""
    out = tmp_path_factory.mktemp("undisturbed") / "24"
    mine(faces, out, settings(cascade_bundle), "sequential")
    return digests(out)


def settings(model: Path) -> object:
    return settings_for(24, model=str(model), score=0.3, shard_crops=40)


@pytest.mark.usefixtures("cluster")
def test_a_cluster_leaves_the_same_bytes_and_takes_paths_from_where_the_order_was_given(
    faces: Path, cascade_bundle: Path, undisturbed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mine(os.path.relpath(faces), Path("out"), settings(Path(os.path.relpath(cascade_bundle))), "ray", 2)
    assert digests(tmp_path / "out") == undisturbed


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_killed_in_the_middle_the_cluster_goes_on_and_ends_with_the_same_bytes(
    cluster: str, faces: Path, cascade_bundle: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", ORDER, str(faces), str(out), str(cascade_bundle)]
    order = subprocess.Popen(command, env=os.environ | {"RAY_ADDRESS": cluster}, stderr=subprocess.DEVNULL)
    until = time.monotonic() + PATIENCE_S
    while rows(out) < ENOUGH_ROWS and order.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    order.send_signal(signal.SIGKILL)
    order.wait()
    assert rows(out) >= ENOUGH_ROWS and not (out / "mined.json").is_file(), "or it was not killed in the middle"
    mine(faces, out, settings(cascade_bundle), "ray", 2)
    assert digests(out) == undisturbed


def rows(out: Path) -> int:
    """Pictures that the record has."""
    path = out / PROGRESS
    return path.read_bytes().count(b"\n") - 1 if path.is_file() else 0
