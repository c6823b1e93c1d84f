"""NVIDIA cards as their driver tells of them (NVML): memory, utilisation, power, and the energy counter.

In: the module ``pynvml`` of nvidia-ml-py (extra ``energy``), imported here and nowhere else; anything with its
functions may stand in for it. Out: readings in MB, shares of 1, W and J; ``None`` for each that a card does not give.
NVML reports mW, and mJ since the driver was loaded, the latter from Volta on; from Ampere on (GA100 apart) its power is
an average over the last second (NVML API reference, nvmlDeviceGetPowerUsage, nvmlDeviceGetTotalEnergyConsumption).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ligera.errors import UsageError

__all__ = ["Card", "CardReading", "Cards", "Gpu", "list_gpus", "load_nvml"]

# What the driver leaves behind, also where nvidia-ml-py is missing: Linux, WSL, Jetson.
TRACES = ("/dev/nvidiactl", "/usr/lib/wsl/lib/libnvidia-ml.so.1", "/dev/nvhost-gpu")


@dataclass(frozen=True, slots=True)
class Gpu:
    """One NVIDIA card."""

    name: str
    memory_mb: float
    driver: str


@dataclass(frozen=True, slots=True)
class Card:
    """A card that is metered; ``uuid`` is the same in every process and on no other machine."""

    uuid: str
    name: str
    handle: Any


@dataclass(frozen=True, slots=True)
class CardReading:
    """One look at a card: draw (W), counter (J), memory in use by anyone (MB), share of time it was busy (0 to 1)."""

    watts: float | None
    joules: float | None
    memory_mb: float | None
    utilisation: float | None


def load_nvml() -> Any | None:
    """The module, or ``None`` where the extra ``energy`` is not installed."""
    try:
        import pynvml
    except ModuleNotFoundError:
        return None
    return pynvml


class Cards:
    """The cards that a run is charged for; ``trouble`` says why the energy of cards that are there is not known.

    ``chosen`` are UUIDs (or their beginnings) or numbers in NVML's order; ``None`` stands for those that
    ``CUDA_VISIBLE_DEVICES`` leaves visible, used or not. Raises ``UsageError`` for a chosen one that is not there.
    """

    def __init__(
        self,
        nvml: Any | None,
        chosen: Sequence[str | int] | None = None,
        environment: Mapping[str, str] | None = None,
        traces: Sequence[str] = TRACES,
    ) -> None:
        self._nvml = nvml
        self._open = False
        self.cards: tuple[Card, ...] = ()
        self.trouble: str | None = None
        self.notes: tuple[str, ...] = ()
        visible = (os.environ if environment is None else environment).get("CUDA_VISIBLE_DEVICES")
        wanted = chosen if chosen is not None else None if visible is None else _visible(visible)
        if wanted is not None and not wanted:
            return
        present = any(Path(trace).exists() for trace in traces)
        if nvml is None:
            if present or chosen:
                self.trouble = "nvidia-ml-py is not installed; run: pip install 'ligera[energy]'"
            return
        try:
            nvml.nvmlInit()
        except nvml.NVMLError as error:
            if present or chosen:
                self.trouble = f"NVML does not start: {error}"
            return
        self._open = True
        try:
            self._choose(wanted, strict=chosen is not None)
        except BaseException:
            self.close()
            raise

    def _choose(self, wanted: Sequence[str | int] | None, *, strict: bool) -> None:
        try:
            found = [self._card(i) for i in range(self._nvml.nvmlDeviceGetCount())]
        except self._nvml.NVMLError as error:
            self.trouble = f"NVML does not list the cards: {error}"
            return
        if wanted is None:
            self.cards = tuple(found)
            return
        cards: list[Card] = []
        for name in wanted:
            match = _match(found, name)
            if match is None and strict:
                names = ", ".join(card.uuid for card in found) or "none"
                raise UsageError(f"no NVIDIA card is {name!r}; there are: {names}")
            if match is None:
                # CUDA itself ignores this entry and those behind it; a slice of a card (MIG) has no energy of its own
                if str(name).startswith("MIG-"):
                    self.trouble = "the energy of a slice of a card (MIG) cannot be told from that of the card"
                break
            cards.append(match)
        self.cards = tuple({card.uuid: card for card in cards}.values())
        by_number = any(isinstance(name, int) for name in wanted)
        if by_number and not strict and len({card.name for card in found}) > 1:
            self.notes = ("cards of several kinds: CUDA may number them in another order than CUDA_VISIBLE_DEVICES",)

    def _card(self, index: int) -> Card:
        handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
        return Card(_text(self._nvml.nvmlDeviceGetUUID(handle)), _text(self._nvml.nvmlDeviceGetName(handle)), handle)

    def read(self) -> tuple[CardReading, ...]:
        """One reading for each of ``cards``; a card that no longer answers reads ``None`` throughout."""
        return tuple(self._reading(card.handle) for card in self.cards)

    def _reading(self, handle: Any) -> CardReading:
        nvml = self._nvml
        return CardReading(
            watts=self._value(lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1e3),
            joules=self._value(lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3),
            memory_mb=self._value(lambda: nvml.nvmlDeviceGetMemoryInfo(handle).used / 1e6),
            utilisation=self._value(lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100),
        )

    def _value(self, ask: Callable[[], float]) -> float | None:
        try:
            return ask()
        except (self._nvml.NVMLError, AttributeError):
            # not supported by the card, lost, or unknown to an old nvidia-ml-py
            return None

    def close(self) -> None:
        if self._open:
            self._open = False
            try:
                self._nvml.nvmlShutdown()
            except self._nvml.NVMLError:
                return


def list_gpus() -> tuple[Gpu, ...] | None:
    """NVIDIA's cards; ``None`` without nvidia-ml-py, empty where it finds no driver."""
    nvml = load_nvml()
    if nvml is None:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return ()
    try:
        driver = _text(nvml.nvmlSystemGetDriverVersion())
        handles = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
        return tuple(
            Gpu(_text(nvml.nvmlDeviceGetName(h)), nvml.nvmlDeviceGetMemoryInfo(h).total / 1e6, driver) for h in handles
        )
    except nvml.NVMLError:
        return None
    finally:
        nvml.nvmlShutdown()


def _visible(text: str) -> list[str | int]:
    """``0,2`` or ``GPU-...,GPU-...`` as CUDA reads it: the first entry that is neither ends the list."""
    wanted: list[str | int] = []
    for entry in (part.strip() for part in text.split(",")):
        if entry.isdecimal():
            wanted.append(int(entry))
        elif entry.startswith(("GPU-", "MIG-")):
            wanted.append(entry)
        else:
            break
    return wanted


def _match(cards: Sequence[Card], name: str | int) -> Card | None:
    if isinstance(name, int):
        return cards[name] if 0 <= name < len(cards) else None
    # torch gives UUIDs without their prefix
    plain = name.removeprefix("GPU-")
    matches = [card for card in cards if plain and card.uuid.removeprefix("GPU-").startswith(plain)]
    return matches[0] if len(matches) == 1 else None


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
