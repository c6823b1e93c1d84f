"""``ligera enroll NAME --photos DIR --others DIR``: photos in, a bundle that knows the person out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ligera.commands.terminal import complain, print_json, print_table, say, with_progress

if TYPE_CHECKING:
    from ligera.deploy.enrolling.enroll import EnrollReport
    from ligera.deploy.enrolling.operating import Outcome, Share

MOST_NAMED = 10


def enroll(
    name: Annotated[
        str | None, typer.Argument(help="Whom the photos show; leave it out where --photos has a folder per person.")
    ] = None,
    *,
    photos: Annotated[Path, typer.Option(metavar="DIR", help="Photos of the person, or one folder for each person.")],
    others: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Photos of other people; folders or names like Ann_Lee_0001.jpg part them."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE.onnx", help="The bundle.", show_default="NAME.onnx")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="Frozen network: mobilenetv2-coral, mobilenetv2, resnet50, resnet152, xception, vgg16, face or "
            "gradients.",
            show_default="mobilenetv2-coral with --weights, else face",
        ),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The base's weights.", show_default="timm's cache")
    ] = None,
    head: Annotated[
        str, typer.Option(help="places (knows where in the face) or pooled (the paper's average over the face).")
    ] = "places",
    far: Annotated[float, typer.Option(help="Share of strangers that may pass, on validation.")] = 0.01,
    detector: Annotated[str, typer.Option(help="Built-in face detector or bundle that finds the faces.")] = "face",
    side: Annotated[int, typer.Option(help="Side of the squared face, px.")] = 128,
    seed: Annotated[int, typer.Option(min=0, help="Of the split, the variations and the head.")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads.", show_default="cores, at most 4")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON on stdout, nothing else there.")] = False,
) -> None:
    """Learn to tell a person, or several, from everybody else.

    Finds and squares the faces, keeps near-duplicates and each other person on one side of the split, trains a small
    head on a frozen base, sets its threshold at the chosen false-accept rate and writes one bundle, which runs with
    `ligera classify`, and a picture of its ROC curves. Photos without a face are named and left out.
    """
    from ligera.deploy.enrolling.enroll import EnrollOptions
    from ligera.deploy.enrolling.enroll import enroll as learn_people

    options = EnrollOptions(
        base=base, weights=weights, head=head, detector=detector, far=far, side_px=side, seed=seed, threads=threads
    )
    report = learn_people(
        name, photos, others, out or Path(f"{_plain(name or photos.name)}.onnx"), options, with_progress
    )
    for photo in report.left_out[:MOST_NAMED]:
        complain(f"left out: {photo.path}: {photo.reason}")
    if len(report.left_out) > MOST_NAMED:
        complain(f"left out: {len(report.left_out) - MOST_NAMED:,} more (--json names all)")
    if as_json:
        print_json(report.as_dict())
        return
    _tell(report)


def _plain(name: str) -> str:
    """A name as one of a file."""
    return "".join(letter if letter.isalnum() or letter in "-_ " else "-" for letter in name).strip() or "person"


def _tell(report: EnrollReport) -> None:
    rows = [[who, *(f"{count:,}" for count in counts.values())] for who, counts in report.faces.items()]
    print_table(("faces", "train", "validation", "test"), rows)
    say()
    print_table(
        ("part", "accuracy", "own accepted", "others accepted"),
        [["validation", *_cells(report.validation)], ["test", *_cells(report.test)]],
    )
    say()
    say(
        f"base      {report.base} ({report.base_source}), head {report.head}, "
        f"epoch {report.best_epoch} of {report.epochs}"
    )
    say(f"strangers at most {report.far:g} pass as any one person on validation; those of test were seen nowhere else")
    for note in report.notes:
        say(f"note      {note}")
    say(f"bundle    {report.path}")
    say(f"ROC       {report.roc}")
    say(f"next      ligera classify PHOTOS --model {report.path}, or ligera watch 0 --model {report.path}")


def _cells(outcome: Outcome) -> list[str]:
    return [_share(share) for share in (outcome.accuracy, outcome.accepted, outcome.false_accepts)]


def _share(share: Share) -> str:
    """``0.985 (0.97-0.99, n 200)``."""
    if not share.total:
        return "unmeasured"
    low, high = share.interval
    return f"{share.value:.3f} ({low:.3f}-{high:.3f}, n {share.total:,})"
