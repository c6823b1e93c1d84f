"""Which samples an epoch shows: everything, a part, or a part that follows the score or the losses.

``make_sampler`` turns a ``SamplerRecipe`` into a ``Sampler``; a ``Sampler`` gives the loop an ``EpochPlan`` per epoch.
All are seeded and without global state: a plan depends on the seed, the epoch and what was observed, on nothing else.
"""

from ligera.train.samplers.make import make_sampler
from ligera.train.samplers.plan import EpochPlan, Sampler
from ligera.train.samplers.recipe import SamplerRecipe

__all__ = ["EpochPlan", "Sampler", "SamplerRecipe", "make_sampler"]
