"""Who is measured: each model in each engine, and the key by which what was measured is found again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["BASE", "ENGINES", "MODELS", "REFERENCE", "Contender", "Engine"]


@dataclass(frozen=True, slots=True)
class Engine:
    """A runtime and the precision it is asked for."""

    runtime: str
    precision: str

    @property
    def title(self) -> str:
        names = {"torch": "torch eager", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
        return f"{names.get(self.runtime, self.runtime)} {self.precision}"

    @property
    def key(self) -> str:
        return f"{self.runtime}-{self.precision}"


REFERENCE = Engine("torch", "fp32")
BASE = Engine("onnxruntime", "fp32")
ENGINES = (
    REFERENCE,
    BASE,
    Engine("onnxruntime", "int8"),
    Engine("openvino", "fp32"),
    Engine("openvino", "bf16"),
    Engine("openvino", "int8"),
)
MODELS = ("face", "face-small", "mobilenetv2")


@dataclass(frozen=True, slots=True)
class Contender:
    """One model in one engine, all that its process needs.

    ``bundle`` is the file that the engine runs; torch takes the weights out of it, or for a recogniser those of
    ``weights`` (a base's file) and ``head`` (an ``.npz``). Sizes in px.
    """

    model: str
    engine: Engine
    bundle: Path
    height: int
    width: int
    threads: int
    batch: int
    weights: Path | None = None
    head: Path | None = None

    @property
    def key(self) -> str:
        return f"{self.model}-{self.engine.key}"

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Contender:
        values = json.loads(text)
        values["engine"] = Engine(**values["engine"])
        for name in ("bundle", "weights", "head"):
            values[name] = None if values[name] is None else Path(values[name])
        return cls(**values)
