"""When an architecture search would help, for which time, and what is said of it."""

from dataclasses import replace

import pytest

from ligera.deploy.pick.budget import Budget
from ligera.deploy.pick.searched import Searched, network_ms, parse_duration, wanted
from ligera.errors import UsageError

from .reports import report, row, three
from .worlds import candidate


def test_no_search_where_the_best_candidate_keeps_the_budget() -> None:
    assert wanted(report(list(three()), Budget(max_ms=20))) == ""


def test_a_search_where_a_better_one_is_over_the_budget_or_nothing_fits() -> None:
    assert wanted(report(list(three()), Budget(max_ms=7))).startswith("good at 640 px")
    assert wanted(report(list(three()), Budget(max_ms=1))) == "nothing fits"


def test_a_search_where_something_slow_was_never_heard() -> None:
    poor, fair, _ = three()
    unheard = row(candidate("slow", 640), 0.0, None, accuracy=None, rough_ms=80.0)
    assert wanted(report([poor, fair, unheard], Budget(max_ms=7))).startswith("slow at 640 px")


def test_the_network_gets_the_share_of_the_time_that_networks_have_here() -> None:
    # half of each call is the network's in these reports
    assert network_ms(report(list(three()), Budget(max_ms=8))) == pytest.approx(4.0)
    with pytest.raises(UsageError, match="add --max-ms"):
        network_ms(report(list(three()), Budget(max_mb=1)))


def test_what_noise_made_of_a_candidate_does_not_tell_the_share() -> None:
    # promised 50 ms with 5 ms in the network's fastest run
    loud = row(candidate("loud"), 0.4, 10.0, noise=("drums next door",))
    assert loud.costs is not None
    loud = replace(loud, costs=replace(loud.costs, latency=replace(loud.costs.latency, promised=50.0)))
    assert network_ms(report([loud, *three()], Budget(max_ms=8))) == pytest.approx(4.0)
    assert network_ms(report([loud], Budget(max_ms=8))) == pytest.approx(0.8)


@pytest.mark.parametrize(("text", "seconds"), [("30m", 1800), ("1h30m", 5400), ("90s", 90), ("0.5H", 1800)])
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "m", "-5m", "30 min", "1e9h", "0s", "9999999h", "30m x"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--include-search: expected"):
        parse_duration(text)


def test_what_a_search_took_is_in_the_answer() -> None:
    parts = {"table": 60.0, "search": 600.0, "training": 900.0}
    found = Searched("net-a", "a.onnx", "some/train", 3.2, 1800.0, parts, 9, 0.012)
    said = report(list(three()), Budget(max_ms=7), searched=found)
    line = said.words().details[-1]
    assert "searched 26 min of the 30 min given (table 60 s, search 10 min, training 15 min; 12 Wh)" in line
    assert "net-a, the best of 9 trained, took part" in line
    assert said.as_dict()["searched"]["took_s"] == 1560.0
    assert said.command().endswith("--include-search 1800s --train some/train")
