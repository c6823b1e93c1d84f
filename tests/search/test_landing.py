"""Nets that a search found, timed: chosen again where the clock says otherwise; slow ones with fewer runs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ligera.search import run, whole_nets
from ligera.search.landing import TRIES, land
from ligera.search.run import start_search
from ligera.search.table import Settings, settings_for
from ligera.search.timing import TooSlow, Turn
from ligera.search.whole_nets import NET_MS, fitted

from ..train.conftest import write_face_folder
from .searches import mini_table, search_values, write_recipe


@pytest.mark.parametrize("rough_ms", [0.5, 40.0, 250.0, 6_000.0, 50_000.0])
def test_slow_nets_have_fewer_runs_and_turns_and_fast_ones_all(rough_ms: float) -> None:
    usual = settings_for("onnxruntime")
    found = fitted(usual, rough_ms)
    turns, runs = found.rounds + found.most_repeats, found.samples + found.warm_up_runs
    assert found.samples >= 5 and found.rounds >= 1
    assert turns == 1 or turns * runs * rough_ms <= NET_MS
    assert (found == usual) == (rough_ms == 0.5)


class SlowMachine:
    """Everything takes ``factor`` times what it took for the table, and a net one bad second in two longer still."""

    factor = 1.4

    def __init__(self, settings: Settings, **_place) -> None:
        self.settings, self._turns = settings, 0

    def turn(self, graph: bytes, _shape: tuple[int, ...]) -> Turn:
        self._turns += 1
        ms = float(graph) * self.factor * (1.0 if self._turns % 7 else 1.2)
        return Turn(ms, ms, ms, 1, False, None, "unknown")

    def close(self) -> None:
        pass


def test_a_machine_slower_than_when_the_table_was_made_is_seen_by_the_table_s_own_entries(monkeypatch) -> None:
    table = mini_table()
    then_ms = {key: row.latency_ms + row.frame_ms for key, row in table.rows.items()}
    monkeypatch.setattr(whole_nets, "Bench", SlowMachine)
    monkeypatch.setattr(whole_nets, "entry_graph", lambda _space, entry, _precision: str(then_ms[entry.key]).encode())
    usual = {"settings": settings_for("onnxruntime"), "threads": 1, "runtime": "onnxruntime"}
    timed = {beside is table: whole_nets.NetTimer(**usual, table=beside) for beside in (table, None)}
    assert timed[True](b"2.5", (1, 3, 64, 64)) == pytest.approx(2.5, rel=1e-6)
    assert timed[False](b"2.5", (1, 3, 64, 64)) == pytest.approx(2.5 * SlowMachine.factor, rel=1e-6)


@pytest.mark.parametrize("net_ms", [2.0, 250.0, 6_000.0])
def test_a_slow_net_has_no_more_turns_than_there_is_time_for(net_ms: float, monkeypatch) -> None:
    table, runs_of_net = mini_table(), []

    class Counting(SlowMachine):
        factor = 1.0

        def turn(self, graph: bytes, shape: tuple[int, ...]) -> Turn:
            if graph == b"net":
                runs_of_net.append(self.settings.samples + self.settings.warm_up_runs)
                return Turn(net_ms, net_ms, net_ms, 1, False, None, "unknown")
            return super().turn(graph, shape)

    monkeypatch.setattr(whole_nets, "Bench", Counting)
    monkeypatch.setattr(whole_nets, "entry_graph", lambda *_: b"0.1")
    timer = whole_nets.NetTimer(settings_for("onnxruntime"), threads=1, runtime="onnxruntime", table=table)
    assert timer(b"net", (1, 3, 64, 64)) > 0
    rough, *timed = runs_of_net
    assert timed and rough <= 6
    assert len(timed) == 1 or sum(timed) * net_ms <= NET_MS


def test_what_lasts_over_a_minute_is_given_up(monkeypatch) -> None:
    monkeypatch.setattr(whole_nets, "Bench", SlowMachine)
    monkeypatch.setattr(SlowMachine, "turn", lambda *_: TooSlow("slow"))
    timer = whole_nets.NetTimer(settings_for("onnxruntime"), threads=1, runtime="onnxruntime")
    assert timer(b"1", (1, 3, 64, 64)) == whole_nets.SLOWEST_MS


# A made-up space: a net's choice is what the table says of it, in hundredths of the target.
def tried(first: int, measure: Callable[[float], float], nets: Callable[[float], int | None] = round):
    return land(
        (first, ()),
        lambda aim: None if (net := nets(100 * aim)) is None else (net, ()),
        lambda choice: choice[0] / 100,
        lambda choice: measure(choice[0] / 100),
        within=0.01,
    )


def test_a_net_that_is_there_by_the_clock_is_taken_at_once() -> None:
    (only,) = tried(100, lambda by_table: by_table * 1.005)
    assert only.choice == (100, ()) and only.measured == pytest.approx(1.005)


@pytest.mark.parametrize("error", [0.8, 0.93, 1.06, 1.3])
def test_a_table_that_is_wrong_by_one_factor_is_corrected_in_one_step(error: float) -> None:
    found = tried(100, lambda by_table: by_table * error)
    assert len(found) == 2
    assert abs(found[0].measured - 1) <= 0.01 < abs(found[1].measured - 1)


def test_of_nets_that_all_miss_the_nearest_is_taken_and_the_tries_end() -> None:
    clock = iter([1.08, 0.95, 1.04, 0.97, 1.0])
    found = tried(100, lambda _by_table: next(clock))
    assert len(found) == TRIES
    assert [one.measured for one in found] == [0.97, 1.04, 0.95, 1.08]


def test_the_search_ends_where_no_other_net_is_left() -> None:
    assert len(tried(100, lambda by_table: by_table * 1.2, nets=lambda _aim: None)) == 1
    assert len(tried(100, lambda by_table: by_table * 1.2, nets=lambda _aim: 100)) == 1


@pytest.fixture
def found_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A search whose table is of this machine, where every net takes ``error`` times what the table says."""
    table = mini_table()
    target_ms = table.latency_ms(table.space.sample(np.random.default_rng(3)))

    def search(error: float, noise: tuple[str, ...] = (), **changes):
        def time_net(graph: bytes, shape: tuple[int, ...]) -> float:
            assert graph and shape == (1, 3, 64, 64)
            return error * by_table[asked[-1]]

        asked: list[str] = []
        by_table: dict[str, float] = {}

        def net_graph(net, _precision: str) -> bytes:
            asked.append(net.name)
            by_table[net.name] = table.latency_ms(net)
            return b"a graph"

        monkeypatch.setattr(run, "is_here", lambda _device: True)
        monkeypatch.setattr(run, "net_graph", net_graph)
        monkeypatch.setattr(run, "NetTimer", lambda *_settings, **_place: time_net)
        monkeypatch.setattr(run.NoiseMeter, "reasons", lambda _self: noise)
        write_face_folder(tmp_path / "faces")
        table.write(tmp_path / "table.json")
        values = search_values(tmp_path / "faces", tmp_path / "table.json", target_ms) | changes
        recipe = run.read_search_recipe(write_recipe(tmp_path / "recipe.yaml", values))
        return start_search(recipe, tmp_path / "runs").found, asked

    return search


