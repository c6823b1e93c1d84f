"""What an engine of TensorRT really runs where, read from its inspector: layers, precisions, the share on a DLA.

In: the JSON of ``IEngineInspector.get_engine_information``
(https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/engine-tools.html), whose tensors say
``Format/Datatype`` in 10 and ``Format`` and ``DataType`` apart in 11
(https://docs.nvidia.com/deeplearning/tensorrt/latest/api/migration/tensorrt-10x-to-11x-IEngineInspector.html). A part
of the network that runs on a DLA is one layer of the engine, named ``{ForeignNode[first...last]}`` after the network's
layers that it covers, its type DLA; one of the GPU's compiler has such a name too, but another type.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["DlaShare", "EngineLayer", "dla_share", "read_layers"]

SUBGRAPH = re.compile(r"\{ForeignNode\[(?P<first>.+?)(?:\.\.\.(?P<last>.+?))?\]\}")
# In TensorRT's spellings, the longer words first, as they hold the shorter ones.
PRECISIONS = (
    ("bf16", ("bfloat16", "bf16")),
    ("fp16", ("half", "fp16", "float16")),
    ("int8", ("int8", "uint8")),
    ("fp32", ("float", "fp32")),
)


@dataclass(frozen=True, slots=True)
class EngineLayer:
    """One layer of an engine: ``kind`` by TensorRT's word, ``precision`` of what it reads, ``none`` where unsaid."""

    name: str
    kind: str
    precision: str

    @property
    def on_dla(self) -> bool:
        return self.kind.lower() == "dla"


@dataclass(frozen=True, slots=True)
class DlaShare:
    """Of ``layers`` layers of a network, ``allowed`` could run on a DLA by the builder's word and ``running`` do by the
    engine's own; ``subgraphs`` is how often work goes over to the DLA, each time through memory."""

    layers: int
    allowed: int
    running: int
    subgraphs: int

    @property
    def share(self) -> float:
        return self.running / self.layers if self.layers else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self) | {"share": self.share}


def read_layers(information: str) -> tuple[EngineLayer, ...]:
    """The layers of an inspector's JSON; those of an engine built without details have a name alone."""
    try:
        rows = json.loads(information).get("Layers", [])
    except (ValueError, AttributeError):
        return ()
    return tuple(
        EngineLayer(row, "unknown", "none")
        if isinstance(row, str)
        else EngineLayer(str(row.get("Name", "")), str(row.get("LayerType", "unknown")), _precision(row))
        for row in rows
    )


def _precision(row: dict[str, Any]) -> str:
    """Of the inputs, or the outputs of what only makes something."""
    for side in ("Inputs", "Outputs"):
        said = [
            f"{tensor.get('Format/Datatype', '')} {tensor.get('DataType', '')}".lower()
            for tensor in row.get(side, [])
            if isinstance(tensor, dict)
        ]
        for precision, words in PRECISIONS:
            if said and any(word in said[0] for word in words):
                return precision
    return "none"


def dla_share(layers: Sequence[EngineLayer], network: Sequence[tuple[str, bool]]) -> DlaShare:
    """How much of ``network``, layers by name and whether a DLA may run them, the engine's ``layers`` run there."""
    places = {name: place for place, (name, _) in enumerate(network)}
    covered: set[int] = set()
    subgraphs = [layer for layer in layers if layer.on_dla]
    for layer in subgraphs:
        match = SUBGRAPH.search(layer.name)
        first, last = (match["first"], match["last"] or match["first"]) if match else (layer.name, layer.name)
        if first in places and last in places:
            covered.update(range(places[first], places[last] + 1))
    running = sum(network[place][1] for place in covered)
    return DlaShare(len(network), sum(allowed for _, allowed in network), running, len(subgraphs))
