"""Make an int8 version of a bundle from a few pictures, and see what it saves and finds.

python examples/precision.py [FOLDER]

With labelled pictures as `gate_data` nothing is written that loses more than `max_drop` points.
"""

import sys
from pathlib import Path

import cv2

import ligera
from ligera.deploy.quantization.converting import ConversionPlan, convert

PEOPLE = Path(__file__).parent / "people.jpg"


def main(folder: Path) -> None:
    calibration = folder / "calibration"
    calibration.mkdir(exist_ok=True)
    pixels = cv2.imread(str(PEOPLE))
    for number, side in enumerate((160, 240, 320)):
        cv2.imwrite(str(calibration / f"{number}.png"), cv2.resize(pixels, (side, side)))
    done = convert("face-small", folder / "small-int8.onnx", ConversionPlan("int8", calibrate=calibration, pictures=3))
    print(f"{done.source_bytes / 1e3:.0f} kB in fp32, {done.size_bytes / 1e3:.0f} kB in int8")
    for model in ("face-small", str(done.path)):
        with ligera.load(model) as detector:
            print(f"{len(detector.detect(PEOPLE))} faces by {model}")


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples/precision")
    place.mkdir(parents=True, exist_ok=True)
    main(place)
