"""What a study found, on disk and as text: its tables, what they say, its pictures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ligera.files import write_bytes
from ligera.studies.table import Table


@dataclass(frozen=True, slots=True)
class Report:
    """``said`` are sentences that follow from the ``tables``, without their full stops."""

    title: str
    tables: tuple[Table, ...]
    said: tuple[str, ...]
    pictures: tuple[Path, ...]

    def as_markdown(self) -> str:
        said = "".join(f"- {sentence}.\n" for sentence in self.said)
        return "\n".join([f"# {self.title}\n", *(table.as_markdown() for table in self.tables), said])

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        tables = [table.as_dict() for table in self.tables]
        return {"tables": tables, "said": list(self.said), "pictures": [str(path) for path in self.pictures]}

    def write(self, folder: Path) -> None:
        """``report.md`` and ``report.json``."""
        write_bytes(folder / "report.md", self.as_markdown().encode())
        write_bytes(folder / "report.json", (json.dumps(self.as_dict(), indent=2) + "\n").encode())
