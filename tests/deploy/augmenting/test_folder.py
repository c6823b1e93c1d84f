"""A folder becomes a labelled folder of variations, the same whoever works on it and however often it is stopped."""

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from ligera.data.check import check
from ligera.data.faces import read_retinaface
from ligera.deploy.augmenting import folder as augmenting
from ligera.deploy.augmenting.folder import Augmented, Augmenting, header_of, matching_folder
from ligera.deploy.augmenting.varying import AugmentSettings
from ligera.errors import DataError, ModelError, PictureError, UsageError
from ligera.files import write_unforced

from ..conftest import spots

PictureFile = Callable[..., Path]


@pytest.fixture
def photos(tmp_path: Path, picture_file: PictureFile) -> Path:
    """Four pictures with one or two bright faces, in two folders."""
    picture_file("photos/a.png", (1, 1))
    picture_file("photos/b.png", (0, 2), (3, 0))
    picture_file("photos/deep/a.png", (2, 1), width=160, height=160)
    picture_file("photos/deep/c.png", (1, 0))
    return tmp_path / "photos"


def quick(bundle: Path, **changes: object) -> AugmentSettings:
    return AugmentSettings(str(bundle), **{"per_picture": 3} | changes)  # type: ignore[arg-type]


def augment(source: Path, out: Path, settings: AugmentSettings, engine: str = "sequential") -> list[Augmented]:
    return list(Augmenting(source, out, settings).results(engine, workers=2))


def digest(out: Path) -> dict[str, str]:
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def test_the_result_is_a_set_that_can_be_trained_on(photos: Path, bundle: Path, tmp_path: Path) -> None:
    results = augment(photos, tmp_path / "out", quick(bundle))
    assert [(r.found, r.pictures, r.error) for r in results] == [(1, 3, None), (2, 3, None), (1, 3, None), (1, 3, None)]
    report = check(tmp_path / "out")
    assert report.ok and not report.problems
    assert report.pictures == 12 and report.faces == sum(r.faces for r in results) >= 12
    assert (tmp_path / "out" / "images" / "deep" / "a-2.jpg").is_file()
    assert not (tmp_path / "out" / ".unfinished").exists()


def test_labels_are_where_the_bright_faces_went(photos: Path, bundle: Path, tmp_path: Path) -> None:
    augment(photos, tmp_path / "out", quick(bundle, per_picture=8))
    for sample in read_retinaface(tmp_path / "out").samples:
        pixels = cv2.imread(str(sample.path), cv2.IMREAD_GRAYSCALE)
        for box in sample.targets.boxes:
            x1, y1, x2, y2 = box.round().astype(int)
            assert pixels[(y1 + y2) // 2, (x1 + x2) // 2] > 200


@pytest.mark.parametrize("engine", ["threads", "processes", "async", "auto"])
def test_every_engine_writes_the_same_bytes(engine: str, photos: Path, bundle: Path, tmp_path: Path) -> None:
    augment(photos, tmp_path / "plain", quick(bundle))
    augment(photos, tmp_path / "out", quick(bundle), engine)
    assert digest(tmp_path / "out") == digest(tmp_path / "plain")


@pytest.mark.parametrize("done", [0, 1, 3])
def test_a_stopped_run_goes_on_where_it_was(done: int, photos: Path, bundle: Path, tmp_path: Path) -> None:
    augment(photos, tmp_path / "plain", quick(bundle))
    results = Augmenting(photos, tmp_path / "out", quick(bundle)).results("sequential")
    for _ in range(done):
        next(results)
    results.close()
    assert not (tmp_path / "out" / "label.txt").exists()
    again = augment(photos, tmp_path / "out", quick(bundle), "threads")
    assert sum(result.resumed for result in again) == done
    assert digest(tmp_path / "out") == digest(tmp_path / "plain")


def test_what_was_removed_cut_or_changed_is_done_again(photos: Path, bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    augment(photos, out, quick(bundle))
    before = digest(out / "images")
    (out / "images" / "a-1.jpg").unlink()
    (out / "images" / "b-0.jpg").write_bytes(b"")
    changed = photos / "deep" / "c.png"
    cv2.imwrite(str(changed), spots(128, 96, (3, 2)))
    results = augment(photos, out, quick(bundle))
    assert [Path(r.path).name for r in results if not r.resumed] == ["a.png", "b.png", "c.png"]
    after = digest(out / "images")
    assert {name for name in before if before[name] != after[name]} == {f"deep/c-{n}.jpg" for n in range(3)}
    assert check(out).ok


def test_a_picture_that_is_none_is_reported_and_left_out(photos: Path, bundle: Path, tmp_path: Path) -> None:
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    results = augment(photos, tmp_path / "out", quick(bundle), "threads")
    (broken,) = (result for result in results if result.error)
    assert isinstance(broken.error, PictureError) and "broken.jpg" in str(broken.error)
    assert check(tmp_path / "out").pictures == 12
    cv2.imwrite(str(photos / "broken.png"), spots(96, 96, (1, 1)))
    (photos / "broken.png").rename(photos / "broken.jpg")
    assert [r.resumed for r in augment(photos, tmp_path / "out", quick(bundle))] == [True] * 4 + [False]


def test_pictures_without_faces_are_left_out_unless_asked_for(
    picture_file: PictureFile, bundle: Path, tmp_path: Path
) -> None:
    source = picture_file("photos/dark.png").parent
    picture_file("photos/face.png", (1, 1))
    dark, face = augment(source, tmp_path / "out", quick(bundle))
    assert (dark.found, dark.pictures) == (0, 0) and face.pictures == 3
    assert check(tmp_path / "out").backgrounds == 0
    dark, _ = augment(source, tmp_path / "with", quick(bundle, backgrounds=True))
    assert (dark.found, dark.pictures) == (0, 3)
    assert check(tmp_path / "with").backgrounds == 3


def test_a_folder_without_any_face_leaves_no_label_file(
    picture_file: PictureFile, bundle: Path, tmp_path: Path
) -> None:
    augment(picture_file("photos/dark.png").parent, tmp_path / "out", quick(bundle))
    assert not (tmp_path / "out" / "label.txt").exists()


def test_doubtful_faces_become_regions_to_ignore(bundle: Path, tmp_path: Path) -> None:
    pixels = spots(160, 96, (0, 0))
    pixels[32:64, 96:128] = 140  # scores 0.62: half of 0.9 and more, but less than 0.9
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "a.png"), pixels)
    (result,) = augment(tmp_path / "photos", tmp_path / "out", quick(bundle, score=0.9, per_picture=6))
    assert result.found == 1
    samples = read_retinaface(tmp_path / "out").samples
    assert sum(len(sample.targets.ignore) for sample in samples) >= 3


