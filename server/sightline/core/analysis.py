"""From a batch of parsed files to what the index stores of them: rows, words and the hashes that tell change."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sightline.core import chunking, identifiers, segments
from sightline.core.bags import NAMES_PER_CHUNK, Bag, Document, collect
from sightline.core.diffing import Position, StoredChunk, diff
from sightline.core.model import KINDS, Chunk, DefinedName, Syntax
from sightline.core.naming import words_of

HASH_BYTES: Final = 16
VERSION: Final = 1
"""Raised whenever chunks, words or hashes of the same bytes come out differently: the index is then made anew."""
OWN_KIND_SHIFT: Final = 27


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A new chunk as the table `code_chunks` has it, but for ids."""

    content: str
    text_hash: bytes
    document_hash: bytes
    position: Position
    kind: str
    symbol: str
    container: str
    signature: str
    doc: str
    outline: str
    definitions: tuple[DefinitionRow, ...]


@dataclass(frozen=True, slots=True)
class DefinitionRow:
    """A definition as the table `definitions` has it, but for its chunk's id."""

    name: str
    folded: str
    initials: str
    kind: str
    depth: int
    line_offset: int
    line_count: int
    container: str


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a file's new content does to its stored chunks; `added` rows have their words in the batch's segment."""

    path: str
    language: str
    added: tuple[ChunkRow, ...]
    moved: tuple[tuple[int, Position], ...]
    removed: tuple[int, ...]
    unchanged: int


@dataclass(frozen=True, slots=True)
class Added:
    """The new chunks of a batch, in order: documents that hold only them, their bag, and a mask of their kinds."""

    documents: tuple[Document, ...]
    bag: Bag
    kinds: NDArray[np.uint32]


class TermsOfWords(dict[str, tuple[str, ...]]):
    """Remembers the index terms of every word it was asked for, up to a bound."""

    REMEMBERED = 500_000

    def __missing__(self, word: str) -> tuple[str, ...]:
        if len(self) >= self.REMEMBERED:
            self.clear()
        self[word] = terms = identifiers.terms(word)
        return terms


def analyse(
    files: Sequence[tuple[str, bytes]], stored: Mapping[str, Sequence[StoredChunk]]
) -> tuple[tuple[FileChange, ...], Added]:
    """Parses files (path, bytes) and compares them with their stored chunks. Never fails, whatever the bytes."""
    changes: list[FileChange] = []
    documents: list[Document] = []
    for path, source in files:
        syntax = chunking.parse(path, source)
        hashes = [(document_hash(path, source, chunk), position_of(chunk)) for chunk in syntax.chunks]
        change = diff(stored.get(path, ()), hashes)
        chunks = tuple(syntax.chunks[place] for place in change.added)
        rows = tuple(_row(source, chunk, hashes[place][0]) for place, chunk in zip(change.added, chunks, strict=True))
        changes.append(FileChange(path, syntax.language, rows, change.moved, change.removed, change.unchanged))
        documents.append(Document(path, source, Syntax(syntax.language, chunks, syntax.comments)))
    kinds = [kind_mask(chunk) for document in documents for chunk in document.syntax.chunks]
    return tuple(changes), Added(tuple(documents), collect(documents), np.array(kinds, np.uint32))


def pack_words(bag: Bag, terms_of: Mapping[str, tuple[str, ...]]) -> segments.PackedWords:
    """The word segment of a batch's new chunks."""
    return segments.pack(bag, terms_of)


def text_of(source: bytes, chunk: Chunk) -> str:
    """The chunk's text as it is stored: valid UTF-8 without NUL, which Postgres cannot hold."""
    return as_text(source[chunk.start_byte : chunk.end_byte])


def as_text(data: bytes) -> str:
    """Bytes of a file as the index stores them."""
    return data.decode("utf-8", "replace").replace("\0", "\ufffd")


def position_of(chunk: Chunk) -> Position:
    return Position(chunk.start_line, chunk.end_line, chunk.start_byte, chunk.end_byte)


def document_hash(path: str, source: bytes, chunk: Chunk) -> bytes:
    """The hash of all that is stored of a chunk but its place: its text, path, names, and what it stands in."""
    digest = hashlib.blake2b(source[chunk.start_byte : chunk.end_byte], digest_size=HASH_BYTES)
    parts = ["", path, *chunk.enclosing, chunk.kind, chunk.symbol, chunk.container, chunk.signature, chunk.doc]
    for each in chunk.definitions:
        parts += (each.name, each.kind, each.container, str(each.depth), str(each.end_line - each.start_line))
    digest.update("\0".join(parts).encode("utf-8", "surrogatepass"))
    return digest.digest()


def kind_mask(chunk: Chunk) -> int:
    """One bit for each kind that the chunk has or defines, and the number of its own kind above them."""
    mask = kind_bits((chunk.kind,)) | KINDS.index(chunk.kind) << OWN_KIND_SHIFT
    for definition in chunk.definitions:
        mask |= kind_bits((definition.kind,))
    return mask


@cache
def kind_bits(kinds: tuple[str, ...]) -> int:
    """The bits of `kinds` in a chunk's mask."""
    return sum(1 << KINDS.index(kind) for kind in set(kinds))


def outline(chunk: Chunk) -> str:
    """The chunk's definitions, a line each: name, kind, depth, container, first line, count of lines, and its words."""
    lines = []
    for each in chunk.definitions[:NAMES_PER_CHUNK]:
        name, container = _one_line(each.name), _one_line(each.container)
        first, count = each.start_line - chunk.start_line, each.end_line - each.start_line + 1
        numbers = (str(each.depth), container, str(first), str(count))
        lines.append("\t".join((name, each.kind, *numbers, " ".join(words_of(name)))))
    return "\n".join(lines)


@lru_cache(maxsize=4096)
def names_in(outline: str) -> tuple[DefinedName, ...]:
    """What `outline` wrote. Half of what a search reads was read by one before."""
    if not outline:
        return ()
    names = []
    for line in outline.split("\n"):
        name, kind, depth, container, first, count, words = line.split("\t")
        names.append(DefinedName(name, kind, int(depth), container, int(first), int(count), tuple(words.split())))
    return tuple(names)


def _one_line(text: str) -> str:
    return " ".join(_clean(text).split())


def _row(source: bytes, chunk: Chunk, hashed: bytes) -> ChunkRow:
    text = source[chunk.start_byte : chunk.end_byte]
    return ChunkRow(
        content=as_text(text),
        text_hash=hashlib.blake2b(text, digest_size=HASH_BYTES).digest(),
        document_hash=hashed,
        position=position_of(chunk),
        kind=chunk.kind,
        symbol=_clean(chunk.symbol),
        container=_clean(chunk.container),
        signature=_clean(chunk.signature),
        doc=_clean(chunk.doc),
        outline=outline(chunk),
        definitions=tuple(
            DefinitionRow(
                name=_clean(each.name),
                folded=identifiers.folded(each.name),
                initials=identifiers.initials(each.name),
                kind=each.kind,
                depth=min(each.depth, 32_767),
                line_offset=each.start_line - chunk.start_line,
                line_count=each.end_line - each.start_line + 1,
                container=_clean(each.container),
            )
            for each in chunk.definitions
        ),
    )


def _clean(text: str) -> str:
    return text.replace("\0", "\ufffd") if "\0" in text else text
