"""Recipes to break. Their data is an empty folder, so that not even one that reads well could start a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from .damage import any_of, damaged, damaged_values

__all__ = ["hostile_command"]

GOOD: dict[str, Any] = {
    "name": "small",
    "model": "face-small",
    "data": [{"path": "empty", "labels": "label.txt", "weights": {"wider": 2.0}, "default_weight": 1.0}],
    "validation": "empty",
    "seed": 0,
    "side_px": 320,
    "batch": 16,
    "epochs": 3,
    "augment": {"crop_ratios": [0.3, 1.0], "mosaic": 0.5, "mosaic_grids": [2, 3], "fill": 0},
    "loss": "quality",
    "learning_rate": 0.001,
    "step_at": [0.5, 0.8],
    "precision": "fp32",
    "threads": 1,
    "workers": 0,
}
HOSTILE: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    10**30,
    10**4000,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "three",
    "9" * 300,
    "nul\0",
    "line\nbreak",
    "../../..",
    "/dev/zero",
    "x" * 5000,
    "é\u202e𝟜",
    b"\xff\x00",
    [],
    [[]],
    [[[[[[[[0]]]]]]]],
    [0.1] * 2000,
    {},
    {"path": "empty"},
    {"a": {"b": {"c": [None]}}},
    {1: 2},
    {None: None},
)
# Each level names the one below nine times: nine lines that stand for nine to the ninth words.
LAUGHS = "\n".join(
    [f"a0: &a0 [{', '.join(['ha'] * 9)}]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
)
TEXTS = (
    *(
        f"{LAUGHS}\n{key}: *a9\n"
        for key in ("name", "model", "data", "validation", "seed", "augment", "step_at", "nose")
    ),
    f"{LAUGHS}\nname: a\nmodel: b\ndata: [{{path: empty, weights: {{a: *a9}}}}]\n",
    f"{LAUGHS}\nname: {{? *a9 : 1}}\n",
    "&a [*a]\n",
    "&a {name: *a, model: *a, data: [*a]}\n",
    "name: &a {b: *a}\n",
    "<<: &a {<<: *a}\n",
    "[" * 1_000,
    "{a: " * 3_000,
    "- " * 2_000,
    "!!python/object/apply:os.system ['true']\n",
    "name: !!python/name:os.system\n",
    "name: !!binary '***'\n",
    "name: !!int 'x'\nseed: !!float ''\n",
    "name: !!set {a, b}\nmodel: !!omap [a: 1]\n",
    "name: 2001-99-99\n",
    "seed: 0b\nbatch: 0x\nepochs: 1:99:99\n",
    "? [a, b]\n: c\n",
    "1: 2\n",
    "name: a\nname: b\n",
    "\tname: a\n",
    "--- 1\n--- 2\n",
    "%YAML 9.9\n---\nname: a\n",
    "*nowhere\n",
    "'unfinished",
    "name: |\n",
    "null",
    "3",
    "",
    "\0",
    "\ufeffname: a\n",
    "seed: " + "9" * 5_000,
    "seed: 1" + ":59" * 4_000,
    "seed: 0x" + "f" * 9_000,
)
OVERRIDES = (
    "epochs=three",
    "epochs",
    "=",
    "=5",
    "..=1",
    "data=1",
    "data.0.path=x",
    "name.first=x",
    "augment.mosaic=2",
    "augment.mosaik=0.5",
    "seed=" + "[" * 1_000,
    "seed=2001-99-99",
    "seed=*a",
    "seed=!!int x",
    "name=\0",
    "name=&a [*a]",
    "é=1",
)


def _content(random: np.random.Generator) -> bytes:
    kind = int(random.integers(10))
    if kind < 5:
        return yaml.safe_dump(damaged_values(GOOD, HOSTILE, random), allow_unicode=True).encode("utf-8", "replace")
    if kind < 8:
        return any_of(random, TEXTS).encode(any_of(random, ("utf-8", "utf-8", "utf-8", "utf-16")))
    return damaged(yaml.safe_dump(GOOD).encode(), random)


def hostile_command(random: np.random.Generator, folder: Path) -> list[str]:
    """Write a recipe into ``folder``; returns the command line that would train it."""
    (folder / "empty").mkdir()
    recipe = folder / "recipe.yaml"
    overrides = []
    if random.random() < 0.2:
        recipe.write_text(yaml.safe_dump(GOOD), encoding="utf-8")
        overrides = [any_of(random, OVERRIDES)]
    else:
        recipe.write_bytes(_content(random))
    return ["train", str(recipe), *overrides, "--runs", str(folder / "runs"), "--json"]
