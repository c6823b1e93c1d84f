"""Which crop counts in which term, and how much."""

import numpy as np
import pytest
import torch

from ligera.models.retinaface import RawOutputs
from ligera.train.mtcnn.loading import LANDMARK, NEGATIVE, PART, POSITIVE, CropBatch
from ligera.train.mtcnn.losses import mtcnn_losses, term_counts
from ligera.train.mtcnn.recipe import TermWeights

WEIGHTS = TermWeights(classification=1.0, boxes=0.5, landmarks=1.0)
KINDS = [NEGATIVE, POSITIVE, PART, LANDMARK] * 5


def batch_of(kinds: list[int], boxes: float = 0.1, points: float = 0.5) -> CropBatch:
    count = len(kinds)
    known = torch.tensor(kinds)[:, None]
    nan = torch.tensor(float("nan"))
    return CropBatch(
        torch.zeros(count, 3, 12, 12),
        torch.tensor(kinds),
        torch.where(known == NEGATIVE, nan, torch.full((count, 4), boxes)),
        torch.where(known == LANDMARK, torch.full((count, 10), points), nan),
        torch.arange(count),
        torch.ones(count),
    )


def answers(count: int, seed: int = 0) -> RawOutputs:
    generator = torch.Generator().manual_seed(seed)
    return RawOutputs(*(torch.randn(count, 1, columns, generator=generator).requires_grad_() for columns in (4, 2, 10)))


def losses(raw: RawOutputs, batch: CropBatch, share: float = 0.7):
    return mtcnn_losses(raw, batch, term_counts(batch.kinds, share), WEIGHTS, share)


def test_each_kind_is_asked_only_what_it_has_a_label_for() -> None:
    raw, batch = answers(20), batch_of(KINDS)
    torch.stack(list(losses(raw, batch, 1.0).parts.values())).sum().backward()
    asked = [(part.grad[:, 0].abs().sum(1) > 0) for part in raw]
    assert torch.equal(asked[0], (batch.kinds == POSITIVE) | (batch.kinds == PART))
    assert torch.equal(asked[1], (batch.kinds == POSITIVE) | (batch.kinds == NEGATIVE))
    assert torch.equal(asked[2], batch.kinds == LANDMARK)


def test_the_terms_are_the_papers_sums_over_their_crops() -> None:
    raw, batch = answers(20), batch_of(KINDS)
    found = losses(raw, batch, 1.0).parts
    scores = raw.scores[:, 0].detach().log_softmax(1)
    judged = [-scores[i, int(k == POSITIVE)].item() for i, k in enumerate(KINDS) if k in (POSITIVE, NEGATIVE)]
    assert found["classification"].item() == pytest.approx(np.mean(judged), rel=1e-5)
    boxed = (batch.kinds == POSITIVE) | (batch.kinds == PART)
    assert found["boxes"].item() == pytest.approx(0.5 * (raw.boxes[boxed] - 0.1).square().sum().item() / 10, rel=1e-5)
    pointed = batch.kinds == LANDMARK
    assert found["landmarks"].item() == pytest.approx(
        (raw.landmarks[pointed] - 0.5).square().sum().item() / 5, rel=1e-5
    )


def test_only_the_hardest_part_of_positives_and_negatives_counts() -> None:
    raw, batch = answers(20), batch_of(KINDS)
    losses(raw, batch, 0.7).parts["classification"].backward()
    counted = raw.scores.grad[:, 0].abs().sum(1) > 0
    lost = torch.nn.functional.cross_entropy(raw.scores[:, 0], (batch.kinds == POSITIVE).long(), reduction="none")
    judged = (batch.kinds == POSITIVE) | (batch.kinds == NEGATIVE)
    assert counted.sum() == 7
    assert lost[counted].min() > lost[judged & ~counted].max()


def test_what_each_crop_lost_does_not_depend_on_how_hard_others_are() -> None:
    raw, batch = answers(20), batch_of(KINDS)
    assert torch.equal(losses(raw, batch, 0.1).per_sample, losses(raw, batch, 1.0).per_sample)
    assert (losses(raw, batch).per_sample > 0).all()


def test_unknown_coordinates_cost_nothing() -> None:
    raw, batch = answers(4), batch_of([LANDMARK] * 4)
    whole = losses(raw, batch).parts["landmarks"]
    batch.landmarks[:, 5:] = float("nan")
    half = losses(raw, batch).parts["landmarks"]
    assert half.item() == pytest.approx((raw.landmarks[:, 0, :5] - 0.5).square().sum().item() / 4, rel=1e-5)
    assert half < whole


@pytest.mark.parametrize("kind", [NEGATIVE, POSITIVE, PART, LANDMARK])
def test_a_batch_of_one_kind_alone_has_a_finite_loss_and_gradient_everywhere(kind: int) -> None:
    raw = answers(6)
    found = losses(raw, batch_of([kind] * 6))
    total = torch.stack(list(found.parts.values())).sum()
    total.backward()
    assert torch.isfinite(total)
    assert all(torch.isfinite(part.grad).all() for part in raw)


def test_shares_of_two_processes_add_up_to_the_whole_batch() -> None:
    raw, batch = answers(20), batch_of(KINDS)
    counts = term_counts(batch.kinds, 1.0)
    whole = mtcnn_losses(raw, batch, counts, WEIGHTS, 1.0).parts
    parts = []
    for rank in range(2):
        own = CropBatch(*(getattr(batch, name)[rank::2] for name in CropBatch.__slots__))
        parts.append(mtcnn_losses(RawOutputs(*(r[rank::2] for r in raw)), own, counts, WEIGHTS, 1.0).parts)
    for name, value in whole.items():
        assert value.item() == pytest.approx(sum(part[name].item() for part in parts), rel=1e-5)


def test_a_samplers_weights_multiply_what_a_crop_lost() -> None:
    raw, batch = answers(20), batch_of(KINDS)
    before = losses(raw, batch).parts
    batch.weights.fill_(2.0)
    after = losses(raw, batch).parts
    assert all(after[name].item() == pytest.approx(2 * before[name].item()) for name in before)
