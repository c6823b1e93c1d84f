import numpy as np
import pytest
import torch

from ligera.models import catalogue
from ligera.train.faces.calibration import fit_scores


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_a_known_distortion_of_scores_is_found() -> None:
    generator = np.random.default_rng(0)
    honest = generator.normal(0, 2, 20_000)
    right = generator.random(len(honest)) < sigmoid(honest)
    slope, offset = fit_scores(sigmoid((honest + 1.5) / 3), right)
    assert slope == pytest.approx(3, rel=0.1)
    assert offset == pytest.approx(-1.5, abs=0.15)


def test_too_little_evidence_changes_nothing() -> None:
    assert fit_scores(np.array([0.9, 0.1]), np.array([True, False])) == (1.0, 0.0)


def test_rescaled_heads_move_score_logits_and_nothing_else() -> None:
    torch.manual_seed(0)
    network = catalogue.build("face-small").eval()
    pictures = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        before = network(pictures)
        network.rescale_scores(2.0, -0.5)
        after = network(pictures)
    assert torch.allclose(after.scores, 2 * before.scores - 0.5, atol=1e-5)
    assert torch.equal(after.boxes, before.boxes)
    assert torch.equal(after.landmarks, before.landmarks)


def test_a_softmax_head_is_not_rescaled() -> None:
    with pytest.raises(ValueError, match="one score channel"):
        catalogue.build("RetinaFace-mobile0.25").rescale_scores(2.0, 0.0)
