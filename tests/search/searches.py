"""A space small enough to search in seconds, with its estimated table, and the recipe of a search in it."""

from pathlib import Path

import yaml

from ligera.search.estimate import estimated_table
from ligera.search.space import Space, parse_space
from ligera.search.table import LatencyTable

MINI = {
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


def mini_space() -> Space:
    return parse_space(MINI, "mini")


def mini_table() -> LatencyTable:
    return estimated_table(mini_space())


def search_values(faces: Path, table: Path, target_ms: float) -> dict:
    return {
        "name": "tiny",
        "method": "gates",
        "table": str(table),
        "targets": [{"attribute": "latency_ms", "target": target_ms}],
        "data": [{"path": str(faces)}],
        "side_px": 64,
        "batch": 2,
        "epochs": 3,
        "warmup_epochs": 1,
        "samples_per_epoch": 4,
        "warmup_steps": 1,
        "threads": 1,
        "workers": 0,
    }


def write_recipe(path: Path, values: dict) -> Path:
    path.write_text(yaml.safe_dump(values))
    return path
