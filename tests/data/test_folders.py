"""A folder per class becomes one array of squares, and whatever is wrong is said before anything is trained."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ligera.data.folders import centre_square, find_splits, read_folders, read_split
from ligera.errors import DataError, UsageError

from .class_sets import write_classes
from .conftest import write_picture


def write_colour(path: Path, colour: tuple[int, int, int], width: int = 20, height: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width, 3), colour[::-1], np.uint8))


def test_classes_are_the_folders_in_sorted_order(tmp_path: Path) -> None:
    write_colour(tmp_path / "dog" / "rex.png", (200, 0, 0))
    write_colour(tmp_path / "cat" / "deep" / "tom.png", (0, 200, 0))
    write_colour(tmp_path / "cat" / "mia.png", (0, 0, 200))
    read = read_folders(tmp_path, 8)
    assert read.names == ("cat", "dog")
    assert read.labels.tolist() == [0, 0, 1]
    assert [Path(path).name for path in read.paths] == ["mia.png", "tom.png", "rex.png"]
    assert read.pictures.shape == (3, 8, 8, 3)
    assert read.pictures[:, 4, 4].tolist() == [[0, 0, 200], [0, 200, 0], [200, 0, 0]]


def test_any_number_of_threads_gives_the_same_array(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 7, "b": 5})
    one, many = read_folders(tmp_path, 12, workers=1), read_folders(tmp_path, 12, workers=5)
    np.testing.assert_array_equal(one.pictures, many.pictures)


@pytest.mark.parametrize(("width", "height"), [(30, 10), (10, 30), (31, 10), (9, 40), (10, 10)])
def test_the_middle_of_the_longer_side_is_kept(width: int, height: int) -> None:
    pixels = np.zeros((height, width, 3), np.uint8)
    middle = slice((width - 10) // 2 + 3, (width - 10) // 2 + 7), slice((height - 10) // 2 + 3, (height - 10) // 2 + 7)
    pixels[middle[1], middle[0]] = 255
    square = centre_square(pixels, 10)
    assert square.shape == (10, 10, 3)
    assert (square[4:6, 4:6] == 255).all() and square[:2].max() == square[:, :2].max() == 0


def test_fine_detail_is_averaged_when_it_shrinks() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    assert np.unique(centre_square(stripes, 16)).tolist() == [100]


def test_a_picture_of_the_right_size_is_untouched() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    np.testing.assert_array_equal(centre_square(pixels, 16), pixels)
    assert centre_square(pixels[:9, :9], 16).shape == (16, 16, 3)


def test_hidden_files_and_litter_are_passed_over(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 1, "b": 1, ".ipynb_checkpoints": 1, "__MACOSX": 1})
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._0.jpg"):
        (tmp_path / "a" / name).write_bytes(b"x")
    (tmp_path / "README.md").write_text("about these pictures")
    assert read_folders(tmp_path, 8).labels.tolist() == [0, 1]


def test_an_empty_class_is_named(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 1, "b": 1, "c": 0})
    with pytest.raises(DataError, match=r"c: is a class without pictures"):
        read_folders(tmp_path, 8)


def test_one_class_is_too_few(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 2})
    with pytest.raises(DataError, match="holds one class, 'a'; expected two or more"):
        read_folders(tmp_path, 8)


def test_a_folder_without_classes_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no class folders; expected one folder of pictures for each class"):
        read_folders(tmp_path, 8)
    with pytest.raises(DataError, match="no such folder"):
        read_folders(tmp_path / "none", 8)
    with pytest.raises(DataError, match="is a file, expected a folder"):
        read_folders(write_picture(tmp_path / "a.jpg"), 8)


def test_a_picture_beside_the_class_folders_is_not_lost_in_silence(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 1, "b": 1})
    write_picture(tmp_path / "loose.jpg")
    with pytest.raises(DataError, match=r"pictures outside any class folder \('loose\.jpg'\)"):
        read_folders(tmp_path, 8)


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 1, "b": 1})
    (tmp_path / "b" / "deep").mkdir()
    (tmp_path / "b" / "deep" / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"notes\.txt: is no picture by its name; remove or rename it"):
        read_folders(tmp_path, 8)


def test_pictures_that_cannot_be_read_are_named_up_to_three(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 6, "b": 1})
    for number in range(5):
        (tmp_path / "a" / f"{number}.jpg").write_bytes(b"not a picture")
    with pytest.raises(DataError) as caught:
        read_folders(tmp_path, 8)
    message = str(caught.value)
    assert "\n" not in message and message.count("is not a picture") == 3
    assert all(str(tmp_path / "a" / f"{number}.jpg") in message for number in range(3))
    assert f"and 2 more; `ligera data check {tmp_path}` lists all" in message


def test_memory_is_predicted_before_anything_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_classes(tmp_path, {"a": 3, "b": 2})
    monkeypatch.setattr("ligera.data.folders.read_picture", lambda path: pytest.fail("decoded"))
    with pytest.raises(DataError, match=r"5 pictures of 100 x 100 px take 0\.1 MiB .* limit of 0\.1 MiB; side_px 81"):
        read_folders(tmp_path, 100, most_bytes=100_000)
    with pytest.raises(DataError, match="take fewer pictures"):
        read_folders(tmp_path, 100, most_bytes=500)
    with pytest.raises(DataError, match=r"take 1,396,983\.9 GiB in memory, above the limit of 4\.0 GiB"):
        read_folders(tmp_path, 10_000_000)


def test_the_side_that_is_said_to_fit_does_and_one_more_does_not(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 3, "b": 2})
    assert read_folders(tmp_path, 81, most_bytes=100_000).pictures.nbytes <= 100_000
    with pytest.raises(DataError, match="side_px 81 would fit"):
        read_folders(tmp_path, 82, most_bytes=100_000)


@pytest.mark.parametrize("side_px", [0, 7, -3, 2.5, True, "64"])
def test_a_side_that_is_none_is_refused(tmp_path: Path, side_px: object) -> None:
    with pytest.raises(UsageError, match="side_px: expected a whole number of 8 or more"):
        read_folders(tmp_path, side_px)


@pytest.mark.parametrize("validation", ["val", "valid", "validation", "Val"])
def test_splits_are_read_by_their_names_with_the_labels_of_training(tmp_path: Path, validation: str) -> None:
    write_classes(tmp_path / "train", {"a": 2, "b": 2, "c": 1})
    write_classes(tmp_path / validation, {"c": 1})
    write_classes(tmp_path / "test", {"b": 2, "a": 1})
    train, held, test = read_split(tmp_path, 8)
    assert train.labels.tolist() == [0, 0, 1, 1, 2]
    assert held.labels.tolist() == [2] and held.names == train.names == ("a", "b", "c")
    assert test.labels.tolist() == [0, 1, 1]


def test_without_that_layout_all_is_training(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 1, "b": 1})
    train, validation, test = read_split(tmp_path, 8)
    assert len(train) == 2 and validation is None and test is None


def test_training_alone_is_a_layout_too(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", {"a": 1, "b": 1})
    train, validation, test = read_split(tmp_path, 8)
    assert train.names == ("a", "b") and validation is None and test is None


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    write_classes(tmp_path, {"bus": 1, "train": 2, "test": 1})
    assert find_splits(tmp_path) == {}
    assert read_folders(tmp_path, 8).names == ("bus", "test", "train")


def test_splits_are_not_mistaken_for_classes(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", {"a": 1, "b": 1})
    write_classes(tmp_path / "val", {"a": 1})
    with pytest.raises(DataError, match="holds train/ and val/, not classes"):
        read_folders(tmp_path, 8)


def test_a_layout_that_may_be_read_two_ways_is_refused(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", {"a": 1, "b": 1})
    write_classes(tmp_path / "val", {"a": 1})
    write_classes(tmp_path / "valid", {"a": 1})
    with pytest.raises(DataError, match="holds both val/ and valid/; keep one"):
        read_split(tmp_path, 8)
    (tmp_path / "valid").rename(tmp_path / "more")
    with pytest.raises(DataError, match="folders in it and also 'more'; expected either"):
        read_split(tmp_path, 8)


def test_a_class_that_training_does_not_know_gets_a_hint(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", {"cats": 1, "dogs": 1})
    write_classes(tmp_path / "val", {"cat": 1})
    with pytest.raises(DataError, match="class that the training pictures do not have; did you mean 'cats'"):
        read_split(tmp_path, 8)


def test_a_test_folder_without_labels_is_said_to_be_so(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", {"a": 1, "b": 1})
    write_picture(tmp_path / "test" / "1.jpg")
    with pytest.raises(DataError, match=r"test: holds pictures outside any class folder .* \| .*no class folders"):
        read_split(tmp_path, 8)


def test_the_limit_of_memory_is_for_all_splits_together(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", {"a": 1, "b": 1})
    write_classes(tmp_path / "val", {"a": 1, "b": 1})
    with pytest.raises(DataError, match="4 pictures of 10 x 10 px"):
        read_split(tmp_path, 10, most_bytes=1100)
    assert len(read_split(tmp_path, 10, most_bytes=1200)[1]) == 2


def test_links_to_folders_are_followed_and_circles_end(tmp_path: Path) -> None:
    write_classes(tmp_path / "elsewhere", {"x": 2})
    write_classes(tmp_path / "set", {"a": 1})
    (tmp_path / "set" / "b").symlink_to(tmp_path / "elsewhere" / "x")
    (tmp_path / "set" / "a" / "again").symlink_to(tmp_path / "set" / "a")
    assert read_folders(tmp_path / "set", 8).labels.tolist() == [0, 1, 1]


def test_the_real_people_are_two_classes(people_folder: Path) -> None:
    from ligera.data.folders import list_classes

    listed = list_classes(people_folder)
    assert listed.names == ("bush", "others")
    assert [listed.labels.count(label) for label in (0, 1)] == [400, 3000]
