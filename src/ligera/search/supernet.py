"""The net that holds every net of a space: RetinaFace whose backbone has a MixedEdge for each slot.

Pictures ``(B, 3, H, W)`` -> the raw outputs of one path (weight steps), or of the active path of two (architecture
steps), which ``take`` sets. Channels are chosen too: each allowed width has edges of its own.
"""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor, nn

from ligera.models.backbones.staged import StagedBackbone
from ligera.models.blocks import build_block
from ligera.models.catalogue import build
from ligera.models.layers import conv_bn
from ligera.models.retinaface import RetinaFace
from ligera.search.costs import Choice, Costs, slot_entries
from ligera.search.gates import Pairs
from ligera.search.space import Space

__all__ = ["ByWidth", "MixedEdge", "SuperBackbone", "supernet"]


class MixedEdge(nn.Module):
    """The candidate blocks of one slot; ``Zero`` is the path that changes nothing."""

    def __init__(self, paths: list[nn.Module]) -> None:
        super().__init__()
        self.paths = nn.ModuleList(paths)

    def forward(self, x: Tensor, active: int, other: int | None = None, gate: Tensor | None = None) -> Tensor:
        """The active path's output; with a binary ``gate (candidates,)`` its gradient reaches both paths' gates.

        The other path's output counts 0 and is kept only for the gate's gradient, so nothing is kept of its inside.
        """
        out = self.paths[active](x)
        if gate is None or other is None or other == active:
            return out
        with torch.no_grad():
            beside = self.paths[other](x)
        return gate[active] * out + gate[other] * beside


class ByWidth(nn.Module):
    """One of several modules, by the channels of what comes in."""

    def __init__(self, modules: dict[int, nn.Module]) -> None:
        super().__init__()
        self.by = nn.ModuleDict({str(width): module for width, module in modules.items()})

    def forward(self, x: Tensor) -> Tensor:
        return self.by[str(x.shape[1])](x)


class SuperBackbone(nn.Module):
    """Stem, pre-stage and pooling of ``like``, then a MixedEdge for each slot and each pair of channels."""

    def __init__(self, costs: Costs, like: StagedBackbone, side_px: int) -> None:
        super().__init__()
        space = costs.space
        self.channels = like.channels
        self.stem, self.prestage, self.pool = like.stem, like.prestage, like.pool
        self.edges = nn.ModuleDict(_edges(space, side_px))
        self._stages = costs.stages
        self._places = [costs.places(slot) for slot in range(len(costs.slots))]
        self.last: nn.Module = nn.Identity()
        if space.last_channels:
            lasts = {n: conv_bn(n, space.last_channels, 1, act=space.late) for n in space.stages[3].channels}
            self.last = ByWidth(lasts)
        self._active: Choice | None = None
        self._pairs: Pairs | None = None

    def take(self, path: Choice | Pairs) -> None:
        """From now on run this path, or the active one of these pairs with gradients for their gates."""
        self._pairs = path if isinstance(path, Pairs) else None
        self._active = path.active if isinstance(path, Pairs) else path

    def forward(self, x: Tensor) -> list[Tensor]:
        if self._active is None:
            raise ValueError("take: expected a path before the first forward")
        k, picked = self._active
        others = self._pairs.other[1] if self._pairs else (None,) * len(picked)
        gates = self._pairs.slot_gates if self._pairs else (None,) * len(picked)
        x = self.pool(self.prestage(self.stem(x)))
        features: list[Tensor] = []
        for slot, stage in enumerate(self._stages):
            before, own = (int(places[k]) for places in self._places[slot])
            x = self.edges[f"{slot}_{before}_{own}"](x, picked[slot], others[slot], gates[slot])
            if slot + 1 == len(picked) or self._stages[slot + 1] != stage:
                features.append(x)
        features[-1] = self.last(x)
        return features


def _edges(space: Space, side_px: int) -> dict[str, nn.Module]:
    """Edges by ``slot_before_own``: slots counted through all stages, then places in the menus of channels."""
    first = [sum(len(stage.slots) for stage in space.stages[:number]) for number in range(4)]
    paths: dict[str, dict[int, nn.Module]] = defaultdict(dict)
    for channels in space.widths():
        places = [stage.channels.index(width) for stage, width in zip(space.stages, channels, strict=True)]
        for stage, slot, candidate, entry in slot_entries(space, channels, side_px):
            before = places[stage - 1] if stage and slot == 0 else 0
            own = paths[f"{first[stage] + slot}_{before}_{places[stage]}"]
            if candidate in own:
                continue
            if entry is None:
                own[candidate] = nn.Identity()
            else:
                own[candidate] = build_block(entry.block, entry.channels_in, entry.activation, entry.shortcut)
    return {name: MixedEdge([own[i] for i in range(len(own))]) for name, own in paths.items()}


def supernet(costs: Costs, side_px: int | None = None) -> RetinaFace:
    """A RetinaFace with random weights that can be any net of the space; its ``backbone.take`` says which."""
    space = costs.space
    net = build(costs.architecture((0, (0,) * len(costs.slots))).spec())
    net.backbone = SuperBackbone(costs, net.backbone, space.side(side_px))
    levels, act = net.spec.level_channels, net.spec.activation
    for level, stage in enumerate(net.spec.pyramid_stages):
        after_last = stage == 4 and space.last_channels
        widths = (space.last_channels,) if after_last else space.stages[stage - 1].channels
        net.pyramid.lateral[level] = ByWidth({n: conv_bn(n, levels[level], 1, act=act) for n in widths if n})
    return net
