"""The one training loop: recipe and task -> run folder with weights, history and cost.

A run folder holds ``recipe.yaml`` (resolved), ``environment.json``, ``card.json``, ``history.jsonl`` (a line per
epoch), ``cost.json``, ``checkpoint.pt`` and, when done, ``weights.safetensors`` (the moving average) and
``result.json``. A run killed at any moment goes on from its last checkpoint and ends in the same weights as one that
was not, bit for bit on one machine.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from torch import nn

from ligera.errors import DataError, RecipeError
from ligera.files import write_bytes
from ligera.meter import Meter
from ligera.train.accelerating import accelerator_for
from ligera.train.average import MovingAverage
from ligera.train.batchnorm import over_processes
from ligera.train.checkpoint import load_checkpoint, save_checkpoint, save_weights
from ligera.train.exhaustion import advice, is_out_of_memory
from ligera.train.recipe import Recipe
from ligera.train.samplers import EpochPlan
from ligera.train.sampling import batches
from ligera.train.task import Batch, Losses, Task

Listener = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands: ``step`` steps of ``epoch`` are done, ``total`` over the whole run.

    ``train_s`` and ``sums`` (of each loss part over steps) are those of the epoch in progress.
    """

    epoch: int = 0
    step: int = 0
    total: int = 0
    train_s: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)

    def after(self, parts: dict[str, float], seconds: float) -> Progress:
        """One step on."""
        sums = {name: self.sums.get(name, 0.0) + value for name, value in parts.items()}
        return Progress(self.epoch, self.step + 1, self.total + 1, self.train_s + seconds, sums)


