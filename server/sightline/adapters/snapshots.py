"""Searches one project's database: a consistent view of its segments, cached by their ids for ever."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import asyncpg
import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from sightline.adapters import lookup
from sightline.adapters.pools import Pool
from sightline.adapters.postgres import LOADING_SECONDS, given_up, translated
from sightline.adapters.store import Store
from sightline.core import bits, bm25
from sightline.core.analysis import names_in
from sightline.core.model import DefinedName, Filters
from sightline.core.query import path_regexes
from sightline.core.segments import Block, Directory, Postings
from sightline.core.symbols import Symbol

BLOCK_CACHE_BYTES: Final = 24 << 20
PLACES_KEPT: Final = 200_000
Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
FilePlace = tuple[int, str]  # a checkout's id, and a path in it
KnownFiles = dict[FilePlace, tuple[int, bytes | None]]  # id and content hash
PERCENT: Final = (
    "select case when r.unfinished = 0 and j.running = 0 then 100"
    " when j.total > 0 then least(99, 100 * j.done / j.total) else 0 end from"
    " (select count(*) filter (where last_indexed_at is null) as unfinished from repositories"
    "  where id = any($1::int[])) r,"
    " (select count(*) as running, sum(files_done) as done, sum(files_total) as total from indexing_jobs"
    "  where state = 'running' and phase <> 'embedding' and repository_id = any($1::int[])) j"
)
"""How much of the checkouts is indexed: 100 only when each one's first scan has ended and no job reads files.

Vectors that are to come are counted apart; while another model's are, the answer of the one that serves lacks nothing.
"""
SERVING: Final = "coalesce((select embedder_id from repositories where id = ($1::int[])[1]), $2)"
COSINE: Final = "-(embedding <#> $1)"
"""Of unit vectors; pgvector's own cosine measures both lengths again, for 40 % more time."""
NO_IDS: Final = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class WordSegment:
    columns: bm25.SegmentColumns
    directory: Directory


@dataclass(frozen=True, slots=True)
class VectorRows:
    """Vector segments one behind another; `signs` is uint64[words, n]."""

    chunk_ids: NDArray[np.int64]
    file_ids: NDArray[np.int32]
    kinds: NDArray[np.uint32]
    signs: bits.Signs


class ChunkText(NamedTuple):
    """A stored chunk as it is shown."""

    chunk_id: int
    path: str
    language: str
    content: str
    start_byte: int
    kind: str
    symbol: str
    container: str
    signature: str
    definitions: tuple[DefinedName, ...]


