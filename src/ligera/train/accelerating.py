"""A recipe's precision -> Accelerate set up for it; one process may train in several, one after the other."""

from __future__ import annotations

from accelerate import Accelerator
from accelerate.state import AcceleratorState, is_initialized

__all__ = ["accelerator_for"]


def accelerator_for(precision: str) -> Accelerator:
    """An accelerator that trains in ``precision``, as recipes spell it; those made before must be done with."""
    wanted = "no" if precision == "fp32" else precision
    if is_initialized() and AcceleratorState().mixed_precision != wanted:
        # Accelerate keeps the first precision of a process for good and refuses any other. It has no public way to let
        # go of it; this is the one that its own tests and the trainer of Transformers take. The processes that have
        # found each other stay together, as they are kept elsewhere.
        AcceleratorState._reset_state()
    return Accelerator(mixed_precision=wanted)
