"""A small annotated data set and a cascade of random networks, which proposes more than enough."""

import sys
from pathlib import Path

import pytest
import torch

from ligera.deploy.export.cascade import export_cascade
from ligera.models.cascade import CascadeRule
from ligera.models.mtcnn import PNet, RNet

from ..cascade.cascades import card
from .face_sets import write_faces

# Where the test of a cluster finds its nodes.
sys.path.insert(0, str(Path(__file__).parents[2] / "cluster"))


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces"), 16)


@pytest.fixture(scope="session")
def small_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("small"), 8)


@pytest.fixture(scope="session")
def cascade_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """P- and R-Net that know nothing, and so say yes to about half of everything."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("cascade") / "random.onnx"
    export_cascade([PNet().eval(), RNet().eval()], card(), CascadeRule(min_face_px=16), path)
    torch.set_num_threads(threads)
    return path
