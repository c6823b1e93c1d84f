"""Study ``engines``: real processes on a small set, resumed run by run; tables and pictures from figures of our own."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from ligera import cli
from ligera.data.pictures import read_picture
from ligera.deploy.detector import Detector
from ligera.errors import DataError
from ligera.meter.figure import Figure
from ligera.studies.engines import judging, peer, timing
from ligera.studies.engines.charts import draw_all
from ligera.studies.engines.contenders import ENGINES, Contender
from ligera.studies.engines.judging import Verdict, judge_contender
from ligera.studies.engines.peer import Agreement, Pairs, agree, command_of
from ligera.studies.engines.preparing import Model, contenders_of
from ligera.studies.engines.tables import Entry, agreement_table, result_table, said
from ligera.studies.engines.timing import BLOCK, Run, read_run, time_contender

PEOPLE = Path(__file__).parents[3] / "examples" / "people.jpg"


def contenders(folder: Path) -> list[Contender]:
    bundles = {precision: folder / f"{precision}.onnx" for precision in ("fp32", "bf16", "int8")}
    return contenders_of(Model("face", bundles, None, 64, 96), ENGINES, 1, 1)


def made_run(key: str, network_ms: float, reasons: tuple[str, ...] = ()) -> Run:
    """Four blocks whose network stage takes 1.0 to 1.3 times ``network_ms``, block by block."""
    times = np.zeros((4, BLOCK, 3))
    times[:, :, 0], times[:, :, 2] = 0.01, 0.03
    times[:, :, 1] = network_ms * np.array([1.0, 1.1, 1.2, 1.3])[:, None]
    energy = Figure(5.0, "mJ", "estimated", "cpu", 1, 200, (4.0, 6.0), note="CPU seconds times watts")
    return Run(key, "cpu", 1, 1, times, energy, reasons)


@pytest.fixture
def entries(tmp_path: Path) -> list[Entry]:
    speeds, points = (40, 20, 10, 15, 12, 5), (80.0, 80.0, 79.6, 80.0, 79.9, 79.5)
    found = []
    for contender, ms, score in zip(contenders(tmp_path), speeds, points, strict=True):
        weighted = {} if contender.engine.runtime == "torch" else {contender.engine.precision: 24}
        verdict = Verdict("AP50", score, "AP at IoU 0.5", weighted, {})
        found.append(Entry(contender, made_run(contender.key, ms), verdict))
    return found


def test_the_table_says_stages_ratios_points_energy_and_executed_precision(entries: list[Entry]) -> None:
    table = result_table(entries, "a note")
    rows = {row[1]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    best = rows["OpenVINO int8"]
    assert (best["in ms"], best["network ms"], best["out ms"]) == ("0.010", "5.750", "0.030")
    assert best["x torch (90 %)"].startswith("7.95 (") and best["x ONNX Runtime fp32"].startswith("3.98 (")
    assert (best["score"], best["lost, points"]) == ("79.50 AP50", "+0.50")
    assert (best["energy mJ"], best["layers with weights"]) == ("5.0 estimated", "24 int8")
    assert rows["torch eager fp32"]["lost, points"] == "+0.00"
    assert rows["torch eager fp32"]["layers with weights"] == "all as written"
    first, *_ = said(entries)
    assert first.startswith("face: fastest in OpenVINO int8, 5.79 ms, 8.0 times as fast as torch eager and 4.0 times")
    assert "0.50 points of its score lost" in first


def test_what_must_not_be_quoted_is_not_shown(entries: list[Entry]) -> None:
    hidden = [Entry(entry.contender, None, entry.verdict) for entry in entries]
    (row, *_) = result_table(hidden, "").rows
    assert "too noisy" in row and "80.00 AP50" in row and len(said(hidden)) == 1


def test_ratios_come_with_an_interval_and_throughput_counts_pictures() -> None:
    slow, fast = made_run("a", 40), made_run("b", 10)
    ratio, low, high = fast.faster_than(slow)
    assert low <= ratio <= high and ratio == pytest.approx(4, rel=0.01) and low < high
    assert fast.throughput == pytest.approx(1e3 / fast.totals_ms.mean())
    eight = dataclasses.replace(fast, batch=8)
    assert eight.throughput == pytest.approx(8 * fast.throughput)


def test_all_five_pictures_of_the_paper_are_drawn_even_where_much_is_unknown(
    entries: list[Entry], tmp_path: Path
) -> None:
    unknown = Entry(entries[1].contender, None, Verdict("", None, "", {}, {}))
    paths = draw_all([entries[0], unknown, *entries[2:]], tmp_path)
    assert [path.name[:10] for path in paths] == [f"figure-6.{number}" for number in range(5, 10)]
    assert all(path.stat().st_size > 5000 for path in paths)


def test_a_run_on_a_busy_machine_is_taken_again_and_a_quiet_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (contender, *_) = contenders(tmp_path)
    asked: list[str] = []

    class Fake:
        def __init__(self, contender: Contender) -> None:
            self.ready = {"device": "cpu", "threads": contender.threads}

        def __enter__(self) -> Fake:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def ask(self, line: str) -> dict[str, object]:
            asked.append(line)
            return {"put": [0.1] * BLOCK, "execute": [2.0] * BLOCK, "take": [0.1] * BLOCK, "cpu_s": 0.1}

    monkeypatch.setattr(timing, "Process", Fake)
    reasons = [("other work kept 1.0 of 2 cores busy",), ()]
    monkeypatch.setattr(timing.NoiseMeter, "reasons", lambda self: reasons.pop(0))
    assert time_contender(contender, 5, 50, tmp_path).reasons
    again = time_contender(contender, 5, 50, tmp_path)
    assert asked == ["50"] * 12 and not again.reasons and again.latency_ms == pytest.approx(2.2)
    kept = time_contender(contender, 5, 50, tmp_path)
    assert len(asked) == 12
    np.testing.assert_allclose(kept.times_ms, again.times_ms)
    assert kept.energy == again.energy and kept.energy.source in ("measured", "estimated")


@pytest.mark.parametrize("content", ["", "{}", '{"times_ms": [[1]]}', "[]"])
def test_a_damaged_run_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "face-torch-fp32.json").write_text(content)
    with pytest.raises(DataError, match=r"face-torch-fp32\.json: damaged .*; remove it"):
        read_run(tmp_path / "face-torch-fp32.json")
    with pytest.raises(DataError, match=r"face-torch-fp32\.json: damaged"):
        judge_contender(contenders(tmp_path)[0], None, tmp_path)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A machine that slows down by a fifth with every slice, ours 4 % above theirs; ``[now]`` is its clock."""
    now, slices = [0.0], [0]

    class Fake:
        def __init__(self, _: Contender) -> None:
            pass

        def __enter__(self) -> Fake:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def ask(self, line: str) -> dict[str, object]:
            now[0] += 1.0
            return {"execute": [5.2 * 1.2 ** (slices[0] // 2)] * (int(line) - 1) + [4.1]}

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        folder = Path(command[command.index("-report_folder") + 1])
        ms = 5.0 * 1.2 ** (slices[0] // 2)
        results = {"latency (ms)": f"{ms:.4f}", "min latency": "4.00"}
        (folder / "report.json").write_text(json.dumps({"execution_results": results}))
        slices[0] += 2
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(peer, "Process", Fake)
    monkeypatch.setattr(peer, "_input_of", lambda bundle: "f32")
    monkeypatch.setattr(peer.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(peer.subprocess, "run", run)
    return now


def test_benchmark_app_is_asked_for_the_same(tmp_path: Path) -> None:
    bf16 = contenders(tmp_path)[4]
    write_network(bf16.bundle, onnx.TensorProto.FLOAT)
    line = " ".join(command_of(bf16, 7, tmp_path))
    for part in (
        "-hint none",
        "-api sync",
        "-nireq 1",
        "-infer_precision bf16",
        "-nthreads 1",
        "[1,3,64,96]",
        "-t 7",
        "-ip f32",
    ):
        assert part in line
    write_network(bf16.bundle, onnx.TensorProto.UINT8)
    assert "-ip u8" in " ".join(command_of(bf16, 7, tmp_path))


def write_network(path: Path, kind: int) -> None:
    """A network that hands its input on."""
    taken, given = (onnx.helper.make_tensor_value_info(name, kind, [1]) for name in ("taken", "given"))
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["taken"], ["given"])], "g", [taken], [given])
    onnx.save(onnx.helper.make_model(graph), path)


@pytest.mark.usefixtures("clock")
def test_neighbouring_slices_are_compared_so_that_a_wandering_clock_is_not_seen(tmp_path: Path) -> None:
    (contender,) = [one for one in contenders(tmp_path) if one.key == "face-openvino-fp32"]
    found = agree(contender, 8, 2, tmp_path)
    medians = found.medians
    assert len(medians.ours) == len(medians.theirs) == 8 and max(medians.theirs) > 2 * min(medians.theirs)
    # where theirs goes first ours is already slower: half of the pairs are off, and the interval says so
    assert sorted(round(ratio, 3) for ratio in medians.ratios) == [1.04] * 4 + [1.248] * 4
    assert medians.interval == pytest.approx((1.04, 1.248), abs=1e-3) and medians.verdict == "open"
    assert found.fastest.interval == pytest.approx((1.025, 1.025)) and found.fastest.verdict == "yes"
    assert agree(contender, 8, 2, tmp_path) == found
    assert len(agree(contender, 5, 2, tmp_path).medians.ours) == 5


def test_agreement_is_yes_or_no_only_where_the_whole_interval_says_so() -> None:
    def verdict(*ratios: float) -> str:
        return Pairs(ratios, (1.0,) * len(ratios)).verdict

    assert verdict(1.02, 0.97, 1.05, 0.99, 1.09) == "yes"
    assert verdict(1.2, 1.3, 1.15, 1.11, 1.25) == "no" == verdict(0.8, 0.7, 0.85, 0.6, 0.89)
    assert verdict(1.02, 0.97, 1.05, 0.99, 1.2) == "open" == verdict(1.0, 1.0)
    # the lowest and the highest of eight may be left out
    assert verdict(1.5, 0.5, 1.01, 1.02, 0.98, 1.03, 0.99, 1.0) == "yes"
    found = Agreement("a", Pairs((5.0,) * 5, (4.9,) * 5), Pairs((4.0,) * 5, (2.0,) * 5))
    assert agreement_table([found], "").rows[0] == (
        *("a", "5.000 (5.000-5.000)", "4.900 (4.900-4.900)", "1.020 (1.020-1.020)", "yes"),
        *("4.000 (4.000-4.000)", "2.000 (2.000-2.000)", "2.000 (2.000-2.000)", "no"),
    )


@pytest.mark.usefixtures("clock")
def test_a_program_that_fails_and_a_damaged_record_of_it_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (contender,) = [one for one in contenders(tmp_path) if one.key == "face-openvino-fp32"]
    pairs = '{"ours": [1, 2], "theirs": [1, 2]}'
    for wrong in ("3", '{"ours": [1, 2], "theirs": 3}', '{"ours": [], "theirs": []}', '{"ours": [1], "theirs": [0]}'):
        content = f'{{"key": "a", "medians": {pairs}, "fastest": {wrong}}}'
        (tmp_path / f"{contender.key}.json").write_text(content)
        with pytest.raises(DataError, match=r"face-openvino-fp32\.json: damaged .*; remove it"):
            agree(contender, 1, 1, tmp_path)
    (tmp_path / f"{contender.key}.json").unlink()
    monkeypatch.setattr(peer.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1, "", "no device\n"))
    with pytest.raises(DataError, match=r"benchmark_app on .*: gave no latency \(no device\)"):
        agree(contender, 1, 1, tmp_path)


def write_labelled(folder: Path) -> None:
    """Two pictures with what ``face-small`` finds in them as labels."""
    (folder / "images" / "photos").mkdir(parents=True)
    pixels, lines = read_picture(PEOPLE).pixels, []
    with Detector.load("face-small", threads=1) as detector:
        for name, width in (("a.png", 320), ("b.png", 288)):
            small = cv2.resize(pixels, (width, round(width * pixels.shape[0] / pixels.shape[1])))
            cv2.imwrite(str(folder / "images" / "photos" / name), small[:, :, ::-1])
            lines.append(f"# photos/{name}")
            boxes = detector.detect(small, score=0.3).boxes.tolist()
            lines += [f"{x1:.2f} {y1:.2f} {x2 - x1:.2f} {y2 - y1:.2f}" for x1, y1, x2, y2 in boxes]
    (folder / "label.txt").write_text("\n".join(lines) + "\n")


def test_the_whole_study_runs_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_labelled(tmp_path / "labelled")
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "p.png"), read_picture(PEOPLE).pixels[::6, ::6, ::-1])
    asked = ["study", "engines", f"data={tmp_path / 'labelled'}", f"calibrate={tmp_path / 'photos'}", "force=true"]
    asked += ["models=[face-small, mobilenetv2]", "engines=[torch-fp32, onnxruntime-int8]", "batches=250", "app_s=0"]
    asked += ["width=96", "height=64", "warm_up=1", "threads=1", "--runs", str(tmp_path / "runs"), "--json"]
    assert cli.run(asked) == 0
    report = json.loads(capsys.readouterr().out)
    rows = [dict(zip(report["tables"][0]["columns"], row, strict=True)) for row in report["tables"][0]["rows"]]
    assert [row["engine"] for row in rows] == ["torch eager fp32", "ONNX Runtime int8"]
    assert rows[0]["score"] == "100.00 AP50" and rows[1]["layers with weights"] == "20 int8, 4 fp32"
    assert any(sentence.startswith("missing: mobilenetv2 (give people=DIR") for sentence in report["said"])
    assert all(Path(path).is_file() for path in report["pictures"])
    for module in (timing, judging):
        monkeypatch.setattr(module, "Process", lambda *_: pytest.fail("started a process for what was done"))
    kept = {path: path.read_text() for path in (tmp_path / "runs").rglob("runs/*.json")}
    for path, text in kept.items():
        path.write_text(json.dumps(json.loads(text) | {"reasons": []}))
    assert cli.run(asked) == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("models=[facial]", "models: expected some of face, face-small, mobilenetv2, got 'facial'"),
        ("engines=[tensorrt-int8]", "engines: expected some of torch-fp32"),
        ("models=[mobilenetv2]", "nothing to measure: mobilenetv2"),
        ("batches=70", "batches"),
    ],
)
def test_wrong_settings_are_one_line(
    change: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["study", "engines", f"data={tmp_path}", f"calibrate={tmp_path}", change, "--runs", str(tmp_path / "runs")]
    assert cli.run(asked) == 2
    assert reason in capsys.readouterr().err.splitlines()[-1]
