"""Lines end where LSP says they end."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.core.lines import LineTable

TEXTS = st.lists(st.sampled_from([b"a", b"\n", b"\r", b"\r\n", b"\x0b", "\u2028".encode(), b"\xff"])).map(b"".join)


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        (b"", [0]),
        (b"a", [0]),
        (b"a\n", [0, 2]),
        (b"\n\n", [0, 1, 2]),
        (b"a\r\nb", [0, 3]),
        (b"a\rb", [0, 2]),
        (b"\r\r\n\n\r", [0, 1, 3, 4, 5]),
        (b"a\x0b\x0c\x85b", [0]),
        ("a\u2028b\u0085c".encode(), [0]),
    ],
)
def test_a_line_ends_at_lf_crlf_and_a_lone_cr_and_nowhere_else(text: bytes, starts: list[int]) -> None:
    assert LineTable(text).starts.tolist() == starts


@given(TEXTS)
def test_lines_put_together_are_the_text(text: bytes) -> None:
    table = LineTable(text)
    lines = [text[table.start(i) : table.start(i + 1)] for i in range(table.count)]
    assert b"".join(lines) == text
    assert [line.rstrip(b"\r\n") for line in lines] == re.split(rb"\r\n|\r|\n", text)


@given(TEXTS)
def test_each_offset_lies_in_its_line(text: bytes) -> None:
    table = LineTable(text)
    for offset, line in enumerate(table.line_of(range(len(text))).tolist()):
        assert table.start(line) <= offset < max(table.start(line + 1), 1)


def test_the_end_of_the_text_is_on_its_last_line() -> None:
    assert LineTable(b"a\nb").line_of([3]).tolist() == [1]
    assert LineTable(b"a\n").line_of([2]).tolist() == [1]
