"""A bundle says all that is needed to use it, and a file that is none says so in one line."""

import json
import sys
from pathlib import Path

import onnx
import pytest

from ligera import files
from ligera.deploy.bundle import METADATA_KEY, BundleCard, card_from_metadata, write_bundle
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import MissingExtra, ModelError
from ligera.records import Decoding, Preprocess, PriorSpec

from .colour_sets import colours_card
from .conftest import spots_card


def identity_graph() -> bytes:
    shape = [1, 3, None, None]
    entry = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, shape)
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "identity", [entry], [out])
    opset = [onnx.helper.make_opsetid("", 17)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


def read(path: Path) -> BundleCard:
    return card_from_metadata(OnnxRuntime(path).metadata, str(path))


def test_a_card_comes_back_from_its_file_as_it_went_in(tmp_path: Path) -> None:
    card = BundleCard(
        name="face-ü",
        preprocess=Preprocess(mean=(1.0, 2.0, 3.0), channels="bgr", max_side=640, min_side=320),
        decoding=Decoding(PriorSpec((8, 16), ((4, 6.5), (32,))), nms_iou=0.3, activation="sigmoid"),
        labels=("face", "mask"),
        precision="int8",
        training_data="discs",
        scores={"AP50 (native)": 0.5},
        licence="CC0-1.0",
        recipe_sha256="ab" * 32,
    )
    written = write_bundle(identity_graph(), card, tmp_path / "a.onnx")
    assert read(tmp_path / "a.onnx") == written
    assert (written.name, written.decoding, written.scores) == (card.name, card.decoding, card.scores)
    assert written.ligera_version and len(written.graph_sha256) == 64


def test_the_graph_hash_is_that_of_the_network_and_not_of_its_card(tmp_path: Path) -> None:
    one = write_bundle(identity_graph(), spots_card("one"), tmp_path / "one.onnx")
    two = write_bundle(identity_graph(), spots_card("two", licence="MIT"), tmp_path / "two.onnx")
    assert one.graph_sha256 == two.graph_sha256
    rewritten = write_bundle((tmp_path / "two.onnx").read_bytes(), two, tmp_path / "three.onnx")
    assert rewritten.graph_sha256 == two.graph_sha256


def test_an_onnx_file_that_is_no_bundle_is_told_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "plain.onnx").write_bytes(identity_graph())
    with pytest.raises(
        ModelError, match=r"plain\.onnx: is an ONNX file but no Ligera bundle; .*ligera export"
    ) as error:
        read(tmp_path / "plain.onnx")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{not json", "not JSON"),
        ("[1, 2]", "card"),
        ('{"name": "x"}', "preprocess"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_damaged_metadata_is_named(text: str, message: str) -> None:
    with pytest.raises(ModelError, match=rf"face\.onnx: its Ligera metadata is damaged.*{message}"):
        card_from_metadata({METADATA_KEY: text}, "face.onnx")


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        (("decoding", "nms_iou"), "much", "decoding.nms_iou"),
        (("decoding", "nms_iou"), 3.0, "decoding"),
        (("preprocess", "channels"), "cmyk", "preprocess.channels"),
        (("task",), "make-coffee", "task"),
        (("name",), "", "card"),
    ],
)
def test_a_wrong_value_in_a_card_is_named_with_its_place(path: tuple[str, ...], value: object, place: str) -> None:
    values = json.loads(spots_card().to_json())
    inside = values
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    with pytest.raises(ModelError, match=rf"damaged \({place}") as error:
        card_from_metadata({METADATA_KEY: json.dumps(values)}, "face.onnx")
    assert "\n" not in str(error.value)


def test_a_bundle_of_a_later_format_asks_for_an_upgrade() -> None:
    values = json.loads(spots_card().to_json()) | {"format": 99, "task": "fold-laundry"}
    with pytest.raises(ModelError, match="format 99, this Ligera reads up to 1; run: pip install -U ligera"):
        card_from_metadata({METADATA_KEY: json.dumps(values)}, "face.onnx")


