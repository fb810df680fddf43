"""A bag holds just what a naive count of each chunk's code, comments, names and path finds."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.core.bags import (
    CODE,
    COMMENTS,
    DEFINED,
    DIRECTORIES,
    ENCLOSING,
    NAMES_PER_CHUNK,
    STEM,
    Bag,
    Document,
    collect,
    names_of,
    split_path,
)
from sightline.core.identifiers import WORD_PATTERN, file_stem
from sightline.core.model import Chunk, Definition, Syntax

Counts = Counter[tuple[int, int, str]]

WORDS = st.sampled_from(
    ["alpha", "betaGamma", "x1", "42", "größe", "数据", "_", "\r\n", "\n", " ", "//", "#", "\0", "—"]
)
SOURCES = st.lists(WORDS.map(str.encode) | st.binary(max_size=3), max_size=30).map(b"".join)
NAMES = st.sampled_from(["Alpha", "beta_gamma", "größe", "operator+", "x.y", "数据"])
PATHS = st.sampled_from(
    ["main.py", "src/http/cookie_jar.test.ts", ".gitignore", "a b/c", "größe/数据.rs", "x/\udcff.c"]
)


def definition(name: str) -> Definition:
    return Definition(name, "function", "", 0, 0, 0, 0, 1)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Chunks in order, not always all of a file's, and comments that end wherever they like."""
    source = draw(SOURCES)
    offsets = st.lists(st.integers(0, len(source)), max_size=8, unique=True).map(sorted)
    cuts = [0, *draw(offsets), len(source)]
    chunks = tuple(
        Chunk(
            start, end, 0, 0,
            definitions=tuple(map(definition, draw(st.lists(NAMES, max_size=3)))),
            enclosing=tuple(draw(st.lists(NAMES, max_size=2))),
        )
        for start, end in pairwise(cuts)
        if start < end and draw(st.booleans())
    )  # fmt: skip
    edges = draw(offsets)
    return Document(draw(PATHS), source, Syntax("python", chunks, tuple(zip(edges[::2], edges[1::2], strict=False))))


def counts(bag: Bag) -> Counts:
    total: Counts = Counter()
    for chunk, field, word, count in zip(bag.chunk, bag.field, bag.word, bag.count, strict=True):
        total[int(chunk), int(field), bag.words[word]] += int(count)
    return total


def words(text: bytes | str) -> list[str]:
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return re.findall(WORD_PATTERN, text.encode("utf-8", "replace").decode())


def naive(documents: list[Document]) -> Counts:
    """Cuts each chunk at every edge of a comment and looks at each piece."""
    total: Counts = Counter()
    number = 0
    for document in documents:
        comments = document.syntax.comments
        stem, directories = split_path(document.path)
        for chunk in document.syntax.chunks:
            edges = {edge for span in comments for edge in span if chunk.start_byte < edge < chunk.end_byte}
            for start, end in pairwise([chunk.start_byte, *sorted(edges), chunk.end_byte]):
                commented = any(first <= start < last for first, last in comments)
                for word in words(document.source[start:end]):
                    total[number, COMMENTS if commented else CODE, word] += 1
            texts = {
                DEFINED: " ".join(each.name for each in chunk.definitions),
                ENCLOSING: " ".join(chunk.enclosing),
                STEM: stem,
                DIRECTORIES: directories,
            }
            total.update((number, field, word) for field, text in texts.items() for word in words(text))
            number += 1
    return total


@given(st.lists(documents(), max_size=3))
def test_a_bag_holds_what_a_naive_count_finds(documents: list[Document]) -> None:
    bag = collect(documents)
    assert counts(bag) == naive(documents)
    assert bag.chunk_count == sum(len(each.syntax.chunks) for each in documents)


@given(st.lists(documents(), max_size=3))
def test_the_bag_of_several_files_is_that_of_each_one_behind_another(documents: list[Document]) -> None:
    expected: Counts = Counter()
    base = 0
    for document in documents:
        bag = collect([document])
        expected.update({(chunk + base, field, word): n for (chunk, field, word), n in counts(bag).items()})
        base += bag.chunk_count
    assert counts(collect(documents)) == expected


def test_a_comment_that_spans_chunks_counts_in_each_of_them() -> None:
    source = b"run() /* one two\r\nthree */ stop()\r\n"
    middle = source.index(b"three")
    syntax = Syntax("c", (Chunk(0, middle, 0, 0), Chunk(middle, len(source), 1, 1)), ((6, source.index(b"*/") + 2),))
    found = {key for key in counts(collect([Document("x.c", source, syntax)])) if key[1] in (CODE, COMMENTS)}
    assert found == {
        (0, CODE, "run"),
        (0, COMMENTS, "one"),
        (0, COMMENTS, "two"),
        (1, COMMENTS, "three"),
        (1, CODE, "stop"),
    }


def test_nothing_gives_an_empty_bag() -> None:
    bag = collect([])
    assert (bag.words, bag.chunk_count, len(bag.word), len(bag.chunk)) == ((), 0, 0, 0)


def test_a_chunk_is_known_by_its_first_names_and_by_what_encloses_it() -> None:
    names = [f"name{number}" for number in range(NAMES_PER_CHUNK + 5)]
    chunk = Chunk(0, 1, 0, 0, definitions=tuple(map(definition, names)), enclosing=("outer", "inner"))
    assert names_of(chunk).split() == [*names[:NAMES_PER_CHUNK], "outer", "inner"]


@pytest.mark.parametrize(
    ("path", "stem", "directories"),
    [
        ("src/api/use.test.ts", "use.test", "src/api"),
        ("Makefile", "Makefile", ""),
        (".gitignore", ".gitignore", ""),
        ("a.b/.eslintrc.json", ".eslintrc", "a.b"),
    ],
)
def test_a_path_is_a_stem_and_its_directories(path: str, stem: str, directories: str) -> None:
    assert split_path(path) == (stem, directories)


@given(st.text("ab./", max_size=12))
def test_the_index_and_the_ranker_agree_on_the_stem(path: str) -> None:
    assert split_path(path)[0] == file_stem(path)
