"""COCO's figures are those of its reference program, whatever crowds, ties, empty pages and odd sizes it is given."""

from __future__ import annotations

import contextlib
import io
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ligera.errors import DataError, MissingExtra
from ligera.metrics.coco import CocoResult, CocoScores, Kind, evaluate
from ligera.records import Detections

pytest.importorskip("faster_coco_eval", reason="faster-coco-eval comes with the extra 'train'")

# The reference program's twelve figures in its own order.
ORDER = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar_1", "ar_10", "ar")
ORDER += ("ar_small", "ar_medium", "ar_large")
BY_SIZE = tuple(f"{figure}{size}" for figure in ("ap", "ar") for size in ("", "_small", "_medium", "_large"))
FEWER_DETECTIONS = 12


@dataclass(frozen=True)
class Drawn:
    """A region as the evaluation asks for it."""

    name: str
    box: np.ndarray
    polygons: tuple[np.ndarray, ...] = ()
    mask: object = None
    area_px2: float = 0.0
    crowd: bool = False


@dataclass(frozen=True)
class Runs:
    height: int
    width: int
    counts: np.ndarray


@dataclass(frozen=True)
class Sheet:
    width: int
    height: int
    regions: tuple[Drawn, ...] = ()


Pairs = list[tuple[Detections, Sheet]]


def square(x: float, y: float, side: float) -> np.ndarray:
    return np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]], np.float64)


def drawn(name: str, x: float, y: float, side: float, **changes: object) -> Drawn:
    one = Drawn(name, np.array([x, y, x + side, y + side]), (square(x, y, side),), area_px2=side * side)
    return replace(one, **changes)


def found(rows: Sequence[tuple[str, float, float, float, float]], names: tuple[str, ...]) -> Detections:
    """Squares as ``name, x, y, side, score``."""
    boxes = [[x, y, x + side, y + side] for _, x, y, side, _ in rows]
    labels = [names.index(row[0]) for row in rows]
    polygons = tuple((square(x, y, side),) for _, x, y, side, _ in rows)
    return Detections(np.array(boxes), [row[4] for row in rows], labels, names, polygons=polygons)


def star(random: np.random.Generator, box: np.ndarray) -> np.ndarray:
    angle = np.sort(random.uniform(0, 2 * np.pi, random.integers(3, 9)))
    reach = random.uniform(0.5, 1, len(angle))[:, None]
    ray = np.column_stack([np.cos(angle), np.sin(angle)]) * reach
    return np.round((box[:2] + box[2:]) / 2 + ray * (box[2:] - box[:2]) / 2, 1)


def random_regions(random: np.random.Generator, name: str, sheet: Sheet) -> list[Drawn]:
    """Up to three: a fifth crowds, many with sides or areas exactly at, or a hair off, the edges between sizes."""
    made = []
    for _ in range(random.integers(0, 4)):
        side = round(float(random.choice([random.uniform(4, 110), random.uniform(4, 40), 32, 96])), 1)
        other = side if random.random() < 0.5 else round(float(random.uniform(4, 110)), 1)
        x, y = np.round(random.uniform(0, sheet.width / 2, 2))
        box = np.array([x, y, x + side, y + other])
        edges = [32.0**2, 96.0**2, np.nextafter(32.0**2, 0), np.nextafter(96.0**2, 1e9), 0.0]
        area = float(random.choice(edges)) if random.random() < 0.4 else side * other
        outline = tuple(star(random, box) for _ in range(random.integers(1, 3)))
        made.append(Drawn(name, box, outline, None, area, bool(random.random() < 0.2)))
    return made


def random_detections(
    random: np.random.Generator, names: tuple[str, ...], silent: set[str], sheet: Sheet
) -> Detections:
    """Copies of regions, moved a little or not at all, among strays; every third score is one of ten."""
    rows = []
    for label, name in enumerate(names):
        targets = [region for region in sheet.regions if region.name == name]
        for _ in range(
            0 if name in silent else random.choice([0, 1, 3, 5, FEWER_DETECTIONS + 3], p=[0.1, 0.2, 0.4, 0.2, 0.1])
        ):
            if targets and random.random() < 0.7:
                target = targets[random.integers(len(targets))]
                shift = np.round(random.normal(0, random.choice([0, 0.5, 2, 8]), 2))
                box, outline = target.box + np.tile(shift, 2), tuple(part + shift for part in target.polygons)
            else:
                corner = random.uniform(0, sheet.width / 2, 2)
                box = np.concatenate([corner, corner + random.choice([32, 96, random.uniform(1, 90)])])
                outline = (star(random, box),)
            score = random.choice([round(random.random(), 1), random.random(), random.random()])
            rows.append((box, score, label, outline))
    boxes, scores, labels, outlines = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Detections(np.array(boxes).reshape(-1, 4), scores, labels, names, polygons=outlines)