class Snapshots:
    """Opens snapshots of a project and keeps what never changes between them."""

    def __init__(self, store: Store, block_bytes: int = BLOCK_CACHE_BYTES) -> None:
        self.store = store
        self.embedder_id: int | None = None
        """The model that served when this was last looked at."""
        self._most_block_bytes = block_bytes
        self._words: dict[int, WordSegment] = {}
        self._vectors: dict[int, VectorRows] = {}
        self._blocks: OrderedDict[tuple[int, int], Block] = OrderedDict()
        self._block_bytes = 0
        self._places: dict[int, tuple[str, int]] = {}
        self._collection: tuple[object, bm25.Collection] | None = None
        self._vector_rows: tuple[object, VectorRows] | None = None

    @contextlib.asynccontextmanager
    async def open(self, repository_ids: Sequence[int], embedder_id: int) -> AsyncIterator[Snapshot]:
        """One REPEATABLE READ view of the checkouts' chunks, with the vectors of the model that serves the first one.

        `embedder_id` is for a checkout that has not said which that is.
        """
        pool = await self.store.pool()
        with translated():
            async with pool.acquire() as connection:
                # The pool ends it, so that no answer waits for that.
                await connection.execute("begin isolation level repeatable read, read only")
                with given_up(connection):
                    yield await self._read(connection, list(repository_ids), embedder_id)

    async def symbols(
        self, part: lookup.Part, typed: str, limit: int, *, close: bool = False, known: Sequence[Symbol] | None = None
    ) -> list[Symbol]:
        """Definitions whose name may answer: see `lookup.symbols`."""
        with translated():
            return await lookup.symbols(await self.store.pool(), part, typed, limit, close=close, known=known)

    async def files_at(self, places: Iterable[FilePlace]) -> KnownFiles:
        """The files that the index has at these places."""
        with translated():
            return await _files_at(await self.store.pool(), places)

    async def _read(self, connection: Connection, repositories: list[int], embedder_id: int) -> Snapshot:
        rows = await connection.fetch(
            "select 0 as kind, id, null::bytea as data from word_segments where repository_id = any($1::int[])"
            " union all select 1, id, null from vector_segments where repository_id = any($1::int[])"
            f" and embedder_id = ({SERVING})"
            " union all select 2, 0, string_agg(int8send(chunk_id), ''::bytea order by chunk_id) from dead_chunks"
            f" union all select 3, ({PERCENT}), null union all select 4, ({SERVING}), null",
            repositories, embedder_id,
        )  # fmt: skip
        words = sorted(row[1] for row in rows if row[0] == 0)
        vectors = sorted(row[1] for row in rows if row[0] == 1)
        packed = next((row[2] for row in rows if row[0] == 2 and row[2]), b"")
        percent = next(row[1] for row in rows if row[0] == 3)
        serving = next(row[1] for row in rows if row[0] == 4)
        dead = np.frombuffer(packed, ">i8").astype(np.int64)
        await self._load_words(connection, words)
        await self._load_vectors(connection, vectors)
        joined = self._joined(vectors, packed, dead)
        self.embedder_id = serving
        collected = self._collected(words, packed, dead)
        pending = max(0, int(np.count_nonzero(collected.live)) - len(joined.chunk_ids))
        return Snapshot(self, connection, serving, words, collected, joined, percent, pending)

    async def _load_words(self, connection: Connection, ids: list[int]) -> None:
        missing = [each for each in ids if each not in self._words]
        if not missing:
            return
        for gone in set(self._words) - set(ids):
            if len(self._words) > 4 * len(ids):
                del self._words[gone]
        for key in [key for key in self._blocks if key[0] not in self._words]:
            self._block_bytes -= self._blocks.pop(key).size
        rows = await connection.fetch(
            "select id, chunk_ids, file_ids, kinds, lengths, directory from word_segments where id = any($1::bigint[])",
            missing, timeout=LOADING_SECONDS,
        )  # fmt: skip
        for row in rows:
            columns = bm25.SegmentColumns(*_columns(row), np.frombuffer(row[4], "<u2").reshape(6, -1))
            self._words[row[0]] = WordSegment(columns, Directory(row[5]))

    async def _load_vectors(self, connection: Connection, ids: list[int]) -> None:
        missing = [each for each in ids if each not in self._vectors]
        if not missing:
            return
        for gone in set(self._vectors) - set(ids):
            if len(self._vectors) > 4 * len(ids):
                del self._vectors[gone]
        rows = await connection.fetch(
            "select id, chunk_ids, file_ids, kinds, sign_bits, chunk_count from vector_segments"
            " where id = any($1::bigint[])", missing, timeout=LOADING_SECONDS,
        )  # fmt: skip
        for row in rows:
            self._vectors[row[0]] = VectorRows(*_columns(row), bits.unpack(row[4], row[5]))

    def _collected(self, ids: list[int], packed: bytes, dead: NDArray[np.int64]) -> bm25.Collection:
        key = (tuple(ids), packed)
        if self._collection is None or self._collection[0] != key:
            self._collection = (key, bm25.Collection([self._words[each].columns for each in ids], dead))
        return self._collection[1]

    def _joined(self, ids: list[int], packed: bytes, dead: NDArray[np.int64]) -> VectorRows:
        key = (tuple(ids), packed)
        if self._vector_rows is None or self._vector_rows[0] != key:
            self._vector_rows = (key, _join([self._vectors[each] for each in ids], dead))
        return self._vector_rows[1]

    async def postings(
        self, connection: Connection, segments: Sequence[int], terms: Sequence[str]
    ) -> dict[str, list[tuple[int, Postings]]]:
        """For each term, the segments (by place) that hold it."""
        wanted = {(segment, self._words[segment].directory.block_of(term)) for segment in segments for term in terms}
        blocks = await self._blocks_of(connection, [key for key in wanted if key[1] >= 0])
        found: dict[str, list[tuple[int, Postings]]] = {}
        for term in terms:
            held = found[term] = []
            for place, segment in enumerate(segments):
                block = blocks.get((segment, self._words[segment].directory.block_of(term)))
                postings = block.find(term) if block is not None else None
                if postings is not None:
                    held.append((place, postings))
        return found

    async def _blocks_of(self, connection: Connection, keys: list[tuple[int, int]]) -> dict[tuple[int, int], Block]:
        """The blocks, whatever searches under way put into the cache or take out of it meanwhile."""
        held = {key: self._blocks[key] for key in keys if key in self._blocks}
        missing = [key for key in keys if key not in held]
        rows = await connection.fetch(
            "select p.segment_id, p.block, p.data from unnest($1::bigint[], $2::int[]) k(segment_id, block)"
            " join postings p using (segment_id, block)",
            [segment for segment, _ in missing], [block for _, block in missing],
        ) if missing else []  # fmt: skip
        held |= {(row[0], row[1]): Block(row[2]) for row in rows}
        for key, block in held.items():
            if key not in self._blocks:
                self._blocks[key] = block
                self._block_bytes += block.size
            self._blocks.move_to_end(key)
        while self._block_bytes > self._most_block_bytes:  # the least recently read goes first
            _, block = self._blocks.popitem(last=False)
            self._block_bytes -= block.size
        return held

    async def places(self, connection: Connection, file_ids: Iterable[int]) -> Mapping[int, tuple[str, int]]:
        """Each file's path and checkout. A row's never change, so those known need not be read."""
        wanted = set(file_ids)
        known = {each: self._places[each] for each in wanted & self._places.keys()}
        if missing := wanted - known.keys():
            rows = await connection.fetch(
                "select id, relative_path, repository_id from code_files where id = any($1::int[])", list(missing)
            )
            if len(self._places) > PLACES_KEPT:
                self._places.clear()
            self._places |= (read := {row[0]: (row[1], row[2]) for row in rows})
            known |= read
        return known


