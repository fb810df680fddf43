"""Bags of words: how often each word stands in each field of each chunk."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sightline.core.identifiers import WORD_PATTERN
from sightline.core.model import Chunk, Syntax

WORD: Final = re.compile(WORD_PATTERN.encode("ascii"))
CODE, COMMENTS, DEFINED, ENCLOSING, STEM, DIRECTORIES = range(6)
FIELD_COUNT: Final = 6
NAMES_PER_CHUNK: Final = 20
"""Defined names beyond these say what a table of constants is about no better."""

Integers = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: path relative to its root, bytes, chunks and comments."""

    path: str
    source: bytes
    syntax: Syntax


@dataclass(frozen=True, slots=True)
class Bag:
    """Parallel arrays, an entry for each word of each piece of a chunk: the counts of (chunk, field, word) add up.

    `word` indexes `words`.
    """

    words: tuple[str, ...]
    chunk: Integers
    field: Integers
    word: Integers
    count: Integers
    chunk_count: int


class _Numbering(dict[bytes, int]):
    """Numbers words in the order in which they are first asked for."""

    def __missing__(self, word: bytes) -> int:
        self[word] = number = len(self)
        return number


def collect(documents: Iterable[Document]) -> Bag:
    """The bag of all chunks of `documents`, numbered through in order."""
    number = _Numbering()
    lookup = number.__getitem__
    words: list[int] = []
    counts: list[int] = []
    pieces: list[tuple[int, int, int]] = []
    base = 0
    for document in documents:
        for chunk, field, text in _pieces(document):
            found = Counter(WORD.findall(text))
            words.extend(map(lookup, found))
            counts.extend(found.values())
            pieces.append((base + chunk, field, len(found)))
        base += len(document.syntax.chunks)
    table = np.array(pieces, np.int32).reshape(-1, 3)
    return Bag(
        words=tuple(word.decode("utf-8", "replace") for word in number),
        chunk=np.repeat(table[:, 0], table[:, 2]),
        field=np.repeat(table[:, 1], table[:, 2]),
        word=np.array(words, np.int32),
        count=np.array(counts, np.int32),
        chunk_count=base,
    )


def names_of(chunk: Chunk) -> str:
    """The defined and enclosing names that stand for a chunk, as text."""
    return " ".join([*(each.name for each in chunk.definitions[:NAMES_PER_CHUNK]), *chunk.enclosing])


def split_path(path: str) -> tuple[str, str]:
    """The file's stem (name without its last extension) and its directories."""
    directories, _, name = path.rpartition("/")
    head, dot, _ = name.rpartition(".")
    return (head if dot and head else name), directories


def _pieces(document: Document) -> Iterator[tuple[int, int, bytes]]:
    """(chunk, field, text) for everything that is indexed of a document."""
    stem, directories = (part.encode("utf-8", "replace") for part in split_path(document.path))
    spans = _Spans(document.syntax.comments)
    for number, chunk in enumerate(document.syntax.chunks):
        for field, start, end in spans.divide(chunk.start_byte, chunk.end_byte):
            yield number, field, document.source[start:end]
        if chunk.definitions:
            yield number, DEFINED, " ".join(each.name for each in chunk.definitions).encode("utf-8", "replace")
        if chunk.enclosing:
            yield number, ENCLOSING, " ".join(chunk.enclosing).encode("utf-8", "replace")
        yield number, STEM, stem
        if directories:
            yield number, DIRECTORIES, directories


class _Spans:
    """Walks ascending comment spans beside ascending chunks."""

    def __init__(self, comments: tuple[tuple[int, int], ...]) -> None:
        self._comments = comments
        self._next = 0

    def divide(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Cuts [start, end) into code and comments."""
        comments = self._comments
        while self._next < len(comments) and comments[self._next][1] <= start:
            self._next += 1
        position, index = start, self._next
        while index < len(comments) and comments[index][0] < end:
            first, last = max(comments[index][0], position), min(comments[index][1], end)
            if position < first:
                yield CODE, position, first
            if first < last:
                yield COMMENTS, first, last
                position = last
            index += 1
        if position < end:
            yield CODE, position, end
