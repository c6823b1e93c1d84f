"""What crosses folders: frozen records that check themselves.

Boxes are ``(N, 4)`` float32 ``x1 y1 x2 y2`` in pixels of the original picture, landmarks ``(N, 5, 2)`` float32 in the
order left eye, right eye, nose, left and right mouth corner as the viewer sees them (NaN where unknown), pictures
``(H, W, 3)`` uint8 RGB. A record built from anything else raises ``ValueError`` with "expected ... got ...".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

__all__ = ["Decoding", "Detections", "LabelledPictures", "Picture", "Preprocess", "PriorSpec", "Targets"]


def _array(name: str, value: Any, shape: tuple[int | None, ...], dtype: type) -> np.ndarray:
    """``value`` as a read-only array of ``dtype``; ``None`` in ``shape`` stands for any length."""
    array = np.asarray(value, dtype=dtype)
    if array.size == 0 and len(shape) > 1:
        array = array.reshape([0 if n is None else n for n in shape])
    fits = array.ndim == len(shape) and all(n is None or n == m for n, m in zip(shape, array.shape, strict=True))
    if not fits:
        wanted = ", ".join("N" if n is None else str(n) for n in shape)
        raise ValueError(f"{name}: expected shape ({wanted}), got {array.shape}")
    view = array.view()
    view.flags.writeable = False
    return view


def _same_length(name: str, array: np.ndarray, count: int) -> None:
    if len(array) != count:
        raise ValueError(f"{name}: expected {count} rows, one for each box, got {len(array)}")


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One decoded picture: ``pixels`` ``(H, W, 3)`` uint8 RGB and where it came from."""

    pixels: np.ndarray
    path: str = "<array>"

    def __post_init__(self) -> None:
        pixels = self.pixels
        if not isinstance(pixels, np.ndarray) or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            got = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            raise ValueError(f"pixels: expected uint8 (H, W, 3) RGB, got {got}")
        if min(pixels.shape[:2]) < 1:
            raise ValueError(f"pixels: expected at least one pixel, got {pixels.shape}")

    @property
    def width(self) -> int:
        return self.pixels.shape[1]

    @property
    def height(self) -> int:
        return self.pixels.shape[0]


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What an annotator drew in one picture; ``ignore`` holds regions that are neither object nor background."""

    boxes: np.ndarray
    labels: np.ndarray | None = None
    landmarks: np.ndarray | None = None
    ignore: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.float32))

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "boxes", _array("boxes", self.boxes, (None, 4), np.float32))
        count = len(self.boxes)
        put(
            self, "labels", _array("labels", np.zeros(count) if self.labels is None else self.labels, (None,), np.int64)
        )
        points = np.full((count, 5, 2), np.nan) if self.landmarks is None else self.landmarks
        put(self, "landmarks", _array("landmarks", points, (None, 5, 2), np.float32))
        put(self, "ignore", _array("ignore", self.ignore, (None, 4), np.float32))
        _same_length("labels", self.labels, count)
        _same_length("landmarks", self.landmarks, count)
        for name in ("boxes", "ignore"):
            boxes = getattr(self, name)
            if not np.isfinite(boxes).all() or (boxes[:, 2:] < boxes[:, :2]).any():
                raise ValueError(f"{name}: expected finite x1 y1 x2 y2 with x1 <= x2 and y1 <= y2")

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What a model found in one picture, best score first as models return it.

    ``labels`` index ``names``. ``landmarks`` and ``polygons`` are ``None`` where the model has none.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray | None = None
    names: tuple[str, ...] = ("face",)
    landmarks: np.ndarray | None = None
    polygons: tuple[tuple[np.ndarray, ...], ...] | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "boxes", _array("boxes", self.boxes, (None, 4), np.float32))
        count = len(self.boxes)
        put(self, "scores", _array("scores", self.scores, (None,), np.float32))
        put(
            self, "labels", _array("labels", np.zeros(count) if self.labels is None else self.labels, (None,), np.int64)
        )
        _same_length("scores", self.scores, count)
        _same_length("labels", self.labels, count)
        if self.landmarks is not None:
            put(self, "landmarks", _array("landmarks", self.landmarks, (None, 5, 2), np.float32))
            _same_length("landmarks", self.landmarks, count)
        if self.polygons is not None and len(self.polygons) != count:
            raise ValueError(f"polygons: expected {count}, one group for each box, got {len(self.polygons)}")
        if count and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.names):
            raise ValueError(f"labels: expected 0 to {len(self.names) - 1}, got up to {int(self.labels.max())}")

    def __len__(self) -> int:
        return len(self.boxes)

    def take(self, rows: Any) -> Detections:
        """The detections at ``rows`` (an index array, mask or slice), in that order."""
        polygons = self.polygons
        if polygons is not None:
            polygons = tuple(polygons[i] for i in np.arange(len(self))[rows])
        landmarks = None if self.landmarks is None else self.landmarks[rows]
        return Detections(self.boxes[rows], self.scores[rows], self.labels[rows], self.names, landmarks, polygons)

    def rows(self) -> list[dict[str, Any]]:
        """One JSON-ready dictionary per detection, coordinates rounded to a hundredth of a pixel."""
        out = []
        for i in range(len(self)):
            row: dict[str, Any] = {
                "box": [round(float(v), 2) for v in self.boxes[i]],
                "score": round(float(self.scores[i]), 4),
                "label": self.names[int(self.labels[i])],
            }
            if self.landmarks is not None:
                row["landmarks"] = [[round(float(x), 2), round(float(y), 2)] for x, y in self.landmarks[i]]
            if self.polygons is not None:
                row["polygon"] = [[[round(float(x), 2), round(float(y), 2)] for x, y in p] for p in self.polygons[i]]
            out.append(row)
        return out


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPictures:
    """Pictures of one size with one label each, decoded in memory: what a classifier learns from and is judged on.

    ``pictures`` ``(N, H, W, 3)`` uint8 RGB, ``labels`` ``(N,)`` int64 into ``names``; ``paths`` says where each picture
    came from, where it has a file of its own.
    """

    pictures: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    paths: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        shape = getattr(self.pictures, "shape", ())
        if len(shape) != 4 or shape[3] != 3 or self.pictures.dtype != np.uint8:
            raise ValueError(f"pictures: expected uint8 (N, H, W, 3) RGB, got shape {tuple(shape)}")
        put(self, "labels", _array("labels", self.labels, (None,), np.int64))
        if len(self.labels) != len(self.pictures):
            raise ValueError(f"labels: expected {len(self.pictures)}, one for each picture, got {len(self.labels)}")
        if len(self.labels) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.names):
            raise ValueError(
                f"labels: expected 0 to {len(self.names) - 1}, got {self.labels.min()} to {self.labels.max()}"
            )
        if self.paths is not None and len(self.paths) != len(self.pictures):
            raise ValueError(f"paths: expected {len(self.pictures)}, one for each picture, got {len(self.paths)}")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Any) -> LabelledPictures:
        """The pictures at ``rows`` (an index array, mask or slice), in that order."""
        paths = None if self.paths is None else tuple(self.paths[i] for i in np.arange(len(self))[rows])
        return LabelledPictures(self.pictures[rows], self.labels[rows], self.names, paths)


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How a picture becomes a network's input.

    ``value = (pixel - mean) * scale`` in ``channels`` order, laid out as ``layout``. The picture keeps its size unless
    its long side exceeds ``max_side`` (shrunk) or is under ``min_side`` (enlarged); zero padding at the right and
    bottom brings both sides to a multiple of ``multiple``. ``fixed`` (height, width) instead resizes without keeping
    the shape; ``crop`` says that the picture's middle square was cut out before (``data.folders.centre_square``).
    """

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    channels: Literal["rgb", "bgr"] = "rgb"
    layout: Literal["nchw", "nhwc"] = "nchw"
    dtype: Literal["float32", "uint8"] = "float32"
    multiple: int = 32
    max_side: int | None = None
    min_side: int | None = None
    fixed: tuple[int, int] | None = None
    crop: bool = False

    def __post_init__(self) -> None:
        if self.multiple < 1:
            raise ValueError(f"multiple: expected 1 or more, got {self.multiple}")
        if self.crop and (self.fixed is None or self.fixed[0] != self.fixed[1]):
            raise ValueError(f"crop: expected a fixed square, got fixed {self.fixed}")
        for name in ("max_side", "min_side"):
            value = getattr(self, name)
            if value is not None and value < 8:
                raise ValueError(f"{name}: expected at least 8 pixels, got {value}")
        if self.dtype == "uint8" and (any(self.mean) or set(self.scale) != {1.0}):
            raise ValueError("dtype uint8: expected mean 0 and scale 1, which the network applies itself")


