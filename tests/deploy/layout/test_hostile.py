"""A layout bundle from a stranger ends in detections or in one line, whatever its metadata and its networks say."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from ligera.deploy.bundle import METADATA_KEY, BundleCard, card_from_metadata
from ligera.deploy.detector import Detector
from ligera.deploy.layout.engine import LAYOUT_KEY
from ligera.deploy.opening import open_engine
from ligera.deploy.runtimes.mock import MockRuntime
from ligera.errors import ModelError
from ligera.records import Preprocess

from .pages import LABELS, tiny_spec

PAGE = np.full((64, 48, 3), 200, np.uint8)
CHANNELS = 4
# What a damaged or wicked file may hold in the place of anything.
ODD = (None, True, -1, 0, 10**9, 1e308, float("nan"), float("inf"), "", "x" * 300, [], [[]], {}, {"a": 1}, [1, "b"])
ROUNDS = 150


def metadata() -> dict[str, Any]:
    card = BundleCard("stranger", Preprocess(max_side=64), task="detect-regions", labels=LABELS)
    return {METADATA_KEY: json.loads(card.to_json()), LAYOUT_KEY: json.loads(json.dumps(asdict(tiny_spec().decoding)))}


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in ``value`` with every key or index of it."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def networks(random: np.random.Generator | None = None):  # type: ignore[no-untyped-def]
    """Networks that answer in the right shapes, with numbers of any size where ``random`` is given."""

    def numbers(*shape: int) -> np.ndarray:
        if random is None:
            return np.zeros(shape, np.float32)
        values = random.normal(size=shape) * 10.0 ** random.integers(-3, 38)
        values[random.random(shape) < 0.02] = random.choice([np.nan, np.inf, -np.inf])
        with np.errstate(over="ignore"):
            return values.astype(np.float32)

    def answer(batch: np.ndarray) -> dict[str, np.ndarray]:
        count = len(batch)
        if batch.shape[1] == 3:
            sides = [(-(-batch.shape[2] // s), -(-batch.shape[3] // s)) for s in (4, 8, 16, 32)]
            anchors = 4 * sum(high * wide for high, wide in sides)
            maps = {f"p{level}": numbers(1, *side, CHANNELS) for level, side in enumerate(sides)}
            return maps | {"scores": numbers(1, anchors), "offsets": numbers(1, anchors, 4)}
        if batch.shape[1] == 7:
            return {"scores": numbers(count, 4), "offsets": numbers(count, 4, 4)}
        return {"masks": numbers(count, 3, 28, 28)}

    return answer


def opened(values: dict[str, Any], answer) -> Detector:  # type: ignore[no-untyped-def]
    runtime = MockRuntime(answer, {key: json.dumps(value) for key, value in values.items()})
    return Detector(open_engine(runtime, card_from_metadata(runtime.metadata, "stranger.onnx")))


def expect_one_line(error: ModelError) -> None:
    assert len(str(error).splitlines()) == 1 and len(str(error)) < 1000


def test_the_stranger_is_sound_before_anything_is_changed() -> None:
    detector = opened(metadata(), networks())
    assert detector.task == "detect-regions"
    assert len(detector.detect(PAGE, score=0.9)) == 0
    assert len(detector.detect(PAGE, score=0.1)) > 0


def test_any_value_in_the_metadata_may_be_any_other() -> None:
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(ROUNDS):
        values = copy.deepcopy(metadata())
        spots = list(places(values))
        container, key = spots[int(random.integers(len(spots)))]
        container[key] = ODD[int(random.integers(len(ODD)))]
        try:
            opened(values, networks()).detect(PAGE, score=0.3)
        except ModelError as error:
            refused += 1
            expect_one_line(error)
    assert refused > ROUNDS / 2


def test_numbers_of_any_size_end_in_finite_detections_or_one_line() -> None:
    found = 0
    for seed in range(40):
        detector = opened(metadata(), networks(np.random.default_rng(seed)))
        try:
            regions = detector.detect(PAGE, score=0.05)
        except ModelError as error:
            expect_one_line(error)
            continue
        found += len(regions)
        json.dumps(regions.rows(), allow_nan=False)
        for outlines in regions.polygons or ():
            for outline in outlines:
                assert (outline >= 0).all() and (outline <= [48, 64]).all()
    assert found > 0


@pytest.mark.parametrize("change", ["missing", "flat", "longer", "double", "words"])
@pytest.mark.parametrize("output", ["p0", "p3", "scores", "offsets", "masks"])
def test_an_output_of_another_kind_is_one_line(output: str, change: str) -> None:
    sound = networks()

    def answer(batch: np.ndarray) -> dict[str, np.ndarray]:
        outputs = sound(batch)
        if output not in outputs:
            return outputs
        values = outputs.pop(output)
        changed = {
            "flat": lambda: values.reshape(-1),
            "longer": lambda: np.concatenate([values, values], axis=1),
            "double": lambda: values.astype(np.float64),
            "words": lambda: np.full(values.shape, "word"),
        }
        return outputs if change == "missing" else outputs | {output: changed[change]()}

    with pytest.raises(ModelError, match="stranger: outputs are not what its card says") as caught:
        opened(metadata(), answer).detect(PAGE, score=0.1)
    expect_one_line(caught.value)
