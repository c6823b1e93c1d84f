"""A cluster of two Ray nodes on this machine, for tests of what runs on many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest


@contextmanager
def two_nodes(environment: Mapping[str, str] = {}) -> Iterator[str]:
    """Two nodes of one core each, to which this process is connected; yields their address."""
    import ray
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"RAY_USAGE_STATS_ENABLED": "0", **environment}.items():
            patch.setenv(name, value)
        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        try:
            nodes.add_node(num_cpus=1)
            nodes.wait_for_nodes()
            ray.init(address=nodes.address, log_to_driver=False, logging_level="error")
            yield nodes.address
        finally:
            ray.shutdown()
            nodes.shutdown()
