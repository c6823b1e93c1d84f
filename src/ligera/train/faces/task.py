"""The task "find faces": network, loss and validation score for the training loop."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ligera.data.faces import FaceSample, read_retinaface
from ligera.data.pictures import read_picture
from ligera.errors import RecipeError
from ligera.metrics.average_precision import average_precision, judge
from ligera.models import catalogue
from ligera.models.decode import decode
from ligera.models.preprocess import prepare
from ligera.models.priors import prior_boxes
from ligera.models.retinaface import RetinaFace
from ligera.models.specs import DetectorSpec
from ligera.records import Decoding, Detections, Picture, Preprocess, Targets
from ligera.train.checkpoint import load_into
from ligera.train.faces.calibration import fit_scores
from ligera.train.faces.loading import FaceDataset, collate, held_out_rows, read_sources
from ligera.train.faces.losses import LOSSES, FaceBatch
from ligera.train.faces.recipe import FacesRecipe
from ligera.train.faces.sheet import draw_predictions
from ligera.train.loading import loader
from ligera.train.samplers import EpochPlan, Sampler, make_sampler
from ligera.train.sampling import SampleKey
from ligera.train.task import Losses, check_batch

PREPROCESS = Preprocess(scale=(1 / 255, 1 / 255, 1 / 255))
VALIDATION_PROTOCOL = "native size, single scale"
# of the pictures kept from training: a validation is taken many times, and more of them would not change its verdict
MOST_JUDGED = 200


def card_for(model: str | DetectorSpec) -> tuple[Preprocess, Decoding]:
    """How a trained net of that catalogue name or spec is fed and read; ``UsageError`` for an unknown name."""
    spec = catalogue.find(model) if isinstance(model, str) else model
    return PREPROCESS, Decoding(spec.priors, activation="sigmoid" if spec.score_channels == 1 else "softmax")


def _check_loss(spec: DetectorSpec, recipe: FacesRecipe) -> None:
    """Each loss reads one kind of head: say so before hours are spent on the wrong one."""
    one_prior = all(len(sizes) == 1 for sizes in spec.priors.sizes)
    if recipe.loss == "quality" and (spec.score_channels != 1 or not one_prior):
        raise RecipeError(f"loss: quality needs one prior per cell and one score; {recipe.model} takes loss: multibox")
    if recipe.loss == "multibox" and spec.score_channels != 2:
        raise RecipeError(f"loss: multibox needs two scores, background and face; {recipe.model} takes loss: quality")


class FaceTask:
    """All that the loop needs to know of face detection; built from a recipe, holds the data."""

    score = "ap50"

    def __init__(self, recipe: FacesRecipe) -> None:
        self.spec = recipe.spec
        _check_loss(self.spec, recipe)
        if recipe.frozen_stages and isinstance(self.spec.backbone, str):
            raise RecipeError(
                f"frozen_stages: {self.spec.backbone} has no stages to freeze; backbones of named blocks do"
            )
        self._loss = LOSSES[recipe.loss]
        self._recipe = recipe
        self.preprocess, self.decoding = card_for(self.spec)
        samples, weights = read_sources(recipe.data)
        held = held_out_rows(samples, recipe.held_out, recipe.seed)
        self._weights = weights, held
        self.dataset = FaceDataset(samples, weights * ~held, recipe, self.spec.priors)
        self.sampler = self._sampler(weights * ~held)
        check_batch(recipe, self.sampler)
        self._priors = torch.from_numpy(np.array(prior_boxes(recipe.side_px, recipe.side_px, self.spec.priors)))
        self.validation = _decoded(recipe.validation)
        if recipe.validation is None and recipe.held_out:
            self.validation = _chosen([samples[row] for row in np.flatnonzero(held & (weights > 0))])

    def held_out(self) -> FaceTask:
        """This task over the pictures kept from its training, and none of the others; ``RecipeError`` for none."""
        weights, held = self._weights
        if not (weights * held).any():
            raise RecipeError("held_out: no picture with a weight above 0 is kept from training; make it larger")
        other = copy(self)
        other.dataset = self.dataset.weighted(weights * held)
        other.sampler = self._sampler(weights * held)
        check_batch(self._recipe, other.sampler)
        return other

    def _sampler(self, weights: np.ndarray) -> Sampler:
        recipe = self._recipe
        return make_sampler(
            recipe.sampler,
            rows=len(weights),
            weights=weights,
            samples_per_epoch=recipe.samples_per_epoch,
            seed=recipe.seed,
            epochs=recipe.epochs,
        )

    def network(self) -> nn.Module:
        network = catalogue.build(self.spec)
        if self._recipe.pretrained:
            load_into(network, self._recipe.pretrained)
        if self._recipe.frozen_stages:
            network.backbone.freeze(self._recipe.frozen_stages)
        return network

    def batches(self, _plan: EpochPlan, keys: list[list[SampleKey]], _device: torch.device) -> Iterable[FaceBatch]:
        return loader(self.dataset, keys, collate, self._recipe.workers)

    def count(self, batch: FaceBatch) -> torch.Tensor:
        """How many priors are positive here."""
        return (batch.matched >= 0).sum().float()

    def loss(self, network: nn.Module, batch: FaceBatch, count: torch.Tensor) -> Losses:
        pixels = batch.pixels.float().div_(255).contiguous(memory_format=torch.channels_last)
        priors = self._priors.to(pixels.device)
        return self._loss(network(pixels), batch, priors, self.decoding.variances, count.clamp(min=1))

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """AP at IoU 0.5 on the validation pictures at their own size, for each source folder and over all."""
        pairs = self._validate(network)
        if not pairs:
            return {}
        groups = [sample.path.parent.name for sample, _ in self.validation]
        scores = {"ap50": average_precision(pairs).ap}
        for group in sorted(set(groups)):
            part = [pair for pair, own in zip(pairs, groups, strict=True) if own == group]
            scores[f"ap50_{group}"] = average_precision(part).ap
        return {name: score for name, score in scores.items() if np.isfinite(score)}

    def finish(self, network: RetinaFace) -> dict[str, float]:
        """Move the score logits of ``network`` so that a score of 0.5 is an even chance, as far as validation can say.

        They are only moved, not stretched: sharpened scores would push weak but right detections under the low
        cuts at which detectors are compared. Returns the shift; nothing where there is nothing to learn it from.
        """
        if self.spec.score_channels != 1 or not self.validation:
            return {}
        slope, offset = fit_scores(*judge(self._validate(network)))
        network.rescale_scores(1.0, offset / slope)
        return {"score_shift": offset / slope}

    def card(self) -> dict[str, Any]:
        return {"task": "detect-faces", "labels": ["face"]}

    def draw(self, network: nn.Module, folder: Path) -> None:
        """``predictions.png``: labels and detections on some validation pictures."""
        shown = [(picture, sample.targets, self.detect(network, picture, 0.5)) for sample, picture in self._some()]
        draw_predictions(shown, folder / "predictions.png")

    def _some(self, count: int = 12) -> list[tuple[FaceSample, Picture]]:
        """Evenly chosen validation pictures."""
        last = len(self.validation) - 1
        return [self.validation[i] for i in np.linspace(0, last, min(count, last + 1)).astype(int)]

    def _validate(self, network: nn.Module) -> list[tuple[Detections, Targets]]:
        return [(self.detect(network, picture), sample.targets) for sample, picture in self.validation]

    def detect(self, network: nn.Module, picture: Picture, score: float = 0.02) -> Detections:
        """Detections of one picture through the decoding that ships."""
        batch, scale = prepare(picture.pixels, self.preprocess)
        device = next(network.parameters()).device
        with torch.inference_mode():
            raw = network(torch.from_numpy(batch).to(device).contiguous(memory_format=torch.channels_last))
        parts = {name: part[0].float().cpu().numpy() for name, part in zip(raw._fields, raw, strict=True)}
        rule = Decoding(self.spec.priors, score_threshold=score, activation=self.decoding.activation)
        size = (picture.height, picture.width)
        return decode(parts, rule, input_size=batch.shape[2:], scale=scale, original_size=size)


def _chosen(samples: list[FaceSample]) -> list[tuple[FaceSample, Picture]]:
    """At most ``MOST_JUDGED`` of ``samples`` that have faces, evenly chosen, decoded."""
    faces = [sample for sample in samples if len(sample.targets.boxes)]
    places = np.linspace(0, len(faces) - 1, min(MOST_JUDGED, len(faces))).astype(int)
    return [(faces[place], read_picture(faces[place].path)) for place in places]


def _decoded(folder: Path | None) -> list[tuple[FaceSample, Picture]]:
    if folder is None:
        return []
    samples = read_retinaface(folder, backgrounds=False).samples
    return [(sample, read_picture(sample.path)) for sample in samples]
