"""Damage that fits any file: bytes cut, flipped, zeroed, moved; and words and values that no parser hopes for.

In: good content and a generator. Out: content that is nearly good, so that it gets past the door and into the readers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["WORDS", "any_of", "damaged", "damaged_lines", "damaged_values"]

# Numbers, almost numbers and names that annotation files could hold by accident or malice.
WORDS = (
    "nan inf -inf -1 -0 0 1e999 -1e308 1e-320 1_000 0x10 ² ٣ １２ 1,5 1;2 +-3 .5. 9999999999999999999999 true None # "
    "## -- / ../../etc/passwd /dev/zero a.jpg %s {0} \\ \x00 \x1b[31m \u202e \ufeff 𝟜 é " + "9" * 400 + " " + "x" * 5000
).split(" ")


def any_of(random: np.random.Generator, choices: Sequence[Any]) -> Any:
    """One of ``choices``, whatever they are made of."""
    return choices[int(random.integers(len(choices)))]


def _cut(content: bytes, random: np.random.Generator) -> bytes:
    return content[: int(random.integers(len(content) + 1))]


def _flip(content: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for place in random.integers(len(content), size=int(any_of(random, (1, 2, 8, 64)))):
        changed[place] ^= 1 << int(random.integers(8))
    return bytes(changed)


def _flip_early(content: bytes, random: np.random.Generator) -> bytes:
    """Headers stand in front and are a small part of most files, so they get a kind of their own."""
    head = _flip(content[:64], random)
    return head + content[64:]


def _zero(content: bytes, random: np.random.Generator) -> bytes:
    start, end = sorted(random.integers(len(content) + 1, size=2))
    return content[:start] + bytes(int(end - start)) + content[end:]


def _noise(content: bytes, random: np.random.Generator) -> bytes:
    start = int(random.integers(len(content)))
    garbage = random.bytes(int(random.integers(1, 32)))
    return content[:start] + garbage + content[start + len(garbage) :]


def _insert(content: bytes, random: np.random.Generator) -> bytes:
    place = int(random.integers(len(content) + 1))
    return content[:place] + random.bytes(int(random.integers(1, 32))) + content[place:]


def _remove(content: bytes, random: np.random.Generator) -> bytes:
    place = int(random.integers(len(content)))
    return content[:place] + content[place + int(random.integers(1, 64)) :]


def _repeat(content: bytes, random: np.random.Generator) -> bytes:
    start, end = sorted(random.integers(len(content) + 1, size=2))
    return content[:end] + content[start:end] * int(any_of(random, (1, 3, 20))) + content[end:]


_KINDS: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    _cut,
    _flip,
    _flip_early,
    _zero,
    _noise,
    _insert,
    _remove,
    _repeat,
)


def damaged(content: bytes, random: np.random.Generator) -> bytes:
    """``content`` with one to three kinds of damage."""
    for _ in range(int(random.integers(1, 4))):
        if content:
            content = any_of(random, _KINDS)(content, random)
    return content


def damaged_lines(text: str, random: np.random.Generator) -> bytes:
    """``text`` with words replaced and lines lost, doubled or joined by strangers; sometimes wrongly encoded."""
    lines = text.splitlines()
    for _ in range(int(random.integers(1, 6))):
        place = int(random.integers(len(lines)))
        kind = int(random.integers(6))
        words = lines[place].split(" ")
        if kind <= 1:
            words[int(random.integers(len(words)))] = any_of(random, WORDS)
            lines[place] = " ".join(words)
        elif kind == 2:
            lines[place] = " ".join(words[: int(random.integers(len(words) + 1))])
        elif kind == 3:
            lines.insert(place, lines[int(random.integers(len(lines)))])
        elif kind == 4:
            lines.insert(place, " ".join(any_of(random, WORDS) for _ in range(int(random.integers(1, 12)))))
        elif len(lines) > 1:
            del lines[place]
    whole = any_of(random, ("\n", "\n", "\n", "\r\n", "\r", " ")).join(lines)
    return whole.encode(any_of(random, ("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "cp037")), "replace")


def damaged_values(tree: Any, hostile: Sequence[Any], random: np.random.Generator) -> Any:
    """Dictionaries and lists with one to three of their values replaced, dropped, renamed or joined by others."""
    for _ in range(int(random.integers(1, 4))):
        tree = _with_one_changed(tree, hostile, random)
    return tree


def _with_one_changed(tree: Any, hostile: Sequence[Any], random: np.random.Generator) -> Any:
    deeper = isinstance(tree, dict | list) and len(tree) and random.random() < 0.85
    if not deeper:
        return any_of(random, hostile)
    if isinstance(tree, list):
        place = int(random.integers(len(tree)))
        return [*tree[:place], _with_one_changed(tree[place], hostile, random), *tree[place + 1 :]]
    key = any_of(random, list(tree))
    kind = int(random.integers(8))
    if kind == 0:
        return {name: value for name, value in tree.items() if name != key}
    if kind == 1:
        return {(f"{name}x" if name == key else name): value for name, value in tree.items()}
    if kind == 2:
        return {**tree, any_of(random, ("", "weights", "0", "a.b", "é\n", "x" * 300)): any_of(random, hostile)}
    return {**tree, key: _with_one_changed(tree[key], hostile, random)}
