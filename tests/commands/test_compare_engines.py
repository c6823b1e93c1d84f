"""``ligera compare-engines`` from the outside."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from ligera import cli
from ligera.deploy.comparing.comparison import Comparison, EngineRow, compare
from ligera.errors import DataError, UsageError
from ligera.meter.figure import Figure

PictureFile = Callable[..., Path]
Capture = pytest.CaptureFixture[str]

SECONDS = Figure(2.0, "s", "measured", "cpu", 2, 3, (1.9, 2.4))
UNKNOWN = Figure(None, "MB", "unknown", "cpu", 2, 0)


@pytest.fixture
def photos(tmp_path: Path, picture_file: PictureFile, monkeypatch: pytest.MonkeyPatch) -> Path:
    for number in range(5):
        picture_file(f"photos/{number}.png", (number % 4, 1))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


def faked(monkeypatch: pytest.MonkeyPatch, *, identical: bool = True, reasons: tuple[str, ...] = ()) -> None:
    plain = EngineRow("sequential", "sequential", 1, 0, "ab", {"elapsed_s": SECONDS, "peak_mb": UNKNOWN})
    chosen = replace(plain, engine="auto", chosen="threads", workers=None)
    result = Comparison("photos", "decode", 5, 3, "Some CPU", (plain, chosen), identical, reasons)
    monkeypatch.setattr("ligera.deploy.comparing.comparison.compare", lambda *_args, **_options: result)


def test_engines_are_measured_each_in_its_own_process_and_agree(photos: Path, bundle: Path, capsys: Capture) -> None:
    (photos / "broken.jpg").write_bytes(b"nothing")
    words = ["--engines", "sequential,processes", "--workload", "detect", "--model", str(bundle), "--rounds", "1"]
    assert cli.run(["compare-engines", "photos", *words, "--workers", "2", "--json", "--force"]) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert report["identical"] and report["pictures"] == 6
    assert "1 of 6 pictures could not be worked on" in captured.err
    plain, processes = report["rows"]
    assert plain["digest"] == processes["digest"] and processes["workers"] == 2
    for row in (plain, processes):
        assert row["figures"]["elapsed_s"]["value"] > 0
    assert processes["figures"]["speedup"]["note"] == "over sequential"
    folder = Path(report["folder"])
    assert folder == Path("runs/compare-engines/photos")
    assert json.loads((folder / "comparison.json").read_text())["rows"][0]["figures"]["elapsed_s"]["n"] == 1
    assert cv2.imread(str(folder / "comparison.png")).shape[1] == 1000


@pytest.mark.parametrize("workload", ["decode", "augment"])
def test_the_other_workloads_run_too(workload: str, photos: Path, bundle: Path) -> None:
    result = compare(str(photos), ["threads"], workload=workload, rounds=1, limit=2, model=str(bundle), workers=2)
    assert result.pictures == 2 and result.rows[0].failed == 0 and result.identical


@pytest.mark.usefixtures("photos")
def test_a_model_that_does_not_load_is_one_line(capsys: Capture) -> None:
    words = ["--engines", "threads", "--workload", "detect", "--model", "fase", "--rounds", "1"]
    assert cli.run(["compare-engines", "photos", *words]) == 2
    captured = capsys.readouterr()
    assert "did you mean 'face'" in captured.err and len(captured.err.splitlines()) == 1
    assert not Path("runs").exists()


def test_the_table_names_what_auto_chose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    faked(monkeypatch)
    assert cli.run(["compare-engines", "photos", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "auto (threads)" in text and "2.00 (1.90-2.40)" in text and "unknown" in text and "Some CPU" in text
    assert "results identical: yes" in text


def test_figures_of_a_noisy_machine_are_withheld(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    faked(monkeypatch, reasons=("other work kept 1.5 of 2 cores busy",))
    assert cli.run(["compare-engines", "photos", "--out", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert "2.00" not in captured.out and "too noisy to quote" in captured.err and "--force" in captured.err
    assert cli.run(["compare-engines", "photos", "--out", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["figures"] is None
    assert cli.run(["compare-engines", "photos", "--out", str(tmp_path), "--force"]) == 0
    assert "2.00 (1.90-2.40)" in capsys.readouterr().out


def test_engines_that_disagree_are_a_failed_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    faked(monkeypatch, identical=False)
    assert cli.run(["compare-engines", "photos", "--out", str(tmp_path)]) == 4
    captured = capsys.readouterr()
    assert "results identical: NO" in captured.out and "differ" in captured.err


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"engines": ["treads"]}, "did you mean 'threads'"),
        ({"engines": []}, "expected at least one"),
        ({"engines": ["threads"], "workload": "decod"}, "did you mean 'decode'"),
        ({"engines": ["threads"], "rounds": 0}, "one or more rounds"),
    ],
)
def test_wrong_options_are_refused(options: dict, word: str, photos: Path) -> None:
    with pytest.raises(UsageError, match=word):
        compare(str(photos), **options)


def test_a_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures there"):
        compare(str(tmp_path / "empty"), ["threads"])


def test_no_engines_at_all_are_refused(capsys: Capture) -> None:
    assert cli.run(["compare-engines", "photos", "--engines", " , "]) == 2
    assert "--engines: expected names" in capsys.readouterr().err
