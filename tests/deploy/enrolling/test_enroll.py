"""Enrolling as a whole, with people whose stripes anyone can tell, and with the real ones where they are at hand."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from ligera import cli
from ligera.deploy.classifying.classifier import Classifier
from ligera.deploy.detector import Detector
from ligera.deploy.enrolling.enroll import EnrollOptions, EnrollReport, enroll
from ligera.deploy.enrolling.squares import FACE_KEY, FaceRule, FaceSquares
from ligera.deploy.opening import open_bundle
from ligera.errors import DataError, ModelError, UsageError

from ..conftest import REAL_DATA
from .striped import striped, write_photos

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    write_photos(folder / "ann", "upright", 24, 1)
    for number in range(12):
        write_photos(folder / "others" / f"p{number}", "lying", 4, 100 + number)
    cv2.imwrite(str(folder / "ann" / "nobody.png"), np.zeros((96, 128, 3), np.uint8))
    (folder / "ann" / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 torn")
    return folder


def options(bundle: Path, **changes: object) -> EnrollOptions:
    values: dict[str, object] = {"detector": str(bundle), "side_px": 64, "variations": 1, "other_variations": 0}
    return EnrollOptions(**(values | {"threads": 1} | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def report(photos: Path, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> EnrollReport:
    out = tmp_path_factory.mktemp("enrolled") / "ann.onnx"
    return enroll("ann", photos / "ann", photos / "others", out, options(bundle))


def test_a_person_is_told_from_people_never_seen(report: EnrollReport) -> None:
    assert report.labels == ("ann", "unknown")
    assert report.test.accuracy.value == 1 and report.test.accuracy.total >= 12
    assert report.faces["ann"] == {"train": 14, "validation": 5, "test": 5}
    assert sum(report.faces["others"].values()) == 48


def test_photos_without_a_face_are_named_and_left_out(report: EnrollReport) -> None:
    reasons = {Path(photo.path).name: photo.reason for photo in report.left_out}
    assert set(reasons) == {"nobody.png", "torn.jpg"} and reasons["nobody.png"] == "no face found"


def test_what_it_rests_on_is_said(report: EnrollReport) -> None:
    assert report.base == "face" and "no ImageNet weights" in " ".join(report.notes)
    assert "too few for a rate of 0.01" in " ".join(report.notes)
    assert cv2.imread(str(report.roc)) is not None


def test_the_bundle_classifies_squared_faces_with_the_threshold_in_it(report: EnrollReport, bundle: Path) -> None:
    generator = np.random.default_rng(77)
    opened = open_bundle(report.path)
    with Detector.load(bundle) as detector, Classifier(opened.runtime, opened.card) as classifier:
        squares = FaceSquares(detector, 64, FaceRule())
        for kind, label in (("upright", "ann"), ("lying", "unknown")):
            square = squares.cut(striped(kind, generator))
            assert square is not None and classifier.classify(square).label == label
    rule = json.loads({entry.key: entry.value for entry in onnx.load(report.path).metadata_props}[FACE_KEY])
    assert rule["thresholds"] == pytest.approx(report.thresholds) and rule["far"] == 0.01


def test_the_report_is_ready_for_json(report: EnrollReport) -> None:
    told = json.loads(json.dumps(report.as_dict()))
    assert told["test"]["accuracy"]["low"] > 0.7 and told["left_out"][0]["reason"]


def test_the_same_seed_gives_the_same_bundle(photos: Path, bundle: Path, tmp_path: Path, report: EnrollReport) -> None:
    again = enroll("ann", photos / "ann", photos / "others", tmp_path / "again.onnx", options(bundle))
    assert again.thresholds == report.thresholds
    assert again.path.read_bytes() == report.path.read_bytes()


def test_a_folder_for_each_person_makes_one_bundle_that_knows_them_all(
    photos: Path, bundle: Path, tmp_path: Path
) -> None:
    write_photos(tmp_path / "known" / "ann", "upright", 20, 5)
    write_photos(tmp_path / "known" / "ben", "lying", 20, 6)
    found = enroll(None, tmp_path / "known", None, tmp_path / "both.onnx", options(bundle, head="places"))
    assert found.labels == ("ann", "ben", "unknown")
    assert found.test.accepted.value >= 0.8 and found.test.false_accepts.total == 0
    assert "no --others" in " ".join(found.notes)


def test_without_others_one_person_cannot_be_told_from_anybody(photos: Path, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--others: give a folder"):
        enroll("ann", photos / "ann", None, tmp_path / "a.onnx", options(bundle))


def test_a_folder_without_any_face_is_an_error_and_leaves_nothing(photos: Path, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "walls").mkdir()
    for number in range(3):
        cv2.imwrite(str(tmp_path / "walls" / f"{number}.png"), np.full((96, 128, 3), 9 * number, np.uint8))
    with pytest.raises(DataError, match=r"walls: not a face found in 3 photos"):
        enroll("ann", tmp_path / "walls", photos / "others", tmp_path / "a.onnx", options(bundle))
    assert [path.name for path in tmp_path.iterdir()] == ["walls"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("ann --photos {photos}/nowhere --others {photos}/others", "no such folder"),
        ("ann --photos {photos}/ann --others {photos}/nowhere", "no such folder"),
        ("ann --photos {photos}/ann/nobody.png --others {photos}/others", "is a file, expected a folder"),
        ("unknown --photos {photos}/ann --others {photos}/others", "NAME: expected"),
        ("--photos {photos}/ann --others {photos}/others", "holds no folders; give a NAME"),
        ("ann --photos {photos}/ann --others {photos}/others --far 2", "--far: expected"),
        ("ann --photos {photos}/ann --others {photos}/others --head big", "--head: expected pooled or places"),
        ("ann --photos {photos}/ann --others {photos}/others --side 100", "--side: expected a multiple of 32"),
        ("ann --photos {photos}/ann --others {photos}/others --base mobilnetv2", "did you mean 'mobilenetv2'"),
        ("ann --photos {photos}/ann --others {photos}/others --base mobilenetv2-coral", "convert Coral's MobileNetV2"),
        ("ann --photos {photos}/ann --others {photos}/others --weights {photos}/no.safetensors", "no such weights"),
        ("ann --photos {photos}/ann --others {photos}/others -o ann.pt", "ending in .onnx"),
        (
            "ann --photos {photos}/ann --others {photos}/others -o {photos}/ann/torn.jpg/a.onnx",
            "nothing can be written",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments: str, reason: str, photos: Path, capsys: Capture) -> None:
    assert cli.run(["enroll", *(word.format(photos=photos) for word in arguments.split())]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1 and reason in told[0]


def test_the_command_tells_counts_shares_and_where_the_files_are(
    photos: Path, bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    asked = ["enroll", "ann", "--photos", str(photos / "ann"), "--others", str(photos / "others"), "--side", "64"]
    out = tmp_path / "ann.onnx"
    assert cli.run([*asked, "--detector", str(bundle), "--threads", "1", "-o", str(out)]) == 0
    told = capsys.readouterr()
    assert "others accepted" in told.out and str(out) in told.out and "base      face" in told.out
    assert "left out" in told.err and "nobody.png" in told.err


def test_a_bundle_runs_without_torch(report: EnrollReport, photos: Path) -> None:
    code = (
        "import sys; from ligera.deploy.classifying.classifier import Classifier; import numpy as np\n"
        f"print(Classifier.load({str(report.path)!r}).classify(np.full((64, 64, 3), 9, np.uint8)).label)\n"
        "assert not {'torch', 'timm', 'onnx', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.strip() in report.labels, done.stderr


@pytest.mark.skipif(not (REAL_DATA / "people").is_dir(), reason="no real faces at ../shared/data")
def test_a_real_person_is_told_from_real_people_without_any_weights(tmp_path: Path) -> None:
    """Few photos and no ImageNet weights: far from the best there is, as far from chance."""
    for part, folder, step in (("me", "bush", 10), ("others", "others", 30)):
        (tmp_path / part).mkdir()
        for file in sorted((REAL_DATA / "people" / folder).glob("*.jpg"))[::step]:
            (tmp_path / part / file.name).symlink_to(file)
    chosen = EnrollOptions(threads=1, variations=2, other_variations=0, far=0.05)
    found = enroll("me", tmp_path / "me", tmp_path / "others", tmp_path / "me.onnx", chosen)
    assert found.test.balanced > 0.6
    people = found.faces["others"]
    assert len(found.left_out) <= 2 and min(people.values()) >= 15


def test_a_base_with_damaged_weights_is_refused(photos: Path, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"nonsense")
    for base in ("mobilenetv2-coral", "mobilenetv2"):
        with pytest.raises(ModelError, match=r"w\.safetensors"):
            chosen = options(bundle, base=base, weights=tmp_path / "w.safetensors")
            enroll("ann", photos / "ann", photos / "others", tmp_path / "a.onnx", chosen)
