"""An edited file's chunks, as they are stored, are those of a fresh analysis; what can be kept is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sightline.core import segments
from sightline.core.analysis import (
    OWN_KIND_SHIFT,
    ChunkRow,
    FileChange,
    TermsOfWords,
    analyse,
    as_text,
    document_hash,
    kind_bits,
    kind_mask,
    pack_words,
    text_of,
)
from sightline.core.bags import collect
from sightline.core.chunking import parse
from sightline.core.diffing import Position, StoredChunk
from sightline.core.identifiers import folded, terms
from sightline.core.model import KINDS, Chunk, Definition


def body(indent: str, lines: int) -> str:
    return "".join(f"{indent}value_{number} = compute({number})\n" for number in range(lines))


def method(name: str, lines: int) -> str:
    return f"    def {name}(self):\n{body(' ' * 8, lines)}\n"


PARTS = {
    "small.py": ["import os\n\n\n", "def one():\n    return 1\n\n\n", "# a remark\n", "\n", "x = '\0'\r\n"],
    "large.py": [
        "class Alpha:\n", "class Bravo(Alpha):\n", '    """What it is for."""\n\n',
        method("first", 60), method("second", 10), method("last", 1),
        "def work(one):\n", "def work(one, two):\n", body("    ", 90), "\n\nTABLE = {\n", body("    ", 3),
    ],
    "code.cpp": [
        "class Alpha {\n", "struct Alpha {\n", "namespace one {\n", "namespace two {\n", "int call();\n",
        "  int run() {\n" + "    step(1, 2, 3);\n" * 50 + "  }\n", "  int stop() { return 1; }\n", "};\n", "}\n",
    ],
    "text.md": ["# One\n", "# Two\n", "## Three\n", "Words, words and words again.\n" * 40, "\n", "caf\ufffd\n"],
}  # fmt: skip
Edit = tuple[str, bytes, bytes]


@st.composite
def edits(draw: st.DrawFn) -> Edit:
    """A path and two versions of its file, of the same parts for the most part."""
    path = draw(st.sampled_from(sorted(PARTS)))
    part = st.sampled_from(PARTS[path])
    before = draw(st.lists(part, max_size=12))
    start = draw(st.integers(0, len(before)))
    end = draw(st.integers(start, min(len(before), start + 2)))
    after = [*before[:start], *draw(st.lists(part, max_size=2)), *before[end:]]
    noise = draw(st.sampled_from([b"", b"\xff\xfe caf\xe9\n"]))
    return path, "".join(before).encode() + noise, noise + "".join(after).encode()


CLASS = "class Alpha:\n" + "".join(method(f"method_{number}", 12) for number in range(6)) + method("last", 1)
TOP = "\n\ndef top():\n    return 3\n"
FUNCTION = "def work(one):\n" + body("    ", 200)


def change_of(path: str, source: bytes, stored: Sequence[StoredChunk] = ()) -> FileChange:
    ((change,), _) = analyse([(path, source)], {path: stored})
    return change


def stored_of(rows: Sequence[ChunkRow]) -> list[StoredChunk]:
    return [StoredChunk(number, row.document_hash, row.position) for number, row in enumerate(rows)]


def edited(path: str, before: bytes, after: bytes) -> tuple[FileChange, list[ChunkRow]]:
    """The change, and the rows that the index has when it has been applied."""
    old = change_of(path, before).added
    change = change_of(path, after, stored_of(old))
    moved = dict(change.moved)
    kept = [
        replace(row, position=moved.get(number, row.position))
        for number, row in enumerate(old)
        if number not in change.removed
    ]
    return change, sorted([*kept, *change.added], key=lambda row: row.position.start_byte)


@settings(deadline=None, max_examples=50)
@given(edits())
@example(("a.py", f"{CLASS}{TOP}".encode(), f"{CLASS}{TOP}".replace("Alpha", "Delta").encode()))
@example(("a.py", f"{CLASS}{TOP}".encode(), f"{CLASS}    # more\n{TOP}".encode()))
@example(("a.py", FUNCTION.encode(), FUNCTION.replace("(one)", "(one, two)").encode()))
def test_an_edit_leaves_the_rows_that_a_fresh_analysis_gives(edit: Edit) -> None:
    _, rows = edited(*edit)
    assert rows == list(change_of(edit[0], edit[2]).added)


@settings(deadline=None, max_examples=50)
@given(edits())
def test_the_same_bytes_change_nothing(edit: Edit) -> None:
    path, source, _ = edit
    rows = change_of(path, source).added
    again = change_of(path, source, stored_of(rows))
    assert (again.added, again.moved, again.removed, again.unchanged) == ((), (), (), len(rows))


@settings(deadline=None, max_examples=50)
@given(edits())
def test_rows_hold_valid_text_that_covers_the_file(edit: Edit) -> None:
    path, source, _ = edit
    rows = change_of(path, source).added
    assert [row.position.start_byte for row in rows[1:]] == [row.position.end_byte for row in rows[:-1]]
    assert "".join(row.content for row in rows) == as_text(source)
    for row in rows:
        texts = [row.content, row.symbol, row.container, row.signature, row.doc]
        texts += [text for each in row.definitions for text in (each.name, each.container)]
        assert not any("\0" in text for text in texts)
        assert all(each.folded == folded(each.name) for each in row.definitions)
        assert all(row.position.start_line + each.line_offset <= row.position.end_line for each in row.definitions)


@settings(deadline=None, max_examples=50)
@given(st.lists(edits(), max_size=3))
def test_what_is_added_comes_with_its_words_and_kinds(edits: list[Edit]) -> None:
    files = [(f"{number}/{path}", after) for number, (path, _, after) in enumerate(edits)]
    stored = {
        f"{number}/{path}": stored_of(change_of(f"{number}/{path}", before).added)
        for number, (path, before, _) in enumerate(edits)
    }
    changes, added = analyse(files, stored)
    chunks = [chunk for document in added.documents for chunk in document.syntax.chunks]
    rows = [row for change in changes for row in change.added]
    assert [change.path for change in changes] == [path for path, _ in files]
    assert [row.position.start_byte for row in rows] == [chunk.start_byte for chunk in chunks]
    assert added.kinds.tolist() == [kind_mask(chunk) for chunk in chunks]
    assert added.bag.chunk_count == len(rows)
    words = pack_words(added.bag, TermsOfWords())
    fresh = segments.pack(collect(added.documents), TermsOfWords())
    assert (words.directory, words.blocks) == (fresh.directory, fresh.blocks)


def test_lines_above_a_file_move_its_chunks_and_keep_them() -> None:
    imports = "".join(f"import module_{number}\n" for number in range(80))
    change, rows = edited("a.py", FUNCTION.encode(), f"{imports}\n\n{FUNCTION}".encode())
    assert len(change.moved) >= len(change_of("a.py", FUNCTION.encode()).added) - 1
    assert rows[-1].position.end_line == imports.count("\n") + 2 + FUNCTION.count("\n") - 1


def test_an_edit_of_one_method_keeps_the_chunks_of_the_others() -> None:
    change, rows = edited("a.py", CLASS.encode(), CLASS.replace("compute(3)", "compute(33)", 1).encode())
    assert len(change.added) == 1
    assert change.unchanged + len(change.moved) == len(rows) - 1


@pytest.mark.parametrize(
    "other",
    [
        {"kind": "method"}, {"symbol": "other"}, {"container": "Other"}, {"signature": "def other():"},
        {"doc": "Other."}, {"enclosing": ("Other",)}, {"definitions": ()},
    ],
)  # fmt: skip
def test_whatever_is_stored_of_a_chunk_is_in_its_hash(other: dict[str, object]) -> None:
    named = Definition("one", "function", "", 0, 0, 0, 0, 3)
    chunk = Chunk(0, 3, 0, 0, "function", "one", "", "def one():", "One.", (named,), ("Outer",))
    first = document_hash("a.py", b"abc", chunk)
    assert document_hash("a.py", b"abc", replace(chunk, **other)) != first  # type: ignore[arg-type]
    assert document_hash("b.py", b"abc", chunk) != first
    assert document_hash("a.py", b"abd", chunk) != first
    assert document_hash("a.py", b"..abc", replace(chunk, start_byte=2, end_byte=5, start_line=3, end_line=3)) == first


def test_equal_texts_share_a_text_hash_wherever_they_stand() -> None:
    one, other = change_of("a.py", FUNCTION.encode()).added[-1], change_of("b/c.py", FUNCTION.encode()).added[-1]
    assert one.text_hash == other.text_hash
    assert one.document_hash != other.document_hash


def test_a_mask_tells_all_kinds_and_the_chunks_own() -> None:
    for own in KINDS:
        for defined in KINDS:
            mask = kind_mask(Chunk(0, 1, 0, 0, own, definitions=(Definition("x", defined, "", 0, 0, 0, 0, 1),)))
            assert np.uint32(mask) >> OWN_KIND_SHIFT == KINDS.index(own)
            assert {kind for kind in KINDS if mask & kind_bits((kind,))} == {own, defined}


def test_text_is_stored_without_what_postgres_refuses() -> None:
    source = b"caf\xe9 \0 \xf0\x9f\x99\x82\n"
    (chunk,) = parse("a.txt", source).chunks
    assert text_of(source, chunk) == "caf\ufffd \ufffd \U0001f642\n"


def test_an_empty_file_and_no_files_have_no_chunks() -> None:
    assert change_of("a.py", b"") == FileChange("a.py", "python", (), (), (), 0)
    assert change_of("a.py", b"", [StoredChunk(7, b"x", Position(0, 0, 0, 1))]).removed == (7,)
    changes, added = analyse([], {})
    assert (changes, added.documents, added.bag.chunk_count, added.kinds.tolist()) == ((), (), 0, [])


def test_terms_of_words_are_remembered_up_to_a_bound() -> None:
    remembered = TermsOfWords()
    remembered.update((str(number), ()) for number in range(TermsOfWords.REMEMBERED - 1))
    assert remembered["CookieJar"] == terms("CookieJar")
    assert len(remembered) == TermsOfWords.REMEMBERED
    assert remembered["cookie_jar"] == terms("cookie_jar")
    assert len(remembered) == 1
