"""Learn to tell one person from others by a few photos, and ask whose face a new photo shows.

python examples/enroll.py [FOLDER]

The photos are two portraits of examples/people.jpg, varied, the second also pulled into other shapes for want of other
people. A real set has twenty photos of a person or more, and hundreds of others; with ImageNet weights as `weights` it
is far better: see `ligera enroll --help`.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

import ligera
from ligera.deploy.enrolling.enroll import EnrollOptions, enroll

PEOPLE = Path(__file__).parent / "people.jpg"


def photos(folder: Path, portrait: np.ndarray, count: int, seed: int) -> None:
    """``portrait`` in other light and shade, tilted, at other places."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(seed)
    height, width = portrait.shape[:2]
    for number in range(count):
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), draw.uniform(-12, 12), draw.uniform(0.8, 1.1))
        turn[:, 2] += draw.uniform(-12, 12, 2)
        varied = cv2.warpAffine(portrait, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
        shade = cv2.resize(draw.uniform(0.3, 1.3, (3, 3)), (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
        varied = varied * shade + draw.normal(0, 10, varied.shape) + draw.uniform(-30, 30)
        cv2.imwrite(str(folder / f"photo_{number:03d}.jpg"), np.clip(varied, 0, 255).astype(np.uint8))


def main(folder: Path) -> None:
    pixels = cv2.imread(str(PEOPLE))
    with ligera.load("face") as detector:
        found = detector.detect(PEOPLE)
    # the two largest faces of the collage, one of each person
    boxes = sorted(found.boxes, key=lambda box: -(box[2] - box[0]))[:2]
    portraits = []
    for left, top, right, bottom in boxes:
        side, x, y = 1.1 * (right - left), (left + right) / 2, (top + bottom) / 2
        rows, columns = (slice(max(0, int(middle - side)), int(middle + side)) for middle in (y, x))
        portraits.append(cv2.resize(pixels[rows, columns], (160, 160)))
    photos(folder / "one", portraits[0], 16, 0)
    for number, stretch in enumerate((0.8, 0.9, 1.0, 1.15, 1.3)):
        pulled = cv2.resize(portraits[1], None, fx=stretch, fy=1.0)
        photos(folder / "others" / f"somebody-{number}", pulled, 4, 1 + number)
    report = enroll(
        "one",
        folder / "one",
        folder / "others",
        folder / "one.onnx",
        EnrollOptions(side_px=64, variations=1, other_variations=0, threads=1),
    )
    print(f"{report.path.name} knows {', '.join(report.labels)}; its ROC curves: {report.roc.name}")
    print(f"test: {report.test.accuracy.value:.2f} of {report.test.accuracy.total} right")
    for note in report.notes:
        print(f"note: {note}")


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples/enroll")
    place.mkdir(parents=True, exist_ok=True)
    main(place)
