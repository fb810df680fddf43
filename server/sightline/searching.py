"""Answers: candidates from words, vectors and names, ranked, and checked against the text as it is now."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sightline.adapters.embedding import LocalEmbedder
from sightline.adapters.snapshots import ChunkText, Snapshot, Snapshots
from sightline.adapters.store import Checkout
from sightline.core import anchoring, bits, bm25
from sightline.core.analysis import OWN_KIND_SHIFT, kind_bits
from sightline.core.anchoring import Anchor
from sightline.core.identifiers import folded, text_terms
from sightline.core.model import KINDS, Candidate, Filters, Label, Query, Ranked
from sightline.core.query import of_text
from sightline.core.ranking import WEIGHTS, Weights, rank
from sightline.core.symbols import Symbol, ordered

Mode = Literal["hybrid", "lexical", "semantic"]
BEST_CHUNKS: Final = 100
BEST_FILES: Final = 30
BEST_STEMS: Final = 15
DEFINING: Final = 60
EXACT_BELOW: Final = 1_000
"""Up to this many vectors are compared exactly; above, sign bits choose RERANKED of them first."""
RERANKED: Final = 600
MOST_BITS: Final = 1 << 15
SPARE: Final = 10
"""Ranked entries beyond the limit, for those that turn out to be gone from their files."""

WEIGHTS_WITHOUT_WORDS: Final = replace(WEIGHTS, words=0.0, file_words=0.0)
LIKENESS: Final = replace(WEIGHTS, file_cosine=0, file_words=0, coherence=0, file_name=0, definition_name=0, defined_here=0, depth=0)
"""For code like other code: what a file is called or where it lies says nothing."""
SOURCE_STEP: Final = 1 << 48

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Options:
    """How an answer is cut."""

    limit: int = 10
    max_per_file: int = 1
    mode: Mode = "hybrid"
    explain: bool = False


@dataclass(frozen=True, slots=True)
class More:
    """A further hit in the same file; 0-based inclusive lines."""

    start_line: int
    end_line: int
    symbol: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A place that answers, as the file is now. Lines are 0-based and inclusive."""

    project_id: str
    root: Path
    path: str
    language: str
    kind: str
    symbol: str
    container: str
    signature: str
    text: str
    """The chunk's text; its first line is `start_line`."""
    start_line: int
    end_line: int
    best_line: int
    terms: tuple[str, ...]
    """Index terms of the query, for marking them."""
    label: Label
    score: float
    verified: bool
    more: tuple[More, ...] = ()
    signals: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Lines of a file, 0-based and inclusive."""

    root: Path
    path: str
    start_line: int
    end_line: int

    def overlaps(self, hit: Hit) -> bool:
        same = (self.root, self.path) == (hit.root, hit.path)
        return same and hit.start_line <= self.end_line and self.start_line <= hit.end_line


@dataclass(frozen=True, slots=True)
class Answer:
    """Hits, best first, and whether all that should have been searched was."""

    hits: tuple[Hit, ...]
    complete: bool
    indexed_percent: int
    mode: Mode


@dataclass(frozen=True, slots=True)
class Source:
    """One project's database and those of its checkouts that are searched."""

    project_id: str
    snapshots: Snapshots
    checkouts: tuple[Checkout, ...]
    embedder_id: int
    touch: Callable[[str], None]
    """Is told of files whose text is not the index's."""


