"""MTCNN weights as facenet-pytorch keeps them (pnet.pt, rnet.pt, onet.pt) -> our three networks.

Theirs come from the original Caffe models through TensorFlow, which leaves two traces that are undone here: before the
first dense layer values stand in the order width, height, channel (ours: channel, height, width), and O-Net gives five
x and then five y (ours: x y five times).
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ligera.errors import MissingExtra, ModelError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ligera.models.mtcnn import ONet, PNet, RNet

__all__ = ["FILES", "mtcnn_from_facenet"]

FILES = ("pnet.pt", "rnet.pt", "onet.pt")
# Their name of each layer -> ours, for P-, R- and O-Net.
_NAMES: tuple[dict[str, str], ...] = (
    {"conv1": "0", "prelu1": "1", "conv2": "3", "prelu2": "4", "conv3": "5", "prelu3": "6"},
    {"conv1": "0", "prelu1": "1", "conv2": "3", "prelu2": "4", "conv3": "6", "prelu3": "7", "dense4": "9"}
    | {"prelu4": "10"},
    {"conv1": "0", "prelu1": "1", "conv2": "3", "prelu2": "4", "conv3": "6", "prelu3": "7", "conv4": "9"}
    | {"prelu4": "10", "dense5": "12", "prelu5": "13"},
)
_HEADS: tuple[dict[str, str], ...] = (
    {"conv4_1": "scores", "conv4_2": "boxes"},
    {"dense5_1": "scores", "dense5_2": "boxes"},
    {"dense6_1": "scores", "dense6_2": "boxes", "dense6_3": "landmarks"},
)
_SPREAD = {"dense4.weight": 3, "dense5.weight": 3}  # cells along the map before the dense layer


def mtcnn_from_facenet(folder: Path) -> tuple[PNet, RNet, ONet]:
    """The networks whose weights lie in ``folder`` as ``pnet.pt``, ``rnet.pt`` and ``onet.pt``, in eval mode.

    Feed them ``(pixel - 127.5) / 128``, RGB. Raises ``ModelError`` for a file that is missing, damaged or another
    network's, ``MissingExtra`` without torch.
    """
    try:
        from ligera.models.mtcnn import ONet, PNet, RNet
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "torch":
            raise
        raise MissingExtra("torch", "train", "reading MTCNN's weights") from None
    nets = (PNet(), RNet(), ONet())
    for place, net in enumerate(nets):
        _fill(net, place, folder / FILES[place])
    return nets


def _fill(net: nn.Module, place: int, path: Path) -> None:
    named = {ours: f"layers.{number}" for ours, number in _NAMES[place].items()} | _HEADS[place]
    stored = _read(path)
    renamed = {}
    for name, values in stored.items():
        layer, _, kind = name.rpartition(".")
        renamed[f"{named.get(layer, layer)}.{kind}"] = _ordered(name, values)
    wanted = net.state_dict()
    for name in sorted({*wanted, *renamed}):
        shapes = [tuple(tensors[name].shape) if name in tensors else None for tensors in (renamed, wanted)]
        if shapes[0] != shapes[1]:
            raise ModelError(f"{path}: is no {type(net).__name__} of MTCNN ({name}: {shapes[0]}, expected {shapes[1]})")
    net.load_state_dict(renamed)
    net.eval()


def _read(path: Path) -> Mapping[str, Tensor]:
    import torch

    if not path.is_file():
        raise ModelError(f"{path}: no such file; give the folder with facenet-pytorch's {', '.join(FILES)}")
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or [""])[0][:120]
        raise ModelError(f"{path}: not a file of weights ({type(error).__name__}: {reason})") from None
    kinds = stored.items() if isinstance(stored, Mapping) else [(None, None)]
    if not all(isinstance(name, str) and isinstance(values, torch.Tensor) for name, values in kinds):
        raise ModelError(f"{path}: not a file of weights (expected names and tensors)")
    return stored


def _ordered(name: str, values: Tensor) -> Tensor:
    """One tensor in our order (see above)."""
    if name in _SPREAD and values.dim() == 2:
        side = _SPREAD[name]
        if values.shape[1] % side**2 == 0:
            return values.reshape(len(values), side, side, -1).permute(0, 3, 2, 1).flatten(1)
    if name.startswith("dense6_3.") and len(values) == 10:
        return values[[0, 5, 1, 6, 2, 7, 3, 8, 4, 9]]
    return values
