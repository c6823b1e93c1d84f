"""What a piece of work costs: seconds, memory, energy, euros and CO2, each measured, estimated or unknown.

python examples/cost.py [FOLDER]
"""

import sys
from pathlib import Path

import numpy as np

from ligera.meter import Meter, read_cost


def main(folder: Path) -> None:
    with Meter(folder / "cost.json", tariff=0.30, interval_s=0.2, gpus=()) as meter, meter.phase("multiply"):
        matrix = np.random.default_rng(0).random((300, 300))
        for _ in range(200):
            matrix = matrix @ matrix / 100
            matrix /= matrix.max()
    for name, figure in read_cost(folder).figures.items():
        value = "unknown" if figure.value is None else f"{figure.value:.3g} {figure.unit}"
        print(f"{name:16} {value:14} {figure.source}")


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples/cost")
    place.mkdir(parents=True, exist_ok=True)
    main(place)
