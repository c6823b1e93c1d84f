"""Model files to break: damaged bundles, cards that lie about a sound network, networks that keep no word."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ligera.deploy.bundle import METADATA_KEY

from .damage import any_of, damaged, damaged_values

__all__ = ["hostile_model"]

HOSTILE: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1,
    3,
    10**6,
    10**30,
    1e308,
    1e-320,
    float("nan"),
    float("inf"),
    "",
    "none",
    "x" * 5000,
    "line\nbreak",
    "\u202e",
    [],
    [0, 0],
    [-5, 64],
    [64, 64],
    [10**6, 10**6],
    [[]],
    [[8], [16, 32]],
    {},
    {"a": 1},
)
CARDS = (
    "",
    "null",
    "[]",
    "0",
    "NaN",
    '"face"',
    "{",
    '{"format": 99}',
    '{"format": "1"}',
    "[" * 50_000,
    '{"a":' * 50_000,
    "9" * 5_000,
    "\x00",
)
PEERS = ("yunet", "scrfd", "ultralight", "retinaface", "haar", "facenet")


@functools.cache
def _sound(bundle: Path) -> onnx.ModelProto:
    return onnx.load(bundle)


def _with_card(model: onnx.ModelProto, card: str) -> bytes:
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    helper.set_model_props(changed, {METADATA_KEY: card})
    return changed.SerializeToString()


def _card(model: onnx.ModelProto) -> str:
    return next(entry.value for entry in model.metadata_props if entry.key == METADATA_KEY)


def _lying_card(model: onnx.ModelProto, random: np.random.Generator) -> bytes:
    if random.random() < 0.25:
        return _with_card(model, any_of(random, CARDS))
    return _with_card(model, json.dumps(damaged_values(json.loads(_card(model)), HOSTILE, random)))


def _lying_network(model: onnx.ModelProto, random: np.random.Generator) -> bytes:
    """A network of constants with a sound card: outputs of any name, shape, type and value, inputs of any number."""
    names = any_of(random, (("boxes", "scores", "landmarks"), ("boxes", "scores"), ("scores",), ("a", "b"), ()))
    cells = int(any_of(random, (0, 1, 12)))
    nodes, outputs = [], []
    for name in names:
        columns = {"boxes": 4, "scores": 1, "landmarks": 10}.get(name, 1)
        shapes = ((1, cells, columns), (1, cells, columns), (cells, columns), (1, cells), (cells,), (), (1, 2, 3, 4))
        kind = any_of(random, (np.float32, np.float32, np.float64, np.int64, np.bool_))
        value = any_of(random, (0.0, 30.0, 1e38, -1e38, np.nan, np.inf))
        with np.errstate(all="ignore"):
            array = np.full(any_of(random, shapes), value).astype(kind)
        nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array)))
        outputs.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape))
    if random.random() < 0.2:
        nodes.append(helper.make_node("SequenceEmpty", [], ["many"]))
        outputs.append(helper.make_tensor_sequence_value_info("many", TensorProto.FLOAT, None))
    size = any_of(random, ((1, 3, "height", "width"), (1, 3, 64, 64), (1, 3, 96, 128), (3,), ("all",)))
    kind = any_of(random, (TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.UINT8, TensorProto.STRING))
    inputs = [
        helper.make_tensor_value_info(f"input{n}", kind, size) for n in range(int(any_of(random, (0, 1, 1, 1, 2))))
    ]
    graph = helper.make_graph(nodes, "lies", inputs, outputs)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return _with_card(made, _card(model))


def hostile_model(random: np.random.Generator, folder: Path, bundle: Path) -> str:
    """A model file in ``folder``; returns what ``--model`` is given."""
    path, model = folder / "model.onnx", _sound(bundle)
    kind = int(random.integers(20))
    if kind < 7:
        path.write_bytes(_lying_card(model, random))
    elif kind < 12:
        path.write_bytes(_lying_network(model, random))
    elif kind < 17:
        path.write_bytes(damaged(bundle.read_bytes(), random))
    elif kind == 17:
        path.write_bytes(any_of(random, (b"", b"\n", b"pickle", b"\x80\x04.", random.bytes(2000))))
    elif kind == 18:
        path.mkdir()
    elif random.random() < 0.5:
        path.write_bytes(_with_card(model, "")[:-9])
    if random.random() < 0.15:
        return f"{any_of(random, PEERS)}:{path}"
    return str(path)
