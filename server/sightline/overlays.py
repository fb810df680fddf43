"""Drafts: texts that are searched instead of what the index has of their files, as one more part of a snapshot."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sightline.adapters.lookup import TOP_KINDS
from sightline.adapters.snapshots import ChunkText, FilePlace, Snapshot, VectorRows
from sightline.core import bits, bm25
from sightline.core.analysis import ChunkRow, names_in
from sightline.core.identifiers import folded
from sightline.core.model import Filters
from sightline.core.query import path_regexes
from sightline.core.segments import Block, Directory, PackedWords, Postings
from sightline.core.symbols import Symbol

FIRST_ID: Final = 1 << 47
"""No database counts its chunks so far."""


@dataclass(frozen=True, eq=False)
class Draft:
    """A text as it would be indexed; without chunks, it would not be."""

    place: FilePlace
    content_hash: bytes
    encoded_hashes: frozenset[bytes]
    """The hashes of all bytes that an editor may have read or may save as this text."""
    language: str = "plaintext"
    chunks: tuple[ChunkRow, ...] = ()
    words: PackedWords | None = None
    kinds: NDArray[np.uint32] | None = None
    vectors: NDArray[np.float16] | None = None
    sign_bits: bytes = b""
    embedder_id: int = 0

    @cached_property
    def directory(self) -> Directory:
        return Directory(self.words.directory if self.words else b"")

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(map(Block, self.words.blocks)) if self.words else ()

    def postings(self, term: str) -> Postings | None:
        """Where a term stands in its chunks."""
        block = self.directory.block_of(term)
        return self.blocks[block].find(term) if block >= 0 else None

    def symbols(self, typed: str) -> list[Symbol]:
        """What it defines; where nothing is typed, the main things only."""
        repository, path = self.place
        return [
            Symbol(
                each.name, each.kind, each.container, each.depth, path, (start := chunk.position.start_line + each.line_offset),
                start + each.line_count - 1, repository,
            )
            for chunk in self.chunks
            for each in chunk.definitions
            if folded(typed) or (each.depth == 0 and each.kind in TOP_KINDS)
        ]  # fmt: skip


class Overlay:
    """Drafts as rows of a search. Their chunks' ids begin at FIRST_ID, those of their files at -1 downwards."""

    def __init__(self, drafts: Sequence[Draft]) -> None:
        self.drafts = tuple(drafts)
        self.filled = [(number, each) for number, each in enumerate(drafts) if each.words is not None]
        self.rows: dict[int, tuple[Draft, int]] = {}
        self.ids: list[NDArray[np.int64]] = []
        for _, draft in self.filled:
            first = FIRST_ID + len(self.rows)
            self.rows |= {first + place: (draft, place) for place in range(len(draft.chunks))}
            self.ids.append(np.arange(first, first + len(draft.chunks), dtype=np.int64))
        self._merged: _Merged | None = None

    def file_id(self, number: int) -> int:
        return -1 - number

    def merged(self, words: bm25.Collection, vectors: VectorRows, hidden: frozenset[int], embedder_id: int) -> _Merged:
        """A snapshot's words and vectors with these, and without those of hidden files; kept for the next search."""
        known = self._merged
        if known is None or known.of_words is not words or known.of_vectors is not vectors or known.hidden != hidden:
            files = np.array(sorted(hidden), np.int32)
            joined = self._joined(vectors, files, embedder_id)
            known = self._merged = _Merged(words, vectors, hidden, words.overlaid(self._columns(), files), joined)
        return known

    def _columns(self) -> list[bm25.SegmentColumns]:
        return [
            bm25.SegmentColumns(
                ids, np.full(len(ids), self.file_id(number), np.int32), draft.kinds, draft.words.lengths
            )
            for ids, (number, draft) in zip(self.ids, self.filled, strict=True)
            if draft.words is not None and draft.kinds is not None
        ]

    def _joined(self, vectors: VectorRows, hidden: NDArray[np.int32], embedder_id: int) -> VectorRows:
        kept = _runs(np.flatnonzero(np.isin(vectors.file_ids, hidden)), len(vectors.file_ids))
        parts = [
            VectorRows(
                columns.chunk_ids, columns.file_ids, columns.kinds, bits.unpack(draft.sign_bits, len(columns.kinds))
            )
            for columns, (_, draft) in zip(self._columns(), self.filled, strict=True)
            if draft.sign_bits and draft.embedder_id == embedder_id
        ]
        signs = [vectors.signs[:, each] for each in kept] if len(vectors.chunk_ids) else []
        return VectorRows(
            np.concatenate([*(vectors.chunk_ids[each] for each in kept), *(each.chunk_ids for each in parts)]),
            np.concatenate([*(vectors.file_ids[each] for each in kept), *(each.file_ids for each in parts)]),
            np.concatenate([*(vectors.kinds[each] for each in kept), *(each.kinds for each in parts)]),
            np.concatenate([*signs, *(each.signs for each in parts)], axis=1) if signs or parts else vectors.signs,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Merged:
    """What was merged with an overlay, and the result."""

    of_words: bm25.Collection
    of_vectors: VectorRows
    hidden: frozenset[int]
    words: bm25.Collection
    vectors: VectorRows


class Overlaid(Snapshot):
    """A snapshot in which drafts stand for their files."""

    def __init__(
        self, below: Snapshot, overlay: Overlay, hidden: frozenset[int], unsaved: frozenset[FilePlace]
    ) -> None:
        merged = overlay.merged(below.words, below.vectors, hidden, below.embedder_id)
        super().__init__(
            below._owner,
            below._connection,
            below.embedder_id,
            below._segments,
            merged.words,
            merged.vectors,
            below.indexed_percent,
            below.pending_vectors,
        )
        self.unsaved = unsaved
        self._overlay = overlay

    async def postings(self, terms: Sequence[str]) -> dict[str, list[tuple[int, Postings]]]:
        found = await super().postings(terms)
        for place, (_, draft) in enumerate(self._overlay.filled, len(self._segments)):
            for term in terms:
                if (postings := draft.postings(term)) is not None:
                    found[term].append((place, postings))
        return found

    async def files(self, repository_ids: Sequence[int], filters: Filters) -> NDArray[np.int32] | None:
        stored = await super().files(repository_ids, filters)
        if stored is None:
            return None
        own = [self._overlay.file_id(number) for number, each in self._overlay.filled if _lets(filters, each)]
        return np.concatenate([stored, np.array(own, np.int32)])

    async def files_at(self, places: Iterable[FilePlace]) -> dict[FilePlace, tuple[int, bytes | None]]:
        wanted = set(places)
        own = {
            each.place: (self._overlay.file_id(number), each.content_hash)
            for number, each in enumerate(self._overlay.drafts)
            if each.place in wanted
        }
        return await super().files_at(wanted) | own

    async def containing(self, texts: Sequence[str], among: NDArray[np.int64] | None) -> set[int]:
        allowed = self._overlay.rows.keys() if among is None else self._overlay.rows.keys() & set(among.tolist())
        own = {each for each in allowed if all(text in self._chunk(each).content for text in texts)}
        return await super().containing(texts, among) | own

    async def defining(self, folded: Sequence[str]) -> dict[int, int]:
        own: dict[int, int] = {}
        for chunk, (draft, place) in self._overlay.rows.items():
            depths = [each.depth for each in draft.chunks[place].definitions if each.folded in folded]
            if depths:
                own[chunk] = min(depths)
        return await super().defining(folded) | own

    async def cosines(self, query: NDArray[np.float32], chunk_ids: Sequence[int]) -> dict[int, float]:
        own = [each for each in chunk_ids if each >= FIRST_ID and self._has_vector(each)]
        found = await super().cosines(query, [each for each in chunk_ids if each < FIRST_ID])
        if not own:
            return found
        vectors = np.array([self._vector(each) for each in own], np.float32)
        # Postgres has the query in half precision too.
        return found | dict(zip(own, (vectors @ query.astype(np.float16).astype(np.float32)).tolist(), strict=True))

    async def places(self, file_ids: Iterable[int]) -> Mapping[int, tuple[str, int]]:
        wanted = set(file_ids)
        own = {each: self._overlay.drafts[-1 - each].place for each in wanted if each < 0}
        stored = await super().places(each for each in wanted if each >= 0)
        return {**stored, **{each: (path, repository) for each, (repository, path) in own.items()}}

    async def texts(self, chunk_ids: Sequence[int]) -> dict[int, ChunkText]:
        stored = await super().texts([each for each in chunk_ids if each < FIRST_ID])
        return stored | {each: self._text(each) for each in chunk_ids if each >= FIRST_ID}

    async def _placed(self, chunk_ids: Sequence[int], limit: int) -> list[tuple[str, int, int, int]]:
        stored = await super()._placed([each for each in chunk_ids if each < FIRST_ID], limit)
        own = []
        for each in chunk_ids:
            if each >= FIRST_ID:
                repository, path = self._overlay.rows[each][0].place
                own.append((path, self._chunk(each).position.start_byte, repository, each))
        return list(heapq.merge(stored, sorted(own)))[:limit]

    def _chunk(self, chunk_id: int) -> ChunkRow:
        draft, place = self._overlay.rows[chunk_id]
        return draft.chunks[place]

    def _has_vector(self, chunk_id: int) -> bool:
        draft = self._overlay.rows[chunk_id][0]
        return draft.vectors is not None and draft.embedder_id == self.embedder_id

    def _vector(self, chunk_id: int) -> NDArray[np.float16]:
        draft, place = self._overlay.rows[chunk_id]
        assert draft.vectors is not None, "asked for those only that have some"
        row: NDArray[np.float16] = draft.vectors[place]
        return row

    def _text(self, chunk_id: int) -> ChunkText:
        draft, place = self._overlay.rows[chunk_id]
        row = draft.chunks[place]
        return ChunkText(
            chunk_id, draft.place[1], draft.language, row.content, row.position.start_byte, row.kind, row.symbol,
            row.container, row.signature, names_in(row.outline),
        )  # fmt: skip


def _runs(gone: NDArray[np.int64], count: int) -> list[slice]:
    """What is left of so many rows, as slices: to copy those costs a fifth of what a mask costs."""
    bounds = [-1, *gone.tolist(), count]
    return [slice(before + 1, after) for before, after in pairwise(bounds) if before + 1 < after or not count] or [
        slice(0)
    ]


def _lets(filters: Filters, draft: Draft) -> bool:
    """Whether the filters let a file of that path and language through."""
    wanted, unwanted = path_regexes(filters)
    path = draft.place[1]
    return (
        (not filters.languages or draft.language in filters.languages)
        and draft.language not in filters.not_languages
        and all(re.search(each, path) for each in wanted)
        and not any(re.search(each, path) for each in unwanted)
    )
