"""TensorRT on NVIDIA cards: engines for one card, built once and kept beside their bundle. Extra ``tensorrt``.

In: an ONNX file, then batches. Out: every output by its name. How an engine is built is the business of
``tensorrt10`` and ``tensorrt11``, whichever is installed; running one is the same in both
(https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/python-api-docs.html): shapes and addresses are
set by name, work goes to a stream. An engine's header names the card, its compute capability and TensorRT's version:
one made elsewhere is made anew, which takes minutes and is said in the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from ligera.deploy.runtimes.cuda_memory import CudaMemory, find_device, load_cuda
from ligera.deploy.runtimes.engine_cache import EngineCache, EngineKey
from ligera.deploy.runtimes.onnxruntime import inspect_onnx
from ligera.deploy.runtimes.precision import wanted_precision
from ligera.deploy.runtimes.tensorrt_api import load_tensorrt, major_version, make_logger
from ligera.deploy.runtimes.tensorrt_layers import DlaShare, EngineLayer, dla_share, read_layers
from ligera.deploy.runtimes.tensorrt_plan import BuildOrder, TensorRtOptions, shapes_for
from ligera.errors import ModelError, UsageError

if TYPE_CHECKING:
    from ligera.deploy.runtimes.tensorrt_calibration import Feed

__all__ = ["TensorRtRuntime", "profile"]


class TensorRtRuntime:
    """One ONNX model as an engine of this card.

    ``precision`` is what it was built for, ``built`` whether it was now, ``shapes`` and ``input_type`` what it takes.
    Raises ``ModelError`` for a file that is missing or that TensorRT cannot read or build, ``UsageError`` for options
    that do not fit it, ``MissingExtra`` without tensorrt, cuda-bindings or a card.
    """

    name = "tensorrt"
    # of the processor, which only hands the work over
    threads = 1

    def __init__(self, path: Path, *, options: TensorRtOptions = TensorRtOptions()) -> None:
        self._tensorrt = load_tensorrt()
        self.tensorrt_version: str = self._tensorrt.__version__
        self._major = major_version(self._tensorrt)
        cuda = load_cuda()
        card = find_device(cuda)
        facts = inspect_onnx(path)
        self.metadata: Mapping[str, str] = facts.metadata
        self.input_shape, self.output_shapes = facts.input_shape, facts.output_shapes
        self.precision = _precision(facts.metadata, options, path)
        self.shapes = shapes_for(facts.input_shape, facts.metadata, options, str(path))
        dla = "" if options.dla_core is None else f", DLA core {options.dla_core}"
        self.device = f"cuda:{card.index} ({card}{dla})"
        self._memory = CudaMemory(cuda)
        content = path.read_bytes()
        order = BuildOrder(content, str(path), self.precision, self.shapes, options.dla_core)
        feed = self._feed(order, options) if options.calibrate is not None else None
        digest, tag = hashlib.sha256(content).hexdigest(), _tag(self.precision, options, self.shapes, feed)
        key = EngineKey(digest, self.name, self.tensorrt_version, f"{card}{dla}", tag)
        self._logger = make_logger(self._tensorrt)
        self._runtime = self._tensorrt.Runtime(self._logger)
        self._engine = self._open(EngineCache(path, key), order, feed)
        self._context = self._engine.create_execution_context()
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        inside = self._tensorrt.TensorIOMode.INPUT
        (self._input,) = (name for name in names if self._engine.get_tensor_mode(name) == inside)
        self._outputs = [name for name in names if name != self._input]
        self.input_type = np.dtype(self._tensorrt.nptype(self._engine.get_tensor_dtype(self._input)))
        self._results: dict[str, np.ndarray] = {}

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs of one batch by name; ``ModelError`` where the engine takes no batch of this shape or type."""
        self.put(batch)
        self.execute()
        return self.take()

    def put(self, batch: np.ndarray) -> None:
        """Copy ``batch`` to the card and wait for it."""
        if batch.dtype != self.input_type or not self.shapes.takes(batch.shape):
            raise ModelError(
                f"the network cannot run a {batch.dtype} input of shape {batch.shape} "
                f"(the engine takes {self.input_type} {self.shapes})"
            )
        address = self._memory.copy_in(self._input, np.ascontiguousarray(batch))
        self._memory.wait()
        self._context.set_input_shape(self._input, batch.shape)
        self._context.set_tensor_address(self._input, address)
        self._results = {}
        for name in self._outputs:
            shape = tuple(self._context.get_tensor_shape(name))
            kind = self._tensorrt.nptype(self._engine.get_tensor_dtype(name))
            self._results[name] = np.empty(shape, kind)
            self._context.set_tensor_address(name, self._memory.reserve(name, self._results[name].nbytes))

    def execute(self) -> None:
        """Run the network on what was put there and wait for it."""
        if not self._context.execute_async_v3(self._memory.stream):
            reason = (self._logger.errors or ["no reason given"])[-1]
            raise ModelError(f"TensorRT could not run the network ({reason})")
        self._memory.wait()

    def take(self) -> dict[str, np.ndarray]:
        """Copy the outputs back."""
        for name, values in self._results.items():
            self._memory.copy_out(name, values)
        self._memory.wait()
        return self._results

    def layers(self) -> tuple[EngineLayer, ...]:
        """The engine's layers as TensorRT's inspector lists them."""
        inspector = self._engine.create_engine_inspector()
        return read_layers(inspector.get_engine_information(self._tensorrt.LayerInformationFormat.JSON))

    def dla_share(self) -> DlaShare | None:
        """How much of the network really runs on the DLA; ``None`` for an engine of the GPU alone."""
        if self._network is None:
            return None
        return dla_share(self.layers(), self._network)

    def profile(self, batch: np.ndarray, runs: int) -> list[tuple[str, str, str, float]]:
        """Each layer as it ran on ``batch``: name, kind, precision, median of ``runs`` in ms."""
        times: dict[str, list[float]] = {}

        class Times(self._tensorrt.IProfiler):  # type: ignore[misc, name-defined]
            def report_layer_time(self, layer_name: str, ms: float) -> None:
                times.setdefault(layer_name, []).append(ms)

        self.run(batch)
        # there is no way to take a profiler off again, so it gets a context of its own
        before, self._context = self._context, self._engine.create_execution_context()
        profiler = self._context.profiler = Times()
        try:
            for _ in range(runs):
                self.run(batch)
        finally:
            self._context = before
        del profiler
        known = {layer.name: layer for layer in self.layers()}
        unknown = EngineLayer("", "unknown", "none")
        return [
            (name, known.get(name, unknown).kind, known.get(name, unknown).precision, median(ms))
            for name, ms in times.items()
        ]

    def close(self) -> None:
        """Free the engine and its memory; the runtime cannot run afterwards."""
        self._memory.close()
        # a context has to go before its engine, an engine before its runtime
        del self._context, self._engine, self._runtime

    def _open(self, cache: EngineCache, order: BuildOrder, feed: Feed | None) -> Any:
        kept = cache.read()
        engine = None if kept is None else self._runtime.deserialize_cuda_engine(kept)
        self.built = engine is None
        if engine is not None:
            network = cache.about.get("network")
        else:
            built = self._build(order, feed)
            network = built.network
            cache.write(built.engine, {"network": network})
            engine = self._runtime.deserialize_cuda_engine(built.engine)
        if engine is None:
            reason = (self._logger.errors or ["no reason given"])[-1]
            raise ModelError(f"{order.where}: TensorRT cannot load the engine that it built ({reason})")
        self._network = None if network is None else tuple((str(name), bool(allowed)) for name, allowed in network)
        return engine

    def _build(self, order: BuildOrder, feed: Feed | None) -> Any:
        if self._major == 10:
            from ligera.deploy.runtimes.tensorrt10 import build
        else:
            from ligera.deploy.runtimes.tensorrt11 import build
        return build(self._tensorrt, order, feed)

    def _feed(self, order: BuildOrder, options: TensorRtOptions) -> Feed:
        from ligera.deploy.bundle import card_from_metadata
        from ligera.deploy.quantization.calibration import choose_pictures, choose_shown
        from ligera.deploy.runtimes.tensorrt_calibration import Feed

        assert options.calibrate is not None
        card = card_from_metadata(self.metadata, order.where)
        pictures = choose_pictures(options.calibrate, options.pictures)
        pictures = choose_shown(pictures, card, self.metadata, order.where)
        digest = hashlib.sha256(order.content).hexdigest()
        key = (digest, self.tensorrt_version)
        return Feed(card, pictures, options.calibration, order.shapes.likely, self._memory, key)


