"""Which bundle is meant, whom it knows, and what it says of a face in a frame."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ligera.deploy.enrolling.alignment import POINTS
from ligera.deploy.enrolling.squares import face_square, square_around
from ligera.deploy.watching.recognizer import Recognizer, find_bundle
from ligera.errors import ModelError, UsageError

from ..conftest import CELL_PX
from .coloured import ANN, OTHER, frame, metadata_without_faces, write_recognizer_of_colours


def box(column: int, row: int) -> np.ndarray:
    return np.array([column, row, column + 1, row + 1]) * CELL_PX


def test_the_face_in_each_box_is_told_from_others(ann: Path) -> None:
    recognizer = Recognizer.load(ann)
    logits = recognizer.look(frame({(1, 1): ANN, (3, 1): OTHER}), [box(1, 1), box(3, 1)])
    recognizer.close()
    assert logits.shape == (2, 1) and logits[0, 0] > 3 and logits[1, 0] < -3
    assert recognizer.persons == ("ann",) and recognizer.wanted == {"ann"}


def test_a_bundle_that_learnt_upright_faces_is_shown_upright_faces(ann: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recognizer = Recognizer.load(ann)
    recognizer.rule = replace(recognizer.rule, alignment="landmarks")
    shown: list[np.ndarray] = []
    monkeypatch.setattr(
        recognizer._classifier, "logits", lambda squares: shown.extend(squares) or iter([np.zeros((2, 2))])
    )
    pixels, place = (
        np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8),
        np.array([50.0, 50.0, 130.0, 130.0]),
    )
    turn = np.array([[0.94, -0.34], [0.34, 0.94]])
    points = (90 + 80 * POINTS @ turn.T).astype(np.float32)
    recognizer.look(pixels, [place, place], [points, None])
    side = len(shown[0])
    assert np.array_equal(shown[0], face_square(pixels, place, points, side, recognizer.rule))
    assert np.array_equal(shown[1], square_around(pixels, place, side, recognizer.rule.margin))
    assert not np.array_equal(*shown)
    recognizer.close()


def test_only_those_asked_for_are_wanted(bundle: Path, tmp_path: Path) -> None:
    both = write_recognizer_of_colours(tmp_path / "both.onnx", str(bundle), ("ann", "grün"))
    assert Recognizer.load(both, ["grün"]).wanted == {"grün"}
    assert Recognizer.load(both).wanted == {"ann", "grün"}
    # as a file that holds several people is called by none of their names
    assert Recognizer.load(both, ["both"]).wanted == {"ann", "grün"}


def test_a_name_that_is_not_in_the_bundle_gets_the_nearest_one(ann: Path) -> None:
    with pytest.raises(UsageError, match=r"--who anne: not in .*ann\.onnx; did you mean 'ann'\?; it knows ann"):
        Recognizer.load(ann, ["anne"])


def test_a_bundle_of_another_task_is_refused_with_its_verb(bundle: Path) -> None:
    with pytest.raises(ModelError, match=r"is a face detector, which runs with `ligera detect`"):
        Recognizer.load(bundle)


def test_a_classifier_that_knows_no_faces_is_refused(ann: Path, tmp_path: Path) -> None:
    plain = metadata_without_faces(ann, tmp_path / "plain.onnx")
    with pytest.raises(ModelError, match=r"knows no faces; make one with `ligera enroll`"):
        Recognizer.load(plain)


def test_a_person_is_looked_for_in_the_bundle_of_that_name_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ann.onnx").touch()
    assert find_bundle(["ann"], None) == (Path("ann.onnx"), ("ann",))
    assert find_bundle(["ann"], Path("other.onnx")) == (Path("other.onnx"), ("ann",))
    assert find_bundle(["some/where/bob.onnx"], None) == (Path("some/where/bob.onnx"), ())
    assert find_bundle([], None) == (None, ())


@pytest.mark.parametrize(("name", "hint"), [("anna", "; did you mean 'ann'?"), ("../ann", ""), ("", "")])
def test_a_person_without_a_bundle_here_gets_the_nearest_one_and_how_to_enroll(
    name: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ann.onnx").touch()
    with pytest.raises(UsageError) as caught:
        find_bundle([name], None)
    assert f"no {name}.onnx here{hint}" in str(caught.value) and "ligera enroll" in str(caught.value)
