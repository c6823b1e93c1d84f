"""How a search is shown while it goes on: a moving bar on a terminal, a line per epoch or candidate elsewhere."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from ligera.commands.training_progress import TrainingProgress

__all__ = ["SearchProgress", "epoch_line"]


class SearchProgress:
    """Shows a search's rows: expected cost, entropy of the gates and losses, or a candidate's score."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps = TrainingProgress(console)

    def __enter__(self) -> SearchProgress:
        self._steps.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._steps.__exit__(*error)

    def __call__(self, row: dict[str, Any]) -> None:
        if "candidate" in row:
            line = f"candidate {row['candidate']}  rung {row['rung'] + 1}  AP50 {row['score']:.3f}  {row['name']}"
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)
        elif "row" in row and "entropy" in row["row"]:
            self._console.print(epoch_line(row["row"]), highlight=False, markup=False, soft_wrap=True)
        elif "row" not in row:
            self._steps(row)


def epoch_line(row: dict[str, Any]) -> str:
    """``epoch 3  loss 2.101  held out 2.214  expected latency_ms 11.8  entropy 0.71  likely tiny-16a-...``."""
    apart = ("loss_held_out", "loss_target")
    task = sum(value for name, value in row.items() if name.startswith("loss_") and name not in apart)
    shown = [f"epoch {row['epoch']}{' (warm-up)' if row['warm_up'] else ''}", f"loss {task:.3f}"]
    shown += [f"held out {row['loss_held_out']:.3f}"] if "loss_held_out" in row else []
    for name, value in row.items():
        attribute = name.removeprefix("expected_")
        if name.startswith("expected_") and attribute != "relative":
            shown.append(f"expected {attribute.replace('_', ' ')} {value:.4g}")
    return "  ".join([*shown, f"entropy {row['entropy']:.2f}", f"likely {row['likely']}"])
