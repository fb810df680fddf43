"""Answers: candidates from words, vectors and names, ranked, and checked against the text as it is now."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.adapters.embedding import LocalEmbedder
from sightline.adapters.revisions import Revisions
from sightline.adapters.snapshots import ChunkText, FilePlace, Snapshot, Snapshots
from sightline.adapters.store import Checkout
from sightline.buffers import Unsaved
from sightline.candidates import Candidates, Changes, Found, Mode
from sightline.core import anchoring
from sightline.core.model import Candidate, DefinedName, Filters, Label, Query, Ranked
from sightline.core.query import of_text
from sightline.core.ranking import WEIGHTS, Ranking, Weights
from sightline.core.symbols import Symbol, ordered
from sightline.errors import QueryError
from sightline.overlays import FIRST_ID

WEIGHTS_WITHOUT_WORDS: Final = replace(WEIGHTS, words=0.0, file_words=0.0)
LIKENESS: Final = replace(
    WEIGHTS, file_cosine=0, file_words=0, coherence=0, file_name=0, definition_name=0, defined_here=0, depth=0
)
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

    def overlaps(self, other: Place) -> bool:
        same = (self.root, self.path) == (other.root, other.path)
        return same and other.start_line <= self.end_line and self.start_line <= other.end_line


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
    unsaved: Unsaved | None = None
    """The texts that are searched instead of the index's."""
    within: tuple[str, ...] = ()
    """Globs of the part that is searched where a query does not say another: the folder below the root that is open."""
    revisions: Revisions = field(default_factory=Revisions)


class Reader(Protocol):
    """Gives a file's current bytes, or None; without `wait` it raises BlockingIOError where it would have to."""

    def __call__(self, root: Path, path: str, /, *, wait: bool) -> bytes | None: ...


class Search:
    """Searches one or more projects at once: their candidates are pooled and ranked together."""

    def __init__(self, sources: Sequence[Source], embedder: LocalEmbedder, read: Reader) -> None:
        """The sources share the embedder."""
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

    async def symbols(self, typed: str, limit: int, *, close: bool = False) -> list[tuple[Path, Symbol]]:
        """Definitions by name, with the roots that they are below; never waits for an embedding."""
        found: list[tuple[Path, Symbol]] = []
        for source in self._sources:
            roots = {each.repository_id: each.root for each in source.checkouts}
            rows = await source.snapshots.symbols(list(roots), typed, limit, close=close)
            if source.unsaved is not None:
                rows = await source.unsaved.symbols(source.snapshots, rows, typed)
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
        changes = await _changes(self._sources, query.filters)  # git may be slow: before anything is open
        async with contextlib.AsyncExitStack() as stack:
            pools = []
            for number, source in enumerate(self._sources):
                ids = [each.repository_id for each in source.checkouts]
                snapshot = await stack.enter_async_context(source.snapshots.open(ids, source.embedder_id))
                if source.unsaved is not None:
                    snapshot = await source.unsaved.over(snapshot)
                asked = _within(query, source)
                found = await Candidates(snapshot, ids, asked, vector, options.mode, changes[number]).find()
                pools.append(_Pool(number, source, snapshot, found))
            standing = _Standing(self._sources, self._read, left_out)
            hits = await self._verified(pools, standing, query, weights, options)
        percent = min((pool.percent for pool in pools), default=100)
        return Answer(tuple(hits), percent == 100, percent, options.mode)

    async def _verified(
        self, pools: Sequence[_Pool], standing: _Standing, query: Query, weights: Weights, options: Options
    ) -> list[Hit]:
        """The best places that stand in the files now: what does not is taken out, and the rest is ranked again."""
        candidates = [each for pool in pools for each in pool.candidates()]
        idf = _pooled_idf(pools)
        while True:
            ranking = Ranking(candidates, query, idf, weights)
            hopeful = ranking.hopeful(options.limit)
            complete = [each for pool in pools for each in await pool.completed(hopeful)]
            ranked = ranking.entries(complete, options.limit, options.max_per_file)
            await asyncio.gather(standing.read_texts(ranked, pools), standing.read_files(ranked))
            gone = standing.missing(ranked)
            if not gone:
                standing.touch()
                return standing.hits(ranked, query, explain=options.explain)
            candidates = [each for each in candidates if each.chunk_id not in gone]


