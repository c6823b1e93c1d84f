"""One detector in a process of its own: its memory, its threads, its time from decoded picture to boxes.

``python -m ligera.studies.detectors.worker MODEL THREADS MAX_SIDE_PX``. For each line of standard input, ``plain PATH``
or ``bounded PATH``, one line of JSON with the detection's ``ms`` and ``cpu_s``, preprocessing among them; an empty line
is answered with ``peak_mb`` so far.
"""

from __future__ import annotations

import json
import sys
import time


def main(model: str, threads: int, max_side_px: int) -> None:
    import cv2

    from ligera.data.pictures import read_picture
    from ligera.deploy.detector import Detector
    from ligera.meter.processes import ProcessTree
    from ligera.studies.detectors.bounded import BoundedEngine

    cv2.setNumThreads(threads)
    plain = Detector.load(model, threads=threads)
    detectors = {"plain": plain, "bounded": Detector(BoundedEngine(plain.engine, max_side_px))}
    for line in sys.stdin:
        mode, _, path = line.rstrip("\n").partition(" ")
        if not path:
            answer({"peak_mb": ProcessTree().high_water_mb()})
            continue
        pixels = read_picture(path).pixels
        cpu_before, started = time.process_time(), time.perf_counter()
        detectors[mode].detect(pixels)
        answer({"ms": (time.perf_counter() - started) * 1e3, "cpu_s": time.process_time() - cpu_before})


def answer(row: dict[str, float | None]) -> None:
    # the protocol between this process and the study, not something a user reads
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
