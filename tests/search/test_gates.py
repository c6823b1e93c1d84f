"""Gates draw what they say they draw, and their gradient is the two-path one."""

import numpy as np
import pytest
import torch

from ligera.search.costs import Costs
from ligera.search.gates import Gates, GateSteps


@pytest.fixture
def gates(costs: Costs) -> Gates:
    torch.manual_seed(0)
    made = Gates(costs)
    with torch.no_grad():
        for weights in made.parameters():
            weights.normal_()
    return made


def test_paths_are_drawn_as_often_as_their_probability_says(gates: Gates) -> None:
    random = np.random.default_rng(0)
    drawn = [gates.draw(random) for _ in range(2000)]
    widths, slots = gates.probabilities()
    seen = np.bincount([k for k, _ in drawn], minlength=len(widths)) / len(drawn)
    assert np.allclose(seen, widths.detach().numpy(), atol=0.04)
    seen = np.bincount([picked[2] for _, picked in drawn], minlength=len(slots[2])) / len(drawn)
    assert np.allclose(seen, slots[2].detach().numpy(), atol=0.04)


def test_a_pair_is_two_paths_one_of_them_open(gates: Gates) -> None:
    random = np.random.default_rng(1)
    for _ in range(20):
        pairs = gates.pairs(random)
        for slot, gate in enumerate(pairs.slot_gates):
            active, other = pairs.active[1][slot], pairs.other[1][slot]
            assert gate[active] == 1
            assert gate.detach().sum() == 1
            assert (active != other) == (len(gate) > 1)
        assert pairs.active[0] != pairs.other[0]
        assert pairs.width_gate[pairs.active[0]] == 1


def test_the_gradient_of_a_pair_is_the_product_of_its_probabilities_times_what_it_gains(gates: Gates) -> None:
    pairs = gates.pairs(np.random.default_rng(2))
    slot = next(i for i, gate in enumerate(pairs.slot_gates) if len(gate) == 3)
    active, other = pairs.active[1][slot], pairs.other[1][slot]
    gained = {active: 2.0, other: 5.0}
    loss = sum(gain * pairs.slot_gates[slot][path] for path, gain in gained.items())
    (grad,) = torch.autograd.grad(loss, [gates.slots[slot]])
    share = gates.slots[slot].detach()[[active, other]].softmax(0)
    expected = torch.zeros(3)
    expected[active] = share[0] * share[1] * (2.0 - 5.0)
    expected[other] = -expected[active]
    assert torch.allclose(grad, expected)


def test_the_expected_amount_is_the_mean_over_drawn_nets(gates: Gates, costs: Costs) -> None:
    random = np.random.default_rng(3)
    drawn = [costs.amounts(gates.draw(random))[0] for _ in range(3000)]
    expected = float(gates.amounts(*gates.probabilities()).detach()[0])
    assert expected == pytest.approx(np.mean(drawn), rel=0.02)


def test_the_amount_of_the_active_gates_is_that_of_the_active_net(gates: Gates, costs: Costs) -> None:
    pairs = gates.pairs(np.random.default_rng(4))
    active = gates.amounts(pairs.width_gate, pairs.slot_gates)
    assert float(active.detach()[0]) == pytest.approx(costs.amounts(pairs.active)[0], rel=1e-5)


def test_every_gate_learns_from_its_expected_amount(gates: Gates) -> None:
    gates.amounts(*gates.probabilities()).sum().backward()
    for weights in gates.parameters():
        assert torch.isfinite(weights.grad).all()
        assert (float(weights.grad.abs().max()) > 1e-6) == (len(weights) > 1)


def test_entropy_is_one_undecided_and_nothing_decided(costs: Costs) -> None:
    gates = Gates(costs)
    assert gates.entropy() == pytest.approx(1.0)
    with torch.no_grad():
        for weights in gates.parameters():
            weights[0] = 50.0
    assert gates.entropy() == pytest.approx(0.0, abs=1e-6)


def test_steps_scale_a_gate_as_a_whole() -> None:
    weights = torch.nn.Parameter(torch.zeros(2))
    steps = GateSteps([weights], lr=0.1)
    weights.grad = torch.tensor([3.0, 4.0])
    steps.step()
    scale = (25.0 / 2) ** 0.5
    assert torch.allclose(weights.detach(), -0.1 * torch.tensor([3.0, 4.0]) / scale)
    weights.grad = torch.zeros(2)
    before = weights.detach().clone()
    steps.step()
    assert torch.equal(weights.detach(), before)
