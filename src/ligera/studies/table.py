"""A table of a study: the paper's figures beside ours, as Markdown and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Table:
    """``rows`` hold one text per column; ``note`` says what the figures are: hardware, n, spread, what is left out."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        wrong = next((row for row in self.rows if len(row) != len(self.columns)), None)
        if wrong is not None:
            raise ValueError(f"rows: expected {len(self.columns)} texts in each, got {wrong}")

    def as_markdown(self) -> str:
        """The first column left, the others right aligned."""
        ruler = "|---|" + "--:|" * (len(self.columns) - 1)
        lines = [f"### {self.title}", "", _line(self.columns), ruler, *map(_line, self.rows)]
        return "\n".join(lines + (["", self.note] if self.note else [])) + "\n"

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
