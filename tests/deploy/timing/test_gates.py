"""Gates: what can be said, what makes no sense, and what breaks."""

import pytest

from ligera.deploy.timing.gates import judge_gates, parse_gates
from ligera.errors import UsageError


def test_gates_are_read_with_their_units() -> None:
    gates = parse_gates(" p95<8ms, ap_drop <= 1, memory<0.2GB ,throughput>=100/s, overhead<30%,cold_start<1s")
    assert [(gate.name, gate.relation, gate.limit) for gate in gates] == [
        ("p95", "<", 8.0),
        ("ap_drop", "<=", 1.0),
        ("memory", "<", pytest.approx(200.0)),
        ("throughput", ">=", 100.0),
        ("overhead", "<", pytest.approx(0.3)),
        ("cold_start", "<", 1000.0),
    ]
    assert parse_gates("p95<8")[0].limit == 8.0 and parse_gates("ap>54%")[0].limit == pytest.approx(0.54)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (" , ", "is empty"),
        ("fast", "is no gate"),
        ("p95=8ms", "is no gate"),
        ("p96<8ms", "no figure 'p96'; did you mean 'p9"),
        ("p95>8ms", "of p95 less is better, so write p95<8ms"),
        ("ap<=0.5", "of ap more is better, so write ap>=0.5"),
        ("p95<ms", "is no number"),
        ("p95<8mb", "has no unit 'mb'; units: ms, s, us"),
        ("p95<-3ms", "expected a finite limit above 0"),
        ("p95<nan", "'nan' is no number"),
        ("p95<1e999ms", "expected a finite limit above 0"),
        ("p95<0ms", "expected a finite limit above 0"),
        ("ap>54", "expected 0 to 1, or percent such as ap>54%"),
        ("p95<8ms,p95<9ms", "p95 has two limits, p95<8ms and p95<9ms; keep one"),
    ],
)
def test_nonsense_is_refused_in_one_line_that_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_gates(text)
    assert said in str(error.value) and str(error.value).startswith("--gate") and "\n" not in str(error.value)


def test_a_broken_gate_names_model_figure_and_value() -> None:
    held, broken = judge_gates(parse_gates("p95<8ms,size<2MB"), {"a": {"p95_ms": 7.9, "size_mb": 2.5}})
    assert held.held and not broken.held
    assert broken.line() == "gate size<2MB broken: a: size_mb is 2.5"


def test_what_is_unknown_is_not_judged_which_is_no_pass() -> None:
    (verdict,) = judge_gates(parse_gates("energy<5mJ"), {"a": {"energy_mj": None}})
    assert verdict.held is None and verdict.line() == "gate energy<5mJ not judged: a: energy_mj is unknown"


def test_a_noisy_machine_judges_nothing() -> None:
    (verdict,) = judge_gates(parse_gates("p95<8ms"), {"a": {"p95_ms": 3.0}}, "too noisy")
    assert verdict.held is None and verdict.line().endswith("not judged: a: too noisy")


def test_a_figure_that_a_model_has_not_is_passed_over() -> None:
    assert judge_gates(parse_gates("ratio<1"), {"base": {"p95_ms": 1.0}}) == ()


def test_a_limit_itself_keeps_only_the_gate_that_allows_it() -> None:
    figures = {"a": {"ap_drop": 1.0}}
    assert not judge_gates(parse_gates("ap_drop<1"), figures)[0].held
    assert judge_gates(parse_gates("ap_drop<=1"), figures)[0].held
