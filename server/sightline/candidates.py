"""Which chunks may answer: about 160 of a snapshot, by words, meaning, names and files, after the filters."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sightline.adapters.snapshots import Snapshot
from sightline.core import bits, bm25
from sightline.core.analysis import OWN_KIND_SHIFT, kind_bits
from sightline.core.identifiers import folded, text_terms
from sightline.core.model import KINDS, Candidate, Filters, Query

Mode = Literal["hybrid", "lexical", "semantic"]
BEST_CHUNKS: Final = 80
BEST_FILES: Final = 30
BEST_STEMS: Final = 15
DEFINING: Final = 60
EXACT_BELOW: Final = 1_000
"""Up to this many vectors are compared exactly; above, sign bits choose RERANKED of them first."""
RERANKED: Final = 500
MOST_BITS: Final = 1 << 15
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Found:
    candidates: list[Candidate]
    idf: dict[str, float]


class Candidates:
    """Chooses about 160 chunks of a snapshot, with the scores that the ranker weighs."""

    def __init__(
        self, snapshot: Snapshot, repositories: list[int], query: Query, vector: NDArray[np.float32] | None, mode: Mode
    ) -> None:
        self._snapshot = snapshot
        self._repositories = repositories
        self._query = query
        self._vector = vector
        self._mode = mode

    async def find(self) -> Found | None:
        """None where nothing was asked, or the filters let nothing through."""
        snapshot, filters = self._snapshot, self._query.filters
        words = snapshot.words
        files = await snapshot.files(self._repositories, filters)
        exact = await self._exact(filters)
        mask = _mask(words.file_ids, words.kinds, words.chunk_ids, filters, files, exact) & words.live
        if not mask.any():
            return None
        postings = await snapshot.postings(self._query.terms)
        # Postgres compares vectors while we count words; nothing else may use the connection meanwhile.
        asked = asyncio.create_task(self._cosines(self._near(filters, files, exact)))
        await asyncio.sleep(0)
        try:
            scores = bm25.score(words, postings)
            chosen = self._by_words(scores, mask) if self._query.terms else self._by_filters_alone(mask)
        finally:
            cosines = await asked
        if self._mode == "semantic" and self._query.terms:
            chosen = set()
        else:
            chosen |= await self._by_definition(mask)
        chosen |= set(_top_items(cosines, BEST_CHUNKS))
        return Found(await self._with_features(chosen, scores), scores.idf)

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

    def _by_filters_alone(self, mask: Mask) -> set[int]:
        filters = self._query.filters
        if filters == Filters():
            return set()
        return set(self._snapshot.words.chunk_ids[np.flatnonzero(mask)[: 10 * BEST_CHUNKS]].tolist())

    def _by_words(self, scores: bm25.Scores, mask: Mask) -> set[int]:
        """The best chunks, and the best chunk of each of the best files and of those best named."""
        words = self._snapshot.words
        allowed = np.where(mask, scores.chunks, 0)
        rows = _top(allowed, BEST_CHUNKS)
        files = np.zeros(len(words.files), np.bool_)
        files[words.file_rows[mask]] = True
        best = _top(np.where(files, scores.files, 0), BEST_FILES)
        named = _top(np.where(files, scores.stem_cover, 0), BEST_STEMS)
        chosen = np.concatenate([rows, _best_rows(np.union1d(best, named), words, allowed)])
        return set(words.chunk_ids[chosen].tolist())

    async def _by_definition(self, mask: Mask) -> set[int]:
        names = [name for each in self._query.identifiers if (name := folded(each.name))]
        if not names:
            return set()
        rows = self._snapshot.words.rows_of(await self._snapshot.defining(names, 4 * DEFINING))
        return set([chunk for chunk, row in rows.items() if mask[row]][:DEFINING])

    def _near(
        self, filters: Filters, files: NDArray[np.int32] | None, exact: NDArray[np.int64] | None
    ) -> list[int]:
        """Ids of the chunks whose vectors may be nearest to the query's."""
        if self._vector is None:
            return []
        vectors = self._snapshot.vectors
        rows = np.flatnonzero(_mask(vectors.file_ids, vectors.kinds, vectors.chunk_ids, filters, files, exact))
        if len(rows) > EXACT_BELOW:
            distance = bits.distances(vectors.signs, self._vector)[rows]
            rows = rows[_top(MOST_BITS - distance.astype(np.int32), RERANKED)]
        near: list[int] = vectors.chunk_ids[rows].tolist()
        return near

    async def _cosines(self, near: list[int]) -> dict[int, float]:
        return await self._snapshot.cosines(self._vector, near) if self._vector is not None and near else {}

    async def _with_features(self, chosen: set[int], scores: bm25.Scores) -> list[Candidate]:
        words = self._snapshot.words
        rows = words.rows_of(list(chosen))
        files = {chunk: int(words.file_ids[row]) for chunk, row in rows.items()}
        features = await self._snapshot.features(files, self._vector)
        lexical = self._mode != "semantic"
        return [
            Candidate(
                chunk_id=chunk,
                file_id=own.file_id,
                path=own.path,
                start_byte=own.start_byte,
                cosine=own.cosine,
                bm25=float(scores.chunks[row]) if lexical else 0.0,
                file_bm25=float(scores.files[words.file_rows[row]]) if lexical else 0.0,
                definitions=own.definitions,
            )
            for chunk, row in rows.items()
            if (own := features.get(chunk)) is not None
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


def _top(scores: NDArray[np.float32] | NDArray[np.int32], count: int) -> Rows:
    """Places of the `count` highest positive scores and of all that tie with the last of them."""
    positive = np.flatnonzero(scores > 0)
    if len(positive) <= count:
        return positive
    own = scores[positive]
    least = np.partition(own, len(own) - count)[len(own) - count]
    tied: Rows = positive[own >= least]
    return tied[: 4 * count]


def _top_items(scores: dict[int, float], count: int) -> list[int]:
    return sorted(scores, key=lambda each: -scores[each])[:count]


def _best_rows(files: Rows, words: bm25.Collection, scores: NDArray[np.float32]) -> Rows:
    """The best-scored row of each of `files` (places in `words.files`)."""
    rows = np.flatnonzero(np.isin(words.file_rows, files) & (scores > 0))
    order = np.lexsort((-scores[rows], words.file_rows[rows]))
    rows = rows[order]
    _, first = np.unique(words.file_rows[rows], return_index=True)
    return rows[first]


def _inner_terms(text: str) -> list[str]:
    """Terms of the words that a quoted text holds whole: not of its first and last, which may be parts."""
    return text_terms(" ".join(text.split()[1:-1]))
