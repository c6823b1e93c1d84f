"""In which precision a bundle wants to run, as its card says: read by runtimes before anything else is known of it."""

from __future__ import annotations

import json
from collections.abc import Mapping

__all__ = ["wanted_precision"]

CARD_KEY = "ligera"


def wanted_precision(metadata: Mapping[str, str]) -> str:
    """``fp32``, ``fp16``, ``bf16`` or ``int8``; ``fp32`` where there is no card or a damaged one, which its reader
    complains about."""
    try:
        return str(json.loads(metadata[CARD_KEY])["precision"])
    except (KeyError, ValueError, TypeError, RecursionError):
        return "fp32"
