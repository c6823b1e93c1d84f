"""How training is shown while it goes on: a moving bar on a terminal, a line per epoch elsewhere."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class TrainingProgress:
    """Shows training rows: a moving bar on a terminal, a line per epoch elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None
        self._task: Any = None
        if console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=console)

    def __enter__(self) -> TrainingProgress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, row: dict[str, Any]) -> None:
        if "trial" in row:
            self._console.print(row["trial"], highlight=False, markup=False, soft_wrap=True)
        elif "row" in row:
            self._console.print(_line(row["row"]), highlight=False, markup=False, soft_wrap=True)
        elif self._bar:
            if self._task is None:
                self._task = self._bar.add_task("", total=row["steps"])
            losses = "  ".join(f"{k} {v:.3f}" for k, v in row.items() if k not in ("epoch", "step", "steps"))
            label = f"epoch {row['epoch'] + 1}  {losses}"
            self._bar.update(self._task, completed=row["step"], total=row["steps"], description=label)


def _line(row: dict[str, Any]) -> str:
    shown = [f"epoch {row['epoch']}"]
    shown += [f"{name.removeprefix('loss_')} {value:.3f}" for name, value in row.items() if name.startswith("loss_")]
    shown += [f"{name} {value:.3f}" for name, value in row.items() if name.startswith(("ap", "accuracy"))]
    return "  ".join([*shown, f"{row['pictures_per_s']:.0f} pictures/s"])
