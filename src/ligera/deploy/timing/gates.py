"""Gates for continuous integration: ``p95<8ms,ap_drop<1`` -> which of them a benchmark breaks, and by how much.

In: the text of the gates, and the figures of each model by name. Out: a :class:`Verdict` for each gate and model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ligera.errors import UsageError, nearest

__all__ = ["GATES", "Gate", "Verdict", "judge_gates", "parse_gates"]


@dataclass(frozen=True, slots=True)
class _Quantity:
    """``figure`` is the name in a bench row, ``units`` what a limit may be written in, each worth so many of its own;
    ``less`` says that less is better."""

    figure: str
    units: Mapping[str, float]
    less: bool = True


_TIME = {"ms": 1.0, "s": 1e3, "us": 1e-3}
_SIZE = {"mb": 1.0, "kb": 1e-3, "gb": 1e3}
_SHARE = {"": 1.0, "%": 0.01}
_POINTS = {"points": 1.0, "": 1.0}
GATES: Mapping[str, _Quantity] = {
    "p50": _Quantity("p50_ms", _TIME),
    "p95": _Quantity("p95_ms", _TIME),
    "p99": _Quantity("p99_ms", _TIME),
    "network": _Quantity("network_p50_ms", _TIME),
    "cold_start": _Quantity("cold_start_ms", _TIME),
    "overhead": _Quantity("overhead_share", _SHARE),
    "throughput": _Quantity("pictures_per_s", {"": 1.0, "/s": 1.0}, less=False),
    "memory": _Quantity("peak_mb", _SIZE),
    "size": _Quantity("size_mb", _SIZE),
    "energy": _Quantity("energy_mj", {"mj": 1.0, "j": 1e3}),
    "ratio": _Quantity("ratio", {"": 1.0, "x": 1.0}),
    "ap": _Quantity("ap", _SHARE, less=False),
    "ap_drop": _Quantity("ap_drop", _POINTS),
}
# What a number without a unit means; elsewhere it would be a guess.
_PLAIN = {"ms": "p50 p95 p99 network cold_start", "mb": "memory size", "mj": "energy"}
_DEFAULT_UNIT = {name: unit for unit, names in _PLAIN.items() for name in names.split()}
_FORM = re.compile(r"\s*([a-z][a-z0-9_]*)\s*(<=|>=|<|>)\s*(\S*?)\s*([a-z%/]*)\s*", re.IGNORECASE | re.ASCII)
_EXAMPLE = "expected such as p95<8ms,ap_drop<1"


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition: the quantity ``name`` against ``limit``, in the figure's own unit; ``text`` as it was written."""

    name: str
    relation: str
    limit: float
    text: str

    @property
    def figure(self) -> str:
        return GATES[self.name].figure

    def holds(self, value: float) -> bool:
        return {
            "<": value < self.limit,
            "<=": value <= self.limit,
            ">": value > self.limit,
            ">=": value >= self.limit,
        }[self.relation]


@dataclass(frozen=True, slots=True)
class Verdict:
    """``held`` is ``None`` where there is no value to judge, for the reason in ``why``."""

    model: str
    gate: str
    figure: str
    value: float | None
    held: bool | None
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The verdict ready for JSON."""
        return asdict(self)

    def line(self) -> str:
        """What is wrong, in one line."""
        value = "unknown" if self.value is None else f"{self.figure} is {self.value:.4g}"
        return f"gate {self.gate} {'not judged' if self.held is None else 'broken'}: {self.model}: {self.why or value}"


def parse_gates(text: str) -> tuple[Gate, ...]:
    """``p95<8ms,ap_drop<1`` -> its gates; ``UsageError`` for what cannot be a gate."""
    parts = [part.strip() for part in text.split(",")]
    if not any(parts):
        raise UsageError(f"--gate: is empty; {_EXAMPLE}")
    gates = [_parsed(part) for part in parts if part]
    seen: dict[str, Gate] = {}
    for gate in gates:
        if gate.name in seen:
            raise UsageError(f"--gate: {gate.name} has two limits, {seen[gate.name].text} and {gate.text}; keep one")
        seen[gate.name] = gate
    return tuple(gates)


def _parsed(part: str) -> Gate:
    match = _FORM.fullmatch(part)
    if match is None:
        raise UsageError(f"--gate {part}: is no gate; {_EXAMPLE}")
    name, relation, number, unit = match[1].lower(), match[2], match[3], match[4].lower()
    if name not in GATES:
        raise UsageError(f"--gate {part}: no figure {name!r}{nearest(name, GATES)}; known: {', '.join(GATES)}")
    quantity = GATES[name]
    if (relation[0] == "<") != quantity.less:
        better = "less" if quantity.less else "more"
        fitting = relation.translate(str.maketrans("<>", "><"))
        raise UsageError(f"--gate {part}: of {name} {better} is better, so write {name}{fitting}{number}{unit}")
    try:
        value = float(number)
    except ValueError:
        raise UsageError(f"--gate {part}: {number + unit!r} is no number; {_EXAMPLE}") from None
    unit = unit or _DEFAULT_UNIT.get(name, "")
    if unit not in quantity.units:
        known = ", ".join(unit for unit in quantity.units if unit) or "none"
        raise UsageError(f"--gate {part}: {name} has no unit {unit!r}; units: {known}")
    limit = value * quantity.units[unit]
    may_be_zero = name == "ap_drop" or not quantity.less
    if not math.isfinite(limit) or limit < 0 or (limit == 0 and not may_be_zero):
        raise UsageError(f"--gate {part}: expected a finite limit above 0")
    if name in ("ap", "overhead") and limit > 1:
        raise UsageError(f"--gate {part}: expected 0 to 1, or percent such as {name}{relation}{number}%")
    return Gate(name, relation, limit, part)


def judge_gates(
    gates: Sequence[Gate], figures: Mapping[str, Mapping[str, float | None]], why_not: str = ""
) -> tuple[Verdict, ...]:
    """Every gate on every model of ``figures``; ``why_not`` says why none can be judged, where that is so.

    A figure that a model has not (``ratio`` of the model that others are compared with) is passed over; one that is
    unknown is not judged.
    """
    found = []
    for model, own in figures.items():
        for gate in gates:
            if gate.figure not in own:
                continue
            value = own[gate.figure]
            held = None if why_not or value is None else gate.holds(value)
            why = why_not or (f"{gate.figure} is unknown" if value is None else "")
            found.append(Verdict(model, gate.text, gate.figure, value, held, why))
    return tuple(found)
