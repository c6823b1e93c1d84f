"""A Python pickle read as plain data: dictionaries, lists, numbers, text, bytes and numpy arrays of numbers.

In: the bytes of a pickle from anyone, protocols 2 to 5, written by Python 2 or 3. Out: the value, its text of Python 2
as bytes, its arrays read-only. A pickle is a program that may call anything it can import. Here a small machine of our
own follows the few instructions that data needs; nothing is imported or called by name, so nothing can be run, and no
size that the file claims is believed before that many bytes have been seen. Source: the instruction set as documented
in Python's ``pickletools``.
"""

from __future__ import annotations

import pickletools
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["NotPlainDataError", "read_plain_pickle"]

# CIFAR-10's largest files take 21,000; an instruction of one byte can make a dictionary of 64.
MOST_INSTRUCTIONS = 1_000_000
MOST_DIMENSIONS = 4
LONGEST_SIDE = 2**31
_NUMBERS = re.compile(r"[iuf][1248]|b1")
_ORDERS = ("|", "<", ">", "=")
_MARK = object()


class NotPlainDataError(ValueError):
    """Why a pickle cannot be read as data, as a clause: "is cut short"."""


@dataclass(frozen=True, slots=True)
class _Name:
    """Something the file asks to be imported; only told apart here, never looked up."""

    module: str
    name: str


@dataclass(slots=True)
class _Type:
    """A numpy dtype in the making."""

    code: str
    order: str = "="

    def real(self) -> np.dtype:
        return np.dtype(self.code).newbyteorder(self.order)


@dataclass(slots=True)
class _Array:
    """A numpy array in the making; ``value`` once its state has been read."""

    value: np.ndarray | None = None


def read_plain_pickle(content: bytes) -> Any:
    """The value in ``content``; raises ``NotPlainDataError``, one clause, for all that is damaged or more than data."""
    try:
        with warnings.catch_warnings():
            # pickletools undoes escapes in names, and odd ones there make Python warn of its own future
            warnings.simplefilter("ignore")
            return _Machine().run(content)
    except NotPlainDataError:
        raise
    except (IndexError, KeyError, TypeError, OverflowError, RecursionError):
        raise NotPlainDataError("is damaged (its instructions do not fit together)") from None
    except ValueError:
        # pickletools' own words speak of opcodes and argument counts
        raise NotPlainDataError("is cut short or no pickle") from None


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        # what Python 2 wrote as its str, and pickletools read letter for byte
        return value.encode("latin-1")
    if not isinstance(value, bytes | bytearray):
        raise TypeError
    return bytes(value)


def _numpy_array(raw: Any, kind: _Type, shape: tuple[int, ...], order: str) -> np.ndarray:
    buffer = _bytes(raw)
    sound = len(shape) <= MOST_DIMENSIONS and all(type(side) is int and 0 <= side < LONGEST_SIDE for side in shape)
    if not isinstance(kind, _Type) or not sound:
        raise TypeError
    dtype, count = kind.real(), 1
    for side in shape:
        count *= side
    if count * dtype.itemsize != len(buffer):
        raise NotPlainDataError(f"is damaged (an array of shape {shape} cannot have {len(buffer):,} bytes)")
    return np.frombuffer(buffer, dtype).reshape(shape, order=order)


def _call(function: Any, arguments: tuple[Any, ...]) -> Any:
    """The four calls that numpy arrays and the bytes of older protocols are written as."""
    match function, arguments:
        case _Name(name="_reconstruct"), (_Name(name="ndarray"), tuple(), bytes() | str()):
            return _Array()
        case _Name(name="dtype"), (bytes() | str() as code, *_):
            text = _bytes(code).decode("latin-1")
            if not _NUMBERS.fullmatch(text):
                raise NotPlainDataError(f"holds an array of {text[:20]!r}, expected numbers")
            return _Type(text)
        case _Name(name="_frombuffer"), (raw, kind, tuple() as shape, ("C" | "F") as order):
            return _Array(_numpy_array(raw, kind, shape, order))
        case _Name(name="encode"), (str() as text, "latin1" | "latin-1"):
            return text.encode("latin-1")
    raise TypeError


_NUMPY_ROOMS = ("numpy.core", "numpy._core")
_ALLOWED = {
    *(_Name(f"{room}.multiarray", "_reconstruct") for room in _NUMPY_ROOMS),
    *(_Name(f"{room}.numeric", "_frombuffer") for room in _NUMPY_ROOMS),
    _Name("numpy", "ndarray"),
    _Name("numpy", "dtype"),
    _Name("_codecs", "encode"),
}


