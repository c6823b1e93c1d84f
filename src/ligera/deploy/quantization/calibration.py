"""Pictures -> the range that each activation of a network takes: what int8 is laid out by.

In: a prepared float graph, its card and a :class:`CalibrationSet`. Out: lowest and highest value by tensor. Pictures go
through the network one by one, prepared as detection and classification prepare them; a recogniser is shown the face of
each, squared. Ranges are kept in the user's cache under a key of graph, pictures, how they are shown, method and ONNX
Runtime's version; a damaged file there is measured anew.
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ligera.data.pictures import find_pictures, read_picture
from ligera.deploy.bundle import BundleCard
from ligera.deploy.classifying.inputs import network_input
from ligera.deploy.engine import limited
from ligera.deploy.enrolling.squares import FaceSquares, squares_from_metadata
from ligera.deploy.quantization.packages import load_quantiser, quietly
from ligera.deploy.quantization.record import Method
from ligera.deploy.runtimes.engine_cache import cache_folder
from ligera.deploy.runtimes.onnxruntime import VERSION
from ligera.errors import DataError, ModelError, UsageError, nearest
from ligera.files import write_bytes
from ligera.models.preprocess import prepare

__all__ = [
    "METHODS",
    "PICTURES",
    "CalibrationSet",
    "Ranges",
    "choose_faces",
    "choose_pictures",
    "choose_shown",
    "network_inputs",
    "picture_digests",
    "ranges_of",
    "shown_inputs",
]

METHODS: tuple[Method, ...] = ("minmax", "entropy", "percentile")
PICTURES = 100
MOST_PICTURES = 100_000
PERCENTILE = 99.99
MOST_BYTES = 2 * 2**30

Ranges = Mapping[str, tuple[float, float]]
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationSet:
    """The pictures to calibrate on, and one digest of all their files.

    ``squares`` ``(N, S, S, 3)`` uint8 RGB are what a recogniser looks at in them, ``key`` says how they were cut.
    """

    paths: tuple[Path, ...]
    digests: tuple[str, ...]
    squares: np.ndarray | None = None
    key: str = ""

    @property
    def sha256(self) -> str:
        return hashlib.sha256("".join(sorted(self.digests)).encode()).hexdigest()


def choose_pictures(source: str | Path, count: int = PICTURES) -> CalibrationSet:
    """``count`` of the pictures at ``source``, a folder searched to its depth, evenly spread over them; all if fewer.

    Raises ``DataError`` where there are none, ``UsageError`` for a count out of range.
    """
    if not 1 <= count <= MOST_PICTURES:
        raise UsageError(f"calibration pictures: expected 1 to {MOST_PICTURES:,}, got {count}")
    paths = list(find_pictures(source))
    places = np.unique(np.linspace(0, len(paths) - 1, min(count, len(paths))).round().astype(int))
    chosen = tuple(paths[place] for place in places)
    return CalibrationSet(chosen, picture_digests(chosen))


def picture_digests(paths: Iterable[Path]) -> tuple[str, ...]:
    """The SHA-256 of each file; ``DataError`` for one that cannot be read."""
    try:
        return tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from None


def choose_shown(
    pictures: CalibrationSet,
    card: BundleCard,
    metadata: Mapping[str, str],
    where: str,
    *,
    threads: int | None = None,
    note: Note | None = None,
) -> CalibrationSet:
    """``pictures`` as the network of a bundle is shown them: of a recogniser's the faces in them, else themselves.

    ``metadata`` is that of the bundle at ``where``. Raises what :func:`choose_faces` does, and ``ModelError`` where the
    recogniser's detector is not here.
    """
    squares = squares_from_metadata(metadata, where, (card.preprocess.fixed or (0, 0))[0], threads=threads)
    if squares is None:
        return pictures
    with closing(squares):
        return choose_faces(pictures, squares, note)


def choose_faces(pictures: CalibrationSet, squares: FaceSquares, note: Note | None = None) -> CalibrationSet:
    """Those of ``pictures`` in which a recogniser's ``squares`` find a face, with it; ``note`` is told of others.

    Raises ``DataError`` where there are none, ``UsageError`` for more than fit into 2 GiB, ``PictureError`` for a file
    that is no picture.
    """
    count = len(pictures.paths)
    rows: list[int] = []
    found: list[np.ndarray] = []
    for row, path in enumerate(pictures.paths):
        square = squares.cut(read_picture(path).pixels)
        if square is None:
            continue
        if square.nbytes * (len(found) + 1) > MOST_BYTES:
            most = MOST_BYTES // square.nbytes
            raise UsageError(f"--calibration-pictures: expected at most {most:,} faces of {len(square)} px, got more")
        rows.append(row)
        found.append(square)
    if not found:
        first = pictures.paths[0]
        raise DataError(
            f"{first.parent}: no face found in {count:,} picture{'s' * (count != 1)} such as {first.name}, and faces "
            "are all that a recogniser looks at; calibrate on photos of people"
        )
    if note and len(found) < count:
        note(f"{count - len(found):,} of {count:,} calibration pictures show no face and are left out")
    paths, digests = ([values[row] for row in rows] for values in (pictures.paths, pictures.digests))
    return CalibrationSet(tuple(paths), tuple(digests), np.stack(found), squares.key)  # type: ignore[arg-type]


def shown_inputs(card: BundleCard, pictures: CalibrationSet, rows: Iterable[int] | None = None) -> Iterator[np.ndarray]:
    """What the network of ``card`` is given of ``pictures``, or of those ``rows`` of them, in batches of one.

    Raises ``PictureError`` for a file that is no picture.
    """
    chosen = range(len(pictures.paths)) if rows is None else rows
    if pictures.squares is None:
        return network_inputs(card, (pictures.paths[row] for row in chosen))
    return (prepare(pictures.squares[row], card.preprocess)[0] for row in chosen)


def network_inputs(card: BundleCard, paths: Iterable[Path]) -> Iterator[np.ndarray]:
    """Each picture as a batch of one for the network of ``card``; ``PictureError`` for a file that is no picture."""
    rule = card.preprocess if card.preprocess.fixed is not None else limited(card.preprocess, None)
    return (network_input(read_picture(path).pixels, rule) for path in paths)


def ranges_of(
    graph: bytes, card: BundleCard, pictures: CalibrationSet, method: str = "minmax", *, note: Note | None = None
) -> Ranges:
    """Lowest and highest value of each activation of ``graph``, from the cache or measured; zero is always within.

    ``note`` is told what is going on, in words. Raises ``PictureError`` for a file that is no picture, ``UsageError``
    for an unknown method, ``ModelError`` for activations that are no numbers, ``MissingExtra`` without onnx.
    """
    if method not in METHODS:
        known = ", ".join(METHODS)
        raise UsageError(f"no calibration method {method!r}{nearest(method, METHODS)}; known: {known}")
    load_quantiser()
    rule = repr((card.preprocess, pictures.key))
    parts = (hashlib.sha256(graph).hexdigest(), rule, pictures.sha256, method, VERSION)
    place = cache_folder() / "calibration" / f"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}.json"
    ranges = _read(place, note)
    if ranges is None:
        if note:
            shown = "pictures" if pictures.squares is None else "faces"
            note(f"calibrating on {len(pictures.paths):,} {shown} ({method})")
        ranges = _measured(graph, shown_inputs(card, pictures), method)
        # a full or read-only disk only means that the next time is measured again
        with suppress(OSError):
            write_bytes(place, json.dumps(ranges).encode())
    return ranges


def _read(place: Path, note: Note | None) -> Ranges | None:
    try:
        content = place.read_bytes()
    except OSError:
        return None
    try:
        values = json.loads(content)
        ranges = {str(name): (float(low), float(high)) for name, (low, high) in values.items()}
        if ranges and all(math.isfinite(low) and low <= high < math.inf for low, high in ranges.values()):
            return ranges
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass
    if note:
        note(f"{place}: a damaged calibration cache, ignored; measuring again")
    return None


def _measured(graph: bytes, batches: Iterable[np.ndarray], method: str) -> Ranges:
    quantisation = load_quantiser()
    from onnxruntime.quantization.calibrate import create_calibrator

    methods = quantisation.CalibrationMethod
    kinds = {"minmax": methods.MinMax, "entropy": methods.Entropy, "percentile": methods.Percentile}
    with tempfile.TemporaryDirectory(prefix="ligera-") as folder, quietly():
        path = Path(folder, "graph.onnx")
        path.write_bytes(graph)
        calibrator = create_calibrator(
            str(path),
            augmented_model_path=str(Path(folder, "augmented.onnx")),
            calibrate_method=kinds[method],
            extra_options={"symmetric": False, "percentile": PERCENTILE, "num_bins": 2048}
            if method == "percentile"
            else {"symmetric": False},
        )
        (entry,) = calibrator.infer_session.get_inputs()
        for batch in batches:
            # one at a time, as pictures differ in size and all activations of all of them are much memory
            calibrator.collect_data(_One({entry.name: batch}))
        found = calibrator.compute_data()
        del calibrator
    ranges = {name: _range(name, value.range_value) for name, value in found.items()}
    return dict(sorted(ranges.items()))


class _One:
    """One batch, as the quantiser wants to be given data."""

    def __init__(self, feed: dict[str, np.ndarray]) -> None:
        self._feed: dict[str, np.ndarray] | None = feed

    def get_next(self) -> dict[str, np.ndarray] | None:
        feed, self._feed = self._feed, None
        return feed


def _range(name: str, values: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
    low, high = (float(np.asarray(value).reshape(-1)[0]) for value in values)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ModelError(f"{name}: takes values that are no numbers on the calibration pictures; train the model again")
    return min(low, 0.0), max(high, 0.0)
