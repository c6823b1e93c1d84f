"""One process may train in several precisions, one after the other."""

import json
from pathlib import Path

import pytest
import torch
from accelerate import PartialState
from torch import nn

from ligera.train.accelerating import accelerator_for
from ligera.train.reading import parse_recipe
from ligera.train.run import start


def made_in(precision: str) -> torch.dtype:
    """The type of what a layer makes while it is trained in ``precision``."""
    accelerator = accelerator_for(precision)
    layer = nn.Linear(4, 2).to(accelerator.device)
    with accelerator.autocast():
        return layer(torch.ones(1, 4, device=accelerator.device)).dtype


def test_each_accelerator_has_the_precision_it_was_asked_for() -> None:
    before = PartialState().device
    asked = ("bf16", "bf16", "fp32", "bf16")
    assert [made_in(precision) for precision in asked] == [
        torch.bfloat16,
        torch.bfloat16,
        torch.float32,
        torch.bfloat16,
    ]
    assert PartialState().device == before


@pytest.mark.parametrize("first", ["bf16", "fp32"])
def test_a_training_ends_in_the_same_weights_whatever_precision_came_before(
    first: str, recipe_values: dict, tmp_path: Path
) -> None:
    def losses(precision: str) -> list[float]:
        values = recipe_values | {"precision": precision, "epochs": 1, "samples_per_epoch": 4, "validation": None}
        folder = start(parse_recipe(values, "test"), tmp_path).folder
        rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
        return [row["loss_score"] for row in rows]

    second = "fp32" if first == "bf16" else "bf16"
    alone, other, again = losses(first), losses(second), losses(first)
    assert alone == again
    assert alone != other
