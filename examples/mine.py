"""Turn annotated pictures into the training crops of MTCNN's first network; run it again and nothing is done twice.

python examples/mine.py [FOLDER]
"""

import sys
from pathlib import Path

from drawn import discs

from ligera.deploy.mining import Mining, settings_for


def main(folder: Path) -> None:
    data = discs(folder / "discs", pictures=4)
    settings = settings_for(12, per_picture=30, seed=0)
    with Mining(data, folder / "crops", settings) as mining:
        for result in mining.propose("sequential", 1):
            print(f"{result.path}: {'went on' if result.resumed else 'looked at'}")
        for _ in mining.cut("sequential", 1):
            pass
        card = mining.finish()
    print(", ".join(f"{count} {kind}" for kind, count in card["counts"].items()))


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples/mine")
    place.mkdir(parents=True, exist_ok=True)
    main(place)
