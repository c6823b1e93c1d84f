"""Search a small detector that takes a given time by a latency table, ready as `model` of a training recipe.

python examples/search.py [FOLDER]

The table here is one counted from multiply-adds. That of your device: ligera profile recipes/spaces/tiny.yaml -o t.json
"""

import sys
from pathlib import Path

import numpy as np
from drawn import discs

from ligera.search.estimate import estimated_table
from ligera.search.recipe import SearchRecipe
from ligera.search.run import start_search
from ligera.search.space import parse_space

SPACE = {
    "name": "mini",
    "side_px": 64,
    "first_channels": 4,
    "stages": [
        {"channels": [4, 8], "slots": [["3x3_KKConv_Mid", "3x3_MBV1Conv"], ["Zero", "3x3_KKConv_Mid"]]},
        {"channels": [8], "slots": [["3x3_KKConv_Mid", "3x3_MBV1Conv", "3x3_KKConv"]]},
        {"channels": [8, 16], "slots": [["3x3_KKConv_Mid", "3x3_MBV1Conv"], ["Zero", "3x3_DKConv"]]},
        {"channels": [16], "slots": [["3x3_MBV1Conv"], ["Zero", "3x3_KKConv_Mid"]]},
    ],
    "neck": {
        "stages": [1, 2, 3, 4],
        "channels": 8,
        "context": "conv",
        "prior_sizes": [[8], [24], [64], [192]],
        "score_channels": 1,
        "activation": "relu",
    },
}


def main(folder: Path) -> None:
    data = discs(folder / "discs", pictures=8)
    table = estimated_table(parse_space(SPACE, "mini"))
    table.write(folder / "table.json")
    random = np.random.default_rng(0)
    target_ms = float(np.median([table.latency_ms(table.space.sample(random)) for _ in range(51)]))
    recipe = SearchRecipe.model_validate(
        {
            "name": "mini",
            "table": str(folder / "table.json"),
            "targets": [{"attribute": "latency_ms", "target": target_ms}],
            "data": [{"path": str(data)}],
            "side_px": 64,
            "batch": 2,
            "epochs": 3,
            "warmup_epochs": 1,
            "samples_per_epoch": 4,
            "warmup_steps": 1,
            "threads": 1,
            "workers": 0,
        }
    )
    result = start_search(recipe, folder)
    amount = result.found["amounts"]["latency_ms"]
    print(f"{result.found['name']}: {amount:.3f} ms by the table, {target_ms:.3f} wanted")
    print(f"train it: ligera train RECIPE.yaml model={result.architecture}")


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples/search")
    place.mkdir(parents=True, exist_ok=True)
    main(place)