def test_names_that_a_label_file_cannot_hold_are_made_plain(bundle: Path, tmp_path: Path) -> None:
    source = tmp_path / "photos"
    source.mkdir()
    names = [" blank .png", "line\nbreak.png", "\udcff.png", "ä.png", "#.png", "x.png", "x.bmp", "X.jpg", "n" * 250]
    kept = 0
    for name in names:
        suffix = ".png" if "." not in name else ""
        path = source / (name + suffix)
        kept += 1
        path.write_bytes(cv2.imencode(".png", spots(64, 64, (0, 0)))[1].tobytes())
    results = augment(source, tmp_path / "out", quick(bundle, per_picture=1))
    assert not [result for result in results if result.error]
    report = check(tmp_path / "out")
    assert report.ok and report.pictures == kept


def test_another_seed_varies_otherwise_and_another_task_wants_another_folder(
    photos: Path, bundle: Path, tmp_path: Path
) -> None:
    augment(photos, tmp_path / "one", quick(bundle))
    augment(photos, tmp_path / "two", quick(bundle, seed=1))
    one, two = digest(tmp_path / "one" / "images"), digest(tmp_path / "two" / "images")
    assert set(one) == set(two) and not set(one.values()) & set(two.values())
    with pytest.raises(UsageError, match="was begun with seed 0, not 1"):
        augment(photos, tmp_path / "one", quick(bundle, seed=1))


def test_variations_of_a_picture_do_not_depend_on_its_neighbours(photos: Path, bundle: Path, tmp_path: Path) -> None:
    augment(photos, tmp_path / "all", quick(bundle))
    (photos / "a.png").unlink()
    augment(photos, tmp_path / "fewer", quick(bundle))
    everything, fewer = digest(tmp_path / "all" / "images"), digest(tmp_path / "fewer" / "images")
    assert fewer == {name: value for name, value in everything.items() if not name.startswith("a-")}


def test_results_never_lie_among_the_sources(photos: Path, bundle: Path) -> None:
    for out in (photos, photos / "out", photos.parent):
        with pytest.raises(UsageError, match="choose a folder elsewhere"):
            Augmenting(photos, out, quick(bundle))


def test_a_full_disk_stops_the_run_and_what_is_done_stays(
    photos: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = 4

    def full(path: Path, content: bytes, unfinished: Path) -> None:
        nonlocal room
        room -= 1
        if room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write_unforced(path, content, unfinished)

    with monkeypatch.context() as patch:
        patch.setattr(augmenting, "write_unforced", full)
        with pytest.raises(OSError, match="No space left"):
            augment(photos, tmp_path / "out", quick(bundle))
    assert [r.resumed for r in augment(photos, tmp_path / "out", quick(bundle))] == [True, False, False, False]
    assert check(tmp_path / "out").ok


def test_a_model_that_does_not_load_is_one_error_and_not_one_for_each_picture(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        augment(photos, tmp_path / "out", AugmentSettings(str(tmp_path / "nowhere.onnx")), "threads")


def test_an_empty_folder_is_an_error(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures there"):
        Augmenting(tmp_path / "empty", tmp_path / "out", quick(bundle))


def test_a_run_begun_before_is_found_by_what_it_does(photos: Path, bundle: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    augment(photos, runs / "photos", quick(bundle))
    assert matching_folder(runs, header_of(photos, quick(bundle))) == runs / "photos"
    assert matching_folder(runs, header_of(photos, quick(bundle, seed=1))) is None
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(bundle.read_bytes())
    header = header_of(photos, quick(copy))
    assert header["model_sha256"] == hashlib.sha256(copy.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "wrong", [{"per_picture": 0}, {"per_picture": 10_001}, {"score": 0.0}, {"score": float("nan")}, {"seed": -1}]
)
def test_settings_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError, match="expected"):
        AugmentSettings(**wrong)


def test_landmarks_nobody_knows_are_written_as_unknown(tmp_path: Path, bundle: Path) -> None:
    from ligera.deploy.augmenting.varying import _face_lines
    from ligera.records import Targets

    points = np.full((1, 5, 2), np.nan)
    points[0, 0] = 3, 4
    (line,) = _face_lines(Targets(np.array([[1, 2, 11, 22]]), np.array([0]), points), np.array([0.75]))
    assert line == "1.00 2.00 10.00 20.00 3.00 4.00 0" + " -1 -1 -1" * 4 + " 0.750"
