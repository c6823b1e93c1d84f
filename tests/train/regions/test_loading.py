"""Pages for training: kept once, seen at the recipe's size, from COCO and from PAGE XML alike."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ligera.data.coco import read_coco
from ligera.data.pagexml_writing import write_pagexml
from ligera.errors import DataError
from ligera.train.loading import loader
from ligera.train.reading import parse_recipe
from ligera.train.regions.loading import PageDataset, collate, read_pages
from ligera.train.regions.task import RegionTask, spec_for
from ligera.train.sampling import SampleKey

KEY = SampleKey(0, 0, 0, 1)


def dataset_of(values: dict) -> PageDataset:
    recipe = parse_recipe(values, "test")
    return PageDataset(read_pages(recipe), spec_for("tiny", recipe.side_px, 2).preprocess, recipe.augment)


def test_a_still_page_has_the_boxes_of_its_file(region_values: dict, drawn_pages: Path) -> None:
    pixels, target, row, weight, _ = dataset_of(region_values | {"augment": False})[KEY]
    page = read_coco(drawn_pages).pages[1]
    assert pixels.shape == (3, page.height, page.width)
    np.testing.assert_allclose(target["boxes"], [region.box for region in page.regions], atol=1e-4)
    assert target["labels"].tolist() == [1, 1, 2]
    assert target["masks"].shape == (3, page.height, page.width)
    assert (int(row), float(weight)) == (1, 1.0)


def test_a_page_is_seen_no_larger_than_the_recipe_says(region_values: dict) -> None:
    dataset = dataset_of(region_values | {"augment": False, "side_px": 128})
    assert dataset[KEY][0].shape == (3, 128, 102)
    assert dataset.largest_input == (128, 102)
    assert dataset.most_regions == 3


def test_the_same_key_is_the_same_sample_and_another_is_not(region_values: dict) -> None:
    dataset = dataset_of(region_values)
    first, again, other = (dataset[key] for key in (KEY, KEY, SampleKey(0, 1, 0, 1)))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1]["boxes"], again[1]["boxes"])
    assert first[4] == again[4] != other[4]
    assert first[0].shape != other[0].shape or not torch.equal(first[0], other[0])


def test_workers_make_what_this_process_would(region_values: dict) -> None:
    dataset = dataset_of(region_values)
    keys = [[SampleKey(0, 0, place, place) for place in range(2)]]
    (alone,), (apart,) = (list(loader(dataset, keys, collate, workers)) for workers in (0, 1))
    assert all(torch.equal(one, two) for one, two in zip(alone.pixels, apart.pixels, strict=True))
    assert torch.equal(alone.chance, apart.chance)


def test_page_xml_trains_like_coco(region_values: dict, drawn_pages: Path, tmp_path: Path) -> None:
    tags = {"MusicRegion": "band", "TextRegion:drop-capital": "disc"}
    write_pagexml(read_coco(drawn_pages), tmp_path / "xml", tags)
    changes = {"data": str(tmp_path / "xml"), "tags": tags, "pictures": str(drawn_pages / "images")}
    task = RegionTask(parse_recipe(region_values | changes | {"augment": False}, "test"))
    assert task.names == ("band", "disc")
    ours, theirs = task.dataset[KEY][1], dataset_of(region_values | {"augment": False})[KEY][1]
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_page_xml_that_no_tag_maps_is_named(region_values: dict, drawn_pages: Path, tmp_path: Path) -> None:
    write_pagexml(read_coco(drawn_pages), tmp_path / "xml", {"MusicRegion": "band", "TextRegion:drop-capital": "disc"})
    changes = {"data": str(tmp_path / "xml"), "tags": {"ImageRegion": "disc"}, "pictures": str(drawn_pages / "images")}
    with pytest.raises(DataError, match="MusicRegion") as caught:
        RegionTask(parse_recipe(region_values | changes, "test"))
    assert "\n" not in str(caught.value)


def test_faces_are_no_pages(region_values: dict, face_folder: Path) -> None:
    with pytest.raises(DataError, match="retinaface"):
        RegionTask(parse_recipe(region_values | {"data": str(face_folder)}, "test"))