class Search:
    """Searches one or more projects at once: their candidates are pooled and ranked together."""

    def __init__(
        self, sources: Sequence[Source], embedder: LocalEmbedder, read: Callable[[Path, str], bytes | None]
    ) -> None:
        """`read` gives a file's current bytes, or None; the sources share the embedder."""
        self._sources = sources
        self._embedder = embedder
        self._read = read

    async def search(self, query: Query, options: Options) -> Answer:
        """The best places for a query; nothing for a query without words, filters or exact text."""
        vector = self._embedder.embed_query(query.text) if options.mode != "lexical" and query.text else None
        weights = WEIGHTS_WITHOUT_WORDS if options.mode == "semantic" else WEIGHTS
        return await self._answer(query, vector, weights, options, None)

    async def similar(self, text: str, place: Place, filters: Filters, options: Options) -> Answer:
        """Places like `text`, without the place that it is from."""
        query = of_text(text, filters)
        return await self._answer(query, self._embedder.embed_passage(text), LIKENESS, options, place)

    async def symbols(self, typed: str, limit: int) -> list[tuple[Path, Symbol]]:
        """Definitions by name, with the roots that they are below; never waits for an embedding."""
        found: list[tuple[Path, Symbol]] = []
        for source in self._sources:
            roots = {each.repository_id: each.root for each in source.checkouts}
            rows = await source.snapshots.symbols(list(roots), typed, limit)
            found += [(roots[each.repository_id], each) for each in rows]
        root_of = {id(each): root for root, each in found}
        return [(root_of[id(each)], each) for each in ordered(typed, (each for _, each in found), limit)]

    async def _answer(
        self,
        query: Query,
        vector: NDArray[np.float32] | None,
        weights: Weights,
        options: Options,
        left_out: Place | None,
    ) -> Answer:
        async with contextlib.AsyncExitStack() as stack:
            pools = []
            for number, source in enumerate(self._sources):
                ids = [each.repository_id for each in source.checkouts]
                snapshot = await stack.enter_async_context(source.snapshots.open(ids, source.embedder_id))
                found = await _Candidates(snapshot, ids, query, vector, options.mode).find()
                pools.append(_Pool(number, source, snapshot, found))
            ranked = rank(
                [each for pool in pools for each in pool.candidates()], query, _pooled_idf(pools),
                limit=options.limit + SPARE, max_per_file=options.max_per_file, weights=weights,
            )  # fmt: skip
            texts: dict[int, ChunkText] = {}
            for pool in pools:
                texts |= await pool.texts(ranked)
        percent = min((pool.percent for pool in pools), default=100)
        hits = await asyncio.to_thread(self._verified, ranked, texts, query, options, left_out)
        return Answer(tuple(hits), percent == 100, percent, options.mode)

    def _verified(
        self,
        ranked: Sequence[Ranked],
        texts: dict[int, ChunkText],
        query: Query,
        options: Options,
        left_out: Place | None,
    ) -> list[Hit]:
        """Hits whose text stands in the file now, at the place where it stands now, up to the limit."""
        current = _Current(self._read)
        hits: list[Hit] = []
        for entry in ranked:
            if len(hits) == options.limit:
                break
            chunk = texts.get(entry.candidate.chunk_id)
            if chunk is None:
                continue
            source = self._sources[entry.candidate.chunk_id // SOURCE_STEP]
            root = next(each.root for each in source.checkouts if each.repository_id == chunk.repository_id)
            anchor = current.anchor(root, chunk)
            if anchor is None or anchor.moved:
                source.touch(chunk.path)
            if anchor is None:
                continue
            hit = _hit(entry, chunk, anchor, root, source.project_id, query, explain=options.explain)
            if left_out is None or not left_out.overlaps(hit):
                more = tuple(current.further(root, texts[each.chunk_id]) for each in entry.more if each.chunk_id in texts)
                hits.append(replace(hit, more=tuple(each for each in more if each is not None)))
        return hits


class _Pool:
    """One source's share of a search. Its ids are shifted, so that those of several databases do not meet."""

    def __init__(
        self, number: int, source: Source, snapshot: Snapshot, found: _Found | None
    ) -> None:
        self._shift = number * SOURCE_STEP
        self._source = source
        self._snapshot = snapshot
        self.percent = snapshot.indexed_percent
        self.found = found

    def candidates(self) -> list[Candidate]:
        if self.found is None or not self._shift:
            return self.found.candidates if self.found else []
        return [
            replace(each, chunk_id=each.chunk_id + self._shift, file_id=each.file_id + self._shift)
            for each in self.found.candidates
        ]

    async def texts(self, ranked: Sequence[Ranked]) -> dict[int, ChunkText]:
        """The texts of those ranked chunks that are of this source."""
        ids = [each.chunk_id for entry in ranked for each in (entry.candidate, *entry.more)]
        own = [each - self._shift for each in ids if each // SOURCE_STEP == self._shift // SOURCE_STEP]
        return {each + self._shift: text for each, text in (await self._snapshot.texts(own)).items()} if own else {}


class _Current:
    """Files as they are now, each read once a search."""

    def __init__(self, read: Callable[[Path, str], bytes | None]) -> None:
        self._read = read
        self._sources: dict[tuple[Path, str], bytes | None] = {}

    def anchor(self, root: Path, chunk: ChunkText) -> Anchor | None:
        """Where the chunk stands now; None where it does not."""
        key = (root, chunk.path)
        if key not in self._sources:
            self._sources[key] = self._read(root, chunk.path)
        source = self._sources[key]
        return anchoring.find(source, chunk.content, chunk.start_byte) if source is not None else None

    def further(self, root: Path, chunk: ChunkText) -> More | None:
        anchor = self.anchor(root, chunk)
        if anchor is None:
            return None
        first, last = anchoring.trimmed(chunk.content)
        return More(anchor.start_line + first, anchor.start_line + last, chunk.symbol)


def _hit(
    entry: Ranked, chunk: ChunkText, anchor: Anchor, root: Path, project_id: str, query: Query, *, explain: bool
) -> Hit:
    first, last = anchoring.trimmed(chunk.content)
    lines = anchoring.lines_of(chunk.content)[first : last + 1]
    best = anchoring.best_line(lines, query.terms, [each.name for each in query.identifiers])
    return Hit(
        project_id=project_id,
        root=root,
        path=chunk.path,
        language=chunk.language,
        kind=chunk.kind,
        symbol=chunk.symbol,
        container=chunk.container,
        signature=chunk.signature,
        text="\n".join(lines),
        start_line=anchor.start_line + first,
        end_line=anchor.start_line + last,
        best_line=anchor.start_line + first + best,
        terms=query.terms,
        label=entry.label,
        score=entry.relevance,
        verified=True,
        signals=entry.signals if explain else {},
    )


def _pooled_idf(pools: Sequence[_Pool]) -> dict[str, float]:
    """The rarest a term is anywhere."""
    idf: dict[str, float] = {}
    for pool in pools:
        for term, value in (pool.found.idf if pool.found else {}).items():
            idf[term] = max(value, idf.get(term, 0.0))
    return idf


@dataclass(frozen=True, slots=True)
class _Found:
    candidates: list[Candidate]
    idf: dict[str, float]


class _Candidates:
    """Chooses about 160 chunks of a snapshot, with the scores that the ranker weighs."""

    def __init__(
        self, snapshot: Snapshot, repositories: list[int], query: Query, vector: NDArray[np.float32] | None, mode: Mode
    ) -> None:
        self._snapshot = snapshot
        self._repositories = repositories
        self._query = query
        self._vector = vector
        self._mode = mode

    async def find(self) -> _Found | None:
        """None where nothing was asked, or the filters let nothing through."""
        words = self._snapshot.words
        filters = self._query.filters
        scores = await self._snapshot.scores(self._query.terms)
        files = await self._snapshot.files(self._repositories, filters)
        exact = await self._exact(filters)
        mask = _mask(words.file_ids, words.kinds, words.chunk_ids, filters, files, exact) & words.live
        if not mask.any():
            return None
        chosen = self._by_filters_alone(mask) if not self._query.terms else set()
        if self._mode != "semantic" and self._query.terms:
            chosen |= self._by_words(scores, mask) | await self._by_definition(mask)
        cosines = await self._cosines(chosen, filters, files, exact)
        chosen |= set(_top_items(cosines, BEST_CHUNKS))
        return _Found(await self._with_features(chosen, cosines, scores), scores.idf)

    async def _exact(self, filters: Filters) -> NDArray[np.int64] | None:
        """Ids of chunks that hold all quoted texts (and none of the excluded ones); None where nothing is quoted."""
        if not filters.exact and not filters.not_exact:
            return None
        snapshot = self._snapshot
        allowed = snapshot.words.chunk_ids[snapshot.words.live]
        inner = {term for text in filters.exact for term in _inner_terms(text)}
        for rows in (await snapshot.scores(sorted(inner))).matches.values():
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
        cover = np.zeros(len(words.files), np.float32)
        np.maximum.at(cover, words.file_rows, np.where(mask, scores.stem_cover, 0))
        named = _top(cover, BEST_STEMS)
        chosen = np.concatenate([rows, _best_rows(np.union1d(best, named), words, allowed)])
        return set(words.chunk_ids[chosen].tolist())

    async def _by_definition(self, mask: Mask) -> set[int]:
        names = [name for each in self._query.identifiers if (name := folded(each.name))]
        if not names:
            return set()
        rows = self._snapshot.words.rows_of(await self._snapshot.defining(names, 4 * DEFINING))
        return set([chunk for chunk, row in rows.items() if mask[row]][:DEFINING])

    async def _cosines(
        self, chosen: Iterable[int], filters: Filters, files: NDArray[np.int32] | None, exact: NDArray[np.int64] | None
    ) -> dict[int, float]:
        """Cosines of the chosen chunks and of the query's neighbours."""
        if self._vector is None:
            return {}
        vectors = self._snapshot.vectors
        mask = _mask(vectors.file_ids, vectors.kinds, vectors.chunk_ids, filters, files, exact)
        rows = np.flatnonzero(mask)
        if len(rows) > EXACT_BELOW:
            distance = bits.distances(vectors.signs, self._vector)[rows]
            rows = rows[_top(MOST_BITS - distance.astype(np.int32), RERANKED)]
        near = vectors.chunk_ids[rows].tolist()
        return await self._snapshot.cosines(self._vector, list({*near, *chosen}))

    async def _with_features(
        self, chosen: set[int], cosines: dict[int, float], scores: bm25.Scores
    ) -> list[Candidate]:
        words = self._snapshot.words
        rows = words.rows_of(list(chosen))
        features = await self._snapshot.features(list(rows))
        lexical = self._mode != "semantic"
        return [
            Candidate(
                chunk_id=chunk,
                file_id=own.file_id,
                path=own.path,
                start_byte=own.start_byte,
                cosine=cosines.get(chunk, 0.0),
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
