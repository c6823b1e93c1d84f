"""Which row goes with which column so that the costs add up to the least, in numpy, for a handful of each.

In: costs ``(R, C)``. Out: the pairs of the best assignment. Shortest augmenting paths with potentials, as in Jonker and
Volgenant 1987; O(R² C), a fraction of a millisecond for the faces of a frame. The light package has no scipy.
"""

from __future__ import annotations

import numpy as np

__all__ = ["cheapest_pairs"]


def cheapest_pairs(costs: np.ndarray, most: float) -> list[tuple[int, int]]:
    """Pairs (row, column) of the cheapest assignment of ``costs (R, C)``, by row, none dearer than ``most``.

    A pair above ``most`` counts as ``most`` while they are weighed, so that being left alone costs as much for each.
    """
    if not costs.size:
        return []
    flipped = costs.shape[0] > costs.shape[1]
    bounded = np.minimum(costs.T if flipped else costs, most).astype(np.float64)
    pairs = [(column, row) if flipped else (row, column) for row, column in enumerate(_columns_of_rows(bounded))]
    return sorted((row, column) for row, column in pairs if costs[row, column] <= most)


def _columns_of_rows(costs: np.ndarray) -> list[int]:
    """The column of each row; there are at least as many columns. Place 0 stands for "none yet"."""
    rows, columns = costs.shape
    row_price, column_price = np.zeros(rows + 1), np.zeros(columns + 1)
    owner = np.zeros(columns + 1, np.int64)
    for row in range(1, rows + 1):
        owner[0] = row
        came_from = np.zeros(columns + 1, np.int64)
        slack = np.full(columns + 1, np.inf)
        visited = np.zeros(columns + 1, bool)
        here = 0
        while owner[here]:
            visited[here] = True
            reduced = costs[owner[here] - 1] - row_price[owner[here]] - column_price[1:]
            better = ~visited[1:] & (reduced < slack[1:])
            slack[1:][better] = reduced[better]
            came_from[1:][better] = here
            open_slack = np.where(visited, np.inf, slack)
            open_slack[0] = np.inf
            there = int(open_slack.argmin())
            step = open_slack[there]
            row_price[owner[visited]] += step
            column_price[visited] -= step
            slack[~visited] -= step
            here = there
        while here:
            before = int(came_from[here])
            owner[here] = owner[before]
            here = before
    found = [0] * rows
    for column in range(1, columns + 1):
        if owner[column]:
            found[owner[column] - 1] = column - 1
    return found
