"""With the weights of facenet-pytorch: the same faces as facenet-pytorch on real pictures."""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from ligera.data.pictures import read_picture
from ligera.deploy.cascade.stages import Cascade
from ligera.deploy.detector import Detector
from ligera.deploy.export.cascade import export_cascade
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.models.cascade import CascadeRule
from ligera.models.mtcnn_weights import mtcnn_from_facenet

from ..conftest import PEOPLE, REAL_DATA
from .cascades import card, opened

INSTALLED = importlib.util.find_spec("facenet_pytorch")
VAL = REAL_DATA / "faces" / "val" / "images"
needs_facenet = pytest.mark.skipif(
    INSTALLED is None, reason="facenet-pytorch, the original to compare with, is missing"
)
needs_pictures = pytest.mark.skipif(not VAL.is_dir(), reason="no real pictures: ../shared/data/faces/val is missing")


@pytest.fixture(scope="module")
def facenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All three networks with the weights of facenet-pytorch."""
    assert INSTALLED is not None
    assert INSTALLED.origin is not None
    path = tmp_path_factory.mktemp("cascade") / "facenet.onnx"
    export_cascade(mtcnn_from_facenet(Path(INSTALLED.origin).parent / "data"), card(), CascadeRule(), path)
    return path


@pytest.fixture
def original() -> Iterator[object]:
    """facenet-pytorch's detector, in one thread: torch's own wait for each other spinning, slow where others work."""
    from facenet_pytorch import MTCNN

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield MTCNN(keep_all=True, min_face_size=20, device="cpu")
    torch.set_num_threads(threads)


def differences(theirs: object, cascade: Cascade, pixels: np.ndarray) -> tuple[int, float, float, float]:
    """Faces, and the largest difference of boxes, scores and points; the same number of faces is asserted."""
    boxes, scores, points = theirs.detect(pixels, landmarks=True)  # type: ignore[attr-defined]
    (found,) = cascade.find([pixels])
    if boxes is None:
        assert len(found) == 0
        return 0, 0.0, 0.0, 0.0
    boxes, scores, points = (np.asarray(values, np.float32) for values in (boxes, scores, points))
    assert len(found) == len(boxes)
    match = np.abs(boxes[:, None] - found.boxes[None]).max(axis=2).argmin(axis=1)
    assert len(set(match)) == len(match)
    ours = found.take(match)
    pairs = ((boxes, ours.boxes), (scores, ours.scores), (points, ours.landmarks))
    box, score, point = (float(np.abs(a - b).max()) for a, b in pairs)
    return len(boxes), box, score, point


@needs_facenet
@needs_pictures
def test_faces_points_and_scores_are_those_of_facenet_pytorch_on_real_pictures(facenet: Path, original: object) -> None:
    cascade = Cascade(OnnxRuntime(facenet, threads=1), CascadeRule())
    pictures = sorted(VAL.rglob("*.jpg"), key=lambda path: (path.stat().st_size, path.name))[5:140:15]
    assert len(pictures) > 8
    faces = 0
    for path in pictures:
        count, box, score, point = differences(original, cascade, read_picture(path).pixels)
        faces += count
        assert box <= 1e-2, path.name
        assert point <= 1e-2, path.name
        assert score <= 1e-4, path.name
    assert faces > 20


@needs_facenet
def test_the_example_picture_has_the_faces_that_facenet_pytorch_finds(facenet: Path, original: object) -> None:
    pixels = read_picture(PEOPLE).pixels
    faces, box, score, point = differences(original, Cascade(OnnxRuntime(facenet, threads=1), CascadeRule()), pixels)
    assert faces >= 2
    assert max(box, point) <= 1e-2
    assert score <= 1e-4


@needs_facenet
def test_a_detector_around_it_answers_as_any_other(facenet: Path) -> None:
    with Detector(opened(facenet)) as detector:
        found = detector.detect(PEOPLE, score=0.9)
        assert detector.name == "mtcnn"
        assert len(found) >= 2
        assert (np.diff(found.scores) <= 0).all()
        rows = json.loads(json.dumps(found.rows()))
        assert len(rows[0]["landmarks"]) == 5
        assert len(detector.detect(PEOPLE, tile=200)) >= 2
