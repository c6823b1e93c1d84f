"""``ligera eval``: a detector, or detections that were made elsewhere, against what an annotator drew."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ligera.commands.terminal import complain, print_json, print_table, quiet_libraries, say, with_progress
from ligera.errors import UsageError

if TYPE_CHECKING:
    from ligera.data.faces import FaceSample
    from ligera.deploy.evaluate import GroupScore, LabelScores

SETTINGS = ("easy", "medium", "hard")
LIST_FOLDER = "wider_face_split"


def evaluate(
    model: Annotated[
        str | None, typer.Argument(help="Built-in name, bundle file, or KIND:FILE of another maker's detector.")
    ] = None,
    data: Annotated[
        Path | None, typer.Argument(help="Folder with RetinaFace labels, or in WIDER FACE's layout.")
    ] = None,
    *,
    detections: Annotated[
        Path | None,
        typer.Option(metavar="DUMP_DIR", help="Score these detections instead: DUMP_DIR/EVENT/PICTURE.txt."),
    ] = None,
    ground_truth: Annotated[
        Path | None, typer.Option(metavar="SPLIT_DIR", help="Folder with WIDER FACE's four .mat files.")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="ap50 or widerface.", show_default="that of the data's layout")
    ] = None,
    max_side: Annotated[
        int | None, typer.Option(min=32, help="Search at this long side at most, px.", show_default="native size")
    ] = None,
    min_face: Annotated[
        int | None, typer.Option(min=1, help="Ignore faces whose long side is shorter, px.", show_default="count all")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads.", show_default="cores, at most 4")] = None,
    runtime: Annotated[str, typer.Option(help="What runs the network.")] = "onnxruntime",
    as_json: Annotated[bool, typer.Option("--json", help="The scores as JSON on stdout, nothing else there.")] = False,
) -> None:
    """Score a detector on a data set, or a folder of detections on WIDER FACE.

    Every score is printed with its protocol. Broken pictures are named and no score is given without them.
    """
    options: dict[str, str | int | None] = {"protocol": protocol, "max_side": max_side, "min_face": min_face}
    if detections is not None or ground_truth is not None:
        if model is not None or max_side is not None or min_face is not None:
            raise UsageError(
                "--detections were made already: give them and --ground-truth without a model or its options"
            )
        _score_dump(detections, ground_truth, protocol, as_json)
    elif model is None or data is None:
        raise UsageError("give MODEL and DATA, or --detections DUMP_DIR with --ground-truth SPLIT_DIR")
    else:
        _score_model(model, data, threads, runtime, as_json=as_json, **options)


def _score_dump(detections: Path | None, ground_truth: Path | None, protocol: str | None, as_json: bool) -> None:
    if detections is None or ground_truth is None:
        raise UsageError("--detections DUMP_DIR and --ground-truth SPLIT_DIR belong together; give both")
    if protocol not in (None, "widerface"):
        raise UsageError(f"--protocol {protocol}: detections on disk are scored by widerface only")
    from ligera.metrics.widerface import evaluate as score
    from ligera.metrics.widerface import read_dump, read_ground_truth

    inside = ground_truth / LIST_FOLDER
    result = score(read_dump(detections), read_ground_truth(inside if inside.is_dir() else ground_truth))
    scores = {setting: _known(getattr(result, setting)) for setting in SETTINGS}
    counts = {"pictures": result.pictures, "missing": result.missing, "unknown": result.unknown}
    if result.missing:
        complain(
            f"ligera: {result.missing:,} of {result.pictures:,} pictures have no file there: nothing found in them"
        )
    if result.unknown:
        complain(f"ligera: {result.unknown:,} files are of pictures that the ground truth does not list; left out")
    if as_json:
        print_json({"detections": str(detections), "protocol": result.protocol, **scores, **counts})
        return
    _show_wider(str(detections), result.protocol, result.pictures, scores)


def _score_model(
    model: str, data: Path, threads: int | None, runtime: str, *, as_json: bool, **options: str | int | None
) -> None:
    from ligera.deploy.detector import Detector
    from ligera.deploy.evaluate import LabelScores
    from ligera.deploy.evaluate import evaluate as score

    def watch(samples: Iterable[FaceSample], count: int) -> Iterator[FaceSample]:
        return with_progress(samples, count, "evaluating")

    with quiet_libraries(), Detector.load(model, threads=threads, runtime=runtime) as detector:
        scores = score(detector, data, watch=watch, **options)
    if as_json:
        print_json(scores.as_dict() | {"model": model})
    elif isinstance(scores, LabelScores):
        _show_labels(model, scores)
    else:
        wider = {setting: getattr(scores, setting) for setting in SETTINGS}
        _show_wider(model, scores.protocol, scores.pictures, wider)


def _show_wider(what: str, protocol: str, pictures: int, scores: dict[str, float | None]) -> None:
    say(f"{what}: AP over {pictures:,} pictures")
    print_table(SETTINGS, [tuple(_cell(scores[setting]) for setting in SETTINGS)], left=0)
    say(protocol)


def _show_labels(model: str, scores: LabelScores) -> None:
    say(f"{model} on {scores.data}")
    rows = [_row(name, group) for name, group in scores.sources.items()]
    print_table(
        ("source", "pictures", "faces", "AP50", "recall", "precision", "NME"), [*rows, _row("all", scores.overall)]
    )
    say()
    sizes = [(name, f"{part.faces:,}", _cell(part.ap50), _cell(part.recall)) for name, part in scores.sizes.items()]
    print_table(("long side of face", "faces", "AP50", "recall"), sizes)
    say()
    if scores.interval:
        say(f"AP50 of all: {scores.interval[0]:.3f} to {scores.interval[1]:.3f} in 95 % of redrawn pictures")
    say(f"{scores.protocol}; recall and precision from score 0.5 on; NME over the distance between the eyes")


def _row(name: str, group: GroupScore) -> tuple[str, ...]:
    values: tuple[Any, ...] = (group.ap50, group.recall, group.precision, group.nme)
    return (name, f"{group.pictures:,}", f"{group.faces:,}", *(_cell(value) for value in values))


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