def profile(path: Path, batch: np.ndarray, *, threads: int, runs: int) -> list[tuple[str, str, str, float]]:
    """Each layer of the network at ``path`` as it ran on ``batch``: name, kind, precision, median of ``runs`` in ms.

    ``threads`` is of no account. Raises what :class:`TensorRtRuntime` does.
    """
    runtime = TensorRtRuntime(path)
    try:
        return runtime.profile(batch, runs)
    finally:
        runtime.close()


def _precision(metadata: Mapping[str, str], options: TensorRtOptions, path: Path) -> str:
    """What to build for. A bundle that was quantised can be nothing else, and float becomes int8 by pictures alone."""
    own = wanted_precision(metadata)
    wanted = options.precision or ("int8" if options.calibrate is not None else own)
    if own == "int8" and (wanted != "int8" or options.calibrate is not None):
        raise UsageError(f"{path}: is quantised already; give the bundle in fp32 to build another precision of it")
    if wanted == "int8" and own != "int8" and options.calibrate is None:
        raise UsageError(
            f"{path}: is in {own}; for int8 add --calibrate FOLDER (TensorRT 10), or quantise it first with "
            "`ligera export --precision int8 --activations s8 --calibrate FOLDER`"
        )
    return wanted


def _tag(precision: str, options: TensorRtOptions, shapes: Any, feed: Feed | None) -> str:
    """The part of an engine's file name that tells apart what was built of one bundle for one card."""
    parts = [precision]
    if feed is not None:
        parts.append(f"{feed.method}-{feed.key.hexdigest()[:8]}")
    if options.dla_core is not None:
        parts.append(f"dla{options.dla_core}")
    if options.size is not None:
        parts.append(f"{options.size[0]}x{options.size[1]}")
    parts.append(hashlib.sha256(str(shapes).encode()).hexdigest()[:6])
    return "-".join(parts)
