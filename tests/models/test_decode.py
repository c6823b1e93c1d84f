import numpy as np
import pytest
import torch
from torchvision.ops import nms

from ligera.models.decode import decode
from ligera.models.priors import prior_boxes
from ligera.records import Decoding, Detections, PriorSpec

SPEC = PriorSpec((4, 8), ((8,), (16, 32)))
SIZE = (64, 96)


def raw_outputs(seed: int, channels: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    count = len(prior_boxes(*SIZE, SPEC))
    return {
        "boxes": generator.normal(size=(count, 4)).astype(np.float32),
        "scores": generator.normal(size=(count, channels)).astype(np.float32),
        "landmarks": generator.normal(size=(count, 10)).astype(np.float32),
    }


def found(raw: dict[str, np.ndarray], **changes: object) -> Detections:
    channels = raw["scores"].shape[1]
    rule = Decoding(SPEC, activation="softmax" if channels == 2 else "sigmoid", **changes)
    return decode(raw, rule, input_size=SIZE, scale=np.array([0.5, 0.25]), original_size=(256, 192))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_decoding_agrees_with_a_plain_torch_version(seed: int, channels: int) -> None:
    raw = {name: torch.from_numpy(value) for name, value in raw_outputs(seed, channels).items()}
    priors = torch.from_numpy(prior_boxes(*SIZE, SPEC).copy())
    scores = raw["scores"].softmax(1)[:, 1] if channels == 2 else raw["scores"][:, 0].sigmoid()
    centre = priors[:, :2] + raw["boxes"][:, :2] * 0.1 * priors[:, 2:]
    side = priors[:, 2:] * (raw["boxes"][:, 2:] * 0.2).exp()
    boxes = torch.cat([centre - side / 2, centre + side / 2], 1) / torch.tensor([0.5, 0.25, 0.5, 0.25])
    boxes = boxes.clamp(min=0).minimum(torch.tensor([192.0, 256, 192, 256]))
    points = (priors[:, None, :2] + raw["landmarks"].view(-1, 5, 2) * 0.1 * priors[:, None, 2:]) / torch.tensor(
        [0.5, 0.25]
    )
    rows = torch.nonzero(scores > 0.6)[:, 0]
    kept = rows[nms(boxes[rows], scores[rows], 0.4)]
    ours = found({name: value.numpy() for name, value in raw.items()}, score_threshold=0.6)
    assert np.allclose(ours.scores, scores[kept].numpy(), atol=1e-6)
    assert np.allclose(ours.boxes, boxes[kept].numpy(), atol=1e-3)
    assert np.allclose(ours.landmarks, points[kept].numpy(), atol=1e-3)


def test_scores_fall_and_limits_hold() -> None:
    detections = found(raw_outputs(0, 1), score_threshold=0.0, max_candidates=200, max_detections=7)
    assert len(detections) == 7
    assert (np.diff(detections.scores) <= 0).all()


@pytest.mark.parametrize(("threshold", "some"), [(0.0, True), (1.0, False)])
def test_extreme_thresholds_keep_all_or_nothing(threshold: float, some: bool) -> None:
    assert bool(len(found(raw_outputs(1, 2), score_threshold=threshold))) is some


def test_exploding_side_lengths_stay_finite() -> None:
    raw = raw_outputs(2, 1)
    raw["boxes"][:] = 1e4
    assert np.isfinite(found(raw, score_threshold=0.1).boxes).all()


def test_outputs_of_another_input_size_are_refused() -> None:
    raw = {name: value[:-1] for name, value in raw_outputs(0, 1).items()}
    with pytest.raises(ValueError, match=r"expected .* rows"):
        found(raw)
