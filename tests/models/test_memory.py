"""Memory of training, predicted on the meta device and held against a real step's tensors."""

from dataclasses import replace

import pytest
import torch

from ligera.models.layout_catalogue import LAYOUT_DETECTORS
from ligera.models.layout_specs import VoVNetSpec
from ligera.models.maskrcnn import build_maskrcnn
from ligera.models.memory import Ledger, predict_training_memory

SPEC = replace(
    LAYOUT_DETECTORS["layout-small"].resized(192),
    backbone=VoVNetSpec((1, 1, 1, 1), 2, (8, 8, 16), (16, 16, 16, 16), (16, 24, 32, 40)),
    pyramid_channels=16,
    box_channels=32,
    mask_channels=16,
    box_samples=64,
)


def test_a_ledger_counts_what_is_alive_and_remembers_the_most():
    with Ledger() as ledger:
        kept = torch.zeros(1000, dtype=torch.float32)
        view = kept[10:]
        passing = torch.zeros(500, dtype=torch.float64)
        del passing
    assert (ledger.live, ledger.peak) == (4000, 8000)
    del kept
    assert ledger.live == 4000
    del view
    assert ledger.live == 0


def test_a_ledger_sees_what_autograd_keeps():
    x = torch.ones(1000, requires_grad=True)
    with Ledger() as ledger:
        y = x.exp()
        z = y.sum()
        del y
    assert ledger.live == 4000 + 4
    z.backward()
    del z
    assert ledger.live == 0


def step_peak_bytes(size, batch, regions):
    """What the tensors of a real training step take at most. Many regions alike fill the heads to their bound."""
    torch.manual_seed(0)
    net = build_maskrcnn(SPEC).train()
    height, width = size
    corners = torch.rand(regions, 2) * torch.tensor([width * 0.5, height * 0.8])
    boxes = torch.cat([corners, corners + torch.tensor([width * 0.4, height * 0.1])], dim=1)
    with Ledger() as ledger:
        pages = [torch.rand(3, *size) for _ in range(batch)]
        targets = [
            {
                "boxes": boxes.clone(),
                "labels": torch.ones(regions, dtype=torch.int64),
                "masks": torch.ones(regions, *size, dtype=torch.uint8),
            }
            for _ in range(batch)
        ]
        sum(net(pages, targets).values()).backward()
    return ledger.peak


@pytest.mark.parametrize(("size", "batch"), [((192, 128), 1), ((192, 128), 3), ((96, 192), 2)])
def test_the_prediction_is_within_an_eighth_of_a_real_steps_tensors(size, batch):
    predicted = predict_training_memory(SPEC, size, batch, regions=30)
    assert predicted.step_mb * 1e6 == pytest.approx(step_peak_bytes(size, batch, 30), rel=0.125)


def test_predicting_a_step_of_terabytes_takes_no_memory():
    huge = predict_training_memory(LAYOUT_DETECTORS["VoVNet-19-lite"], (8192, 8192), 64)
    assert huge.total_mb > 1e6


def test_memory_grows_with_the_page_and_the_batch():
    small = predict_training_memory(SPEC, (192, 128), 1)
    wide = predict_training_memory(SPEC, (192, 256), 1)
    two = predict_training_memory(SPEC, (192, 128), 2)
    assert small.step_mb < wide.step_mb < 2.2 * small.step_mb
    # matching and drawing masks take one page after the other, so that two pages cost less than twice as much
    assert small.step_mb < two.step_mb < 2 * small.step_mb
    assert small.weights_mb == two.weights_mb


def test_an_optimizer_that_keeps_two_numbers_for_each_weight_costs_one_more_copy():
    sgd = predict_training_memory(SPEC, (96, 96), 1)
    adam = predict_training_memory(SPEC, (96, 96), 1, optimizer_copies=2)
    assert adam.total_mb - sgd.total_mb == pytest.approx(sgd.optimizer_mb)


def test_a_size_is_padded_as_the_network_pads_it():
    assert predict_training_memory(SPEC, (100, 70), 1).input_size == (128, 96)


@pytest.mark.parametrize(("size", "batch"), [((0, 96), 1), ((96, 96), 0)])
def test_a_batch_or_page_of_nothing_is_refused(size, batch):
    with pytest.raises(ValueError, match="at least 1"):
        predict_training_memory(SPEC, size, batch)
