"""Time two detectors in turns, each in a process of its own; figures of a busy machine are withheld, with the reason.

python examples/bench.py
"""

from ligera.deploy.timing.bench import bench


def main() -> None:
    report = bench(["face-small"], versus="face", width=320, height=240, threads=1, runs=20)
    for reason in report.reasons:
        print(f"not to be quoted: {reason}")
    for row in report.rows:
        p50, p95 = (row.figures[name] for name in ("p50_ms", "p95_ms"))
        print(f"{row.model}: p50 {p50.value:.1f} ms, p95 {p95.value:.1f} ms ({p50.source}, n {p50.n})")


if __name__ == "__main__":
    main()
