"""``ligera models``: what there is to detect with and to train."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from ligera.commands.bench import parse_size
from ligera.commands.terminal import complain, print_json, print_table, say
from ligera.errors import MissingExtra, UsageError

SIDE_MULTIPLE_PX = 32
PAGE_SIDE_PX = 1024


def models(
    size: Annotated[
        str, typer.Option(metavar="WxH", help="Input for which multiply-adds are counted, px.")
    ] = "320x320",
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON on stdout, nothing else there.")] = False,
) -> None:
    """List the built-in models, the nets that can be trained and the kinds of other people's detectors.

    Parameters and multiply-adds (MACs) of the nets are counted where torch is installed.
    """
    width, height = parse_size(size)
    if width % SIDE_MULTIPLE_PX or height % SIDE_MULTIPLE_PX or not (width and height):
        raise UsageError(f"--size {size}: expected sides that are multiples of {SIDE_MULTIPLE_PX} px, such as 320x320")
    builtin = _builtin()
    nets, why_uncounted = _catalogue((height, width))
    layouts, peers = _layouts(), _peers()
    if as_json:
        print_json({"builtin": builtin, "catalogue": nets, "layouts": layouts, "peers": peers})
    else:
        _show(builtin, nets, layouts, peers)
    if why_uncounted:
        complain(f"ligera: {why_uncounted}")


def _builtin() -> list[dict[str, Any]]:
    from ligera.deploy.builtin import builtin_names, builtin_path
    from ligera.deploy.bundle import card_from_metadata
    from ligera.deploy.runtimes import open_runtime

    rows = []
    for name in builtin_names():
        path = builtin_path(name)
        runtime = open_runtime(path, threads=1)
        card = card_from_metadata(runtime.metadata, str(path))
        runtime.close()
        rows.append(
            {
                "name": name,
                "task": card.task,
                "size_bytes": path.stat().st_size,
                "precision": card.precision,
                "labels": list(card.labels),
                "scores": dict(card.scores),
                "training_data": card.training_data,
                "licence": card.licence,
            }
        )
    return rows


def _catalogue(input_size: tuple[int, int]) -> tuple[list[dict[str, Any]], str | None]:
    """A row per net, with what it costs where torch is installed; otherwise why that is not known."""
    from ligera.models import catalogue
    from ligera.models.receptive import receptive_field_px
    from ligera.models.summary import summarize

    rows, reason = [], None
    for name, spec in catalogue.DETECTORS.items():
        row: dict[str, Any] = {"name": name, "parameters": None, "macs": None, "priors": None, "input_size": None}
        row["receptive_field_px"] = receptive_field_px(spec)
        try:
            row |= asdict(summarize(name, input_size))
        except MissingExtra as error:
            reason = str(error)
        rows.append(row)
    return rows, reason


def _layouts() -> list[dict[str, Any]]:
    """A row per layout detector, with what it costs on an upright page of its own size where torch is installed."""
    from ligera.models.layout_catalogue import LAYOUT_DETECTORS

    try:
        from ligera.models.layout_summary import summarize_layout
    except ModuleNotFoundError:
        empty = {"parameters": None, "macs": None, "regions": None, "input_size": None}
        return [{"name": name} | empty for name in LAYOUT_DETECTORS]
    rows = []
    for name, spec in LAYOUT_DETECTORS.items():
        side = spec.preprocess.max_side or PAGE_SIDE_PX
        width = side * 2 // 3 // SIDE_MULTIPLE_PX * SIDE_MULTIPLE_PX
        cost = asdict(summarize_layout(name, (side, width)))
        rows.append({"name": name} | {key: cost[key] for key in ("parameters", "macs", "regions", "input_size")})
    return rows


def _peers() -> list[dict[str, Any]]:
    from ligera.deploy.peers import PEERS

    return [
        {"kind": kind, "summary": peer.summary, "file": peer.file, "needs_file": peer.needs_file}
        for kind, peer in PEERS.items()
    ]


def _show(
    builtin: list[dict[str, Any]],
    nets: list[dict[str, Any]],
    layouts: list[dict[str, Any]],
    peers: list[dict[str, Any]],
) -> None:
    say("built in, for ligera detect --model NAME")
    if builtin:
        print_table(
            ("name", "task", "MB", "precision"),
            [(row["name"], row["task"], f"{row['size_bytes'] / 1e6:.2f}", row["precision"]) for row in builtin],
            left=2,
        )
        for row in builtin:
            for label, value in row["scores"].items():
                say(f"  {row['name']}: {label} {value:.3f}")
    else:
        say("  none in this installation")
    say()
    say("nets, for a recipe's model: NAME (height x width px; receptive field of each level, finest first)")
    print_table(("name", "parameters", "MACs", "at px", "receptive field px"), [_net_cells(row) for row in nets])
    say()
    say("layout detectors, for a recipe of pages (height x width px; MACs of a page with 40 regions)")
    print_table(("name", "parameters", "MACs", "at px"), [_layout_cells(row) for row in layouts])
    say()
    say("other people's detectors, for ligera detect --model KIND:FILE")
    print_table(("kind", "what", "file"), [(row["kind"], row["summary"], row["file"]) for row in peers], left=3)


def _layout_cells(row: dict[str, Any]) -> tuple[str, ...]:
    if row["parameters"] is None:
        return (row["name"], "?", "?", "?")
    height, width = row["input_size"]
    return (row["name"], f"{row['parameters']:,}", f"{row['macs'] / 1e6:,.0f} M", f"{height}x{width}")


def _net_cells(row: dict[str, Any]) -> tuple[str, ...]:
    fields = " ".join(str(side) for side in row["receptive_field_px"])
    if row["parameters"] is None:
        return (row["name"], "?", "?", "?", fields)
    height, width = row["input_size"]
    return (row["name"], f"{row['parameters']:,}", f"{row['macs'] / 1e6:,.0f} M", f"{height}x{width}", fields)
