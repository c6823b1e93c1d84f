"""Costs as arrays agree with the table they are made of, whatever net is asked for."""

import numpy as np
import pytest

from ligera.errors import RecipeError
from ligera.search.costs import Costs, Target, make_costs
from ligera.search.picking import best_within, check_reachable, draw_within
from ligera.search.table import LatencyTable


def test_sums_are_those_of_the_table(costs: Costs, table: LatencyTable) -> None:
    random = np.random.default_rng(0)
    for _ in range(30):
        net = table.space.sample(random)
        choice = costs.choice(net)
        assert costs.architecture(choice) == net
        assert costs.amounts(choice)[0] == pytest.approx(table.latency_ms(net))


def test_a_weighted_pair_is_one_when_both_targets_are_met(table: LatencyTable) -> None:
    net = table.space.sample(np.random.default_rng(1))
    goals = [
        Target(attribute="latency_ms", target=table.latency_ms(net), weight=3.0),
        Target(attribute="macs", target=table.total(net, "macs")),
    ]
    pair = make_costs(table.space, table, goals)
    assert pair.relative(pair.choice(net)) == pytest.approx(1.0)
    assert pair.attributes == ("latency_ms", "macs")


def test_no_net_costs_less_or_more_than_the_extremes(costs: Costs) -> None:
    low, high = costs.extremes()
    every = [costs.relative((k, picked)) for k in range(len(costs.combinations)) for picked in _all(costs)]
    assert low == pytest.approx(min(every))
    assert high == pytest.approx(max(every))


def test_drawn_nets_lie_in_the_band_and_differ(costs: Costs) -> None:
    random = np.random.default_rng(2)
    drawn = [draw_within(costs, 0.9, 1.1, random) for _ in range(20)]
    assert all(0.9 <= costs.relative(choice) <= 1.1 for choice in drawn)
    assert len(set(drawn)) > 5


def test_the_best_net_of_a_band_is_what_trying_all_finds(costs: Costs) -> None:
    random = np.random.default_rng(3)
    widths = random.normal(size=len(costs.combinations))
    slots = [random.normal(size=(1, array.shape[2])) for array in costs.slots]

    def gain(choice):
        return widths[choice[0]] + sum(own[0, place] for own, place in zip(slots, choice[1], strict=True))

    nets = [(k, picked) for k in range(len(costs.combinations)) for picked in _all(costs)]
    inside = [net for net in nets if 0.95 <= costs.relative(net) <= 1.05]
    assert best_within(costs, widths, slots, 0.95, 1.05) == max(inside, key=gain)


def test_a_band_without_nets_has_no_best(costs: Costs) -> None:
    _, high = costs.extremes()
    slots = [np.zeros((1, array.shape[2])) for array in costs.slots]
    assert best_within(costs, np.zeros(len(costs.combinations)), slots, high * 1.01, high * 1.02) is None


def test_a_target_out_of_reach_says_what_there_is(table: LatencyTable) -> None:
    far = make_costs(table.space, table, [Target(attribute="latency_ms", target=1000.0)])
    with pytest.raises(RecipeError, match="times the target"):
        check_reachable(far, 0.97, 1.03)


def test_blocks_that_were_too_slow_to_measure_cost_more_than_any_target(table: LatencyTable) -> None:
    key = next(entry.key for entry in table.space.entries() if entry.part == "block")
    rows = {name: row for name, row in table.rows.items() if name != key}
    slow = table.model_copy(update={"rows": rows, "skipped": {key: "too slow"}})
    _, high = make_costs(slow.space, slow, [Target(attribute="latency_ms", target=1.0)]).extremes()
    assert high > table.settings.threshold_ms


def _all(costs: Costs):
    shape = tuple(array.shape[2] for array in costs.slots)
    return [tuple(int(i) for i in picked) for picked in np.ndindex(*shape)]
