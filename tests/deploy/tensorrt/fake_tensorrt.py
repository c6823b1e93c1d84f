"""A stand-in for the package ``tensorrt``, 10 or 11: the same names, and networks that really run, in ONNX Runtime.

``fake(version, cuda)`` makes the module. An engine is a line of JSON on how it was built and the ONNX file; the module
keeps each as ``built``. What 11 removed is not there in 11. Names are held against those of NVIDIA's own bindings by
``test_tensorrt_fake``; behaviour follows their docstrings, such as shapes before addresses before execution, and that
whatever a calibrator raises is swallowed.
"""

from __future__ import annotations

import ctypes
import json
from enum import IntEnum
from types import ModuleType
from typing import Any

import numpy as np
import onnx

from ligera.deploy.runtimes.onnxruntime import OnnxRuntime

from .fake_cuda import FakeCuda

# What stays on the GPU in the fake's DLA.
NOT_ON_DLA = ("Reshape", "Transpose", "Concat", "Gemm")


def enumeration(name: str, *members: str) -> Any:
    return IntEnum(name, {member: number for number, member in enumerate(members)})


class ILogger:
    Severity = enumeration("Severity", "INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE")


class IProfiler:
    pass


class Tensor:
    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self.name, self.shape = name, shape


class Layer:
    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind = name, kind


class Profile:
    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:
        assert len(min) == len(opt) == len(max) and all(a <= b <= c for a, b, c in zip(min, opt, max, strict=True))
        self.shapes = (tuple(min), tuple(opt), tuple(max))


class Config:
    def __init__(self, module: Any) -> None:
        self.flags, self.profiles, self.limits = {"TF32"}, [], {}
        self.default_device_type, self.DLA_core = module.DeviceType.GPU, -1
        self.profiling_verbosity = module.ProfilingVerbosity.LAYER_NAMES_ONLY
        if module.old:
            self.int8_calibrator, self.set_calibration_profile = None, self._calibrate_by

    def _calibrate_by(self, profile: Profile) -> bool:
        self.calibration_profile = profile
        return True

    def set_flag(self, flag: Any) -> None:
        self.flags.add(flag.name)

    def clear_flag(self, flag: Any) -> None:
        self.flags.discard(flag.name)

    def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
        self.limits[pool.name] = pool_size

    def add_optimization_profile(self, profile: Profile) -> int:
        self.profiles.append(profile)
        return len(self.profiles) - 1

    def can_run_on_DLA(self, layer: Layer) -> bool:
        return layer.kind not in NOT_ON_DLA


class Network:
    def __init__(self, typed: bool) -> None:
        self.typed, self.content, self.layers, self.inputs = typed, b"", [], []
        self.parsed_with: list[str] = []

    num_layers = property(lambda self: len(self.layers))
    num_inputs = property(lambda self: len(self.inputs))

    def get_layer(self, index: int) -> Layer:
        return self.layers[index]

    def get_input(self, index: int) -> Tensor:
        return self.inputs[index]


class ParserError:
    def __init__(self, text: str) -> None:
        self._text = text

    def desc(self) -> str:
        return self._text


class OnnxParser:
    def __init__(self, network: Network, logger: ILogger) -> None:
        self._network, self._errors = network, []

    num_errors = property(lambda self: len(self._errors))

    def set_flag(self, flag: Any) -> None:
        self._network.parsed_with.append(flag.name)

    def get_error(self, index: int) -> ParserError:
        return self._errors[index]

    def parse(self, model: bytes) -> bool:
        try:
            graph = onnx.load_model_from_string(model).graph
            OnnxRuntime(model, threads=1).close()
        except Exception:
            self._errors.append(ParserError("In node -1 with name:  and operator: (parse): INVALID_GRAPH"))
            return False
        if any(node.op_type == "QuantizeLinear" for node in graph.node):
            constants = {tensor.name: tensor for tensor in graph.initializer}
            points = [constants[n.input[2]] for n in graph.node if n.op_type == "QuantizeLinear"]
            if any(point.data_type == onnx.TensorProto.UINT8 for point in points):
                self._errors.append(ParserError("TensorRT only supports symmetric quantization"))
                return False
        for entry in graph.input:
            sides = entry.type.tensor_type.shape.dim
            shape = tuple(side.dim_value if side.HasField("dim_value") else -1 for side in sides)
            self._network.inputs.append(Tensor(entry.name, shape))
        self._network.layers = [Layer(f"{node.name}#{i}", node.op_type) for i, node in enumerate(graph.node)]
        self._network.content = model
        return True


