"""The answer: winner, what just missed, what more budget would buy, what would be enough where nothing fits."""

from ligera.deploy.pick.budget import Budget
from ligera.deploy.pick.choice import choose

from .reports import report, row, three
from .worlds import candidate


def test_the_winner_is_the_most_accurate_that_keeps_every_limit() -> None:
    poor, fair, good = three()
    assert choose([poor, fair, good], Budget(max_ms=20)).winner is good
    assert choose([poor, fair, good], Budget(max_ms=8)).winner is fair
    assert choose([poor, fair, good], Budget(max_ms=20, max_joule=0.07)).winner is fair
    assert choose([poor, fair, good], Budget()).winner is good


def test_what_just_missed_is_more_accurate_and_less_than_half_over() -> None:
    poor, fair, good = three()
    far = row(candidate("far", 960), 0.7, 40.0)
    assert choose([poor, fair, good, far], Budget(max_ms=8)).missed == (good,)


def test_a_fifth_more_buys_the_next_or_nothing() -> None:
    rows = three()
    assert choose(rows, Budget(max_ms=8)).relaxed is rows[2]
    assert choose(rows, Budget(max_ms=7)).relaxed is None


def test_of_two_that_nobody_can_tell_apart_the_faster_wins() -> None:
    slow, fast = row(candidate("slow"), 0.5502, 6.0), row(candidate("fast"), 0.5498, 3.0)
    assert choose([slow, fast], Budget(max_ms=8)).winner is fast


def test_one_within_the_interval_that_is_much_faster_is_worth_a_look() -> None:
    good, near = row(candidate("good"), 0.60, 6.0), row(candidate("near"), 0.59, 2.0)
    assert choose([good, near], Budget(max_ms=8)).thrifty is near
    assert choose([good, row(candidate("far"), 0.40, 2.0)], Budget(max_ms=8)).thrifty is None


def test_where_nothing_fits_the_smallest_budget_that_would_is_told() -> None:
    rows = three()
    found = choose(rows, Budget(max_ms=1.5))
    assert found.winner is None
    assert found.enough == (f"--max-ms 2.1 lets in {rows[0].candidate.key()} (AP50 0.400)",)
    assert choose([rows[0]], Budget(max_ms=float(found.enough[0].split()[1]))).winner is rows[0]


def test_a_budget_for_a_useless_model_is_no_answer() -> None:
    useless, useful = row(candidate("useless"), 0.003, 3.0), row(candidate("useful"), 0.7, 9.0)
    assert choose([useless, useful], Budget(max_ms=2)).enough == (
        f"--max-ms 9.1 lets in {useful.candidate.key()} (AP50 0.700)",
    )


def test_each_way_to_be_enough_is_told() -> None:
    small = row(candidate("small", size_mb=1), 0.4, 9.0)
    fast = row(candidate("fast", size_mb=3), 0.5, 4.0)
    found = choose([small, fast], Budget(max_ms=8, max_mb=2)).enough
    assert [text.split(" lets")[0] for text in found] == ["--max-ms 9.1", "--max-mb 3.01"]


def test_a_file_of_unknown_size_keeps_no_limit_on_it() -> None:
    packaged = row(candidate("haar", size_bytes=None), 0.4, 2.0)
    assert choose([packaged], Budget(max_mb=100)).winner is None
    assert choose([packaged], Budget(max_ms=100)).winner is packaged


def test_what_was_measured_no_further_cannot_win() -> None:
    assert choose([row(candidate(), 0.9, None)], Budget()).winner is None


def test_the_answer_says_who_won_why_and_what_was_missed() -> None:
    words = report(list(three()), Budget(max_ms=8)).words()
    assert words.answer.startswith(
        "fair at 320 px, fp32, onnxruntime, 1 thread: AP50 0.550 (0.520 to 0.580), p95 6.0 ms"
    )
    details = "\n".join(words.details)
    assert "why: the most accurate of those that keep p95 within 8 ms; 15.0 points ahead of poor at 160 px" in details
    assert "just missed: good at 640 px, fp32, onnxruntime, 1 thread, AP50 0.620" in details
    assert "20 % more budget would buy 7.0 points: good at 640 px" in details


def test_the_answer_of_an_empty_field_is_an_answer() -> None:
    words = report([row(candidate(), 0.5, None)], Budget(max_ms=1)).words()
    assert words.answer == "Nothing fits the budget (p95 within 1 ms)." and "no candidate" in words.details[0]


def test_a_report_says_the_command_that_gives_it_again() -> None:
    from ligera.deploy.pick.running import Field

    asked = Field(models=("yunet:a b.onnx",), sizes=(320,), threads=(2,), builtin=False)
    text = report(list(three()), Budget(max_ms=8, percentile=99), field=asked, data="my faces").command()
    assert text == (
        "ligera pick faces --data 'my faces' --max-ms 8 --percentile 99 --model 'yunet:a b.onnx' --size 320 "
        "--threads 2 --no-builtin"
    )
