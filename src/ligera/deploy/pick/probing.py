"""What a model file is, told by opening it: in a process of its own, so that a damaged one takes nothing along."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from ligera.deploy.builtin import builtin_names, builtin_path
from ligera.deploy.peers import PEERS, split_peer
from ligera.deploy.pick.candidates import ModelFacts
from ligera.deploy.pick.process import WorkerProcess
from ligera.deploy.pick.worker import WorkerJob
from ligera.deploy.quantization.record import precision_from_metadata
from ligera.errors import LigeraError, UsageError

__all__ = ["expect_some", "facts_of", "model_file", "probe"]

# Where a detector's weights come with a package, the package's version stands for them.
PACKAGES = {"haar": "opencv-python-headless", "dlib": "dlib-bin", "mtcnn": "facenet-pytorch"}


def probe(task_name: str, task: str, models: Sequence[str], builtin: bool) -> tuple[list[ModelFacts], dict[str, str]]:
    """What is known of every model that fits ``task``, and why others were left out, by name.

    Built-in models of another task are passed over in silence; of those that the user named, the reason is given.
    """
    named = list(dict.fromkeys(models))
    found: list[ModelFacts] = []
    left_out: dict[str, str] = {}
    own = [name for name in builtin_names() if builtin and name not in named]
    process: WorkerProcess | None = None
    try:
        for model in [*own, *named]:
            if process is not None and not process.alive:
                process.close()
                process = None
            process = process or WorkerProcess(WorkerJob(task_name), threads=1)
            try:
                facts = _facts(process, model)
            except LigeraError as error:
                left_out[model] = str(error)
                continue
            if facts.task != task:
                if model in named:
                    left_out[model] = f"{model}: is made for {facts.task}, not for {task}"
            elif any(facts.sha256 == other.sha256 for other in found):
                left_out[model] = f"{model}: is the same file as another candidate"
            else:
                found.append(facts)
    finally:
        if process is not None:
            process.close()
    return _apart(found), left_out


def _facts(process: WorkerProcess, model: str) -> ModelFacts:
    answer = process.ask("open", model=model, threads=1, runtime="onnxruntime", about=model)
    process.ask("close", about=model)
    sha256, size_bytes = _identity(model)
    facts = ModelFacts(model=model, sha256=sha256, size_bytes=size_bytes, **answer)
    return replace(facts, name=_name(model), labels=tuple(facts.labels))


def _identity(model: str) -> tuple[str, int | None]:
    path = model_file(model)
    if path is not None:
        content = path.read_bytes()
        return hashlib.sha256(content).hexdigest(), len(content)
    kind = model.partition(":")[0]
    try:
        version = metadata.version(PACKAGES.get(kind, kind))
    except metadata.PackageNotFoundError:
        version = "unknown"
    return f"{kind} {version}", None


def model_file(model: str) -> Path | None:
    """The file of ``model``, a built-in name, a path or ``KIND:FILE``; ``None`` where a package brings the weights."""
    peer = split_peer(model)
    if peer is not None:
        return peer[1]
    return builtin_path(model) if model in builtin_names() and not Path(model).is_file() else Path(model)


def _name(model: str) -> str:
    """``yunet:/long/way/face.onnx`` -> ``yunet:face``."""
    kind, colon, file = model.rpartition(":") if model.partition(":")[0] in PEERS else ("", "", model)
    return f"{kind}{colon}{Path(file).stem}" if file.endswith((".onnx", ".xml")) else model


def _apart(found: list[ModelFacts]) -> list[ModelFacts]:
    """Different files of one name get their folder's beside it."""
    names = [facts.name for facts in found]
    return [
        replace(facts, name=f"{Path(facts.model).parent.name}/{facts.name}") if names.count(facts.name) > 1 else facts
        for facts in found
    ]


def facts_of(model: Any) -> dict[str, Any]:
    """What an open detector or classifier says of itself: the fields of :class:`ModelFacts` but those of its file."""
    engine = getattr(model, "engine", model)
    card = getattr(engine, "card", None)
    if card is None:
        fixed = _graph_sides(engine.runtime)
        return {"name": model.name, "task": model.task, "fixed": fixed, "choice_of_runtime": False}
    record = precision_from_metadata(engine.runtime.metadata, card.name)
    return {
        "name": card.name,
        "task": card.task,
        "precision": card.precision,
        "graph_sha256": card.graph_sha256,
        "source_sha256": "" if record is None else record.source_sha256,
        "fixed": card.preprocess.fixed is not None,
        "own_side_px": card.preprocess.max_side,
        "labels": list(card.labels),
        "licence": card.licence,
    }


def _graph_sides(runtime: Any) -> bool:
    """Whether the network's file leaves no choice of size; it has three channels wherever they stand."""
    if runtime is None:
        return False
    sides = [side for side in runtime.input_shape[1:] if side != 3]
    return len(sides) == 2 and all(sides)


def expect_some(found: Sequence[ModelFacts], left_out: dict[str, str], task_name: str) -> None:
    """Raise ``UsageError`` that says why where no model is left."""
    if found:
        return
    reason = f" ({'; '.join(left_out.values())})" if left_out else ""
    raise UsageError(f"no model to pick {task_name} from{reason}; give some with --model")
