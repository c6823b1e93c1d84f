"""Random whole nets to check a table with: from an archive that has them, else built by torch on the spot."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ligera.errors import DataError, MissingExtra
from ligera.search.architecture import Architecture
from ligera.search.archive import BlocksArchive
from ligera.search.space import Space
from ligera.search.table import LatencyTable

__all__ = ["distinct_nets", "nets_of"]

TRIES = 50


def distinct_nets(space: Space, count: int, rng: np.random.Generator) -> tuple[Architecture, ...]:
    """Up to ``count`` different random architectures; fewer where the space has hardly more."""
    found: dict[str, Architecture] = {}
    for _ in range(TRIES * count):
        if len(found) == count:
            break
        net = space.sample(rng)
        found[net.name] = net
    return tuple(found.values())


def nets_of(
    table: LatencyTable, count: int, seed: int, blocks: BlocksArchive | None
) -> tuple[tuple[Architecture, ...], Callable[[Architecture], bytes]]:
    """Up to ``count`` nets that ``table`` has all rows for, and what gives the graph of each.

    Raises ``MissingExtra`` where neither the archive has nets nor torch is there, ``DataError`` for too few rows.
    """
    space = table.space
    if blocks is not None and blocks.nets:
        nets = tuple(space.architecture(name) for name in blocks.nets)
        graph: Callable[[Architecture], bytes] = lambda net: blocks.net(net.name)  # noqa: E731
    else:
        nets = distinct_nets(space, 2 * count, np.random.default_rng(seed))
        graph = _builder(table.device.precision)
    known = tuple(net for net in nets if all(entry.key in table.rows for entry in net.entries()))[:count]
    if not known:
        raise DataError(f"the table of {space.name} has all rows of none of {len(nets)} nets; profile the whole space")
    return known, graph


def _builder(precision: str) -> Callable[[Architecture], bytes]:
    """Builds each net once: it has several turns, and tracing takes longer than a turn."""
    try:
        from ligera.search.pieces import net_graph
    except ModuleNotFoundError as error:
        purpose = "building whole nets (or give an archive of `ligera space export --nets 200`)"
        raise MissingExtra(error.name or "torch", "train", purpose) from None
    made: dict[str, bytes] = {}

    def graph(net: Architecture) -> bytes:
        if net.name not in made:
            made[net.name] = net_graph(net, precision)
        return made[net.name]

    return graph
