"""``ligera eval``: a model, or detections that were made elsewhere, against what an annotator drew or said."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ligera.commands.region_scores import score_regions, show_regions
from ligera.commands.terminal import complain, print_json, print_table, quiet_libraries, say, with_progress
from ligera.errors import UsageError

if TYPE_CHECKING:
    from ligera.data.faces import FaceSample
    from ligera.deploy.classifying.classifier import Classifier
    from ligera.deploy.detector import Detector
    from ligera.deploy.scoring.accuracy import AccuracyScores
    from ligera.deploy.scoring.faces import GroupScore, LabelScores, WiderScores
    from ligera.deploy.scoring.regions import RegionScores

    Scores = AccuracyScores | LabelScores | WiderScores | RegionScores

SETTINGS = ("easy", "medium", "hard")
LIST_FOLDER = "wider_face_split"


def evaluate(
    model: Annotated[
        str | None, typer.Argument(help="Built-in name, bundle file, or KIND:FILE of another maker's detector.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Argument(
            help="RetinaFace labels or WIDER FACE's layout; for a classifier a folder per class or CIFAR-10; for a "
            "layout detector COCO instances or PAGE XML."
        ),
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
        str | None,
        typer.Option(
            help="ap50 or widerface; accuracy of a classifier; coco of layouts.", show_default="that of data and model"
        ),
    ] = None,
    max_side: Annotated[
        int | None, typer.Option(min=32, help="Search at this long side at most, px.", show_default="native size")
    ] = None,
    min_face: Annotated[
        int | None, typer.Option(min=1, help="Ignore faces whose long side is shorter, px.", show_default="count all")
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SELECTOR=CLASS",
            help="Which PAGE XML regions are a class of the layout model, such as MusicRegion=staff; may be repeated.",
            show_default="the classes that the files name",
        ),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads.", show_default="cores, at most 4")] = None,
    runtime: Annotated[str, typer.Option(help="What runs the network.")] = "onnxruntime",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for scores.json and a classifier's confusion.png.",
            show_default="of a classifier runs/eval/NAME, or none with --json",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The scores as JSON on stdout, nothing else there.")] = False,
) -> None:
    """Score a model on a data set, or a folder of detections on WIDER FACE.

    Every score is printed with its protocol. Broken pictures are named and no score is given without them.
    """
    options: dict[str, str | int | None] = {"protocol": protocol, "max_side": max_side, "min_face": min_face}
    if detections is not None or ground_truth is not None:
        if model is not None or max_side is not None or min_face is not None or out is not None or tag:
            raise UsageError(
                "--detections were made already: give them and --ground-truth without a model or its options"
            )
        _score_dump(detections, ground_truth, protocol, as_json)
    elif model is None or data is None:
        raise UsageError("give MODEL and DATA, or --detections DUMP_DIR with --ground-truth SPLIT_DIR")
    else:
        _score_model(model, data, threads, runtime, tag=tag or [], out=out, as_json=as_json, **options)


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
    model: str,
    data: Path,
    threads: int | None,
    runtime: str,
    *,
    tag: list[str],
    out: Path | None,
    as_json: bool,
    **options: str | int | None,
) -> None:
    from ligera.deploy.classifying.classifier import Classifier
    from ligera.deploy.loading import load_model

    with quiet_libraries(), load_model(model, threads=threads, runtime=runtime) as loaded:
        if isinstance(loaded, Classifier):
            _expect_no_tags(tag)
            scores: Scores = _classified(loaded, data, **options)
        elif loaded.task == "detect-regions":
            scores = score_regions(loaded, data, tag=tag, **options)
        else:
            _expect_no_tags(tag)
            scores = _detected(loaded, data, **options)
    if as_json:
        print_json(scores.as_dict() | {"model": model})
    else:
        _show(model, scores)
    # after the scores were said, which a full disk must not cost
    folder = _write(scores, model, data, out, as_json)
    if folder is not None:
        (complain if as_json else say)(f"-> {folder}")


def _expect_no_tags(tag: list[str]) -> None:
    if tag:
        raise UsageError("--tag: says which regions of PAGE XML are a layout detector's classes; this model is none")


def _detected(detector: Detector, data: Path, **options: Any) -> LabelScores | WiderScores:
    from ligera.deploy.scoring.faces import evaluate as score

    def watch(samples: Iterable[FaceSample], count: int) -> Iterator[FaceSample]:
        return with_progress(samples, count, "evaluating")

    return score(detector, data, watch=watch, **options)


def _classified(
    classifier: Classifier, data: Path, *, protocol: str | None, max_side: int | None, min_face: int | None
) -> AccuracyScores:
    from ligera.deploy.scoring.accuracy import evaluate_classifier

    if protocol not in (None, "accuracy"):
        raise UsageError(f"--protocol {protocol} is for detectors; {classifier.name} is a classifier: use accuracy")
    if max_side is not None or min_face is not None:
        raise UsageError("--max-side and --min-face are for detectors; a classifier has an input size of its own")

    def watch(rows: Iterable[int], count: int) -> Iterator[int]:
        return with_progress(rows, count, "evaluating")

    return evaluate_classifier(classifier, data, watch=watch)


def _write(scores: Scores, model: str, data: Path, out: Path | None, as_json: bool) -> Path | None:
    """Write ``scores.json`` and a classifier's ``confusion.png``; returns their folder, or ``None`` for nowhere."""
    from ligera.deploy.scoring.accuracy import AccuracyScores
    from ligera.files import new_run_folder, write_bytes

    classified = isinstance(scores, AccuracyScores)
    folder = out
    if folder is None and classified and not as_json:
        folder = new_run_folder(Path("runs"), "eval", f"{Path(model).stem}-{data.resolve().name}")
    if folder is None:
        return None
    if classified:
        from ligera.deploy.scoring.confusion import write_confusion

        write_confusion(folder / "confusion.png", scores.result.confusion, scores.names)
    write_bytes(folder / "scores.json", (json.dumps(scores.as_dict() | {"model": model}, indent=2) + "\n").encode())
    return folder


def _show(model: str, scores: Scores) -> None:
    from ligera.deploy.scoring.accuracy import AccuracyScores
    from ligera.deploy.scoring.faces import LabelScores
    from ligera.deploy.scoring.regions import RegionScores

    if isinstance(scores, AccuracyScores):
        _show_accuracy(model, scores)
    elif isinstance(scores, LabelScores):
        _show_labels(model, scores)
    elif isinstance(scores, RegionScores):
        show_regions(model, scores)
    else:
        wider = {setting: getattr(scores, setting) for setting in SETTINGS}
        _show_wider(model, scores.protocol, scores.pictures, wider)


def _show_accuracy(model: str, scores: AccuracyScores) -> None:
    say(f"{model} on {scores.data}")
    shown = scores.as_dict()
    rows = [
        (part["name"], f"{part['support']:,}", *(_cell(part[key]) for key in ("precision", "recall", "f1")))
        for part in shown["classes"]
    ]
    print_table(("class", "pictures", "precision", "recall", "F1"), rows)
    say()
    result = scores.result
    say(f"accuracy {result.accuracy:.4f} ({result.low:.4f} to {result.high:.4f}) over {result.pictures:,} pictures")
    others = f"balanced accuracy {result.balanced_accuracy:.4f}"
    say(others if result.top5 is None else f"{others}, label among the five best {result.top5:.4f}")
    say(scores.protocol)


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
