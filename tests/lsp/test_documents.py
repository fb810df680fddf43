"""Lines as LSP counts them, and edits that stay where they belong."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from sightline.lsp.documents import Document, LineTable, OpenDocuments

ENCODINGS = ["utf-8", "utf-16", "utf-32"]
#: What Python ends a line at and LSP does not.
NO_LINE_ENDS = "\f\v\x1c\x1d\x1e\x85\u2028\u2029"
texts = st.text(alphabet="ab\r\n😀é" + NO_LINE_ENDS, max_size=30)


def units(text: str, encoding: str) -> int:
    return (
        len(text.encode({"utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(encoding, encoding)))
        // {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
    )


def client_position(text: str, offset: int, encoding: str) -> tuple[int, int]:
    """What an editor says for an offset, worked out the slow way."""
    lines = re.split(r"\r\n|\r|\n", text[:offset])
    return len(lines) - 1, units(lines[-1], encoding)


def splits_a_line_end(text: str, offset: int) -> bool:
    return text[offset - 1 : offset + 1] == "\r\n"


@given(texts, st.sampled_from(ENCODINGS), st.data())
def test_a_position_leads_to_the_offset_that_has_it(text: str, encoding: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)).filter(lambda at: not splits_a_line_end(text, at)))
    assert LineTable(text, encoding).offset_at(*client_position(text, offset, encoding)) == offset


@given(texts, st.sampled_from(ENCODINGS), st.lists(st.tuples(st.integers(0), st.integers(0), texts), max_size=8))
def test_edits_by_position_do_what_edits_of_the_text_do(
    text: str, encoding: str, edits: list[tuple[int, int, str]]
) -> None:
    table = LineTable(text, encoding)
    for one, other, new in edits:
        start, end = sorted((one % (len(text) + 1), other % (len(text) + 1)))
        if splits_a_line_end(text, start) or splits_a_line_end(text, end):
            continue
        positions = client_position(text, start, encoding), client_position(text, end, encoding)
        table.replace(*(table.offset_at(*position) for position in positions), new)
        text = text[:start] + new + text[end:]
        assert table.text == text
    assert table.lines() == LineTable(text).lines()


@given(texts)
def test_lines_end_at_three_things_only(text: str) -> None:
    lines = LineTable(text).lines()
    assert "".join(lines) == text
    assert [line.rstrip("\r\n") for line in lines] == re.split(r"\r\n|\r|\n", text)


@pytest.mark.parametrize(
    ("position", "offset"),
    [((0, 99), 3), ((1, 99), 8), ((2, 99), 11), ((2, 2), 11), ((3, 0), 11), ((2**31 - 1, 0), 11), ((2, 0), 9)],
)
def test_what_is_beyond_the_end_is_the_end(position: tuple[int, int], offset: int) -> None:
    assert LineTable("one\r\ntwo\nαβ").offset_at(*position) == offset


def test_a_position_inside_a_character_is_its_start() -> None:
    assert LineTable("😀x", "utf-16").offset_at(0, 1) == 0
    assert LineTable("éx", "utf-8").offset_at(0, 1) == 0


def change(start: tuple[int, int], end: tuple[int, int], text: str) -> types.TextDocumentContentChangePartial:
    range_ = types.Range(types.Position(*start), types.Position(*end))
    return types.TextDocumentContentChangePartial(text=text, range=range_)


@pytest.mark.parametrize("character", NO_LINE_ENDS)
def test_an_edit_below_a_form_feed_hits_its_line(character: str) -> None:
    document = Document("file:///a", f"one{character}\ntwo\nthree")
    document.apply_change(change((1, 0), (1, 3), "TWO"))
    assert document.source == f"one{character}\nTWO\nthree"
    assert list(document.lines) == [f"one{character}\n", "TWO\n", "three"]


def test_an_edit_past_the_last_character_keeps_it() -> None:
    document = Document("file:///a", "one")
    document.apply_change(change((0, 9), (0, 9), "!"))
    assert document.source == "one!"


def test_a_range_that_is_turned_round_is_the_same_range() -> None:
    document = Document("file:///a", "one two")
    document.apply_change(change((0, 7), (0, 4), "2"))
    assert document.source == "one 2"


def test_ten_thousand_edits_from_the_bottom_up_take_no_second() -> None:
    document = Document("file:///a", "some words in a line\n" * 10_000)
    edits = [change((line, 5), (line, 10), "WORDS") for line in reversed(range(10_000))]
    began = time.process_time()
    for edit in edits:
        document.apply_change(edit)
    assert time.process_time() - began < 20  # a fresh table for each takes a minute
    assert document.source == "some WORDS in a line\n" * 10_000


def test_a_closed_document_is_read_from_the_disk_and_not_edited(tmp_path: object) -> None:
    path = f"{tmp_path}/a.txt"
    with open(path, "w", encoding="utf-8") as file:
        file.write("on disk")
    documents = OpenDocuments(None)
    assert documents.get_text_document(f"file://{path}").source == "on disk"
    with pytest.raises(JsonRpcInvalidParams):
        documents.update_text_document(
            types.VersionedTextDocumentIdentifier(1, "file:///b"), change((0, 0), (0, 0), "")
        )
