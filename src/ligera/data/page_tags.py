"""How tags of PAGE XML regions become classes and back: the mapping that a recipe gives.

In: a mapping from selectors to class names. A selector is one of

- ``MusicRegion``: every region of that element (also ``TextLine`` and ``TableCell``, which count only if selected);
- ``TextRegion:drop-capital``: of that element and type; ``*:drop-capital``: of that type, whatever the element. A type
  is the ``type`` attribute, or the structure type that tools keep in ``custom`` for what that may not say;
- ``custom:structure{type:drop-capital}``: any region whose ``custom`` attribute says so, in any group and key; after an
  element as in ``TextRegion:custom:structure{type:lyrics}`` only such elements.

The most specific selector that fits decides (custom before type before element, and an element before ``*``), the
first one among equals. A class of ``None`` leaves its regions out on purpose. Out: for a region its class; for a class
the tag to write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ligera.data.regions import is_class_name
from ligera.errors import RecipeError, nearest

__all__ = ["ELEMENTS", "LINE_ELEMENTS", "Tag", "TagMap", "default_tag", "parse_custom"]

ELEMENTS = (
    "TextRegion",
    "MusicRegion",
    "GraphicRegion",
    "ImageRegion",
    "LineDrawingRegion",
    "TableRegion",
    "ChartRegion",
    "MapRegion",
    "SeparatorRegion",
    "MathsRegion",
    "ChemRegion",
    "AdvertRegion",
    "NoiseRegion",
    "UnknownRegion",
    "CustomRegion",
)
LINE_ELEMENTS = ("TextLine", "TableCell")
# The words that the schema of 2019 allows as ``type`` attribute; only a CustomRegion may say anything.
_TYPES = {
    "TextRegion": (
        "paragraph",
        "heading",
        "caption",
        "header",
        "footer",
        "page-number",
        "drop-capital",
        "credit",
        "floating",
        "signature-mark",
        "catch-word",
        "marginalia",
        "footnote",
        "footnote-continued",
        "endnote",
        "TOC-entry",
        "list-label",
        "other",
    ),
    "GraphicRegion": (
        "logo",
        "letterhead",
        "decoration",
        "frame",
        "handwritten-annotation",
        "stamp",
        "signature",
        "barcode",
        "paper-grow",
        "punch-hole",
        "other",
    ),
    "ChartRegion": ("bar", "line", "pie", "scatter", "surface", "other"),
}
_USUAL_ELEMENTS = {"staff": "MusicRegion", "music": "MusicRegion", "lyrics": "TextRegion", "text": "TextRegion"}
_SELECTOR = re.compile(r"(?:(?P<element>\w+|\*)(?::(?!custom:)(?P<type>.+))?)?\Z")
_CUSTOM = re.compile(r"(?:(?P<element>\w+|\*):)?custom:(?P<group>[^\s{}:]+)\{(?P<key>[^{}:]+):(?P<value>[^{}]+)\}\Z")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_TO_ESCAPE = re.compile(r"[\\{};:\s]")


@dataclass(frozen=True, slots=True)
class Tag:
    """What a region of a PAGE XML file is called: its element, ``type`` attribute and ``custom`` groups."""

    element: str
    type: str | None = None
    custom: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()

    @property
    def structure(self) -> str | None:
        """The structure type in ``custom``, as Transkribus and others write it."""
        return next((v for group, pairs in self.custom if group == "structure" for k, v in pairs if k == "type"), None)

    def says(self, group: str, key: str, value: str) -> bool:
        return any(group == own and (key, value) in pairs for own, pairs in self.custom)

    def __str__(self) -> str:
        """The selector that names it: ``TextRegion:lyrics``."""
        kind = self.structure or self.type
        return f"{self.element}:{kind}" if kind else self.element

    @property
    def own_name(self) -> str:
        """Its class where no mapping says otherwise: the structure type, or else the selector."""
        return self.structure or str(self)

    @property
    def custom_text(self) -> str:
        """The ``custom`` attribute: ``structure {type:lyrics;}``; letters with a meaning there become ``\\uXXXX``."""
        groups = (f"{group} {{{''.join(f'{k}:{_escaped(v)};' for k, v in pairs)}}}" for group, pairs in self.custom)
        return " ".join(groups)


@dataclass(frozen=True, slots=True)
class _Selector:
    element: str | None
    type: str | None
    custom: tuple[str, str, str] | None

    @property
    def rank(self) -> tuple[bool, bool, bool]:
        return self.custom is not None, self.type is not None, self.element is not None

    def fits(self, tag: Tag) -> bool:
        if self.element is not None and self.element != tag.element:
            return False
        if self.type is not None and self.type not in (tag.type, tag.structure):
            return False
        return self.custom is None or tag.says(*self.custom)


class TagMap:
    """Selectors of a recipe, parsed; raises ``RecipeError`` for one that is none, with the nearest element."""

    def __init__(self, mapping: Mapping[str, str | None]) -> None:
        if not mapping:
            raise RecipeError("tags: expected selectors and their classes, for example MusicRegion: staff")
        parsed = [(_parsed(text), _class_name(text, name)) for text, name in mapping.items()]
        # Sorting is stable, so the first stays first among equals.
        self._selectors = sorted(parsed, key=lambda pair: pair[0].rank, reverse=True)
        self.names = tuple(dict.fromkeys(name for _, name in parsed if name is not None))

    def find(self, tag: Tag) -> tuple[Literal[True], str | None] | tuple[Literal[False], None]:
        """Whether any selector fits, and the class that the most specific one gives."""
        for selector, name in self._selectors:
            if selector.fits(tag):
                return True, name
        return False, None

    def tag(self, name: str) -> Tag:
        """A tag that reads back as class ``name``; raises ``RecipeError`` where the mapping has none."""
        # A cell stands only in tables of older files; a line is written inside a region of its own.
        writable = (*ELEMENTS, "TextLine", None)
        own = [s for s, given in self._selectors if given == name and s.element in writable]
        for selector in own:
            tag = _tag_of(selector)
            if self.find(tag) == (True, name):
                return tag
        wrong = "others overrule its selectors" if own else "no selector that can be written gives it"
        raise RecipeError(f"tags: no region of class {name!r} can be written, as {wrong}{nearest(name, self.names)}")


def default_tag(name: str) -> Tag:
    """The tag for a class that no mapping knows: an element of its kind, and its name as structure type."""
    element, _, kind = name.partition(":")
    structure = (("structure", (("type", name),)),)
    if element in ELEMENTS and (not kind or _may_say(element, kind)):
        return Tag(element, kind or None)
    if name in _USUAL_ELEMENTS:
        return Tag(_USUAL_ELEMENTS[name], None, structure)
    if name in _TYPES["TextRegion"]:
        return Tag("TextRegion", name, structure)
    return Tag("CustomRegion", name, structure)


def parse_custom(text: str | None) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """``readingOrder {index:0;} structure {type:lyrics;}`` -> groups and their pairs; what does not fit is skipped."""
    groups = []
    # By splitting, since a pattern would go over a long attribute of a stranger again and again.
    for part in (text or "").split("}")[:-1]:
        head, brace, body = part.partition("{")
        words = head.split()
        if brace and words:
            pairs = (pair.partition(":") for pair in body.split(";"))
            known = ((key.strip(), _unescaped(value.strip())) for key, colon, value in pairs if colon)
            groups.append((words[-1], tuple((key, value) for key, value in known if is_class_name(value))))
    return tuple(groups)


def _parsed(text: str) -> _Selector:
    text = str(text).strip()
    if match := _CUSTOM.match(text):
        custom = match["group"], match["key"].strip(), _unescaped(match["value"].strip().removesuffix(";"))
        return _Selector(_element(match["element"], text), None, custom)
    match = _SELECTOR.match(text)
    if not text or not match:
        raise RecipeError(
            f"tags: {text[:60]!r} selects nothing; expected Element, Element:type or custom:group{{key:value}}"
        )
    kind = match["type"]
    if match["element"] == "*" and kind is None:
        raise RecipeError("tags: '*' alone would select everything; expected *:type")
    return _Selector(_element(match["element"], text), kind, None)


def _element(name: str | None, text: str) -> str | None:
    known = (*ELEMENTS, *LINE_ELEMENTS)
    if name in (None, "*"):
        return None
    # Files of later or older versions have elements of their own, all of which end like this.
    if name not in known and not name.endswith("Region"):
        raise RecipeError(f"tags: {text[:60]!r}: PAGE XML has no element {name!r}{nearest(name, known)}")
    return name


def _class_name(text: str, name: str | None) -> str | None:
    if name is not None and not is_class_name(name):
        raise RecipeError(f"tags: {text[:60]!r}: expected the name of a class, or null to leave such regions out")
    return name


def _may_say(element: str, kind: str) -> bool:
    return element == "CustomRegion" or kind in _TYPES.get(element, ())


def _tag_of(selector: _Selector) -> Tag:
    """The plainest tag that the selector fits."""
    kind = selector.type
    if selector.custom is not None:
        group, key, value = selector.custom
        custom = ((group, ((key, value),)),)
        kind = value if (group, key) == ("structure", "type") else None
    else:
        custom = (("structure", (("type", kind),)),) if kind else ()
    element = selector.element or ("TextRegion" if kind and _may_say("TextRegion", kind) else "CustomRegion")
    return Tag(element, kind if kind and _may_say(element, kind) else None, custom)


def _escaped(value: str) -> str:
    return _TO_ESCAPE.sub(lambda match: f"\\u{ord(match[0]):04x}", value)


def _unescaped(value: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value)
