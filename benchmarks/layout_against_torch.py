"""A layout detector as a bundle beside the torch network it came from: the same weights and pages, and how fast?

Both sides live in one process with ``--threads`` threads and take turns, page by page; the one that begins alternates.
Torch's side is torchvision's Mask R-CNN as it stands, from a decoded page to its masks pasted at full size; ours is
``Detector.detect``, from the same page to outlines. Printed: seconds of each side (on the clock, and of processor time,
which other work on the machine disturbs less) and the ratio of medians, torch's over ours, with its 90 % interval by
resampling turns. Without ``--weights`` they are random and each page is given as many regions as ``--regions`` says,
so that both sides draw as many masks as a real page has.

Run: python benchmarks/layout_against_torch.py --pages DIR/manuscripts/val/images --model layout-small --threads 2
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

# Torch's threads wait for each other spinning, which on a machine with other work costs them many times their time.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import cv2
import numpy as np
import torch

from ligera.boxes import iou
from ligera.data.pictures import read_picture
from ligera.deploy.detector import Detector
from ligera.deploy.export.layout import card_of, export_layout
from ligera.models.layout_catalogue import LAYOUT_DETECTORS, build_layout, find_layout
from ligera.models.preprocess import input_size

SIDES = ("torch", "ligera")
PAUSE_S = 0.2  # threads of either side spin for a while after their work; the other must not pay for it
SCORE = 0.05
SAME_IOU = 0.98


def main() -> None:
    options = parsed()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    pages = [read_picture(path).pixels for path in sorted(options.pages.glob("*.jpg"))[: options.count]]
    if not pages:
        raise SystemExit(f"{options.pages}: no .jpg pages in there")
    net = network(options)
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "layout.onnx"
        labels = tuple(f"class {number}" for number in range(1, net.spec.classes + 1))
        exported = export_layout(net, card_of(net.spec, options.model, labels), bundle, score=SCORE)
        with Detector.load(bundle, threads=options.threads) as detector:
            sides = {"torch": lambda page: torch_finds(net, page), "ligera": lambda page: detector.detect(page).boxes}
            same, found = agreement(sides, pages)
            clock, work = take_turns(sides, pages, options.turns)
    print(f"{options.model}, {exported.size_bytes / 1e6:.1f} MB, {options.threads} threads, {len(pages)} pages")
    size = f"long side at most {net.spec.preprocess.max_side} px"
    print(f"{size}, {found / len(pages):.0f} regions a page, {same} of {found} as torch's")
    print(f"load of the machine {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, n {len(clock)} turns of each side")
    print(said("clock", clock))
    print(said("processor", work))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=Path, required=True, help="folder of .jpg pages")
    parser.add_argument("--model", choices=list(LAYOUT_DETECTORS), default="layout-small", help="name of the network")
    parser.add_argument("--weights", type=Path, help="safetensors of a trained one of three classes; random without")
    parser.add_argument("--regions", type=int, default=40, help="regions on a page, of random weights")
    parser.add_argument("--count", type=int, default=6, help="this many of the pages")
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def network(options: argparse.Namespace) -> Any:
    spec = find_layout(options.model)
    torch.manual_seed(0)
    if options.weights is None:
        net = build_layout(replace(spec, decoding=replace(spec.decoding, max_detections=options.regions))).eval()
        with torch.no_grad():
            # scores far apart, as rounding would decide which of equal ones are kept
            net.rpn.head.cls_logits.weight.mul_(30)
            net.roi_heads.box_predictor.cls_score.weight.mul_(30)
        return net
    from safetensors.torch import load_file

    net = build_layout(spec)
    net.load_state_dict(load_file(options.weights))
    return net.eval()


@torch.no_grad()
def torch_finds(net: Any, page: np.ndarray) -> np.ndarray:
    """Boxes ``(N, 4)`` px of the page; masks are pasted and cut at one half on the way."""
    height, width = page.shape[:2]
    rows, columns = input_size(height, width, net.spec.preprocess)
    shown = cv2.resize(page, (columns, rows), interpolation=cv2.INTER_AREA)
    images, _ = net.transform([torch.from_numpy(shown).permute(2, 0, 1).float() / 255])
    features = net.backbone(images.tensors)
    proposals, _ = net.rpn(images, features)
    net.roi_heads.score_thresh = SCORE
    found, _ = net.roi_heads(features, proposals, images.image_sizes)
    (result,) = net.transform.postprocess(found, images.image_sizes, [(height, width)])
    _ = result["masks"] > 0.5
    return result["boxes"].numpy()


def agreement(sides: dict[str, Callable[[np.ndarray], np.ndarray]], pages: list[np.ndarray]) -> tuple[int, int]:
    """How many of our regions are torch's too, and how many there are; the turn that warms both sides up."""
    same = found = 0
    for page in pages:
        theirs, ours = (sides[name](page) for name in SIDES)
        found += len(ours)
        if len(ours) and len(theirs):
            same += int((iou(ours, theirs).max(axis=1) > SAME_IOU).sum())
    return same, found


def take_turns(
    sides: dict[str, Callable[[np.ndarray], np.ndarray]], pages: list[np.ndarray], turns: int
) -> tuple[np.ndarray, np.ndarray]:
    """Seconds ``(turns, 2)`` on the clock and of processor time, in the order of ``SIDES``."""
    clock, work = np.zeros((turns, 2)), np.zeros((turns, 2))
    for turn in range(turns):
        for side in (0, 1) if turn % 2 else (1, 0):
            time.sleep(PAUSE_S)
            started, worked = time.perf_counter(), time.process_time()
            sides[SIDES[side]](pages[turn % len(pages)])
            clock[turn, side] = time.perf_counter() - started
            work[turn, side] = time.process_time() - worked
    return clock, work


def said(what: str, seconds: np.ndarray) -> str:
    theirs, ours = np.median(seconds, axis=0)
    drawn = seconds[np.random.default_rng(0).integers(0, len(seconds), (2000, len(seconds)))]
    middles = np.median(drawn, axis=1)
    low, high = np.quantile(middles[:, 0] / middles[:, 1], [0.05, 0.95])
    ratio = f"ratio of medians {theirs / ours:.2f} ({low:.2f} to {high:.2f})"
    return f"{what}: torch {theirs:.3f} s, ligera {ours:.3f} s; {ratio}"


if __name__ == "__main__":
    main()
