"""Memory foretold, refused where there is not enough, and measured over steps alone."""

import pytest
import torch

from ligera.errors import RecipeError
from ligera.models.memory import TrainingMemory
from ligera.train.exhaustion import is_out_of_memory
from ligera.train.reading import parse_recipe
from ligera.train.regions.memory import MemoryWatch, check_room, lighter

NEEDED = TrainingMemory(100, 200, 8000, 8300, (1024, 704), 4)


@pytest.fixture
def recipe(region_values: dict):
    return parse_recipe(region_values | {"model": "ResNet-101", "batch": 4, "side_px": 1024}, "test")


def test_a_step_that_fits_is_not_spoken_of(recipe) -> None:
    check_room(recipe, NEEDED, 8300)
    check_room(recipe, NEEDED, None)


def test_a_step_that_cannot_fit_is_refused_with_what_would(recipe) -> None:
    with pytest.raises(RecipeError) as caught:
        check_room(recipe, NEEDED, 4300)
    message = str(caught.value)
    assert "8,300 MB" in message
    assert "4,300 MB" in message
    assert message.endswith("try batch=2 or side_px=704 or model=layout-small")


def test_one_page_cannot_be_halved_but_made_smaller(recipe) -> None:
    single = recipe.model_copy(update={"batch": 1, "model": "layout-small"})
    assert lighter(single, NEEDED, 4300) == "try side_px=704"


def test_where_weights_alone_are_too_much_only_another_network_helps(recipe) -> None:
    assert lighter(recipe, NEEDED, 250) == "try model=layout-small"
    alone = recipe.model_copy(update={"model": "layout-small"})
    assert lighter(alone, NEEDED, 250) == "it takes a machine with more memory"


def test_what_is_tried_after_a_failure_takes_half_of_it(recipe) -> None:
    assert lighter(recipe, NEEDED, None) == "try batch=2 or side_px=704 or model=layout-small"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
            True,
        ),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_memory_that_ran_out_is_told_from_other_errors(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


class _Process:
    """A process whose high water mark is what a test says."""

    high_mb: float | None = 500.0

    def read(self):
        return type("Usage", (), {"rss_mb": 400.0})

    def high_water_mb(self):
        return self.high_mb


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> _Process:
    process = _Process()
    monkeypatch.setattr("ligera.train.regions.memory.ProcessTree", lambda: process)
    return process


def test_what_steps_took_is_the_risen_mark_less_what_was_held_before(process: _Process) -> None:
    watch = MemoryWatch()
    watch.look(torch.device("cpu"))
    assert watch.measured_mb is None
    process.high_mb = 900.0
    watch.look(torch.device("cpu"))
    assert watch.measured_mb == 500.0


def test_validation_does_not_count(process: _Process) -> None:
    watch = MemoryWatch()
    watch.look(torch.device("cpu"))
    process.high_mb = 900.0
    watch.stop()
    process.high_mb = 5000.0
    watch.look(torch.device("cpu"))
    watch.stop()
    assert watch.measured_mb == 500.0


def test_a_mark_that_did_not_rise_says_nothing(process: _Process) -> None:
    watch = MemoryWatch()
    watch.look(torch.device("cpu"))
    watch.stop()
    assert watch.measured_mb is None


def test_what_is_needed_grows_with_the_batch(region_values: dict, drawn_pages) -> None:
    from ligera.train.regions.memory import foretell
    from ligera.train.regions.task import spec_for

    recipe = parse_recipe(region_values, "test")
    spec = spec_for("tiny", 160, 2)
    one, two = (foretell(recipe.model_copy(update={"batch": batch}), spec, (160, 128), 3).total_mb for batch in (1, 2))
    assert one < two
