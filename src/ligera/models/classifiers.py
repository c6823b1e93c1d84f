"""Classifiers by name: ours, or any network of timm, with random weights or those of a file at hand.

In: a name, a number of classes, and a weights file (safetensors or ``.pth``) where training starts from one. Out: a
torch module that takes ``(B, 3, H, W)`` float pictures to logits ``(B, classes)``. Nothing is ever downloaded. torch
and timm are imported only where a network is built.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ligera.errors import MissingExtra, ModelError, UsageError, nearest

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["CLASSIFIERS", "ClassifierSummary", "build_classifier", "summarize_classifier"]

CLASSIFIERS: dict[str, dict[str, Any]] = {
    "conv14": {"batch_norm": True},
    "conv14-plain": {"batch_norm": False},
}
"""Our networks and how each is built. ``conv14-plain`` is paper D's table to the letter, without batch norm."""

# Where trainers put the weights within a checkpoint, and what their wrappers put before each name.
_NESTED = ("state_dict", "model", "state_dict_ema", "model_ema")
_PREFIXES = ("module.", "_orig_mod.")


@dataclass(frozen=True, slots=True)
class ClassifierSummary:
    """``parameters`` counts every trained number; ``macs`` the multiply-adds for one picture of ``side_px`` squared.

    Counted are convolutions, linear layers and attention, not additions, norms and activations.
    """

    parameters: int
    macs: int
    side_px: int


def build_classifier(name: str, classes: int, pretrained_path: str | Path | None = None) -> nn.Module:
    """The network called ``name`` for ``classes`` classes, in training mode.

    ``pretrained_path`` is a file with its weights; a last layer for another number of classes is left random. Raises
    ``UsageError`` for an unknown name or under two classes, ``ModelError`` for a file that is missing, damaged or of
    another network, ``MissingExtra`` where torch or timm is not installed.
    """
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 2:
        raise UsageError(f"classes: expected a whole number of 2 or more, got {classes!r}")
    net, head = _ours(name, classes) if name in CLASSIFIERS else _timm(name, classes)
    if pretrained_path is not None:
        _load(net, head, name, str(pretrained_path))
    return net


def summarize_classifier(name: str, classes: int, side_px: int) -> ClassifierSummary:
    """Count a network without allocating weights; ``UsageError`` also where it cannot take pictures of that side."""
    torch = _torch()
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        net = build_classifier(name, classes).eval()
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            net(torch.empty(1, 3, side_px, side_px, device="meta"))
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = (str(error).splitlines() or [""])[0][:120]
        raise UsageError(f"{name} cannot take pictures of {side_px} x {side_px} px ({reason})") from None
    parameters = sum(parameter.numel() for parameter in net.parameters())
    return ClassifierSummary(parameters, counter.get_total_flops() // 2, side_px)


def _torch() -> Any:
    try:
        import torch
    except ModuleNotFoundError:
        raise MissingExtra("torch", "train", "building a network") from None
    return torch


def _ours(name: str, classes: int) -> tuple[nn.Module, tuple[str, ...]]:
    _torch()
    from ligera.models.conv14 import Conv14

    return Conv14(classes, **CLASSIFIERS[name]), ("head",)


def _timm(name: str, classes: int) -> tuple[nn.Module, tuple[str, ...]]:
    """A network of timm and the names of its last layers."""
    _torch()
    try:
        import timm
    except ModuleNotFoundError:
        raise MissingExtra("timm", "train", f"the network {name!r}, which is none of Ligera's own,") from None
    known = timm.list_models()
    # Also keeps "hf-hub:..." away from timm, which would fetch it.
    if name.partition(".")[0] not in known:
        hint = nearest(name, (*CLASSIFIERS, *known))
        raise UsageError(
            f"no classifier is called {name!r}{hint}; known: {', '.join(CLASSIFIERS)} and {len(known):,} names of timm"
        )
    try:
        net = timm.create_model(name, pretrained=False, num_classes=classes)
    except Exception as error:
        # each of timm's builders checks its arguments in its own way
        reason = (str(error).splitlines() or [""])[0][:120]
        raise UsageError(f"timm cannot build {name!r} for {classes:,} classes ({reason})") from None
    head = net.pretrained_cfg.get("classifier") or ()
    return net, (head,) if isinstance(head, str) else tuple(head)


def _load(net: nn.Module, head: tuple[str, ...], name: str, path: str) -> None:
    """Fill ``net`` with the weights at ``path``, all but a head that is not there or of another size."""
    theirs, ours = _without_wrappers(_read(path)), net.state_dict()
    for key in ours:
        if key.startswith(tuple(f"{layer}." for layer in head)):
            kept = theirs.get(key)
            theirs[key] = ours[key] if kept is None or kept.shape != ours[key].shape else kept
    differ = [
        key
        for key in sorted(ours.keys() | theirs.keys())
        if key not in ours or key not in theirs or ours[key].shape != theirs[key].shape
    ]
    if differ:
        raise ModelError(
            f"{path}: its weights are not those of {name}: {len(differ):,} of {len(ours.keys() | theirs.keys()):,} "
            f"tensors differ, {differ[0]!r} first"
        )
    net.load_state_dict(theirs)


def _read(path: str) -> Mapping[str, Any]:
    """What the file holds, read without running code."""
    file = Path(path)
    try:
        there = file.is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        raise ModelError(
            f"{path}: no such weights file; Ligera downloads none, so fetch it yourself and give the path of a "
            ".safetensors or .pth file"
        )
    try:
        return _reader(file)()
    except ModelError:
        raise
    except Exception as error:
        # both packages raise their own kinds for a damaged file
        reason = (str(error).splitlines() or [""])[0][:80]
        raise ModelError(f"{path}: cannot be read as weights alone ({type(error).__name__}: {reason})") from None


def _reader(file: Path) -> Callable[[], Mapping[str, Any]]:
    if file.suffix.lower() != ".safetensors":
        return functools.partial(_torch().load, file, map_location="cpu", weights_only=True)
    try:
        from safetensors.torch import load_file
    except ModuleNotFoundError:
        raise MissingExtra("safetensors", "train", "reading a .safetensors file") from None
    return functools.partial(load_file, file)


def _without_wrappers(stored: Any) -> dict[str, Tensor]:
    """The tensors of a checkpoint by the names that the network itself gives them."""
    if isinstance(stored, Mapping):
        stored = next((stored[key] for key in _NESTED if isinstance(stored.get(key), Mapping)), stored)
    tensors = dict(stored) if isinstance(stored, Mapping) else {}
    for prefix in _PREFIXES:
        if tensors and all(str(key).startswith(prefix) for key in tensors):
            tensors = {str(key).removeprefix(prefix): value for key, value in tensors.items()}
    return {str(key): value for key, value in tensors.items() if hasattr(value, "shape")}
