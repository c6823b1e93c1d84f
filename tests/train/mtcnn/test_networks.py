"""Networks as they are trained are those that ship, with a head more."""

import pytest
import torch

from ligera.models.mtcnn import ChannelSlopes, ONet, PNet, RNet
from ligera.train.mtcnn.networks import QuickSlopes, shipped, side_px_of, trained_net

NETS = {"p-net": PNet, "r-net": RNet, "o-net": ONet}


@pytest.mark.parametrize("name", NETS)
def test_a_trained_network_ships_as_the_cascades_own(name: str) -> None:
    torch.manual_seed(0)
    network = trained_net(name).eval()
    own = NETS[name]().eval()
    own.load_state_dict(shipped(network).state_dict())
    crops = torch.randn(3, 3, side_px_of(name), side_px_of(name))
    with torch.no_grad():
        answers, expected = network(crops), own(crops)
    assert answers.landmarks.shape == (3, 1, 10)
    torch.testing.assert_close(answers.boxes, expected.boxes)
    torch.testing.assert_close(answers.scores, expected.scores)
    if name == "o-net":
        torch.testing.assert_close(answers.landmarks, expected.landmarks)


@pytest.mark.parametrize("shape", [(4, 6, 5, 7), (4, 6)])
def test_quick_slopes_are_slopes_and_so_are_their_gradients(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    values = torch.randn(shape)
    grads = []
    for layer in (ChannelSlopes(6), QuickSlopes(6)):
        with torch.no_grad():
            layer.weight.copy_(torch.linspace(-0.5, 1.5, 6))
        entered = values.clone().requires_grad_()
        answer = layer(entered)
        (answer * torch.arange(answer.numel()).view(shape)).sum().backward()
        grads.append((answer.detach(), entered.grad, layer.weight.grad))
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other)


def test_an_untrained_network_says_nothing_yet() -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        raw = trained_net("o-net")(torch.randn(64, 3, 48, 48))
    assert raw.scores.softmax(2)[..., 1].sub(0.5).abs().max() < 0.45


@pytest.mark.parametrize("name", NETS)
def test_in_bfloat16_answers_and_gradients_are_nearly_the_same(name: str) -> None:
    torch.manual_seed(0)
    network = trained_net(name)
    crops = torch.randn(8, 3, side_px_of(name), side_px_of(name))
    answers = []
    for narrow in (False, True):
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            raw = network(crops)
        sum(part.float().square().sum() for part in raw).backward()
        first = next(network.parameters()).grad
        answers.append([*(part.detach().float() for part in raw), first])
    # on noise a pooling window's two largest values are often one in bfloat16, so another pixel gets the gradient
    for one, other, share in zip(*answers, (0.05, 0.05, 0.05, 0.25), strict=True):
        assert (one - other).norm() < share * one.norm()
