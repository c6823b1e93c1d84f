"""Recognition judged from photo to name: striped people, a bundle enrolled on the spot, folders that make no sense."""

from pathlib import Path

import numpy as np
import pytest

from ligera.deploy.enrolling.enroll import EnrollOptions, enroll
from ligera.deploy.pick import measuring
from ligera.deploy.pick.budget import Budget
from ligera.deploy.pick.judging import open_judge
from ligera.deploy.pick.running import Field, pick
from ligera.errors import DataError, ModelError, UsageError

from ..enrolling.striped import write_photos

SHORT = {"VISITS": 2, "ROUNDS": 1, "TIMED_PICTURES": 2, "SCREENED_CALLS": 2, "MOST_REPEATED": 0}


@pytest.fixture(scope="module")
def known(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that tells ann, striped upright, from people striped lying."""
    folder = tmp_path_factory.mktemp("learnt")
    write_photos(folder / "ann", "upright", 20, 1)
    for number in range(8):
        write_photos(folder / "others" / f"p{number}", "lying", 3, 100 + number)
    options = EnrollOptions(detector=str(bundle), side_px=64, variations=1, other_variations=0, threads=1)
    return enroll("ann", folder / "ann", folder / "others", folder / "ann.onnx", options).path


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    write_photos(folder / "ann", "upright", 4, 50)
    write_photos(folder / "others" / "somebody", "lying", 6, 51)
    return folder


def test_whom_a_bundle_knows_is_told_from_strangers_in_photos_it_never_saw(
    known: Path, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SHORT.items():
        monkeypatch.setattr(measuring, name, value)
    field = Field((str(known),), runtimes=("onnxruntime",), threads=(1,))
    found = pick("people", people, Budget(max_ms=60_000), field, cache=tmp_path)
    winner = found.choice.winner
    assert found.metric == "recognition" and winner.accuracy.value >= 0.8 and winner.accuracy.pictures == 10
    assert set(winner.groups) == {"ann", "strangers"}
    # the face detector is timed too
    assert winner.costs.latency.network_p50 < winner.costs.latency.p50
    assert found.words().answer.startswith("ann, fp32") and "ligera watch 0 --model" in str(found.as_dict()["winner"])


def test_a_few_photos_of_a_person_weigh_as_much_as_many_strangers(people: Path) -> None:
    judge = open_judge("people", people)
    everybody_unknown = {row: judge.gist(row, "unknown") for row in range(len(judge))}
    value, redrawn = judge.weigh(everybody_unknown)
    assert value == 0.5 and np.nanmean(redrawn) == pytest.approx(0.5, abs=0.02)
    assert judge.groups(dict.fromkeys(range(len(judge)), "unknown")) == {"ann": 0.0, "strangers": 1.0}


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        (("ann",), "a folder for each person to know, and a folder others"),
        (("others",), "a folder for each person to know, and a folder others"),
        ((), "a folder for each person to know, and a folder others"),
    ],
)
def test_data_without_persons_or_strangers_is_refused(folders: tuple[str, ...], said: str, tmp_path: Path) -> None:
    for name in folders:
        write_photos(tmp_path / name, "upright", 1, 0)
    with pytest.raises(DataError, match=said):
        open_judge("people", tmp_path)


def test_a_classifier_of_anything_else_is_left_out_with_the_reason(
    classifier_bundle: Path, people: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"no model to pick people from \(.*is a classifier that knows no faces"):
        pick("people", people, Budget(), Field((str(classifier_bundle),), builtin=False), cache=tmp_path)


def test_a_bundle_of_other_persons_is_not_judged(known: Path, people: Path, tmp_path: Path) -> None:
    from ligera.deploy.loading import load_model
    from ligera.deploy.pick.judging.people import recognising

    write_photos(tmp_path / "bob", "upright", 1, 0)
    write_photos(tmp_path / "others", "lying", 1, 0)
    model = recognising(load_model(known, threads=1), str(known))
    with pytest.raises(ModelError, match="its persons are not those of the data"):
        open_judge("people", tmp_path).look(model, [0], None)
    model.close()