def random_pairs(random: np.random.Generator, names: tuple[str, ...], pages: int) -> Pairs:
    """Some classes have nothing to find, some are never found, some neither."""
    absent = {name for name in names if random.random() < 0.1}
    silent = {name for name in names if random.random() < 0.1}
    pairs = []
    for _ in range(pages):
        sheet = Sheet(*(int(side) for side in random.integers(60, 200, 2)))
        regions = [region for name in names if name not in absent for region in random_regions(random, name, sheet)]
        sheet = replace(sheet, regions=tuple(regions))
        pairs.append((random_detections(random, names, silent, sheet), sheet))
    return pairs


def reference(pairs: Pairs, names: tuple[str, ...], kind: Kind) -> list[np.ndarray]:
    """The twelve figures of the reference program for all classes together, then for each; -1 where unknown."""
    run = reference_run(pairs, names, kind, [1, 10, 100])
    precision, recall = run.eval["precision"], run.eval["recall"]
    every = []
    for places in groups(names):
        run.eval["precision"], run.eval["recall"] = precision[:, :, places], recall[:, places]
        with contextlib.redirect_stdout(io.StringIO()):
            run.summarize()
        every.append(np.array(run.stats))
    return every


def reference_of_few(pairs: Pairs, names: tuple[str, ...], kind: Kind, limit: int) -> list[np.ndarray]:
    """AP and AR for each size of the reference program with fewer detections, which its own summary cannot tell."""
    run = reference_run(pairs, names, kind, [limit])
    precision, recall = run.eval["precision"], run.eval["recall"]
    every = []
    for places in groups(names):
        columns = [precision[:, :, places, size, 0] for size in range(4)] + [
            recall[:, places, size] for size in range(4)
        ]
        every.append(np.array([column[column > -1].mean() if (column > -1).any() else -1 for column in columns]))
    return every


def groups(names: tuple[str, ...]) -> list[list[int]]:
    return [list(range(len(names))), *([place] for place in range(len(names)))]


def reference_run(pairs: Pairs, names: tuple[str, ...], kind: Kind, limits: list[int]) -> Any:
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools comes with the extra 'dev'")
    from pycocotools.cocoeval import COCOeval

    truth, results = reference_rows(pairs, names, kind)
    with contextlib.redirect_stdout(io.StringIO()):
        ground = coco.COCO()
        ground.dataset = truth
        ground.createIndex()
        if results:
            answers = ground.loadRes(results)
        else:
            # Its own reader of results cannot take an empty list.
            answers = coco.COCO()
            answers.dataset = {**truth, "annotations": []}
            answers.createIndex()
        run = COCOeval(ground, answers, "bbox" if kind == "box" else "segm")
        run.params.maxDets = limits
        run.evaluate()
        run.accumulate()
    return run


def reference_rows(pairs: Pairs, names: tuple[str, ...], kind: Kind) -> tuple[dict, list[dict]]:
    from pycocotools import mask as masks

    images, annotations, results = [], [], []
    numbers = {name: 7 * place + 3 for place, name in enumerate(names)}
    for number, (detections, sheet) in enumerate(pairs, start=1):
        images.append({"id": number, "width": sheet.width, "height": sheet.height})
        for region in sheet.regions:
            row = {"id": len(annotations) + 1, "image_id": number, "category_id": numbers[region.name]}
            x1, y1, x2, y2 = region.box.tolist()
            row |= {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": region.area_px2, "iscrowd": int(region.crowd)}
            annotations.append(row | {"segmentation": [part.ravel().tolist() for part in region.polygons]})
        for place in range(len(detections)):
            row = {"image_id": number, "category_id": numbers[names[detections.labels[place]]]}
            row["score"] = float(detections.scores[place])
            if kind == "box":
                x1, y1, x2, y2 = detections.boxes[place].astype(np.float64).tolist()
                row["bbox"] = [x1, y1, x2 - x1, y2 - y1]
            else:
                parts = [part.ravel().tolist() for part in detections.polygons[place]]
                row["segmentation"] = masks.merge(masks.frPyObjects(parts, sheet.height, sheet.width))
            results.append(row)
    categories = [{"id": number, "name": name} for name, number in numbers.items()]
    return {"images": images, "annotations": annotations, "categories": categories}, results


def figures(result: CocoResult, names: tuple[str, ...] = ORDER) -> list[np.ndarray]:
    every = (result.overall, *result.by_class.values())
    return [np.nan_to_num([getattr(scores, name) for name in names], nan=-1) for scores in every]


@pytest.mark.parametrize(("kind", "seeds"), [("box", range(20)), ("mask", range(20, 40))])
def test_a_thousand_random_classes_score_as_the_reference_says(kind: Kind, seeds: range) -> None:
    """Classes never meet, so twenty-five in each run are as many cases, and their mean is one more."""
    names = tuple(f"class {place}" for place in range(25))
    known = 0
    for seed in seeds:
        pairs = random_pairs(np.random.default_rng(seed), names, pages=1 + seed % 3)
        if seed % 4:
            result = evaluate(pairs, names, kind=kind, max_detections=FEWER_DETECTIONS)
            ours, theirs = figures(result, BY_SIZE), reference_of_few(pairs, names, kind, FEWER_DETECTIONS)
        else:
            ours, theirs = figures(evaluate(pairs, names, kind=kind)), reference(pairs, names, kind)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12, err_msg=f"seed {seed}")
        known += int((np.array(theirs) > 0).sum())
    assert known > 1500  # many of the figures are neither unknown nor nothing