@dataclass(frozen=True, slots=True)
class PriorSpec:
    """Prior boxes of a dense detector: at each cell of stride ``strides[i]`` one square for each of ``sizes[i]`` px."""

    strides: tuple[int, ...] = (8, 16, 32)
    sizes: tuple[tuple[float, ...], ...] = ((16, 32), (64, 128), (256, 512))

    def __post_init__(self) -> None:
        if len(self.strides) != len(self.sizes):
            raise ValueError(f"sizes: expected {len(self.strides)} groups, one for each stride, got {len(self.sizes)}")
        if any(s < 1 for s in self.strides) or any(v <= 0 for group in self.sizes for v in group):
            raise ValueError("expected positive strides and sizes")


@dataclass(frozen=True, slots=True)
class Decoding:
    """How raw outputs become detections: priors, encoding variances, what to keep."""

    priors: PriorSpec = field(default_factory=PriorSpec)
    variances: tuple[float, float] = (0.1, 0.2)
    score_threshold: float = 0.5
    nms_iou: float = 0.4
    max_candidates: int = 5000
    max_detections: int = 750
    activation: Literal["softmax", "sigmoid", "none"] = "softmax"

    def __post_init__(self) -> None:
        for name in ("score_threshold", "nms_iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected 0 to 1, got {getattr(self, name)}")
