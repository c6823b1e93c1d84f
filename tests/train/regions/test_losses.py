"""Losses page by page: torchvision's own for a batch of one, and each page's own in larger ones."""

import copy

import pytest
import torch

from ligera.models.maskrcnn import build_maskrcnn
from ligera.train.reading import parse_recipe
from ligera.train.regions.losses import PARTS, lose_by_page
from ligera.train.regions.task import RegionTask
from ligera.train.sampling import SampleKey


@pytest.fixture
def task(region_values: dict) -> RegionTask:
    return RegionTask(parse_recipe(region_values, "test"))


def one_batch(task: RegionTask, *rows: int, weights: tuple[float, ...] = (1.0, 1.0)):
    keys = [SampleKey(0, 0, place, row, weight) for place, (row, weight) in enumerate(zip(rows, weights, strict=False))]
    (batch,) = task.batches(None, [keys], torch.device("cpu"))
    return batch


def total(losses) -> float:
    return sum(float(part.detach()) for part in losses.parts.values())


def test_the_loss_of_one_page_is_torchvisions(task: RegionTask) -> None:
    torch.manual_seed(0)
    theirs = build_maskrcnn(task.spec).train()
    ours = lose_by_page(copy.deepcopy(theirs))
    batch = one_batch(task, 0)
    pixels = [page.float() / 255 for page in batch.pixels]
    lost = []
    for net in (theirs, ours):
        torch.manual_seed(1)
        lost.append(net(pixels, [dict(target) for target in batch.targets]))
    assert lost[0].keys() == lost[1].keys() == PARTS.keys()
    for name, value in lost[0].items():
        assert lost[1][name].shape == (1,)
        torch.testing.assert_close(lost[1][name][0], value)


def test_in_eval_the_network_answers_as_before(task: RegionTask) -> None:
    torch.manual_seed(0)
    theirs = build_maskrcnn(task.spec).eval()
    ours = lose_by_page(copy.deepcopy(theirs))
    page = [torch.rand(3, 96, 64)]
    with torch.inference_mode():
        before, after = theirs(page)[0], ours(page)[0]
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_parts_are_the_mean_over_pages_of_what_each_lost(task: RegionTask) -> None:
    torch.manual_seed(0)
    net, batch = task.network().train(), one_batch(task, 0, 1)
    losses = task.loss(net, batch, task.count(batch))
    assert losses.per_sample.shape == (2,)
    assert total(losses) == pytest.approx(float(losses.per_sample.mean()), rel=1e-5)
    assert losses.per_sample[0] != losses.per_sample[1]


def test_a_pages_weight_multiplies_its_loss(task: RegionTask) -> None:
    torch.manual_seed(0)
    net = task.network().train()
    # statistics of the batch would tie the pages together, but they move nothing within one step
    even, uneven = one_batch(task, 0, 1), one_batch(task, 0, 1, weights=(2.0, 0.0))
    plain = task.loss(net, even, task.count(even))
    weighed = task.loss(net, uneven, task.count(uneven))
    torch.testing.assert_close(plain.per_sample, weighed.per_sample)
    assert total(weighed) == pytest.approx(float(plain.per_sample[0]), rel=1e-5)


def test_the_same_batch_draws_the_same_anchors_whatever_was_drawn_before(task: RegionTask) -> None:
    torch.manual_seed(0)
    net, batch = task.network().train(), one_batch(task, 0, 1)
    first = task.loss(net, batch, task.count(batch)).per_sample
    torch.rand(11)
    before = torch.get_rng_state()
    assert torch.equal(task.loss(net, batch, task.count(batch)).per_sample, first)
    assert torch.equal(torch.get_rng_state(), before)
