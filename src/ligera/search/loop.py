"""The search by gates: weight steps on one half of the pictures, architecture steps on the other, in turn.

Epochs of warm-up teach weights alone. State is kept after every epoch, so a search killed at any moment goes on from
there and ends in the same gates, bit for bit on one machine; another search may start from any epoch's state, or from
the end of warm-up. Source: paper C, 3.4 and 3.7; Cai et al. 2019.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ligera.errors import DataError, RecipeError
from ligera.files import write_bytes
from ligera.meter import Meter
from ligera.search.costs import Choice, Costs
from ligera.search.gates import Gates, GateSteps, Pairs
from ligera.search.losses import target_loss
from ligera.search.picking import best_within
from ligera.search.recipe import SearchRecipe
from ligera.search.supernet import supernet
from ligera.train.accelerating import accelerator_for
from ligera.train.checkpoint import load_checkpoint, save_checkpoint
from ligera.train.faces.task import FaceTask
from ligera.train.loop import Progress, make_optimizer, rate
from ligera.train.sampling import batches
from ligera.train.task import Losses

__all__ = ["Listener", "Search", "epoch_file"]

Listener = Callable[[dict[str, Any]], None]
WEIGHTS, ARCHITECTURE = 0, 1
# what architecture steps report: the task's loss on held-out pictures, the target's, and that there was one
HELD_OUT, TARGET, COUNT = "held_out", "target", "architecture_steps"


def epoch_file(epoch: int) -> str:
    """Where in a run folder the state after ``epoch`` epochs stands."""
    return f"epochs/{epoch:04d}.pt"


class Search:
    """State of one search by gates; ``run`` takes it to its end, ``found`` is the net it has come to."""

    def __init__(
        self, recipe: SearchRecipe, costs: Costs, folder: Path, meter: Meter, listener: Listener | None = None
    ) -> None:
        if recipe.threads:
            torch.set_num_threads(recipe.threads)
        torch.manual_seed(recipe.seed)
        self.recipe, self.costs, self.folder, self._meter = recipe, costs, folder, meter
        self._tell = listener or (lambda _row: None)
        self.accelerator = accelerator_for(recipe.precision)
        if self.accelerator.num_processes > 1:
            raise RecipeError("search: gates are taught in one process; start it without torchrun")
        like = costs.architecture((0, (0,) * len(costs.slots)))
        self.task = FaceTask(recipe.training(architecture=like.spec()))
        self.held_out = self.task.held_out()
        net = supernet(costs, recipe.table_side_px).to(self.accelerator.device, memory_format=torch.channels_last)
        self.network, self.optimizer = self.accelerator.prepare(net, make_optimizer(net, recipe))
        self.gates = Gates(costs)
        self.gate_steps = GateSteps(self.gates.parameters(), recipe.gate_learning_rate)
        self.history: list[dict[str, Any]] = []
        self.progress = Progress()

    def resume(self) -> None:
        """Take up the state of the folder's checkpoint."""
        state = load_checkpoint(self.folder, self.accelerator.device)
        try:
            self._bare().load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            if self.accelerator.scaler:
                self.accelerator.scaler.load_state_dict(state["scaler"])
            self.gates.load_state_dict(state["gates"])
            self.gate_steps.load_state_dict(state["gate_steps"])
            # the recipe's, which a search that starts from another's state may have changed
            self.gate_steps.param_groups[0]["lr"] = self.recipe.gate_learning_rate
            self.history = state["history"]
            self.progress = Progress(**state["progress"])
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise DataError(
                f"{self.folder}: its state is not one of this space and recipe; start the search anew"
            ) from error

    def run(self) -> dict[str, Any]:
        """Search to the end; returns the last epoch's row."""
        while self.progress.epoch < self.recipe.epochs:
            self._epoch()
        return self.history[-1] if self.history else {}

    def found(self) -> tuple[Choice, bool]:
        """The most probable net within ``land_within`` of the target, and whether there was one.

        Where there is none, or ``land_within`` is 0, the likeliest path of each gate.
        """
        best = self.found_near(1.0)
        if best is not None:
            return best, True
        likely = self.gates.most_probable()
        return likely, abs(self.costs.relative(likely) - 1) <= max(self.recipe.land_within, 1e-9)

    def found_near(self, aim: float) -> Choice | None:
        """The most probable net that costs ``aim`` times the target, to ``land_within`` of that, if there is one."""
        within = self.recipe.land_within
        if not within:
            return None
        gains = self.gates.log_probabilities()
        return best_within(self.costs, *gains, aim * (1 - within), aim * (1 + within))

    def _epoch(self) -> None:
        epoch = self.progress.epoch
        warming = epoch < self.recipe.warmup_epochs
        plan = self.task.sampler.plan(epoch)
        steps = len(plan) // self.recipe.batch
        with self._meter.phase("warm-up" if warming else "search"):
            for parts in self._steps(plan, steps, warming):
                parts.pop(COUNT, None)
                self._tell({"epoch": epoch, "step": self.progress.step, "steps": steps, **parts})
        done = self.progress
        row: dict[str, Any] = {"epoch": epoch + 1, "steps": done.total, "warm_up": warming}
        row["learning_rate"] = rate(self.recipe, done, steps)
        sums = dict(done.sums)
        taught = sums.pop(COUNT, 0.0)
        for name, value in sums.items():
            row[f"loss_{name}"] = value / max(taught if name in (HELD_OUT, TARGET) else done.step, 1)
        pictures = done.step * self.recipe.batch
        row |= {"pictures": pictures, "train_s": done.train_s, "pictures_per_s": pictures / max(done.train_s, 1e-9)}
        row |= self._standing()
        self.history.append(row)
        self.progress = Progress(epoch + 1, 0, done.total)
        self._save(epoch_file(epoch + 1))
        self._tell({"row": row})

    def _steps(self, plan: Any, steps: int, warming: bool) -> Iterator[dict[str, float]]:
        """The steps of this epoch that are still to do: each a weight step, after some an architecture step."""
        recipe, device, epoch = self.recipe, self.accelerator.device, self.progress.epoch
        first = self.progress.step
        keys = batches(plan, seed=recipe.seed, epoch=epoch, batch=recipe.batch, first_step=first)
        shown = iter(self.task.batches(plan, list(keys), device))
        judged = iter(()) if warming else self._judged(epoch, first // recipe.gate_every)
        self.network.train()
        started = time.perf_counter()
        for step in range(first, steps):
            random = np.random.default_rng([recipe.seed, epoch, step, WEIGHTS])
            parts = self._weight_step(next(shown).to(device), steps, random)
            if not warming and (step + 1) % recipe.gate_every == 0:
                batch = next(judged, None)
                if batch is not None:
                    random = np.random.default_rng([recipe.seed, epoch, step, ARCHITECTURE])
                    parts |= self._architecture_step(batch.to(device), random)
            now = time.perf_counter()
            self.progress, started = self.progress.after(parts, now - started), now
            yield parts
            every = recipe.checkpoint_every_steps
            if every and self.progress.total % every == 0 and self.progress.step < steps:
                self._save()

    def _judged(self, epoch: int, first: int) -> Iterator[Any]:
        """Batches of the held-out half, for the architecture steps of ``epoch`` from the ``first`` on."""
        plan = self.held_out.sampler.plan(epoch)
        # another seed than the weights', so that no two samples of the halves share their chance
        keys = batches(plan, seed=self.recipe.seed + 1, epoch=epoch, batch=self.recipe.batch, first_step=first)
        return iter(self.held_out.batches(plan, list(keys), self.accelerator.device))

    def _weight_step(self, batch: Any, steps: int, random: np.random.Generator) -> dict[str, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = rate(self.recipe, self.progress, steps)
        self._bare().backbone.take(self.gates.draw(random))
        losses = self._losses(self.task, batch)
        total = torch.stack(list(losses.parts.values())).sum()
        self.optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(total)
        self.accelerator.clip_grad_norm_(self.network.parameters(), self.recipe.clip_norm)
        self.optimizer.step()
        return self._finite({name: float(part.detach()) for name, part in losses.parts.items()})

    def _architecture_step(self, batch: Any, random: np.random.Generator) -> dict[str, float]:
        pairs = self.gates.pairs(random)
        self._bare().backbone.take(pairs)
        task = self._total(batch)
        aside = self._other_widths(batch, pairs, task.detach())
        goal = target_loss(self._expected(pairs), self.recipe.strength, self.recipe.target_loss)
        scale = self.accelerator.scaler.get_scale() if self.accelerator.scaler else 1.0
        weights = list(self.gates.parameters())
        total = (task.cpu() + aside + goal) * scale
        found = torch.autograd.grad(total, weights, allow_unused=True)
        grads = [torch.zeros_like(w) if g is None else g / scale for w, g in zip(weights, found, strict=True)]
        # in half precision a step may overflow, and is left out as a weight step would be
        if all(bool(torch.isfinite(grad).all()) for grad in grads):
            for weight, grad in zip(weights, grads, strict=True):
                weight.grad = grad
            self.gate_steps.step()
        return self._finite({HELD_OUT: float(task.detach()), TARGET: float(goal.detach()), COUNT: 1.0})

    def _other_widths(self, batch: Any, pairs: Pairs, task: Tensor) -> Tensor:
        """0, with the two-path gradient of the channels' gate: how much better the pair's other channels would do.

        Maps of two widths cannot be added as two blocks' can, so the other loss is measured rather than foretold by
        its derivative; the same blocks and pictures make the two comparable.
        """
        k, picked = pairs.active[0], pairs.active[1]
        other = pairs.other[0]
        if other == k:
            return torch.zeros(())
        self._bare().backbone.take((other, picked))
        with torch.no_grad():
            gain = self._total(batch).cpu() - task.cpu()
        return pairs.width_gate[other] * gain

    def _expected(self, pairs: Pairs) -> Tensor:
        """The expected cost over the target, p1 of it by probability, the rest that of the active net.

        Equation 12 of paper C multiplies the active block's latency by its probability, its text calls it the direct
        one; only the latter makes the sum of a decided net its latency, whatever p1, from the first epoch on.
        """
        weighted = self.gates.amounts(*self.gates.probabilities())
        active = self.gates.amounts(pairs.width_gate, pairs.slot_gates)
        share = self.recipe.weighted_share
        return self.gates.relative(share * weighted + (1 - share) * active)

    def _losses(self, task: FaceTask, batch: Any) -> Losses:
        with self.accelerator.autocast():
            return task.loss(self.network, batch, task.count(batch))

    def _total(self, batch: Any) -> Tensor:
        return torch.stack(list(self._losses(self.held_out, batch).parts.values())).sum()

    def _finite(self, parts: dict[str, float]) -> dict[str, float]:
        if self.accelerator.scaler is None and not all(map(math.isfinite, parts.values())):
            step = f"step {self.progress.step + 1} of epoch {self.progress.epoch + 1}"
            raise RecipeError(f"learning_rate: the loss is no finite number any more at {step}; lower it")
        return parts

    @torch.no_grad()
    def _standing(self) -> dict[str, Any]:
        """Where the gates stand: expected amounts, entropy, and the likeliest net with its own amounts."""
        expected = self.gates.amounts(*self.gates.probabilities())
        likely = self.gates.most_probable()
        names = self.costs.attributes
        row: dict[str, Any] = {f"expected_{name}": float(value) for name, value in zip(names, expected, strict=True)}
        row |= {"expected_relative": float(self.gates.relative(expected)), "entropy": self.gates.entropy()}
        amounts = self.costs.amounts(likely)
        row |= {f"likely_{name}": float(value) for name, value in zip(names, amounts, strict=True)}
        return row | {"likely_relative": self.costs.relative(likely), "likely": self.costs.architecture(likely).name}

    def _bare(self) -> Any:
        return self.accelerator.unwrap_model(self.network)

    def _save(self, also: str | None = None) -> None:
        state = {
            "network": self._bare().state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.accelerator.scaler.state_dict() if self.accelerator.scaler else {},
            "gates": self.gates.state_dict(),
            "gate_steps": self.gate_steps.state_dict(),
            "history": self.history,
            "progress": asdict(self.progress),
        }
        if also:
            save_checkpoint(self.folder, state, also)
        save_checkpoint(self.folder, state)
        text = "".join(json.dumps(row) + "\n" for row in self.history)
        write_bytes(self.folder / "history.jsonl", text.encode())
