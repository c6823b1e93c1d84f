"""What a bundle says of how its precision came about."""

import pytest

from ligera.deploy.quantization.record import (
    PRECISION_KEY,
    Calibration,
    Gate,
    PrecisionRecord,
    precision_from_metadata,
)
from ligera.errors import ModelError

RECORD = PrecisionRecord(
    "int8", "ab" * 32, Calibration("entropy", 9, "cd" * 32), Gate("AP50", "AP50 on a/b", 80.5, 80.25, 1.0), 7, ("x",)
)


def test_a_record_reads_back_as_it_was_written() -> None:
    assert precision_from_metadata({PRECISION_KEY: RECORD.to_json()}, "a.onnx") == RECORD
    assert RECORD.gate is not None and RECORD.gate.drop == 0.25 and RECORD.gate.holds


def test_a_bundle_as_it_was_trained_has_none() -> None:
    assert precision_from_metadata({"ligera": "{}"}, "a.onnx") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"precision": "int9", "source_sha256": ""}', "[" * 10_000])
def test_a_damaged_record_is_one_line(text: str) -> None:
    with pytest.raises(ModelError, match=r"a\.onnx: its metadata on precision is damaged") as error:
        precision_from_metadata({PRECISION_KEY: text}, "a.onnx")
    assert "\n" not in str(error.value)