def test_keys_that_a_later_ligera_added_do_no_harm() -> None:
    values = json.loads(spots_card().to_json()) | {"mood": "sunny"}
    assert card_from_metadata({METADATA_KEY: json.dumps(values)}, "face.onnx") == spots_card()


def test_bytes_that_are_no_graph_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no valid ONNX model"):
        write_bundle(b"no graph", spots_card(), tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_bundle_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.onnx").write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_bundle(identity_graph(), spots_card(), tmp_path / "a.onnx")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("a.onnx", b"old")]


def test_writing_without_onnx_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtra, match=r"writing a bundle needs onnx.*ligera\[train\]"):
        write_bundle(b"", spots_card(), tmp_path / "a.onnx")


def test_a_classifiers_card_comes_back_from_its_file_as_it_went_in(tmp_path: Path) -> None:
    written = write_bundle(identity_graph(), colours_card("ü"), tmp_path / "a.onnx")
    card = read(tmp_path / "a.onnx")
    assert card == written
    assert (card.task, card.decoding, card.labels) == ("classify", None, ("red", "green", "blue"))
    assert card.preprocess == colours_card().preprocess


def test_a_card_written_before_there_were_classifiers_still_reads() -> None:
    values = json.loads(spots_card().to_json())
    del values["preprocess"]["crop"]
    assert card_from_metadata({METADATA_KEY: json.dumps(values)}, "face.onnx") == spots_card()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": ("red",)}, "labels: expected two or more"),
        ({"labels": ("red", "")}, "labels: expected two or more of a classifier, each with a name"),
        ({"labels": ("red", "blue", "red")}, "'red' more than once"),
        ({"preprocess": Preprocess()}, "preprocess: expected a fixed size"),
        ({"preprocess": Preprocess(fixed=(8192, 8192))}, "at most 4096 px, got"),
        ({"preprocess": Preprocess(fixed=(10**6, 10**6), crop=True)}, "preprocess: expected sides of"),
        ({"decoding": Decoding()}, "decoding: expected none for the task classify"),
    ],
)
def test_a_classifiers_card_that_cannot_be_true_is_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        colours_card(**changes)


def test_a_detectors_card_needs_a_decoding_and_no_crop() -> None:
    with pytest.raises(ValueError, match="decoding: expected one for the task detect-faces"):
        BundleCard("face", Preprocess())
    with pytest.raises(ValueError, match="preprocess: expected no crop"):
        BundleCard("face", Preprocess(fixed=(64, 64), crop=True), Decoding())


def test_a_layout_detectors_card_comes_back_as_it_went_in() -> None:
    card = BundleCard("pages", Preprocess(max_side=768), task="detect-regions", labels=("staff", "lyrics"))
    assert card_from_metadata({METADATA_KEY: card.to_json()}, "x") == card
    assert card.decoding is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": ("staff", "staff")}, "labels: expected different ones, got 'staff'"),
        ({"labels": ("staff", " ")}, "labels: expected names of classes, got ' '"),
        ({"labels": ("staff\n",)}, "labels: expected names of classes"),
        ({"labels": ("x" * 300,)}, "labels: expected names of classes"),
        ({"decoding": Decoding()}, "decoding: expected none for the task detect-regions"),
        ({"preprocess": Preprocess()}, "of free size up to a max_side"),
        ({"preprocess": Preprocess(max_side=64, layout="nhwc")}, "expected pages in nchw"),
        ({"preprocess": Preprocess(max_side=64, fixed=(64, 64))}, "of free size"),
    ],
)
def test_a_layout_detectors_card_that_cannot_be_true_is_refused(changes: dict[str, object], reason: str) -> None:
    fields = {"preprocess": Preprocess(max_side=768), "labels": ("staff",)} | changes
    with pytest.raises(ValueError, match=reason):
        BundleCard("pages", task="detect-regions", **fields)  # type: ignore[arg-type]
