"""``ligera space export`` and ``ligera profile`` from the outside: results, exit codes, kills."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ligera import cli
from ligera.search.table import read_table

from ..search.archives import archive, space_file

__all__ = ["archive", "space_file"]
Capture = pytest.CaptureFixture[str]
QUICK = ["--threads", "1", "--rounds", "1", "--warm-up", "1", "--samples", "5", "--rest-ms", "0"]


def test_a_space_becomes_an_archive(space_file: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "blocks.zip"
    assert cli.run(["space", "export", str(space_file), "-o", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["size_bytes"] == out.stat().st_size and said["entries"] > said["frames"] > 0 and said["nets"] == 0


def test_the_statistic_stands_in_the_table_and_a_wrong_one_is_named(
    archive: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "table.json"
    arguments = ["profile", str(archive), "-o", str(out), *QUICK, "--only", "*KKConv*"]
    assert cli.run([*arguments, "--statistic", "quickest"]) == 2
    assert "--statistic quickest: expected fastest or trimmed" in capsys.readouterr().err
    assert cli.run([*arguments, "--statistic", "trimmed"]) == 0
    assert read_table(out).settings.statistic == "trimmed" and "trimmed mean" in capsys.readouterr().out
    out.unlink()
    assert cli.run(arguments) == 0
    assert read_table(out).settings.statistic == "fastest" and "the fastest run" in capsys.readouterr().out


def test_an_archive_becomes_a_table_that_is_checked(archive: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "table.json"
    assert cli.run(["profile", str(archive), "-o", str(out), *QUICK, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["complete"] and said["entries"] == len(read_table(out).rows)
    assert (tmp_path / "table-figures" / "latency-16-first.png").is_file()
    arguments = ["profile", str(archive), "--check", str(out), "--nets", "20", "--rounds", "1", "--save-constants"]
    assert cli.run(arguments) == 0
    printed = capsys.readouterr().out
    assert "with constants, half judged" in printed and "Kendall tau" in printed
    assert "net" in read_table(out).constants
    report = json.loads((tmp_path / "table-check.json").read_text())
    assert len(report["nets"]) == 20 and 0 <= report["judged_fitted"]["near_share"] <= 1
    assert (tmp_path / "table-figures" / "check.png").is_file()


def test_a_kill_loses_nothing(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.json"
    command = [sys.executable, "-m", "ligera.cli", "profile", str(archive), "-o", str(out), *QUICK[:-1], "50"]
    turns = tmp_path / ".table.json.turns.jsonl"
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not turns.exists() or turns.read_bytes().count(b"\n") < 4:
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    kept = turns.read_bytes()
    kept = kept[: kept.rfind(b"\n") + 1].splitlines()[1:]
    assert not out.exists()
    second = subprocess.run([*command, "--resume"], capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr
    table = read_table(out)
    assert table.complete and not turns.exists()
    for line in map(json.loads, kept):
        if line["key"] in table.rows:
            row = table.rows[line["key"]]
            assert row.latency_ms == pytest.approx(max(0.0, line["turn"]["latency_ms"] - row.frame_ms)) or row.repeats


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("profile", 2, "give a search space or an archive"),
        ("profile nowhere.yaml -o t.json", 2, "nowhere.yaml: no such file"),
        ("profile --check nowhere.json", 2, "nowhere.json: cannot be read"),
        ("profile --check a.json -o b.json", 2, "writes none; leave -o out"),
        ("profile {archive} -o t.json --clock sundial", 2, "--clock sundial: expected wall or cpu"),
        ("profile {archive} -o t.json --runtime abacus", 2, "no runtime is called 'abacus'"),
        ("profile {archive} -o t.json --only x", 2, "no entry of space small has such a key"),
        ("profile {archive} -o t.json --threads 9999", 2, "threads: expected 1 to 256"),
        ("profile {space} -o /proc/nowhere/t.json --only stem*", 2, "/proc/nowhere"),
        ("space export {archive} -o b.zip", 2, "cannot be read as a search space"),
        ("space export {space} -o /proc/nowhere/b.zip", 2, "/proc/nowhere"),
    ],
)
def test_trouble_is_one_line_and_an_exit_code(
    words: str,
    code: int,
    said: str,
    archive: Path,
    space_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run([word.format(archive=archive, space=space_file) for word in words.split()]) == code
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ligera: ")]
    assert len(lines) == 1 and said in lines[0]


def test_blocks_of_another_precision_are_refused_by_name(
    space_file: Path, archive: Path, tmp_path: Path, capsys: Capture
) -> None:
    blocks, out = tmp_path / "int8.zip", tmp_path / "table.json"
    assert cli.run(["space", "export", str(space_file), "-o", str(blocks), "--precision", "int4"]) == 2
    assert "did you mean 'int8'" in capsys.readouterr().err and not blocks.exists()
    assert cli.run(["space", "export", str(space_file), "-o", str(blocks), "--precision", "int8"]) == 0
    assert cli.run(["profile", str(blocks), "-o", str(out), *QUICK]) == 0
    assert "int8" in capsys.readouterr().out
    assert cli.run(["profile", str(archive), "--check", str(out), "--nets", "20"]) == 2
    assert "is of fp32" in capsys.readouterr().err
