"""Our face detectors beside other people's: accuracy, time, memory and size on the same pictures, by the same code.

For each detector: AP at IoU 0.5 per source of DATA/val, WIDER FACE's easy / medium / hard on DATA/wider_mini, landmark
error, and the time from decoded picture to boxes. For the times each detector has a process of its own, every picture
goes through all of them before the next one does, and their order rotates; times are withheld when the machine was not
quiet (see ligera.deploy.noise), unless --force.

Run: python benchmarks/faces_against_peers.py --data DIR/faces --peers DIR/weights/peers --out table.md
MTCNN needs facenet-pytorch, dlib needs dlib-bin; what is not installed is named below the table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ligera import __version__
from ligera.data.faces import read_retinaface
from ligera.data.pictures import read_picture
from ligera.deploy.builtin import builtin_names, builtin_path
from ligera.deploy.detector import Detector
from ligera.deploy.evaluate import LabelScores, WiderScores, evaluate, input_rule
from ligera.deploy.noise import NoiseMeter
from ligera.errors import LigeraError
from ligera.files import write_bytes
from ligera.meter.figure import Figure, quantile_figure
from ligera.meter.hardware import inspect_hardware

# How the usual file names of each maker begin.
KINDS = {"yunet": "yunet", "scrfd": "scrfd", "version-": "ultralight", "retinaface": "retinaface"}
PACKAGES = ("haar", "mtcnn", "dlib")
SETTINGS = ("easy", "medium", "hard")


@dataclass(frozen=True, slots=True)
class Contender:
    """``model`` is what ``Detector.load`` takes; ``file`` is ``None`` where the weights come inside a package."""

    name: str
    model: str
    file: Path | None


@dataclass(slots=True)
class Row:
    """All that is known of one contender."""

    contender: Contender
    size_bytes: int | None
    input: str
    labels: LabelScores
    wider: WiderScores
    times_ms: list[list[float]] = field(default_factory=list)
    peak_mb: float | None = None

    def as_dict(self, time_ms: Figure | None) -> dict[str, Any]:
        return {
            "name": self.contender.name,
            "input": self.input,
            "size_bytes": self.size_bytes,
            "val": self.labels.as_dict(),
            "wider_mini": self.wider.as_dict(),
            "time_ms": None if time_ms is None else asdict(time_ms),
            "peak_mb": self.peak_mb,
        }


def main() -> None:
    options = parsed()
    if options.worker:
        work(options.worker, options.threads)
        return
    report, table = compare(options)
    print(table)
    if options.out:
        text = json.dumps(report, indent=2) if options.out.suffix == ".json" else table
        write_bytes(options.out, f"{text}\n".encode())


def compare(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Everything that was measured, and the table of it."""
    contenders, missing = find(options.models, options.peers)
    rows = []
    for contender in contenders:
        print(f"scoring {contender.name}", file=sys.stderr)
        try:
            rows.append(score(contender, options.data, options.threads, options.min_face))
        except LigeraError as error:
            missing.append(f"{contender.name}: {error}")
    print(f"timing {len(rows)} detectors", file=sys.stderr)
    everything = [sample.path for sample in read_retinaface(options.data / "val").samples]
    pictures = everything[:: max(1, len(everything) // (options.timed or len(everything)))]
    noise = measure(rows, pictures, options.threads, options.rounds).reasons()
    quotable = options.force or not noise
    report = {
        "ligera": __version__,
        "device": inspect_hardware().processor,
        "python": platform.python_version(),
        "threads": options.threads,
        "pictures": len(pictures),
        "min_face": options.min_face,
        "noise": noise,
        "detectors": [row.as_dict(median(row, options.threads) if quotable else None) for row in rows],
        "missing": missing,
    }
    return report, markdown(rows, report)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with val/ and wider_mini/")
    parser.add_argument("--peers", type=Path, help="folder with other people's ONNX files")
    parser.add_argument("--models", nargs="*", default=list(builtin_names()), help="our models: names or bundle files")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--min-face", type=int, help="ignore faces of DATA/val whose long side is shorter, px")
    parser.add_argument("--rounds", type=int, default=2, help="how often every picture is searched by each detector")
    parser.add_argument("--timed", type=int, help="time about this many pictures, evenly spread, instead of all")
    parser.add_argument("--force", action="store_true", help="show times even of a machine that was not quiet")
    parser.add_argument("--out", type=Path, help="where the table (.md) or everything (.json) goes")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.worker and not (options.data and options.peers):
        parser.error("--data and --peers are needed")
    return options


def find(models: list[str], peers: Path) -> tuple[list[Contender], list[str]]:
    """Who takes part, and which files cannot."""
    found = []
    for model in models:
        path = Path(model) if model.endswith(".onnx") else builtin_path(model)
        found.append(Contender(f"ligera {path.stem}", model, path))
    missing = []
    for path in sorted(file for file in peers.iterdir() if file.is_file()):
        kind = next((kind for start, kind in KINDS.items() if path.name.startswith(start)), None)
        if path.suffix != ".onnx" or kind is None:
            missing.append(f"{path.name}: no kind of detector that can be run")
            continue
        found.append(Contender(path.stem, f"{kind}:{path}", path))
    return found + [Contender(name, name, None) for name in PACKAGES], missing


def score(contender: Contender, data: Path, threads: int, min_face: int | None) -> Row:
    with Detector.load(contender.model, threads=threads) as detector:
        labels = evaluate(detector, data / "val", min_face=min_face)
        wider = evaluate(detector, data / "wider_mini")
        assert isinstance(labels, LabelScores)
        assert isinstance(wider, WiderScores)
        return Row(contender, weights_bytes(contender), input_rule(detector), labels, wider)


def weights_bytes(contender: Contender) -> int | None:
    """The file's size, or that of the weights inside the package; ``None`` where they are part of a library."""
    if contender.file is not None:
        return contender.file.stat().st_size
    if contender.model == "haar":
        import cv2

        return (Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml").stat().st_size
    if contender.model == "mtcnn":
        import facenet_pytorch

        return sum(file.stat().st_size for file in Path(facenet_pytorch.__path__[0]).glob("data/*.pt"))
    return None


def measure(rows: list[Row], pictures: list[Path], threads: int, rounds: int) -> NoiseMeter:
    """Fill in times, one list for each picture, and peak memory."""
    workers = [Worker(row.contender.model, threads) for row in rows]
    noise = NoiseMeter(threads=threads)
    try:
        for worker in workers:
            worker.ask(str(pictures[0]))
        noise.start()
        for turn, picture in enumerate(pictures * rounds):
            noise.calibrate()
            places = [(turn + step) % len(rows) for step in range(len(rows))]
            for place in places:
                answer = workers[place].ask(str(picture))
                noise.add_own(answer["cpu_s"])
                rows[place].times_ms.append([answer["ms"]])
        noise.stop()
        for row, worker in zip(rows, workers, strict=True):
            row.peak_mb = worker.ask("")["peak_mb"]
    finally:
        for worker in workers:
            worker.close()
    return noise


class Worker:
    """One detector in a process of its own."""

    def __init__(self, model: str, threads: int) -> None:
        command = [sys.executable, __file__, "--worker", model, "--threads", str(threads)]
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, line: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


def work(model: str, threads: int) -> None:
    """A line with a picture's path -> how long detection took; an empty line -> peak memory. Once to warm up."""
    import cv2

    cv2.setNumThreads(threads)
    detector = Detector.load(model, threads=threads)
    for line in sys.stdin:
        path = line.rstrip("\n")
        if not path:
            print(json.dumps({"peak_mb": peak_mb()}), flush=True)
            continue
        pixels = read_picture(path).pixels
        cpu_before, started = time.process_time(), time.perf_counter()
        detector.detect(pixels)
        elapsed_ms = (time.perf_counter() - started) * 1e3
        print(json.dumps({"ms": elapsed_ms, "cpu_s": time.process_time() - cpu_before}), flush=True)


def peak_mb() -> float | None:
    """The most memory this process ever held, where the system says so; getrusage would count its parent's too."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.is_file() else []
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:")), None)


def median(row: Row, threads: int) -> Figure:
    return quantile_figure(row.times_ms, 0.5, unit="ms", device="cpu", threads=threads)


def markdown(rows: list[Row], report: dict[str, Any]) -> str:
    sources = list(rows[0].labels.sources) if rows else []
    header = ["detector", "input", "MB", *(f"AP50 {source}" for source in sources)]
    header += ["WIDER-mini easy / medium / hard", "NME", "median ms", "peak MB"]
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for row, plain in zip(rows, report["detectors"], strict=True):
        size = "-" if row.size_bytes is None else f"{row.size_bytes / 1e6:.2f}"
        aps = [cell(row.labels.sources[source].ap50) for source in sources]
        wider = " / ".join(cell(getattr(row.wider, setting)) for setting in SETTINGS)
        time_ms = "withheld"
        if plain["time_ms"]:
            low, high = plain["time_ms"]["spread"]
            time_ms = f"{plain['time_ms']['value']:.1f} ({low:.1f}-{high:.1f})"
        peak = "-" if row.peak_mb is None else f"{row.peak_mb:.0f}"
        cells = [row.contender.name, row.input, size, *aps, wider, cell(row.labels.overall.nme), time_ms, peak]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *notes(rows, report)])


def notes(rows: list[Row], report: dict[str, Any]) -> list[str]:
    """Under the table: what its numbers are."""
    groups = rows[0].labels.sources.items() if rows else ()
    counts = ", ".join(f"{name} {group.pictures} pictures with {group.faces} faces" for name, group in groups)
    runs = len(rows[0].times_ms) if rows else 0
    small = f", faces with a long side under {report['min_face']} px ignored" if report["min_face"] else ""
    lines = [
        f"Ligera {report['ligera']} on {report['device']}, Python {report['python']}, {report['threads']} threads. "
        f"AP50: IoU 0.5, all points, ignore regions left out, single scale, scores from 0.02{small} ({counts}). "
        "WIDER-mini: the official protocol on the same wider pictures. NME: over the distance between the eyes, "
        "faces that were found among those with known landmarks. "
        f"Time: decoded picture to boxes at each detector's own score, n = {runs} runs over {report['pictures']} "
        "pictures, in turns, with the 90 % interval of the median; memory: a process that does only this.",
    ]
    if report["noise"]:
        lines.append(f"Too noisy for its times to be quoted: {'; '.join(report['noise'])}.")
    lines += [f"Missing: {reason}" for reason in report["missing"]]
    return lines


def cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}".removeprefix("0")


if __name__ == "__main__":
    main()
