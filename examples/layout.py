"""Find staves, lyrics and drop capitals on a page of music with the built-in layout model.

python examples/layout.py [FOLDER]

The model was trained on 30 pages of one manuscript; a page drawn by a program is not one of those. To put regions into
PAGE XML for other tools: ligera detect page.png --model layout --out DIR --page-xml
"""

import sys
from collections import Counter
from pathlib import Path

from drawn import page

import ligera


def main(folder: Path) -> None:
    picture = page(folder / "page.png")
    with ligera.load("layout") as detector:
        found = detector.detect(picture, score=0.3)
    counts = Counter(row["label"] for row in found.rows())
    print(", ".join(f"{count} {name}" for name, count in counts.items()) or "no region")
    for row in found.rows()[:3]:
        print(f"  {row['label']} {row['score']:.2f}, outline of {sum(map(len, row['polygon']))} points")


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples/layout")
    place.mkdir(parents=True, exist_ok=True)
    main(place)
