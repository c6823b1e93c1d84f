"""Shards of crops: what mining hands to training."""

from pathlib import Path

import numpy as np
import pytest

from ligera.data.crops import CARD, KINDS, PROGRESS, CropSet, read_crops, shard_paths, write_crops
from ligera.errors import DataError


def crops(count: int, side: int = 12, seed: int = 0) -> CropSet:
    generator = np.random.default_rng(seed)
    return CropSet(
        generator.integers(0, 256, (count, side, side, 3), np.uint8),
        generator.integers(0, len(KINDS), count).astype(np.int8),
        generator.normal(size=(count, 4)).astype(np.float32),
        np.full((count, 10), np.nan, np.float32),
    )


def test_shards_are_read_as_one_set_in_their_order(tmp_path: Path) -> None:
    parts = [crops(count, seed=count) for count in (5, 0, 3)]
    paths = [write_crops(tmp_path, number, part) for number, part in enumerate(parts)]
    assert [path.name for path in paths] == ["shard-00000.npz", "shard-00001.npz", "shard-00002.npz"]
    whole = read_crops(tmp_path)
    assert len(whole) == 8 and whole.side_px == 12
    for name in ("pixels", "kinds", "boxes", "landmarks"):
        np.testing.assert_array_equal(getattr(whole, name), np.concatenate([getattr(part, name) for part in parts]))
    assert sum(whole.counts().values()) == 8 and list(whole.counts()) == list(KINDS)
    np.testing.assert_array_equal(whole.take(slice(5, 8)).pixels, parts[2].pixels)


def test_the_same_crops_are_the_same_bytes(tmp_path: Path) -> None:
    first, second = (write_crops(tmp_path / name, 0, crops(4)) for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_a_shard_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_crops(tmp_path, 0, crops(4))
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("numpy.lib.format.write_array", full)
        with pytest.raises(OSError, match="No space left"):
            write_crops(tmp_path, 0, crops(6))
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["shard-00000.npz"]


def test_a_folder_without_shards_and_one_that_is_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no shard-00000"):
        read_crops(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        read_crops(tmp_path / "nowhere")


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    for number in range(3):
        write_crops(tmp_path, number, crops(2))
    (tmp_path / "shard-00001.npz").unlink()
    with pytest.raises(DataError, match=r"shard-00001\.npz is missing"):
        shard_paths(tmp_path)


def test_a_mining_that_has_not_ended_is_no_training_set(tmp_path: Path) -> None:
    write_crops(tmp_path, 0, crops(2))
    (tmp_path / PROGRESS).write_text("{}\n")
    with pytest.raises(DataError, match="has not ended"):
        read_crops(tmp_path)
    (tmp_path / CARD).write_text("{}")
    assert len(read_crops(tmp_path)) == 2


def test_sides_that_differ_are_named_with_both_files(tmp_path: Path) -> None:
    write_crops(tmp_path, 0, crops(2, side=12))
    write_crops(tmp_path, 1, crops(2, side=24))
    with pytest.raises(DataError, match="holds crops of 24 px, but 12 px in shard-00000"):
        read_crops(tmp_path)


def test_a_damaged_shard_is_named_in_one_line(tmp_path: Path) -> None:
    write_crops(tmp_path, 0, crops(3))
    path = write_crops(tmp_path, 1, crops(3))
    content = path.read_bytes()
    for damaged in (content[:-40], content[:300] + b"!" + content[301:], b"", b"PK"):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"shard-00001\.npz: is damaged") as caught:
            read_crops(tmp_path)
        assert "\n" not in str(caught.value)


def test_arrays_that_do_not_belong_together_are_a_damaged_shard(tmp_path: Path) -> None:
    path = write_crops(tmp_path, 0, crops(3))
    with np.load(path) as stored:
        arrays = dict(stored)
    np.savez(path, **(arrays | {"kinds": arrays["kinds"][:2]}))
    with pytest.raises(DataError, match="kinds: expected int8"):
        read_crops(tmp_path)
    np.savez(path, **(arrays | {"kinds": np.full(3, 9, np.int8)}))
    with pytest.raises(DataError, match="kinds: expected 0 to 3"):
        read_crops(tmp_path)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("pixels", np.zeros((3, 12, 12, 3), np.float32)),
        ("pixels", np.zeros((3, 12, 13, 3), np.uint8)),
        ("kinds", np.zeros(3, np.int64)),
        ("boxes", np.zeros((3, 5), np.float32)),
        ("landmarks", np.zeros((2, 10), np.float32)),
    ],
)
def test_a_set_of_wrong_arrays_is_refused(name: str, wrong: np.ndarray) -> None:
    good = crops(3)
    arrays = {field: getattr(good, field) for field in ("pixels", "kinds", "boxes", "landmarks")}
    with pytest.raises(ValueError, match="expected"):
        CropSet(**(arrays | {name: wrong}))
