"""The whole detector without torch against torch, with weights that know nothing and weights that know a page."""

import json
import subprocess
import sys
from dataclasses import asdict

import cv2
import numpy as np
import onnx
import pytest

from ligera.boxes import iou
from ligera.deploy.bundle import METADATA_KEY, BundleCard
from ligera.deploy.classifying.classifier import Classifier
from ligera.deploy.detector import Detector
from ligera.deploy.layout.engine import LAYOUT_KEY, LayoutEngine, layout_from_metadata
from ligera.deploy.layout.masks import paste_mask
from ligera.deploy.runtimes.mock import MockRuntime
from ligera.errors import ModelError
from ligera.models.layout_specs import RegionDecoding
from ligera.records import Decoding, Preprocess

from .pages import LABELS, drawn_page, engine_of, real_page, tiny_spec, torch_regions

BOX_WITHIN_PX, SCORE_WITHIN, MASK_WITHIN = 0.02, 1e-4, 1e-3


def assert_same(net, path, pixels, *, score):
    """Engine and torch agree region by region; returns how many there are."""
    expected = torch_regions(net, pixels, score=score)
    engine = engine_of(path)
    ours = engine.regions(pixels, score=score)
    engine.close()
    assert len(ours.boxes) == len(expected["boxes"])
    assert ours.boxes == pytest.approx(expected["boxes"], abs=BOX_WITHIN_PX)
    assert ours.scores == pytest.approx(expected["scores"], abs=SCORE_WITHIN)
    assert ours.labels.tolist() == expected["labels"].tolist()
    for mask, box, whole in zip(ours.masks, expected["boxes"], expected["masks"], strict=True):
        assert np.abs(paste_mask(mask, box, pixels.shape[:2]) - whole).max() < MASK_WITHIN
    return len(ours.boxes)


def enlarged(pixels, factor):
    """Each pixel ``factor`` times as wide and high, so that shrinking brings the same page back."""
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


@pytest.mark.parametrize("score", [0.05, 0.5])
def test_with_weights_that_know_nothing_it_finds_what_torch_finds(random_pair, score):
    pixels = np.random.default_rng(0).integers(0, 256, (143, 97, 3), np.uint8)
    assert assert_same(*random_pair, pixels, score=score) > 5


@pytest.mark.parametrize("score", [0.05, 0.5])
def test_with_a_page_learnt_by_heart_it_finds_what_torch_finds(trained_pair, score):
    assert assert_same(*trained_pair, drawn_page()[0], score=score) >= 5


def test_a_page_larger_than_the_networks_input_is_shrunk_and_its_regions_are_in_its_own_pixels(trained_pair):
    pixels, regions = drawn_page()
    assert assert_same(*trained_pair, enlarged(pixels, 3), score=0.3) >= 5
    found = engine_of(trained_pair[1]).detect(enlarged(pixels, 3), score=0.3)
    wanted = np.array([box for _, box in regions], np.float32) * 3
    overlaps = iou(wanted, found.boxes)
    assert (overlaps.max(axis=1) > 0.6).sum() >= len(wanted) - 1


@pytest.mark.parametrize("pair", ["random_pair", "trained_pair"])
def test_on_real_pages_it_finds_what_torch_finds(pair, request):
    assert assert_same(*request.getfixturevalue(pair), real_page(), score=0.0) > 20


def test_regions_have_classes_and_outlines_that_fill_their_boxes(trained_pair):
    pixels, regions = drawn_page()
    found = engine_of(trained_pair[1]).detect(pixels, score=0.5)
    assert found.names == LABELS
    assert (np.diff(found.scores) <= 0).all()
    wanted = np.array([box for _, box in regions], np.float32)
    for box, label, polygons in zip(found.boxes, found.labels, found.polygons, strict=True):
        overlaps = iou(box[None], wanted)[0]
        assert regions[int(overlaps.argmax())][0] - 1 == label
        outer = np.concatenate([*polygons[0].min(axis=0, keepdims=True), *polygons[0].max(axis=0, keepdims=True)])
        assert iou(outer[None].astype(np.float32), box[None])[0, 0] > 0.7
    row = found.rows()[0]
    assert json.loads(json.dumps(row)) == row
    assert set(row) == {"box", "score", "label", "polygon"}


def test_a_higher_score_reports_a_part_of_the_same_regions(trained_pair):
    engine = engine_of(trained_pair[1])
    pixels, _ = drawn_page()
    many, few = engine.detect(pixels, score=0.05), engine.detect(pixels, score=0.9)
    assert 0 < len(few) < len(many)
    assert few.boxes == pytest.approx(many.boxes[: len(few)])
    by_default = engine.detect(pixels)
    assert len(by_default) == int((many.scores > 0.5).sum())


def test_a_page_with_nothing_on_it_has_no_regions(trained_pair):
    found = engine_of(trained_pair[1]).detect(np.full((60, 50, 3), 220, np.uint8), score=0.999)
    assert len(found) == 0
    assert found.polygons == ()


def test_tiny_and_long_pages_are_searched_too(random_pair):
    engine = engine_of(random_pair[1])
    for size in ((1, 1), (3, 700), (33, 1), (31, 65)):
        found = engine.detect(np.zeros((*size, 3), np.uint8), score=0.01)
        assert (found.boxes[:, 2] <= size[1]).all()
        assert (found.boxes[:, 3] <= size[0]).all()


