"""Faces followed and named over frames: one recognition for each track, events, and what is summed up."""

from pathlib import Path

import numpy as np
import pytest

from ligera.deploy.detector import Detector
from ligera.deploy.watching.recognizer import Recognizer
from ligera.deploy.watching.watcher import UNKNOWN, Event, Person, Watcher, load_watcher
from ligera.errors import ModelError, UsageError

from .coloured import ANN, OTHER, Cells, frame, write_recognizer_of_colours

STEP_S = 0.1


class Watch:
    """A watcher of coloured cells and the frames it is shown."""

    def __init__(self, recognizer: Path | None, detector: Path) -> None:
        loaded = None if recognizer is None else Recognizer.load(recognizer, threads=1)
        self.watcher = load_watcher(loaded, detector=str(detector), threads=1)
        self.time_s = 0.0
        self.events: list[Event] = []

    def frames(self, cells: Cells, count: int) -> list[Person]:
        people: list[Person] = []
        for _ in range(count):
            self.time_s += STEP_S
            people, events = self.watcher.see(frame(cells), self.time_s)
            self.events += events
        return people


@pytest.fixture
def watch(ann: Path, bundle: Path) -> Watch:
    return Watch(ann, bundle)


def test_each_face_is_named_after_one_look(watch: Watch) -> None:
    first, second = watch.frames({(1, 1): ANN, (3, 1): OTHER}, 20)
    assert (first.name, second.name) == ("ann", UNKNOWN)
    assert first.sure and second.sure and (first.certainty or 0) > 0.9
    assert (first.looks, second.looks, watch.watcher.look_count) == (1, 1, 2)
    assert first.box == (32.0, 32.0, 64.0, 64.0)


def test_whoever_comes_is_named_and_leaves_is_told(watch: Watch) -> None:
    watch.frames({(1, 1): ANN}, 5)
    watch.frames({}, 20)
    watch.frames({(1, 1): ANN}, 5)
    assert [(event.kind, event.track, event.name) for event in watch.events] == [
        ("came", 1, None),
        ("named", 1, "ann"),
        ("left", 1, "ann"),
        ("came", 2, None),
        ("named", 2, "ann"),
    ]
    summaries = watch.watcher.summaries
    assert [(one.name, one.looks, one.renamed) for one in summaries.values()] == [("ann", 1, 0), ("ann", 1, 0)]
    assert summaries[1].last_s == pytest.approx(0.5) and summaries[2].first_s == pytest.approx(2.7)


def test_another_face_in_the_place_of_one_that_was_hidden_is_renamed(watch: Watch) -> None:
    watch.frames({(1, 1): ANN}, 5)
    watch.frames({}, 7)
    (person,) = watch.frames({(1, 1): OTHER}, 3)
    assert (person.track, person.name, person.looks) == (1, UNKNOWN, 2)
    assert watch.watcher.summaries[1].renamed == 1


def test_people_of_the_bundle_who_were_not_asked_for_are_unknown(bundle: Path, tmp_path: Path) -> None:
    both = write_recognizer_of_colours(tmp_path / "both.onnx", str(bundle), ("ann", "green"))
    watcher = load_watcher(Recognizer.load(both, ["green"], threads=1), threads=1)
    cells = {(1, 1): ANN, (3, 1): (190, 255, 190)}
    for number in range(3):
        people, _ = watcher.see(frame(cells), number * STEP_S)
    assert [person.name for person in people] == [UNKNOWN, "green"]


def test_without_a_recogniser_faces_are_only_followed(bundle: Path) -> None:
    watch = Watch(None, bundle)
    (person,) = watch.frames({(1, 1): ANN}, 5)
    assert person.name is None and person.looks == 0 and watch.watcher.look_count == 0
    assert "recognise" not in watch.watcher.stages.newest_ms


def test_in_a_crowd_only_some_are_looked_at_in_one_frame(watch: Watch) -> None:
    crowd = {(column, row): ANN for column in range(5) for row in range(0, 3, 2)}
    watch.frames(crowd, 2)
    assert watch.watcher.look_count == 4
    people = watch.frames(crowd, 2)
    assert {person.name for person in people} == {"ann"} and len(people) == 10


def test_every_stage_is_timed(watch: Watch) -> None:
    watch.frames({(1, 1): ANN}, 2)
    assert {"detect", "track", "recognise"} <= watch.watcher.stages.newest_ms.keys()


def test_the_faces_are_found_as_when_they_were_learnt(ann: Path, bundle: Path) -> None:
    watcher = load_watcher(Recognizer.load(ann, threads=1), threads=1)
    assert watcher.detector.name == Detector.load(bundle).name
    watcher.close()


def test_a_detector_that_is_not_here_and_options_out_of_range_are_named(bundle: Path) -> None:
    with pytest.raises(ModelError, match="nobody"):
        load_watcher(None, detector="nobody")
    with pytest.raises(UsageError, match="max_side: expected 32 or more"):
        load_watcher(None, detector=str(bundle), max_side=3)


def test_a_row_is_ready_for_json() -> None:
    person = Person(3, (1.04, 2.0, 30.0, 40.0), float(np.float32(0.9)), "ann", 0.98765, True, 2)
    assert person.row() == {
        "track": 3,
        "box": [1.0, 2.0, 30.0, 40.0],
        "score": 0.9,
        "name": "ann",
        "certainty": 0.9877,
        "sure": True,
        "looks": 2,
    }


def test_a_watcher_may_be_given_rules_of_its_own(bundle: Path) -> None:
    watcher = Watcher(Detector.load(bundle), score=0.95)
    people, _ = watcher.see(frame({(1, 1): (180, 180, 180)}), 0.0)
    assert people == []
