"""The task "one of MTCNN's networks": its crops, its loss and its validation scores for the training loop."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from ligera.data.crops import CropSet
from ligera.models.cascade import CascadeRule
from ligera.train.mtcnn.crop_parts import crop_parts, mined_from, row_weights
from ligera.train.mtcnn.loading import LANDMARK, NEGATIVE, PART, POSITIVE, CropBatch, CropsOnDevice
from ligera.train.mtcnn.losses import mtcnn_losses, term_counts
from ligera.train.mtcnn.networks import PREPROCESS, side_px_of, stage_of, trained_net
from ligera.train.mtcnn.recipe import MtcnnRecipe
from ligera.train.mtcnn.scores import box_overlaps, mean_distance, ranking_precision
from ligera.train.mtcnn.sheet import draw_crops
from ligera.train.samplers import EpochPlan, make_sampler
from ligera.train.sampling import SampleKey
from ligera.train.task import Losses, check_batch

EVALUATION_BATCH = 512


class CropAnswers(NamedTuple):
    """A network's for each crop: ``scores (N,)`` from 0 to 1, ``boxes (N, 4)`` as crops carry them, ``landmarks``."""

    scores: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray


class MtcnnTask:
    """All that the loop needs to know of P-, R- or O-Net; built from a recipe, holds the crops."""

    score = "ap"

    def __init__(self, recipe: MtcnnRecipe) -> None:
        self._recipe = recipe
        self.training, self.validation = crop_parts(recipe)
        self.sampler = make_sampler(
            recipe.sampler,
            rows=len(self.training),
            weights=row_weights(self.training.kinds, recipe.mix),
            samples_per_epoch=recipe.samples_per_epoch,
            seed=recipe.seed,
            epochs=recipe.epochs,
        )
        check_batch(recipe, self.sampler)
        self._held: dict[str, CropsOnDevice] = {}

    def network(self) -> nn.Module:
        return trained_net(self._recipe.net)

    def batches(self, plan: EpochPlan, keys: list[list[SampleKey]], device: torch.device) -> Iterable[CropBatch]:
        if not keys:
            return ()
        held = self._on(device, "training", self.training)
        return held.varied(keys, self._recipe.augment, len(plan.rows), self._recipe.seed, keys[0][0].epoch)

    def count(self, batch: CropBatch) -> torch.Tensor:
        return term_counts(batch.kinds, self._recipe.hard_examples)

    def loss(self, network: nn.Module, batch: CropBatch, count: torch.Tensor) -> Losses:
        return mtcnn_losses(network(batch.pixels), batch, count, self._recipe.weights, self._recipe.hard_examples)

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Of the validation crops: average precision and accuracy of positives against negatives, what passes at the
        score that the cascade asks for, mean IoU of boxes and mean distance of points (in sides of the crop)."""
        answers, crops = self.answers(network), self.validation
        positive, negative = (answers.scores[crops.kinds == kind] for kind in (POSITIVE, NEGATIVE))
        least = CascadeRule().scores[stage_of(self._recipe.net)]
        boxed, pointed = np.isin(crops.kinds, (POSITIVE, PART)), crops.kinds == LANDMARK
        scores = {
            "ap": ranking_precision(positive, negative),
            "accuracy": float(np.concatenate([positive >= 0.5, negative < 0.5]).mean()),
            "recall": float((positive >= least).mean()),
            "false_alarms": float((negative >= least).mean()),
            "box_iou": _mean(box_overlaps(answers.boxes[boxed], crops.boxes[boxed])),
            "landmark_distance": mean_distance(answers.landmarks[pointed], crops.landmarks[pointed]),
        }
        return {name: score for name, score in scores.items() if np.isfinite(score)}

    def finish(self, network: nn.Module) -> dict[str, float]:
        """``box_iou_before``: what the mean IoU of the validation crops is where no network moves them."""
        boxes = self.validation.boxes[np.isin(self.validation.kinds, (POSITIVE, PART))]
        before = _mean(box_overlaps(np.zeros_like(boxes), boxes))
        return {"box_iou_before": before} if np.isfinite(before) else {}

    def card(self) -> dict[str, Any]:
        """What its bundle must know, and how many crops of each kind there were."""
        return {
            "task": "detect-faces",
            "labels": ["face"],
            "net": self._recipe.net,
            "side_px": side_px_of(self._recipe.net),
            "mean": list(PREPROCESS.mean),
            "scale": list(PREPROCESS.scale),
            "mined_from": mined_from(self._recipe.data),
            "crops": {
                "training": self.training.counts(),
                "validation": self.validation.counts(),
            },
        }

    def draw(self, network: nn.Module, folder: Path) -> None:
        """``crops.png``: the worst false alarms and misses, and some boxes and points."""
        draw_crops(self.validation, *self.answers(network), folder / "crops.png")

    def answers(self, network: nn.Module) -> CropAnswers:
        """What ``network`` says of the validation crops, unvaried."""
        device = next(network.parameters()).device
        held = self._on(device, "validation", self.validation)
        network.eval()
        scores, boxes, landmarks = [], [], []
        with torch.inference_mode():
            for pixels in held.plain(EVALUATION_BATCH):
                raw = network(pixels)
                scores.append(raw.scores[:, 0].float().softmax(1)[:, 1].cpu())
                boxes.append(held.answered(raw.boxes[:, 0].float()).cpu())
                landmarks.append(raw.landmarks[:, 0].float().cpu())
        return CropAnswers(*(torch.cat(parts).numpy() for parts in (scores, boxes, landmarks)))

    def _on(self, device: torch.device, part: str, crops: CropSet) -> CropsOnDevice:
        if part not in self._held:
            self._held[part] = CropsOnDevice(crops, self._recipe.net, device)
        return self._held[part]


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
