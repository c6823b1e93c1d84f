"""The networks whose proposals are mined: a bundle of MTCNN, or facenet-pytorch's weights.

In: a built-in name, a bundle's file, or the folder of ``pnet.pt``, ``rnet.pt``, ``onet.pt`` (or one of these files).
Out: an open cascade that stops before the network to be trained.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from ligera.deploy.augmenting.varying import model_digest
from ligera.deploy.bundle import BundleCard
from ligera.deploy.cascade.engine import rule_from_metadata
from ligera.deploy.cascade.stages import Cascade
from ligera.deploy.mining.settings import MineSettings
from ligera.deploy.opening import open_bundle
from ligera.errors import ModelError
from ligera.models.cascade import STAGE_SIDES_PX, CascadeRule
from ligera.models.mtcnn_weights import FILES, mtcnn_from_facenet
from ligera.records import Decoding, Preprocess

__all__ = ["WEIGHTS_INPUT", "OpenedCascade", "digest_of", "open_cascade", "weights_folder", "write_bundle_of"]

WEIGHTS_INPUT = Preprocess(mean=(127.5,) * 3, scale=(1 / 128,) * 3, multiple=1)
"""How facenet-pytorch's networks want their pictures."""


@dataclass(frozen=True, slots=True)
class OpenedCascade:
    """A cascade ready to propose, and how pictures are brought to the size at which it seeks."""

    cascade: Cascade
    preprocess: Preprocess

    def close(self) -> None:
        self.cascade.runtime.close()


def weights_folder(model: str) -> Path | None:
    """The folder of facenet-pytorch's weights that ``model`` means, ``None`` where it is anything else."""
    path = Path(model)
    if path.is_dir():
        return path
    return path.parent if path.name in FILES and path.is_file() else None


def digest_of(model: str | None) -> str | None:
    """SHA-256 of all that ``model`` consists of; ``None`` where there is nothing to be seen."""
    if model is None:
        return None
    folder = weights_folder(model)
    if folder is None:
        return model_digest(model)
    content = b"".join(
        hashlib.sha256((folder / name).read_bytes()).digest() for name in FILES if (folder / name).is_file()
    )
    return hashlib.sha256(content).hexdigest()


def write_bundle_of(folder: Path, path: Path) -> None:
    """facenet-pytorch's weights in ``folder`` as a bundle at ``path``, for all workers to open.

    Raises ``ModelError`` for weights that are missing or damaged, ``MissingExtra`` without torch.
    """
    nets = mtcnn_from_facenet(folder)
    from ligera.deploy.export.cascade import export_cascade

    export_cascade(nets, BundleCard("mtcnn", WEIGHTS_INPUT, Decoding()), CascadeRule(), path)


def open_cascade(model: str, settings: MineSettings) -> OpenedCascade:
    """The cascade in the bundle ``model``, on one thread, as ``settings`` want it to propose.

    More threads might sum up in another order. Raises ``ModelError`` for a model without the networks needed.
    """
    opened = open_bundle(model, threads=1)
    try:
        rule = rule_from_metadata(opened.runtime.metadata, opened.card.name)
        if rule is None:
            raise ModelError(f"{model}: is no cascade; mining needs a bundle of MTCNN, or facenet-pytorch's weights")
        stages = STAGE_SIDES_PX.index(settings.stage)
        if rule.stages < stages:
            raise ModelError(f"{model}: has P-Net alone; stage 48 is mined with P- and R-Net")
        proposing = replace(
            rule,
            stages=stages,
            scores=(settings.score,) * 3,
            level_iou=settings.nms_iou,
            proposal_iou=settings.nms_iou,
            refined_iou=settings.nms_iou,
            min_face_px=rule.min_face_px if settings.least_face_px is None else settings.least_face_px,
        )
    except BaseException:
        opened.runtime.close()
        raise
    return OpenedCascade(Cascade(opened.runtime, proposing), opened.card.preprocess)