class Snapshot:
    """One search's view. Everything it reads is of one moment."""

    def __init__(
        self,
        owner: Snapshots,
        connection: Connection,
        embedder_id: int,
        segments: Sequence[int],
        words: bm25.Collection,
        vectors: VectorRows,
        indexed_percent: int,
        pending_vectors: int = 0,
    ) -> None:
        self._owner = owner
        self._connection = connection
        self.embedder_id = embedder_id
        """Whose vectors these are."""
        self._segments = segments
        self.words = words
        self.vectors = vectors
        self.indexed_percent = indexed_percent
        self.pending_vectors = pending_vectors
        """Chunks that have words only, so far."""
        self.unsaved: frozenset[FilePlace] = frozenset()  # what `Overlaid` knows of

    async def postings(self, terms: Sequence[str]) -> dict[str, list[tuple[int, Postings]]]:
        """For each term, the segments (by place in `words`) that hold it."""
        return await self._owner.postings(self._connection, self._segments, terms)

    async def files(self, repository_ids: Sequence[int], filters: Filters) -> NDArray[np.int32] | None:
        """Ids of the files that the filters let through; None where they let all through."""
        wanted, unwanted = path_regexes(filters)
        if not (filters.languages or filters.not_languages or wanted or unwanted):
            return None
        row = await self._connection.fetchval(
            "select coalesce(array_agg(id), '{}') from code_files where repository_id = any($1::int[])"
            " and (cardinality($2::text[]) = 0 or language = any($2)) and language <> all($3::text[])"
            " and relative_path ~ all($4::text[]) and not relative_path ~ any($5::text[])",
            list(repository_ids), list(filters.languages), list(filters.not_languages), list(wanted), list(unwanted),
        )  # fmt: skip
        return np.array(row, np.int32)

    async def files_at(self, places: Iterable[FilePlace]) -> KnownFiles:
        """The files that there are at these places."""
        return await _files_at(self._connection, places)

    async def containing(self, texts: Sequence[str], among: NDArray[np.int64] | None) -> set[int]:
        """Ids of chunks that hold all of `texts`, case-sensitive; `among` narrows where to look."""
        rows = await self._connection.fetch(
            "select id from code_chunks c where ($2::bigint[] is null or id = any($2))"
            " and (select bool_and(position(t in c.content) > 0) from unnest($1::text[]) t)",
            list(texts), None if among is None else among.tolist(),
        )  # fmt: skip
        return {row[0] for row in rows}

    async def defining(self, folded: Sequence[str]) -> dict[int, int]:
        """Ids of all chunks that define one of the names, with the least depth at which they do."""
        row = await self._connection.fetchrow(
            "select coalesce(array_agg(chunk_id), '{}'), coalesce(array_agg(depth), '{}') from"
            " (select chunk_id, min(depth) as depth from definitions where folded = any($1::text[]) group by chunk_id) d",
            list(folded),
        )
        return dict(zip(row[0], row[1], strict=True)) if row is not None else {}

    async def first_chunks(self, chunk_ids: Sequence[int], limit: int) -> list[int]:
        """The first of these chunks by path and place, for a cut among equals."""
        return [each[-1] for each in await self._placed(chunk_ids, limit)]

    async def _placed(self, chunk_ids: Sequence[int], limit: int) -> list[tuple[str, int, int, int]]:
        rows = await self._connection.fetch(
            "select f.relative_path, c.start_byte, f.repository_id, c.id from code_chunks c"
            " join code_files f on f.id = c.code_file_id where c.id = any($1::bigint[]) order by 1, 2, 3 limit $2",
            list(chunk_ids), limit,
        )  # fmt: skip
        return [tuple(row) for row in rows]

    async def first_files(self, file_ids: Sequence[int], limit: int) -> list[int]:
        """The first of these files by path."""
        return sorted(file_ids, key=(await self.places(file_ids)).__getitem__)[:limit]

    async def cosines(self, query: NDArray[np.float32], chunk_ids: Sequence[int]) -> dict[int, float]:
        """The cosine similarity to the query of each chunk that has a vector; all are of unit length."""
        row = await self._connection.fetchrow(  # one row of arrays: half the cost of a row a chunk
            f"select array_agg(chunk_id), array_agg({COSINE}) from embeddings"
            " where embedder_id = $2 and chunk_id = any($3::bigint[])",
            HalfVector(query), self.embedder_id, list(chunk_ids),
        )  # fmt: skip
        found = dict(zip(row[0], row[1], strict=True)) if row is not None and row[0] else {}
        if None in found.values():
            return self._estimated(query, found)
        return found

    def _estimated(self, query: NDArray[np.float32], found: Mapping[int, float | None]) -> dict[int, float]:
        """The cosines of the angles that sign bits tell, for vectors of which nothing else is kept."""
        rows = np.flatnonzero(
            np.isin(self.vectors.chunk_ids, [each for each, cosine in found.items() if cosine is None])
        )
        angles = bits.distances(self.vectors.signs[:, rows], query) * (np.pi / len(query))
        told = zip(self.vectors.chunk_ids[rows].tolist(), np.cos(angles).tolist(), strict=True)
        return {each: cosine for each, cosine in found.items() if cosine is not None} | dict(told)

    async def places(self, file_ids: Iterable[int]) -> Mapping[int, tuple[str, int]]:
        """Each file's relative path and the id of its checkout."""
        return await self._owner.places(self._connection, file_ids)

    async def texts(self, chunk_ids: Sequence[int]) -> dict[int, ChunkText]:
        """The chunks as they are shown."""
        rows = await self._connection.fetch(
            "select c.id, f.relative_path, f.language, c.content, c.start_byte, c.kind, c.symbol, c.container, c.signature,"
            " c.outline from code_chunks c join code_files f on f.id = c.code_file_id where c.id = any($1::bigint[])",
            list(chunk_ids),
        )
        return {row[0]: ChunkText._make((*row[:-1], names_in(row[-1]))) for row in rows}


