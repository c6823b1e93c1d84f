"""Find the faces in a picture with a built-in model, and draw them.

python examples/detect.py [FOLDER]
"""

import sys
from pathlib import Path

import cv2

import ligera

PEOPLE = Path(__file__).parent / "people.jpg"


def main(folder: Path) -> None:
    with ligera.load("face-small") as detector:
        faces = detector.detect(PEOPLE)
    print(f"{len(faces)} faces in {PEOPLE.name}")
    pixels = cv2.imread(str(PEOPLE))
    for box, score in zip(faces.boxes, faces.scores, strict=True):
        left, top, right, bottom = (round(float(side)) for side in box)
        print(f"  {left:4d} {top:4d} {right:4d} {bottom:4d}  score {score:.2f}")
        cv2.rectangle(pixels, (left, top), (right, bottom), (80, 220, 80), 2)
    cv2.imwrite(str(folder / "faces.jpg"), pixels)
    print(f"drawn in {folder / 'faces.jpg'}")


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples/detect")
    place.mkdir(parents=True, exist_ok=True)
    main(place)
