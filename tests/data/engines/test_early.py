"""What is begun before it is needed is there when it is, and nothing is begun that nobody asked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ligera.data.engines.early import default_start_method

SCRIPT = """
import sys
import psutil
from ligera.data.engines import begin_early, run

def known(name):
    return name in sys.modules

if __name__ == "__main__":
    begin_early("threads", ["colorsys"])
    before = len(psutil.Process().children())
    begin_early("processes", ["colorsys", "no_such_module_anywhere"])
    begun = len(psutil.Process().children())
    there = [outcome.unwrap() for outcome in run("processes", known, ["colorsys"] * 4 + ["wave"], workers=2)]
    print(before, begun > 0, there)
"""


@pytest.mark.skipif(default_start_method() != "forkserver", reason="there is no fork server on this system")
def test_workers_have_what_was_imported_early_and_a_missing_module_is_left_out(tmp_path: Path) -> None:
    script = tmp_path / "early.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.split("\n")[0] == f"0 True {[True] * 4 + [False]}"
    assert not done.stderr