def test_all_found_scores_one_and_half_found_half_the_recall() -> None:
    names = ("staff", "lyrics")
    sheet = Sheet(200, 200, (drawn("staff", 0, 0, 50), drawn("staff", 100, 100, 50), drawn("lyrics", 0, 100, 20)))
    rows = [("staff", 0, 0, 50, 0.9), ("lyrics", 0, 100, 20, 0.8)]
    result = evaluate([(found(rows, names), sheet)], names)
    lyrics, staff = result.by_class["lyrics"], result.by_class["staff"]
    assert (lyrics.ap, lyrics.ap50, lyrics.ar, lyrics.ap_small) == (1, 1, 1, 1)
    assert (staff.ar, staff.ar_medium) == (0.5, 0.5)
    # 51 of the 101 recall levels are reached, at full precision
    assert staff.ap == pytest.approx(51 / 101)
    assert result.overall.ap == pytest.approx((1 + 51 / 101) / 2)
    assert (result.regions, result.pictures) == (3, 1)
    assert "0.50:0.95" in result.protocol


def test_what_is_not_there_to_find_is_unknown_and_not_zero() -> None:
    names = ("staff", "lyrics")
    result = evaluate([(found([], names), Sheet(50, 50, (drawn("staff", 0, 0, 40),)))], names)
    assert result.by_class["staff"].ap == 0
    assert math.isnan(result.by_class["staff"].ap_large)
    assert all(math.isnan(getattr(result.by_class["lyrics"], name)) for name in ORDER)
    assert result.overall.ap == 0


def test_without_a_page_everything_is_unknown() -> None:
    result = evaluate([], ("staff",))
    assert all(math.isnan(getattr(result.overall, name)) for name in ORDER)
    assert (result.pictures, result.regions) == (0, 0)


def test_a_detection_in_a_crowd_is_neither_right_nor_wrong() -> None:
    sheet = Sheet(200, 200, (drawn("staff", 0, 0, 50), drawn("staff", 100, 100, 80, crowd=True)))
    rows = [("staff", 110, 110, 20, 0.9), ("staff", 130, 130, 20, 0.8), ("staff", 0, 0, 50, 0.7)]
    result = evaluate([(found(rows, ("staff",)), sheet)], ("staff",))
    assert result.overall.ap == 1
    assert result.regions == 1


def test_masks_are_compared_by_outline_and_not_by_box() -> None:
    triangle = np.array([[0, 0], [40, 0], [0, 40]], np.float64)
    sheet = Sheet(60, 60, (Drawn("staff", np.array([0, 0, 40, 40]), (triangle,), area_px2=800.0),))
    detections = found([("staff", 0, 0, 40, 0.9)], ("staff",))
    assert evaluate([(detections, sheet)], ("staff",)).overall.ap75 == 1
    assert evaluate([(detections, sheet)], ("staff",), kind="mask").overall.ap75 == 0
    own = np.tri(60, 60, dtype=bool)[::-1]
    own = own & (np.add.outer(np.arange(60), np.arange(60)) < 40)
    result = evaluate([(detections, sheet)], ("staff",), kind="mask", masks=iter([own[None]]))
    assert result.overall.ap75 == 1


def test_a_mask_kept_as_run_lengths_counts_as_its_pixels_do() -> None:
    # 10 x 10 px at the top of the left 10 columns of a page of 20 x 30
    counts = np.array([0] + [10, 20] * 9 + [10, 20 + 10 * 30])
    region = Drawn("staff", np.array([0, 0, 10, 10]), (), Runs(30, 20, counts), 100.0)
    detections = found([("staff", 0, 0, 10, 0.9)], ("staff",))
    assert evaluate([(detections, Sheet(20, 30, (region,)))], ("staff",), kind="mask").overall.ap == 1
    with pytest.raises(DataError, match="a mask of 20 x 30 px on a page of 30 x 20 px"):
        evaluate([(detections, Sheet(30, 20, (region,)))], ("staff",), kind="mask")