class Engine:
    def __init__(self, module: Any, plan: bytes) -> None:
        line, _, content = plan.partition(b"\n")
        self.module, self.about = module, json.loads(line)
        self.runtime = OnnxRuntime(content, threads=1)
        model = onnx.load_model_from_string(content)
        self.names = [model.graph.input[0].name, *(output.name for output in model.graph.output)]
        self.nodes = [Layer(f"{node.name}#{i}", node.op_type) for i, node in enumerate(model.graph.node)]
        (self.entry,) = (entry.type.tensor_type.elem_type for entry in model.graph.input)

    num_io_tensors = property(lambda self: len(self.names))

    def get_tensor_name(self, index: int) -> str:
        return self.names[index]

    def get_tensor_mode(self, name: str) -> Any:
        modes = self.module.TensorIOMode
        return modes.INPUT if name == self.names[0] else modes.OUTPUT

    def get_tensor_dtype(self, name: str) -> Any:
        kinds = self.module.DataType
        return kinds.UINT8 if name == self.names[0] and self.entry == onnx.TensorProto.UINT8 else kinds.FLOAT

    def create_execution_context(self) -> Context:
        return Context(self)

    def create_engine_inspector(self) -> Inspector:
        return Inspector(self)


class Inspector:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get_engine_information(self, format: Any) -> str:
        assert format.name == "JSON"
        rows, run = [], []
        for layer in [*self._engine.nodes, Layer("", "Reshape")]:
            on_dla = self._engine.about["dla"] and layer.kind not in NOT_ON_DLA
            if on_dla:
                run.append(layer.name)
                continue
            if run:
                name = f"{{ForeignNode[{run[0]}{'...' + run[-1] if len(run) > 1 else ''}]}}"
                rows.append(self._row(name, "DLA"))
                run = []
            if layer.name:
                rows.append(self._row(layer.name, layer.kind))
        return json.dumps({"Layers": rows})

    def _row(self, name: str, kind: str) -> dict[str, Any]:
        word = {"fp16": "FP16", "int8": "Int8"}.get(self._engine.about["precision"], "FP32")
        tensor = {"Name": "x", "Dimensions": [1]}
        if self._engine.module.old:
            tensor["Format/Datatype"] = f"Row major linear {word} format"
        else:
            tensor |= {"Format": f"Row major linear {word} format (kLINEAR)", "DataType": word}
        return {"Name": name, "LayerType": kind, "Inputs": [tensor], "Outputs": [tensor]}


class Context:
    def __init__(self, engine: Engine) -> None:
        self._engine, self._shape, self._addresses, self._found = engine, None, {}, {}
        self.profiler: Any = None

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        lowest, _, highest = self._engine.about["shapes"]
        self._shape, self._found = tuple(shape), {}
        return all(low <= side <= high for low, side, high in zip(lowest, shape, highest, strict=True))

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        assert self._shape is not None, "no input shape was set"
        if name not in self._found:
            self._found = self._engine.runtime.run(np.zeros(self._shape, self._kind()))
        return self._found[name].shape

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        cuda: FakeCuda = self._engine.module.cuda
        assert stream_handle in cuda.streams and set(self._addresses) == set(self._engine.names)
        cuda.waiting.append(self._run)
        if self.profiler is not None:
            for layer in json.loads(Inspector(self._engine).get_engine_information(FORMAT.JSON))["Layers"]:
                self.profiler.report_layer_time(layer["Name"], 0.5)
        return True

    def _kind(self) -> type:
        return np.uint8 if self._engine.entry == onnx.TensorProto.UINT8 else np.float32

    def _run(self) -> None:
        memory = self._engine.module.cuda.allocated
        batch = np.frombuffer(memory[self._addresses[self._engine.names[0]]], self._kind(), int(np.prod(self._shape)))
        outputs = self._engine.runtime.run(batch.reshape(self._shape))
        for name, values in outputs.items():
            assert values.nbytes <= len(memory[self._addresses[name]])
            ctypes.memmove(self._addresses[name], np.ascontiguousarray(values).ctypes.data, values.nbytes)


class Calibrator:
    """As both of TensorRT 10's that are used here behave towards their child."""

    def calibrate(self, names: list[str], cuda: FakeCuda) -> int:
        try:
            kept = self.read_calibration_cache()
            if kept is not None:
                assert kept.startswith(b"TRT-")
                return 0
            seen = 0
            while addresses := self.get_batch(names):
                assert all(address in cuda.allocated for address in addresses)
                seen += self.get_batch_size()
        except Exception:  # the bindings print and go on
            return -1
        if seen:
            self.write_calibration_cache(memoryview(b"TRT-10\ninput: 3c010a14\n"))
        return seen


FORMAT = enumeration("LayerInformationFormat", "ONELINE", "JSON")


