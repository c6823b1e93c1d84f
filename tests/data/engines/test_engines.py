"""What every engine promises alike: the same outcomes in the same order, bounded, and stopped cleanly."""

import importlib.util
import multiprocessing
import threading
from collections.abc import Iterator

import engine_chores as chores
import pytest

from ligera.data import engines
from ligera.data.engines import ENGINES, PerWorker, run
from ligera.errors import LigeraError, MissingExtra, UsageError

LOCAL = ("sequential", "threads", "processes", "async", "auto")
HAS_RAY = importlib.util.find_spec("ray") is not None


def told(outcomes: object) -> list[tuple[object, object, str]]:
    return [(outcome.item, outcome.value, repr(outcome.error)) for outcome in outcomes]  # type: ignore[attr-defined]


EXPECTED = told(run("sequential", chores.square, range(200)))


def test_the_plain_engine_is_a_loop() -> None:
    assert EXPECTED[2] == (2, 4, "None")
    assert EXPECTED[3] == (3, None, "ValueError('3 ends in 3')")
    assert [item for item, _, _ in EXPECTED] == list(range(200))


@pytest.mark.parametrize("engine", LOCAL)
@pytest.mark.parametrize("work", [chores.square, chores.square_later])
def test_outcomes_are_the_same_in_the_same_order_whatever_the_engine(engine: str, work: object) -> None:
    assert told(run(engine, work, range(200), workers=2)) == EXPECTED  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", LOCAL)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_items_or_none_are_no_special_case(engine: str, count: int) -> None:
    assert told(run(engine, chores.square, iter(range(count)), workers=3)) == EXPECTED[:count]


@pytest.mark.parametrize("engine", LOCAL)
@pytest.mark.parametrize("in_flight", [1, 5, 40])
def test_items_are_taken_no_further_ahead_than_said(engine: str, in_flight: int) -> None:
    taken = given_back = 0
    furthest = 0

    def items() -> Iterator[int]:
        nonlocal taken, furthest
        for number in range(300):
            taken += 1
            furthest = max(furthest, taken - given_back)
            yield number

    for outcome in run(engine, chores.square, items(), workers=2, in_flight=in_flight):
        assert outcome.item == given_back
        given_back += 1
    assert given_back == 300
    assert furthest <= in_flight


@pytest.mark.parametrize("engine", LOCAL)
def test_an_error_of_the_items_comes_after_the_outcomes_before_it(engine: str) -> None:
    def items() -> Iterator[int]:
        yield from range(30)
        raise LigeraError("the list ends here")

    got = []
    with pytest.raises(LigeraError, match="the list ends here"):
        for outcome in run(engine, chores.square, items(), workers=2):
            got.append(outcome.item)
    assert got == list(range(30))


@pytest.mark.parametrize("engine", LOCAL)
def test_what_a_worker_needs_is_made_once_in_each(engine: str) -> None:
    outcomes = run(engine, PerWorker(chores.named_station), range(120), workers=2)
    makers = {outcome.unwrap() for outcome in outcomes}
    # auto makes one more for its first measurements
    assert len(makers) <= {"sequential": 1, "auto": 3}.get(engine, 2)


@pytest.mark.parametrize("engine", LOCAL)
def test_a_worker_that_cannot_be_made_ends_the_run(engine: str) -> None:
    with pytest.raises(ValueError, match="no such model"):
        list(run(engine, PerWorker(chores.broken_station), range(10), workers=2))


@pytest.mark.parametrize("engine", LOCAL)
def test_leaving_early_ends_all_workers(engine: str) -> None:
    threads = threading.active_count()
    with run(engine, chores.nap, [0.01] * 500, workers=2) as outcomes:
        for number, _ in enumerate(outcomes):
            if number == 20:
                break
    assert threading.active_count() == threads
    assert not multiprocessing.active_children()


def test_leaving_early_cancels_what_waits() -> None:
    with run("async", chores.nap_awake, [0.0, *[3600.0] * 5]) as outcomes:
        assert next(outcomes).value == 0.0


@pytest.mark.parametrize("engine", ["threads", "async"])
def test_workers_go_on_while_the_reader_is_busy(engine: str) -> None:
    begun = 0
    change = threading.Condition()

    def work(number: int) -> int:
        nonlocal begun
        with change:
            begun += 1
            change.notify_all()
        return number

    for outcome in run(engine, work, range(40), workers=2, in_flight=8):
        with change:
            ahead = min(40, outcome.item + 3)
            assert change.wait_for(lambda ahead=ahead: begun >= ahead, timeout=20)


def test_unwrap_gives_the_value_or_raises_the_error() -> None:
    fine, wrong = run("sequential", chores.square, [2, 3])
    assert fine.unwrap() == 4
    with pytest.raises(ValueError, match="3 ends in 3"):
        wrong.unwrap()


def test_nothing_starts_before_it_is_asked_for() -> None:
    outcomes = run("processes", chores.square, range(3))
    assert not multiprocessing.active_children()
    outcomes.close()


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"engine": "thread"}, "did you mean 'threads'"),
        ({"engine": "threads", "workers": 0}, "workers: expected 1 to"),
        ({"engine": "threads", "in_flight": 0}, "in_flight: expected 1 or more"),
        ({"engine": "processes", "start_method": "clone"}, "start_method: expected one of"),
    ],
)
def test_wrong_options_are_refused_at_once(wrong: dict, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        run(**wrong, work=chores.square, items=[])


def test_waiting_may_be_wider_than_the_machine_but_computing_is_not() -> None:
    cores = engines.usable_cores()
    assert engines.default_workers("threads") == engines.default_workers("processes") == cores
    assert engines.default_workers("async") == engines.WAITS_AT_ONCE
    assert engines.default_workers("async", PerWorker(chores.named_station)) == cores
    assert set(ENGINES) == {*LOCAL, "ray"}


@pytest.mark.skipif(HAS_RAY, reason="ray is installed here")
def test_without_ray_its_engine_says_what_to_install() -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'ligera\[cluster\]'"):
        run("ray", chores.square, [1])
