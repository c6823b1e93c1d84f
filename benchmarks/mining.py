"""How much faster is `ligera mine` with two workers, and what keeps it from twice? Engines side by side.

    python benchmarks/mining.py DATA --stage 24 --model P.onnx [--count 1000] [--rounds 3] [--ways processes threads]

DATA holds RetinaFace labels; of its pictures ``--count``, evenly spread, are mined by the whole command, each time in a
fresh process and an empty folder. Ways take turns in an order that rotates. Besides the engines with ``--workers``,
``apart`` runs as many sequential commands at once, each on its share of the pictures, with nothing between them: what
this machine could reach at most (memory, caches and turbo are shared even so). The table gives the median seconds of
each part of the command and, of the paired rounds, the median ratio of sequential to it, with the range. ``serial`` is
what Amdahl's law makes of the best engine's ratio, taking the ratio of ``apart`` for all that can be had.

All engines must leave the same bytes, or it ends with an error.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from ligera.data.faces import read_retinaface

PARTS = ("command", "propose", "cut", "finish")
WAYS = ("processes", "threads", "apart")


def main() -> None:
    options = parsed()
    ways = ["sequential", *options.ways]
    times: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        whole = subset(options.data, folder / "whole", options.count, (0, 1))
        shares = [
            subset(options.data, folder / str(share), options.count, (share, options.workers))
            for share in range(options.workers)
        ]
        for number in range(options.rounds):
            turn = number % len(ways)
            contents = {}
            for way in ways[turn:] + ways[:turn]:
                sources = shares if way == "apart" else [whole]
                took, content = measured(way, sources, folder / "out", options)
                times[way].append(took)
                if way != "apart":
                    contents[way] = content
            if len(set(contents.values())) > 1:
                raise SystemExit(f"engines differ: {contents}")
            print(f"round {number + 1}: " + ", ".join(f"{way} {times[way][-1]['command']:.1f} s" for way in ways))
    report(times, options)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--stage", type=int, default=24)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--ways", nargs="*", choices=(*WAYS, "async", "auto"), default=list(WAYS))
    return parser.parse_args()


def subset(data: Path, folder: Path, count: int, share: tuple[int, int]) -> Path:
    """Labels of ``count`` pictures of ``data``, evenly spread, beside links to them; of these one in ``share[1]``."""
    samples = read_retinaface(data).samples
    samples = samples[:: max(1, len(samples) // count)][:count][share[0] :: share[1]]
    lines = []
    for number, sample in enumerate(samples):
        path = folder / "images" / f"{number:05d}{sample.path.suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(sample.path.resolve())
        lines.append(f"# {path.name}")
        for (x1, y1, x2, y2), points in zip(sample.targets.boxes, sample.targets.landmarks, strict=True):
            known = " ".join(f"{x} {y} 0" if np.isfinite(x) else "-1 -1 -1" for x, y in points)
            lines.append(f"{x1} {y1} {x2 - x1} {y2 - y1} {known} 1.0")
    (folder / "label.txt").write_text("\n".join(lines) + "\n")
    return folder


def measured(way: str, sources: list[Path], out: Path, options: argparse.Namespace) -> tuple[dict[str, float], str]:
    """Seconds of each part, the slowest command's where there are several, and a digest of the first one's result."""
    outs = [out.with_name(f"{out.name}-{place}") for place in range(len(sources))]
    started = time.perf_counter()
    commands = [begin(way, source, own, options) for source, own in zip(sources, outs, strict=True)]
    for command in commands:
        if command.wait():
            raise SystemExit(f"{way}: ended with exit code {command.returncode}")
    took = {"command": time.perf_counter() - started}
    logs = [json.loads((own / "run.json").read_text())["elapsed_s"] for own in outs]
    took |= {part: max(log[part] for log in logs) for part in PARTS[1:]}
    content = digest(outs[0])
    for own in outs:
        subprocess.run(["rm", "-r", str(own)], check=True)
    return took, content


def begin(way: str, source: Path, out: Path, options: argparse.Namespace) -> subprocess.Popen[bytes]:
    engine = "sequential" if way == "apart" else way
    command = [sys.executable, "-m", "ligera.cli", "mine", str(source), "--out", str(out), "--engine", engine]
    command += ["--stage", str(options.stage), "--ratio", "1:1:3:1"]
    if engine != "sequential":
        command += ["--workers", str(options.workers)]
    if options.model is not None:
        command += ["--model", str(options.model)]
    quiet = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=quiet)


def digest(folder: Path) -> str:
    """Of all that must not hang on the engine: everything but the log of the run."""
    content = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "run.json"):
        content.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return content.hexdigest()


def report(times: dict[str, list[dict[str, float]]], options: argparse.Namespace) -> None:
    print(f"\nstage {options.stage}, {options.count} pictures, {options.workers} workers, {options.rounds} rounds\n")
    print(f"| way | {' | '.join(f'{part} s' for part in PARTS)} | {' | '.join(f'{part} x' for part in PARTS[:3])} |")
    print("|---|" + "--:|" * (len(PARTS) + 3))
    ratios = {}
    for way, rounds in times.items():
        seconds = [f"{median(one[part] for one in rounds):.2f}" for part in PARTS]
        cells = []
        for part in PARTS[:3]:
            paired = [one[part] / own[part] for one, own in zip(times["sequential"], rounds, strict=True)]
            ratios[way, part] = median(paired)
            cells.append(f"{median(paired):.2f} ({min(paired):.2f}-{max(paired):.2f})")
        print(f"| {way} | {' | '.join(seconds)} | {' | '.join(cells)} |")
    ceiling = ratios.get(("apart", "command"))
    engines = [way for way in times if way not in ("sequential", "apart")]
    if ceiling and ceiling > 1 and engines:
        best = max(engines, key=lambda way: ratios[way, "command"])
        serial = (1 / ratios[best, "command"] - 1 / ceiling) / (1 - 1 / ceiling)
        found = f"{serial:.1%} of the work is serial" if serial > 0 else "no serial part can be told from noise"
        print(f"\nceiling {ceiling:.2f}x; {best}: {ratios[best, 'command']:.2f}x, so {found}")


if __name__ == "__main__":
    main()
