"""Who takes part: Ligera's own models, other people's files, and detectors that packages bring.

In: names or bundle files of ours, a folder with ONNX files of others. Out: contenders, and one line for each that is
missing, so that nobody is left out silently.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ligera.deploy.builtin import builtin_names, builtin_path
from ligera.deploy.opening import open_bundle
from ligera.errors import DataError

__all__ = ["Contender", "find_contenders", "weights_bytes"]

# How the usual file names of each maker begin.
KINDS = {"yunet": "yunet", "scrfd": "scrfd", "version-": "ultralight", "retinaface": "retinaface"}
PACKAGES = ("haar", "facenet", "dlib")


@dataclass(frozen=True, slots=True)
class Contender:
    """``model`` as ``Detector.load`` takes it; ``file`` holds its weights, ``None`` where a package does."""

    name: str
    model: str
    file: Path | None


def find_contenders(models: tuple[str, ...], peers: Path | None) -> tuple[list[Contender], list[str]]:
    """Contenders, ours first, and what is missing. No ``models``: every built-in face detector."""
    found, missing = [], []
    for model in models or _builtin_detectors():
        path = Path(model) if model.endswith(".onnx") else builtin_path(model)
        found.append(Contender(path.stem, model, path))
    if peers is None:
        missing.append("other people's detectors: no folder of their ONNX files given (peers=DIR)")
    elif not peers.is_dir():
        raise DataError(f"{peers}: is no folder; give peers= a folder of other people's ONNX files")
    else:
        for path in sorted(file for file in peers.iterdir() if file.is_file()):
            kind = next((kind for start, kind in KINDS.items() if path.name.startswith(start)), None)
            if path.suffix != ".onnx" or kind is None:
                missing.append(f"{path.name}: no kind of detector that can be run")
            else:
                found.append(Contender(path.stem, f"{kind}:{path}", path))
    return found + [Contender(name, name, None) for name in PACKAGES], missing


def weights_bytes(contender: Contender) -> int | None:
    """The file's size, or that of the weights inside the package; ``None`` where they are part of a library."""
    if contender.file is not None:
        return contender.file.stat().st_size
    if contender.model == "haar":
        import cv2

        return (Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml").stat().st_size
    if contender.model == "facenet":
        import facenet_pytorch

        return sum(file.stat().st_size for file in Path(facenet_pytorch.__path__[0]).glob("data/*.pt"))
    return None


def _builtin_detectors() -> list[str]:
    names = []
    for name in builtin_names():
        opened = open_bundle(name, threads=1)
        opened.runtime.close()
        if opened.card.task == "detect-faces":
            names.append(name)
    return names
