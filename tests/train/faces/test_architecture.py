"""Architecture files: written and read back alike, taken as a recipe's model, refused in one line."""

from pathlib import Path

import pytest
import yaml

from ligera.deploy.export.run_tasks import describe
from ligera.errors import LigeraError, RecipeError
from ligera.models import catalogue
from ligera.train.faces.architecture import NamedArchitecture, read_architecture, write_architecture
from ligera.train.reading import dump_recipe, read_recipe


@pytest.mark.parametrize("name", catalogue.names())
def test_every_detector_of_the_catalogue_is_read_back_as_it_was_written(name: str, tmp_path: Path) -> None:
    named = NamedArchitecture("mine", catalogue.find(name), {"found_by": {"latency_ms": 3.5}})
    write_architecture(tmp_path / "mine.yaml", named)
    assert read_architecture(tmp_path / "mine.yaml") == named


def test_a_recipe_takes_a_file_as_its_model_and_keeps_its_spec(tmp_path: Path) -> None:
    write_architecture(tmp_path / "mine.yaml", NamedArchitecture("mine", catalogue.find("face"), {}))
    values = {"name": "a", "model": "mine.yaml", "data": [{"path": "x"}]}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(values))
    recipe = read_recipe(tmp_path / "recipe.yaml")
    assert recipe.model == "mine"
    assert recipe.spec == catalogue.find("face")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "recipe.yaml").write_text(dump_recipe(recipe))
    assert read_recipe(tmp_path / "elsewhere" / "recipe.yaml").spec == recipe.spec


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no architecture file"),
        ("[1, 2]", "no architecture file"),
        ("name: x", "no architecture file"),
        ("name: x\narchitecture: 3", "architecture"),
        ("name: x\narchitecture: {backbone: resnet18}", "backbone"),
        ("name: x\narchitecture: {backbone: {first_channels: 8, stages: [[a], [b], [c], [d]]}}", "unknown block"),
        ("a: [", "not YAML"),
    ],
)
def test_what_is_no_architecture_is_refused_in_one_line(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(LigeraError, match=complaint) as error:
        read_architecture(tmp_path / "x.yaml")
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no such file"):
        read_architecture(tmp_path / "x.yaml")


def test_a_run_of_an_architecture_file_is_exported_as_that_architecture(tmp_path: Path) -> None:
    spec = catalogue.find("face")
    write_architecture(tmp_path / "mine.yaml", NamedArchitecture("mine", spec, {}))
    (tmp_path / "recipe.yaml").write_text(
        yaml.safe_dump({"name": "a", "model": "mine.yaml", "data": [{"path": str(tmp_path)}]})
    )
    described = describe(read_recipe(tmp_path / "recipe.yaml"), tmp_path)
    assert described.build().state_dict().keys() == catalogue.build("face").state_dict().keys()
