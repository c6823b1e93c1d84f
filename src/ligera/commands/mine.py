"""``ligera mine``: annotated pictures and the networks so far in, training data of MTCNN's next network out."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ligera.commands.terminal import complain, print_json, print_table, quiet_libraries, say, with_progress

if TYPE_CHECKING:
    from ligera.deploy.mining import Mined, MineSettings, Mining

LOG = "run.json"
IMPORTED_BY_WORKERS = (
    "ligera.deploy.mining.picture_work",
    "ligera.deploy.mining.cutting",
    "ligera.deploy.runtimes.onnxruntime",
    "pydantic.type_adapter",
)


@dataclass(slots=True)
class Tally:
    """What a run has seen so far; ``stage_s`` are seconds of work, summed over workers."""

    resumed: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)
    stage_s: dict[str, float] = field(default_factory=dict)

    def add(self, result: Mined) -> None:
        self.resumed += result.resumed
        if result.error is not None:
            self.failed.append({"path": result.path, "error": str(result.error)})
            complain(f"ligera: {result.error}")
        for stage, seconds in (result.stage_s or {}).items():
            self.stage_s[stage] = self.stage_s.get(stage, 0.0) + seconds


def mine(
    data: Annotated[Path, typer.Argument(help="Annotated pictures: a folder with label.txt, or WIDER FACE.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the crops.")],
    stage: Annotated[int, typer.Option(help="Side of the crops: 12 for P-Net, 24 for R-Net, 48 for O-Net.")],
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Stages 24 and 48: a bundle of MTCNN, or a folder of pnet.pt, rnet.pt, ..."),
    ] = None,
    score: Annotated[float | None, typer.Option(help="Least score of a proposal.", show_default="0.7")] = None,
    nms: Annotated[float | None, typer.Option(help="IoU where suppression begins.", show_default="0.7")] = None,
    positive: Annotated[
        float | None, typer.Option(help="Least IoU of a positive.", show_default="0.65 at stage 12, else 0.5")
    ] = None,
    part: Annotated[
        float | None, typer.Option(help="Least IoU of a part face.", show_default="0.4 at stage 12, else 0.3")
    ] = None,
    negative: Annotated[float | None, typer.Option(help="IoU that a negative is under.", show_default="0.3")] = None,
    least_face: Annotated[
        float | None, typer.Option(help="Faces under this long side, px, are ignored.", show_default="the model's; 12")
    ] = None,
    ratio: Annotated[
        str | None,
        typer.Option(help="Positive:part:negative, or with :landmark.", show_default="1:1:3, at stage 48 1:1:3:2"),
    ] = None,
    crops: Annotated[int | None, typer.Option(help="Crops in all at most.", show_default="250000")] = None,
    per_picture: Annotated[int | None, typer.Option(help="Of a kind and picture at most.", show_default="200")] = None,
    around_face: Annotated[
        int | None, typer.Option(help="Random windows about each face, where they are random.", show_default="25")
    ] = None,
    seed: Annotated[int, typer.Option(help="Other seeds choose other crops.")] = 0,
    engine: Annotated[str, typer.Option(help="auto, sequential, threads, processes, async or ray.")] = "auto",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Pictures worked on at once.", show_default="cores")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The card as JSON on stdout, nothing else there.")] = False,
) -> None:
    """Turn annotated pictures into training data of MTCNN's nets: balanced crops in shards.

    Stage 12 takes random windows; 24 takes P-Net's proposals, 48 R-Net's survivors. Writes shard-NNNNN.npz,
    mined.json (statistics) and iou.png, the same whatever the engine and the workers. Run again after an interrupt or a
    full disk, it goes on where it was. A picture that cannot be read is left out and reported, and the exit code is 2
    at the end.
    """
    from ligera.data.engines import begin_early, check_engine

    check_engine(engine, workers)
    # While we import, too, and read labels, which takes as long.
    begin_early(engine, IMPORTED_BY_WORKERS)
    import cv2

    from ligera.deploy.mining import Mining, parsed_ratio, settings_for

    # Pictures side by side, not the rows of one: the engine has the cores.
    cv2.setNumThreads(1)
    settings = settings_for(
        stage,
        model=model,
        score=score,
        nms_iou=nms,
        positive_iou=positive,
        part_iou=part,
        negative_iou=negative,
        least_face_px=least_face,
        ratio=None if ratio is None else parsed_ratio(ratio, stage),
        most_crops=crops,
        per_picture=per_picture,
        around_face=around_face,
        seed=seed,
    )
    with quiet_libraries(), Mining(data, out, settings) as mining:
        card, log, tally = _run(mining, engine, workers)
        _record(out, log, mining.settings)
    _close(out, card, log, tally, as_json)
    raise typer.Exit(2 if tally.failed else 0)


def _run(mining: Mining, engine: str, workers: int | None) -> tuple[dict[str, Any], dict[str, Any], Tally]:
    """The card, and what the run took, stage by stage."""
    tally, times, began = Tally(), [], time.perf_counter()
    engines = []
    results = mining.propose(engine, workers)
    try:
        for result in with_progress(results, len(mining), "mining"):
            tally.add(result)
    finally:
        results.close()
    times.append(time.perf_counter())
    engines.append(mining.engine)
    names = mining.cut(engine, workers)
    cut = 0
    try:
        for _ in with_progress(names, None, "cutting"):
            cut += 1
    finally:
        names.close()
    times.append(time.perf_counter())
    engines.append(mining.engine)
    card = mining.finish()
    log = {
        "asked_engine": engine,
        "engines": dict(zip(("propose", "cut"), engines, strict=True)),
        "workers": workers,
        "resumed": tally.resumed,
        "cut_pictures": cut,
        "failed": tally.failed,
        "elapsed_s": {
            "propose": round(times[0] - began, 3),
            "cut": round(times[1] - times[0], 3),
            "finish": round(time.perf_counter() - times[1], 3),
        },
        "work_s": {stage: round(seconds, 3) for stage, seconds in tally.stage_s.items()},
    }
    return card, log, tally


def _record(folder: Path, log: dict[str, Any], settings: MineSettings) -> None:
    """What the last run was asked and took: the one file that tells of a run and not of the result."""
    from dataclasses import asdict

    from ligera import __version__
    from ligera.files import write_bytes

    content = {"ligera": __version__, "settings": asdict(settings)} | log
    write_bytes(folder / LOG, (json.dumps(content, indent=2) + "\n").encode("ascii"))


def _close(folder: Path, card: dict[str, Any], log: dict[str, Any], tally: Tally, as_json: bool) -> None:
    if as_json:
        hidden = {"iou_bins"}
        print_json({"folder": str(folder)} | {k: v for k, v in card.items() if k not in hidden} | log)
        return
    if tally.resumed:
        say(f"{tally.resumed:,} of {card['pictures']:,} pictures had been mined before")
    rows = []
    for kind, found in card["found"].items():
        numbers = [found[name] for name in ("min_iou", "mean_iou", "max_iou")]
        rows.append([kind, f"{found['count']:,}", *("-" if value is None else f"{value:.4f}" for value in numbers)])
        rows[-1].append(f"{card['counts'][kind] if kind in card['counts'] else card['crops']:,}")
    print_table(("kind", "found", "min IoU", "mean IoU", "max IoU", "crops"), rows)
    times = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in log["elapsed_s"].items())
    say(f"{times} with {log['engines']['propose'] or log['asked_engine']}")
    failed = f", {len(tally.failed):,} pictures failed" if tally.failed else ""
    say(f"{card['crops']:,} crops of {card['side']} px in {card['shards']:,} shards{failed} -> {folder}")