class Training:
    """State of one run; ``run`` takes it to its end."""

    def __init__(
        self, recipe: Recipe, task: Task, folder: Path, meter: Meter, listener: Listener | None = None
    ) -> None:
        if recipe.threads:
            torch.set_num_threads(recipe.threads)
        torch.manual_seed(recipe.seed)
        self.recipe, self.task, self.folder, self._meter = recipe, task, folder, meter
        self._tell = listener or (lambda _row: None)
        self.accelerator = accelerator_for(recipe.precision)
        if recipe.batch % self.accelerator.num_processes:
            raise RecipeError(
                f"batch: {recipe.batch} is not the same for each of {self.accelerator.num_processes} processes; "
                "make it a multiple of them"
            )
        network = task.network().to(self.accelerator.device, memory_format=torch.channels_last)
        self.average = MovingAverage(network, recipe.ema_decay)
        network = over_processes(network)
        self.network, self.optimizer = self.accelerator.prepare(network, make_optimizer(network, recipe))
        self.history: list[dict[str, Any]] = []
        self.progress = Progress()
        self.closing: dict[str, float] = {}

    def resume(self) -> None:
        """Take up the state of the folder's checkpoint."""
        state = load_checkpoint(self.folder, self.accelerator.device)
        try:
            self._restore(state)
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise DataError(f"{self.folder}: its checkpoint is not one of its recipe; start the run anew") from error

    def _restore(self, state: dict[str, Any]) -> None:
        self._bare().load_state_dict(state["network"])
        self.average.network.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.accelerator.scaler:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.task.sampler.restore(state["sampler"])
        self.history = state["history"]
        self.progress = Progress(**state["progress"])

    def run(self) -> dict[str, Any]:
        """Train to the end; returns the last epoch's row. Raises ``RecipeError`` with advice when memory runs out."""
        try:
            while self.progress.epoch < self.recipe.epochs:
                self._epoch()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise advice(self.task, self.recipe) from error
        self.closing = self.task.finish(self.average.network)
        if self.accelerator.is_main_process:
            save_weights(self.folder / "weights.safetensors", self.average.network.state_dict())
        return self.history[-1] if self.history else {}

    def _epoch(self) -> None:
        epoch = self.progress.epoch
        plan, select_s = self._timed("select", lambda: self.task.sampler.plan(epoch))
        steps = len(plan.rows) // self.recipe.batch
        with self._meter.phase("train"):
            for parts in self._steps(plan, steps):
                self._tell({"epoch": epoch, "step": self.progress.step, "steps": steps, **parts})
        done = self.progress
        row: dict[str, Any] = {"epoch": epoch + 1, "steps": done.total, "learning_rate": self._rate(steps)}
        row |= {f"loss_{name}": value / max(done.step, 1) for name, value in done.sums.items()}
        pictures = done.step * self.recipe.batch
        row |= {"pictures": pictures, "train_s": done.train_s, "pictures_per_s": pictures / max(done.train_s, 1e-9)}
        if (epoch + 1) % self.recipe.evaluate_every == 0 or epoch + 1 == self.recipe.epochs:
            scores, row["evaluate_s"] = self._timed("evaluate", lambda: self.task.evaluate(self.average.network))
            row |= scores
        # the first process's, so that samplers that follow it never part ways
        score = broadcast_object_list([row.get(self.task.score)])[0]
        _, observe_s = self._timed("select", lambda: self.task.sampler.observe(epoch, score))
        row["select_s"] = select_s + observe_s
        self.history.append(row)
        self.progress = Progress(epoch + 1, 0, done.total)
        self._save()
        self._tell({"row": row})

    def _timed(self, phase: str, work: Callable[[], Any]) -> tuple[Any, float]:
        """What ``work`` returns and its seconds, which the meter counts under ``phase``."""
        started = time.perf_counter()
        with self._meter.phase(phase):
            result = work()
        return result, time.perf_counter() - started

    def _steps(self, plan: EpochPlan, steps: int) -> Iterator[dict[str, float]]:
        """The steps of this epoch that are still to do, each as the parts of its loss over the global batch."""
        keys = batches(
            plan,
            seed=self.recipe.seed,
            epoch=self.progress.epoch,
            batch=self.recipe.batch,
            rank=self.accelerator.process_index,
            world=self.accelerator.num_processes,
            first_step=self.progress.step,
        )
        self.network.train()
        started = time.perf_counter()
        for batch in self.task.batches(plan, list(keys), self.accelerator.device):
            parts = self._step(batch.to(self.accelerator.device), steps)
            now = time.perf_counter()
            self.progress, started = self.progress.after(parts, now - started), now
            yield parts
            every = self.recipe.checkpoint_every_steps
            if every and self.progress.total % every == 0 and self.progress.step < steps:
                self._save()

    def _step(self, batch: Batch, steps: int) -> dict[str, float]:
        world = self.accelerator.num_processes
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate(steps)
        count = self.accelerator.reduce(self.task.count(batch), "sum")
        with self.accelerator.autocast():
            losses = self.task.loss(self.network, batch, count)
        total = torch.stack(list(losses.parts.values())).sum()
        self.optimizer.zero_grad()
        self.accelerator.backward(total * world)
        self.accelerator.clip_grad_norm_(self.network.parameters(), self.recipe.clip_norm)
        self.optimizer.step()
        self.average.update(self._bare(), self.progress.total + 1)
        self._show_sampler(batch, losses)
        return self._shared(losses)

    def _show_sampler(self, batch: Batch, losses: Losses) -> None:
        """Tell a sampler that wants to know what each sample of the global batch lost, the same in every process."""
        if not self.task.sampler.wants_losses:
            return
        rows = self.accelerator.gather(batch.rows).cpu().numpy()
        lost = self.accelerator.gather(losses.per_sample.detach().float()).cpu().numpy()
        self.task.sampler.watch(self.progress.epoch, rows, lost)

    def _shared(self, losses: Losses) -> dict[str, float]:
        """The loss parts over all processes; ``RecipeError`` when they are no numbers any more."""
        values = self.accelerator.reduce(torch.stack([part.detach() for part in losses.parts.values()]), "sum").tolist()
        # a scaler leaves out steps that overflow; without one the weights are lost now
        if self.accelerator.scaler is None and not all(map(math.isfinite, values)):
            step = f"step {self.progress.step + 1} of epoch {self.progress.epoch + 1}"
            raise RecipeError(f"learning_rate: the loss is no finite number any more at {step}; lower it")
        return dict(zip(losses.parts, values, strict=True))

    def _rate(self, steps: int) -> float:
        """Learning rate of the step about to be taken."""
        return rate(self.recipe, self.progress, steps)

    def _bare(self) -> nn.Module:
        return self.accelerator.unwrap_model(self.network)

    def _save(self) -> None:
        if not self.accelerator.is_main_process:
            return
        state = {
            "network": self._bare().state_dict(),
            "average": self.average.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.accelerator.scaler.state_dict() if self.accelerator.scaler else {},
            "sampler": self.task.sampler.state(),
            "history": self.history,
            "progress": asdict(self.progress),
        }
        save_checkpoint(self.folder, state)
        text = "".join(json.dumps(row) + "\n" for row in self.history)
        write_bytes(self.folder / "history.jsonl", text.encode())


def rate(recipe: Recipe, progress: Progress, steps: int) -> float:
    """Learning rate of the step after ``progress``, from the share of the run that is done."""
    if progress.total < recipe.warmup_steps:
        return recipe.learning_rate * (progress.total + 1) / recipe.warmup_steps
    share = min(1.0, (progress.epoch + progress.step / max(steps, 1)) / recipe.epochs)
    if recipe.schedule == "constant":
        return recipe.learning_rate
    if recipe.schedule == "cosine":
        return recipe.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)
    return recipe.learning_rate * recipe.step_factor ** sum(share >= at for at in recipe.step_at)


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Weight decay on convolution weights only, not on biases and normalisation."""
    groups = [
        {"params": [p for p in network.parameters() if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in network.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.momentum > 0)
    return torch.optim.AdamW(groups, lr=recipe.learning_rate)
