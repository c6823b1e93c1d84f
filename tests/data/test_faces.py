"""RetinaFace label files are read in full, and each line that cannot be used is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ligera.data.faces import FaceSet, read_retinaface
from ligera.errors import DataError

from .conftest import write_picture

POINTS = "12 13 0 18 13 0 15 16 0 13 19 0 17 19 0"
UNKNOWN = " ".join(["-1.0"] * 15)


def write_labels(folder: Path, labels: str | bytes, pictures: tuple[str, ...] = ("a.jpg", "b.jpg")) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "label.txt").write_bytes(labels if isinstance(labels, bytes) else labels.encode())
    for name in pictures:
        write_picture(folder / "images" / name)
    return folder


def read(folder: Path, labels: str | bytes, **options: object) -> FaceSet:
    return read_retinaface(write_labels(folder, labels), strict=False, **options)


def test_boxes_landmarks_and_paths_are_read(tmp_path: Path) -> None:
    faces = read(tmp_path, f"# a.jpg\n10 10.5 10 20 {POINTS} 0.9\n1 2 3 4 {UNKNOWN} 1.0\n# b.jpg\n")
    assert faces.problems == ()
    assert [sample.path for sample in faces.samples] == [tmp_path / "images" / "a.jpg", tmp_path / "images" / "b.jpg"]
    first, second = faces.samples
    np.testing.assert_array_equal(first.targets.boxes, np.float32([[10, 10.5, 20, 30.5], [1, 2, 4, 6]]))
    np.testing.assert_array_equal(first.targets.landmarks[0], [[12, 13], [18, 13], [15, 16], [13, 19], [17, 19]])
    assert np.isnan(first.targets.landmarks[1]).all()
    assert len(second.targets) == 0
    assert (first.name, first.line, first.face_lines) == ("a.jpg", 1, (2, 3))
    assert faces.face_count == 2


def test_one_unknown_point_leaves_the_other_four(tmp_path: Path) -> None:
    points = "12 13 0 -1 -1 -1 15 16 1 -3.5 19 0 -1 -1 0"
    landmarks = read(tmp_path, f"# a.jpg\n10 10 10 20 {points} 1\n").samples[0].targets.landmarks[0]
    assert np.isnan(landmarks).all(axis=1).tolist() == [False, True, False, False, True]
    assert landmarks[3].tolist() == [-3.5, 19.0]


@pytest.mark.parametrize("rest", ["", "0.7", POINTS, POINTS + " 0.7"])
def test_landmarks_and_score_may_be_left_out(tmp_path: Path, rest: str) -> None:
    faces = read(tmp_path, f"# a.jpg\n10 10 10 20 {rest}\n")
    assert faces.problems == ()
    assert faces.samples[0].targets.boxes.tolist() == [[10, 10, 20, 30]]


def test_windows_line_ends_a_byte_order_mark_and_blank_lines_are_no_problem(tmp_path: Path) -> None:
    faces = read(tmp_path, b"\xef\xbb\xbf#a.jpg\r\n\r\n 1 2 3 4 \r\n")
    assert faces.problems == ()
    assert faces.samples[0].face_lines == (3,)


@pytest.mark.parametrize(
    "line, complaint",
    [
        ("1 2 3", "expected 4, 5, 19 or 20 numbers, got 3"),
        ("1 2 3 4 5 6", "expected 4, 5, 19 or 20 numbers, got 6"),
        ("1 2 x 4", "expected numbers, got 'x'"),
        ("1 2 nan 4", "expected finite numbers, got 'nan'"),
        ("1 2 inf 4", "expected finite numbers, got 'inf'"),
        ("1 2 1e7 4", "expected numbers up to 1,000,000, got '1e7'"),
        ("1 2 -3 4", "expected a box of positive size, got -3 x 4 px"),
        ("1 2 3 4 \x1b[31m", r"expected numbers, got '\\x1b\[31m'"),
        ("1" * 900, "expected (finite numbers|numbers up to 1,000,000), got '1{37}...'"),
        ("#", "expected the path of a picture, got nothing"),
        ("# a\0b.jpg", "expected the path of a picture"),
    ],
)
def test_a_malformed_line_is_named_by_file_and_line_and_left_out(tmp_path: Path, line: str, complaint: str) -> None:
    labels = f"# a.jpg\n1 2 3 4\n{line}\n# b.jpg\n5 6 7 8\n"
    faces = read(tmp_path, labels)
    (problem,) = faces.problems
    assert (problem.file, problem.line, problem.kind) == (tmp_path / "label.txt", 3, "malformed")
    assert faces.face_count == 2
    with pytest.raises(DataError, match=rf"label\.txt:3: {complaint}") as caught:
        read_retinaface(tmp_path)
    assert "\n" not in str(caught.value) and str(caught.value).isprintable()


def test_a_line_that_is_not_text_is_named(tmp_path: Path) -> None:
    faces = read(tmp_path, b"# a.jpg\n1 2 3 4\n\xff\xfe\xfa\n5 6 7 8\n")
    assert [str(p) for p in faces.problems] == [f"{tmp_path}/label.txt:3: is not UTF-8 text"]
    assert faces.face_count == 2


def test_a_box_before_the_first_picture_is_named(tmp_path: Path) -> None:
    faces = read(tmp_path, "1 2 3 4\n# a.jpg\n")
    assert "label.txt:1: a box before the first picture" in str(faces.problems[0])


def test_the_boxes_after_an_unusable_path_are_left_out_with_one_problem(tmp_path: Path) -> None:
    faces = read(tmp_path, "# \n1 2 3 4\n5 6 7 8\n# a.jpg\n1 2 3 4\n")
    assert len(faces.problems) == 1
    assert faces.face_count == 1


@pytest.mark.parametrize("line", ["5 5 0 4", "5 5 4 0", "-9 5 4 4", "5 -9 4 4"])
def test_a_box_without_area_or_outside_is_suspect_and_does_not_stop_a_strict_reader(tmp_path: Path, line: str) -> None:
    write_labels(tmp_path, f"# a.jpg\n{line}\n1 2 3 4\n")
    faces = read_retinaface(tmp_path)
    (problem,) = faces.problems
    assert (problem.line, problem.kind) == (2, "suspect")
    assert faces.samples[0].targets.boxes.tolist() == [[1, 2, 4, 6]]


def test_a_box_reaching_over_the_edge_is_kept(tmp_path: Path) -> None:
    faces = read(tmp_path, "# a.jpg\n-3 -2 10 10\n")
    assert faces.problems == ()
    assert faces.samples[0].targets.boxes.tolist() == [[-3, -2, 7, 8]]


def test_a_strict_reader_says_how_many_problems_follow(tmp_path: Path) -> None:
    write_labels(tmp_path, "# a.jpg\nx\n1 2\n5 5 0 0\ny\n")
    with pytest.raises(DataError, match=r"label\.txt:2: .* \(and 2 more"):
        read_retinaface(tmp_path)


def test_a_picture_that_is_not_there_is_named_by_its_line(tmp_path: Path) -> None:
    write_labels(tmp_path, "# a.jpg\n1 2 3 4\n# gone/c.jpg\n1 2 3 4\n")
    (problem,) = read_retinaface(tmp_path, strict=False).problems
    assert (problem.line, problem.kind) == (3, "missing")
    assert "gone/c.jpg" in problem.message
    with pytest.raises(DataError, match=r"label\.txt:3: .*gone/c\.jpg' is not there"):
        read_retinaface(tmp_path)
    assert read_retinaface(tmp_path, require_pictures=False).face_count == 2


def test_a_path_no_file_system_accepts_counts_as_missing(tmp_path: Path) -> None:
    faces = read(tmp_path, f"# {'x' * 5000}.jpg\n1 2 3 4\n")
    assert [p.kind for p in faces.problems] == ["missing"]
    assert len(str(faces.problems[0])) < 500


def test_a_picture_named_twice_is_joined_and_said(tmp_path: Path) -> None:
    faces = read(tmp_path, "# a.jpg\n1 2 3 4\n# b.jpg\n# a.jpg\n5 6 7 8\n")
    assert len(faces) == 2
    assert faces.samples[0].face_lines == (2, 5)
    assert "label.txt:4: 'a.jpg' again, after line 1" in str(faces.problems[0])


def test_ignore_regions_join_their_picture(tmp_path: Path) -> None:
    write_labels(tmp_path, "# a.jpg\n1 2 3 4\n# b.jpg\n")
    (tmp_path / "ignore.txt").write_text(
        "# b.jpg\n10 20 5 5 0.73\n1 1 2 2\n# z.jpg\n1 1 2 2 0.5\n# a.jpg\n1 1 2 2 3 4\n"
    )
    faces = read_retinaface(tmp_path, strict=False)
    assert faces.samples[0].targets.ignore.shape == (0, 4)
    assert faces.samples[1].targets.ignore.tolist() == [[10, 20, 15, 25], [1, 1, 3, 3]]
    unknown, malformed = faces.problems
    assert (unknown.file.name, unknown.line, unknown.kind) == ("ignore.txt", 4, "suspect")
    assert (malformed.line, malformed.message) == (7, "expected 4 or 5 numbers, got 6")


def test_pictures_in_background_become_samples_without_faces(tmp_path: Path) -> None:
    write_labels(tmp_path, "# a.jpg\n1 2 3 4\n", ("a.jpg",))
    write_picture(tmp_path / "background" / "sky.jpg")
    faces = read_retinaface(tmp_path)
    assert [len(sample.targets) for sample in faces.samples] == [1, 0]
    assert faces.samples[1].path == tmp_path / "background" / "sky.jpg"
    assert len(read_retinaface(tmp_path, backgrounds=False)) == 1


def test_an_empty_background_folder_adds_nothing(tmp_path: Path) -> None:
    write_labels(tmp_path, "# a.jpg\n1 2 3 4\n", ("a.jpg",))
    (tmp_path / "background").mkdir()
    assert len(read_retinaface(tmp_path)) == 1


def test_without_an_images_folder_paths_start_at_the_label_file(tmp_path: Path) -> None:
    write_picture(tmp_path / "bush" / "x.jpg")
    file = tmp_path / "label_teacher.txt"
    file.write_text(f"# bush/x.jpg\n10 10 10 20 {POINTS} 0.956\n")
    for source in (file, tmp_path):
        assert read_retinaface(source).samples[0].path == tmp_path / "bush" / "x.jpg"


def test_faces_a_machine_scored_low_become_ignore_regions(tmp_path: Path) -> None:
    labels = f"# a.jpg\n10 10 10 20 {POINTS} 0.9\n1 2 3 4 {POINTS} 0.4\n5 5 5 5\n"
    targets = read(tmp_path, labels, min_score=0.5).samples[0].targets
    assert targets.boxes.tolist() == [[10, 10, 20, 30], [5, 5, 10, 10]]
    assert targets.ignore.tolist() == [[1, 2, 4, 6]]


def test_a_file_that_names_no_picture_is_an_error(tmp_path: Path) -> None:
    write_labels(tmp_path, "\n\n")
    with pytest.raises(DataError, match=r"label\.txt: names no picture"):
        read_retinaface(tmp_path)


def test_a_place_without_labels_is_an_error_whatever_the_strictness(tmp_path: Path) -> None:
    for source, complaint in [(tmp_path / "none", "no such file or folder"), (tmp_path, "found none")]:
        with pytest.raises(DataError, match=complaint):
            read_retinaface(source, strict=False)
    (tmp_path / "label_1.txt").touch()
    (tmp_path / "label_2.txt").touch()
    with pytest.raises(DataError, match=r"found label_1\.txt, label_2\.txt; name one"):
        read_retinaface(tmp_path)


def test_garbage_ends_in_problems_never_in_a_traceback(tmp_path: Path) -> None:
    chance = np.random.default_rng(3)
    good = f"# a.jpg\n10 10 10 20 {POINTS} 0.9\n# b.jpg\n1 2 3 4\n".encode() * 3
    with_problems = 0
    for _ in range(200):
        content = bytearray(good)
        for place in chance.integers(0, len(content), 8):
            content[place] = chance.integers(0, 256)
        (tmp_path / "label.txt").write_bytes(content)
        (tmp_path / "ignore.txt").write_bytes(content[::-1])
        faces = read_retinaface(tmp_path, strict=False)
        with_problems += bool(faces.problems)
        assert all(str(problem).isprintable() for problem in faces.problems)
    assert with_problems > 150


def test_the_real_training_faces_are_all_read(faces_folder: Path) -> None:
    faces = read_retinaface(faces_folder / "train")
    assert faces.problems == ()
    assert sum(bool(sample.line) for sample in faces.samples) == 3210
    assert len(faces) == 3210 + 230
    assert faces.face_count == 7033
    assert sum(len(sample.targets.ignore) for sample in faces.samples) == 544


def test_the_real_validation_faces_are_all_read(faces_folder: Path) -> None:
    faces = read_retinaface(faces_folder / "val")
    assert (len(faces), faces.face_count, faces.problems) == (160, 1113, ())


def test_the_real_eyes_stand_left_to_right_as_the_viewer_sees_them(faces_folder: Path) -> None:
    samples = [s for s in read_retinaface(faces_folder / "train").samples if s.name.startswith("helen/")]
    points = np.concatenate([sample.targets.landmarks for sample in samples])
    assert len(points) >= 870
    assert (points[:, 0, 0] < points[:, 1, 0]).mean() > 0.99
    assert (points[:, 3, 0] < points[:, 4, 0]).mean() > 0.99
    assert (points[:, 2, 1] > points[:, :2, 1].mean(axis=1)).mean() > 0.99


def test_the_real_machine_labels_of_people_are_all_read(people_folder: Path) -> None:
    faces = read_retinaface(people_folder / "label_teacher.txt")
    assert (len(faces), faces.face_count, faces.problems) == (3400, 4102, ())
    assert read_retinaface(people_folder, min_score=0.9).face_count < 4102
