"""Killed at any moment, fifty times over, and begun again by any engine: the same bytes as if nothing had happened."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLING = Path(__file__).with_name("killing.py")


@pytest.mark.skipif(os.name != "posix", reason="forks and SIGKILL are POSIX's")
@pytest.mark.parametrize(("stage", "kills"), [(12, 40), (24, 10)])
def test_killed_fifty_times_it_ends_with_the_same_bytes(
    stage: int, kills: int, small_faces: Path, cascade_bundle: Path, tmp_path: Path
) -> None:
    model = [] if stage == 12 else [str(cascade_bundle)]
    command = [sys.executable, str(KILLING), str(small_faces), str(tmp_path / "out"), str(kills), "7", *model]
    quiet = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=quiet)
    report = json.loads(done.stdout)
    undisturbed = report["references"][0]
    assert {"mined.json", "iou.png", "progress.jsonl", "shard-00000.npz"} <= set(undisturbed)
    assert all(reference == undisturbed for reference in report["references"]), "engines differ"
    assert all(end == [0, undisturbed] for end in report["ends"])
    assert len(report["interrupted"]) == kills
    # or the test says little: kills met the work, and where they are many both its halves
    assert "candidates" in report["interrupted"]
    assert "shards" in report["interrupted"] or kills < 40