@pytest.mark.parametrize("method", ["gates", "fewest-macs"])
def test_a_search_says_what_its_net_takes_here_and_leaves_out_a_worse_one(method: str, found_here) -> None:
    found, asked = found_here(1.1, method=method, land_within=0.03, band=0.03)
    times = [one["measured_ms"] for one in found["measured"]]
    target_ms = found["targets"]["latency_ms"]
    assert {one["name"] for one in found["measured"]} == set(asked)
    assert found["measured_ms"] == times[0]
    assert found["name"] == found["measured"][0]["name"]
    assert abs(times[0] / target_ms - 1) == min(abs(time / target_ms - 1) for time in times)
    assert found["measured_ms"] == pytest.approx(1.1 * found["amounts"]["latency_ms"], rel=1e-4)


def test_nothing_is_timed_unless_it_is_asked_for_and_latency_the_target(found_here) -> None:
    found, asked = found_here(1.1, measure=False)
    assert not asked and "measured_ms" not in found


def test_a_clock_that_was_disturbed_takes_no_other_net(found_here) -> None:
    found, asked = found_here(1.1, noise=("other work",))
    assert found["doubts"] == ["other work"] and "measured_ms" not in found
    assert found["name"] == asked[0]
    assert {one["name"] for one in found["measured"]} == set(asked)
