"""Layout detectors are scored by COCO's protocol on what detection gives: boxes, and outlines filled again."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest

from ligera.data.coco_writing import write_coco
from ligera.data.pagexml_writing import write_pagexml
from ligera.data.regions import Page, PageSet, Region
from ligera.deploy.bundle import BundleCard
from ligera.deploy.detector import Detector
from ligera.deploy.scoring.regions import evaluate_regions
from ligera.errors import DataError, MissingExtra, UsageError
from ligera.records import Detections, Preprocess

from ..colour_sets import write_class_folders
from ..spot_sets import write_label_set

NAMES = ("staff", "lyrics")
WIDTH, HEIGHT = 200, 160
STAFF = (20, 20, 180, 60)
LYRICS = (20, 80, 120, 100)


def square(x1: float, y1: float, x2: float, y2: float) -> np.ndarray:
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float64)


@dataclass
class Scripted:
    """An engine that says the same of every page: the staff exactly, the lyrics only by half."""

    name: str = "scripted"
    runtime: None = None
    card: BundleCard = field(
        default_factory=lambda: BundleCard("scripted", Preprocess(max_side=640), task="detect-regions", labels=NAMES)
    )
    scores: list[float | None] = field(default_factory=list)

    def detect(self, pixels: np.ndarray, *, score: float | None = None, max_side: int | None = None) -> Detections:
        self.scores.append(score)
        x1, y1, _, y2 = LYRICS
        half = (x1, y1, x1 + 60, y2)
        outlines = ((square(*STAFF),), (square(*half),))
        return Detections(np.array([STAFF, half]), np.array([0.9, 0.8]), np.array([0, 1]), NAMES, polygons=outlines)

    def close(self) -> None:
        pass


@pytest.fixture
def detector() -> Detector:
    return Detector(Scripted())


def pages_of(folder: Path, *regions: Region, names: tuple[str, ...] = NAMES, count: int = 2) -> PageSet:
    """``count`` pages with the same regions, pictures included."""
    pages = []
    for number in range(count):
        path = folder / f"{number}.png"
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
        pages.append(Page(path.name, path, WIDTH, HEIGHT, regions, str(number + 1)))
    return PageSet(folder, tuple(pages), names)


def both() -> tuple[Region, ...]:
    return Region("staff", (square(*STAFF),), key="1"), Region("lyrics", (square(*LYRICS),), key="2")


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    write_coco(pages_of(tmp_path / "set", *both()), tmp_path / "set" / "annotations.json")
    return tmp_path / "set"


def test_a_found_staff_scores_one_and_half_a_line_of_lyrics_counts_up_to_iou_60(
    detector: Detector, truth: Path
) -> None:
    scores = evaluate_regions(detector, truth)
    for result in (scores.boxes, scores.masks):
        assert result.by_class["staff"].ap == pytest.approx(1)
        lyrics = result.by_class["lyrics"]
        assert (lyrics.ap50, lyrics.ap75) == (pytest.approx(1), 0)
        assert lyrics.ap in (pytest.approx(0.2), pytest.approx(0.3))
        assert result.overall.ap50 == pytest.approx(1)
        assert result.overall.ap == pytest.approx((1 + lyrics.ap) / 2)
    assert (scores.boxes.regions, scores.boxes.pictures) == (4, 2)
    assert scores.regions == {"staff": 2, "lyrics": 2}
    assert scores.left_out == ()


def test_the_protocol_names_input_limits_and_where_masks_come_from(detector: Detector, truth: Path) -> None:
    protocol = evaluate_regions(detector, truth, max_side=96).protocol
    for words in ("COCO box AP, IoU 0.50:0.95", "mask AP alike, of outlines", "long side at most 96 px", "from 0.05"):
        assert words in protocol
    assert detector.engine.scores == [0.05] * 2


def test_json_has_null_for_what_is_not_known(detector: Detector, tmp_path: Path) -> None:
    write_coco(pages_of(tmp_path, both()[0]), tmp_path / "annotations.json")
    row = json.loads(json.dumps(evaluate_regions(detector, tmp_path / "annotations.json").as_dict(), allow_nan=False))
    assert row["classes"]["lyrics"] == {
        "regions": 0,
        "box": dict.fromkeys(("ap", "ap50", "ap75", "ap_medium", "ap_large")),
        "mask": dict.fromkeys(("ap", "ap50", "ap75", "ap_medium", "ap_large")),
    }
    assert (row["box"]["ap"], row["mask"]["ap50"]) == (pytest.approx(1), pytest.approx(1))
    assert (row["pictures"], row["regions"], row["left_out"]) == (2, 2, [])


def test_regions_that_are_a_box_alone_leave_masks_unscored_and_say_so(detector: Detector, tmp_path: Path) -> None:
    alone = Region("staff", box=np.array(STAFF, np.float64), key="1")
    write_coco(pages_of(tmp_path, alone), tmp_path / "annotations.json")
    scores = evaluate_regions(detector, tmp_path)
    assert scores.masks is None and scores.as_dict()["mask"] is None
    assert scores.boxes.overall.ap == pytest.approx(1)
    assert "no mask AP, as some regions are a box alone" in scores.protocol


def test_classes_that_only_the_data_has_are_named_and_scored_without(detector: Detector, tmp_path: Path) -> None:
    other = Region("picture", (square(0, 0, 30, 30),), key="3")
    write_coco(pages_of(tmp_path, *both(), other, names=(*NAMES, "picture")), tmp_path / "annotations.json")
    scores = evaluate_regions(detector, tmp_path)
    assert scores.left_out == ("picture",)
    assert "without 'picture', which the model does not know" in scores.protocol
    assert scores.boxes.regions == 4


def test_data_of_none_of_the_models_classes_is_refused(detector: Detector, tmp_path: Path) -> None:
    other = Region("picture", (square(0, 0, 30, 30),), key="3")
    write_coco(pages_of(tmp_path, other, names=("picture",)), tmp_path / "annotations.json")
    with pytest.raises(DataError, match=r"its classes are 'picture', the model's 'staff', 'lyrics'$"):
        evaluate_regions(detector, tmp_path)
    write_coco(pages_of(tmp_path), tmp_path / "annotations.json")
    with pytest.raises(DataError, match="holds no regions to score"):
        evaluate_regions(detector, tmp_path)


def test_page_xml_is_scored_by_its_own_types_or_by_tags(detector: Detector, tmp_path: Path) -> None:
    pages = pages_of(tmp_path, *both())
    write_pagexml(pages, tmp_path)
    by_type = evaluate_regions(detector, tmp_path)
    assert by_type.regions == {"staff": 2, "lyrics": 2}
    write_pagexml(pages, tmp_path, {"MusicRegion": "staff", "TextRegion:paragraph": "lyrics"})
    without = evaluate_regions(detector, tmp_path, tags={"MusicRegion": "staff"})
    assert without.regions == {"staff": 2, "lyrics": 0}
    assert without.left_out == ("TextRegion:paragraph",)
    tagged = evaluate_regions(detector, tmp_path, tags={"MusicRegion": "staff", "TextRegion": "lyrics"})
    assert tagged.as_dict()["classes"] == by_type.as_dict()["classes"]
    with pytest.raises(DataError, match="say which are the same with --tag SELECTOR=CLASS"):
        evaluate_regions(detector, tmp_path)
    with pytest.raises(UsageError, match=r"no class 'stave'; did you mean 'staff'\?"):
        evaluate_regions(detector, tmp_path, tags={"MusicRegion": "stave"})


def test_tags_are_no_matter_of_coco_files(detector: Detector, truth: Path) -> None:
    with pytest.raises(UsageError, match="--tag: is for PAGE XML"):
        evaluate_regions(detector, truth, tags={"MusicRegion": "staff"})


def test_broken_pictures_and_those_of_another_size_are_named_and_no_score_is_given(
    detector: Detector, truth: Path
) -> None:
    (truth / "0.png").write_bytes(b"\x89PNG no more")
    cv2.imwrite(str(truth / "1.png"), np.zeros((WIDTH, HEIGHT, 3), np.uint8))
    with pytest.raises(DataError, match="2 of 2 pictures cannot be read") as caught:
        evaluate_regions(detector, truth)
    assert "1.png: is 160 x 200 px, but annotated as 200 x 160" in str(caught.value)
    assert detector.engine.scores == []


def test_without_the_evaluator_no_page_is_searched(
    detector: Detector, truth: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    with pytest.raises(MissingExtra, match=r"faster-coco-eval.*ligera\[train\]"):
        evaluate_regions(detector, truth)
    assert detector.engine.scores == []


@pytest.mark.parametrize("write", [write_label_set, write_class_folders])
def test_data_without_regions_is_refused(detector: Detector, write, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match="is scored on COCO instances or PAGE XML"):
        evaluate_regions(detector, write(tmp_path / "data"))


def test_other_protocols_and_other_models_are_refused(detector: Detector, truth: Path, bundle: Path) -> None:
    with pytest.raises(UsageError, match="--protocol ap50: scripted finds regions of pages"):
        evaluate_regions(detector, truth, protocol="ap50")
    with Detector.load(bundle, threads=1) as faces, pytest.raises(UsageError, match="is for layout detectors"):
        evaluate_regions(faces, truth, protocol="coco")


def test_the_pages_can_be_followed_on_their_way(detector: Detector, truth: Path) -> None:
    seen = []

    def watch(pages, count):  # type: ignore[no-untyped-def]
        for page in pages:
            seen.append((page.name, count))
            yield page

    evaluate_regions(detector, truth, watch=watch)
    assert seen == [("0.png", 2), ("1.png", 2)]
