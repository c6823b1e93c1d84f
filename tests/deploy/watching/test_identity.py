"""One look is enough where it is clear; more are taken where it is not, never for ever, and anew in doubt."""

import numpy as np
import pytest

from ligera.deploy.watching.identity import Identity, LookRules

CLEAR, STRANGER, BORDER = np.array([8.0]), np.array([-8.0]), np.array([0.2])
SIDE_PX = 80.0


def looked(identity: Identity, logits: np.ndarray, until_s: float, doubts: int = 0, step_s: float = 0.04) -> int:
    """How many looks are taken of a face that always answers ``logits``."""
    looks = 0
    for time_s in np.arange(0, until_s, step_s):
        if identity.wants_look(float(time_s), SIDE_PX, doubts):
            identity.add(logits, float(time_s), SIDE_PX)
            looks += 1
    return looks


@pytest.mark.parametrize(("logits", "row"), [(CLEAR, 0), (STRANGER, -1)])
def test_a_clear_answer_takes_one_look(logits: np.ndarray, row: int) -> None:
    identity = Identity(1)
    assert identity.verdict() is None
    assert looked(identity, logits, 20) == 1
    verdict = identity.verdict()
    assert verdict is not None and (verdict.row, verdict.sure, verdict.looks) == (row, True, 1)
    assert verdict.certainty > 0.99


def test_an_answer_near_the_border_takes_more_looks_but_not_for_ever() -> None:
    identity = Identity(1)
    identity.add(BORDER, 0.0, SIDE_PX)
    verdict = identity.verdict()
    assert verdict is not None and not verdict.sure
    assert looked(identity, BORDER, 60) == LookRules().most_looks - 1
    verdict = identity.verdict()
    assert verdict is not None and verdict.sure and verdict.row == 0


def test_looks_that_agree_make_sure_before_the_last_one() -> None:
    identity = Identity(1)
    weak = np.array([LookRules().sure_at / 1.9])
    assert looked(identity, weak, 60) == 4


def test_looks_grow_farther_apart() -> None:
    identity = Identity(1)
    times = []
    for time_s in np.arange(0, 20, 0.01):
        if identity.wants_look(float(time_s), SIDE_PX, 0):
            identity.add(BORDER, float(time_s), SIDE_PX)
            times.append(float(time_s))
    gaps = np.diff(times)
    assert (gaps[1:] > 1.8 * gaps[:-1]).all()


def test_one_bad_look_does_not_change_the_name() -> None:
    identity = Identity(1)
    for logit, expected in ((2.0, 0), (2.0, 0), (-1.0, 0)):
        identity.add(np.array([logit]), 0.0, SIDE_PX)
        verdict = identity.verdict()
        assert verdict is not None and verdict.row == expected


def test_in_doubt_it_looks_again_and_a_new_face_wins_over_the_old_answer() -> None:
    identity = Identity(1)
    assert looked(identity, CLEAR, 1) == 1
    assert identity.wants_look(1.0, SIDE_PX, doubts=1)
    identity.add(STRANGER, 1.0, SIDE_PX)
    verdict = identity.verdict()
    assert verdict is not None and verdict.row == -1 and verdict.sure
    assert not identity.wants_look(5.0, SIDE_PX, doubts=1)


def test_a_face_that_has_come_much_nearer_is_looked_at_again() -> None:
    identity = Identity(1)
    identity.add(CLEAR, 0.0, 20.0)
    assert not identity.wants_look(1.0, 25.0, 0)
    assert identity.wants_look(1.0, 40.0, 0)


def test_of_several_persons_the_furthest_above_its_threshold_is_named() -> None:
    identity = Identity(3)
    identity.add(np.array([1.0, 6.0, -3.0]), 0.0, SIDE_PX)
    verdict = identity.verdict()
    assert verdict is not None and verdict.row == 1 and verdict.sure


def test_two_persons_alike_are_no_sure_answer() -> None:
    identity = Identity(2)
    identity.add(np.array([6.0, 5.8]), 0.0, SIDE_PX)
    verdict = identity.verdict()
    assert verdict is not None and verdict.row == 0 and not verdict.sure
