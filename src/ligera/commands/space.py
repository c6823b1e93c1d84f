"""``ligera space``: search spaces as files that other devices can measure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ligera.commands.terminal import print_json, say
from ligera.commands.tracking import track

__all__ = ["space"]

space = typer.Typer(help="Search spaces: export their blocks for a device without torch.", no_args_is_help=True)


@space.callback()
def _front() -> None:
    """Search spaces: export their blocks for a device without torch."""


@space.command("export")
def export(
    path: Annotated[Path, typer.Argument(metavar="SPACE.yaml", help="The search space.")],
    *,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="BLOCKS.zip", help="The archive to write.")],
    nets: Annotated[int, typer.Option(min=0, max=10_000, help="Random whole nets besides, for profile --check.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of those nets.")] = 0,
    precision: Annotated[str, typer.Option(help="fp32 or int8: what the table is to be of.")] = "fp32",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")] = False,
) -> None:
    """Write each block of a space as an ONNX graph, all in one archive, for `ligera profile` on another device."""
    from ligera.search.exporting import export_space
    from ligera.search.precision import read_precision
    from ligera.search.space import read_space

    kind = read_precision(precision)
    report = export_space(read_space(path), out, source=path, nets=nets, seed=seed, precision=kind, track=track)
    if as_json:
        print_json(
            {
                "path": str(report.path),
                "size_bytes": report.size_bytes,
                "entries": report.entries,
                "frames": report.frames,
                "nets": report.nets,
                "left_out": report.left_out,
            }
        )
        return
    for key, reason in report.left_out.items():
        say(f"left out: {key}: {reason}")
    megabytes = report.size_bytes / 1e6
    say(f"{report.path}: {report.entries} entries, {report.frames} frames, {report.nets} nets, {megabytes:.1f} MB")
    say(f"on the device: ligera profile {report.path.name} -o table.json")
