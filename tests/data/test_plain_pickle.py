"""Pickles are read as data and nothing else: what is in them arrives, what they ask for does not happen."""

from __future__ import annotations

import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ligera.data.plain_pickle import NotPlainDataError, read_plain_pickle

PLAIN = {"a": [1, -2, 2**70, 0.5, True, None], b"\xff\x00": (("x",), (), "é" * 300), 3: {"deep": [[b"y" * 300]]}}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_python_wrote_as_plain_data_comes_back(protocol: int) -> None:
    assert read_plain_pickle(pickle.dumps(PLAIN, protocol)) == PLAIN


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["uint8", ">i4", "<i8", "float32", "bool"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_numbers_come_back(protocol: int, dtype: str, order: str) -> None:
    array = np.asarray(np.arange(12).reshape(3, 4) % 5, dtype=dtype, order=order)
    back = read_plain_pickle(pickle.dumps({"data": array}, protocol))["data"]
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype


def test_a_read_only_array_comes_back_too() -> None:
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    array.flags.writeable = False
    np.testing.assert_array_equal(read_plain_pickle(pickle.dumps(array, 5)), array)


def python2(value: bytes) -> bytes:
    """A text of Python 2 as its cPickle wrote it, protocol 2."""
    return (b"U" + bytes([len(value)]) if len(value) < 256 else b"T" + struct.pack("<i", len(value))) + value


def test_a_batch_that_python_2_wrote_is_read_with_its_text_as_bytes() -> None:
    pixels = bytes(range(256)) * 24
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03"
        b"(K\x01K\x02M\x00\x0c\x86cnumpy\ndtype\nq\x04U\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff"
        b"\xffK\x00tb\x89" + python2(pixels) + b"tb"
    )
    content = b"\x80\x02}(" + python2(b"data") + array + python2(b"labels") + b"](K\x03K\x07eu."
    assert pickle.loads(content, encoding="bytes")[b"labels"] == [3, 7]
    read = read_plain_pickle(content)
    assert read[b"labels"] == [3, 7]
    assert read[b"data"].shape == (2, 3072) and read[b"data"].tobytes() == pixels


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.file),)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_that_would_run_something_is_refused_and_runs_nothing(protocol: int, tmp_path: Path) -> None:
    content = pickle.dumps({"data": Trap(tmp_path / "ran")}, protocol)
    with pytest.raises(NotPlainDataError, match=r"asks to import (posix|nt)\.mkdir"):
        read_plain_pickle(content)
    assert not (tmp_path / "ran").exists()
    pickle.loads(content)
    assert (tmp_path / "ran").exists(), "the trap works, so it was the reader that did not step into it"


@pytest.mark.parametrize(
    "value",
    [OrderedDict(a=1), Path("x"), {1, 2}, np.array(["text"]), np.array([{}], dtype=object), np.float64(1), 1 + 2j, len],
    ids=lambda value: type(value).__name__,
)
def test_anything_but_plain_data_is_refused(value: object) -> None:
    with pytest.raises(NotPlainDataError):
        read_plain_pickle(pickle.dumps({"data": value}, 4))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"\x80\x02.",
        b"\x80\x02K\x01K\x02.",
        b"\x80\x02e.",
        b"\x80\x02h\x07.",
        b"\x80\x02}]K\x01s.",
        b"\x80\x02NN\x86R.",
        b"\x80\x02K\x01Nb.",
        b"\x80\x02cnumpy\nndarray\n)R.",
        b"\x80\x02cnumpy\ndtype\nU\x01O\x85R.",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\x00\x00\x00x.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00x.",
        b"(lp0\nI1\na.",
    ],
)
def test_nonsense_is_refused_in_a_clause(content: bytes) -> None:
    with pytest.raises(NotPlainDataError, match=r"^(is|uses|holds|asks) "):
        read_plain_pickle(content)


def test_a_huge_place_in_the_memo_takes_no_memory() -> None:
    """The unpickler of the standard library reserves 32 GB for these nine bytes."""
    assert read_plain_pickle(b"\x80\x02K\x05r\xff\xff\xff\x7f.") == 5


def test_an_array_of_another_size_than_its_bytes_is_refused() -> None:
    good = pickle.dumps(np.zeros((2, 3072), np.uint8), 2)
    with pytest.raises(NotPlainDataError, match=r"an array of shape \(3, 3072\) cannot have 6,144 bytes"):
        read_plain_pickle(good.replace(b"K\x02M\x00\x0c\x86", b"K\x03M\x00\x0c\x86"))


def test_more_instructions_than_any_data_set_has_are_refused() -> None:
    with pytest.raises(NotPlainDataError, match="more than 1,000,000 instructions"):
        read_plain_pickle(b"\x80\x02(" + b"N" * 1_000_001 + b"t.")


WHOLE = pickle.dumps({"data": np.arange(40, dtype=np.uint8).reshape(2, 20), "labels": [1, 2]}, 2)


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, len(WHOLE) - 1), value=st.integers(0, 255), end=st.integers(0, len(WHOLE)))
def test_whatever_byte_is_wrong_the_answer_is_data_or_a_refusal(place: int, value: int, end: int) -> None:
    for content in (WHOLE[:place] + bytes([value]) + WHOLE[place + 1 :], WHOLE[:end]):
        try:
            read_plain_pickle(content)
        except NotPlainDataError as error:
            assert "\n" not in str(error)
