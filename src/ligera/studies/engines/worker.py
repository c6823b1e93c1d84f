"""One model in one engine in a process of its own: its stages' times, its score, its layers.

``python -m ligera.studies.engines.worker JSON`` with a :class:`Contender`. Answers lines of standard input, one line of
JSON each: a number with the milliseconds of that many batches by stage (batch in, network, outputs back) and the
seconds of CPU they took; ``score DATA`` with the points on labelled data; ``audit`` with the layers as they ran. An
error is ``{"error": ..., "exit_code": ...}``. A process of its own, as torch and OpenVINO do not always live in one.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from ligera.studies.engines.contenders import Contender

__all__ = ["open_contender", "time_stages"]

STAGES = ("put", "execute", "take")


def open_contender(contender: Contender) -> Any:
    """The contender's runtime, loaded."""
    if contender.engine.runtime != "torch":
        from ligera.deploy.runtimes import open_runtime

        return open_runtime(contender.bundle, runtime=contender.engine.runtime, threads=contender.threads)
    from ligera.deploy.export.reference import TorchReference, detector_network, recognition_network

    if contender.head is None:
        network = detector_network(contender.model, contender.bundle)
    else:
        from ligera.studies.engines.recognizer import BASE_NAME
        from ligera.train.recognition.bases import load_base

        head = np.load(contender.head, allow_pickle=False)
        base = load_base(BASE_NAME, contender.weights, "pooled")
        network = recognition_network(base, head["weight"], head["bias"])
    return TorchReference(network, contender.bundle, threads=contender.threads)


def time_stages(runtime: Any, batch: np.ndarray, runs: int) -> dict[str, Any]:
    """Milliseconds of each stage of ``runs`` batches, and the CPU seconds of all."""
    steps = [runtime.put, runtime.execute, runtime.take]
    times: list[tuple[float, ...]] = []
    cpu_before, clock = time.process_time(), time.perf_counter
    for _ in range(runs):
        first = clock()
        steps[0](batch)
        second = clock()
        steps[1]()
        third = clock()
        steps[2]()
        times.append((second - first, third - second, clock() - third))
    cpu_s = time.process_time() - cpu_before
    columns = (np.array(times) * 1e3).round(5).T.tolist()
    return dict(zip(STAGES, columns, strict=True)) | {"cpu_s": cpu_s}


def _batch(contender: Contender, metadata: Any) -> np.ndarray:
    from ligera.deploy.bundle import card_from_metadata

    kind = card_from_metadata(metadata, str(contender.bundle)).preprocess.dtype
    shape = (contender.batch, 3, contender.height, contender.width)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8).astype(kind)


def _score(runtime: Any, contender: Contender, data: Path) -> dict[str, Any]:
    from ligera.deploy.bundle import card_from_metadata
    from ligera.deploy.classifying.classifier import Classifier
    from ligera.deploy.detector import Detector
    from ligera.deploy.engine import BundleEngine
    from ligera.deploy.opening import OpenedBundle
    from ligera.deploy.scoring.accuracy import evaluate_classifier
    from ligera.deploy.scoring.faces import evaluate

    card = card_from_metadata(runtime.metadata, str(contender.bundle))
    if card.task == "classify":
        classifier = Classifier.of(OpenedBundle(runtime, card), str(contender.bundle), threads=contender.threads)
        scores = evaluate_classifier(classifier, data)
        return {"metric": "accuracy", "points": 100 * float(scores.result.accuracy), "protocol": scores.protocol}
    found: Any = evaluate(Detector(BundleEngine(runtime, card)), data, protocol="ap50")
    share = found.overall.ap50
    return {"metric": "AP50", "points": None if share is None else 100 * share, "protocol": found.protocol}


def _audit(contender: Contender) -> dict[str, Any]:
    if contender.engine.runtime == "torch":
        return {"weighted": {}, "shares": {}}
    from ligera.deploy.layer_audit import audit_layers

    pixels = np.random.default_rng(0).integers(0, 256, (contender.height, contender.width, 3), np.uint8)
    audit = audit_layers(
        str(contender.bundle), pixels, runtime=contender.engine.runtime, threads=contender.threads
    ).as_dict()
    return {name: audit[name] for name in ("weighted", "shares", "time_ms", "layers")}


def main(text: str) -> None:
    contender = Contender.from_json(text)
    runtime = open_contender(contender)
    batch = _batch(contender, runtime.metadata)
    answer({"ready": contender.key, "device": runtime.device, "threads": runtime.threads})
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "score":
            answer(_score(runtime, contender, Path(rest)))
        elif word == "audit":
            answer(_audit(contender))
        else:
            answer(time_stages(runtime, batch, int(word)))


def answer(row: dict[str, Any]) -> None:
    # the protocol between this process and the study, not something a user reads
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    from ligera.errors import LigeraError

    try:
        main(sys.argv[1])
    except LigeraError as error:
        answer({"error": str(error), "exit_code": error.exit_code})
