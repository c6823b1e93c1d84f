"""A bundle in fp32 -> the same in another precision, held to a bound of what it may lose.

In: a bundle and a :class:`ConversionPlan`. Out: the bundle on disk, whole or not at all, with a record of how it came
about in its metadata, and a :class:`Conversion`. A bundle that loses more than allowed is not written; one in int8
first gets its worst layers back in float, as few as will do.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ligera.deploy.bundle import BundleCard
from ligera.deploy.quantization.calibration import choose_pictures, choose_shown
from ligera.deploy.quantization.eight_bits import EightBits
from ligera.deploy.quantization.gate import Score, expect_apart, score_points
from ligera.deploy.quantization.halves import store_halves
from ligera.deploy.quantization.plan import PRECISIONS, ConversionPlan
from ligera.deploy.quantization.record import Gate, PrecisionRecord
from ligera.deploy.quantization.search import fewest_kept
from ligera.deploy.quantization.source import SourceBundle, expect_onnx, read_source, write_converted
from ligera.errors import GateFailed, UsageError

__all__ = ["PRECISIONS", "Conversion", "ConversionPlan", "convert"]

# A network more than half of which has to stay in float gains little and is better left as it is.
MOST_KEPT = 0.5

Note = Callable[[str], None]
Attempt = tuple[bytes, BundleCard, PrecisionRecord]


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was written: ``tried`` holds, for each attempt, how many of the worst layers stayed in float and the points
    lost."""

    path: Path
    card: BundleCard
    record: PrecisionRecord
    size_bytes: int
    source_bytes: int
    tried: tuple[tuple[int, float], ...] = ()


def convert(model: str | Path, out: Path, plan: ConversionPlan, *, note: Note | None = None) -> Conversion:
    """Write the fp32 bundle ``model``, a file or a built-in name, to ``out`` as ``plan`` says.

    ``note`` is told what is going on, in words. Raises ``GateFailed`` where too much is lost, ``UsageError`` for a
    bundle that was converted before or a plan that does not fit it, ``DataError`` for pictures or labels that cannot be
    read, ``MissingExtra`` without onnx, or for the gate of bf16 without openvino.
    """
    expect_onnx(out)
    source = read_source(model)
    if plan.gate_data is not None and source.card.task == "detect-regions":
        raise UsageError(f"{model}: is a layout detector, whose drop cannot be measured yet; leave --gate-data out")
    judge = _Judge(source, plan, note or _nothing)
    if plan.precision == "int8":
        return _to_eight_bits(source, out, plan, judge)
    graph = store_halves(source.content, plan.precision, str(model))
    card = replace(source.card, precision=plan.precision)
    attempt = graph, card, PrecisionRecord(plan.precision, source.card.graph_sha256)
    gate = judge.gate(attempt)
    if gate is not None and not gate.holds:
        raise GateFailed(f"{out}: not written, {plan.precision} {_lost(gate)}; raise --max-drop or keep fp32")
    return _finish(out, attempt, gate, source)


def _nothing(text: str) -> None:
    pass


class _Judge:
    """Scores attempts against the bundle they were made of, which is scored once."""

    def __init__(self, source: SourceBundle, plan: ConversionPlan, note: Note) -> None:
        self._source, self._plan, self.note = source, plan, note
        self._before: Score | None = None

    def gate(self, attempt: Attempt) -> Gate | None:
        """What ``attempt`` loses; ``None`` where there is no labelled data to say so."""
        data, limit = self._plan.gate_data, self._plan.max_drop
        if data is None:
            return None
        if self._before is None:
            self._before = score_points(self._source.path, data, threads=self._plan.threads)
            judged = self._before.judged
            self.note(f"fp32: {self._before.points:.2f} points of {self._before.metric} (n {judged:,})")
            if self._before.metric == "accuracy" and 100 / judged > limit > 0:
                self.note(f"one picture of {judged:,} is {100 / judged:.2f} points: too few to judge {limit:g} by")
        # ONNX Runtime has no bf16 arithmetic
        runtime = "openvino" if self._plan.precision == "bf16" else "onnxruntime"
        with tempfile.TemporaryDirectory(prefix="ligera-") as folder:
            candidate = Path(folder, "candidate.onnx")
            write_converted(candidate, *attempt, self._source)
            after = score_points(candidate, data, runtime=runtime, threads=self._plan.threads)
        return Gate(after.metric, after.label, self._before.points, after.points, limit, after.judged)


def _to_eight_bits(source: SourceBundle, out: Path, plan: ConversionPlan, judge: _Judge) -> Conversion:
    assert plan.calibrate is not None
    pictures = choose_pictures(plan.calibrate, plan.pictures)
    if plan.gate_data is not None:
        expect_apart(pictures, plan.gate_data)
    where = str(source.path)
    pictures = choose_shown(pictures, source.card, source.other, where, threads=plan.threads, note=judge.note)
    network = EightBits(source, pictures, plan, judge.note)
    if plan.gate_data is None:
        return _finish(out, network.attempt(), None, source)
    return _with_fewest_kept(network, source, out, judge)


def _with_fewest_kept(network: EightBits, source: SourceBundle, out: Path, judge: _Judge) -> Conversion:
    attempts: dict[int, tuple[Attempt, Gate]] = {}
    worst: tuple[str, ...] = ()

    def holds(count: int) -> bool:
        nonlocal worst
        if count and not worst:
            judge.note(f"ranking {len(network.layers)} layers by the error that each causes alone")
            worst = network.worst_first()
        attempt = network.attempt(worst[:count])
        gate = judge.gate(attempt)
        assert gate is not None
        judge.note(f"int8 with {count} of {len(network.layers)} layers back in float: {_points(gate)}")
        attempts[count] = attempt, gate
        return gate.holds

    most = math.ceil(MOST_KEPT * (len(network.layers) - len(network.heads)))
    count = fewest_kept(holds, most)
    if count is None:
        raise GateFailed(
            f"{out}: not written, int8 {_lost(attempts[most][1])}, even with {most} of {len(network.layers)} layers "
            "back in float; calibrate on more or other pictures, try --calibration percentile, or raise --max-drop"
        )
    done = _finish(out, *attempts[count], source)
    return replace(done, tried=tuple((number, gate.drop) for number, (_, gate) in attempts.items()))


def _points(gate: Gate) -> str:
    verb = "loses" if gate.drop >= 0 else "gains"
    return f"{verb} {abs(gate.drop):.2f} points of {gate.metric}"


def _lost(gate: Gate) -> str:
    return f"{_points(gate)} (at most {gate.max_drop:g} allowed)"


def _finish(out: Path, attempt: Attempt, gate: Gate | None, source: SourceBundle) -> Conversion:
    """Write the bundle. Its card has the score measured here, as those of the source are another precision's."""
    graph, card, record = attempt
    scores = {} if gate is None else {gate.data: round(gate.after / 100, 4)}
    record = replace(record, gate=gate)
    card = write_converted(out, graph, replace(card, scores=scores), record, source)
    return Conversion(out, card, record, out.stat().st_size, len(source.content))
