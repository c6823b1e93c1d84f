"""A bundle: one ONNX file whose metadata says all that is needed to feed it and to read its outputs.

The key ``ligera`` of the file's metadata holds a :class:`BundleCard` as JSON. Reading needs onnxruntime only, writing
needs onnx. The graph has one input. A detector's outputs are ``boxes`` (B, P, 4), ``scores`` (B, P, K) and, where the
network has them, ``landmarks`` (B, P, 10), raw as ``models.decode`` reads them; a classifier's is ``logits`` (B, K), a
column for each label. A layout detector's file holds three networks (``deploy.layout``) and says how they are read in a
key of its own, as does a cascade's.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ligera.deploy.onnx_package import load_onnx
from ligera.errors import ModelError
from ligera.files import write_bytes
from ligera.records import Decoding, Preprocess

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = ["FORMAT", "METADATA_KEY", "BundleCard", "card_from_metadata", "record_from_metadata", "write_bundle"]

Record = TypeVar("Record")

METADATA_KEY = "ligera"
SMALLEST_INPUT_PX, LARGEST_INPUT_PX, LARGEST_MULTIPLE_PX = 8, 16_384, 1024
# A whole picture is brought to this size, so it is far smaller than what a detector may be given.
LARGEST_CLASSIFIED_PX = 4096
LONGEST_NAME = 100
FORMAT = 1

Task = Literal["detect-faces", "detect-regions", "classify"]
# of stored weights; of arithmetic too in bf16 and int8
Precision = Literal["fp32", "fp16", "bf16", "int8"]


@dataclass(frozen=True, slots=True)
class BundleCard:
    """What a bundle says of itself.

    ``decoding`` is how a face detector's outputs are read; others have none. A classifier has a ``fixed`` input.
    ``scores`` maps a metric with its protocol, such as ``AP50 masks (native size, single scale)``, to its value.
    ``recipe_sha256`` is that of the resolved recipe and ``graph_sha256`` that of the ONNX graph without metadata, which
    ``write_bundle`` fills in; both are empty where unknown.
    """

    name: str
    preprocess: Preprocess
    decoding: Decoding | None = None
    task: Task = "detect-faces"
    labels: tuple[str, ...] = ("face",)
    precision: Precision = "fp32"
    training_data: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    licence: str = ""
    recipe_sha256: str = ""
    graph_sha256: str = ""
    ligera_version: str = ""
    format: int = FORMAT

    def __post_init__(self) -> None:
        if not self.name or not self.name.isprintable() or len(self.name) > LONGEST_NAME:
            got = f"{self.name[:LONGEST_NAME]!r}"
            raise ValueError(f"name: expected printable text of up to {LONGEST_NAME} characters, got {got}")
        if not self.labels:
            raise ValueError("labels: expected at least one")
        if (self.decoding is None) != (self.task != "detect-faces"):
            raise ValueError(f"decoding: expected {'none' if self.decoding else 'one'} for the task {self.task}")
        _check_input(self.preprocess)
        if self.task == "classify":
            _check_classes(self.labels, self.preprocess)
        elif self.preprocess.crop:
            raise ValueError("preprocess: expected no crop, which would hide what lies outside from a detector")
        if self.task == "detect-regions":
            _check_regions(self.labels, self.preprocess)

    def to_json(self) -> str:
        """The card as one line of JSON; ``card_from_json`` reads it back."""
        return json.dumps(asdict(self) | {"scores": dict(self.scores)}, ensure_ascii=False)


def _check_input(rule: Preprocess) -> None:
    """Refuse inputs that no network takes: a bundle from a stranger must not ask for all the memory there is."""
    sides = [side for side in (rule.max_side, rule.min_side, *(rule.fixed or ())) if side is not None]
    if any(not SMALLEST_INPUT_PX <= side <= LARGEST_INPUT_PX for side in sides):
        raise ValueError(f"preprocess: expected sides of {SMALLEST_INPUT_PX} to {LARGEST_INPUT_PX} px, got {sides}")
    if rule.multiple > LARGEST_MULTIPLE_PX:
        raise ValueError(f"preprocess: expected a multiple of at most {LARGEST_MULTIPLE_PX} px, got {rule.multiple}")
    if not all(map(math.isfinite, (*rule.mean, *rule.scale))):
        raise ValueError("preprocess: expected finite mean and scale")


def _check_classes(labels: tuple[str, ...], rule: Preprocess) -> None:
    if len(labels) < 2 or not all(labels):
        raise ValueError("labels: expected two or more of a classifier, each with a name")
    _check_different(labels)
    if rule.fixed is None or max(rule.fixed) > LARGEST_CLASSIFIED_PX:
        wanted = f"a fixed size of a classifier's input, at most {LARGEST_CLASSIFIED_PX} px"
        raise ValueError(f"preprocess: expected {wanted}, got {rule.fixed}")


def _check_regions(labels: tuple[str, ...], rule: Preprocess) -> None:
    """Labels become classes of files that others read; pages are prepared as the networks' levels need it."""
    # it brings OpenCV along, which no other card needs
    from ligera.data.regions import is_class_name

    wrong = next((label for label in labels if not is_class_name(label)), None)
    if wrong is not None:
        raise ValueError(f"labels: expected names of classes, got {wrong[:LONGEST_NAME]!r}")
    _check_different(labels)
    if rule.layout != "nchw" or rule.fixed is not None or rule.max_side is None:
        raise ValueError("preprocess: expected pages in nchw, of free size up to a max_side")


