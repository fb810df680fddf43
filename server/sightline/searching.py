"""Answers: candidates from words, vectors and names, ranked, and checked against the text as it is now."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from sightline.adapters.embedders import Embedders, Key
from sightline.adapters.lookup import Part
from sightline.adapters.revisions import Revisions
from sightline.adapters.snapshots import ChunkText, Snapshot, Snapshots
from sightline.adapters.store import Checkout, Store
from sightline.buffers import Unsaved
from sightline.candidates import Candidates, Changes, Found, Mode
from sightline.changes import changed_files
from sightline.core.model import Candidate, Filters, Query
from sightline.core.query import of_text, outside, path_regexes, seen_from
from sightline.core.ranking import WEIGHTS, Ranking, Weights
from sightline.core.symbols import Symbol, ordered
from sightline.meaning import NO_MEANING, Lack, Meaning, Meanings, interleaved
from sightline.seconding import DEPTH, reordered
from sightline.standing import SOURCE_STEP, Reader, Standing
from sightline.standing import Hit as Hit
from sightline.standing import More as More
from sightline.standing import Place as Place

WEIGHTS_WITHOUT_WORDS: Final = replace(WEIGHTS, words=0.0, file_words=0.0)
LIKENESS: Final = replace(
    WEIGHTS, file_cosine=0, file_words=0, coherence=0, file_name=0, definition_name=0, defined_here=0, depth=0
)
"""For code like other code: what a file is called or where it lies says nothing."""
SHOWN: Final = 100
"""So much is repeated of what somebody typed."""


@dataclass(frozen=True, slots=True)
class Options:
    """How an answer is cut."""

    limit: int = 10
    max_per_file: int = 1
    mode: Mode = "hybrid"
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Hits, best first, and whether all that should have been searched was."""

    hits: tuple[Hit, ...]
    complete: bool
    indexed_percent: int
    mode: Mode
    """What was searched in fact."""
    lacks: tuple[Lack, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """One project's database and those of its checkouts that are searched."""

    project_id: str
    snapshots: Snapshots
    checkouts: tuple[Checkout, ...]
    embedder_id: int
    """The model that served when the folder was opened."""
    touch: Callable[[str], None]
    """Is told of files whose text is not the index's."""
    unsaved: Unsaved | None = None
    """The texts that are searched instead of the index's."""
    within: tuple[str, ...] = ()
    """Globs of the part that is searched where a query does not say another: the folder below the root that is open."""
    revisions: Revisions = field(default_factory=Revisions)


class Search:
    """Searches one or more projects at once: their candidates are pooled and ranked together."""

    def __init__(self, sources: Sequence[Source], embedder: Embedders, read: Reader) -> None:
        self._sources = sources
        self._roots = [root for each in sources for root in _roots(each)]
        self._embedder = embedder
        self._read = read

    async def search(self, query: Query, options: Options) -> Answer:
        """The best places for a query; nothing for a query without words, filters or exact text."""
        is_wanted = options.mode != "lexical" and bool(query.text)
        meanings = Meanings(self._embedder, query.text, "query") if is_wanted else None
        weights = WEIGHTS_WITHOUT_WORDS if options.mode == "semantic" else WEIGHTS
        reranker = self._embedder.reranker
        if reranker is None or meanings is None:
            return await self._answer(query, meanings, weights, options, None)
        deep = replace(options, limit=max(DEPTH, options.limit))
        answer = await self._answer(query, meanings, weights, deep, None)
        hits, lack = await reordered(reranker, query.text, answer.hits, meanings.seconds_left)
        return replace(answer, hits=tuple(hits[: options.limit]), lacks=answer.lacks + ((lack,) if lack else ()))

    async def similar(self, text: str, place: Place, filters: Filters, options: Options) -> Answer:
        """Places like `text`, without the place that it is from."""
        query = of_text(text, filters)
        return await self._answer(query, Meanings(self._embedder, text, "document"), LIKENESS, options, place)

    async def symbols(
        self, typed: str, limit: int, *, close: bool = False, known: Sequence[tuple[Path, Symbol]] | None = None
    ) -> list[tuple[Path, Symbol]]:
        """Definitions by name, with the roots that they are below; never waits for an embedding.

        `close` leaves out what only resembles a name; what was `known` by that is not asked for again.
        """
        found: list[tuple[Path, Symbol]] = []
        for source in self._sources:
            roots = {each.repository_id: each.root for each in source.checkouts}
            part = Part(tuple(roots), *path_regexes(Filters(within=source.within))[0])
            own = [each for root, each in known if roots.get(each.repository_id) == root] if known is not None else None
            rows = await source.snapshots.symbols(part, typed, limit, close=close, known=own)
            if source.unsaved is not None:
                rows = await source.unsaved.symbols(source.snapshots, rows, typed)
            found += [(roots[each.repository_id], each) for each in rows if re.search(part.within, each.path)]
        root_of = {id(each): root for root, each in found}
        return [(root_of[id(each)], each) for each in ordered(typed, (each for _, each in found), limit)]

    async def _answer(
        self, query: Query, meanings: Meanings | None, weights: Weights, options: Options, left_out: Place | None
    ) -> Answer:
        changes = await changed_files(self._sources, query.filters)  # git may be slow: before anything is open
        while True:
            # A server may be slow too.
            found = await meanings.of(map(_served, self._sources)) if meanings is not None else None
            async with contextlib.AsyncExitStack() as stack:
                stack.enter_context(self._embedder.courtesy.searching())
                pools = await self._pools(stack, query, options, found, changes)
                if pools is not None:
                    standing = Standing(self._sources, self._read, left_out)
                    hits = [
                        await self._verified(group, standing, query, weights if has_vector else WEIGHTS, options)
                        for has_vector, group in _comparable(pools, meanings is not None)
                    ]
                    best = interleaved(hits, options.limit) if len(hits) > 1 else [each for own in hits for each in own]
                    return _told(best, pools, options.mode, outside(query.filters, self._roots))

    async def _pools(
        self,
        stack: contextlib.AsyncExitStack,
        query: Query,
        options: Options,
        found: Mapping[tuple[str, int], Meaning] | None,
        changes: Sequence[Changes | None],
    ) -> list[_Pool] | None:
        """Each source's candidates; None where another model serves one of them since it was last looked at."""
        pools = []
        for number, source in enumerate(self._sources):
            ids = [each.repository_id for each in source.checkouts]
            snapshot = await stack.enter_async_context(source.snapshots.open(ids, source.embedder_id))
            place = (source.snapshots.store.database, snapshot.embedder_id)
            if found is not None and place not in found:
                return None
            meaning = found[place] if found is not None else NO_MEANING
            if source.unsaved is not None:
                snapshot = await source.unsaved.over(snapshot)
            mode: Mode = "lexical" if found is not None and meaning.vector is None else options.mode
            candidates = Candidates(snapshot, ids, _within(query, source), meaning.vector, mode, changes[number])
            pools.append(_Pool(number, source, snapshot, await candidates.find(), meaning))
        return pools

    async def _verified(
        self, pools: Sequence[_Pool], standing: Standing, query: Query, weights: Weights, options: Options
    ) -> list[Hit]:
        """The best places that stand in the files now: what does not is taken out, and the rest is ranked again."""
        candidates = [each for pool in pools for each in pool.candidates()]
        idf = _pooled_idf(pools)
        while True:
            ranking = Ranking(candidates, query, idf, weights)
            hopeful = ranking.hopeful(options.limit)
            # While Postgres reads the chunks, we read the files that are likely to be shown.
            reading = [pool.read(hopeful, standing.texts) for pool in pools]
            await asyncio.gather(*reading, standing.read_files(hopeful, options.limit))
            ranked = ranking.entries(standing.completed(hopeful), options.limit, options.max_per_file)
            await standing.read_files([each.candidate for each in ranked], options.limit)
            gone = standing.missing(ranked)
            if not gone:
                standing.touch()
                return standing.hits(ranked, query, explain=options.explain)
            candidates = [each for each in candidates if each.chunk_id not in gone]


class _Pool:
    """One source's share of a search. Its ids are shifted, so that those of several databases do not meet."""

    def __init__(self, number: int, source: Source, snapshot: Snapshot, found: Found | None, meaning: Meaning) -> None:
        self._shift = number * SOURCE_STEP
        self._source = source
        self._snapshot = snapshot
        self.percent = snapshot.indexed_percent
        self.pending = snapshot.pending_vectors
        self.meaning = meaning
        self.found = found

    def candidates(self) -> list[Candidate]:
        if self.found is None or not self._shift:
            return self.found.candidates if self.found else []
        return [
            each._replace(chunk_id=each.chunk_id + self._shift, file_id=each.file_id + self._shift)
            for each in self.found.candidates
        ]

    async def read(self, candidates: Sequence[Candidate], texts: dict[int, ChunkText]) -> None:
        """Adds the texts of those of the candidates that are of this source and not known yet."""
        own = range(self._shift, self._shift + SOURCE_STEP)
        if missing := [each[0] - self._shift for each in candidates if each[0] in own and each[0] not in texts]:
            read = await self._snapshot.texts(missing)
            texts |= {each + self._shift: text for each, text in read.items()}


def _served(source: Source) -> tuple[Store, int]:
    return source.snapshots.store, source.snapshots.embedder_id or source.embedder_id


def _comparable(pools: Sequence[_Pool], is_meant: bool) -> list[tuple[bool, list[_Pool]]]:
    """Groups of pools whose scores may be compared, and whether vectors or nobody's wish made them what they are."""
    groups: dict[Key | None, list[_Pool]] = {}
    for pool in pools:
        groups.setdefault(pool.meaning.key, []).append(pool)
    return [(key is not None or not is_meant, group) for key, group in groups.items()] or [(True, [])]


def _within(query: Query, source: Source) -> Query:
    """The query as it is asked of one source: of the part of it that is open, and with its own paths."""
    is_blank = not query.text and query.filters == Filters()
    filters = seen_from(query.filters, _roots(source))
    if source.within and not filters.within and not is_blank:
        filters = replace(filters, within=source.within)
    return query if filters is query.filters else replace(query, filters=filters)


def _roots(source: Source) -> list[str]:
    return [each.root.as_posix() for each in source.checkouts]


def _told(hits: list[Hit], pools: Sequence[_Pool], mode: Mode, lost: Sequence[str]) -> Answer:
    """The answer, with what it had and what it lacks; `lost` are paths that are nowhere."""
    percent = min((pool.percent for pool in pools), default=100)
    pending = sum(pool.pending for pool in pools)
    lacks = list(dict.fromkeys(pool.meaning.lack for pool in pools if pool.meaning.lack is not None))
    if pools and len([pool for pool in pools if pool.meaning.lack is not None]) == len(pools):
        mode = "lexical"
    if lost and not hits:
        said = f"{lost[0][:SHOWN]} is in no folder that is searched: paths are relative to theirs"
        lacks.append(Lack("outside", said))
    if pending:
        lacks.append(Lack("vectorsPending", f"{pending:,} chunks wait for vectors; until then they are found by words"))
    return Answer(tuple(hits), percent == 100 and not pending, percent, mode, tuple(lacks))


def _pooled_idf(pools: Sequence[_Pool]) -> dict[str, float]:
    """The rarest a term is anywhere."""
    idf: dict[str, float] = {}
    for pool in pools:
        for term, value in (pool.found.idf if pool.found else {}).items():
            idf[term] = max(value, idf.get(term, 0.0))
    return idf
