"""``ligera export RUN_OR_CHECKPOINT ... -o FILE.onnx``: a training run, or those of MTCNN's nets -> one bundle.

In another precision than fp32 the same for a bundle.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ligera.commands.terminal import complain, print_json, print_table, quiet_libraries, say
from ligera.errors import UsageError, nearest

if TYPE_CHECKING:
    from ligera.deploy.quantization.plan import ConversionPlan

PRECISIONS = ("fp32", "fp16", "bf16", "int8")


def export(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN_OR_CHECKPOINT_OR_BUNDLE...",
            help="Folder of a training run, or its weights or checkpoint file. Of MTCNN: P-Net's, P- and R-Net's, or "
            "all three. Or a bundle or built-in name, for another precision of it.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.onnx", help="Where the bundle goes.")],
    *,
    recipe: Annotated[
        Path | None, typer.Option(help="Recipe of weights that stand alone.", show_default="the run's recipe.yaml")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name in the bundle's card.", show_default="the recipe's, MTCNN's the file's")
    ] = None,
    training_data: Annotated[
        str | None, typer.Option(help="What it was trained on, in words.", show_default="the recipe's folders")
    ] = None,
    licence: Annotated[str, typer.Option(help="Licence of the weights, and what they may not be used for.")] = "",
    rule: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="How MTCNN is run, e.g. min_face_px=12 or scores=0.6,0.7,0.7."),
    ] = None,
    precision: Annotated[
        str, typer.Option(help="fp32, fp16 or bf16 (weights in half the size), or int8 (computes in 8 bits).")
    ] = "fp32",
    calibrate: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Pictures that int8 takes the ranges of its numbers from.")
    ] = None,
    calibration: Annotated[str, typer.Option(help="How ranges are taken: minmax, entropy or percentile.")] = "minmax",
    calibration_pictures: Annotated[int, typer.Option(min=1, help="How many pictures of that folder.")] = 100,
    activations: Annotated[
        str, typer.Option(help="u8, which processors multiply fastest with int8's weights, or s8, for TensorRT.")
    ] = "u8",
    gate_data: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="Labelled pictures, as for eval, to measure on what precision costs."),
    ] = None,
    max_drop: Annotated[
        float, typer.Option(help="Points of AP50 or accuracy on --gate-data that precision may cost.")
    ] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON on stdout, nothing else there.")] = False,
) -> None:
    """Write a trained network as one ONNX bundle that detects without torch.

    Nothing is written when ONNX Runtime and torch disagree on what the network says. A run that is not done is exported
    as its last checkpoint stands. P-Net alone, or P- and R-Net, make a bundle that ``ligera mine`` goes on with.

    In another precision than fp32 a bundle that loses more than --max-drop on --gate-data is not written (exit code 4);
    of int8 the layers that lose most are kept in float first, as few as will do. A recogniser that ``ligera enroll``
    made takes photos for both: it finds the face in each, as it does when it runs, and is judged at its threshold on a
    folder for each person and one called unknown.
    """
    _check_precision(precision)
    plan = None
    if precision != "fp32":
        plan = _plan(precision, calibrate, calibration, calibration_pictures, activations, gate_data, max_drop)
    elif calibrate is not None or gate_data is not None:
        raise UsageError("--calibrate and --gate-data are for other precisions than fp32; add --precision int8")
    facts = {"recipe": recipe, "name": name, "training_data": training_data, "licence": licence, "rule": rule}
    bundle = _bundle_among(runs, facts)
    if bundle is not None:
        if plan is None:
            raise UsageError(f"{bundle}: is a bundle already; say which --precision to make of it: fp16, bf16 or int8")
        _convert(bundle, out, plan, as_json)
        return
    from ligera.deploy.export.cascade_runs import export_runs
    from ligera.deploy.quantization.source import expect_onnx

    facts["rule"] = tuple(rule or ())
    if plan is not None:
        expect_onnx(out)
        with tempfile.TemporaryDirectory(prefix="ligera-") as folder:
            whole = Path(folder, "fp32.onnx")
            export_runs(runs, whole, **facts)  # type: ignore[arg-type]
            _convert(str(whole), out, plan, as_json)
        return
    report = export_runs(runs, out, **facts)  # type: ignore[arg-type]
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
    if precision not in PRECISIONS:
        hint = nearest(precision, PRECISIONS)
        raise UsageError(f"--precision: there is no {precision!r}{hint}; known: {', '.join(PRECISIONS)}")


def _plan(
    precision: str,
    calibrate: Path | None,
    calibration: str,
    pictures: int,
    activations: str,
    gate_data: Path | None,
    max_drop: float,
) -> ConversionPlan:
    from ligera.deploy.quantization.plan import ConversionPlan

    # what is no such word is refused by the plan itself
    words: dict[str, Any] = {"precision": precision, "method": calibration, "activations": activations}
    return ConversionPlan(**words, calibrate=calibrate, pictures=pictures, gate_data=gate_data, max_drop=max_drop)


def _bundle_among(runs: list[Path], facts: dict[str, Any]) -> str | None:
    """The bundle that is to be converted, where it is not runs that are exported."""
    from ligera.deploy.quantization.source import find_bundle

    bundles = [str(run) for run in runs if find_bundle(run) is not None]
    if not bundles:
        return None
    if len(runs) > 1:
        raise UsageError(f"{bundles[0]}: is a bundle, which is converted by itself; give one at a time")
    given = [f"--{name.replace('_', '-')}" for name, value in facts.items() if value]
    if given:
        raise UsageError(f"{given[0]}: is of a training run, and {bundles[0]} is a bundle, which says so itself")
    return bundles[0]


def _convert(model: str, out: Path, plan: ConversionPlan, as_json: bool) -> None:
    from ligera.deploy.quantization.converting import convert

    with quiet_libraries():
        done = convert(model, out, plan, note=complain)
    card, record, gate = done.card, done.record, done.record.gate
    if as_json:
        print_json(
            {
                "file": str(done.path),
                "size_bytes": done.size_bytes,
                "source_bytes": done.source_bytes,
                "name": card.name,
                "precision": card.precision,
                "scores": dict(card.scores),
                "drop": None if gate is None else gate.drop,
                "max_drop": None if gate is None else gate.max_drop,
                "metric": None if gate is None else gate.metric,
                "gate_data": None if gate is None else gate.data,
                "judged": None if gate is None else gate.judged,
                "calibration": None if record.calibration is None else asdict(record.calibration),
                "layers": record.layers,
                "kept_float": list(record.kept_float),
                "logit_shift": list(record.logit_shift),
                "tried": [{"kept": kept, "drop": drop} for kept, drop in done.tried],
                "graph_sha256": card.graph_sha256,
                "source_sha256": record.source_sha256,
            }
        )
        return
    share = done.size_bytes / done.source_bytes
    say(f"{done.path}: {card.name}, {done.size_bytes / 1e6:.2f} MB ({share:.0%} of fp32's), {card.precision}")
    if record.kept_float:
        say(f"{len(record.kept_float)} of {record.layers} layers in float: {', '.join(record.kept_float)}")
    if gate is None:
        say("what it lost was not measured: give labelled pictures as --gate-data")
    else:
        scores = f"{gate.after:.2f} points of {gate.metric}, fp32 {gate.before:.2f}"
        say(f"{gate.data}: {scores}, drop {gate.drop:+.2f} (n {gate.judged:,})")
