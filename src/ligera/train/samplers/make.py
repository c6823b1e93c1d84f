"""Recipe and data -> sampler; what the recipe cannot know before it meets the data is checked here."""

from __future__ import annotations

import numpy as np

from ligera.errors import RecipeError
from ligera.train.samplers.dynamic import DynamicSampler, replaced_count
from ligera.train.samplers.full import FullSampler
from ligera.train.samplers.infobatch import InfoBatchSampler
from ligera.train.samplers.plan import Sampler
from ligera.train.samplers.pool import Pool, make_pool
from ligera.train.samplers.recipe import SamplerRecipe
from ligera.train.samplers.rs2 import RS2Sampler
from ligera.train.samplers.static import StaticSampler


def make_sampler(
    recipe: SamplerRecipe,
    *,
    rows: int,
    weights: np.ndarray | None = None,
    samples_per_epoch: int | None = None,
    seed: int,
    epochs: int,
) -> Sampler:
    """The sampler of ``recipe`` over a data set of ``rows`` rows.

    ``weights (rows,)``: how often each row is drawn, rows with 0 never; None: alike. ``samples_per_epoch``: how many
    samples an epoch over all rows draws; a part of the rows draws that part of it. With None an epoch shows each row
    once, or, with weights that differ, draws as many as there are rows.

    Raises ``RecipeError`` for values that do not go with the data, ``ValueError`` for weights that are no weights.
    """
    pool = make_pool(rows, weights, samples_per_epoch)
    if recipe.kind == "full":
        return FullSampler(pool, seed)
    if recipe.kind == "infobatch":
        return InfoBatchSampler(pool, seed, prune=recipe.prune, anneal=recipe.anneal, epochs=epochs)
    count = _part(recipe, pool)
    if recipe.kind == "static":
        return StaticSampler(pool, seed, count)
    if recipe.kind == "rs2":
        return RS2Sampler(pool, seed, count, replacement=recipe.replacement)
    _check_replaced(recipe.beta, count, len(pool.rows))
    gamma = 1.0 if recipe.gamma is None else recipe.gamma
    return DynamicSampler(pool, seed, count, beta=recipe.beta, delta=recipe.delta, design=recipe.design, gamma=gamma)


def _part(recipe: SamplerRecipe, pool: Pool) -> int:
    """``alpha`` as a number of rows: a share of them to the nearest whole number, halves to the even one."""
    there = len(pool.rows)
    count = round(recipe.alpha * there) if recipe.alpha <= 1 else int(recipe.alpha)
    if count > there:
        raise RecipeError(
            f"sampler.alpha: {count:,} is more than the {there:,} samples there are; give fewer, or a share up to 1"
        )
    if pool.count(count) < 1:
        raise RecipeError(
            f"sampler.alpha: {recipe.alpha:g} of {pool.per_epoch:,} samples per epoch is not one sample; make it larger"
        )
    return count


def _check_replaced(beta: float, count: int, there: int) -> None:
    """A resampling must find its new rows outside the part, and at least one when it is to replace any."""
    replaced = replaced_count(count, beta)
    if replaced > there - count:
        raise RecipeError(
            f"sampler.beta: {beta:g} of {count:,} samples are {replaced:,} to replace, but alpha leaves only "
            f"{there - count:,} of {there:,} outside; make alpha or beta smaller"
        )
    if beta > 0 and not replaced:
        raise RecipeError(f"sampler.beta: {beta:g} of {count:,} samples is not one sample to replace; make it larger")
