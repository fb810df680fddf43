"""Which chunks may answer: about 95 of a snapshot, by words, meaning, names and files, after the filters."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sightline.adapters.snapshots import FilePlace, Snapshot
from sightline.core import bits, bm25
from sightline.core.analysis import OWN_KIND_SHIFT, kind_bits
from sightline.core.identifiers import folded, text_terms
from sightline.core.model import KINDS, Candidate, Filters, Query

Mode = Literal["hybrid", "lexical", "semantic"]
BEST_BY_WORDS: Final = 50
BEST_BY_MEANING: Final = 32
BEST_FILES: Final = 16
BEST_STEMS: Final = 8
"""Measured: NDCG@10 is .908 with these, with 40, 25, 14 and 7, and with 60, 40, 20 and 10; .912 with 100, 60, 30 and 15, for
half as much time again."""
DEFINING: Final = 60
EXACT_BELOW: Final = 1_000
"""Up to this many vectors are compared exactly; above, sign bits choose RERANKED of them first (500 answer alike)."""
RERANKED: Final = 250
MOST_BITS: Final = np.uint16(1 << 15)
TIES: Final = 4
"""Up to so many times as many are taken where the last ones tie."""
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
Scores = NDArray[np.float32] | NDArray[np.float64] | NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Found:
    candidates: list[Candidate]
    """Without what they define, which `Snapshot.outlines` tells."""
    idf: dict[str, float]


@dataclass(frozen=True, slots=True)
class Changes:
    """The files that `changed:` and `-changed:` are about, as git knows them."""

    wanted: frozenset[FilePlace]
    unwanted: frozenset[FilePlace]


class Candidates:
    """Chooses about 95 chunks of a snapshot, with the scores that the ranker weighs."""

    def __init__(
        self,
        snapshot: Snapshot,
        repositories: list[int],
        query: Query,
        vector: NDArray[np.float32] | None,
        mode: Mode,
        changes: Changes | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._repositories = repositories
        self._query = query
        self._vector = vector
        self._mode = mode
        self._changes = changes
        self._turn = asyncio.Lock()
        """The snapshot's connection serves one at a time."""

    async def find(self) -> Found | None:
        """None where nothing was asked, or the filters let nothing through."""
        snapshot, filters = self._snapshot, self._query.filters
        words = snapshot.words
        files = await self._files(filters)
        exact = await self._exact(filters)
        mask = _mask(words.file_ids, words.kinds, words.chunk_ids, filters, files, exact) & words.live
        if not mask.any():
            return None
        held = words.terms.held(self._query.terms)
        postings = await snapshot.postings([each for each in self._query.terms if each not in held])
        # Postgres compares vectors while we count words.
        asked = asyncio.create_task(self._cosines(await self._near(filters, files, exact)))
        try:
            await asyncio.sleep(0)
            scores = bm25.score(words, postings, held)
            chosen = await (self._by_words(scores, mask) if self._query.terms else self._by_filters_alone(mask))
        finally:
            cosines = await asked
        if self._mode == "semantic" and self._query.terms:
            chosen = set()
        else:
            chosen |= await self._by_definition(mask)
        near = np.fromiter(cosines, np.int64, len(cosines))
        closeness = 2 + np.fromiter(cosines.values(), np.float64, len(cosines))
        chosen |= await self._best_of(near, closeness, BEST_BY_MEANING, TIES * BEST_BY_MEANING)
        return Found(await self._with_scores(chosen, cosines, scores), scores.idf)

    async def _files(self, filters: Filters) -> NDArray[np.int32] | None:
        """Ids of the files that may answer; None where all may."""
        files = await self._snapshot.files(self._repositories, filters)
        if self._changes is None:
            return files
        allowed = self._snapshot.words.files if files is None else files
        if filters.changed:
            allowed = np.intersect1d(allowed, await self._changed(self._changes.wanted))
        if filters.not_changed:
            allowed = np.setdiff1d(allowed, await self._changed(self._changes.unwanted))
        return allowed

    async def _changed(self, places: frozenset[FilePlace]) -> NDArray[np.int32]:
        """Ids of the files at these places, and of those that have changed in an editor."""
        found = await self._snapshot.files_at(places | self._snapshot.unsaved)
        return np.array([each for each, _ in found.values()], np.int32)

    async def _exact(self, filters: Filters) -> NDArray[np.int64] | None:
        """Ids of chunks that hold all quoted texts (and none of the excluded ones); None where nothing is quoted."""
        if not filters.exact and not filters.not_exact:
            return None
        snapshot = self._snapshot
        allowed = snapshot.words.chunk_ids[snapshot.words.live]
        inner = {term for text in filters.exact for term in _inner_terms(text)}
        for rows in bm25.score(snapshot.words, await snapshot.postings(sorted(inner))).matches.values():
            allowed = np.intersect1d(allowed, snapshot.words.chunk_ids[rows])
        if filters.exact:
            allowed = np.array(sorted(await snapshot.containing(filters.exact, allowed)), np.int64)
        for text in filters.not_exact:
            unwanted = await snapshot.containing([text], allowed)
            allowed = np.setdiff1d(allowed, np.array(sorted(unwanted), np.int64))
        return allowed

    async def _by_filters_alone(self, mask: Mask) -> set[int]:
        """The first files, and of them the first chunks."""
        if self._query.filters == Filters():
            return set()
        words = self._snapshot.words
        files = await self._first_files(np.unique(words.file_ids[mask]), BEST_BY_WORDS)
        rows = np.flatnonzero(mask & np.isin(words.file_ids, files))
        return set(words.chunk_ids[await self._cut(words.chunk_ids, rows, 10 * BEST_BY_WORDS)].tolist())

    async def _by_words(self, scores: bm25.Scores, mask: Mask) -> set[int]:
        """The best chunks, and the best chunk of each of the best files and of those best named."""
        words = self._snapshot.words
        allowed, files = scores.chunks, np.ones(len(words.files), np.bool_)
        if not mask.all():
            allowed = np.where(mask, allowed, 0)
            files[:] = False
            files[words.file_rows[mask]] = True
        rows = await self._top_chunks(words.chunk_ids, allowed, BEST_BY_WORDS, TIES * BEST_BY_WORDS)
        best = await self._top_files(np.where(files, scores.files, 0), BEST_FILES)
        named = await self._top_files(np.where(files, scores.stem_cover, 0), BEST_STEMS)
        both = np.union1d(best, named)
        of_files = await self._cut(words.chunk_ids, _best_rows(both, words, allowed), TIES * len(both))
        return set(words.chunk_ids[np.concatenate([rows, of_files])].tolist())

    async def _by_definition(self, mask: Mask) -> set[int]:
        names = [name for each in self._query.identifiers if (name := folded(each.name))]
        if not names:
            return set()
        depths = await self._snapshot.defining(names)
        rows = self._snapshot.words.rows_of(list(depths))
        ids = np.array([chunk for chunk, row in rows.items() if mask[row]], np.int64)
        shallow = np.array([1 / (1 + depths[chunk]) for chunk in ids.tolist()], np.float64)
        return await self._best_of(ids, shallow, DEFINING, DEFINING)

    async def _near(
        self, filters: Filters, files: NDArray[np.int32] | None, exact: NDArray[np.int64] | None
    ) -> list[int]:
        """Ids of the chunks whose vectors may be nearest to the query's."""
        if self._vector is None:
            return []
        vectors = self._snapshot.vectors
        mask = _mask(vectors.file_ids, vectors.kinds, vectors.chunk_ids, filters, files, exact)
        near = vectors.chunk_ids if mask.all() else vectors.chunk_ids[mask]
        if len(near) > EXACT_BELOW:
            closeness = MOST_BITS - bits.distances(vectors.signs, self._vector)
            closeness = closeness if len(near) == len(mask) else closeness[mask]
            near = near[await self._top_chunks(near, closeness, RERANKED, TIES * RERANKED)]
        ids: list[int] = near.tolist()
        return ids

    async def _cosines(self, near: list[int]) -> dict[int, float]:
        if self._vector is None or not near:
            return {}
        async with self._turn:
            return await self._snapshot.cosines(self._vector, near)

    async def _best_of(self, ids: NDArray[np.int64], scores: Scores, count: int, most: int) -> set[int]:
        return set(ids[await self._top_chunks(ids, scores, count, most)].tolist())

    async def _top_chunks(self, chunk_ids: NDArray[np.int64], scores: Scores, count: int, most: int) -> Rows:
        """Places of the `count` best-scored of `chunk_ids` and of those that tie with the last, `most` in all."""
        sure, tied = _top(scores, count)
        return np.concatenate([sure, await self._cut(chunk_ids, tied, most - len(sure))])

    async def _top_files(self, scores: Scores, count: int) -> Rows:
        """Places in `words.files` of the `count` best-scored and of those that tie with the last, within bounds."""
        sure, tied = _top(scores, count)
        most = TIES * count - len(sure)
        if len(tied) > most:
            files = self._snapshot.words.files[tied]
            tied = tied[np.isin(files, await self._first_files(files, most))]
        return np.concatenate([sure, tied])

    async def _first_files(self, file_ids: NDArray[np.int32], most: int) -> NDArray[np.int32]:
        """At most so many files, the first by path, so that equal indexes give equal answers."""
        if len(file_ids) <= most:
            return file_ids
        async with self._turn:
            return np.array(await self._snapshot.first_files(file_ids.tolist(), most), np.int32)

    async def _cut(self, chunk_ids: NDArray[np.int64], places: Rows, most: int) -> Rows:
        """The same of chunks, given by their places in `chunk_ids`."""
        if len(places) <= most:
            return places
        ids = chunk_ids[places]
        async with self._turn:
            kept: Rows = places[np.isin(ids, await self._snapshot.first_chunks(ids.tolist(), most))]
        return kept

    async def _with_scores(self, chosen: set[int], cosines: dict[int, float], scores: bm25.Scores) -> list[Candidate]:
        words = self._snapshot.words
        rows = words.rows_of(list(chosen))
        at = np.fromiter(rows.values(), np.int64, len(rows))
        files = words.file_ids[at].tolist()
        chunk_scores, file_scores = scores.chunks[at].tolist(), scores.files[words.file_rows[at]].tolist()
        if self._mode == "semantic":
            chunk_scores = file_scores = [0.0] * len(rows)
        cosines = cosines | await self._cosines([each for each in rows if each not in cosines])
        async with self._turn:
            places = await self._snapshot.places(files)
        return [
            Candidate(chunk, file, places[file][0], 0, cosines.get(chunk, 0.0), score, of_file, (), places[file][1])
            for chunk, file, score, of_file in zip(rows, files, chunk_scores, file_scores, strict=True)
            if file in places
        ]


