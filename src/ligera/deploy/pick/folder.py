"""The run folder of ``pick``: the winner with its engine, ``report.json``, ``report.html`` and ``pareto.png``."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from pathlib import Path

import cv2

from ligera.deploy.builtin import builtin_names
from ligera.deploy.pick.page import page_of
from ligera.deploy.pick.plot import lay_out
from ligera.deploy.pick.png import draw_plot
from ligera.deploy.pick.probing import model_file
from ligera.deploy.pick.process import WorkerProcess
from ligera.deploy.pick.running import PickReport
from ligera.deploy.pick.words import command_for
from ligera.deploy.pick.worker import WorkerJob
from ligera.errors import LigeraError, UsageError
from ligera.files import new_run_folder, write_bytes

__all__ = ["check_folder", "use_of", "write_report"]


def check_folder(folder: Path) -> None:
    """Raise ``UsageError`` where nothing can be written to ``folder``, before an hour of measuring."""
    trial = folder / f".{secrets.token_hex(6)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written to ({(error.strerror or str(error)).lower()})") from None


def use_of(report: PickReport, folder: Path) -> str:
    """The command that runs the winner as it was measured, from ``folder`` where its file was written there."""
    winner = report.choice.winner
    facts = winner.candidate.facts
    source = model_file(facts.model)
    if source is None or facts.model in builtin_names() or not facts.choice_of_runtime:
        return command_for(report, winner)
    return command_for(report, winner, str(folder / source.name))


def _compile_beside(bundle: Path, report: PickReport) -> None:
    """Let a runtime that compiles put its engine beside the winner, so that its first start here is a fast one."""
    candidate = report.choice.winner.candidate
    if not candidate.facts.choice_of_runtime or candidate.runtime == "onnxruntime":
        return
    # what cannot be compiled now will be at its first start
    with suppress(LigeraError), WorkerProcess(WorkerJob(report.task), threads=candidate.threads) as worker:
        worker.ask("open", about=str(bundle), model=str(bundle), threads=candidate.threads, runtime=candidate.runtime)


def write_report(report: PickReport, out: Path | None) -> Path:
    """Write everything to ``out``, or to a new folder below ``runs/pick``; returns where."""
    folder = out or new_run_folder(Path("runs"), "pick", f"{report.task}-{Path(report.data).resolve().name}")
    winner = report.choice.winner
    if winner is not None:
        source = model_file(winner.candidate.facts.model)
        if source is not None:
            write_bytes(folder / source.name, source.read_bytes())
            _compile_beside(folder / source.name, report)
    write_bytes(folder / "report.json", (json.dumps(report.as_dict(), indent=2) + "\n").encode())
    write_bytes(folder / "report.html", page_of(report).encode(errors="backslashreplace"))
    plot = lay_out(report)
    if plot is not None:
        pixels = cv2.cvtColor(draw_plot(plot), cv2.COLOR_RGB2BGR)
        _, content = cv2.imencode(".png", pixels, (cv2.IMWRITE_PNG_COMPRESSION, 9))
        write_bytes(folder / "pareto.png", content.tobytes())
    return folder
