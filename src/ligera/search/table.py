"""The latency table of one device: what each piece of a search space costs there, as versioned JSON. No torch here.

In and out: a JSON file as ``table.schema.json`` describes it. Every time is in ms, of ``n`` runs, with an interval;
what is made of the runs stands in the table's settings. The cost of a net is the sum over its entries; ``constants``
are what ``ligera profile --check`` found to be added for each block of a stage (``stage1`` to ``stage4``, as blocks
side by side share work at their border) and once for each net (``net``). Source: paper C, 3.6.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, ValidationError, model_validator

from ligera.errors import DataError, UsageError
from ligera.files import write_bytes
from ligera.meter.figure import Provenance
from ligera.search.architecture import Architecture
from ligera.search.entry import Entry
from ligera.search.space import Space
from ligera.typed_yaml import Frozen

__all__ = [
    "ATTRIBUTES",
    "FORMAT",
    "Attribute",
    "Device",
    "LatencyTable",
    "Row",
    "Settings",
    "read_table",
    "settings_for",
    "table_schema",
]

FORMAT = 1
MOST_BYTES = 2**26
CARD_RUNTIMES = ("tensorrt",)
ROUNDS_TOGETHER = 8
Attribute = Literal["latency_ms", "macs", "activations", "parameters", "memory_bytes", "energy_mj"]
ATTRIBUTES: tuple[Attribute, ...] = get_args(Attribute)
Amount = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]


class Device(Frozen):
    """Where the times are from; ``None`` is what could not be read. ``temperature_c`` is (before, after)."""

    processor: str
    kind: Literal["cpu", "gpu"] = "cpu"
    system: str
    cores: int = Field(ge=1)
    threads: int = Field(ge=1)
    runtime: str
    runtime_version: str
    precision: str = "fp32"
    governor: str | None = None
    temperature_c: tuple[float, float] | None = None

    @property
    def described(self) -> str:
        """In words, for people."""
        threads = f"{self.threads} thread{'s' * (self.threads != 1)}"
        return f"{self.processor}, {threads}, {self.runtime} {self.runtime_version}, {self.precision}"


class Settings(Frozen):
    """How it was measured: runs that don't count, runs that do, what is made of them, rests between blocks.

    ``statistic``: the ``fastest`` run, which is what the piece takes where nobody disturbs it, or the mean of all runs
    ``trimmed`` by the share ``trim`` at each end.
    ``threshold_ms``: a block whose first five runs take longer on average is skipped. ``rounds`` is how many times each
    entry had its turn, ``most_width`` the width of its interval over its time above which an entry is measured again,
    at most ``most_repeats`` times. The ``cpu`` clock counts the measuring thread's own time, for one thread on a
    machine that is never quiet; the time on the wall is what a user waits.
    """

    warm_up_runs: int = Field(20, ge=0, le=100_000)
    samples: int = Field(50, ge=5, le=1_000_000)
    statistic: Literal["fastest", "trimmed"] = "trimmed"
    trim: float = Field(0.1, ge=0, lt=0.5)
    rounds: int = Field(3, ge=1, le=1000)
    rest_ms: float = Field(20.0, ge=0, le=600_000)
    threshold_ms: float = Field(1000.0, gt=0)
    most_width: float = Field(0.05, gt=0)
    most_repeats: int = Field(3, ge=0, le=100)
    clock: Literal["wall", "cpu"] = "wall"


def settings_for(runtime: str, threads: int | None = 1, **given: Any) -> Settings:
    """The paper's counts for what ``runtime`` runs on (table 19) but for what is ``given``, else ``UsageError``.

    On processors, which are shared, the quickest run stands for all and has more turns to be found in. With several
    ``threads`` (``None``: as many as there are cores) it needs several cores free at once, and more turns again.
    """
    on_card: dict[str, Any] = {"warm_up_runs": 40, "samples": 200}
    shared: dict[str, Any] = {"statistic": "fastest", "most_repeats": 16}
    if threads is None or threads > 1:
        shared["rounds"] = ROUNDS_TOGETHER
    usual = on_card if runtime in CARD_RUNTIMES else shared
    try:
        return Settings(**(usual | given))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise UsageError(f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}") from None


class Row(Frozen):
    """One entry: its time with interval, and its other attributes for the table's batch.

    ``frame_ms`` is what was subtracted for the frame that the entry was measured in (see ``pieces``).

    ``macs`` are multiply-adds of convolutions, ``activations`` the numbers that convolutions put out, ``parameters``
    what is trained, ``memory_bytes`` parameters and the two largest maps in float32. ``noisy`` marks a time whose
    interval stayed wide however often it was repeated, or a trimmed one that other work was always in the way of.
    """

    latency_ms: Amount
    low_ms: Amount
    high_ms: Amount
    frame_ms: Amount = 0.0
    n: int = Field(ge=1)
    noisy: bool = False
    repeats: Count = 0
    macs: Count = 0
    activations: Count = 0
    parameters: Count = 0
    memory_bytes: Count = 0
    energy_mj: Amount | None = None
    energy_source: Provenance = "unknown"


class LatencyTable(Frozen):
    """All rows by the key of their entry, and the reasons of those that were skipped.

    ``frames`` are the times in ms of the frames that rows were measured in; ``noise`` says why the times must not be
    quoted, and is empty where they may be.
    """

    format: Literal[1] = FORMAT
    made_at: datetime
    ligera_version: str
    space: Space
    device: Device
    settings: Settings
    rows: dict[str, Row]
    skipped: dict[str, str] = Field(default_factory=dict)
    constants: dict[str, float] = Field(default_factory=dict)
    frames: dict[str, Amount] = Field(default_factory=dict)
    noise: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _speaks_of_its_space(self) -> LatencyTable:
        known = {entry.key for entry in self.space.entries()} | set(self.space.left_out())
        strange = next((key for key in (*self.rows, *self.skipped) if key not in known), None)
        if strange is not None:
            raise ValueError(f"rows: {strange[:120]!r} is no entry of space {self.space.name}")
        return self

    @property
    def complete(self) -> bool:
        """Whether every entry of the space has a row."""
        return all(entry.key in self.rows for entry in self.space.entries())

    def row(self, entry: Entry) -> Row:
        """What was measured of ``entry``; ``DataError`` where it was skipped or is of another space."""
        found = self.rows.get(entry.key)
        if found is not None:
            return found
        reason = self.skipped.get(entry.key)
        if reason:
            raise DataError(f"latency table of {self.space.name}: {entry.key} was skipped: {reason}")
        raise DataError(
            f"latency table of {self.space.name}: no row for {entry.key}; measure it with `ligera profile`, or give "
            "the table of this space"
        )

    def value(self, entry: Entry, attribute: Attribute = "latency_ms") -> float:
        """``attribute`` of ``entry``; its latency holds the constant of its place, so that sums are those of nets."""
        if attribute not in ATTRIBUTES:
            raise DataError(f"attribute: expected one of {', '.join(ATTRIBUTES)}, got {attribute!r}")
        amount = getattr(self.row(entry), attribute)
        if amount is None:
            raise DataError(f"latency table of {self.space.name}: {attribute} of {entry.key} is unknown")
        if attribute == "latency_ms" and (entry.part in ("block", "stem")):
            return float(amount) + self.constants.get(entry.group, 0.0)
        return float(amount)

    def total(
        self, architecture: Architecture, attribute: Attribute = "latency_ms", side_px: int | None = None
    ) -> float:
        """The sum of ``attribute`` over all entries of ``architecture``, for pictures of ``side_px``."""
        return sum(self.value(entry, attribute) for entry in architecture.entries(side_px))

    def latency_ms(self, architecture: Architecture, side_px: int | None = None) -> float:
        """What ``architecture`` takes for one batch on this device, in ms, as the table tells."""
        return self.total(architecture, "latency_ms", side_px)

    def to_json(self) -> str:
        """The table as JSON text, one row on each line."""
        values = self.model_dump(mode="json")
        rows = values.pop("rows")
        lines = [f"    {json.dumps(key)}: {json.dumps(row)}" for key, row in rows.items()]
        head = json.dumps(values, indent=2)[:-2]
        return head + ',\n  "rows": {\n' + ",\n".join(lines) + "\n  }\n}\n"

    def write(self, path: Path) -> None:
        """Put the table at ``path``, whole or not at all."""
        write_bytes(path, self.to_json().encode())


def table_schema() -> dict[str, Any]:
    """The JSON schema of a table, which ``table.schema.json`` holds for those who read tables with other tools."""
    return LatencyTable.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema"}


def read_table(path: Path) -> LatencyTable:
    """The latency table in a JSON file; ``DataError`` names the file and the first thing wrong with it."""
    values = _values(path)
    version = values.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise DataError(f"{path}: is a table of format {version}, this Ligera reads up to {FORMAT}; update Ligera")
    try:
        return LatencyTable.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])[:120] or "table"
        message = first["msg"].removeprefix("Value error, ")
        raise DataError(f"{path}: not a latency table as `ligera profile` writes it ({place}: {message})") from None


def _values(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        values = json.loads(content) if len(content) <= MOST_BYTES else None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from None
    except (ValueError, RecursionError):
        raise DataError(f"{path}: not JSON; give a latency table that `ligera profile` wrote") from None
    if not isinstance(values, dict):
        raise DataError(f"{path}: not a latency table; give one that `ligera profile` wrote")
    return values
