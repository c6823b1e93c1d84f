"""Two networks as bundles: one that knows nothing and one that knows a drawn page."""

from pathlib import Path

import pytest
import torch

from ligera.deploy.export.layout import card_of, export_layout

from .pages import LABELS, random_net, trained_net


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def random_pair(tmp_path_factory):
    """A network with random weights and its bundle."""
    return _pair(random_net(), tmp_path_factory.mktemp("random") / "layout.onnx")


@pytest.fixture(scope="session")
def trained_pair(tmp_path_factory):
    """A network that learnt the drawn page and its bundle."""
    return _pair(trained_net(), tmp_path_factory.mktemp("trained") / "layout.onnx")


def _pair(net, path: Path):
    export_layout(net, card_of(net.spec, "pages", LABELS), path)
    return net, path
