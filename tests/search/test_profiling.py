"""Profiling: every entry once, nothing twice, what was skipped and why; whole nets against the sum."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ligera.errors import DataError, UsageError
from ligera.search import checking, profiling
from ligera.search.archive import BlocksArchive, open_archive
from ligera.search.checking import check_table
from ligera.search.device_state import runtime_version
from ligera.search.exporting import export_space
from ligera.search.latency_charts import draw_check, draw_table, series
from ligera.search.lazy import with_rows
from ligera.search.netting import nets_of
from ligera.search.profiling import Bench, doubts, profile
from ligera.search.space import read_space
from ligera.search.table import Settings, read_table
from ligera.search.timing import TooSlow, Turn

from .archives import NETS, archive, space_file
from .small_spaces import row, small_space, table_of

__all__ = ["archive", "space_file"]
QUICK = Settings(warm_up_runs=1, samples=5, rounds=1, rest_ms=0, most_repeats=0)


@pytest.fixture
def blocks(archive: Path) -> Iterator[BlocksArchive]:
    with open_archive(archive) as opened:
        yield opened


class FakeBench(Bench):
    """Knows how long each graph takes, and remembers what it was asked."""

    asked: list[bytes]
    times: dict[bytes, float]

    def turn(self, graph: bytes, shape: tuple[int, ...]) -> Turn | TooSlow:
        type(self).asked.append(graph)
        ms = type(self).times.get(graph, 1.0)
        return Turn(ms, ms, ms, 5, False, 2 * ms, "estimated")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeBench]:
    FakeBench.asked, FakeBench.times = [], {}
    monkeypatch.setattr(profiling, "Bench", FakeBench)
    monkeypatch.setattr(checking, "Bench", FakeBench)
    return FakeBench


def test_every_entry_is_measured_for_real(blocks: BlocksArchive, tmp_path: Path) -> None:
    table = profile(blocks, tmp_path / "table.json", settings=QUICK, threads=1)
    assert table.complete and read_table(tmp_path / "table.json") == table
    assert table.device.threads == 1 and table.device.runtime == "onnxruntime" and table.device.processor
    stem = table.row(blocks.space.entries()[0])
    assert stem.latency_ms > 0 and stem.frame_ms == 0 and stem.macs == blocks.cost(blocks.space.entries()[0])["macs"]
    assert stem.energy_mj and stem.energy_source in ("measured", "estimated")
    assert [file.name for file in tmp_path.iterdir()] == ["table.json"]


def test_an_entry_takes_what_its_graph_does_without_its_frame(
    blocks: BlocksArchive, fake: type[FakeBench], tmp_path: Path
) -> None:
    entry = blocks.space.entries()[1]
    frame = entry.frame(blocks.space)
    assert frame is not None
    fake.times = {blocks.entry(entry): 3.0, blocks.frame(frame): 0.5}
    found = profile(blocks, tmp_path / "table.json", settings=QUICK, threads=1).row(entry)
    assert (found.latency_ms, found.frame_ms, found.energy_mj) == (2.5, 0.5, 5.0)


def test_turns_on_end_stop_once_the_two_fastest_agree(fake: type[FakeBench], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = iter([5.0, 3.0, 4.0, 2.0, 2.01, 9.0])

    def turn(bench: Bench, graph: bytes, shape: tuple[int, ...]) -> Turn:
        ms = next(seen)
        return Turn(ms, ms, ms, 5, False)

    monkeypatch.setattr(FakeBench, "turn", turn)
    settings = Settings(statistic="fastest", rounds=3, most_repeats=3)
    bench = FakeBench(settings, threads=1, runtime="onnxruntime")
    taken = bench.turns(b"", (1,))
    bench.close()
    assert isinstance(taken, list) and [turn.latency_ms for turn in taken] == [5.0, 3.0, 4.0, 2.0, 2.01]


def test_noise_forbids_quoting_means_and_doubtful_times_forbid_both() -> None:
    fastest, trimmed = Settings(statistic="fastest"), Settings(statistic="trimmed")
    assert doubts(trimmed, ("drums",), 0, 100, "nets") == ("drums",)
    assert doubts(fastest, ("drums",), 10, 100, "nets") == ()
    assert "11 of 100 nets" in doubts(fastest, (), 11, 100, "nets")[0]


def test_a_killed_profile_goes_on_without_measuring_anything_twice(
    blocks: BlocksArchive, fake: type[FakeBench], tmp_path: Path
) -> None:
    def interrupted(work: list, what: str) -> Iterator:
        for number, item in enumerate(work):
            if number == 7:
                raise KeyboardInterrupt
            yield item

    output = tmp_path / "table.json"
    with pytest.raises(KeyboardInterrupt):
        profile(blocks, output, settings=QUICK, threads=1, track=interrupted)
    assert len(fake.asked) == 7 and not output.exists()
    with pytest.raises(UsageError, match="add --resume"):
        profile(blocks, output, settings=QUICK, threads=1)
    with pytest.raises(UsageError, match="has another settings"):
        profile(blocks, output, settings=QUICK.model_copy(update={"samples": 6}), threads=1, resume=True)
    table = profile(blocks, output, settings=QUICK, threads=1, resume=True)
    assert len(fake.asked) == len(blocks.space.entries()) + len(blocks.space.frames())
    assert profile(blocks, output, settings=QUICK, threads=1, resume=True) == table
    with pytest.raises(UsageError, match="was measured otherwise"):
        profile(blocks, output, settings=QUICK, threads=2, resume=True)


def test_noisy_entries_have_more_turns_and_steady_ones_do_not(
    blocks: BlocksArchive, fake: type[FakeBench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy = blocks.entry(blocks.space.entries()[2])

    def turn(self: FakeBench, graph: bytes, shape: tuple[int, ...]) -> Turn:
        self.asked.append(graph)
        return Turn(1.0, 1.0, 1.0, 5, graph == noisy)

    monkeypatch.setattr(fake, "turn", turn)
    settings = QUICK.model_copy(update={"most_repeats": 2})
    table = profile(blocks, tmp_path / "table.json", settings=settings, threads=1)
    assert fake.asked.count(noisy) == 3
    found = table.row(blocks.space.entries()[2])
    assert found.noisy and found.repeats == 2
    assert sum(one.noisy for one in table.rows.values()) == 1
    assert len(fake.asked) == len(blocks.space.entries()) + len(blocks.space.frames()) + 2


def test_what_is_too_slow_is_skipped_and_logged(
    blocks: BlocksArchive, fake: type[FakeBench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = blocks.space.entries()[1]
    slow, real = blocks.entry(entry), fake.turn
    monkeypatch.setattr(fake, "turn", lambda self, g, s: TooSlow("takes ages") if g == slow else real(self, g, s))
    said: list[str] = []
    table = profile(blocks, tmp_path / "table.json", settings=QUICK, threads=1, log=said.append)
    assert said == [f"skipped: {entry.key}: takes ages"]
    assert table.skipped == {entry.key: "takes ages"} and not table.complete
    with pytest.raises(DataError, match="was skipped: takes ages"):
        table.value(entry)


def test_only_some_entries_are_measured_where_that_was_asked(
    blocks: BlocksArchive, fake: type[FakeBench], tmp_path: Path
) -> None:
    table = profile(blocks, tmp_path / "t.json", settings=QUICK, threads=1, only="*5x5*")
    assert table.rows.keys() == {entry.key for entry in blocks.space.entries() if "5x5" in entry.key}
    with pytest.raises(UsageError, match="no entry of space small has such a key"):
        profile(blocks, tmp_path / "u.json", settings=QUICK, threads=1, only="*7x7*")


def test_the_cpu_clock_is_for_one_thread(blocks: BlocksArchive, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the cpu clock is for one thread"):
        profile(blocks, tmp_path / "t.json", settings=QUICK.model_copy(update={"clock": "cpu"}), threads=2)


def test_a_check_finds_the_constant_that_the_sums_lack(
    blocks: BlocksArchive, fake: type[FakeBench], tmp_path: Path
) -> None:
    table = table_of(blocks.space, settings=QUICK)
    device = table.device.model_copy(update={"runtime_version": runtime_version("onnxruntime")})
    rows = {key: row(1 + 0.01 * place) for place, key in enumerate(table.rows)}
    table = table.model_copy(update={"device": device, "rows": rows})
    nets, graph = nets_of(table, NETS, 0, blocks)
    fake.times = {graph(net): table.latency_ms(net) + 1.5 + 0.5 * len(net.blocks()[1]) for net in nets}
    report = check_table(table, nets, graph, tmp_path / "check.json", blocks=blocks)
    assert report.constants == pytest.approx({"net": 1.5, "stage2": 0.5, "stage3": 0.0}, abs=0.02)
    assert report.judged_fitted.mape < 0.002 and report.judged_fitted.reaches()
    assert not report.bare.reaches() and report.bare.bias < -0.1
    assert sum(net.fitted_on for net in report.nets) == NETS // 2
    assert report.drift == pytest.approx(1, abs=0.2)
    assert report.undrifted is not None and report.undrifted.tau == pytest.approx(report.bare.tau)
    picture = draw_check(report, tmp_path / "check.png", "small")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_check_refuses_what_would_say_nothing(blocks: BlocksArchive, fake: type[FakeBench], tmp_path: Path) -> None:
    table = table_of(blocks.space, settings=QUICK)
    nets, graph = nets_of(table, NETS, 0, blocks)
    with pytest.raises(UsageError, match="expected 20 or more"):
        check_table(table, nets[:5], graph, tmp_path / "check.json")
    with pytest.raises(UsageError, match="the table is of onnxruntime 1, here is"):
        check_table(table, nets, graph, tmp_path / "check.json")
    with pytest.raises(DataError, match="has all rows of none"):
        nets_of(table.model_copy(update={"rows": {}}), NETS, 0, blocks)


def test_rows_that_a_search_needs_are_measured_once(fake: type[FakeBench], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ligera.search.lazy.Bench", fake)
    space = small_space()
    entries = space.entries()
    table = with_rows(None, space, entries[:2], settings=QUICK, threads=1)
    assert table.rows.keys() == {entry.key for entry in entries[:2]} and len(fake.asked) == 3
    assert with_rows(table, space, entries[:2]) is table
    more = with_rows(table, space, entries[:3])
    assert len(more.rows) == 3 and len(fake.asked) == 5 and more.rows.items() >= table.rows.items()
    assert b"QuantizeLinear" not in fake.asked[-1]
    in_int8 = table.model_copy(update={"device": table.device.model_copy(update={"precision": "int8"})})
    assert with_rows(in_int8, space, entries[:3]).device.precision == "int8" and b"QuantizeLinear" in fake.asked[-1]
    with pytest.raises(UsageError, match="of another content"):
        with_rows(table, small_space(batch=2), entries)


def test_lines_of_the_pictures_hold_every_block(tmp_path: Path) -> None:
    table = table_of(small_space())
    lines = series(table)
    assert [width for width, _ in lines[32, True]["3x3_KKConv_Mid"]] == [4, 8]
    assert lines[16, True].keys() == {"3x3_KKConv_Mid", "3x3_MBV1Conv", "5x5_MBV1Conv"}
    drawn = {path.name for path in draw_table(table, tmp_path)}
    assert "latency-16-first.png" in drawn and "kernel-16-first.png" in drawn and "kernel-32-first.png" not in drawn


def test_measuring_loads_no_torch_and_nothing_else_of_the_training_set(archive: Path, tmp_path: Path) -> None:
    arguments = ["profile", str(archive), "-o", str(tmp_path / "t.json"), "--threads", "1", "--rounds", "1"]
    arguments += ["--warm-up", "1", "--samples", "5", "--rest-ms", "0", "--only", "*5x5*"]
    script = (
        "import sys\nfrom ligera.cli import run\nfor name in ('torch', 'yaml', 'onnx', 'matplotlib', 'scipy'):\n"
        f"    sys.modules[name] = None\nassert run({arguments!r}) == 0"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "no pictures: drawing the latency table needs matplotlib" in done.stderr
    assert all("5x5" in key for key in read_table(tmp_path / "t.json").rows)


def test_a_table_of_int8_blocks_says_so_and_is_held_against_int8_nets(space_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "int8.zip"
    export_space(read_space(space_file), path, source=space_file, nets=NETS, precision="int8")
    with open_archive(path) as blocks:
        table = profile(blocks, tmp_path / "t.json", settings=QUICK, threads=1)
        quantised = [blocks.entry(entry).count(b"QuantizeLinear") for entry in blocks.space.entries()]
        nets, graph = nets_of(table, NETS, 0, blocks)
        report = check_table(table, nets, graph, tmp_path / "check.json", blocks=blocks)
        assert graph(nets[0]).count(b"QuantizeLinear") > max(quantised) / 2
    assert blocks.precision == table.device.precision == read_table(tmp_path / "t.json").device.precision == "int8"
    assert min(quantised) > 0
    assert len(report.nets) == NETS
    built, graph = nets_of(table, 2, 0, None)
    assert graph(built[0]).count(b"QuantizeLinear") > 0
