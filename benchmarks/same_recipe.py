"""Paper C's comparison on one machine: nets trained on the same data with the same schedule, then timed side by side.

    python benchmarks/same_recipe.py train recipes/face-small.yaml --models face-small RetinaFace-mobile0.25
    python benchmarks/same_recipe.py report

Data, augmentation, optimizer and number of steps are those of the recipe, cut to ``--samples`` a run; each net keeps
its own priors and loss, which belong to its architecture. Runs that are done are not repeated. The report has AP at IoU
0.5 on the validation pictures at native size (mean and range over seeds) and the network's latency from interleaved
runs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean, median

from ligera.models import catalogue
from ligera.train.reading import read_recipe
from ligera.train.run import resume, start

RUNS = Path("runs/same-recipe")


def train(arguments: argparse.Namespace) -> None:
    for seed in arguments.seeds:
        for model in arguments.models:
            loss = "quality" if catalogue.find(model).score_channels == 1 else "multibox"
            name = f"{model}-seed{seed}".replace("/", "-")
            folder = RUNS / "train" / name
            if (folder / "result.json").is_file():
                continue
            if (folder / "checkpoint.pt").is_file():
                result = resume(folder)
            else:
                changes = [
                    f"name={name}",
                    f"model={model}",
                    f"loss={loss}",
                    f"seed={seed}",
                    "epochs=4",
                    "evaluate_every=4",
                ]
                changes += [f"samples_per_epoch={arguments.samples // 4}", *arguments.set]
                result = start(read_recipe(arguments.recipe, tuple(changes)), RUNS)
            print(name, result.metrics, flush=True)


def report(arguments: argparse.Namespace) -> None:
    rows: dict[str, list[dict]] = {}
    for file in sorted(RUNS.glob("train/*/result.json")):
        result = json.loads(file.read_text())
        rows.setdefault(file.parent.name.rpartition("-seed")[0], []).append(result)
    latency = latencies_ms(sorted(rows), arguments.threads, arguments.rounds)
    columns = sorted(
        {key for results in rows.values() for r in results for key in r["metrics"] if key.startswith("ap50")}
    )
    print(f"| net | runs | {' | '.join(columns)} | network ms, median (10-90 %) | minutes a run |")
    print("|---|--:|" + "--:|" * (len(columns) + 2))
    for name, results in rows.items():
        cells = []
        for column in columns:
            values = [r["metrics"][column] for r in results]
            cells.append(f"{mean(values):.3f} ({min(values):.3f}-{max(values):.3f})")
        times = sorted(latency[name])
        low, high = times[len(times) // 10], times[-1 - len(times) // 10]
        cells.append(f"{median(times):.2f} ({low:.2f}-{high:.2f})")
        cells.append(f"{mean(r['cost']['train_s'] for r in results) / 60:.1f}")
        print(f"| {name} | {len(results)} | " + " | ".join(cells) + " |")
    runs = len(next(iter(latency.values())))
    print(f"\n320 x 416 px, ONNX Runtime fp32, {arguments.threads} threads, {runs} runs each, interleaved")


def latencies_ms(models: list[str], threads: int, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of single runs, the models in turn; one session at a time spins, so each round makes its own."""
    import time

    import numpy as np

    from ligera.deploy.export.network import to_onnx
    from ligera.deploy.runtimes.onnxruntime import OnnxRuntime

    graphs = {model: to_onnx(catalogue.build(model)) for model in models}
    batch = np.random.default_rng(0).random((1, 3, 320, 416), np.float32)
    times: dict[str, list[float]] = {model: [] for model in models}
    for _ in range(rounds):
        for model, graph in graphs.items():
            runtime = OnnxRuntime(graph, threads=threads)
            for run in range(25):
                started = time.perf_counter()
                runtime.run(batch)
                if run >= 5:
                    times[model].append((time.perf_counter() - started) * 1e3)
            runtime.close()
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    training = verbs.add_parser("train")
    training.add_argument("recipe", type=Path)
    training.add_argument("--models", nargs="+", required=True)
    training.add_argument("--seeds", nargs="+", type=int, default=[0])
    training.add_argument("--samples", type=int, default=12_800, help="samples shown in each run")
    training.add_argument("--set", nargs="*", default=[], help="further key=value changes of the recipe")
    training.set_defaults(run=train)
    reporting = verbs.add_parser("report")
    reporting.add_argument("--threads", type=int, default=2)
    reporting.add_argument("--rounds", type=int, default=10)
    reporting.set_defaults(run=report)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
