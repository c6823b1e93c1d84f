"""How well ``ligera watch`` follows and names people, and what it keeps up with, on films made from photos.

``python benchmarks/watching.py BUNDLE --own DIR --others DIR [--films 4] [--seconds 5] [--threads N]``: BUNDLE is what
``ligera enroll`` made of one person; DIR hold other photos of that person, and of people it never saw, each with a face
in the middle. Each film shows heads cut from them before a blurred ground: ``moves`` one person alone, ``crosses`` the
person and a stranger passing each other twice, ``returns`` the person leaving for two seconds and coming back. Where a
head is in each frame is known, so that these are counted: tracks per visit (1 is best), switches (a head's number
changes while it stays, or two heads swap theirs), recognitions per track, and frames with a wrong name of those named;
tracks of nothing, or of somebody else in a photo's corner, are stray.
Each film is seen frame by frame, and as a device would that gets to every fifth frame only. Then one film runs live
with a detector slowed by 100 ms, and all stages are timed, as medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from ligera.deploy.video import VideoFile
from ligera.deploy.watching.feeds import EveryFrame, NewestFrames, open_source
from ligera.deploy.watching.recognizer import Recognizer
from ligera.deploy.watching.running import watch_feed
from ligera.deploy.watching.watcher import Person, Watcher, load_watcher
from ligera.meter.hardware import available_threads, processor_name

WIDTH, HEIGHT, FPS = 640, 480, 25.0
HEAD_PX = 170
PHOTO_EVERY_FRAMES = 25
TOGETHER_PX = 100
SLOWED_S = 0.1
KINDS = ("moves", "crosses", "returns")
# Photo, x, y of each head's middle in one frame, None where it is not in it.
Places = dict[str, tuple[float, float] | None]


@dataclass(slots=True)
class Film:
    """Where each head is, frame by frame, and the photos it is cut from, taken in turn."""

    kind: str
    path: Path
    photos: dict[str, list[Path]]
    frames: list[Places] = field(default_factory=list)


def plan(kind: str, path: Path, own: list[Path], stranger: Path, seconds: float, seed: int) -> Film:
    """The film's course; the person is ``own``, anybody else begins with ``other``."""
    count, sign = round(seconds * FPS), 1 if seed % 2 else -1
    film = Film(kind, path, {"own": own, "other": [stranger]})
    for number in range(count):
        t = number / count
        sway = 40 * np.sin(7 * t + seed)
        if kind == "moves":
            who = "own" if seed % 2 else "other"
            places: Places = {who: (WIDTH / 2 + 200 * np.sin(6.3 * t + seed), HEIGHT / 2 + sway)}
        elif kind == "crosses":
            reach = 200 * np.cos(2 * np.pi * t) * sign
            places = {"other": (WIDTH / 2 - reach, 250), "own": (WIDTH / 2 + reach, 230 + sway / 3)}
        else:
            away = 0.3 < t < 0.3 + 2 / seconds
            places = {"own": None if away else (WIDTH / 2 + 150 * np.cos(3 * t), 240 + sway)}
        film.frames.append(places)
    return film


