"""``ligera cost RUN [--base RUN]``: what a run took, in hours, kilowatt-hours, euros and CO2, and what it saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ligera.commands.terminal import print_json, print_table, say

if TYPE_CHECKING:
    from ligera.meter.cost import Cost
    from ligera.meter.figure import Figure

ROWS = {
    "wall_s": "time",
    "cpu_s": "CPU time",
    "peak_rss_mb": "peak memory",
    "energy_kwh": "energy",
    "euros": "cost",
    "co2_g": "CO2",
}
DEVICE_COLUMNS = {
    "energy_kwh": "energy",
    "power_mean_w": "mean power",
    "memory_mean_mb": "mean memory",
    "memory_peak_mb": "peak memory",
    "utilisation_mean": "busy",
}


def cost(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, such as runs/train/NAME.")],
    *,
    base: Annotated[Path | None, typer.Option(metavar="RUN", help="Run folder to say the savings against.")] = None,
    tariff: Annotated[
        str | None,
        typer.Option(metavar="EUR_PER_KWH|FILE", help="Price, or a YAML or JSON file of prices by hour of day."),
    ] = None,
    co2: Annotated[float | None, typer.Option(metavar="G_PER_KWH", help="CO2 of a kilowatt-hour.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")] = False,
) -> None:
    """Say what a run cost so far, also one that was killed or still runs, and what it saved against another.

    Without --tariff and --co2 those of the run count, for the base as well.
    """
    from ligera.meter.cost import read_cost

    own = read_cost(run, tariff=tariff, co2_g_per_kwh=co2)
    other = None if base is None else read_cost(base, tariff=own.tariff, co2_g_per_kwh=own.co2_g_per_kwh)
    if as_json:
        print_json(_row(own, other))
        return
    _show(own, other)


def _row(own: Cost, base: Cost | None) -> dict[str, object]:
    figures = own.figures
    wall_s = figures["wall_s"].value
    return {
        "hours": None if wall_s is None else wall_s / 3600,
        "kwh": figures["energy_kwh"].value,
        "euros": figures["euros"].value,
        "savings": base and {name: figure.as_dict() for name, figure in own.savings(base).items()},
        **own.as_dict(),
        "base": base and base.as_dict(),
    }


def _show(own: Cost, base: Cost | None) -> None:
    from ligera.meter.cost import co2_words

    _name("run", own)
    if base is not None:
        _name("base", base)
    say()
    _totals(own, base)
    say()
    _phases(own)
    say()
    _devices(own)
    say()
    say(f"tariff {own.tariff}, {co2_words(own.co2_g_per_kwh)}; energy is that of processors and NVIDIA cards alone")
    for cost, name in ((own, "run"), (base, "base")):
        if cost is not None:
            say(f"energy of the {name}: {cost.figures['energy_kwh'].note}")
            for flag in cost.flags:
                say(f"look twice at the {name}: {flag}")


def _name(what: str, cost: Cost) -> None:
    legs = f"{cost.legs} legs" if cost.legs > 1 else "1 leg"
    processes = f", {cost.processes} processes" if cost.processes > 1 else ""
    say(f"{what:5} {cost.where} ({cost.state}, {legs}{processes}; {cost.machine})")


def _totals(own: Cost, base: Cost | None) -> None:
    savings = {} if base is None else own.savings(base)
    rows = []
    for name, label in ROWS.items():
        figure = own.figures[name]
        row = [label, _text(figure)]
        if base is not None:
            row += [_text(base.figures[name]), _percent(savings[name])]
        rows.append([*row, figure.source])
    columns = ("base", "saved") if base is not None else ()
    print_table(("", "run", *columns, "how"), rows)


def _phases(own: Cost) -> None:
    rows = [
        [name, str(figures["wall_s"].n or ""), *(_text(figures[key]) for key in ("wall_s", "cpu_s", "energy_kwh"))]
        for name, figures in own.phases.items()
    ]
    print_table(("phase", "times", "time", "CPU time", "energy"), rows)


def _devices(own: Cost) -> None:
    keys = [key for key in DEVICE_COLUMNS if any(key in figures for figures in own.devices.values())]
    rows = [
        [name, *(_text(figures[key]) if key in figures else "" for key in keys), figures["energy_kwh"].source]
        for name, figures in own.devices.items()
    ]
    print_table(("device", *(DEVICE_COLUMNS[key] for key in keys), "how"), rows)


def _text(figure: Figure) -> str:
    """A figure in the unit that suits its size; ``~`` before estimates."""
    if figure.value is None:
        return "unknown"
    return ("~" if figure.source == "estimated" else "") + _number(figure.value, figure.unit)


def _number(value: float, unit: str) -> str:
    if unit == "s" and value >= 3600:
        return f"{value / 3600:.2f} h"
    if unit == "s":
        return f"{value / 60:.1f} min" if value >= 60 else f"{value:.1f} s"
    if unit == "kWh":
        return f"{value:.4g} kWh" if value >= 0.001 else f"{value * 1000:.3g} Wh"
    if unit == "MB":
        return f"{value:.0f} MB"
    if unit == "W":
        return f"{value:.1f} W"
    if unit == "1":
        return f"{value:.0%}"
    return f"{value:.3g} {unit}"


def _percent(figure: Figure) -> str:
    return "unknown" if figure.value is None else f"{figure.value:.1f} %"
