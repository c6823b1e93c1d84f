"""Plain decimals are read bit for bit as ``float`` reads them; anything else is left to others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ligera.metrics.decimals import parse_rows

plain_decimals = st.builds(
    lambda sign, whole, point, rest: f"{sign}{whole}{point}{rest if point else ''}",
    st.sampled_from(["", "-"]),
    st.integers(0, 9_999_999).map(str),
    st.sampled_from(["", "."]),
    st.text("0123456789", max_size=8),
)


@given(
    st.lists(st.lists(plain_decimals, min_size=3, max_size=3), min_size=1, max_size=8),
    st.sampled_from([" ", "  ", "\t"]),
)
def test_every_number_is_what_float_makes_of_it(rows: list[list[str]], gap: str) -> None:
    parsed = parse_rows("\n".join(gap.join(row) for row in rows).encode(), 3)
    assert parsed is not None
    assert parsed.tolist() == [[float(number) for number in row] for row in rows]


def test_many_rows_agree_with_numpy() -> None:
    random = np.random.default_rng(0)
    values = random.uniform(-1000, 1000, (4000, 5))
    text = "".join(f"{a:.0f} {b:.1f} {c:.3f} {d:.6f} {e:.9f}\n" for a, b, c, d, e in values)
    parsed = parse_rows(text.encode(), 5)
    np.testing.assert_array_equal(parsed, np.loadtxt(text.splitlines()))


def test_no_text_is_no_rows() -> None:
    assert parse_rows(b"", 5).shape == (0, 5)
    assert parse_rows(b" \n", 5).shape == (0, 5)


@pytest.mark.parametrize(
    "text",
    [
        b"1 2\n3\n",
        b"1 2 3\n4\n",
        b"1 2\n\n3 4\n",
        b"1 1e3\n",
        b"1 nan\n",
        b"1 0x1\n",
        b"1 1.2.3\n",
        b"1 -\n",
        b"1 .\n",
        b"1 2-3\n",
        b"1 --2\n",
        b"1 1234567890123456\n",
        b"1 0.12345678901234567890\n",
        b"1\x002\n",
        "1 ٣\n".encode(),
    ],
)
def test_anything_else_is_left_to_others(text: bytes) -> None:
    assert parse_rows(text, 2) is None
