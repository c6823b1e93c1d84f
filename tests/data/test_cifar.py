"""CIFAR-10's batches are read whole, and every way in which they can be wrong is one line that names the file."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ligera.data.cifar import read_cifar10
from ligera.errors import DataError, UsageError

from .class_sets import NAMES, cifar_rows, dump, write_cifar
from .conftest import REAL_DATA


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("text_keys", [False, True])
def test_every_batch_is_read_in_order_with_keys_of_either_python(
    tmp_path: Path, protocol: int, text_keys: bool
) -> None:
    place = write_cifar(tmp_path, protocol=protocol, text_keys=text_keys)
    train, test = read_cifar10(place), read_cifar10(place, "test")
    assert train.pictures.shape == (50, 32, 32, 3) and test.pictures.shape == (10, 32, 32, 3)
    assert train.names == NAMES and train.paths is None
    assert train.labels.tolist() == list(range(10)) * 5
    second_batch = cifar_rows(10, seed=1)
    np.testing.assert_array_equal(train.pictures[10:20].transpose(0, 3, 1, 2).reshape(10, 3072), second_batch)


def test_a_row_is_red_green_and_blue_planes_of_lines(tmp_path: Path) -> None:
    place = write_cifar(tmp_path)
    row = np.zeros(3072, np.uint8)
    row[32 * 2 + 5], row[1024 + 32 * 2 + 5], row[2048 + 32 * 2 + 5] = 200, 100, 50
    dump(place / "test_batch", {b"data": row[None], b"labels": [4]})
    picture = read_cifar10(place, "test").pictures[0]
    assert picture[2, 5].tolist() == [200, 100, 50]
    assert picture.sum() == 350


def test_the_folder_above_will_do(tmp_path: Path) -> None:
    write_cifar(tmp_path)
    assert len(read_cifar10(tmp_path, "test")) == 10


def test_labels_may_be_an_array(tmp_path: Path) -> None:
    place = write_cifar(tmp_path)
    dump(place / "test_batch", {b"data": cifar_rows(3), b"labels": np.array([9, 0, 3])})
    assert read_cifar10(place, "test").labels.tolist() == [9, 0, 3]


def test_missing_files_are_all_named(tmp_path: Path) -> None:
    place = write_cifar(tmp_path)
    (place / "data_batch_2").unlink()
    (place / "data_batch_5").unlink()
    with pytest.raises(DataError, match="data_batch_2, data_batch_5 are missing"):
        read_cifar10(place)
    assert len(read_cifar10(place, "test")) == 10
    (place / "batches.meta").unlink()
    with pytest.raises(DataError, match=r"batches\.meta is missing"):
        read_cifar10(place, "test")


def test_a_place_without_batches_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected data_batch_1 or the folder cifar-10-batches-py"):
        read_cifar10(tmp_path)
    with pytest.raises(DataError, match="no such file or folder"):
        read_cifar10(tmp_path / "none")
    archive = tmp_path / "cifar-10-python.tar.gz"
    archive.write_bytes(b"x")
    with pytest.raises(DataError, match=r"is a file; unpack cifar-10-python\.tar\.gz"):
        read_cifar10(archive)


def test_another_split_gets_a_hint(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected train or test, got 'tests'; did you mean 'test'"):
        read_cifar10(tmp_path, "tests")


GOOD = {b"data": cifar_rows(3), b"labels": [1, 2, 3]}


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ([1, 2], "expected a dictionary, got a list of int"),
        ({}, r"expected data of uint8 \(n, 3072\), got none"),
        (GOOD | {b"data": b"123"}, "got a bytes"),
        (GOOD | {b"data": cifar_rows(3)[:, :100]}, r"got uint8 \(3, 100\)"),
        (GOOD | {b"data": cifar_rows(3).astype(np.float32)}, r"got float32 \(3, 3072\)"),
        (GOOD | {b"data": cifar_rows(3).ravel()}, r"got uint8 \(9216,\)"),
        (GOOD | {b"data": cifar_rows(0), b"labels": []}, "holds no pictures"),
        (GOOD | {b"labels": None}, "expected labels as a list of whole numbers, got none"),
        (GOOD | {b"labels": [1, 2, "3"]}, "got a list of int, str"),
        (GOOD | {b"labels": [1, 2, True]}, "got a list of bool, int"),
        (GOOD | {b"labels": [1, 2]}, "holds 3 pictures but 2 labels"),
        (GOOD | {b"labels": [1, 10, 3]}, r"picture 1 \(from 0\) has the label 10, expected 0 to 9"),
        (GOOD | {b"labels": [1, -1, 3]}, "has the label -1"),
        (GOOD | {b"labels": [1, 2**70, 3]}, "has the label a number of more than 64 bits"),
        (GOOD | {b"labels": [1, 10**5000, 3]}, "has the label a number of more than 64 bits"),
        (GOOD | {b"x": Path("x")}, "asks to import"),
    ],
)
def test_a_batch_that_says_something_else_is_named(tmp_path: Path, value: object, complaint: str) -> None:
    file = write_cifar(tmp_path) / "data_batch_3"
    dump(file, value, 4)
    with pytest.raises(DataError, match=complaint) as caught:
        read_cifar10(tmp_path)
    assert str(caught.value).startswith(f"{file}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize("names", [None, [], [b"cat"], [b"cat", b"cat"], [b"cat", 3], "cats"])
def test_names_that_are_none_are_refused(tmp_path: Path, names: object) -> None:
    dump(write_cifar(tmp_path) / "batches.meta", {b"label_names": names})
    with pytest.raises(DataError, match=r"batches\.meta: expected"):
        read_cifar10(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_batch_cut_short_is_named(tmp_path: Path, share: float) -> None:
    file = write_cifar(tmp_path) / "data_batch_1"
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match="data_batch_1: is cut short"):
        read_cifar10(tmp_path)


def test_a_pickle_that_would_run_a_command_is_refused(tmp_path: Path) -> None:
    place = write_cifar(tmp_path)
    (place / "test_batch").write_bytes(b"cos\nsystem\n(S'touch " + bytes(tmp_path / "ran") + b"'\ntR.")
    with pytest.raises(DataError, match=r"test_batch: asks to import os\.system, .* do not trust it"):
        read_cifar10(place, "test")
    assert not (tmp_path / "ran").exists()


def test_a_file_too_large_for_a_batch_is_not_read(tmp_path: Path) -> None:
    file = write_cifar(tmp_path) / "test_batch"
    os.truncate(file, 10**12)
    with pytest.raises(DataError, match="1,000,000 MB, too large"):
        read_cifar10(tmp_path, "test")


def test_real_pictures_come_back_as_they_look(tmp_path: Path) -> None:
    packed = REAL_DATA / "cifar10" / "cifar10_jpeg.npz"
    if not packed.is_file():
        pytest.skip("the real CIFAR-10 pictures do not stand at ../shared/data")
    with np.load(packed) as arrays:
        prefix, body, lengths = arrays["prefix"].tobytes(), arrays["body"].tobytes(), arrays["lengths"]
        labels = arrays["y_train"][:20].tolist()
    ends = np.cumsum(lengths[:20].astype(int)).tolist()
    parts = [prefix + body[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    pictures = np.stack([np.asarray(Image.open(io.BytesIO(part)).convert("RGB")) for part in parts])
    place = write_cifar(tmp_path)
    rows = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)).reshape(20, 3072)
    dump(place / "test_batch", {b"data": rows, b"labels": labels})
    read = read_cifar10(place, "test")
    np.testing.assert_array_equal(read.pictures, pictures)
    assert [NAMES[label] for label in read.labels[:3]] == ["frog", "truck", "truck"]