def _mask(
    file_ids: NDArray[np.int32],
    kinds: NDArray[np.uint32],
    chunk_ids: NDArray[np.int64],
    filters: Filters,
    files: NDArray[np.int32] | None,
    exact: NDArray[np.int64] | None,
) -> Mask:
    """Which rows the filters let through."""
    mask = np.ones(len(chunk_ids), np.bool_)
    if files is not None:
        mask &= np.isin(file_ids, files)
    if exact is not None:
        mask &= np.isin(chunk_ids, exact)
    if filters.kinds:
        mask &= (kinds & np.uint32(kind_bits(filters.kinds))) != 0
    if filters.not_kinds:
        mask &= ~np.isin(kinds >> OWN_KIND_SHIFT, [KINDS.index(kind) for kind in filters.not_kinds])
    return mask


def _top(scores: Scores, count: int) -> tuple[Rows, Rows]:
    """Places of the highest scores above 0 (none is below), fewer than `count` of them, and of those that tie for the rest."""
    positive = scores > 0  # to find the true ones takes a tenth of the time that it takes to find numbers but 0
    if not positive.all():
        rows = np.flatnonzero(positive)
        sure, tied = _top(scores[rows], count)
        return rows[sure], rows[tied]
    if len(scores) <= count:
        return np.arange(len(scores)), np.arange(0)
    least = np.partition(scores, len(scores) - count)[len(scores) - count]
    rows = np.flatnonzero(scores >= least)
    own = scores[rows]
    return rows[own > least], rows[own == least]


def _best_rows(files: Rows, words: bm25.Collection, scores: NDArray[np.float32]) -> Rows:
    """The best-scored rows of each of `files` (places in `words.files`): one, or those that tie."""
    wanted = np.zeros(len(words.files), np.bool_)
    wanted[files] = True
    rows = np.flatnonzero((scores > 0) & wanted[words.file_rows])
    best = np.zeros(len(words.files), np.float32)
    np.maximum.at(best, words.file_rows[rows], scores[rows])
    kept: Rows = rows[scores[rows] == best[words.file_rows[rows]]]
    return kept


def _inner_terms(text: str) -> list[str]:
    """Terms of the words that a quoted text holds whole: not of its first and last, which may be parts."""
    return text_terms(" ".join(text.split()[1:-1]))
