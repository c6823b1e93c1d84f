"""Train a small face detector on labelled pictures, put it into one ONNX file, and find faces with that alone.

python examples/train_faces.py [FOLDER]

Seconds of discs make no face detector: for one that finds people, point `data` at RetinaFace labels of photos and
give it hours (see recipes/face-small.yaml, or `ligera train`).
"""

import sys
from pathlib import Path

from drawn import discs

import ligera
from ligera.deploy.export.checkpoints import export_run
from ligera.train.faces.recipe import FacesRecipe
from ligera.train.run import start


def main(folder: Path) -> None:
    data = discs(folder / "discs")
    recipe = FacesRecipe.model_validate(
        {
            "name": "discs",
            "model": "face-small",
            "data": [{"path": str(data)}],
            "validation": str(data),
            "side_px": 96,
            "batch": 4,
            "epochs": 6,
            "samples_per_epoch": 48,
            "evaluate_every": 6,
            "learning_rate": 3e-3,
            "warmup_steps": 4,
            "ema_decay": 0.9,
            "threads": 1,
            "workers": 0,
        }
    )
    run = start(recipe, folder)
    print(f"trained {run.folder}: AP50 {run.metrics['ap50']:.3f}, {run.cost['figures']['wall_s']['value']:.0f} s")
    export_run(run.folder, folder / "discs.onnx", name="discs", training_data="drawn discs")
    with ligera.load(str(folder / "discs.onnx")) as detector:
        found = detector.detect(data / "images" / "discs" / "0.png", score=0.1)
    print(f"discs.onnx finds {len(found)} in a picture of 2")


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples/train_faces")
    place.mkdir(parents=True, exist_ok=True)
    main(place)
