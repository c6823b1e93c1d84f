"""Detectors that others made, behind the same ``Detections``: to compare on the same pictures, or to use.

Each is one file here and is opened as ``KIND:FILE``, for example ``yunet:face_detection_yunet.onnx``. Ligera brings
none of their weights: the file comes from its user, and so does its licence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ligera.deploy.engine import Engine
from ligera.errors import ModelError

__all__ = ["PEERS", "Peer", "open_peer", "split_peer"]


@dataclass(frozen=True, slots=True)
class Peer:
    """How one kind is opened. ``file`` says which file it takes; ``needs_file`` is false where the package has one."""

    open: Callable[[Path | None, int | None], Engine]
    summary: str
    file: str
    needs_file: bool = True


def _yunet(path: Path | None, threads: int | None) -> Engine:
    from ligera.deploy.peers.yunet import YuNet

    return YuNet.load(path, threads=threads)


def _scrfd(path: Path | None, threads: int | None) -> Engine:
    from ligera.deploy.peers.scrfd import Scrfd

    return Scrfd.load(path, threads=threads)


def _ultralight(path: Path | None, threads: int | None) -> Engine:
    from ligera.deploy.peers.ultralight import UltraLight

    return UltraLight.load(path, threads=threads)


def _retinaface(path: Path | None, threads: int | None) -> Engine:
    from ligera.deploy.peers.retinaface import RetinaFacePeer

    return RetinaFacePeer.load(path, threads=threads)


def _haar(path: Path | None, threads: int | None) -> Engine:
    from ligera.deploy.peers.haar import Haar

    return Haar.load(path)


def _dlib(path: Path | None, threads: int | None) -> Engine:
    from ligera.deploy.peers.dlib_hog import DlibHog

    return DlibHog.load()


def _facenet(path: Path | None, threads: int | None) -> Engine:
    from ligera.deploy.peers.facenet import Mtcnn

    return Mtcnn.load()


PEERS: dict[str, Peer] = {
    "yunet": Peer(_yunet, "YuNet (libfacedetection)", "an ONNX with outputs cls_8 ... kps_32"),
    "scrfd": Peer(_scrfd, "SCRFD with key points (InsightFace)", "an ONNX with outputs score_8 ... kps_32"),
    "ultralight": Peer(_ultralight, "Ultra-Light-Fast-Generic-Face-Detector", "an ONNX of fixed size, RFB or slim"),
    "retinaface": Peer(_retinaface, "RetinaFace mobilenet0.25", "an ONNX whose outputs have 4, 2, 10 columns"),
    "haar": Peer(_haar, "Viola and Jones cascade (OpenCV)", "a cascade XML, or none", needs_file=False),
    "dlib": Peer(_dlib, "HOG and linear classifier (dlib)", "none", needs_file=False),
    "facenet": Peer(_facenet, "MTCNN (facenet-pytorch)", "none", needs_file=False),
}


def split_peer(model: str) -> tuple[str, Path | None] | None:
    """``KIND:FILE`` or a bare ``KIND`` -> the kind and its file; ``None`` for anything else, such as a path."""
    kind, colon, file = model.partition(":")
    if kind not in PEERS:
        return None
    return kind, Path(file) if colon and file else None


def open_peer(kind: str, path: Path | None, *, threads: int | None = None) -> Engine:
    """The detector of that kind. Raises ``ModelError`` without its file, ``MissingExtra`` without its package."""
    peer = PEERS[kind]
    if path is None and peer.needs_file:
        raise ModelError(f"{kind}: expected its file, as in --model {kind}:FILE ({peer.file})")
    if path is not None and peer.file == "none":
        raise ModelError(f"{kind}: takes no file, its package brings one; use --model {kind}")
    return peer.open(path, threads)
