"""``ligera export RUN_OR_CHECKPOINT -o FILE.onnx``: a training run -> one bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ligera.commands.terminal import print_json, print_table, say
from ligera.errors import UsageError, nearest

PRECISIONS = ("fp32",)
LATER_PRECISIONS = ("fp16", "int8")


def export(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN_OR_CHECKPOINT", help="Folder of a training run, or its weights or checkpoint file."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.onnx", help="Where the bundle goes.")],
    *,
    recipe: Annotated[
        Path | None, typer.Option(help="Recipe of weights that stand alone.", show_default="the run's recipe.yaml")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name in the bundle's card.", show_default="the recipe's")] = None,
    training_data: Annotated[
        str | None, typer.Option(help="What it was trained on, in words.", show_default="the recipe's folders")
    ] = None,
    licence: Annotated[str, typer.Option(help="Licence of the weights, and what they may not be used for.")] = "",
    precision: Annotated[str, typer.Option(help="Number format of the weights.")] = "fp32",
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON on stdout, nothing else there.")] = False,
) -> None:
    """Write a trained network as one ONNX bundle that detects without torch.

    Nothing is written when ONNX Runtime and torch disagree on what the network says. A run that is not done is exported
    as its last checkpoint stands.
    """
    _check_precision(precision)
    from ligera.deploy.checkpoints import export_run

    report = export_run(run, out, recipe=recipe, name=name, training_data=training_data, licence=licence)
    card = report.card
    if as_json:
        print_json(
            {
                "file": str(report.path),
                "size_bytes": report.size_bytes,
                "name": card.name,
                "precision": card.precision,
                "scores": dict(card.scores),
                # weights as they were trained: nothing was rounded, so there is no drop to measure
                "drop": None,
                "difference": report.difference,
                "training_data": card.training_data,
                "licence": card.licence,
                "recipe_sha256": card.recipe_sha256,
                "graph_sha256": card.graph_sha256,
            }
        )
        return
    say(f"{report.path}: {card.name}, {report.size_bytes / 1e6:.2f} MB, {card.precision}")
    say(f"torch and ONNX Runtime differ by {report.difference:.1e} at most")
    if card.scores:
        print_table(("score", "value"), [(label, f"{value:.3f}") for label, value in card.scores.items()])
    else:
        say("no scores: the run was not validated at these weights")


def _check_precision(precision: str) -> None:
    if precision in PRECISIONS:
        return
    if precision in LATER_PRECISIONS:
        raise UsageError(f"--precision {precision} is not there yet; today: {', '.join(PRECISIONS)}")
    raise UsageError(f"--precision: no precision {precision!r}{nearest(precision, PRECISIONS)}; today: fp32")
