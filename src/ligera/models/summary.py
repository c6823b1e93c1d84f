"""What a detector costs before it is trained: parameters, multiply-adds, receptive field."""

from __future__ import annotations

from dataclasses import dataclass

from ligera.errors import MissingExtra
from ligera.models.catalogue import build, find
from ligera.models.receptive import receptive_field_px
from ligera.models.specs import DetectorSpec

__all__ = ["Summary", "summarize"]


@dataclass(frozen=True, slots=True)
class Summary:
    """``macs`` are multiply-adds of the convolutions for one picture of ``input_size`` (height, width) px.

    ``parameters`` counts every trained number, batch norm included; ``priors`` the rows of the raw outputs;
    ``receptive_field_px`` the side seen by one cell of each pyramid level, finest first.
    """

    parameters: int
    macs: int
    priors: int
    receptive_field_px: tuple[int, ...]
    input_size: tuple[int, int]


def summarize(model: str | DetectorSpec, input_size: tuple[int, int] = (320, 320)) -> Summary:
    """Count a catalogue net or a spec, without allocating weights; sides are multiples of 32 px (``ValueError``)."""
    try:
        import torch
    except ModuleNotFoundError:
        raise MissingExtra("torch", "train", "counting a network") from None

    spec = find(model) if isinstance(model, str) else model
    macs = 0

    def count(conv: torch.nn.Conv2d, _inputs: object, output: torch.Tensor) -> None:
        nonlocal macs
        macs += output[0].numel() * conv.weight[0].numel()

    with torch.device("meta"), torch.no_grad():
        net = build(spec).eval()
        for module in net.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.register_forward_hook(count)
        raw = net(torch.empty(1, 3, *input_size))
    parameters = sum(p.numel() for p in net.parameters())
    return Summary(parameters, macs, raw.boxes.shape[1], receptive_field_px(spec), tuple(input_size))
