"""A stored text is found where it stands now, and its best line and words with it."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sightline.core.analysis import as_text, text_of
from sightline.core.anchoring import Anchor, Telling, best_line, defined_at, find, lines_of, marks, trimmed
from sightline.core.chunking import parse
from sightline.core.identifiers import terms
from sightline.core.lines import LineTable
from sightline.core.model import DefinedName

PIECES = [
    "def a():\n",
    "    return 1\r\n",
    "x = 'größe 数据 🙂'\n",
    "\r",
    "\n",
    "\0",
    "\ufffd",
    "é" * 50,
    "a" * 300 + "\n",
]
BYTES = st.sampled_from(PIECES).map(str.encode) | st.sampled_from([b"\xff", b"\xe2\x82", b"\xf0\x9f", b"\x80"])
SOURCES = st.lists(BYTES, max_size=60).map(b"".join)


def line_of(source: bytes, offset: int) -> int:
    return int(LineTable(source).line_of(offset))


@settings(deadline=None)
@given(SOURCES, st.sampled_from(["a.py", "a.md", "a.txt"]))
@example(b"\x80" * 9_000, "a.txt")
@example(b"\xf0\x9f\x99\x82" * 3_000, "a.txt")
@example(b"\xc3\xa9 ab\0\xff\n" * 2_000, "a.c")
def test_each_chunk_of_a_file_is_found_where_it_is(source: bytes, path: str) -> None:
    for chunk in parse(path, source).chunks:
        anchor = find(source, text_of(source, chunk), chunk.start_byte)
        assert anchor == Anchor(chunk.start_byte, chunk.start_line, moved=False)


@settings(deadline=None)
@given(SOURCES, SOURCES, st.sampled_from(["a.py", "a.txt"]))
@example(b"\xff one\n" * 400, b"# \xe2\x82\xac \xff\r\n", "a.txt")
def test_a_chunk_is_found_below_what_was_written_above_it(source: bytes, above: bytes, path: str) -> None:
    above += b"\n"
    now = above + source
    for chunk in parse(path, source).chunks:
        text = text_of(source, chunk)
        anchor = find(now, text, chunk.start_byte)
        assert anchor is not None
        assert as_text(now[anchor.start_byte :]).startswith(text)
        assert anchor.start_line == line_of(now, anchor.start_byte)
        assert anchor.moved == (anchor.start_byte != chunk.start_byte)
        assert "\ufffd" in text or abs(anchor.start_byte - chunk.start_byte) <= len(above)


@given(st.text("ab\n", max_size=20), st.text("ab\n", min_size=1, max_size=3), st.integers(0, 22))
def test_the_nearest_occurrence_is_found(source: str, text: str, start: int) -> None:
    places = [match.start() for match in re.finditer(f"(?={text})", source)]
    nearest = min(places, key=lambda place: abs(place - start), default=None)
    anchor = find(source.encode(), text, start)
    assert (anchor.start_byte if anchor else None) == nearest
    if anchor:
        assert anchor == Anchor(anchor.start_byte, source.count("\n", 0, anchor.start_byte), nearest != start)


@pytest.mark.parametrize(
    ("source", "text", "start", "expected"),
    [
        (b"one\ntwo\n", "three\n", 4, None),
        (b"", "x", 0, None),
        (b"x", "", 5, None),
        (b"one two one", "one", 6, Anchor(8, 0, moved=True)),
        (b"one two one", "one", 3, Anchor(0, 0, moved=True)),
        (b"caf\xe9 two caf\xe9", "caf\ufffd", 6, Anchor(9, 0, moved=True)),
        (b"aab", "ab", 2, Anchor(1, 0, moved=True)),
        (b"x\n", "x\n", 999, Anchor(0, 0, moved=True)),
        (b"one\r\ntwo\r\nthree\r\n", "three", 10, Anchor(10, 2, moved=False)),
        (b"one\rtwo\r\nthree\n", "three", 0, Anchor(9, 2, moved=True)),
        (b"one\x0ctwo\xe2\x80\xa8\nthree", "three", 0, Anchor(11, 1, moved=True)),
        (b"one\r\ntwo", "\ntwo", 0, Anchor(4, 0, moved=True)),
        (b"\xff\xff\r\ncaf\xe9\0!\n", "caf\ufffd\ufffd!", 4, Anchor(4, 1, moved=False)),
        (b"\xe2\x82\xac\xff\r\n\r\ncaf\xe9 \0!", "caf\ufffd \ufffd!", 1, Anchor(8, 2, moved=True)),
        (b"caf\xe9 caf\xe9 caf\xe9", "caf\ufffd", 11, Anchor(10, 0, moved=True)),
        (b"caf\xe9", "caf\ufffd!", 0, None),
        (b"caf\xe9 caf\xef\xbf\xbd", "caf\ufffd", 0, Anchor(0, 0, moved=False)),
        ("caf\ufffd".encode(), "caf\ufffd", 0, Anchor(0, 0, moved=False)),
    ],
)
def test_a_text_is_found_or_is_gone(source: bytes, text: str, start: int, expected: Anchor | None) -> None:
    assert find(source, text, start) == expected


@given(st.lists(st.sampled_from(["a", "\n", "\r", "\x0b", "\x0c", "\x85", "\u2028"])).map("".join))
def test_lines_are_counted_as_lsp_does(text: str) -> None:
    lines = lines_of(text)
    assert len(lines) == LineTable(text.encode()).count
    assert "".join(lines) == re.sub(r"[\r\n]", "", text)


@pytest.mark.parametrize(
    ("text", "filled"),
    [("\n\n  a\n\nb\r\n\r\n\t\n", (2, 4)), ("a", (0, 0)), ("", (0, 0)), ("  \n\t\n", (0, 0)), ("\ra", (1, 1))],
)
def test_blank_lines_at_the_ends_are_trimmed(text: str, filled: tuple[int, int]) -> None:
    assert trimmed(text) == filled


@pytest.mark.parametrize(
    ("lines", "query", "names", "best"),
    [
        (["import os", "def open_file(path):", "    return open(path)"], "open file", [], 1),
        (["open", "file", "close"], "file open", [], 0),
        (["retry = 1", "def with_retry():"], "retry", ["withRetry"], 1),
        (["session.get(key)", "self.get(self)", "Session"], "session get", ["get"], 0),
        (["session.get(key)", "def get(self):", "Session"], "session get", ["get"], 1),
        (["# CookieJars and more", "class CookieJar:"], "cookie jar", ["CookieJar"], 1),
        (["raise BrokenThreadPool(x)", "def submit(self, fn):"], "thread pool submit", [], 1),
        (['"""Submits to the thread pool"""', "def submit(self, fn):"], "thread pool submit", [], 0),
        (["// sends a request", "func (c *Client) Send(r *Request) {"], "send", [], 1),
        (["/// let file = open()", "pub(crate) async fn open<P>(path: P) {"], "open", ["File::open"], 1),
        (["open = 1", "def close(open):"], "open", [], 0),
        (["from app.sessions import Session", "x = session"], "app session", [], 0),
        (["import session", "x = session"], "session", [], 1),
        (["// Copyright the session authors", "session"], "session", [], 1),
        (["@cached", "x = 1", "def f():"], "absent", [], 2),
        (["nothing", "here"], "absent", [], 0),
        (["_ = 1", "files"], "file", ["__"], 1),
        ([], "file", [], 0),
    ],
)
def test_the_best_line_has_most_of_the_querys_words(lines: list[str], query: str, names: list[str], best: int) -> None:
    wanted = [term for word in query.split() for term in terms(word)]
    assert best_line(lines, Telling(wanted, names)) == best


@pytest.mark.parametrize(
    ("lines", "query", "best"),
    [
        (["/* saves the file */", "int rdbSave(char *name, int flags) {"], "save", 1),
        (["/* saves the file */", "int rdbSave(char *name,", "            int flags)"], "save", 1),
        (["/* saves the file */", "int rdbSave(char *name, int flags) {"], "flags of a file", 0),
        (["/* saves */", "int rdbSave(char *name, int flags) {"], "absent", 1),
    ],
)
def test_the_line_that_opens_the_signature_declares_its_name(lines: list[str], query: str, best: int) -> None:
    wanted = [term for word in query.split() for term in terms(word)]
    assert best_line(lines, Telling(wanted, []), signature="int rdbSave(char *name, int flags)") == best


@pytest.mark.parametrize(
    ("line", "query", "marked"),
    [
        ("retries = retry_count + 1", "retry", ["retries", "retry_count"]),
        ("🙂 größe = Größe(数据)", "größe 数据", ["größe", "Größe", "数据"]),
        ("getURL(url, urls)", "url", ["getURL", "url", "urls"]),
        ("cafe\u0301 = 1", "café", ["cafe\u0301"]),
        ("x = 1", "y", []),
        ("", "y", []),
    ],
)
def test_marks_are_the_words_that_share_a_term_with_the_query(line: str, query: str, marked: list[str]) -> None:
    wanted = {term for word in query.split() for term in terms(word)}
    assert [line[start:end] for start, end in marks(line, wanted)] == marked


@pytest.mark.parametrize(
    ("line", "name"), [(0, "Store"), (2, "save"), (3, "save"), (5, "load"), (8, "Shelf"), (9, None), (-1, None)]
)
def test_a_line_is_of_the_innermost_definition_around_it(line: int, name: str | None) -> None:
    definitions = [
        DefinedName(name, "class", 0, "", offset, count)
        for name, offset, count in (("Store", 0, 7), ("save", 2, 2), ("load", 5, 2), ("Shelf", 8, 1))
    ]
    found = defined_at(definitions, line)
    assert (found.name if found else None) == name
