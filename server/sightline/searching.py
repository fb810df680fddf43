"""Answers: candidates from words, vectors and names, ranked, and checked against the text as it is now."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sightline.adapters.embedding import LocalEmbedder
from sightline.adapters.snapshots import ChunkText, Snapshot, Snapshots
from sightline.adapters.store import Checkout
from sightline.candidates import Candidates, Found, Mode
from sightline.core import anchoring
from sightline.core.anchoring import Anchor
from sightline.core.model import Candidate, Filters, Label, Query, Ranked
from sightline.core.query import of_text
from sightline.core.ranking import WEIGHTS, Weights, rank
from sightline.core.symbols import Symbol, ordered

SPARE: Final = 10
"""Ranked entries beyond the limit, for those that turn out to be gone from their files."""

WEIGHTS_WITHOUT_WORDS: Final = replace(WEIGHTS, words=0.0, file_words=0.0)
LIKENESS: Final = replace(WEIGHTS, file_cosine=0, file_words=0, coherence=0, file_name=0, definition_name=0, defined_here=0, depth=0)
"""For code like other code: what a file is called or where it lies says nothing."""
SOURCE_STEP: Final = 1 << 48



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
                found = await Candidates(snapshot, ids, query, vector, options.mode).find()
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
        self, number: int, source: Source, snapshot: Snapshot, found: Found | None
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