def _check_different(labels: tuple[str, ...]) -> None:
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise ValueError(f"labels: expected different ones, got {twice[:LONGEST_NAME]!r} more than once")


@functools.cache
def _adapter(kind: type) -> Any:
    # pydantic is imported where a card is read, not with this module, so that listing names stays quick.
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def card_from_json(text: str, where: str) -> BundleCard:
    """The card in ``text``; ``ModelError`` naming ``where`` and the first thing wrong with it."""
    from pydantic import ValidationError

    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise ModelError(f"{where}: its Ligera metadata is damaged (not JSON); export the model again") from None
    version = values.get("format") if isinstance(values, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise ModelError(
            f"{where}: is a bundle of format {version}, this Ligera reads up to {FORMAT}; run: pip install -U ligera"
        )
    try:
        return _adapter(BundleCard).validate_python(values)
    except ValidationError as error:
        reason = _first_wrong(error, "card")
        raise ModelError(f"{where}: its Ligera metadata is damaged ({reason}); export the model again") from None


def record_from_metadata(
    kind: type[Record], metadata: Mapping[str, str], key: str, where: str, called: str
) -> Record | None:
    """The record ``kind`` whose JSON the ``key`` of an ONNX file's metadata holds, ``None`` where there is no such key.

    Raises ``ModelError`` that names ``where``, what the metadata is ``called`` and the first thing wrong with it.
    """
    from pydantic import ValidationError

    text = metadata.get(key)
    if text is None:
        return None
    try:
        return _adapter(kind).validate_python(json.loads(text))
    except ValidationError as error:
        reason = _first_wrong(error, "rule")
    except ModelError as error:
        reason = str(error)
    except (ValueError, RecursionError):
        reason = "not JSON"
    raise ModelError(f"{where}: its {called} is damaged ({reason}); export the model again")


def _first_wrong(error: ValidationError, whole: str) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or whole}: {first['msg']}"


def card_from_metadata(metadata: Mapping[str, str], where: str) -> BundleCard:
    """The card among an ONNX file's custom metadata; ``ModelError`` where the file is no bundle."""
    text = metadata.get(METADATA_KEY)
    if text is None:
        raise ModelError(
            f"{where}: is an ONNX file but no Ligera bundle; export it with `ligera export`, or run another "
            "maker's detector as KIND:FILE, such as yunet:face.onnx (`ligera models` lists the kinds)"
        )
    return card_from_json(text, where)


def write_bundle(graph: bytes, card: BundleCard, path: Path, more: Mapping[str, str] | None = None) -> BundleCard:
    """Write ``graph``, a serialised ONNX model, with ``card`` in its metadata to ``path``, whole or not at all.

    ``more`` are other keys of the metadata with their text, such as a cascade's rule. Returns the card as written,
    ``graph_sha256`` and ``ligera_version`` filled in. Raises ``ModelError`` for bytes that are no ONNX model and
    ``MissingExtra`` without onnx.
    """
    from ligera import __version__

    onnx = load_onnx("writing a bundle")
    try:
        model = onnx.load_model_from_string(graph)
        onnx.checker.check_model(model)
    except Exception as error:
        raise ModelError(f"{path}: not written, the graph is no valid ONNX model ({_first_line(error)})") from None
    del model.metadata_props[:]
    model.doc_string = ""
    digest = hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()
    card = replace(card, graph_sha256=digest, ligera_version=__version__)
    onnx.helper.set_model_props(model, {METADATA_KEY: card.to_json(), **(more or {})})
    write_bytes(path, model.SerializeToString(deterministic=True))
    return card


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
