"""How many layers to keep in float: as few as will do, in as few trials as will do, as each scores a whole data set."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["fewest_kept"]


def fewest_kept(holds: Callable[[int], bool], most: int) -> int | None:
    """The least count from 0 to ``most`` for which ``holds`` is true, ``None`` where it is not even for ``most``.

    Counts are doubled until it holds and halved back from there, so that ``holds`` is asked about twice the logarithm
    of the answer; it is taken to stay true once it is.
    """
    if holds(0):
        return 0
    failing, count = 0, min(1, most)
    while count and not holds(count):
        if count == most:
            return None
        failing, count = count, min(2 * count, most)
    while count - failing > 1:
        middle = (failing + count) // 2
        failing, count = (failing, middle) if holds(middle) else (middle, count)
    return count or None
