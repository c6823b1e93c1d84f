"""Pictures -> the ranges that TensorRT 10 quantises by: what its calibrator asks for, and the cache of its answer.

In: a bundle's card, pictures, a method. The calibrator is one of TensorRT's classes, ``get_batch`` of which gives
addresses on the device until there are none left (https://docs.nvidia.com/deeplearning/tensorrt/10.8.0/_static/
python-api/infer/Int8/EntropyCalibrator2.html). What it found is kept in the user's cache under a key of network,
pictures, method, input and TensorRT's version; a damaged file there is made anew, which is said in the log.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from ligera.deploy.bundle import BundleCard
from ligera.deploy.quantization.calibration import CalibrationSet, shown_inputs
from ligera.deploy.runtimes.cuda_memory import CudaMemory
from ligera.deploy.runtimes.engine_cache import cache_folder
from ligera.files import write_bytes

__all__ = ["Feed", "calibrator_class", "fitted"]

log = logging.getLogger("ligera")


class Feed:
    """Batches of one picture on the device, each ``shape`` ``(1, C, H, W)``, and where the calibrator's answer is kept.

    ``key`` tells answers apart. TensorRT swallows what is raised while it calibrates: ``finish`` raises it.
    """

    def __init__(
        self,
        card: BundleCard,
        pictures: CalibrationSet,
        method: str,
        shape: tuple[int, ...],
        memory: CudaMemory,
        key: tuple[str, ...],
    ) -> None:
        self.method = method
        shown = (repr(card.preprocess), pictures.key)
        self.key = hashlib.sha256(repr((pictures.sha256, method, shape, *shown, *key)).encode())
        self.path = cache_folder() / "calibration" / f"{self.key.hexdigest()[:32]}.tensorrt"
        self._batches: Iterator[np.ndarray] = (fitted(batch, (1, *shape[1:])) for batch in shown_inputs(card, pictures))
        self._memory = memory
        self._error: BaseException | None = None

    def next_address(self) -> int | None:
        """Where the next picture lies on the device; ``None`` after the last, or the first that cannot be read."""
        if self._error is not None:
            return None
        try:
            batch = next(self._batches, None)
            if batch is None:
                return None
            address = self._memory.copy_in("calibration", batch)
            self._memory.wait()
        except Exception as error:  # whatever it is, TensorRT must not see it
            self._error = error
            return None
        return address

    def read(self) -> bytes | None:
        """What the calibrator found before; ``None`` where it has to look again."""
        try:
            digest, _, content = self.path.read_bytes().partition(b"\n")
        except OSError:
            return None
        if digest.decode(errors="replace") != hashlib.sha256(content).hexdigest():
            log.warning("%s: a damaged calibration cache, so pictures are gone through anew", self.path)
            return None
        return content

    def write(self, content: bytes) -> None:
        """Keep what the calibrator found, unless pictures were missing; on a full disk it is only not kept."""
        if self._error is None:
            with suppress(OSError):
                write_bytes(self.path, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)

    def finish(self) -> None:
        """Raise what went wrong while TensorRT was asking."""
        if self._error is not None:
            raise self._error


def fitted(batch: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """``batch`` cut, or filled with zeros at the right and bottom, to ``shape``: a calibrator takes one alone."""
    whole = np.zeros(shape, batch.dtype)
    part = tuple(slice(0, min(have, want)) for have, want in zip(batch.shape, shape, strict=True))
    whole[part] = batch[part]
    return whole


def calibrator_class(tensorrt: Any, method: str) -> type[Any]:
    """TensorRT's calibrator by that method, fed by a :class:`Feed`."""
    parents = {"entropy": "IInt8EntropyCalibrator2", "minmax": "IInt8MinMaxCalibrator"}
    parent = getattr(tensorrt, parents[method])

    class Calibrator(parent):  # type: ignore[misc, valid-type]
        def __init__(self, feed: Feed) -> None:
            parent.__init__(self)
            self.feed = feed

        def get_batch_size(self) -> int:
            return 1

        def get_batch(self, names: list[str]) -> list[int] | None:
            address = self.feed.next_address()
            return None if address is None else [address]

        def read_calibration_cache(self) -> bytes | None:
            return self.feed.read()

        def write_calibration_cache(self, cache: Any) -> None:
            self.feed.write(bytes(cache))

    return Calibrator
