"""Archives of blocks: the same bytes each time, graphs that run, and damage that is named."""

import json
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import pytest

from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import DataError
from ligera.search import sourcing
from ligera.search.archive import open_archive, write_archive
from ligera.search.exporting import export_space
from ligera.search.pieces import cost_of
from ligera.search.sourcing import SHIPPED, open_blocks
from ligera.search.space import read_space

from .archives import NETS, archive, space_file

__all__ = ["archive", "space_file"]
RECIPES = Path(__file__).parents[2] / "recipes" / "spaces"


def test_every_graph_is_there_and_takes_the_input_that_its_entry_names(archive: Path) -> None:
    with open_archive(archive) as blocks:
        space = blocks.space
        for entry in space.entries():
            runtime = OnnxRuntime(blocks.entry(entry), threads=1)
            outputs = runtime.run(np.ones(entry.input_shape, np.float32))
            assert all(np.isfinite(value).all() for value in outputs.values())
            assert blocks.cost(entry) == asdict(cost_of(space, entry))
        for frame in space.frames():
            OnnxRuntime(blocks.frame(frame), threads=1).run(np.ones(frame.input_shape, np.float32))
        assert len(blocks.nets) == NETS
        net = OnnxRuntime(blocks.net(blocks.nets[0]), threads=1)
        assert set(net.run(np.ones((1, 3, 64, 64), np.float32))) == {"boxes", "scores", "landmarks"}


def test_sides_stay_open_as_in_what_ships(archive: Path) -> None:
    with open_archive(archive) as blocks:
        graph = onnx.load_model_from_string(blocks.entry(blocks.space.entries()[3])).graph
    assert [side.dim_param for side in graph.input[0].type.tensor_type.shape.dim] == ["batch", "", "height", "width"]


def test_two_exports_are_the_same_bytes(archive: Path, space_file: Path, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("again.zip", "packed.zip")]
    export_space(read_space(space_file), paths[0], source=space_file, nets=1)
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(paths[0]) as new:
        graphs = [(name, new.read(name)) for name in new.namelist() if name != "card.json"]
        assert all(old.read(name) == content for name, content in graphs)
    with open_archive(paths[0]) as blocks:
        write_archive(paths[1], blocks.card, graphs)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_damage_and_strangers_are_named(archive: Path, tmp_path: Path) -> None:
    path = tmp_path / "blocks.zip"
    for content, said in ((b"", "no archive of blocks"), (archive.read_bytes()[:5000], "no archive of blocks")):
        path.write_bytes(content)
        with pytest.raises(DataError, match=said), open_archive(path):
            pass
    with pytest.raises(DataError, match="cannot be read"), open_archive(tmp_path / "nowhere.zip"):
        pass
    for name, content, said in (
        ("readme.txt", "hello", r"has no card.json"),
        ("card.json", "{", "card is damaged"),
        ("card.json", "[]", "card is damaged"),
        ("card.json", '{"format": 9}', "of format 9"),
    ):
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(name, content)
        with pytest.raises(DataError, match=said), open_archive(path):
            pass


def test_a_graph_that_is_missing_or_broken_is_named(archive: Path, tmp_path: Path) -> None:
    path = tmp_path / "blocks.zip"
    with open_archive(archive) as blocks:
        entry = blocks.space.entries()[0]
        write_archive(path, blocks.card, [])
    with open_archive(path) as blocks, pytest.raises(DataError, match="has no stem-4"):
        blocks.entry(entry)
    content = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as file:
        info = file.getinfo("entries/00000.onnx")
    content[info.header_offset + 60] ^= 255
    path.write_bytes(content)
    with open_archive(path) as blocks, pytest.raises(DataError, match=r"stem-4.* is damaged"):
        blocks.entry(entry)


def test_the_standard_space_ships_with_its_blocks() -> None:
    with open_blocks(RECIPES / "tiny.yaml") as blocks:
        assert blocks.path == SHIPPED / "tiny.zip"
        assert blocks.space == read_space(RECIPES / "tiny.yaml")
        for entry in blocks.space.entries()[::8]:
            assert blocks.cost(entry) == asdict(cost_of(blocks.space, entry)), "blocks changed: export tiny.zip anew"


def test_another_space_is_built_on_the_spot_and_needs_torch(
    space_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sourcing.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Exception, match="needs torch, which is not installed") as caught, open_blocks(space_file):
        pass
    assert caught.value.exit_code == 3  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="no such file"), open_blocks(tmp_path / "none.yaml"):
        pass


def test_the_card_says_where_everything_is(archive: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        card = json.loads(file.read("card.json"))
        named = {row["file"] for row in card["entries"].values()} | {*card["frames"].values(), *card["nets"].values()}
        assert named | {"card.json"} == set(file.namelist())
        assert {info.date_time for info in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