def test_the_size_of_a_detected_mask_is_its_own_area_not_its_boxs() -> None:
    # A box of 100 x 100 px is large, a line through it is small and so no wrong answer among the large.
    line = np.array([[0, 0], [100, 99], [100, 100], [0, 1]], np.float64)
    box = np.array([[0, 0, 100, 100], [100, 100, 200, 200]])
    big = square(100, 100, 100)
    detections = Detections(box, [0.9, 0.8], None, ("staff",), polygons=((line,), (big,)))
    sheet = Sheet(200, 200, (drawn("staff", 100, 100, 100),))
    assert evaluate([(detections, sheet)], ("staff",), kind="mask").overall.ap_large == 1
    assert evaluate([(detections, sheet)], ("staff",), kind="box").overall.ap_large == 0.5


def test_parts_that_enclose_nothing_are_an_empty_mask() -> None:
    detections = Detections([[0, 0, 10, 10]], [0.9], None, ("staff",), polygons=((np.zeros((2, 2)),),))
    result = evaluate([(detections, Sheet(20, 20, (drawn("staff", 0, 0, 10),)))], ("staff",), kind="mask")
    assert result.overall.ap == 0


def test_classes_that_were_not_asked_for_are_left_out() -> None:
    sheet = Sheet(100, 100, (drawn("staff", 0, 0, 20), drawn("stain", 50, 50, 20)))
    detections = found([("stain", 0, 0, 20, 0.9), ("staff", 0, 0, 20, 0.5)], ("stain", "staff"))
    result = evaluate([(detections, sheet)], ("staff",))
    assert (result.overall.ap, result.regions) == (1, 1)


def test_regions_or_detections_without_an_outline_cannot_be_compared_by_mask() -> None:
    outlined, bare = Sheet(50, 50, (drawn("staff", 0, 0, 20),)), Sheet(50, 50, (drawn("staff", 0, 0, 20, polygons=()),))
    detections = found([("staff", 0, 0, 20, 0.9)], ("staff",))
    with pytest.raises(DataError, match="class 'staff' has a box but no outline; evaluate boxes"):
        evaluate([(detections, bare)], ("staff",), kind="mask")
    with pytest.raises(ValueError, match="expected an outline with each detection"):
        evaluate([(Detections([[0, 0, 9, 9]], [0.5], None, ("staff",)), outlined)], ("staff",), kind="mask")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "segm"}, "kind: expected 'box' or 'mask', got 'segm'"),
        ({"max_detections": 10}, "max_detections: expected more than 10"),
        ({"names": ()}, "names: expected classes"),
        ({"names": ("staff", "staff")}, "names: expected classes, each once"),
        ({"kind": "mask", "masks": [np.zeros((2, 50, 50), bool)]}, "masks: expected 1, one for each detection, got 2"),
        ({"kind": "mask", "masks": [np.zeros((1, 50, 40), bool)]}, "masks: expected 50 x 50"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict, message: str) -> None:
    pairs = [(found([("staff", 0, 0, 20, 0.9)], ("staff",)), Sheet(50, 50, (drawn("staff", 0, 0, 20),)))]
    with pytest.raises(ValueError, match=message):
        evaluate(pairs, **{"names": ("staff",), **arguments})


@pytest.mark.parametrize("wrong", [Detections([[0, 0, np.nan, 9]], [0.5]), Detections([[0, 0, 9, 9]], [np.inf])])
def test_detections_that_are_not_finite_are_refused(wrong: Detections) -> None:
    with pytest.raises(ValueError, match="expected finite boxes and scores"):
        evaluate([(wrong, Sheet(20, 20))], ("face",))


def test_without_the_package_the_extra_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    with pytest.raises(MissingExtra, match=r"COCO average precision needs faster-coco-eval.*ligera\[train\]"):
        evaluate([], ("staff",))


@pytest.mark.parametrize("kind", ["box", "mask"])
def test_pages_as_the_data_room_reads_them_can_be_evaluated(kind: Kind) -> None:
    from ligera.data.regions import Page, Region
    from ligera.data.rle import rle_from_pixels

    pixels = np.zeros((50, 60), bool)
    pixels[5:25, 10:50] = True
    regions = (Region("staff", (square(30, 30, 15),)), Region("lyrics", mask=rle_from_pixels(pixels)))
    outlines = tuple(region.outline_parts() for region in regions)
    detections = Detections([r.box for r in regions], [0.9, 0.8], [0, 1], ("staff", "lyrics"), polygons=outlines)
    result = evaluate([(detections, Page("a.jpg", Path("a.jpg"), 60, 50, regions))], ("staff", "lyrics"), kind=kind)
    assert (result.overall.ap, result.overall.ap_small, result.regions) == (1, 1, 2)


def test_scores_hold_exactly_the_twelve_figures() -> None:
    assert sorted(CocoScores.__dataclass_fields__) == sorted(ORDER)
