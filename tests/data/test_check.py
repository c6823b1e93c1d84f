"""The check reports what a data set holds and names everything wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ligera.data.check import FORMATS, check, detect_format
from ligera.errors import DataError, UsageError

from .conftest import write_picture

KNOWN = "12 13 0 18 13 0 15 16 0 13 19 0 17 19 0 0.9"


def write_retinaface(folder: Path, labels: str, pictures: tuple[str, ...]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "label.txt").write_text(labels)
    for name in pictures:
        write_picture(folder / "images" / name)
    return folder


def write_wider(folder: Path) -> Path:
    (folder / "wider_face_split").mkdir(parents=True)
    face = "5 6 7 8 0 0 0 0 0 0"
    (folder / "wider_face_split" / "wider_face_val_bbx_gt.txt").write_text(f"0--P/a.jpg\n1\n{face}\n")
    write_picture(folder / "WIDER_val" / "images" / "0--P" / "a.jpg")
    return folder


def test_pictures_faces_sizes_and_landmarks_are_counted(tmp_path: Path) -> None:
    write_retinaface(tmp_path, f"# a.jpg\n0 0 4 16 {KNOWN}\n0 0 4 4\n0 0 40 30\n# b.jpg\n", ("a.jpg", "b.jpg"))
    (tmp_path / "ignore.txt").write_text("# b.jpg\n1 1 5 5 0.7\n")
    write_picture(tmp_path / "background" / "sky.jpg")
    report = check(tmp_path)
    assert report.ok
    assert (report.format, report.pictures, report.backgrounds) == ("retinaface", 3, 2)
    assert (report.faces, report.ignore_regions) == (3, 1)
    assert [(s.from_px, s.below_px, s.faces) for s in report.sizes if s.faces] == [(0, 8, 1), (8, 16, 1), (32, 64, 1)]
    assert report.landmark_share == pytest.approx(1 / 3)


def test_a_missing_a_broken_and_a_malformed_part_are_named_by_file_and_line(tmp_path: Path) -> None:
    labels = "# a.jpg\n1 2 3 4\n# gone.jpg\n1 2 3 4\n# cut.jpg\n1 2 3 4\n# a2.jpg\n1 2 three 4\n"
    write_retinaface(tmp_path, labels, ("a.jpg", "cut.jpg", "a2.jpg"))
    cut = tmp_path / "images" / "cut.jpg"
    cut.write_bytes(cut.read_bytes()[:-50])
    report = check(tmp_path, workers=2)
    assert not report.ok
    assert (report.missing, report.broken) == (1, 1)
    assert {(p.kind, p.line) for p in report.problems} == {("malformed", 8), ("missing", 3), ("broken", 5)}
    assert all(p.file == tmp_path / "label.txt" for p in report.problems)
    broken = next(p for p in report.problems if p.kind == "broken")
    assert "cut.jpg: is truncated" in broken.message


def test_a_broken_background_is_named_itself(tmp_path: Path) -> None:
    write_retinaface(tmp_path, "# a.jpg\n", ("a.jpg",))
    (tmp_path / "background").mkdir()
    (tmp_path / "background" / "sky.png").write_bytes(b"")
    report = check(tmp_path)
    assert [str(p) for p in report.problems] == [f"{tmp_path}/background/sky.png: is empty"]


def test_a_face_outside_its_picture_is_suspect(tmp_path: Path) -> None:
    write_retinaface(tmp_path, "# a.jpg\n1 2 3 4\n59 39 30 30\n60 2 3 4\n5 40 3 4\n", ("a.jpg",))
    report = check(tmp_path)
    assert report.ok
    assert [(p.line, p.kind) for p in report.problems] == [(4, "suspect"), (5, "suspect")]
    assert "lies outside its 60 x 40 px picture" in report.problems[0].message


def test_without_faces_the_share_of_landmarks_is_unknown(tmp_path: Path) -> None:
    write_retinaface(tmp_path, "# a.jpg\n", ("a.jpg",))
    report = check(tmp_path)
    assert (report.faces, report.landmark_share) == (0, None)


def test_the_report_is_ready_for_json(tmp_path: Path) -> None:
    write_retinaface(tmp_path, "# a.jpg\n1 2 3 4\nx\n", ("a.jpg",))
    plain = json.loads(json.dumps(check(tmp_path).as_dict()))
    assert plain["sizes"][0] == {"from_px": 0, "below_px": 8, "faces": 1}
    assert plain["problems"] == [
        {"file": str(tmp_path / "label.txt"), "line": 3, "kind": "malformed", "message": "expected numbers, got 'x'"}
    ]


def test_the_format_is_told_from_the_files(tmp_path: Path) -> None:
    retinaface = write_retinaface(tmp_path / "r", "# a.jpg\n1 2 3 4\n", ("a.jpg",))
    wider = write_wider(tmp_path / "w")
    bbx = wider / "wider_face_split" / "wider_face_val_bbx_gt.txt"
    assert [detect_format(p) for p in (retinaface, retinaface / "label.txt")] == ["retinaface"] * 2
    assert [detect_format(p) for p in (wider, bbx.parent, bbx)] == ["widerface"] * 3
    assert check(wider).faces == check(bbx, "widerface").faces == 1


def test_a_folder_that_may_be_both_must_be_told_which(tmp_path: Path) -> None:
    write_wider(tmp_path)
    write_retinaface(tmp_path, "# a.jpg\n1 2 3 4\n1 2 3 4\n", ("a.jpg",))
    with pytest.raises(DataError, match="may be widerface or retinaface; say which with --format"):
        check(tmp_path)
    assert (check(tmp_path, "widerface").faces, check(tmp_path, "retinaface").faces) == (1, 2)


def test_a_place_that_is_neither_is_an_error_that_says_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello\nworld\n")
    for source in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(
            DataError, match=r"neither widerface .*, retinaface .* nor folders .*; say which with --format"
        ):
            check(source)
    with pytest.raises(DataError, match="no such file or folder"):
        check(tmp_path / "none")


def test_every_format_is_named_where_one_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        check(tmp_path, "voc")
    assert str(caught.value).endswith(", ".join(FORMATS))
    assert {"widerface", "retinaface", "cifar10", "folders"} <= set(FORMATS)


def test_faces_with_their_pictures_in_folders_are_no_classes(tmp_path: Path) -> None:
    write_retinaface(tmp_path, "# a.jpg\n1 2 3 4\n", ("a.jpg",))
    write_picture(tmp_path / "background" / "sky.jpg")
    assert detect_format(tmp_path) == "retinaface"
    (tmp_path / "label.txt").unlink()
    assert detect_format(tmp_path) == "folders"


def test_a_misspelt_format_gets_a_hint(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no format 'widerfaces'; did you mean 'widerface'"):
        check(tmp_path, "widerfaces")


def test_the_real_validation_faces_are_whole(faces_folder: Path) -> None:
    report = check(faces_folder / "val")
    assert (report.pictures, report.faces, report.ignore_regions, report.problems) == (160, 1113, 59, ())
    assert sum(bucket.faces for bucket in report.sizes) == 1113


def test_the_real_wider_layout_is_whole(faces_folder: Path) -> None:
    report = check(faces_folder / "wider_mini")
    assert (report.format, report.pictures, report.faces, report.problems) == ("widerface", 40, 659, ())