class _Pool:
    """One source's share of a search. Its ids are shifted, so that those of several databases do not meet."""

    def __init__(self, number: int, source: Source, snapshot: Snapshot, found: Found | None) -> None:
        self._shift = number * SOURCE_STEP
        self._source = source
        self._snapshot = snapshot
        self.percent = snapshot.indexed_percent
        self.found = found
        self._outlines: dict[int, tuple[int, tuple[DefinedName, ...]]] = {}

    def candidates(self) -> list[Candidate]:
        if self.found is None or not self._shift:
            return self.found.candidates if self.found else []
        return [
            each._replace(chunk_id=each.chunk_id + self._shift, file_id=each.file_id + self._shift)
            for each in self.found.candidates
        ]

    async def completed(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those of the candidates that are of this source, with what they define."""
        own = self._own([each.chunk_id for each in candidates])
        if missing := [each - self._shift for each in own if each not in self._outlines]:
            read = await self._snapshot.outlines(missing)
            self._outlines |= {each + self._shift: outline for each, outline in read.items()}
        return [
            Candidate(*each[:3], outline[0], *each[4:7], outline[1], each.repository_id)
            for each in candidates
            if (outline := self._outlines.get(each.chunk_id)) is not None
        ]

    async def texts(self, chunk_ids: Sequence[int]) -> dict[int, ChunkText]:
        """The texts of those of the chunks that are of this source."""
        own = [each - self._shift for each in self._own(chunk_ids)]
        return {each + self._shift: text for each, text in (await self._snapshot.texts(own)).items()} if own else {}

    def _own(self, chunk_ids: Sequence[int]) -> list[int]:
        return [each for each in chunk_ids if each // SOURCE_STEP == self._shift // SOURCE_STEP]


class _Standing:
    """Compares chunks with their files as they are now, each read once a search."""

    def __init__(self, sources: Sequence[Source], read: Reader, left_out: Place | None) -> None:
        self._sources = sources
        self._read = read
        self._left_out = left_out
        self._roots = [{each.repository_id: each.root for each in source.checkouts} for source in sources]
        self._texts: dict[int, ChunkText] = {}
        self._files: dict[tuple[Path, str], bytes | None] = {}
        self._places: dict[int, Place | None] = {}
        self._outdated: set[tuple[int, str]] = set()

    async def read_files(self, ranked: Sequence[Ranked]) -> None:
        """Those that are not in memory off the loop, since a disk may be slow."""
        slow = []
        for each in {self._file(entry.candidate) for entry in ranked} - self._files.keys():
            try:
                self._files[each] = self._read(*each, wait=False)
            except BlockingIOError:
                slow.append(each)
        if slow:
            self._files |= await asyncio.to_thread(lambda: {each: self._read(*each, wait=True) for each in slow})

    async def read_texts(self, ranked: Sequence[Ranked], pools: Sequence[_Pool]) -> None:
        """What the index has of the entries."""
        missing = [each.chunk_id for each in _chunks(ranked) if each.chunk_id not in self._texts]
        for pool in pools:
            self._texts |= await pool.texts(missing)

    def missing(self, ranked: Sequence[Ranked]) -> set[int]:
        """The chunks that stand nowhere now, or where they are not wanted."""
        for each in _chunks(ranked):
            if each.chunk_id not in self._places:
                self._places[each.chunk_id] = self._place(each)
        return {each.chunk_id for each in _chunks(ranked) if self._places[each.chunk_id] is None}

    def touch(self) -> None:
        """Tells the sources of files whose text is not the index's."""
        for number, path in sorted(self._outdated):
            self._sources[number].touch(path)

    def hits(self, ranked: Sequence[Ranked], query: Query, *, explain: bool) -> list[Hit]:
        """The entries, where `missing` has found them."""
        return [
            _hit(
                entry,
                self._texts[entry.candidate.chunk_id],
                self._found(entry.candidate),
                tuple(self._more(each) for each in entry.more),
                self._sources[entry.candidate.chunk_id // SOURCE_STEP].project_id,
                query,
                explain=explain,
            )
            for entry in ranked
        ]

    def _found(self, candidate: Candidate) -> Place:
        place = self._places[candidate.chunk_id]
        assert place is not None, "what is missing is not shown"
        return place

    def _more(self, candidate: Candidate) -> More:
        place = self._found(candidate)
        return More(place.start_line, place.end_line, self._texts[candidate.chunk_id].symbol)

    def _file(self, candidate: Candidate) -> tuple[Path, str]:
        return self._roots[candidate.chunk_id // SOURCE_STEP][candidate.repository_id], candidate.path

    def _place(self, candidate: Candidate) -> Place | None:
        """The chunk's lines now, without blank ones at its ends."""
        chunk = self._texts.get(candidate.chunk_id)
        if chunk is None:
            return None
        root, path = self._file(candidate)
        source = self._files[root, path]
        anchor = anchoring.find(source, chunk.content, chunk.start_byte) if source is not None else None
        if (anchor is None or anchor.moved) and chunk.chunk_id < FIRST_ID:
            self._outdated.add((candidate.chunk_id // SOURCE_STEP, path))
        if anchor is None:
            return None
        first, last = anchoring.trimmed(chunk.content)
        place = Place(root, path, anchor.start_line + first, anchor.start_line + last)
        return None if self._left_out is not None and self._left_out.overlaps(place) else place


def _chunks(ranked: Sequence[Ranked]) -> list[Candidate]:
    return [each for entry in ranked for each in (entry.candidate, *entry.more)]


def _hit(
    entry: Ranked,
    chunk: ChunkText,
    place: Place,
    more: tuple[More, ...],
    project_id: str,
    query: Query,
    *,
    explain: bool,
) -> Hit:
    first, last = anchoring.trimmed(chunk.content)
    lines = anchoring.lines_of(chunk.content)[first : last + 1]
    best = anchoring.best_line(lines, query.terms, [each.name for each in query.identifiers], chunk.signature)
    # A chunk may hold several short definitions, and is called after the first.
    named = anchoring.defined_at(entry.candidate.definitions, first + best)
    return Hit(
        project_id=project_id,
        root=place.root,
        path=chunk.path,
        language=chunk.language,
        kind=named.kind if named else chunk.kind,
        symbol=named.name if named else chunk.symbol,
        container=named.container if named else chunk.container,
        signature=chunk.signature,
        text="\n".join(lines),
        start_line=place.start_line,
        end_line=place.end_line,
        best_line=place.start_line + best,
        terms=query.terms,
        label=entry.label,
        score=entry.relevance,
        verified=True,
        more=more,
        signals=entry.signals if explain else {},
    )


def _within(query: Query, source: Source) -> Query:
    is_blank = not query.text and query.filters == Filters()
    if not source.within or query.filters.within or is_blank:
        return query
    return replace(query, filters=replace(query.filters, within=source.within))


async def _changes(sources: Sequence[Source], filters: Filters) -> Sequence[Changes | None]:
    """For each source, the files that `changed:` is about; QueryError where git cannot tell of any checkout."""
    if not (filters.changed or filters.not_changed):
        return [None] * len(sources)
    wanted, unwanted = await _differing(sources, filters.changed), await _differing(sources, filters.not_changed)
    return [Changes(*each) for each in zip(wanted, unwanted, strict=True)]


async def _differing(sources: Sequence[Source], bases: Sequence[str]) -> list[frozenset[FilePlace]]:
    found: list[set[FilePlace]] = [set() for _ in sources]
    places = [(number, source, checkout) for number, source in enumerate(sources) for checkout in source.checkouts]
    for base in bases:
        problems = []
        for number, source, checkout in places:
            try:
                paths = await source.revisions.changed(checkout.root, base)
            except QueryError as error:
                problems.append(error)
                continue
            found[number] |= {(checkout.repository_id, path) for path in paths}
        if problems and len(problems) == len(places):
            raise problems[0]
    return [frozenset(each) for each in found]


def _pooled_idf(pools: Sequence[_Pool]) -> dict[str, float]:
    """The rarest a term is anywhere."""
    idf: dict[str, float] = {}
    for pool in pools:
        for term, value in (pool.found.idf if pool.found else {}).items():
            idf[term] = max(value, idf.get(term, 0.0))
    return idf
