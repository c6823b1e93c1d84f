"""Train a classifier on a folder per class, put it into one ONNX file, and classify with that alone.

python examples/classify.py [FOLDER]
"""

import sys
from pathlib import Path

from drawn import colours

import ligera
from ligera.deploy.export.checkpoints import export_run
from ligera.deploy.scoring.accuracy import evaluate_classifier
from ligera.train.reading import read_recipe
from ligera.train.run import start

RECIPE = """
task: classification
name: colours
model: conv14
data: {data}
side_px: 16
batch: 12
epochs: 3
warmup_steps: 2
threads: 1
"""


def main(folder: Path) -> None:
    data = colours(folder / "train", seed=0)
    (folder / "colours.yaml").write_text(RECIPE.format(data=data.resolve()))
    run = start(read_recipe(folder / "colours.yaml"), folder)
    export_run(run.folder, folder / "colours.onnx")
    others = colours(folder / "test", each=8, seed=1)
    with ligera.load(str(folder / "colours.onnx")) as classifier:
        answer = classifier.classify(others / "red" / "0.png")
        scores = evaluate_classifier(classifier, others)
    print(f"red/0.png is {answer.label} ({answer.score:.2f})")
    print(f"accuracy on pictures that it never saw: {scores.result.accuracy:.2f}")


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples/classify")
    place.mkdir(parents=True, exist_ok=True)
    main(place)
