"""Epochs and iterations, the learning rate of a batch, and what a recipe file keeps of both."""

from pathlib import Path

import pytest
import yaml

from ligera.data.page_augment import PageAugment
from ligera.train.reading import dump_recipe, parse_recipe, read_recipe
from ligera.train.regions.recipe import epochs_of, iterations_of


def test_the_papers_base_run_in_epochs_and_in_iterations() -> None:
    """VORAU-253 has 128 pages for training; 90,000 iterations of 4 pages are 2,812.5 epochs."""
    assert epochs_of(90_000, 4, 128) == 2812.5
    assert iterations_of(2812.5, 4, 128) == 90_000


@pytest.mark.parametrize(("epochs", "batch", "pages"), [(115, 6, 128), (1, 2, 30), (0.5, 4, 7)])
def test_each_equation_undoes_the_other(epochs: float, batch: int, pages: int) -> None:
    assert epochs_of(iterations_of(epochs, batch, pages), batch, pages) == pytest.approx(epochs)


def test_no_pages_are_no_epoch() -> None:
    with pytest.raises(ValueError, match="at least one page"):
        epochs_of(10, 2, 0)


@pytest.mark.parametrize(("batch", "rate"), [(2, 0.01), (4, 0.02), (6, 0.03)])
def test_the_learning_rate_follows_the_batch(region_values: dict, batch: int, rate: float) -> None:
    values = region_values | {"learning_rate": 0.02, "reference_batch": 4, "batch": batch}
    assert parse_recipe(values, "test").learning_rate == pytest.approx(rate)


def test_a_rate_without_a_reference_stays_as_it_is(region_values: dict) -> None:
    assert parse_recipe(region_values | {"learning_rate": 0.02, "batch": 6}, "test").learning_rate == 0.02


def test_a_saved_recipe_is_not_scaled_again(region_values: dict, tmp_path: Path) -> None:
    recipe = parse_recipe(region_values | {"learning_rate": 0.02, "reference_batch": 4, "batch": 2}, "test")
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe))
    assert read_recipe(tmp_path / "recipe.yaml") == recipe


def test_a_batch_given_on_the_command_line_scales_the_rate_of_the_file(region_values: dict, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(region_values | {"learning_rate": 0.02, "reference_batch": 2}))
    assert read_recipe(tmp_path / "a.yaml", ("batch=4",)).learning_rate == pytest.approx(0.04)


def test_paths_are_taken_from_the_recipes_folder(region_values: dict, tmp_path: Path) -> None:
    changes = {"data": "pages/train", "validation": "pages/val", "pictures": "scans"}
    recipe = parse_recipe(region_values | changes, "test").anchored(tmp_path)
    assert (recipe.data, recipe.validation) == (tmp_path / "pages/train", tmp_path / "pages/val")
    assert (recipe.pictures, recipe.validation_pictures) == (tmp_path / "scans", None)


def test_augmentation_is_switched_on_and_off_with_a_word(region_values: dict) -> None:
    assert parse_recipe(region_values | {"augment": True}, "test").augment == PageAugment()
    assert parse_recipe(region_values | {"augment": False}, "test").augment == PageAugment.still()


def test_the_recipe_of_the_layout_model_can_be_read() -> None:
    recipe = read_recipe(Path(__file__).parents[3] / "recipes" / "layout.yaml")
    assert (recipe.task, recipe.model) == ("regions", "layout-small")