class _Machine:
    """The stack, the memo and one method for each family of instructions."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, content: bytes) -> Any:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(content)):
            step = _STEPS.get(opcode.name)
            if step is None:
                raise NotPlainDataError(f"uses the instruction {opcode.name}, which plain data does not need")
            if number >= MOST_INSTRUCTIONS:
                raise NotPlainDataError(f"has more than {MOST_INSTRUCTIONS:,} instructions")
            step(self, argument)
        value = self.stack.pop()
        if self.stack:
            raise NotPlainDataError("is damaged (more than one value is left)")
        return _finished(value)

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def since_mark(self) -> list[Any]:
        place = len(self.stack) - 1
        while self.stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise IndexError
        items = self.stack[place + 1 :]
        del self.stack[place:]
        return items

    def extend_list(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise TypeError
        target.extend(items)

    def fill_dict(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise TypeError
        target.update(zip(items[::2], items[1::2], strict=True))

    def take(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise IndexError
        items = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return items

    def name(self, module: Any, name: Any) -> None:
        asked = _Name(str(module), str(name))
        if asked not in _ALLOWED:
            raise NotPlainDataError(
                f"asks to import {asked.module[:40]}.{asked.name[:40]}, which no data needs; do not trust it"
            )
        self.push(asked)

    def reduce(self) -> None:
        function, arguments = self.take(2)
        self.push(_call(function, arguments))

    def build(self) -> None:
        target, state = self.take(2)
        match target, state:
            case _Type(), (int(), bytes() | str() as order, None, None, None, *_):
                target.order = _bytes(order).decode("latin-1")
                if target.order not in _ORDERS:
                    raise TypeError
            case _Array(), (int(), tuple() as shape, _Type() as kind, bool() | int() as fortran, raw):
                target.value = _numpy_array(raw, kind, shape, "F" if fortran else "C")
            case _:
                raise TypeError
        self.push(target)

    def recall(self, place: int) -> None:
        self.push(self.memo[place])


def _finished(value: Any) -> Any:
    """``value`` with its arrays, two levels deep, as that is where data sets keep them."""
    if isinstance(value, dict):
        return {key: _unwrapped(item) for key, item in value.items()}
    return _unwrapped(value)


def _unwrapped(value: Any) -> Any:
    if isinstance(value, _Array):
        if value.value is None:
            raise TypeError
        return value.value
    return value


def _pushing(make: Callable[[Any], Any]) -> Callable[[_Machine, Any], None]:
    return lambda machine, argument: machine.push(make(argument))


_same = _pushing(lambda argument: argument)
_old_text = _pushing(_bytes)
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda machine, argument: None),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"), _same),
    **dict.fromkeys(("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"), _same),
    **dict.fromkeys(("SHORT_BINBYTES", "BINBYTES", "BINBYTES8"), _same),
    **dict.fromkeys(("SHORT_BINSTRING", "BINSTRING", "BYTEARRAY8"), _old_text),
    "NONE": _pushing(lambda _: None),
    "NEWTRUE": _pushing(lambda _: True),
    "NEWFALSE": _pushing(lambda _: False),
    "EMPTY_LIST": _pushing(lambda _: []),
    "EMPTY_DICT": _pushing(lambda _: {}),
    "EMPTY_TUPLE": _pushing(lambda _: ()),
    "MARK": _pushing(lambda _: _MARK),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, _: machine.push(tuple(machine.take(1))),
    "TUPLE2": lambda machine, _: machine.push(tuple(machine.take(2))),
    "TUPLE3": lambda machine, _: machine.push(tuple(machine.take(3))),
    "APPEND": lambda machine, _: machine.extend_list(machine.take(1)),
    "APPENDS": lambda machine, _: machine.extend_list(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.fill_dict(machine.take(2)),
    "SETITEMS": lambda machine, _: machine.fill_dict(machine.since_mark()),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), lambda machine, place: machine.memo.update({place: machine.stack[-1]})),
    "MEMOIZE": lambda machine, _: machine.memo.update({len(machine.memo): machine.stack[-1]}),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda machine, place: machine.recall(place)),
    "GLOBAL": lambda machine, argument: machine.name(*argument.split(" ", 1)),
    "STACK_GLOBAL": lambda machine, _: machine.name(*machine.take(2)),
    "REDUCE": lambda machine, _: machine.reduce(),
    "BUILD": lambda machine, _: machine.build(),
}
