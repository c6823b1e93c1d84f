"""What a detector is made of, as frozen data: ``BackboneSpec`` and ``DetectorSpec``. No torch here.

Both check themselves when made and raise ``ModelError``; both turn into JSON with ``dataclasses.asdict``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from ligera.errors import ModelError, nearest
from ligera.models.names import BlockSpec, expand
from ligera.records import PriorSpec

__all__ = ["STAGE_STRIDES", "Activation", "BackboneSpec", "DetectorSpec"]

Activation = Literal["relu", "leaky_relu", "hardswish"]
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)
STAGE_STRIDES = (4, 8, 16, 32)


def _one_of(what: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        raise ModelError(
            f"{what}: expected {' or '.join(map(str, choices))}, got {value!r}{nearest(str(value), map(str, choices))}"
        )


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """Stem 3x3/2, pre-stage, optional 3x3/2 max pooling, four stages of named blocks, optional last 1x1 convolution.

    ``shortcut`` is that of each stage's first block ("conv": 1x1, after 2x2 average pooling where the stride is 2);
    later blocks keep their input as shortcut where ``identity`` is set and shapes agree. ``early`` activates stem,
    pre-stage and stages 1 and 2, ``late`` the rest. Strides of the stages' outputs are 4, 8, 16, 32 px.
    Source: paper C, 3.3.3.
    """

    first_channels: int
    stages: tuple[tuple[str, ...], ...]
    prestage: tuple[str, ...] = ()
    maxpool: bool = False
    shortcut: Literal["none", "conv"] = "none"
    identity: bool = True
    early: Activation = "relu"
    late: Activation = "relu"
    last_channels: int | None = None

    def __post_init__(self) -> None:
        _one_of("backbone: shortcut", self.shortcut, ("none", "conv"))
        _one_of("backbone: early", self.early, ACTIVATIONS)
        _one_of("backbone: late", self.late, ACTIVATIONS)
        if len(self.stages) != 4 or not all(self.stages):
            raise ModelError(f"backbone: expected four stages of at least one block, got {len(self.stages)} stages")
        if min(self.first_channels, 1 if self.last_channels is None else self.last_channels) < 1:
            raise ModelError("backbone: expected first_channels and last_channels above 0")
        if any(block.stride != 1 or block.attention for block in expand(self.prestage)):
            raise ModelError("backbone: blocks of the pre-stage have stride 1 and no SE or eSE")
        channels = ([self.first_channels] + [block.channels_out for block in expand(self.prestage)])[-1]
        for number, blocks in enumerate(self.stage_blocks(), 1):
            self._check_stage(number, blocks, channels)
            channels = blocks[-1].channels_out

    def _check_stage(self, number: int, blocks: tuple[BlockSpec, ...], channels: int) -> None:
        stride = 1 if number == 1 and self.maxpool else 2
        if blocks[0].kind == "Zero" or blocks[0].stride != stride or any(block.stride != 1 for block in blocks[1:]):
            raise ModelError(
                f"stage {number}: expected a first block of stride {stride} other than Zero, then blocks of stride 1"
            )
        if number > 2 and any(block.attention for block in blocks):
            raise ModelError(f"stage {number}: SE and eSE belong to stages 1 and 2")
        for block in blocks:
            block.check_input(channels)
            channels = block.channels_out

    def stage_blocks(self) -> tuple[tuple[BlockSpec, ...], ...]:
        """The blocks of the four stages, repetitions written out."""
        return tuple(expand(names) for names in self.stages)

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the features after each of the four stages."""
        out = [blocks[-1].channels_out for blocks in self.stage_blocks()]
        return (*out[:3], self.last_channels or out[3])


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """A RetinaFace-like detector: backbone, feature pyramid, context module per level, heads.

    ``pyramid_stages`` are the stages (1 to 4) whose features enter the pyramid and must have the priors' strides.
    ``pyramid_channels`` is one width for all levels or one per level, finest first. ``score_channels`` 2 is background
    and face for a softmax, 1 a face logit for a sigmoid. ``activation`` is that of pyramid and context.
    """

    backbone: BackboneSpec | Literal["resnet50"]
    pyramid_stages: tuple[int, ...] = (2, 3, 4)
    pyramid_channels: int | tuple[int, ...] = 64
    context: Literal["ssh", "conv", "none"] = "ssh"
    priors: PriorSpec = field(default_factory=PriorSpec)
    score_channels: Literal[1, 2] = 2
    activation: Activation = "leaky_relu"

    def __post_init__(self) -> None:
        stages = self.pyramid_stages
        if not stages or any(stage not in (1, 2, 3, 4) for stage in stages):
            raise ModelError(f"pyramid_stages: expected stages from 1 to 4, got {stages}")
        if stages != tuple(range(stages[0], stages[-1] + 1)):
            raise ModelError(f"pyramid_stages: expected neighbours in rising order, got {stages}")
        strides = tuple(STAGE_STRIDES[stage - 1] for stage in stages)
        if self.priors.strides != strides:
            raise ModelError(f"priors: expected strides {strides} as the pyramid has, got {self.priors.strides}")
        if not all(self.priors.sizes):
            raise ModelError("priors: expected at least one size per level")
        _one_of("score_channels", self.score_channels, (1, 2))
        _one_of("context", self.context, ("ssh", "conv", "none"))
        _one_of("activation", self.activation, ACTIVATIONS)
        widths = self.level_channels
        if len(widths) != len(stages):
            raise ModelError(
                f"pyramid_channels: expected one number, or {len(stages)} as there are levels, got {widths}"
            )
        if min(widths) < 1 or (self.context == "ssh" and any(width % 4 for width in widths)):
            raise ModelError(f"pyramid_channels: the context needs numbers that 4 divides, got {widths}")
        if isinstance(self.backbone, str) and self.backbone != "resnet50":
            raise ModelError(f"backbone: expected a BackboneSpec or 'resnet50', got {self.backbone!r}")

    @property
    def level_channels(self) -> tuple[int, ...]:
        """Channels of each pyramid level, finest first."""
        one_width = isinstance(self.pyramid_channels, int)
        return (self.pyramid_channels,) * len(self.pyramid_stages) if one_width else self.pyramid_channels
