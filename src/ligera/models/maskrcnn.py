"""torchvision's Mask R-CNN with a feature pyramid around the backbones of paper B.

In training: pictures, a list of ``(3, H, W)`` float tensors in 0 to 1, and targets, a list of dictionaries with
``boxes`` (N, 4) px, ``labels`` (N,) int64 from 1 on (0 is background) and ``masks`` (N, H, W) uint8 -> a dictionary of
losses. In eval: pictures -> a list of dictionaries ``boxes, labels, scores, masks`` (N, 1, H, W) of probabilities, in
px of each picture. Those two types are torchvision's and its users'; everything that ships goes through ``deploy``.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNN, MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.transform import GeneralizedRCNNTransform, resize_boxes
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.poolers import LevelMapper

from ligera.models.anchors import cell_anchors
from ligera.models.backbones.resnet import ResNet
from ligera.models.backbones.vovnet import VoVNet
from ligera.models.layout_specs import LEVEL_STRIDES, MaskRCNNSpec, RegionDecoding, ResNetSpec, VoVNetSpec
from ligera.models.preprocess import input_size
from ligera.records import Preprocess

__all__ = ["BackboneWithPyramid", "BoundedInput", "build_backbone", "build_maskrcnn"]

CANONICAL_LEVEL = 4
LEVEL_NAMES = tuple(str(level) for level in range(len(LEVEL_STRIDES)))


def build_backbone(spec: ResNetSpec | VoVNetSpec) -> ResNet | VoVNet:
    """The backbone of ``spec`` with random weights: ``(B, 3, H, W)`` -> features at strides 4, 8, 16 and 32 px."""
    return ResNet(spec) if isinstance(spec, ResNetSpec) else VoVNet(spec)


class BackboneWithPyramid(nn.Module):
    """Backbone and pyramid: ``(B, 3, H, W)`` -> four maps of one width by name, "0" at stride 4 to "3" at 32."""

    def __init__(self, spec: MaskRCNNSpec) -> None:
        super().__init__()
        self.body = build_backbone(spec.backbone)
        norm = nn.BatchNorm2d if spec.pyramid_norm else None
        self.fpn = FeaturePyramidNetwork(list(self.body.channels), spec.pyramid_channels, norm_layer=norm)
        self.out_channels = spec.pyramid_channels

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return self.fpn(OrderedDict(zip(LEVEL_NAMES, self.body(x), strict=True)))


class BoundedInput(GeneralizedRCNNTransform):
    """Pictures in 0 to 1 -> one padded batch as ``rule`` says; pictures already within its bounds keep their size.

    torchvision's own would bring every picture to one size without smoothing it, which thin staff lines don't survive.
    """

    def __init__(self, rule: Preprocess) -> None:
        super().__init__(1, 1, list(rule.mean), list(rule.scale), size_divisible=rule.multiple)
        self.rule = rule

    def normalize(self, image: Tensor) -> Tensor:
        mean, scale = (image.new_tensor(values)[:, None, None] for values in (self.rule.mean, self.rule.scale))
        return (image * 255 - mean) * scale

    def resize(self, image: Tensor, target: dict[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor] | None]:
        before = tuple(image.shape[-2:])
        after = input_size(*before, self.rule)
        if before == after:
            return image, target
        image = functional.interpolate(image[None], after, mode="bilinear", antialias=True)[0]
        if target is not None:
            target["boxes"] = resize_boxes(target["boxes"], before, after)
            if "masks" in target:
                masks = functional.interpolate(target["masks"][:, None].float(), after, mode="nearest-exact")
                target["masks"] = masks[:, 0].byte()
        return image, target


def _anchor_generator(rule: RegionDecoding) -> AnchorGenerator:
    levels, each = len(rule.anchors), len(rule.anchors[0])
    # Made with as many anchors as there will be, then given ours, which are no product of sizes and ratios.
    generator = AnchorGenerator(((1.0,),) * levels, ((1.0,) * each,) * levels)
    generator.cell_anchors = [torch.from_numpy(cell_anchors(sides)) for sides in rule.anchors]
    return generator


def _pooler(side: int, rule: RegionDecoding) -> MultiScaleRoIAlign:
    pooler = MultiScaleRoIAlign(
        list(LEVEL_NAMES), side, rule.samples, canonical_scale=rule.canonical_px, canonical_level=CANONICAL_LEVEL
    )
    # Left alone it guesses the strides from the first batch it sees, for ever, and a tiny first picture misleads it.
    pooler.scales = [1 / stride for stride in LEVEL_STRIDES]
    finest = CANONICAL_LEVEL - 2
    pooler.map_levels = LevelMapper(finest, finest + len(LEVEL_STRIDES) - 1, rule.canonical_px, CANONICAL_LEVEL)
    return pooler


def build_maskrcnn(spec: MaskRCNNSpec) -> MaskRCNN:
    """The network of ``spec`` with random weights; its ``spec`` goes with it as an attribute."""
    rule, channels = spec.decoding, spec.pyramid_channels
    net = MaskRCNN(
        BackboneWithPyramid(spec),
        rpn_anchor_generator=_anchor_generator(rule),
        rpn_pre_nms_top_n_train=spec.train_candidates,
        rpn_pre_nms_top_n_test=rule.candidates,
        rpn_post_nms_top_n_train=spec.train_proposals,
        rpn_post_nms_top_n_test=rule.proposals,
        rpn_nms_thresh=rule.proposal_iou,
        rpn_batch_size_per_image=spec.anchor_samples,
        box_roi_pool=_pooler(rule.box_pool, rule),
        box_head=TwoMLPHead(channels * rule.box_pool**2, spec.box_channels),
        box_predictor=FastRCNNPredictor(spec.box_channels, spec.classes + 1),
        box_score_thresh=rule.score_threshold,
        box_nms_thresh=rule.nms_iou,
        box_detections_per_img=rule.max_detections,
        box_batch_size_per_image=spec.box_samples,
        mask_roi_pool=_pooler(rule.mask_pool, rule),
        mask_head=MaskRCNNHeads(channels, [spec.mask_channels] * spec.mask_layers, dilation=1),
        mask_predictor=MaskRCNNPredictor(spec.mask_channels, spec.mask_channels, spec.classes + 1),
    )
    net.transform = BoundedInput(spec.preprocess)
    net.spec = spec
    return net
