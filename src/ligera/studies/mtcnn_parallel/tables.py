"""The tables of study ``mtcnn-parallel``, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ligera.studies.mtcnn_parallel.plan import (
    PAPER_EPOCHS_S,
    PAPER_LOSSES,
    PAPER_PICTURES,
    PAPER_TOTALS_S,
    Condition,
    Settings,
)
from ligera.studies.mtcnn_parallel.proposals import Proposed
from ligera.studies.table import Table
from ligera.studies.trials import Outcome

Runs = Mapping[Condition, Outcome]


def epochs_table(runs: Runs, where: str) -> Table:
    """Table 3: seconds of each epoch."""
    epochs = max(len(run.history) for run in runs.values())
    columns = ("epoch", "paper, batch 1", "paper, batch 16", *(one.words for one in runs))
    rows = []
    for place in range(epochs):
        paper = [_at(PAPER_EPOCHS_S[batch], place) for batch in (1, 16)]
        rows.append((str(place + 1), *paper, *(f"{run.history[place]['train_s']:.2f}" for run in runs.values())))
    totals = [f"{PAPER_TOTALS_S[batch]:.2f}" for batch in (1, 16)]
    ours = [f"{sum(row['train_s'] for row in run.history):.2f}" for run in runs.values()]
    rows.append(("total", *totals, *ours))
    pictures = next(iter(runs.values())).history[0]["pictures"]
    note = (
        f"Seconds. Paper: {PAPER_PICTURES:,} pictures on an A100, the first epoch of batch 1 with the first reading of "
        f"all files. Ours: {pictures:,} pictures on {where}; one run each, so other work on the machine is in it."
    )
    return Table("Time of each epoch (paper's table 3)", columns, tuple(rows), note)


def speed_table(runs: Runs) -> Table:
    """Which of the two, batch size or workers, made it faster."""
    base = median_s(next(iter(runs.values())))
    rows = [
        (
            one.words,
            f"{median_s(run):.2f}",
            f"{run.history[-1]['pictures'] / median_s(run):.0f}",
            _cpu_s(run),
            f"{base / median_s(run):.2f}x",
        )
        for one, run in runs.items()
    ]
    for batch in (1, 16):
        seconds = float(np.median(PAPER_EPOCHS_S[batch][1:]))
        gain = float(np.median(PAPER_EPOCHS_S[1][1:])) / seconds
        rows.append((f"paper, batch {batch}", f"{seconds:.2f}", f"{PAPER_PICTURES / seconds:.0f}", "-", f"{gain:.2f}x"))
    columns = ("training", "s/epoch", "pictures/s", "CPU s/epoch", "speed-up")
    note = (
        "Seconds: median of all epochs but the first (of the only one where there is one). The paper's 1.79x counts "
        "its first epoch of 222 s; without it, batch 16 brings it what stands here."
    )
    return Table("Batch size and input workers apart", columns, tuple(rows), note)


def learnt_table(settings: Settings, runs: Runs) -> Table:
    """Losses and the accuracy that means nothing."""
    rows = []
    for one, run in runs.items():
        last = run.history[-1]
        without = last.get("said_face_without")
        rows.append(
            (
                one.words,
                f"{last['loss_classification']:.2e}",
                f"{last['loss_boxes'] / settings.box_weight:.4f}" if settings.box_weight else "-",
                f"{last['accuracy']:.4f}",
                "-" if without is None else f"{without:.4f}",
            )
        )
    for batch, losses in PAPER_LOSSES.items():
        rows.append(
            (f"paper, batch {batch}", f"{losses['classification']:.2e}", f"{losses['boxes']:.4f}", "1.0000", "-")
        )
    columns = ("training", "cls_loss", "bbox_loss", "cls accuracy", "cells called a face without any")
    note = (
        "Last epoch. Accuracy as in the paper: of labels that are all 'face'. Last column: the share of cells with a "
        "score of 0.5 or more in pictures without a face, which the paper does not look at."
    )
    return Table("What is learnt", columns, tuple(rows), note)


def proposals_table(settings: Settings, judged: Mapping[str, Proposed]) -> Table:
    """Table 2, a column for each network."""
    one = next(iter(judged.values()))
    lines: tuple[tuple[str, str, str], ...] = (
        ("boxes left", "111,082", "boxes"),
        ("of them positive (IoU >= 0.5)", "95", "positive"),
        ("of them part faces (0.3 to 0.5)", "423", "part"),
        ("of them negative (< 0.3)", "951,314", "negative"),
        ("least IoU", "0.0000", "least_iou"),
        ("largest IoU", "0.7250", "largest_iou"),
        ("mean IoU", "0.0013", "mean_iou"),
        (f"cells with a score of {settings.score:g} or more", "-", "passed"),
        ("the same, pictures without a face", "-", "passed_without"),
        ("faces met by a box (IoU >= 0.5)", "-", "covered"),
    )
    rows = [(words, paper, *(_shown(getattr(each, name)) for each in judged.values())) for words, paper, name in lines]
    note = (
        f"Score {settings.score:g}, suppression at {settings.nms_iou:g} in each level and across. Ours: "
        f"{one.pictures:,} pictures with faces and {one.pictures_without:,} without. The paper's boxes are those of "
        "one picture, its positives, parts and negatives (951,832 together) of others."
    )
    return Table("What is proposed (paper's table 2)", ("", "paper", *judged), tuple(rows), note)


def verdict(runs: Runs, judged: Mapping[str, Proposed], trained: str | None) -> list[str]:
    """What the figures say; ``trained`` is the column of a network that was shown negatives."""
    said = []
    by_batch: dict[int, list[float]] = {}
    by_workers: dict[int, list[float]] = {}
    for one, run in runs.items():
        by_batch.setdefault(one.batch, []).append(median_s(run))
        by_workers.setdefault(one.workers, []).append(median_s(run))
    for name, groups in (("batch", by_batch), ("input workers", by_workers)):
        (low, slow), *rest = groups.items()
        for high, quick in rest:
            gain = float(np.exp(np.mean(np.log(slow)) - np.mean(np.log(quick))))
            said.append(f"{name} {high} instead of {low}, all else equal: {gain:.2f}x as fast (geometric mean)")
    for name, one in judged.items():
        if name == trained or not np.isfinite(one.passed_without):
            continue
        said.append(
            f"{name}: {one.passed:.1%} of all cells pass in pictures with faces and {one.passed_without:.1%} in "
            f"pictures without; mean IoU of what it proposes {one.mean_iou:.4f}"
        )
    if trained is not None:
        own = judged[trained]
        said.append(
            f"P-Net {trained}: {own.passed:.2%} of cells pass, {own.boxes:,} boxes are left, and "
            f"{own.covered:.1%} of the faces are met by one"
        )
    return said


def median_s(run: Outcome) -> float:
    """Seconds of an epoch, the first left out where there are others."""
    seconds = [row["train_s"] for row in run.history]
    return float(np.median(seconds[1:] or seconds))


def _cpu_s(run: Outcome) -> str:
    """Processor time of an epoch's steps, that of input workers included."""
    figures = run.cost.phases.get("train", {})
    spent = figures["cpu_s"].value if "cpu_s" in figures else None
    return "-" if spent is None else f"{spent / len(run.history):.2f}"


def _at(values: tuple[float, ...], place: int) -> str:
    return f"{values[place]:.2f}" if place < len(values) else "-"


def _shown(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4f}" if np.isfinite(value) else "-"