def fake(version: str, cuda: FakeCuda, *, dla_cores: int = 0, fast_int8: bool = True) -> ModuleType:
    """The module, version 10 or 11. ``built`` lists the settings of each engine it built."""
    module: Any = ModuleType("tensorrt")
    module.old, module.cuda, module.__version__, module.built = version.startswith("10"), cuda, version, []
    flags = ["GPU_FALLBACK", "TF32", *(("FP16", "BF16", "INT8") if module.old else ())]
    module.BuilderFlag = enumeration("BuilderFlag", *flags)
    module.DeviceType = enumeration("DeviceType", "GPU", "DLA")
    module.MemoryPoolType = enumeration("MemoryPoolType", "WORKSPACE")
    module.NetworkDefinitionCreationFlag = enumeration("Flag", "EXPLICIT_BATCH", "STRONGLY_TYPED")
    module.ProfilingVerbosity = enumeration("ProfilingVerbosity", "LAYER_NAMES_ONLY", "NONE", "DETAILED")
    module.TensorIOMode = enumeration("TensorIOMode", "NONE", "INPUT", "OUTPUT")
    module.DataType = enumeration("DataType", "FLOAT", "HALF", "UINT8")
    adjust = () if module.old else ("ADJUST_FOR_DLA",)
    module.OnnxParserFlag = enumeration("OnnxParserFlag", "NATIVE_INSTANCENORM", *adjust)
    module.LayerInformationFormat = FORMAT
    module.ILogger, module.IProfiler, module.OnnxParser = ILogger, IProfiler, OnnxParser
    module.nptype = lambda kind: {"FLOAT": np.float32, "HALF": np.float16, "UINT8": np.uint8}[kind.name]
    if module.old:
        module.IInt8EntropyCalibrator2 = type("IInt8EntropyCalibrator2", (Calibrator,), {})
        module.IInt8MinMaxCalibrator = type("IInt8MinMaxCalibrator", (Calibrator,), {})
    module.Builder = builder_class(module, dla_cores, fast_int8)
    module.Runtime = runtime_class(module)
    return module


def builder_class(module: Any, dla_cores: int, fast_int8: bool) -> type:
    class Builder:
        num_DLA_cores = dla_cores

        def __init__(self, logger: ILogger) -> None:
            self._logger = logger

        def create_network(self, flags: int = 0) -> Network:
            typed = bool(flags & 1 << int(module.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
            return Network(typed or not module.old)

        def create_builder_config(self) -> Config:
            return Config(module)

        def create_optimization_profile(self) -> Profile:
            return Profile()

        def build_serialized_network(self, network: Network, config: Config) -> bytes | None:
            free = -1 in network.inputs[0].shape
            calibrator = getattr(config, "int8_calibrator", None)
            precisions = config.flags & {"FP16", "BF16", "INT8"}
            on_dla = config.default_device_type == module.DeviceType.DLA
            problem = ""
            if free and not config.profiles:
                problem = "Network has dynamic or shape inputs, but no optimization profile has been defined."
            elif network.typed and precisions:
                problem = "Precision flags are not allowed in a strongly typed network."
            elif on_dla and free and config.profiles[0].shapes[0] != config.profiles[0].shapes[2]:
                problem = "DLA needs static dimensions."
            if problem:
                self._logger.log(ILogger.Severity.ERROR, problem)
                return None
            seen = calibrator.calibrate([network.inputs[0].name], module.cuda) if calibrator else None
            shapes = config.profiles[0].shapes if free else (network.inputs[0].shape,) * 3
            precision = "int8" if "INT8" in precisions else "fp16" if "FP16" in precisions else "fp32"
            about = {
                "flags": sorted(config.flags),
                "typed": network.typed,
                "parsed_with": network.parsed_with,
                "shapes": shapes,
                "dla": on_dla,
                "core": config.DLA_core,
                "precision": precision,
                "calibrated_on": seen,
                "calibrator": type(calibrator).__mro__[1].__name__ if calibrator else None,
                "detailed": config.profiling_verbosity == module.ProfilingVerbosity.DETAILED,
            }
            module.built.append(about)
            return json.dumps(about).encode() + b"\n" + network.content

    if module.old:
        Builder.platform_has_fast_fp16, Builder.platform_has_fast_int8 = True, fast_int8
    return Builder


def runtime_class(module: Any) -> type:
    class Runtime:
        def __init__(self, logger: ILogger) -> None:
            self._logger = logger

        def deserialize_cuda_engine(self, serialized_engine: bytes) -> Engine | None:
            try:
                return Engine(module, serialized_engine)
            except Exception:
                self._logger.log(ILogger.Severity.ERROR, "Engine deserialization failed.")
                return None

    return Runtime
