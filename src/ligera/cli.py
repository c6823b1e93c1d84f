"""The command line: puts the verbs together and turns errors into one line and an exit code.

0 done, 1 a bug, 2 usage or data, 3 a missing extra or device, 4 a gate or budget failed, 130 interrupted.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from ligera import __version__
from ligera.commands.terminal import complain
from ligera.errors import LigeraError

__all__ = ["VERBS", "assemble", "main", "run"]

# In the order of the help. Each stands in a module of its name in ``commands``, as a function or a Typer of that name.
VERBS = (
    *("detect", "classify", "pick", "bench", "eval", "train", "enroll", "watch", "cost", "study", "export"),
    *("profile", "space", "search", "data", "augment", "mine", "compare-engines", "models", "doctor"),
)
# ``eval`` is a builtin, so its function is called otherwise.
FUNCTIONS = {"eval": "evaluate"}


def assemble(verbs: Sequence[str] = VERBS) -> typer.Typer:
    """The command line with ``verbs``; one verb alone spares the imports of the rest."""
    app = typer.Typer(
        name="ligera",
        help="Train, search and ship small vision models under a budget.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for verb in verbs:
        name = verb.replace("-", "_")
        module = importlib.import_module(f"ligera.commands.{name}")
        command = getattr(module, FUNCTIONS.get(verb, name))
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=verb)
        else:
            app.command(verb)(command)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        print(f"ligera {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Version.")] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of the ``ligera`` command."""
    for stream in (sys.stdout, sys.stderr):
        # Names of files may hold what the terminal's encoding cannot say.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit code. Whatever goes wrong is one line on standard error."""
    try:
        return _run(arguments)
    except LigeraError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except MemoryError:
        return _fail("out of memory; try a smaller --max-side, or fewer or smaller pictures", 2)
    except BrokenPipeError:
        return _reader_left()
    except OSError as error:
        return _fail(f"{error.filename or 'a file'}: {_os_reason(error)}", 2)
    except Exception as error:
        if _was_interrupted(error):
            return _fail("interrupted", 130)
        reason = f"{type(error).__name__}: {error}"
        return _fail(f"{reason} - this is a bug; please report it, with what LIGERA_DEBUG=1 shows", 1)


def _run(arguments: Sequence[str]) -> int:
    verbs = [arguments[0]] if arguments and arguments[0] in VERBS else VERBS
    try:
        assemble(verbs)(args=list(arguments), prog_name="ligera")
        sys.stdout.flush()
    except SystemExit as stop:
        # typer has its own ways with a broken pipe and leaves only the context to tell it by
        if isinstance(stop.__context__, BrokenPipeError):
            return _reader_left()
        # nor of Ctrl-C, of which it says nothing, or in older versions exits with 1
        if _was_interrupted(stop):
            return _fail("interrupted", 130)
        sys.stdout.flush()
        return stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    return 0


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: packages written in C turn it into an error of their own while they load."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _fail(message: str, code: int) -> int:
    if os.environ.get("LIGERA_DEBUG"):
        traceback.print_exc()
    complain(f"ligera: {message}")
    return code


def _reader_left() -> int:
    """Whoever read our output has enough, as ``| head`` does: done, and nothing more to flush at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _os_reason(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "no space left on the disk"
    return (error.strerror or str(error) or type(error).__name__).lower()


if __name__ == "__main__":
    main()
