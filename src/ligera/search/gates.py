"""Binary gates (ProxylessNAS, Cai et al. 2019; paper C, 2.5.4): which channels and which block of each slot are active.

A gate is a vector of architecture weights; the softmax over it are the probabilities of its paths. In a weight step one
path of each gate is active. In an architecture step two are drawn: one of them active, and the gradient of the pair's
binary gate is that of its probability (the two-path gradient), so that only two paths are ever in memory. Blocks have
one gate a slot, whatever the channels; channels have one a stage, and combinations the space does not allow are left
out of the softmax.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ligera.search.costs import Choice, Costs

__all__ = ["GateSteps", "Gates", "Pairs"]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Two paths of each gate. ``active`` and ``other`` are whole choices; where a gate has but one path both are it.

    ``width_gate (K,)`` and ``slot_gates`` (``(candidates,)`` each) are 1 for the active path, else 0, and carry the
    two-path gradient.
    """

    active: Choice
    other: Choice
    width_gate: Tensor
    slot_gates: tuple[Tensor, ...]


class Gates(nn.Module):
    """The architecture weights of a space, 0 at first: every path as likely as any other."""

    combinations: Tensor

    def __init__(self, costs: Costs) -> None:
        super().__init__()
        self._costs = costs
        stages = costs.space.stages
        self.widths = nn.ParameterList(torch.zeros(len(stage.channels)) for stage in stages)
        self.slots = nn.ParameterList(torch.zeros(array.shape[2]) for array in costs.slots)
        self.register_buffer("combinations", torch.from_numpy(costs.combinations), persistent=False)
        # what is not allowed costs nothing here, as its gradient would be 0 times NaN; no combination looks it up
        self._amounts = [torch.from_numpy(np.nan_to_num(array)).float() for array in costs.slots]
        self._fixed = torch.from_numpy(costs.fixed).float()
        self._places = [tuple(map(torch.from_numpy, costs.places(slot))) for slot in range(len(costs.slots))]

    def width_logits(self) -> Tensor:
        """``(K,)``: one for each combination of channels."""
        return torch.stack([weights[self.combinations[:, stage]] for stage, weights in enumerate(self.widths)]).sum(0)

    def probabilities(self) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Of each combination of channels ``(K,)``, and of the candidates of each slot."""
        return self.width_logits().softmax(0), tuple(weights.softmax(0) for weights in self.slots)

    def draw(self, random: np.random.Generator) -> Choice:
        """One path of each gate, by its probabilities."""
        widths, slots = self._numpy()
        return _drawn(widths, 1, random)[0], tuple(_drawn(slot, 1, random)[0] for slot in slots)

    def pairs(self, random: np.random.Generator) -> Pairs:
        """Two paths of each gate by its probabilities, one of the two active by theirs."""
        widths, slots = self._numpy()
        drawn = [_drawn(gate, 2, random) for gate in (widths, *slots)]
        gates = []
        for pair, logits in zip(drawn, (self.width_logits(), *self.slots), strict=True):
            share = logits[pair].softmax(0)
            if random.random() >= float(share[0].detach()):
                pair.reverse()
                share = share.flip(0)
            hard = torch.zeros_like(share)
            hard[0] = 1.0
            gates.append(torch.zeros_like(logits).index_add(0, torch.tensor(pair), hard + (share - share.detach())))
        active, other = ((chosen[0], tuple(chosen[1:])) for chosen in zip(*((p[0], p[-1]) for p in drawn), strict=True))
        return Pairs(active, other, gates[0], tuple(gates[1:]))

    def amounts(self, width_gate: Tensor, slot_gates: Sequence[Tensor]) -> Tensor:
        """``(A,)``: what a net costs whose choices are weighed so (paper C, equations 11 and 12).

        Probabilities give the expected amounts, the gates of ``pairs`` those of the active net.
        """
        total = self._fixed
        for amounts, (before, own), gate in zip(self._amounts, self._places, slot_gates, strict=True):
            total = total + torch.einsum("pnca,c->pna", amounts, gate)[before, own]
        return width_gate @ total

    def relative(self, amounts: Tensor) -> Tensor:
        """Over the target: 1 is on it."""
        return amounts @ torch.from_numpy(self._costs.factors).float()

    @torch.no_grad()
    def entropy(self) -> float:
        """Mean over gates with a choice, as a share of the most there can be: 1 undecided, 0 decided."""
        shares = [weights.softmax(0) for weights in (*self.widths, *self.slots) if len(weights) > 1]
        parts = [float(-(p * p.clamp(min=1e-12).log()).sum() / np.log(len(p))) for p in shares]
        return float(np.mean(parts)) if parts else 0.0

    @torch.no_grad()
    def log_probabilities(self) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Natural logarithms of ``probabilities``: gains that ``picking.best_within`` adds up."""
        logs = (gate.log_softmax(0).double().numpy() for gate in (self.width_logits(), *self.slots))
        widths, *slots = logs
        return widths, tuple(slot[None] for slot in slots)

    def most_probable(self) -> Choice:
        """The likeliest path of each gate."""
        widths, slots = self.log_probabilities()
        return int(widths.argmax()), tuple(int(slot.argmax()) for slot in slots)

    @torch.no_grad()
    def _numpy(self) -> tuple[np.ndarray, list[np.ndarray]]:
        widths, slots = self.probabilities()
        return widths.double().numpy(), [slot.double().numpy() for slot in slots]


def _drawn(probabilities: np.ndarray, count: int, random: np.random.Generator) -> list[int]:
    """``count`` different places, fewer where there are not as many, each drawn by its share of what is left."""
    left, places = probabilities.copy(), []
    for _ in range(min(count, len(left))):
        # a path that training has made impossible still stands in for one that is not there
        left = left if left.sum() > 0 else np.where(np.isin(np.arange(len(left)), places), 0.0, 1.0)
        ends = np.cumsum(left)
        places.append(min(int(np.searchsorted(ends, random.random() * ends[-1], side="right")), len(left) - 1))
        left[places[-1]] = 0.0
    return places


class GateSteps(torch.optim.Optimizer):
    """Steps of ``lr`` along each gate's gradient over the running root mean square of that whole gate's gradients.

    Adam, which ProxylessNAS uses, scales each path by itself: the tiny pull of the target on a path that is never drawn
    would then move it as far as the task moves those that are. One scale a gate keeps a gate's directions true.
    """

    def __init__(self, parameters: Any, lr: float, decay: float = 0.99) -> None:
        super().__init__(parameters, {"lr": lr, "decay": decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weights in group["params"]:
                if weights.grad is None:
                    continue
                state = self.state[weights]
                count = state["step"] = state.get("step", 0) + 1
                kept = group["decay"]
                square = kept * state.get("square", 0.0) + (1 - kept) * float(weights.grad.square().mean())
                state["square"] = square
                scale = (square / (1 - kept**count)) ** 0.5
                if scale > 0:
                    weights.sub_(group["lr"] * weights.grad / scale)