def shoot(film: Film, seed: int) -> None:
    """Write the film, heads as soft ovals, with a camera's noise."""
    random = np.random.default_rng(seed)
    ground = cv2.resize(random.integers(60, 170, (5, 7, 3)).astype(np.float32), (WIDTH, HEIGHT))
    heads = {who: [_head(photo) for photo in photos] for who, photos in film.photos.items()}
    y, x = np.mgrid[:HEAD_PX, :HEAD_PX] / (HEAD_PX - 1) * 2 - 1
    oval = np.clip((1 - (x**2 / 0.72 + y**2 / 0.95)) * 6, 0, 1)[..., None]
    writer = cv2.VideoWriter(str(film.path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (WIDTH, HEIGHT))
    for number, places in enumerate(film.frames):
        margin = HEAD_PX
        canvas = cv2.copyMakeBorder(ground, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
        for who, place in places.items():
            if place is None:
                continue
            left, top = (round(value - HEAD_PX / 2) + margin for value in place)
            part = canvas[top : top + HEAD_PX, left : left + HEAD_PX]
            head = heads[who][number // PHOTO_EVERY_FRAMES % len(heads[who])]
            part[:] = part * (1 - oval) + head * oval
        shown = canvas[margin:-margin, margin:-margin] + random.normal(0, 3, (HEIGHT, WIDTH, 1))
        writer.write(np.clip(shown, 0, 255).astype(np.uint8))
    writer.release()


def _head(photo: Path) -> np.ndarray:
    pixels = cv2.imread(str(photo))
    side = min(pixels.shape[:2])
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    edge = side // 10
    middle = pixels[top + edge : top + side - edge, left + edge : left + side - edge]
    return cv2.resize(middle, (HEAD_PX, HEAD_PX), interpolation=cv2.INTER_AREA).astype(np.float32)


@dataclass(slots=True)
class Score:
    """Counts over films of one kind, seen one way."""

    visits: int = 0
    tracks: int = 0
    looks: int = 0
    switches: int = 0
    named: int = 0
    wrong: int = 0
    found: int = 0
    shown: int = 0
    strays: int = 0

    def row(self) -> dict[str, float | int]:
        """The counts as shares."""
        return {
            "visits": self.visits,
            "tracks_per_visit": round(self.tracks / self.visits, 3),
            "recognitions_per_track": round(self.looks / max(1, self.tracks), 3),
            "switches": self.switches,
            "stray_tracks": self.strays,
            "frames_with_a_head": self.shown,
            "followed": round(self.found / self.shown, 4),
            "wrong_of_named": round(self.wrong / max(1, self.named), 4),
        }


def judge(film: Film, watcher: Watcher, name: str, score: Score, every: int) -> None:
    """Watch every ``every``-th frame of a film and count."""
    source = open_source(str(film.path))
    last: dict[str, int | None] = {}
    here: set[str] = set()
    numbers: set[int] = set()
    for frame in EveryFrame(source):
        places = film.frames[frame.number]
        if frame.number % every:
            continue
        people, _ = watcher.see(frame.pixels, frame.time_s)
        present = {who for who, place in places.items() if place is not None}
        score.visits += len(present - here)
        for who in here - present:
            last[who] = None
        here = present
        spots = [np.array(places[who]) for who in present]
        if len(spots) > 1 and np.linalg.norm(spots[0] - spots[1]) < TOGETHER_PX:
            # one hides the other: whose box it is nobody can say, but numbers must be the old ones afterwards
            continue
        for who in present:
            person = nearest_person(people, places[who])
            score.shown += 1
            if person is None:
                continue
            score.found += 1
            score.switches += last.get(who) not in (None, person.track)
            last[who] = person.track
            numbers.add(person.track)
            if person.name is not None:
                score.named += 1
                score.wrong += (person.name == name) != (who == "own")
    score.tracks += len(numbers)
    score.looks += sum(watcher.summaries[number].looks for number in numbers)
    score.strays += watcher.track_count - len(numbers)
    source.capture.release()


def nearest_person(people: list[Person], place: tuple[float, float] | None) -> Person | None:
    """Whose box's middle is nearest to ``place``, within a third of a head."""
    assert place is not None
    gaps = [
        (float(np.hypot((one.box[0] + one.box[2]) / 2 - place[0], (one.box[1] + one.box[3]) / 2 - place[1])), one)
        for one in people
    ]
    gap, person = min(gaps, key=lambda pair: pair[0], default=(np.inf, None))
    return person if gap < HEAD_PX / 3 else None


def live(film: Film, watcher: Watcher, slowed_s: float) -> dict[str, float | int]:
    """Run a film at its own pace with a detector slowed by ``slowed_s``."""
    find = watcher.detector.detect

    def slowly(*arguments: object, **options: object) -> object:
        time.sleep(slowed_s)
        return find(*arguments, **options)  # type: ignore[arg-type]

    watcher.detector.detect = slowly  # type: ignore[method-assign,assignment]
    feed = NewestFrames(open_source(str(film.path)))
    started = time.perf_counter()
    seen = list(watch_feed(feed, watcher, live=True))
    lasted_s = time.perf_counter() - started
    return {
        "frames": len(film.frames),
        "seen": len(seen),
        "dropped": seen[-1].dropped,
        "film_s": round(len(film.frames) / FPS, 2),
        "lasted_s": round(lasted_s, 2),
        "median_delay_ms": round(statistics.median(one.delay_ms for one in seen), 1),
        "longest_delay_ms": round(max(one.delay_ms for one in seen), 1),
        "tracks": watcher.track_count,
        "recognitions": watcher.look_count,
    }


def stages(film: Film, watcher: Watcher, out: Path) -> dict[str, float | int]:
    """Median of each stage while a film is watched frame by frame and written."""
    feed = EveryFrame(open_source(str(film.path)))
    with VideoFile(out, FPS) as video:
        frames = sum(1 for _ in watch_feed(feed, watcher, video=video))
    return {"frames": frames} | {name: round(value, 2) for name, value in watcher.stages.medians_ms().items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--own", type=Path, required=True)
    parser.add_argument("--others", type=Path, required=True)
    parser.add_argument("--films", type=int, default=4, help="of each kind")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each film")
    parser.add_argument("--threads", type=int, default=available_threads())
    parser.add_argument("--detector")
    parser.add_argument("--keep", type=Path, help="folder to leave the films in; those in it are not made again")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="of films to count on")
    parser.add_argument("--every", nargs="+", type=int, default=[1, 5], help="of how many frames one is seen")
    parser.add_argument("--only", choices=["counts", "times"])
    asked = parser.parse_args()
    own, others = (sorted(path for path in folder.iterdir()) for folder in (asked.own, asked.others))
    cv2.setNumThreads(asked.threads)

    def fresh() -> Watcher:
        recognizer = Recognizer.load(asked.bundle, threads=asked.threads)
        return load_watcher(recognizer, detector=asked.detector, threads=asked.threads)

    name = Recognizer.load(asked.bundle).persons[0]
    print(json.dumps({"device": processor_name(), "threads": asked.threads, "films": asked.films}), flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        films = []
        for number in range(3 * asked.films):
            kind = KINDS[number % 3]
            three = [own[(7 * number + step) % len(own)] for step in range(3)]
            stranger = others[(97 * number + 13) % len(others)]
            path = folder / f"{kind}-{number // 3}.mp4"
            film = plan(kind, path, three, stranger, asked.seconds, number // 3)
            if not path.exists() and kind in asked.kinds:
                shoot(film, number)
            films.append(film)
        if asked.only != "times":
            for every in asked.every:
                for kind in asked.kinds:
                    score = Score()
                    for film in films:
                        if film.kind == kind:
                            judge(film, fresh(), name, score, every)
                    print(json.dumps({"kind": kind, "every": every} | score.row()), flush=True)
        if asked.only != "counts":
            crossing = films[1]
            print(json.dumps({"live": live(crossing, fresh(), 0.0)}), flush=True)
            print(json.dumps({"slowed": live(crossing, fresh(), SLOWED_S)}), flush=True)
            print(json.dumps({"stages_ms": stages(crossing, fresh(), folder / "drawn.mp4")}), flush=True)


if __name__ == "__main__":
    main()
