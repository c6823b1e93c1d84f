"""The recipe of a trial: pairs, counting in epochs, where the learning rate falls, when state is saved."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ligera.studies.manuscripts.cases import BASE, CHOSEN, STEPS, Case
from ligera.studies.manuscripts.settings import Settings
from ligera.studies.manuscripts.trial import Job, epochs_at_once, probe_job, training_job
from ligera.train.reading import parse_recipe
from ligera.train.recipe import Recipe
from ligera.train.regions.recipe import iterations_of


def recipe_of(job: Job) -> Recipe:
    return parse_recipe(job.recipe | {"name": job.name}, "test")


@pytest.mark.parametrize("epochs", [1, 7, 115, 225, 450, 900, 1407, 2812])
@pytest.mark.parametrize("pages", [1, 30, 128, 253])
def test_epochs_together_divide_those_of_the_case_and_are_few_steps(epochs: int, pages: int) -> None:
    at_once = epochs_at_once(epochs, pages, most_steps=100)
    assert epochs % at_once == 0
    assert at_once == 1 or at_once * pages <= 200


@pytest.mark.parametrize("case", [BASE, CHOSEN, Case("VoVNet-39", 450, STEPS[1], 6)], ids=lambda case: case.name)
def test_a_trial_takes_the_steps_that_its_epochs_say(settings: Callable[..., Settings], case: Case) -> None:
    job = training_job(settings(), case, 0, 128, Path())
    recipe = recipe_of(job)
    shown = recipe.samples_per_epoch or 128
    steps = recipe.epochs * (shown // case.batch)
    assert recipe.epochs * job.epochs_at_once == case.epochs
    # equation 3.4, less what of an epoch's last batch is missing
    assert steps == pytest.approx(iterations_of(case.epochs, case.batch, 128), rel=0.02)
    assert recipe.step_at == case.step_at
    assert recipe.warmup_steps <= steps / 10


def test_cases_of_one_seed_differ_in_what_the_case_says_alone(settings: Callable[..., Settings]) -> None:
    one = training_job(settings(), CHOSEN, 3, 30, Path()).recipe
    other = training_job(settings(), Case("VoVNet-39", 450, STEPS[0], 6), 3, 30, Path()).recipe
    assert {key for key in one if one[key] != other[key]} <= {"model", "batch", "warmup_steps"}


def test_a_long_epoch_is_saved_within(settings: Callable[..., Settings]) -> None:
    short, long = (training_job(settings(checkpoint_steps=20), CHOSEN, 0, pages, Path()) for pages in (30, 128))
    assert short.recipe["checkpoint_every_steps"] is None
    assert long.recipe["checkpoint_every_steps"] == 20


def test_the_learning_rate_is_the_papers_or_scaled_by_batch(settings: Callable[..., Settings]) -> None:
    same = recipe_of(training_job(settings(), BASE, 0, 30, Path()))
    scaled = recipe_of(training_job(settings(reference_batch=2), BASE, 0, 30, Path()))
    assert scaled.learning_rate == pytest.approx(2 * same.learning_rate)


def test_a_job_reads_back_from_what_its_process_is_given(settings: Callable[..., Settings]) -> None:
    for job in (training_job(settings(), CHOSEN, 0, 30, Path("x")), probe_job(settings(), "ResNet-31", Path("x"))):
        again = Job.from_json(job.to_json())
        assert recipe_of(again) == recipe_of(job)
        assert again.answer == job.answer
