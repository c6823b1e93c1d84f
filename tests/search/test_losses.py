"""The three losses on a target: which way each pulls a net that is too slow, too fast or right."""

import pytest
import torch

from ligera.search.losses import KINDS, target_loss


def pull(relative: float, kind: str) -> tuple[float, float]:
    cost = torch.tensor(relative, requires_grad=True)
    loss = target_loss(cost, 7.0, kind)
    loss.backward()
    return float(loss.detach()), float(cost.grad)


@pytest.mark.parametrize("kind", KINDS)
def test_all_pull_a_slow_net_down(kind: str) -> None:
    assert pull(1.2, kind) == pytest.approx((1.4, 7.0))


def test_only_the_absolute_loss_pulls_a_fast_net_up() -> None:
    assert pull(0.8, "absolute") == pytest.approx((1.4, -7.0))
    assert pull(0.8, "one-sided") == (0.0, 0.0)
    assert pull(0.8, "signed") == pytest.approx((-1.4, 7.0))
