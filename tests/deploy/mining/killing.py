"""Mines in children of its own and kills them at random moments: what the test of killed runs starts.

python killing.py DATA OUT KILLS SEED [MODEL] prints one JSON object: the digests that undisturbed and killed runs
ended with, and what each kill interrupted. Children are forked, so none takes a second to import what all need.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import cv2

from ligera.deploy.mining import mine, settings_for

# How a child works, and how often it is that one's turn.
ENGINES = {("sequential", 1): 9, ("threads", 2): 9, ("threads", 3): 6, ("async", 2): 6, ("processes", 2): 2}


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def begin(data: Path, out: Path, settings: object, engine: tuple[str, int]) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            mine(data, out, settings, *engine)  # type: ignore[arg-type]
            code = 0
        finally:
            os._exit(code)
    return child


def await_work(child: int, out: Path, before: int) -> None:
    """Until the run writes down more than ``before`` bytes of progress, or is over."""
    while progress(out) <= before and not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        time.sleep(0.001)


def progress(out: Path) -> int:
    file = out / "progress.jsonl"
    return file.stat().st_size if file.is_file() else 0


def reached(out: Path) -> str:
    """What a killed run was at, from what it left behind."""
    if not (out / "progress.jsonl").is_file():
        return "nothing"
    if not (out / "plan.json").is_file():
        return "candidates"
    return "finished" if (out / "mined.json").is_file() else "shards"


def main() -> None:
    data, out, kills, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    model = sys.argv[5] if len(sys.argv) > 5 else None
    cv2.setNumThreads(1)
    settings = settings_for(24 if model else 12, model=model, score=0.3, shard_crops=40, around_face=6, in_picture=8)
    durations, references = {}, []
    for engine in ENGINES:
        started = time.monotonic()
        os.waitpid(begin(data, out, settings, engine), 0)
        durations[engine] = time.monotonic() - started
        references.append(digests(out))
        shutil.rmtree(out)
    chance, ends, interrupted = random.Random(seed), [], []
    while len(interrupted) < kills:
        (engine,) = chance.choices(list(ENGINES), list(ENGINES.values()))
        before = progress(out)
        child = begin(data, out, settings, engine)
        # every other one in the midst of its work, however long it takes to start
        if len(interrupted) % 2:
            await_work(child, out, before)
            time.sleep(chance.uniform(0, 0.3 * durations[engine]))
        else:
            time.sleep(chance.uniform(0, 0.8 * durations[engine]))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            interrupted.append(reached(out))
        else:
            ends.append((os.waitstatus_to_exitcode(status), digests(out)))
            shutil.rmtree(out)
    code = os.waitstatus_to_exitcode(os.waitpid(begin(data, out, settings, ("threads", 2)), 0)[1])
    ends.append((code, digests(out)))
    print(json.dumps({"references": references, "ends": ends, "interrupted": interrupted}))


if __name__ == "__main__":
    main()
