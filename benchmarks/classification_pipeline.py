"""Does the input pipeline hold a classifier's training up? Bare network against the whole loop, in turns.

``python benchmarks/classification_pipeline.py DATA [--model conv14] [--batch 128] [--steps 20] [--rounds 5]``: DATA is
a folder that recipes take. Bare: forward, loss, backward and step on one batch that stays where it is. Whole: a run of
the training loop over as many steps, with selection, batches, moving average and metering, validation left out. Ratios
of medians are quoted; the rounds alternate, so that other load on the machine falls on both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch.nn import functional

from ligera.meter import Meter
from ligera.meter.hardware import processor_name
from ligera.train.classification.task import ClassificationTask
from ligera.train.loop import Training
from ligera.train.reading import parse_recipe
from ligera.train.recipe import Recipe


def bare_rate(recipe: Recipe, task: ClassificationTask, steps: int) -> float:
    """Pictures per second of the network alone."""
    network = task.network().to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    side = task.training.pictures.shape[1]
    pixels = torch.randn(recipe.batch, 3, side, side).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(len(task.names), (recipe.batch,))
    started = time.perf_counter()
    for _ in range(steps):
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bf16"):
            loss = functional.cross_entropy(network(pixels).float(), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return steps * recipe.batch / (time.perf_counter() - started)


def loop_rate(recipe: Recipe, task: ClassificationTask) -> float:
    """Pictures per second of an epoch of the training loop, its making of batches and all else counted."""
    with tempfile.TemporaryDirectory() as folder, Meter(Path(folder) / "cost.json") as meter:
        training = Training(recipe, task, Path(folder), meter)
        training.run()
    row = training.history[-1]
    return row["pictures"] / (row["train_s"] + row["select_s"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="conv14")
    parser.add_argument("--side", type=int, default=None)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    choice = parser.parse_args()
    values = {
        "name": "pipeline",
        "task": "classification",
        "model": choice.model,
        "data": str(choice.data.resolve()),
        "side_px": choice.side,
        "batch": choice.batch,
        "epochs": 1,
        "samples_per_epoch": choice.batch * choice.steps,
        "training_pictures": choice.batch * choice.steps,
        "held_out": 100,
        "test_pictures": 100,
        "threads": choice.threads,
        "precision": choice.precision,
    }
    recipe = parse_recipe({key: value for key, value in values.items() if value is not None}, "benchmark")
    task = ClassificationTask(recipe)
    torch.set_num_threads(choice.threads)
    pairs = [(bare_rate(recipe, task, choice.steps), loop_rate(recipe, task)) for _ in range(choice.rounds)]
    bare, whole = (statistics.median(rates) for rates in zip(*pairs, strict=True))
    ratios = [own / other for other, own in pairs]
    print(
        json.dumps(
            {
                "processor": processor_name(),
                "threads": choice.threads,
                "precision": choice.precision,
                "rounds": choice.rounds,
                "bare_pictures_per_s": round(bare, 1),
                "loop_pictures_per_s": round(whole, 1),
                "loop_over_bare": round(statistics.median(ratios), 3),
                "loop_over_bare_each": [round(ratio, 3) for ratio in ratios],
            }
        )
    )


if __name__ == "__main__":
    main()
