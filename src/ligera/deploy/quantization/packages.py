"""ONNX Runtime's quantiser: imported in this one place, and kept from talking past the user."""

from __future__ import annotations

import importlib
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from ligera.deploy.onnx_package import load_onnx

__all__ = ["load_quantiser", "quietly"]


def load_quantiser() -> Any:
    """ONNX Runtime's package ``quantization``, which needs onnx; ``MissingExtra`` without it."""
    load_onnx()
    # through our own module, which first says that nothing is to be reported to ONNX Runtime's maker
    importlib.import_module("ligera.deploy.runtimes.onnxruntime")
    return importlib.import_module("onnxruntime.quantization")


@contextmanager
def quietly() -> Iterator[None]:
    """Keeps the quantiser's progress off standard output, which belongs to results, and its advice off the log."""
    root = logging.getLogger()
    # of the root itself, which the quantiser logs to; other loggers' records do not pass here
    root.addFilter(_no_record)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        root.removeFilter(_no_record)


def _no_record(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR
