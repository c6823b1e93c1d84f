"""A net for a budget out of a given time: table, search, training and bundle, once, whatever kills it."""

import json
from pathlib import Path

import pytest

import ligera
from ligera.errors import DataError
from ligera.search import competing
from ligera.search.competing import Ask, search_for
from ligera.search.exporting import export_space

from .searches import mini_space

FAST = {"samples_per_epoch": 4, "side_px": 64, "batch": 2, "held_out": 0.5, "band": 0.4, "threads": 1, "rungs": 1}


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("blocks") / "mini.zip"
    export_space(mini_space(), path)
    return path


@pytest.fixture
def ask(faces: Path, blocks: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    monkeypatch.setattr(competing, "EPOCHS", 1)
    # as little measuring as there can be, and as little training
    monkeypatch.setattr(competing, "settings_for", lambda runtime, **_: quick_settings())
    return Ask(faces, 50.0, 1.0, 1, blocks, tuple(FAST.items()))


def quick_settings():
    from ligera.search.table import Settings

    return Settings(rounds=1, warm_up_runs=0, samples=5, rest_ms=0, most_repeats=0)


def test_a_search_ends_in_a_bundle_that_detects_and_says_what_it_cost(ask: Ask, tmp_path: Path) -> None:
    said: list[str] = []
    found = search_for(ask, tmp_path / "one", tmp_path / "tables", said.append)
    assert Path(found.model) == tmp_path / "one" / "searched.onnx"
    with ligera.load(found.model) as detector:
        assert detector.task == "detect-faces"
    assert set(found.parts_s) == {"table", "search", "training"} and all(s > 0 for s in found.parts_s.values())
    assert found.trials >= 3 and found.asked_s == 1.0
    assert any("latency table" in line for line in said) and any("AP50" in line for line in said)
    before = Path(found.model).stat().st_mtime_ns
    assert search_for(ask, tmp_path / "one", tmp_path / "tables") == found
    assert Path(found.model).stat().st_mtime_ns == before


@pytest.mark.parametrize("words", ["rung 1", "training the net"])
def test_a_killed_search_goes_on(words: str, ask: Ask, tmp_path: Path) -> None:
    def dying(text: str) -> None:
        if words in text:
            raise Killed

    with pytest.raises(Killed):
        search_for(ask, tmp_path / "cut", tmp_path / "tables", dying)
    said: list[str] = []
    found = search_for(ask, tmp_path / "cut", tmp_path / "tables", said.append)
    assert Path(found.model).is_file()
    # the table was made before and is not measured again
    assert not any("latency table" in line for line in said)


def test_a_search_that_was_begun_keeps_its_target(ask: Ask, tmp_path: Path) -> None:
    folder = tmp_path / "begun"
    folder.mkdir()
    (folder / "plan.json").write_text(json.dumps({"network_ms": 1e-9}))
    with pytest.raises(DataError, match=r"quickest net takes .* ms at 64 px, and 0.00 ms were asked for"):
        search_for(ask, folder, tmp_path / "tables")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "plan.json").write_text("{")
    with pytest.raises(DataError, match=r"plan\.json: damaged"):
        search_for(ask, damaged, tmp_path / "tables")


def test_a_new_version_of_the_runtime_gets_a_new_table(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = tmp_path / "tables"
    search_for(ask, tmp_path / "one", tables)
    monkeypatch.setattr(competing, "runtime_version", lambda name: "99.0")
    search_for(ask, tmp_path / "two", tables)
    assert len(list(tables.glob("mini-*.json"))) == 2


def test_pictures_without_faces_are_refused_before_anything_is_measured(ask: Ask, tmp_path: Path) -> None:
    from dataclasses import replace

    (tmp_path / "label.txt").write_text("")
    with pytest.raises(DataError):
        search_for(replace(ask, train=tmp_path), tmp_path / "x", tmp_path / "tables")
    assert not (tmp_path / "tables").exists()
