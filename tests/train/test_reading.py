from pathlib import Path

import pytest

from ligera.errors import RecipeError
from ligera.train.reading import dump_recipe, parse_recipe, read_recipe


def test_a_recipe_survives_the_way_to_yaml_and_back(recipe_file: Path, tmp_path: Path) -> None:
    recipe = read_recipe(recipe_file)
    copy = tmp_path / "copy.yaml"
    copy.write_text(dump_recipe(recipe))
    assert read_recipe(copy) == recipe


def test_an_override_reaches_inside_and_takes_its_type_from_yaml(recipe_file: Path) -> None:
    recipe = read_recipe(recipe_file, ("epochs=7", "augment.mosaic=0.25", "validation=null"))
    assert (recipe.epochs, recipe.augment.mosaic, recipe.validation) == (7, 0.25, None)


def test_relative_paths_start_at_the_recipe_s_folder(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("name: a\nmodel: face\ndata: [{path: pictures}]\n")
    assert read_recipe(path).data[0].path == tmp_path / "pictures"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("epoch=3", ["epoch", "did you mean 'epochs'"]),
        ("augment.mozaic=1", ["augment.mozaic", "did you mean 'mosaic'"]),
        ("epochs=many", ["epochs", "'many'"]),
        ("epochs=0", ["epochs", "got 0"]),
        ("side_px=100", ["side_px", "got 100"]),
        ("augment.mosaic=2", ["mosaic", "probability", "got"]),
        ("loss=qualty", ["loss", "'qualty'"]),
        ("learning_rate=.nan", ["learning_rate"]),
        ("step_at=[0.9,0.5]", ["step_at", "rising"]),
        ("data=[]", ["data"]),
        ("epochs", ["key=value"]),
        ("epochs.inside=3", ["epochs"]),
        ("name=../elsewhere", ["name"]),
        ("epochs=[1", ["not valid YAML"]),
    ],
)
def test_a_wrong_value_is_named_with_what_to_do(recipe_file: Path, override: str, words: list[str]) -> None:
    with pytest.raises(RecipeError) as caught:
        read_recipe(recipe_file, (override,))
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("text", ["", "- 1\n- 2\n", "just words", "a: [1", "\x00", "1: 2", "{" * 3000])
def test_a_file_that_is_no_recipe_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=r"bad\.yaml"):
        read_recipe(path)


def test_a_missing_key_is_named() -> None:
    with pytest.raises(RecipeError, match="model: missing"):
        parse_recipe({"name": "a", "data": [{"path": "x"}]}, "here")


def test_a_recipe_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path / "none.yaml")
