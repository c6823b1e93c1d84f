"""The loop of ``detect`` and ``classify``: sources in, one result after the other out, told, written and counted.

A verb brings a ``look`` that turns a picture into what was found in it, the record of a result, a writer for the run
folder, and :class:`Words`.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import typer

from ligera.commands.terminal import complain, print_json, print_table, quiet_libraries, say, with_progress
from ligera.errors import UsageError

if TYPE_CHECKING:
    from ligera.deploy.sources import PlannedSource, Shot
    from ligera.records import Picture

__all__ = [
    "Result",
    "Tally",
    "Words",
    "Writer",
    "conclude",
    "fresh_folder",
    "look_through",
    "refuse_overwriting",
    "results",
]

MOST_TABLE_ROWS = 20


class Result(Protocol):
    """A shot and what a model said of it, ``found`` being ``None`` where the shot has an error."""

    @property
    def shot(self) -> Shot: ...

    @property
    def found(self) -> Any: ...

    @property
    def duration_ms(self) -> float: ...

    def row(self) -> dict[str, Any]: ...


class Writer(Protocol):
    """Puts results into the run folder, inside a ``with`` block."""

    def __enter__(self) -> Writer: ...

    def add(self, result: Any) -> None: ...

    def __exit__(self, *error: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Words:
    """How a verb speaks of what it found in a picture.

    ``line`` says it in words, ``cells`` in the columns of the table that ``header`` names, of which those after the
    picture's up to ``left`` hold words too; ``labels`` counts by label.
    """

    doing: str
    header: tuple[str, ...]
    line: Callable[[Any], str]
    cells: Callable[[Any], tuple[str, ...]]
    labels: Callable[[Any], Mapping[str, int]]
    left: int = 1


@dataclass(slots=True)
class Tally:
    """What a run has seen so far; ``labels`` counts what was found."""

    words: Words
    pictures: int = 0
    failed: int = 0
    searching_ms: float = 0.0
    labels: Counter[str] = field(default_factory=Counter)
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, result: Result) -> None:
        if result.found is None:
            self.failed += 1
            return
        self.pictures += 1
        self.labels.update(self.words.labels(result.found))
        self.searching_ms += result.duration_ms
        if len(self.rows) < MOST_TABLE_ROWS:
            self.rows.append((_name(result), *self.words.cells(result.found), f"{result.duration_ms:.1f}"))


def refuse_overwriting(planned: Iterable[PlannedSource], out: Path, written: Iterable[str]) -> None:
    """Refuse a folder in which one of the files ``written`` would take the place of a picture or video given."""
    own = {Path(entry.name).resolve(): entry.name for entry in planned if entry.kind in ("picture", "video")}
    folder = out.resolve()
    for name in written:
        if folder / name in own:
            raise UsageError(f"--out {out}: the result would overwrite {own[folder / name]}; choose another folder")


def fresh_folder(verb: str, source: str) -> Path:
    """``runs/VERB/NAME``, named after the first source."""
    from ligera.files import new_run_folder

    plain = Path(source).resolve().stem
    name = "stdin" if source == "-" else f"camera{source}" if source.isdigit() else plain
    return new_run_folder(Path("runs"), verb, name)


def results(
    planned: list[PlannedSource], look: Callable[[Picture], Any], record: Callable[[Shot, Any, float], Result]
) -> Generator[Result, None, None]:
    """``record(shot, found, duration_ms)`` of every shot, ``found`` being what ``look`` says of its picture."""
    from ligera.deploy.sources import shots

    for shot in shots(planned):
        if shot.picture is None:
            yield record(shot, None, 0.0)
            continue
        started = time.perf_counter()
        found = look(shot.picture)
        yield record(shot, found, (time.perf_counter() - started) * 1e3)


def look_through(
    results: Generator[Result, None, None],
    planned: list[PlannedSource],
    tally: Tally,
    writer: Writer | None,
    as_json: bool,
) -> bool:
    """Take every result; returns whether Ctrl-C ended it before the last, of which all is kept that was there."""
    with ExitStack() as stack:
        stack.enter_context(quiet_libraries())
        if writer is not None:
            stack.enter_context(writer)
        try:
            for result in with_progress(results, _count(planned), tally.words.doing):
                _take(result, tally, writer, as_json)
        except KeyboardInterrupt:
            return True
        finally:
            results.close()
    return False


def _take(result: Result, tally: Tally, writer: Writer | None, as_json: bool) -> None:
    tally.add(result)
    if writer is not None:
        writer.add(result)
    if as_json:
        print_json(result.row())
    if result.found is None:
        complain(f"ligera: {result.shot.error}")
    elif not as_json and not sys.stdout.isatty():
        say(f"{_name(result)}: {tally.words.line(result.found)}")


def conclude(
    tally: Tally, folder: Path | None, record: dict[str, Any], total: str, *, as_json: bool, interrupted: bool
) -> NoReturn:
    """End the command: ``record`` goes into ``run.json``; table, ``total`` and folder are said, the exit code is set.

    What is said goes to standard error where standard output is for JSON.
    """
    if folder is not None:
        _record(folder, record | {"failed": tally.failed})
    if not as_json and sys.stdout.isatty() and tally.rows:
        print_table(("picture", *tally.words.header, "ms"), tally.rows, left=tally.words.left)
        if tally.pictures > len(tally.rows):
            say(f"... and {tally.pictures - len(tally.rows):,} more")
    mean = f", {tally.searching_ms / tally.pictures:.1f} ms each" if tally.pictures else ""
    failed = f", {tally.failed:,} failed" if tally.failed else ""
    (complain if as_json else say)(f"{total}{mean}{failed}" + (f" -> {folder}" if folder else ""))
    if interrupted:
        complain("ligera: interrupted")
    raise typer.Exit(130 if interrupted else 2 if tally.failed else 0)


def _record(folder: Path, content: dict[str, Any]) -> None:
    """What was asked, beside what came of it."""
    from ligera import __version__
    from ligera.files import write_bytes

    write_bytes(folder / "run.json", (json.dumps({"ligera": __version__, **content}, indent=2) + "\n").encode())


def _count(planned: list[PlannedSource]) -> int | None:
    return None if any(entry.kind in ("video", "camera") for entry in planned) else len(planned)


def _name(result: Result) -> str:
    frame = result.shot.frame
    return result.shot.source.name + ("" if frame is None else f"#{frame}")
