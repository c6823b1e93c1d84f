"""Arrays in one file: the same bytes for the same arrays, and damage is one line."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ligera.data.arrays import read_arrays, read_shapes, save_arrays
from ligera.errors import DataError


def sample() -> dict[str, np.ndarray]:
    return {
        "numbers": np.arange(12, dtype=np.float32).reshape(3, 4),
        "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "nothing": np.zeros((0, 4), np.int8),
        "single": np.array(7.5),
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some.npz"
    save_arrays(path, sample())
    return path


def test_what_was_written_is_read_again_by_us_and_by_numpy(file: Path) -> None:
    ours = read_arrays(file, sample())
    with np.load(file) as theirs:
        for name, array in sample().items():
            np.testing.assert_array_equal(ours[name], array)
            assert ours[name].dtype == array.dtype and ours[name].shape == array.shape
            np.testing.assert_array_equal(theirs[name], array)
    assert read_shapes(file, ["numbers", "nothing"]) == {"numbers": (3, 4), "nothing": (0, 4)}


def test_what_numpy_writes_is_read_in_either_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "theirs.npz", **sample())
    for name, array in read_arrays(tmp_path / "theirs.npz", sample()).items():
        np.testing.assert_array_equal(array, sample()[name])


def test_the_same_arrays_are_the_same_bytes_at_any_time(file: Path) -> None:
    again = io.BytesIO()
    save_arrays(again, sample())
    assert again.getvalue() == file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_any_flipped_byte_of_an_array_is_seen(file: Path) -> None:
    content = file.read_bytes()
    place = content.index(sample()["numbers"].tobytes()) + 5
    file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    with pytest.raises(DataError, match=r"some\.npz: is damaged .*remove it"):
        read_arrays(file, sample())


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_file_cut_short_is_one_line(file: Path, share: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    for read in (read_arrays, read_shapes):
        with pytest.raises(DataError, match="is damaged") as caught:
            read(file, sample())
        assert "\n" not in str(caught.value)


def test_a_missing_array_is_named(file: Path) -> None:
    with pytest.raises(DataError, match="weights"):
        read_arrays(file, ["weights"])


def test_a_header_that_asks_for_all_memory_is_refused_before_any_is_taken(tmp_path: Path) -> None:
    lying = io.BytesIO()
    np.lib.format.write_array_header_1_0(lying, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 10**6)})
    with zipfile.ZipFile(tmp_path / "lying.npz", "w") as archive:
        archive.writestr("numbers.npy", lying.getvalue())
    with pytest.raises(DataError, match="not as long as its shape says"):
        read_arrays(tmp_path / "lying.npz", ["numbers"])


def test_objects_which_could_run_code_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", numbers=np.array([{}, []], dtype=object))
    with pytest.raises(DataError, match="holds Python objects"):
        read_arrays(tmp_path / "objects.npz", ["numbers"])
