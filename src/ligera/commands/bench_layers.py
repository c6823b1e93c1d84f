"""``ligera bench MODEL --layers``: in which precision each layer really runs, and where the time goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ligera.commands.terminal import print_json, print_table, quiet_libraries, say

if TYPE_CHECKING:
    from ligera.deploy.layer_audit import LayerAudit
    from ligera.deploy.timing.worker import Job

__all__ = ["show_layers"]

LONGEST_NAME = 60


def show_layers(jobs: Sequence[Job], *, as_json: bool) -> None:
    """Audit the network of each job in turn, one JSON object or one table for each."""
    from ligera.deploy.layer_audit import audit_layers
    from ligera.deploy.timing.worker import bench_picture

    audits = []
    for job in jobs:
        with quiet_libraries():
            audits.append(audit_layers(job.model, bench_picture(job), runtime=job.runtime, threads=job.threads))
    if as_json:
        print_json({"models": [audit.as_dict() for audit in audits]})
        return
    for audit in audits:
        _show(audit)


def _show(audit: LayerAudit) -> None:
    rows = [(layer.name[-LONGEST_NAME:], layer.kind, layer.precision, f"{layer.time_ms:.3f}") for layer in audit.layers]
    print_table(("layer", "kind", "runs in", "ms"), rows, left=3)
    say()
    shape = " x ".join(str(side) for side in audit.shape)
    say(f"{audit.model}: {audit.runtime} on {audit.device}, {audit.threads} threads, input {shape}")
    shares = ", ".join(f"{name} {share:.0%}" for name, share in audit.shares().items())
    counts = ", ".join(f"{count} in {name}" for name, count in audit.weighted().items())
    say(f"layers with weights: {counts}; of {audit.time_ms:.2f} ms: {shares} (timed step by step, which adds some)")
