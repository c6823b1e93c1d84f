"""One bundle on its way to int8: the prepared graph, the ranges of its activations, and any number of attempts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

import numpy as np

from ligera.deploy.bundle import BundleCard
from ligera.deploy.cascade.engine import CASCADE_KEY
from ligera.deploy.layout.engine import LAYOUT_KEY
from ligera.deploy.onnx_package import load_onnx
from ligera.deploy.quantization.calibration import CalibrationSet, Ranges, ranges_of, shown_inputs
from ligera.deploy.quantization.graph import layers_of, prepare_graph
from ligera.deploy.quantization.int8 import HIGHEST_PIXEL, quantise, take_bytes
from ligera.deploy.quantization.logits import logits_of, recentred
from ligera.deploy.quantization.plan import ConversionPlan
from ligera.deploy.quantization.record import Calibration, PrecisionRecord
from ligera.deploy.quantization.sensitivity import rank_layers
from ligera.deploy.quantization.source import SourceBundle
from ligera.errors import UsageError

__all__ = ["EightBits"]

RANKING_PICTURES = 4
# Keys of metadata; what others say, such as a recogniser's about faces, is carried over as it is.
SEVERAL_NETWORKS = {CASCADE_KEY, LAYOUT_KEY}


class EightBits:
    """``attempt`` makes the network in int8 with some layers in float; ``worst_first`` says which are worth that.

    A detector's heads stay in float in any case: boxes, scores and landmarks share a tensor there, but no range. So
    does a recogniser's, as logits in 256 steps would often lie just at the threshold; they are brought back to where
    they were on average. Raises ``UsageError`` for a bundle of several networks or without weights, ``PictureError``
    for a file that is no picture.
    """

    def __init__(
        self, source: SourceBundle, pictures: CalibrationSet, plan: ConversionPlan, note: Callable[[str], None]
    ) -> None:
        if source.other.keys() & SEVERAL_NETWORKS or source.card.task == "detect-regions":
            raise UsageError(
                f"{source.path}: holds several networks, which int8 is not there for yet; try fp16 or bf16"
            )
        self._source, self._pictures, self._plan = source, pictures, plan
        self._recognises = pictures.squares is not None
        self._graph = prepare_graph(source.content, str(source.path))
        layers = layers_of(load_onnx().load_model_from_string(self._graph))
        if not layers:
            raise UsageError(f"{source.path}: has no layer with weights, which int8 is for")
        self.layers = tuple(layer.name for layer in layers)
        float_heads = source.card.task != "classify" or self._recognises
        self.heads = frozenset(layer.name for layer in layers if layer.is_head and float_heads)
        self._ranges = self._find_ranges(note)
        self._logits = logits_of(self._graph, self._shown()) if self._recognises else None

    def attempt(self, kept: Collection[str] = ()) -> tuple[bytes, BundleCard, PrecisionRecord]:
        """The graph with ``kept`` and the heads in float, its card and record."""
        floats = self.heads | set(kept)
        graph = quantise(self._graph, self._ranges, kept_float=floats, activations=self._plan.activations)
        shift: tuple[float, ...] = ()
        if self._logits is not None:
            graph, shift = recentred(graph, self._logits, self._shown())
        card = replace(self._source.card, precision="int8")
        taking_bytes = take_bytes(graph) if self._reads_pixels() else None
        if taking_bytes is not None:
            graph, card = taking_bytes, replace(card, preprocess=replace(card.preprocess, dtype="uint8"))
        pictures = self._pictures
        calibration = Calibration(self._plan.method, len(pictures.paths), pictures.sha256, self._recognises)
        record = PrecisionRecord(
            "int8",
            self._source.card.graph_sha256,
            calibration,
            layers=len(self.layers),
            kept_float=tuple(name for name in self.layers if name in floats),
            logit_shift=shift,
        )
        return graph, card, record

    def worst_first(self) -> tuple[str, ...]:
        """The layers that are quantised, by the error that each causes alone on a few of the pictures."""
        count = len(self._pictures.paths)
        few = range(count)[:: max(1, count // RANKING_PICTURES)][:RANKING_PICTURES]
        inputs = list(self._shown(few))
        errors = rank_layers(self._graph, self._ranges, inputs, activations=self._plan.activations)
        return tuple(one.layer for one in errors if one.layer not in self.heads)

    def _shown(self, rows: range | None = None) -> Iterator[np.ndarray]:
        return shown_inputs(self._source.card, self._pictures, rows)

    def _find_ranges(self, note: Callable[[str], None]) -> Ranges:
        found = ranges_of(self._graph, self._source.card, self._pictures, self._plan.method, note=note)
        if not self._reads_pixels():
            return found
        (entry,) = load_onnx().load_model_from_string(self._graph).graph.input
        # exact: one step for each value that a pixel takes
        return {**found, entry.name: (0.0, HIGHEST_PIXEL)}

    def _reads_pixels(self) -> bool:
        rule = self._source.card.preprocess
        plain = not any(rule.mean) and set(rule.scale) == {1.0}
        return plain and rule.dtype == "float32" and self._plan.activations == "u8"
