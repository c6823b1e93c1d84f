"""What a PAGE XML file cannot say of a region, noted beside its ``Coords``: the name of that note and how it is tied.

``Coords`` holds one polygon of whole pixels. Fractions of pixels, several parts, masks, crowds, and a box or area of
their own go into ``UserDefined/UserAttribute[@name="ligera"]`` as the JSON fields of a COCO annotation, with a
fingerprint of the points that they were written beside: where another tool has moved the points since, the note is out
of date and the points are believed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

__all__ = ["RECORD", "fingerprint"]

RECORD = "ligera"


def fingerprint(points: Iterable[float]) -> str:
    """Eight letters for ``x, y, x, y ...`` px, equal for equal numbers however they are written."""
    text = " ".join(f"{value:.10g}" for value in points)
    return f"{zlib.crc32(text.encode('ascii')):08x}"
