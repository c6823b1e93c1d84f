"""``ligera doctor``: what works here, and what to install for what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ligera.commands.terminal import print_json, say

if TYPE_CHECKING:
    from ligera.deploy.doctor import Diagnosis
    from ligera.meter.hardware import Hardware


def doctor(as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False) -> None:
    """Say what is installed, what hardware and runtimes were found, and what is missing for what."""
    from ligera.deploy.doctor import diagnose

    found = diagnose()
    if as_json:
        print_json(found.as_dict())
        return
    _show(found)


def _show(found: Diagnosis) -> None:
    say(f"ligera     {found.version}, Python {found.python}")
    say("packages   " + ", ".join(f"{name} {version or 'MISSING'}" for name, version in found.packages.items()))
    for line in _hardware(found.hardware):
        say(line)
    for number, source in enumerate(found.power):
        say(f"{'energy' if number == 0 else '':10} {'yes' if source.works else 'no':3} {source.name}: {source.detail}")
    say(f"runtimes   onnxruntime ({', '.join(found.providers)})")
    say(f"built in   {', '.join(found.builtin_models) or 'no models in this installation'}")
    say()
    for extra in found.extras:
        if not extra.missing:
            say(f"yes  {extra.name:9} {extra.purpose}")
        else:
            say(f"no   {extra.name:9} {extra.purpose}: pip install 'ligera[{extra.name}]' ({', '.join(extra.missing)})")


def _hardware(hardware: Hardware) -> list[str]:
    memory = "memory unknown" if hardware.memory_mb is None else f"{hardware.memory_mb / 1000:.1f} GB memory"
    lines = [
        f"hardware   {hardware.processor} ({hardware.architecture}), "
        f"{hardware.usable_cores} of {hardware.cores} cores usable, {memory}",
        f"system     {hardware.system}",
    ]
    if hardware.gpus is None:
        lines.append("graphics   unknown (nvidia-ml-py is not installed)")
    elif not hardware.gpus:
        lines.append("graphics   no NVIDIA card or driver found")
    else:
        cards = (f"{gpu.name}, {gpu.memory_mb / 1000:.1f} GB, driver {gpu.driver}" for gpu in hardware.gpus)
        lines.append("graphics   " + "; ".join(cards))
    return lines
