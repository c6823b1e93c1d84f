"""The whole study on five small pictures of the bundled one, with the built-in model and Haar."""

import json
from pathlib import Path

import cv2
import pytest

from ligera.deploy.detector import Detector
from ligera.errors import DataError
from ligera.studies.detectors import contenders
from ligera.studies.detectors.contenders import find_contenders
from ligera.studies.detectors.study import Settings, study

PEOPLE = Path(__file__).parents[3] / "examples" / "people.jpg"


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels are what ``face-small`` finds, so that its own scores are known to be high."""
    folder = tmp_path_factory.mktemp("faces")
    (folder / "images" / "crowd").mkdir(parents=True)
    lines = []
    with Detector.load("face-small", threads=1) as detector:
        for number in range(5):
            pixels = cv2.resize(cv2.imread(str(PEOPLE)), None, fx=0.3 + 0.04 * number, fy=0.3 + 0.04 * number)
            cv2.imwrite(str(folder / "images" / "crowd" / f"{number}.png"), pixels)
            lines.append(f"# crowd/{number}.png")
            for x1, y1, x2, y2 in detector.detect(pixels[..., ::-1].copy()).boxes:
                lines.append(f"{x1:.1f} {y1:.1f} {x2 - x1:.1f} {y2 - y1:.1f}")
    (folder / "label.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def only_haar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contenders, "PACKAGES", ("haar",))


def settings(data: Path, **changes: object) -> Settings:
    values = {"data": data, "models": ("face-small",), "threads": 1, "min_face": 8, "rounds": 1, "timed": 5}
    return Settings(**(values | {"force": True} | changes))


def test_the_study_says_time_accuracy_and_who_is_missing(faces: Path, only_haar: None, tmp_path: Path) -> None:
    (tmp_path / "peers").mkdir()
    (tmp_path / "peers" / "other.pth").write_bytes(b"weights")
    (tmp_path / "peers" / "yunet_n.onnx").write_bytes(b"no network")
    report = study(settings(faces, peers=tmp_path / "peers"), tmp_path / "run")
    total, accuracy, sizes = report.tables
    ours, haar = total.rows
    assert (ours[0], haar[0]) == ("face-small", "haar")
    assert all(float(seconds) > 0 for row in (ours, haar) for seconds in row[1:4])
    assert haar[4:6] == ("1.74", "0.35")
    assert float(ours[10]) > 0.9
    assert accuracy.rows[0][3] == ours[10]
    assert len(sizes.rows) == 2
    assert report.pictures[0].is_file()
    missing = [sentence for sentence in report.said if sentence.startswith("missing")]
    assert any("other.pth" in sentence for sentence in missing)
    assert any("yunet_n" in sentence for sentence in missing)


def test_a_stopped_study_does_not_score_again(faces: Path, only_haar: None, tmp_path: Path) -> None:
    study(settings(faces), tmp_path)
    kept = tmp_path / "scores" / "haar.json"
    values = json.loads(kept.read_text())
    values["labels"]["plain"]["ap50"] = 0.123
    kept.write_text(json.dumps(values))
    (tmp_path / "scores" / "face-small.json").write_text("{half")
    report = study(settings(faces), tmp_path)
    assert report.tables[0].rows[1][10] == ".123"
    assert float(report.tables[0].rows[0][10]) > 0.9


def test_a_stopped_study_times_only_the_rounds_that_are_missing(faces: Path, only_haar: None, tmp_path: Path) -> None:
    study(settings(faces, rounds=2), tmp_path)
    first, second = (tmp_path / "times" / f"round-{number}.json" for number in (1, 2))
    values = json.loads(first.read_text())
    values["ms"]["haar"]["plain"] = [1e6] * 5
    first.write_text(json.dumps(values))
    second.write_text("{half")
    report = study(settings(faces, rounds=2), tmp_path)
    assert float(report.tables[0].rows[1][1]) > 5 * 1e3 / 2, "the kept round is half of the median"
    assert float(report.tables[0].rows[0][1]) < 1e3
    assert json.loads(second.read_text())["peak_mb"]["haar"] > 10


def test_times_are_withheld_from_a_noisy_machine(
    faces: Path, only_haar: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ligera.deploy.timing.noise.NoiseMeter.reasons", lambda self: ("a drum next door",))
    report = study(settings(faces, force=False), tmp_path)
    assert report.tables[0].rows[0][1] == "withheld"
    assert "a drum next door" in report.tables[0].note
    assert not report.pictures


def test_a_noisy_round_is_measured_again_at_once_and_by_the_next_command(
    faces: Path, only_haar: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise: list[tuple[str, ...]] = [(), ("a drum",), ("a drum",), ("a drum",)]
    monkeypatch.setattr("ligera.deploy.timing.noise.NoiseMeter.reasons", lambda self: noise.pop(0))
    told: list[dict[str, object]] = []
    kept = [tmp_path / "times" / f"round-{number}.json" for number in (1, 2)]
    report = study(settings(faces, force=False, rounds=2), tmp_path, told.append)
    assert not noise
    assert sum("again after noise" in str(event.get("trial")) for event in told) == 2
    assert "round 2: a drum" in report.tables[0].note
    first = kept[0].read_text()
    noise = [("a horn",), ()]
    report = study(settings(faces, force=False, rounds=2), tmp_path)
    assert not noise
    assert kept[0].read_text() == first
    assert report.tables[0].rows[0][1] != "withheld"


def test_without_a_folder_of_peers_the_study_says_so() -> None:
    found, missing = find_contenders(("face-small",), None)
    assert [contender.name for contender in found] == ["face-small", "haar", "facenet", "dlib"]
    assert "peers=DIR" in missing[0]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        find_contenders((), tmp_path / "nowhere")


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    (tmp_path / "images" / "a").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "images" / "a" / "one.png"), cv2.imread(str(PEOPLE)))
    (tmp_path / "label.txt").write_text("# a/one.png\n10 10 30 30\n")
    with pytest.raises(DataError, match="5 labelled pictures or more, got 1"):
        study(settings(tmp_path), tmp_path / "run")
