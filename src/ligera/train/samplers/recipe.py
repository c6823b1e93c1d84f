"""The recipe of a sampler: its kind and the options of that kind, spelled out with their defaults."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from ligera.typed_yaml import Frozen

# Those of the papers: dynamic training's best run, InfoBatch's standard setting.
DEFAULTS: dict[str, dict[str, Any]] = {
    "full": {},
    "static": {"alpha": 0.5},
    "dynamic": {"alpha": 0.5, "beta": 0.7, "delta": 0.01, "design": "base"},
    "rs2": {"alpha": 0.5, "replacement": False},
    "infobatch": {"prune": 0.5, "anneal": 0.125},
}
VARIANT_DEFAULTS = {"gamma": 0.97}


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"expected a number, got {value}")
    return value


Number = Annotated[float, BeforeValidator(_number)]


class SamplerRecipe(Frozen):
    """Which samples an epoch shows; the name of a kind alone stands for that kind with its defaults.

    - ``full``: all of them.
    - ``static``: the same random part ``alpha`` in every epoch.
    - ``dynamic``: a part ``alpha``; after an epoch whose score changed by less than ``delta`` a share ``beta`` of it is
      replaced. ``design: variant`` goes back to the best part so far while the score creeps up, replacing
      ``gamma ** epoch * beta`` of it.
    - ``rs2``: another random part ``alpha`` in every epoch; with ``replacement``, chosen without regard to the last.
    - ``infobatch``: all but a share ``prune`` of those with a small loss; all in the last share ``anneal`` of epochs.

    ``alpha`` up to 1 is a share of the samples, above 1 a count of them.
    """

    kind: Literal["full", "static", "dynamic", "rs2", "infobatch"] = "full"
    alpha: Number | None = Field(None, gt=0, le=1e9)
    beta: Number | None = Field(None, ge=0, le=1)
    delta: Number | None = Field(None, ge=0, le=1)
    design: Literal["base", "variant"] | None = None
    gamma: Number | None = Field(None, gt=0, le=1)
    replacement: bool | None = None
    prune: Number | None = Field(None, ge=0, lt=1)
    anneal: Number | None = Field(None, ge=0, le=1)

    @model_validator(mode="before")
    @classmethod
    def _spelled_out(cls, values: Any) -> Any:
        """The options of its kind filled in, those of other kinds refused."""
        if isinstance(values, str):
            values = {"kind": values}
        kind = values.get("kind", "full") if isinstance(values, dict) else None
        if not isinstance(kind, str) or kind not in DEFAULTS:
            return values  # what is wrong with it is said by the fields
        own = DEFAULTS[kind]
        if kind == "dynamic" and values.get("design") == "variant":
            own = own | VARIANT_DEFAULTS
        given = {name: value for name, value in values.items() if value is not None}
        for name in given:
            if name in cls.model_fields and name != "kind" and name not in own:
                raise ValueError(_misplaced(name, kind))
        return {"kind": kind, **own, **given}

    @model_validator(mode="after")
    def _a_count_is_whole(self) -> SamplerRecipe:
        if self.alpha is not None and self.alpha > 1 and self.alpha != int(self.alpha):
            raise ValueError(f"alpha: expected a share up to 1 or a whole count above it, got {self.alpha:g}")
        return self

    @model_serializer(mode="wrap")
    def _only_its_own(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in write(self).items() if value is not None}


def _misplaced(name: str, kind: str) -> str:
    if name in VARIANT_DEFAULTS:
        place = "design: variant of kind: dynamic"
        return f"{name}: belongs to {place}; leave it out{' or set that design' if kind == 'dynamic' else ''}"
    places = " or ".join(other for other, options in DEFAULTS.items() if name in options)
    return f"{name}: belongs to kind: {places}, not to kind: {kind}; leave it out or change the kind"
