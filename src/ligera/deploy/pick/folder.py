"""The run folder of ``pick``: the winner's bundle, ``report.json``, ``report.html`` and ``pareto.png``."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import cv2

from ligera.deploy.pick.page import page_of
from ligera.deploy.pick.plot import lay_out
from ligera.deploy.pick.png import draw_plot
from ligera.deploy.pick.probing import model_file
from ligera.deploy.pick.running import PickReport
from ligera.errors import UsageError
from ligera.files import new_run_folder, write_bytes

__all__ = ["check_folder", "write_report"]


def check_folder(folder: Path) -> None:
    """Raise ``UsageError`` where nothing can be written to ``folder``, before an hour of measuring."""
    trial = folder / f".{secrets.token_hex(6)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written to ({(error.strerror or str(error)).lower()})") from None


def write_report(report: PickReport, out: Path | None) -> Path:
    """Write everything to ``out``, or to a new folder below ``runs/pick``; returns where."""
    folder = out or new_run_folder(Path("runs"), "pick", f"{report.task}-{Path(report.data).resolve().name}")
    winner = report.choice.winner
    if winner is not None:
        source = model_file(winner.candidate.facts.model)
        if source is not None:
            write_bytes(folder / source.name, source.read_bytes())
    write_bytes(folder / "report.json", (json.dumps(report.as_dict(), indent=2) + "\n").encode())
    write_bytes(folder / "report.html", page_of(report).encode(errors="backslashreplace"))
    plot = lay_out(report)
    if plot is not None:
        _, content = cv2.imencode(".png", cv2.cvtColor(draw_plot(plot), cv2.COLOR_RGB2BGR))
        write_bytes(folder / "pareto.png", content.tobytes())
    return folder
