"""The package ``onnx``, which the light install is without: imported in this one place."""

from __future__ import annotations

from typing import Any

from ligera.errors import MissingExtra

__all__ = ["load_onnx"]


def load_onnx(purpose: str = "changing a bundle's precision") -> Any:
    """The package ``onnx``; ``MissingExtra`` that names the ``purpose`` without it."""
    try:
        import onnx
    except ModuleNotFoundError:
        raise MissingExtra("onnx", "train", purpose) from None
    return onnx