async def _files_at(connection: Connection | Pool, places: Iterable[FilePlace]) -> KnownFiles:
    wanted = list(places)
    rows = await connection.fetch(
        "select repository_id, relative_path, id, content_hash from code_files"
        " join unnest($1::int[], $2::text[]) k(repository_id, relative_path) using (repository_id, relative_path)",
        [each[0] for each in wanted], [each[1] for each in wanted],
    )  # fmt: skip
    return {(row[0], row[1]): (row[2], row[3]) for row in rows}


def _columns(row: asyncpg.Record) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.uint32]]:
    return np.frombuffer(row[1], "<i8"), np.frombuffer(row[2], "<i4"), np.frombuffer(row[3], "<u4")


def _join(parts: Sequence[VectorRows], dead: NDArray[np.int64]) -> VectorRows:
    if not parts:
        return VectorRows(NO_IDS, NO_IDS.astype(np.int32), NO_IDS.astype(np.uint32), np.zeros((0, 0), np.uint64))
    chunk_ids = np.concatenate([part.chunk_ids for part in parts])
    live: Any = ~np.isin(chunk_ids, dead) if len(dead) else slice(None)
    return VectorRows(
        chunk_ids[live],
        np.concatenate([part.file_ids for part in parts])[live],
        np.concatenate([part.kinds for part in parts])[live],
        np.ascontiguousarray(np.concatenate([part.signs for part in parts], axis=1)[:, live]),
    )
