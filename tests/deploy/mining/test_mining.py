"""Mining as a library: what comes out, from which pictures, and that nothing but the task decides it."""

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from ligera.boxes import iou
from ligera.data.crops import KINDS, CropSet, read_crops
from ligera.data.pictures import read_picture
from ligera.deploy.mining import Mining, mine, picture_work, settings_for
from ligera.deploy.mining.networks import open_cascade
from ligera.deploy.mining.picture_work import read_candidates
from ligera.deploy.mining.source import read_jobs
from ligera.errors import DataError, ModelError, PictureError, UsageError
from ligera.files import write_unforced
from ligera.models.area import AreaSums
from ligera.models.cascade import corners, squares

from .face_sets import write_faces

QUICK = {"shard_crops": 50, "around_face": 8, "in_picture": 10}


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def mined(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stage 12, undisturbed."""
    out = tmp_path_factory.mktemp("mined") / "12"
    mine(faces, out, settings_for(12, **QUICK), "sequential")
    return out


@pytest.fixture(scope="module")
def mined_later(faces: Path, cascade_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Stages 24 and 48."""
    outs = {stage: tmp_path_factory.mktemp("later") / str(stage) for stage in (24, 48)}
    for stage, out in outs.items():
        mine(faces, out, settings_for(stage, model=str(cascade_bundle), score=0.3, **QUICK), "sequential")
    return outs


def test_the_card_says_what_the_shards_hold(mined: Path) -> None:
    card = json.loads((mined / "mined.json").read_text())
    crops = read_crops(mined)
    assert (card["stage"], card["side"], crops.side_px) == (12, 12, 12)
    assert card["counts"] == crops.counts() and card["crops"] == len(crops) == sum(card["counts"].values())
    assert card["shards"] == len(list(mined.glob("shard-*.npz")))
    assert (card["pictures"], card["failed"]) == (20, [])
    assert card["thresholds"]["positive_iou"] == 0.65 and card["thresholds"]["least_face_px"] == 12
    assert not [path for path in mined.iterdir() if path.name.startswith(".")], "nothing half done is left"


def test_kinds_are_balanced_by_the_ratio(mined: Path) -> None:
    counts = json.loads((mined / "mined.json").read_text())["counts"]
    assert counts["positive"] == counts["part"] > 30
    assert counts["negative"] == min(3 * counts["positive"], found(mined)["negative"]["count"])
    assert counts["landmark"] == 0


def found(folder: Path) -> dict[str, dict]:
    return json.loads((folder / "mined.json").read_text())["found"]


def test_statistics_are_those_of_all_candidates(mined: Path) -> None:
    ious = {kind: [] for kind in KINDS}
    for file in (mined / "pictures").rglob("*.npz"):
        candidates = read_candidates(file)
        for code, kind in enumerate(KINDS):
            ious[kind] += candidates.ious[candidates.kinds == code].tolist()
    for kind in ("negative", "positive", "part"):
        # no picture has more of a kind than it may give, so all of them are in its file
        figures = found(mined)[kind]
        assert figures["count"] == len(ious[kind])
        wanted = (min(ious[kind]), max(ious[kind]), np.mean(ious[kind]))
        np.testing.assert_allclose([figures[f"{name}_iou"] for name in ("min", "max", "mean")], wanted, atol=1e-5)
    everything = [value for kind in ("negative", "positive", "part") for value in ious[kind]]
    assert found(mined)["all"]["count"] == len(everything)
    bins = json.loads((mined / "mined.json").read_text())["iou_bins"]
    assert sum(bins["all"]) == len(everything) and bins["positive"][: round(0.65 / bins["width"])] == [0] * 26


def test_targets_lead_from_the_crop_back_to_the_face(faces: Path, mined_later: dict[int, Path]) -> None:
    """What is marked in a crop is where the face is: the bright square, whose dots are the points."""
    crops = read_crops(mined_later[48])
    landmark = crops.take(crops.kinds == KINDS.index("landmark"))
    assert len(landmark) > 20
    for pixels, box, points in zip(landmark.pixels, landmark.boxes, landmark.landmarks, strict=True):
        grey = pixels.mean(axis=2)
        x1, y1, x2, y2 = (box + np.array([0, 0, 1, 1])) * 48
        columns, rows = np.arange(48) + 0.5, np.arange(48)[:, None] + 0.5
        inside = (columns > x1 + 2) & (columns < x2 - 2) & (rows > y1 + 2) & (rows < y2 - 2)
        assert np.median(grey[inside]) > 180
        for x, y in points.reshape(5, 2) * 48:
            if 2 < x < 46 and 2 < y < 46:
                assert grey[int(y), int(x)] < 90


def test_iou_of_kinds_and_targets_agree(mined: Path, mined_later: dict[int, Path]) -> None:
    limits = {12: (0.65, 0.4), 24: (0.5, 0.3), 48: (0.5, 0.3)}
    for stage, folder in {12: mined, **mined_later}.items():
        crops = read_crops(folder)
        overlaps = iou(np.array([[0, 0, 1, 1]], np.float32), crops.boxes + np.array([0, 0, 1, 1], np.float32))[0]
        positive, part = (overlaps[crops.kinds == KINDS.index(kind)] for kind in ("positive", "part"))
        least, less = limits[stage]
        assert len(positive) and positive.min() >= least - 1e-4
        assert len(part) and less - 1e-4 <= part.min() and part.max() < least + 1e-4
        negative = crops.kinds == KINDS.index("negative")
        assert np.isnan(crops.boxes[negative]).all() and np.isfinite(crops.boxes[~negative]).all()
        assert np.isnan(crops.landmarks[negative | (crops.kinds == KINDS.index("part"))]).all()
        assert np.isfinite(crops.landmarks[crops.kinds == KINDS.index("landmark")]).all()


def test_crops_of_a_proposal_are_what_the_next_network_would_see(
    faces: Path, mined_later: dict[int, Path], cascade_bundle: Path
) -> None:
    settings = settings_for(24, model=str(cascade_bundle), score=0.3)
    opened = open_cascade(str(cascade_bundle), settings)
    seen = set()
    for job in read_jobs(faces):
        pixels = read_picture(job.path).pixels
        boxes = squares(opened.cascade.find([pixels])[0].boxes)
        cut = corners(boxes, *pixels.shape[:2])
        cut = cut[(cut[:, 2:] > cut[:, :2]).all(axis=1)]
        for crop in AreaSums(pixels).crops(cut, 24):
            seen.add(np.rint(crop).astype(np.uint8).transpose(1, 2, 0).tobytes())
    opened.close()
    mined = read_crops(mined_later[24])
    assert len(mined) > 100
    assert all(pixels.tobytes() in seen for pixels in mined.pixels)


def test_stage_48_takes_what_r_net_leaves(mined_later: dict[int, Path]) -> None:
    first, second = (found(mined_later[stage])["all"]["count"] for stage in (24, 48))
    assert 0 < second < first


def test_each_picture_has_a_file_with_boxes_scores_and_its_path(faces: Path, mined_later: dict[int, Path]) -> None:
    for job in read_jobs(faces):
        with np.load(mined_later[24] / job.file) as stored:
            assert bytes(stored["path"]).decode() == job.name
            assert stored["boxes"].shape == (len(stored["scores"]), 4)
            assert (stored["scores"] >= 0.3).all()


@pytest.mark.parametrize("engine", ["threads", "async", "processes"])
def test_every_engine_gives_the_same_bytes(engine: str, faces: Path, mined: Path, tmp_path: Path) -> None:
    mine(faces, tmp_path / "out", settings_for(12, **QUICK), engine, 2)
    assert digests(tmp_path / "out") == digests(mined)


def test_another_seed_chooses_other_crops_and_the_order_of_labels_does_not(faces: Path, tmp_path: Path) -> None:
    other = tmp_path / "data"
    shutil.copytree(faces, other)
    blocks = (faces / "label.txt").read_text().split("# ")[1:]
    (other / "label.txt").write_text("".join(f"# {block}" for block in reversed(blocks)))
    limited = QUICK | {"most_crops": 100}
    for name, data, seed in (("one", faces, 0), ("turned", other, 0), ("seeded", faces, 1)):
        mine(data, tmp_path / name, settings_for(12, seed=seed, **limited), "sequential")
    one, turned, seeded = (read_crops(tmp_path / name) for name in ("one", "turned", "seeded"))
    assert len(one) == 100 and one.counts() == {"negative": 60, "positive": 20, "part": 20, "landmark": 0}
    np.testing.assert_array_equal(one.pixels, turned.pixels)
    assert rows(one) != rows(seeded)


def rows(crops: CropSet) -> set[bytes]:
    return {pixels.tobytes() for pixels in crops.pixels}


def test_no_picture_gives_more_of_a_kind_than_it_may(faces: Path, tmp_path: Path) -> None:
    mine(faces, tmp_path / "out", settings_for(12, per_picture=3, **QUICK), "sequential")
    for file in (tmp_path / "out" / "pictures").rglob("*.npz"):
        assert np.bincount(read_candidates(file).kinds, minlength=4).max() <= 3


def test_ignore_regions_and_background_give_no_wrong_crops(faces: Path, mined_later: dict[int, Path]) -> None:
    for folder in mined_later.values():
        for job in read_jobs(faces):
            candidates = read_candidates(folder / job.file)
            if not len(job.targets):
                assert set(candidates.kinds.tolist()) <= {KINDS.index("negative")}
            if len(job.targets.ignore):
                negative = candidates.boxes[candidates.kinds == KINDS.index("negative")]
                assert iou(negative, job.targets.ignore).max(initial=0) < 0.3


def test_landmark_crops_come_only_from_faces_with_five_known_points(
    faces: Path, mined_later: dict[int, Path], mined: Path
) -> None:
    taken = 0
    for job in read_jobs(faces):
        candidates = read_candidates(mined_later[48] / job.file)
        landmark = candidates.faces[candidates.kinds == KINDS.index("landmark")]
        assert np.isfinite(job.targets.landmarks[landmark]).all()
        taken += len(landmark)
    assert taken
    assert found(mined)["landmark"]["count"] == 0, "P-Net has no points to learn"


def test_another_task_in_the_same_folder_is_refused_by_the_setting_that_differs(
    faces: Path, mined: Path, small_faces: Path
) -> None:
    before = digests(mined)
    for changes, complaint in (
        ({"seed": 3}, "was begun with seed 0, not 3"),
        ({"negative_iou": 0.2}, r"was begun with negative_iou 0\.3, not 0\.2"),
        ({"most_crops": 9}, "was begun with most_crops 250000, not 9"),
    ):
        with pytest.raises(UsageError, match=complaint):
            mine(faces, mined, settings_for(12, **(QUICK | changes)))
    with pytest.raises(UsageError, match="was begun with source"):
        mine(small_faces, mined, settings_for(12, **QUICK))
    assert digests(mined) == before


def test_changed_labels_are_another_task(small_faces: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(small_faces, data)
    mine(data, tmp_path / "out", settings_for(12, **QUICK), "sequential")
    (data / "label.txt").write_text((data / "label.txt").read_text() + "40 40 20 20\n")
    with pytest.raises(UsageError, match="was begun with labels_sha256"):
        mine(data, tmp_path / "out", settings_for(12, **QUICK), "sequential")


def test_two_runs_at_once_in_one_folder_are_refused(small_faces: Path, tmp_path: Path) -> None:
    settings = settings_for(12, **QUICK)
    with (
        Mining(small_faces, tmp_path / "out", settings),
        pytest.raises(UsageError, match="another run is at work"),
        Mining(small_faces, tmp_path / "out", settings),
    ):
        pass


def test_a_folder_of_other_things_is_left_alone(small_faces: Path, tmp_path: Path) -> None:
    (tmp_path / "shard-00000.npz").write_bytes(b"somebody else's")
    with pytest.raises(UsageError, match="and no mining to go on with"):
        mine(small_faces, tmp_path, settings_for(12, **QUICK))
    assert [path.name for path in tmp_path.iterdir()] == ["shard-00000.npz"]


def test_a_broken_picture_is_left_out_and_comes_in_once_it_is_whole(small_faces: Path, tmp_path: Path) -> None:
    data, settings = tmp_path / "data", settings_for(12, **QUICK)
    shutil.copytree(small_faces, data)
    broken = data / "images" / "002.png"
    content, times = broken.read_bytes(), broken.stat()
    broken.write_bytes(content[:50])
    with Mining(data, tmp_path / "out", settings) as mining:
        failed = [result for result in mining.propose("sequential") if result.error]
        list(mining.cut("sequential"))
        card = mining.finish()
    assert isinstance(failed[0].error, PictureError) and len(failed) == 1
    assert card["failed"] == ["images/002.png"] and card["pictures"] == 9
    broken.write_bytes(content)
    os.utime(broken, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert mine(data, tmp_path / "out", settings, "sequential")["failed"] == []
    mine(data, tmp_path / "again", settings, "sequential")
    assert digests(tmp_path / "out") == digests(tmp_path / "again")


@pytest.mark.parametrize("name", ["pictures", "shard-00001.npz", "mined.json", "iou.png", "plan.json"])
def test_what_was_removed_is_made_again(name: str, mined: Path, faces: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(mined, copy)
    gone = copy / name
    (shutil.rmtree if gone.is_dir() else Path.unlink)(gone)
    mine(faces, copy, settings_for(12, **QUICK), "sequential")
    assert digests(copy) == digests(mined)


def no_room(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_stops_the_run_and_the_next_one_goes_on(
    faces: Path, mined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, room = settings_for(12, **QUICK), 7

    def full(path: Path, content: bytes, unfinished: Path) -> None:
        nonlocal room
        room -= 1
        if room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write_unforced(path, content, unfinished)

    with monkeypatch.context() as patch:
        patch.setattr(picture_work, "write_unforced", full)
        with pytest.raises(OSError, match="No space left"):
            mine(faces, tmp_path / "out", settings, "sequential")
    with Mining(faces, tmp_path / "out", settings) as mining, monkeypatch.context() as patch:
        assert [result.resumed for result in mining.propose("sequential")] == [True] * 7 + [False] * 13
        patch.setattr("numpy.lib.format.write_array", no_room)
        with pytest.raises(OSError, match=r"No space left.*shard-00000\.npz"):
            list(mining.cut("sequential"))
    assert not [path for path in (tmp_path / "out").iterdir() if "shard" in path.name], "no half of a shard"
    with Mining(faces, tmp_path / "out", settings) as mining:
        assert all(result.resumed for result in mining.propose("sequential"))
        list(mining.cut("sequential"))
        mining.finish()
    assert digests(tmp_path / "out") == digests(mined)


def test_a_disk_that_fills_while_shards_are_written_beside_the_work_ends_it_with_the_file_named(
    faces: Path, mined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "copy"
    shutil.copytree(mined, out)
    for path in out.glob("shard-*.npz"):
        path.unlink()
    with Mining(faces, out, settings_for(12, **QUICK)) as mining, monkeypatch.context() as patch:
        list(mining.propose("threads"))
        patch.setattr("numpy.lib.format.write_array", no_room)
        with pytest.raises(OSError, match=r"No space left.*shard-0000\d\.npz"):
            list(mining.cut("threads"))
    assert not (out / "mined.json").is_file() and not list(out.glob("*shard*"))
    mine(faces, out, settings_for(12, **QUICK), "threads")
    assert digests(out) == digests(mined)


def test_pictures_larger_than_the_limit_are_mined_shrunk(tmp_path: Path, cascade_bundle: Path) -> None:
    data = write_faces(tmp_path / "data", 4)
    for path in (data / "images").iterdir():
        large = cv2.resize(cv2.imread(str(path)), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
        path.write_bytes(cv2.imencode(".png", large)[1].tobytes())
    lines = []
    for line in (data / "label.txt").read_text().splitlines():
        numbers = line.split()
        doubled = [str(2 * float(value)) for value in numbers[:4]] if line[0] != "#" else numbers
        lines.append(" ".join(doubled))
    (data / "label.txt").write_text("\n".join(lines) + "\n")
    settings = settings_for(24, model=str(cascade_bundle), score=0.3, max_side_px=64, **QUICK)
    card = mine(data, tmp_path / "out", settings, "sequential")
    assert card["counts"]["positive"] > 5
    for job in read_jobs(data):
        candidates = read_candidates(tmp_path / "out" / job.file)
        if not len(job.targets):
            continue
        assert candidates.boxes.max() > 80, "boxes are those of the picture itself"
        known = candidates.faces >= 0
        overlaps = iou(candidates.boxes[known], job.targets.boxes).max(axis=1, initial=0)
        np.testing.assert_allclose(overlaps, candidates.ious[known], atol=1e-4)


def test_data_without_faces_and_data_without_positives_are_told(small_faces: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError):
        mine(empty, tmp_path / "out", settings_for(12))
    assert not (tmp_path / "out").exists()
    with pytest.raises(DataError, match="no positives among the candidates of 10 pictures"):
        mine(small_faces, tmp_path / "out", settings_for(12, least_face_px=60, **QUICK), "sequential")


def test_a_model_that_cannot_propose_leaves_no_folder(
    small_faces: Path, bundle: Path, cascade_bundle: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for model, complaint in (
        (str(bundle), "is no cascade"),
        (str(tmp_path / "nowhere.onnx"), "no such model file"),
        (str(small_faces), "pnet.pt"),
    ):
        with pytest.raises(ModelError, match=complaint):
            mine(small_faces, out, settings_for(24, model=model))
    assert not out.exists()


def test_results_never_lie_among_the_sources(small_faces: Path) -> None:
    for out in (small_faces, small_faces / "out", small_faces.parent):
        with pytest.raises(UsageError, match="choose a folder elsewhere"):
            Mining(small_faces, out, settings_for(12))


@pytest.mark.parametrize(
    ("stage", "wrong"),
    [
        (13, {}),
        (24, {}),
        (12, {"model": "x.onnx"}),
        (12, {"score": 1.5}),
        (12, {"score": float("nan")}),
        (12, {"part_iou": 0.7}),
        (12, {"negative_iou": 0.0}),
        (12, {"ratio": (0, 1, 1, 0)}),
        (12, {"most_crops": 0}),
        (12, {"per_picture": 0}),
        (12, {"least_face_px": 1}),
        (12, {"seed": -1}),
        (12, {"colour": 3}),
    ],
)
def test_settings_out_of_range_are_refused(stage: int, wrong: dict) -> None:
    with pytest.raises(UsageError):
        settings_for(stage, **wrong)
