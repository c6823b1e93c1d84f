"""The same face keeps its number through movement, gaps and crossings; another one gets another."""

import numpy as np
import pytest

from ligera.deploy.watching.tracking import Track, Tracker, TrackRules

SIZE = (480, 640)
STEP_S = 0.04


def square(x: float, y: float, side: float = 60.0) -> list[float]:
    return [x - side / 2, y - side / 2, x + side / 2, y + side / 2]


class Film:
    """Feeds a tracker frame after frame; ``None`` is a frame without faces."""

    def __init__(self, step_s: float = STEP_S, **rules: float) -> None:
        self.tracker = Tracker(TrackRules(**rules))  # type: ignore[arg-type]
        self.time_s, self._step_s = 0.0, step_s

    def frame(self, *boxes: list[float], scores: list[float] | None = None) -> list[Track]:
        self.time_s += self._step_s
        found = np.array(boxes, np.float32).reshape(-1, 4)
        return self.tracker.update(found, np.array(scores or [0.9] * len(boxes)), self.time_s, SIZE)

    def wait(self, span_s: float) -> None:
        for _ in range(round(span_s / self._step_s)):
            self.frame()


def test_a_moving_face_is_one_track() -> None:
    film = Film()
    numbers = {track.number for place in range(40) for track in film.frame(square(40 + 12 * place, 200))}
    assert numbers == {1}


def test_a_face_counts_from_its_second_sight_on() -> None:
    film = Film()
    assert film.frame(square(100, 100)) == []
    (track,) = film.frame(square(101, 100))
    assert track.sights == 2 and track.seen


def test_a_false_alarm_of_one_frame_never_counts() -> None:
    film = Film()
    film.frame(square(100, 100))
    film.frame()
    assert film.frame(square(100, 100)) == [] and len(film.tracker.tracks) == 1


def test_two_faces_side_by_side_keep_their_numbers_whatever_the_order_of_the_boxes() -> None:
    film = Film()
    left, right = square(100, 200), square(300, 200)
    film.frame(left, right)
    first = {track.number: track.box[0] for track in film.frame(left, right)}
    second = {track.number: track.box[0] for track in film.frame(right, left)}
    assert first == second and len(first) == 2


def test_a_track_knows_its_row_among_the_newest_boxes() -> None:
    film = Film()
    left, right = square(100, 200), square(300, 200)
    film.frame(left, right)
    for boxes in ((left, right), (right, left)):
        tracks = film.frame(*boxes)
        assert len(tracks) == 2 and all(track.box.tolist() == boxes[track.row] for track in tracks)


def test_a_face_missed_for_some_frames_goes_on_where_it_was_heading() -> None:
    film = Film()
    for place in range(10):
        film.frame(square(100 + 10 * place, 200))
    film.wait(0.16)
    (track,) = film.frame(square(100 + 10 * 14, 200))
    assert track.number == 1 and track.doubts == 0


def test_a_face_back_after_an_absence_keeps_its_number_but_is_in_doubt() -> None:
    film = Film()
    film.frame(square(100, 200))
    film.frame(square(100, 200))
    film.wait(0.7)
    (track,) = film.frame(square(105, 200))
    assert track.number == 1 and track.doubts == 1


def test_whoever_left_for_long_comes_back_as_another() -> None:
    film = Film()
    film.frame(square(100, 200))
    film.frame(square(100, 200))
    film.wait(1.5)
    assert film.tracker.tracks == []
    film.frame(square(100, 200))
    (track,) = film.frame(square(100, 200))
    assert track.number == 2


def test_whoever_walked_out_of_the_picture_is_forgotten_sooner() -> None:
    film = Film()
    for place in range(12):
        film.frame(square(540 + 8 * place, 200))
    film.wait(0.5)
    assert film.tracker.tracks == []


def test_at_two_frames_a_second_one_missed_frame_ends_nothing() -> None:
    film = Film(step_s=0.6)
    film.frame(square(100, 200))
    film.frame(square(110, 200))
    film.frame()
    film.frame()
    (track,) = film.frame(square(120, 200))
    assert track.number == 1


def test_faces_that_cross_keep_their_numbers_and_are_in_doubt_afterwards() -> None:
    film = Film()
    seen: list[dict[int, float]] = []
    for place in range(60):
        left, right = square(100 + 6 * place, 200), square(460 - 6 * place, 210)
        hidden = abs(left[0] - right[0]) < 25
        tracks = film.frame(*([left] if hidden else [left, right]))
        seen.append({track.number: float(track.box[0]) for track in tracks})
    assert seen[1].keys() == seen[-1].keys() and len(seen[-1]) == 2
    going_right = min(seen[1], key=lambda number: seen[1][number])
    assert seen[-1][going_right] > 400
    assert all(track.doubts >= 1 and not track.entangled for track in film.tracker.tracks)


def test_faces_that_stand_together_are_entangled_until_they_part() -> None:
    film = Film()
    film.frame(square(100, 200), square(140, 200))
    first, second = film.frame(square(100, 200), square(140, 200))
    assert first.entangled and second.entangled and first.doubts == 0
    film.frame(square(90, 200), square(180, 200))
    assert not first.entangled and first.doubts == second.doubts == 1


def test_a_weak_box_goes_on_with_a_track_but_begins_none() -> None:
    film = Film()
    film.frame(square(100, 200))
    film.frame(square(100, 200))
    (track,) = film.frame(square(103, 200), square(400, 200), scores=[0.35, 0.35])
    assert track.number == 1 and track.score == 0.35 and len(film.tracker.tracks) == 1


def test_a_box_of_another_size_is_another_face() -> None:
    film = Film()
    film.frame(square(100, 200, 30))
    film.frame(square(100, 200, 30))
    film.frame(square(100, 200, 120))
    assert sorted(track.number for track in film.tracker.tracks) == [1, 2]


@pytest.mark.parametrize("order", [1, -1])
def test_a_newcomer_beside_a_followed_face_does_not_take_its_box(order: int) -> None:
    film = Film()
    film.frame(square(100, 200))
    film.frame(square(100, 200))
    boxes = [square(104, 200), square(190, 200)][::order]
    film.frame(*boxes)
    (kept,) = [track for track in film.tracker.tracks if track.number == 1]
    assert kept.box[0] == pytest.approx(74)


def test_a_track_that_is_unseen_stops_drifting() -> None:
    film = Film()
    for place in range(10):
        film.frame(square(100 + 10 * place, 200))
    (track,) = film.tracker.tracks
    far = track.foreseen(film.time_s + 60, film.tracker.rules.coast_s)
    assert far[0] - track.box[0] == pytest.approx(10 / STEP_S * film.tracker.rules.coast_s, rel=0.01)
