from dataclasses import replace

import numpy as np
import pytest
import torch

from ligera.models.decode import decode_boxes as decode_in_numpy
from ligera.models.decode import decode_landmarks
from ligera.train.faces.losses import (
    FaceBatch,
    decode_boxes,
    encode_boxes,
    encode_landmarks,
    multibox_loss,
    quality_loss,
)

VARIANCES = (0.1, 0.2)


def priors(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 4, generator=generator) * 50 + torch.tensor([50.0, 50, 20, 20])


def a_batch() -> tuple[FaceBatch, torch.Tensor]:
    where = priors(40)
    matched = torch.full((2, 40), -1)
    matched[0, 3], matched[1, 7], matched[1, 8] = 0, 1, 1
    faces = torch.tensor([[40.0, 40, 90, 100], [60.0, 55, 100, 99]])
    points = torch.full((2, 10), float("nan"))
    points[0] = torch.arange(10) * 5 + 40.0
    return FaceBatch(torch.zeros(2, 3, 8, 8), matched, faces, points, torch.arange(2), torch.ones(2)), where


def test_encoding_is_undone_by_both_decodings() -> None:
    where, faces = priors(30), torch.rand(30, 4).cumsum(1) * 40
    encoded = encode_boxes(faces, where, VARIANCES)
    assert torch.allclose(decode_boxes(encoded, where, VARIANCES), faces, atol=1e-3)
    assert np.allclose(decode_in_numpy(encoded.numpy(), where.numpy(), VARIANCES), faces.numpy(), atol=1e-3)
    points = torch.rand(30, 10) * 100
    back = decode_landmarks(encode_landmarks(points, where, VARIANCES).numpy(), where.numpy(), VARIANCES)
    assert np.allclose(back.reshape(30, 10), points.numpy(), atol=1e-3)


@pytest.mark.parametrize(("loss", "channels"), [(quality_loss, 1), (multibox_loss, 2)])
def test_a_perfect_answer_costs_almost_nothing_and_a_wrong_one_much(loss, channels: int) -> None:
    batch, where = a_batch()
    positive = batch.matched >= 0
    spread = where.expand(2, -1, -1)
    boxes, landmarks = torch.zeros(2, 40, 4), torch.zeros(2, 40, 10)
    face = batch.matched[positive]
    boxes[positive] = encode_boxes(batch.faces[face], spread[positive], VARIANCES)
    landmarks[positive] = encode_landmarks(batch.landmarks[face].nan_to_num(), spread[positive], VARIANCES)
    scores = torch.zeros(2, 40, channels)
    scores[..., -1] = torch.where(positive, 20.0, -20.0)
    three = torch.tensor(3.0)
    right = sum(loss((boxes, scores, landmarks), batch, where, VARIANCES, three).parts.values())
    wrong = sum(loss((boxes + 3, -scores, landmarks + 3), batch, where, VARIANCES, three).parts.values())
    assert right < 1e-3
    assert wrong > 1


@pytest.mark.parametrize(("loss", "channels"), [(quality_loss, 1), (multibox_loss, 2)])
def test_a_batch_without_faces_has_a_finite_loss_and_gradient(loss, channels: int) -> None:
    nothing = torch.zeros(0, 4), torch.zeros(0, 10), torch.zeros(1, dtype=torch.int64), torch.ones(1)
    batch = FaceBatch(torch.zeros(1, 3, 8, 8), torch.full((1, 40), -1), *nothing)
    raw = tuple(torch.randn(1, 40, width, requires_grad=True) for width in (4, channels, 10))
    total = sum(loss(raw, batch, priors(40), VARIANCES, torch.tensor(1.0)).parts.values())
    total.backward()
    assert torch.isfinite(total)
    assert torch.isfinite(raw[1].grad).all()


@pytest.mark.parametrize(("loss", "channels"), [(quality_loss, 1), (multibox_loss, 2)])
def test_priors_in_ignore_regions_get_no_gradient(loss, channels: int) -> None:
    batch, where = a_batch()
    batch.matched[:, 20:] = -2
    raw = tuple(torch.randn(2, 40, width, requires_grad=True) for width in (4, channels, 10))
    sum(loss(raw, batch, where, VARIANCES, torch.tensor(3.0)).parts.values()).backward()
    assert raw[1].grad[:, 20:].abs().sum() == 0
    assert raw[1].grad[:, :20].abs().sum() > 0


@pytest.mark.parametrize(("loss", "channels"), [(quality_loss, 1), (multibox_loss, 2)])
def test_a_picture_s_weight_multiplies_its_own_part_of_the_loss_alone(loss, channels: int) -> None:
    batch, where = a_batch()
    raw = tuple(torch.randn(2, 40, width, requires_grad=True) for width in (4, channels, 10))

    def gradient(*weights: float) -> torch.Tensor:
        weighted = replace(batch, weights=torch.tensor(weights))
        total = sum(loss(raw, weighted, where, VARIANCES, torch.tensor(3.0)).parts.values())
        return torch.autograd.grad(total, raw[1])[0]

    even, uneven = gradient(1, 1), gradient(1, 2)
    assert torch.allclose(uneven[0], even[0])
    assert torch.allclose(uneven[1], 2 * even[1])


@pytest.mark.parametrize(("loss", "channels"), [(quality_loss, 1), (multibox_loss, 2)])
def test_what_each_picture_lost_adds_up_to_the_loss(loss, channels: int) -> None:
    batch, where = a_batch()
    raw = tuple(torch.randn(2, 40, width) for width in (4, channels, 10))
    losses = loss(raw, batch, where, VARIANCES, torch.tensor(3.0))
    positives = (batch.matched >= 0).sum(dim=1)
    assert losses.per_sample.shape == (2,)
    assert torch.allclose((losses.per_sample * positives).sum() / 3, sum(losses.parts.values()), rtol=1e-5)
