import numpy as np
import pytest

from ligera.boxes import iou
from ligera.models.priors import prior_boxes
from ligera.records import PriorSpec
from ligera.train.faces.matching import BACKGROUND, NEITHER, corners, leave_out, match_adaptive, match_by_iou

OURS = PriorSpec((4, 8, 16, 32), ((8,), (24,), (64,), (192,)))
PAPERS = PriorSpec()
SIZE = (256, 256)


def random_faces(generator: np.random.Generator, count: int) -> np.ndarray:
    sides = np.exp(generator.uniform(np.log(4), np.log(200), (count, 1)))
    centre = generator.uniform(10, 246, (count, 2))
    return np.clip(np.concatenate([centre - sides / 2, centre + sides / 2], axis=1), 0, 256).astype(np.float32)


@pytest.mark.parametrize("seed", range(20))
def test_every_lone_face_has_a_prior_under_the_adaptive_rule(seed: int) -> None:
    face = random_faces(np.random.default_rng(seed), 1)
    matched = match_adaptive(prior_boxes(*SIZE, OURS), face, OURS, SIZE)
    assert (matched == 0).any()


@pytest.mark.parametrize("seed", range(5))
def test_adaptive_positives_lie_around_their_face_s_centre(seed: int) -> None:
    faces = random_faces(np.random.default_rng(seed), 12)
    priors = prior_boxes(*SIZE, OURS)
    matched = match_adaptive(priors, faces, OURS, SIZE)
    for prior, face in zip(priors[matched >= 0], faces[matched[matched >= 0]], strict=True):
        assert np.abs(prior[:2] - (face[:2] + face[2:]) / 2).max() <= 48


@pytest.mark.parametrize("seed", range(5))
def test_the_iou_rule_is_retinaface_s(seed: int) -> None:
    faces = random_faces(np.random.default_rng(seed), 6)
    priors = prior_boxes(*SIZE, PAPERS)
    overlap = iou(corners(priors), faces)
    matched = match_by_iou(priors, faces)
    clear = overlap.max(axis=1) >= 0.35
    assert (matched[clear] >= 0).all()
    for face in range(len(faces)):
        if overlap[:, face].max() >= 0.2:
            assert matched[overlap[:, face].argmax()] >= 0
    others = (matched >= 0) & ~clear
    assert others.sum() <= len(faces)


def test_no_face_means_background_everywhere() -> None:
    none = np.zeros((0, 4), np.float32)
    priors = prior_boxes(*SIZE, OURS)
    assert (match_adaptive(priors, none, OURS, SIZE) == BACKGROUND).all()
    assert (match_by_iou(priors, none) == BACKGROUND).all()


def test_ignore_regions_teach_nothing_but_do_not_undo_a_face() -> None:
    face = np.array([[100, 100, 140, 140]], np.float32)
    priors = prior_boxes(*SIZE, OURS)
    matched = match_adaptive(priors, face, OURS, SIZE)
    left_out = leave_out(matched, np.array([[80, 80, 160, 160]], np.float32), OURS, SIZE)
    inside = (np.abs(priors[:, :2] - 120) <= 40).all(axis=1)
    assert (left_out[inside & (matched == BACKGROUND)] == NEITHER).all()
    assert np.array_equal(left_out[matched >= 0], matched[matched >= 0])
    assert (left_out[~inside] != NEITHER).all()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("spec", [OURS, PAPERS])
def test_leaving_out_by_cells_is_leaving_out_by_centres(seed: int, spec: PriorSpec) -> None:
    regions = random_faces(np.random.default_rng(seed), 20) + np.float32([-9, -3, 9, 3])
    priors = prior_boxes(*SIZE, spec)
    x, y = priors[:, 0, None], priors[:, 1, None]
    covered = (x >= regions[:, 0]) & (x <= regions[:, 2]) & (y >= regions[:, 1]) & (y <= regions[:, 3])
    background = np.full(len(priors), BACKGROUND)
    assert np.array_equal(leave_out(background, regions, spec, SIZE) == NEITHER, covered.any(axis=1))
