"""Score a detector on labelled pictures: average precision with its interval, by source and by size of the face.

python examples/evaluate.py [FOLDER]

The labels here are what the larger built-in model finds, so that the score says how far the smaller one agrees with it.
"""

import sys
from pathlib import Path

import ligera
from ligera.deploy.scoring.faces import evaluate

PEOPLE = Path(__file__).parent / "people.jpg"


def main(folder: Path) -> None:
    (folder / "images" / "people").mkdir(parents=True, exist_ok=True)
    (folder / "images" / "people" / PEOPLE.name).write_bytes(PEOPLE.read_bytes())
    lines = [f"# people/{PEOPLE.name}"]
    with ligera.load("face") as teacher:
        for left, top, right, bottom in teacher.detect(PEOPLE).boxes:
            points = " ".join(["-1 -1 -1"] * 5)
            lines.append(f"{left:.1f} {top:.1f} {right - left:.1f} {bottom - top:.1f} {points} 1.0")
    (folder / "label.txt").write_text("\n".join(lines) + "\n")
    with ligera.load("face-small") as detector:
        scores = evaluate(detector, folder).as_dict()
    print(f"{len(lines) - 1} faces; protocol: {scores['protocol']}")
    print(f"AP50 {scores['ap50']:.3f}")


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples/evaluate")
    place.mkdir(parents=True, exist_ok=True)
    main(place)