def test_a_side_can_be_asked_for(trained_pair):
    engine = engine_of(trained_pair[1])
    pixels = enlarged(drawn_page()[0], 2)
    seen = []
    run = engine.runtime.run
    engine.runtime.run = lambda batch: seen.append(batch.shape) or run(batch)
    engine.detect(pixels, max_side=96)
    engine.detect(pixels)
    assert [shape[2:] for shape in seen if shape[1] == 3] == [(96, 96), (160, 128)]


def test_it_runs_without_torch(trained_pair, tmp_path):
    page = tmp_path / "page.png"
    cv2.imwrite(str(page), drawn_page()[0][:, :, ::-1])
    code = (
        "import sys, cv2\n"
        "import ligera\n"
        f"found = ligera.load({str(trained_pair[1])!r}).detect(cv2.imread({str(page)!r})[:, :, ::-1])\n"
        "assert len(found) >= 4\n"
        "print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "torchvision", "onnx", "scipy"} & set(done.stdout.split())


def with_metadata(path, tmp_path, key, value):
    model = onnx.load(path)
    for entry in model.metadata_props:
        if entry.key == key:
            entry.value = value
    other = tmp_path / "changed.onnx"
    onnx.save(model, other)
    return other


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("{}", "anchors: Field required"),
        (json.dumps({"anchors": [[[8, 8]]]}), "expected 4 levels"),
        (json.dumps({"anchors": [[[8, 8]]] * 4, "proposals": 10**12}), "proposals: expected 1 to"),
        (json.dumps({"anchors": [[[8, "wide"]]] * 4}), "anchors"),
    ],
)
def test_a_damaged_rule_is_named(trained_pair, tmp_path, value, reason):
    path = with_metadata(trained_pair[1], tmp_path, LAYOUT_KEY, value)
    with pytest.raises(ModelError, match=f"its layout metadata is damaged .*{reason}") as caught:
        Detector.load(path)
    assert "\n" not in str(caught.value)


def test_a_bundle_that_is_not_what_its_card_says_is_refused(trained_pair, tmp_path):
    model = onnx.load(trained_pair[1])
    (place,) = (i for i, entry in enumerate(model.metadata_props) if entry.key == LAYOUT_KEY)
    del model.metadata_props[place]
    onnx.save(model, tmp_path / "changed.onnx")
    with pytest.raises(ModelError, match="pages: its metadata is not that of a layout detector; export"):
        Detector.load(tmp_path / "changed.onnx")
    card = json.loads(next(entry.value for entry in model.metadata_props if entry.key == METADATA_KEY))
    faces = json.dumps(card | {"task": "detect-faces", "decoding": asdict(Decoding())})
    with pytest.raises(ModelError, match="pages: its metadata is not that of a face detector; export"):
        Detector.load(with_metadata(trained_pair[1], tmp_path, METADATA_KEY, faces))
    assert layout_from_metadata({}, "x") is None


def test_a_layout_detector_is_no_classifier(trained_pair):
    with pytest.raises(ModelError, match="is a layout detector, which runs with `ligera detect`; here a classifier"):
        Classifier.load(trained_pair[1])


def engine_answering(answer):
    rule = tiny_spec().decoding
    card = BundleCard("liar", Preprocess(max_side=64), task="detect-regions", labels=LABELS)
    return LayoutEngine(MockRuntime(answer), card, rule)


def honest_front(batch, fill=0.0):
    rows, columns = batch.shape[2:]
    sides = [(-(-rows // s), -(-columns // s)) for s in (4, 8, 16, 32)]
    anchors = 4 * sum(high * wide for high, wide in sides)
    maps = {f"p{i}": np.zeros((1, *side, 16), np.float32) for i, side in enumerate(sides)}
    return maps | {
        "scores": np.full((1, anchors), fill, np.float32),
        "offsets": np.full((1, anchors, 4), fill, np.float32),
    }


LIES = {
    "nothing": lambda batch: {},
    "fewer anchors": lambda batch: honest_front(batch) | {"scores": np.zeros((1, 3), np.float32)},
    "another type": lambda batch: {k: v.astype(np.float64) for k, v in honest_front(batch).items()},
    "a flat map": lambda batch: honest_front(batch) | {"p2": np.zeros((1, 1, 1, 16), np.float32)},
    "the front for all": lambda batch: honest_front(np.zeros((1, 3, 64, 64))),
}


@pytest.mark.parametrize("lie", LIES)
def test_outputs_that_are_not_what_the_card_says_are_named(lie):
    with pytest.raises(ModelError, match="liar: outputs are not what its card says"):
        engine_answering(LIES[lie]).detect(np.zeros((64, 64, 3), np.uint8), score=0.0)


def test_answers_that_are_no_numbers_find_nothing():
    def answer(batch):
        if batch.shape[1] == 3:
            return honest_front(batch, fill=np.nan)
        raise AssertionError("no proposal should have come this far")

    assert len(engine_answering(answer).detect(np.zeros((64, 64, 3), np.uint8))) == 0


def test_a_rule_survives_its_way_through_json():
    rule = tiny_spec().decoding
    assert layout_from_metadata({LAYOUT_KEY: json.dumps(asdict(rule))}, "x") == rule
    assert isinstance(rule, RegionDecoding)
