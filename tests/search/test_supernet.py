"""The super-net is, path by path, the net that its architecture says."""

import numpy as np
import pytest
import torch

from ligera.models.backbones.staged import StagedBackbone
from ligera.models.catalogue import build
from ligera.models.retinaface import RetinaFace
from ligera.search.costs import Costs, Target, make_costs
from ligera.search.estimate import estimated_table
from ligera.search.gates import Gates
from ligera.search.space import parse_space
from ligera.search.supernet import MixedEdge, supernet

from .searches import MINI


@pytest.fixture(scope="module")
def net(costs: Costs) -> RetinaFace:
    torch.manual_seed(0)
    return supernet(costs)


def blocks_in(backbone: StagedBackbone) -> list[torch.nn.Module]:
    """Blocks in the order they are run, without those that do nothing."""
    return [block for stage in backbone.stages for block in stage if not isinstance(block, torch.nn.Identity)]


def test_each_path_computes_what_the_net_it_stands_for_computes(net: RetinaFace, costs: Costs) -> None:
    random, pictures = np.random.default_rng(0), torch.randn(2, 3, 64, 64)
    for _ in range(5):
        net_of = costs.choice(costs.space.sample(random))
        alone = build(costs.architecture(net_of).spec())
        k, picked = net_of
        net.backbone.take(net_of)
        taken = [
            net.backbone.edges[f"{slot}_{costs.places(slot)[0][k]}_{costs.places(slot)[1][k]}"].paths[place]
            for slot, place in enumerate(picked)
        ]
        kept = [block for block in taken if not isinstance(block, torch.nn.Identity)]
        for own, other in zip(blocks_in(alone.backbone), kept, strict=True):
            own.load_state_dict(other.state_dict())
        alone.backbone.stem.load_state_dict(net.backbone.stem.state_dict())
        for own, other, stage in zip(alone.pyramid.lateral, net.pyramid.lateral, range(4), strict=True):
            own.load_state_dict(other.by[str(alone.backbone.channels[stage])].state_dict())
        alone.pyramid.merge.load_state_dict(net.pyramid.merge.state_dict())
        alone.context.load_state_dict(net.context.state_dict())
        alone.heads.load_state_dict(net.heads.state_dict())
        with torch.no_grad():
            for one, other in zip(alone.eval()(pictures), net.eval()(pictures), strict=True):
                assert torch.equal(one, other)


def test_in_a_weight_step_only_the_active_path_learns(net: RetinaFace, costs: Costs) -> None:
    choice = costs.choice(costs.space.sample(np.random.default_rng(1)))
    net.train().zero_grad(set_to_none=True)
    net.backbone.take(choice)
    net(torch.randn(2, 3, 64, 64)).scores.sum().backward()
    for slot, place in enumerate(choice[1]):
        before, own = (int(places[choice[0]]) for places in costs.places(slot))
        for name, edge in net.backbone.edges.items():
            for number, path in enumerate(edge.paths):
                if name.startswith(f"{slot}_"):
                    active = name == f"{slot}_{before}_{own}" and number == place
                    assert all((weights.grad is not None) == active for weights in path.parameters())


def test_a_step_of_two_paths_computes_the_active_one_and_tells_both_gates(net: RetinaFace, costs: Costs) -> None:
    gates = Gates(costs)
    pairs = gates.pairs(np.random.default_rng(2))
    pictures = torch.randn(2, 3, 64, 64)
    net.eval()
    net.backbone.take(pairs)
    both = net(pictures).scores
    net.backbone.take(pairs.active)
    assert torch.allclose(both, net(pictures).scores, atol=1e-6)
    grads = torch.autograd.grad(both.square().sum(), list(gates.slots), allow_unused=True)
    for weights, grad in zip(gates.slots, grads, strict=True):
        if len(weights) > 1:
            assert grad is not None
            assert bool(grad.abs().sum() > 0)
            assert float(grad.sum()) == pytest.approx(0, abs=1e-4 * float(grad.abs().sum()))


def test_the_path_not_taken_keeps_nothing_for_its_weights() -> None:
    edge = MixedEdge([torch.nn.Conv2d(3, 3, 1), torch.nn.Conv2d(3, 3, 1)])
    gate = torch.tensor([1.0, 0.0], requires_grad=True)
    x = torch.randn(1, 3, 4, 4)
    edge(x, 0, 1, gate).sum().backward()
    assert edge.paths[0].weight.grad is not None
    assert edge.paths[1].weight.grad is None
    with torch.no_grad():
        expected = torch.stack([edge.paths[0](x).sum(), edge.paths[1](x).sum()])
    assert torch.allclose(gate.grad, expected, atol=1e-5)


def test_a_last_convolution_max_pooling_and_a_jump_too_wide_are_no_obstacle() -> None:
    wide = {**MINI, "name": "wide", "maxpool": True, "last_channels": 12, "prestage": ["3x3_KKConv_Mid_4"]}
    wide |= {"shortcut": "conv", "most_jump": 2.0}
    space = parse_space(wide, "wide")
    table = estimated_table(space)
    costs = make_costs(space, table, [Target(attribute="latency_ms", target=1.0)])
    net = supernet(costs).eval()
    random, gates = np.random.default_rng(3), Gates(costs)
    for _ in range(5):
        choice = gates.draw(random)
        assert space.jump(costs.architecture(choice).channels) is None
        net.backbone.take(choice)
        with torch.no_grad():
            assert torch.isfinite(net(torch.randn(1, 3, 64, 64)).boxes).all()
        assert costs.amounts(choice)[0] == pytest.approx(table.latency_ms(costs.architecture(choice)))
    gates.amounts(*gates.probabilities()).sum().backward()
    assert all(torch.isfinite(weights.grad).all() for weights in gates.parameters())


def test_a_net_without_a_path_says_what_is_missing(costs: Costs) -> None:
    with pytest.raises(ValueError, match="expected a path"):
        supernet(costs)(torch.zeros(1, 3, 64, 64))
