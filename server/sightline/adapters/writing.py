"""Changes one checkout's rows: files, chunks, segments, events, jobs. There is one writer a checkout."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import numpy as np
from pgvector import HalfVector

from sightline.adapters import journal
from sightline.adapters.analysing import ReadFile, Result
from sightline.adapters.copying import copy
from sightline.adapters.embedding import Identity
from sightline.adapters.files import Skipped, Stat
from sightline.adapters.merging import insert_vector_segment, insert_word_segment, merge_segments
from sightline.adapters.postgres import ANSWER_SECONDS, translated
from sightline.adapters.remembering import Bodies
from sightline.core.analysis import VERSION, ChunkRow
from sightline.core.diffing import Position

INDEXED: Final = "indexed"
CHANNEL: Final = "index_changed"
WRITER_LOCK: Final = 0x5167_0003
CLOSE_SECONDS: Final = 1.0
CHUNK_COLUMNS: Final = (
    "id", "code_file_id", "project_id", "content", "text_hash", "document_hash", "start_line", "end_line",
    "start_byte", "end_byte", "kind", "symbol", "container", "signature", "doc", "outline",
)  # fmt: skip
DEFINITION_COLUMNS: Final = (
    "chunk_id", "name", "folded", "initials", "kind", "depth", "line_offset", "line_count", "container",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FileRow:
    """What the index knows of a file."""

    id: int
    path: str
    content_hash: bytes | None
    stat: Stat
    outcome: str
    indexed_ns: int
    """When it was indexed, in nanoseconds since the epoch, by the database's clock."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a transaction changed."""

    files: int = 0
    chunks_added: int = 0
    chunks_removed: int = 0


class Writer:
    """Commits on the very connection that holds the checkout's lock: who loses the lock loses the transaction."""

    def __init__(
        self, connection: asyncpg.Connection, project_id: str, repository_id: int, embedder_id: int, identity: Identity
    ) -> None:
        """`embedder_id` is the model that serves."""
        self._connection = connection
        self._project_id = project_id
        self.repository_id = repository_id
        self._turn = asyncio.Lock()
        self._is_ending = False
        self.serve(embedder_id, identity)
        self.is_new = True
        """Whether jobs of a writer that died before have not been looked for yet."""

    def serve(self, embedder_id: int, identity: Identity) -> None:
        """The model whose texts are remembered while they are stored; another one's are with its first job."""
        self.embedder_id = embedder_id
        self._identity = identity
        self.bodies = Bodies(made_with(identity), identity.dimensions)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """A transaction on the connection that holds the lock; readers are told of it."""
        async with self._turn:
            with translated():
                async with self._connection.transaction():
                    yield self._connection
                    await self._notify()

    @property
    def is_open(self) -> bool:
        return not self._connection.is_closed()

    async def check(self) -> None:
        """DatabaseUnavailable where nobody answers any more: the other end may have gone without a word."""
        async with self._turn:
            with translated():
                await self._connection.execute("select 1", timeout=ANSWER_SECONDS)

    async def close(self) -> None:
        """Gives the lock back, and tells those who wait for it."""
        if self._is_ending:
            return
        self._is_ending = True
        if self.is_open and not self._turn.locked():
            told = json.dumps({"repository": self.repository_id, "free": True})
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                await self._connection.execute(
                    "select pg_advisory_unlock($1, $2), pg_notify($3, $4)",
                    WRITER_LOCK, self.repository_id, CHANNEL, told, timeout=CLOSE_SECONDS,
                )  # fmt: skip
        if self.is_open:
            self._connection.terminate()

    async def apply(self, result: Result, known: Mapping[str, FileRow], detected_at: datetime) -> Counts:
        """Stores a batch in one transaction."""
        async with self._turn:
            with translated():
                async with self._connection.transaction():
                    counts = await self._apply(result, known, detected_at)
                await self.bodies.tidy(self._connection)
                return counts

    async def remove(self, rows: Sequence[FileRow], detected_at: datetime) -> Counts:
        """Forgets files that are gone."""
        if not rows:
            return Counts()
        async with self._turn:
            with translated():
                async with self._connection.transaction():
                    ids = [row.id for row in rows]
                    removed = await self._connection.fetchval(
                        "with gone as (delete from code_chunks where code_file_id = any($1::int[]) returning 1)"
                        " select count(*) from gone", ids,
                    )  # fmt: skip
                    await self._connection.execute("delete from code_files where id = any($1::int[])", ids)
                    deleted = [(row.path, "deleted") for row in rows if row.outcome == INDEXED]
                    await journal.record_events(self._connection, self.repository_id, deleted, detected_at)
                    await self._notify(len(rows))
        return Counts(len(rows), 0, removed)

    async def refresh_stats(self, rows: Sequence[tuple[int, Stat]]) -> None:
        """Notes that files were touched without being changed."""
        if not rows:
            return
        async with self._turn:
            with translated():
                await self._connection.execute(
                    "update code_files f set size_bytes = n.a, mtime_ns = n.b, ctime_ns = n.c, inode = n.d,"
                    " indexed_at = clock_timestamp()"
                    " from unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])"
                    " n(id, a, b, c, d) where f.id = n.id",
                    [file_id for file_id, _ in rows], *_stat_columns([stat for _, stat in rows]),
                )  # fmt: skip

    async def unfinished_jobs(self) -> list[journal.Unfinished]:
        """Jobs that others asked for, and those that a dead writer left: nobody else can hold our lock."""
        async with self._turn:
            with translated():
                return await journal.unfinished(self._connection, self.repository_id)

    async def begin_job(
        self, kind: str, paths: Sequence[str], owner: str, left: Sequence[journal.Unfinished] = ()
    ) -> UUID:
        """A job that scans; it goes on with those that were `left`."""
        async with self._turn:
            with translated():
                return await journal.begin(
                    self._connection, self.repository_id, self._project_id, kind, paths, owner, left
                )

    async def update_job(self, job: UUID, **columns: object) -> None:
        """Sets columns of a job's row."""
        assignments = ", ".join(f"{name} = ${place}" for place, name in enumerate(columns, 2))
        async with self._turn:
            with translated():
                await self._connection.execute(
                    f"update indexing_jobs set {assignments} where id = $1", job, *columns.values()
                )

    async def finish_job(
        self, job: UUID, state: str, message: str, error: str | None = None, failed: Sequence[Skipped] = ()
    ) -> None:
        """Ends a job; a completed one makes the checkout current."""
        async with self._turn:
            with translated():
                async with self._connection.transaction():
                    await journal.finish(self._connection, job, state, message, error, failed)
                    if state == "completed":
                        await self._connection.execute(
                            "update repositories set last_indexed_at = now() where id = $1", self.repository_id
                        )
                    await self._notify()

    async def recall_bodies(self) -> None:
        """Reads which texts were embedded before."""
        async with self._turn:
            with translated():
                await self.bodies.load(self._connection)

    async def catch_up(self) -> None:
        """Reads which texts other checkouts' writers have embedded since."""
        async with self._turn:
            with translated():
                await self.bodies.catch_up(self._connection)

    async def tidy(self, bodies: Bodies) -> None:
        """Keeps a cache within its bounds."""
        async with self._turn:
            with translated():
                await bodies.tidy(self._connection)

    async def set_analysis(self, analysis: str) -> None:
        """Notes what the checkout's index was made with."""
        async with self._turn:
            with translated():
                await self._connection.execute(
                    "insert into meta (key, value) values ($1, to_jsonb($2::text))"
                    " on conflict (key) do update set value = excluded.value", f"analysis:{self.repository_id}", analysis,
                )  # fmt: skip

    async def forget_old(self) -> None:
        """Ends the time for which jobs, change events and times of embedding are kept."""
        async with self._turn:
            with translated():
                await journal.forget_old(self._connection, self.repository_id)

    async def merge(self) -> int:
        """Merges segments where there are many or half-dead ones; how many went."""
        async with self._turn:
            with translated():
                return await merge_segments(self._connection, self.repository_id)

    async def _apply(self, result: Result, known: Mapping[str, FileRow], detected_at: datetime) -> Counts:
        changed = [read for read in result.read if read.change is not None]
        file_ids = await self._upsert_files(result)
        removed = [chunk for read in changed if read.change for chunk in read.change.removed]
        lost = await self._forget(result.skipped, known)
        if removed:
            await self._connection.execute("delete from code_chunks where id = any($1::bigint[])", removed)
        await self._move([move for read in changed if read.change for move in read.change.moved])
        rows = [(file_ids[read.path], row) for read in changed if read.change for row in read.change.added]
        if rows:
            await self._add(rows, result)
        events = list(_events(changed, result.skipped, known))
        await journal.record_events(self._connection, self.repository_id, events, detected_at)
        await self._notify(len(events))
        return Counts(len(result.read) + len(result.skipped), len(rows), len(removed) + lost)

    async def _forget(self, skipped: Sequence[Skipped], known: Mapping[str, FileRow]) -> int:
        """Removes the chunks of files that are indexed no more; their rows say so, lest their bytes be taken for known."""
        lost = [(row.id, each.reason) for each in skipped if (row := known.get(each.path)) and row.outcome == INDEXED]
        if not lost:
            return 0
        removed: int = await self._connection.fetchval(
            "with lost as (select * from unnest($1::int[], $2::text[]) l(id, reason)),"
            " told as (update code_files f set outcome = reason, content_hash = null from lost where f.id = lost.id),"
            " gone as (delete from code_chunks where code_file_id in (select id from lost) returning 1)"
            " select count(*) from gone",
            *map(list, zip(*lost, strict=True)),
        )
        return removed

    async def _upsert_files(self, result: Result) -> dict[str, int]:
        """Rows of read and of skipped files; a skipped one that vanished gets none."""
        columns: list[tuple[Any, ...]] = [
            (each.path, each.content_hash, each.stat, each.change.language if each.change else None, INDEXED)
            for each in result.read
        ]
        columns += [(each.path, None, each.stat, None, each.reason) for each in result.skipped if each.stat is not None]
        if not columns:
            return {}
        paths, hashes, stats, languages, outcomes = (list(column) for column in zip(*columns, strict=True))
        rows = await self._connection.fetch(
            "insert into code_files (repository_id, relative_path, content_hash, size_bytes, mtime_ns, ctime_ns, inode,"
            " language, outcome, indexed_at)"
            " select $1, p, h, a, b, c, d, coalesce(l, 'plaintext'), o, clock_timestamp() from unnest($2::text[],"
            " $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], $9::text[])"
            " n(p, h, a, b, c, d, l, o) on conflict (repository_id, relative_path) do update set"
            " content_hash = excluded.content_hash, size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns,"
            " ctime_ns = excluded.ctime_ns, inode = excluded.inode, outcome = excluded.outcome,"
            " language = excluded.language, indexed_at = excluded.indexed_at returning relative_path, id",
            self.repository_id, paths, hashes, *_stat_columns(stats), languages, outcomes,
        )  # fmt: skip
        return {row[0]: row[1] for row in rows}

    async def _move(self, moved: Sequence[tuple[int, Position]]) -> None:
        if not moved:
            return
        await self._connection.execute(
            "update code_chunks k set start_line = n.a, end_line = n.b, start_byte = n.c, end_byte = n.d"
            " from unnest($1::bigint[], $2::int[], $3::int[], $4::int[], $5::int[]) n(id, a, b, c, d) where k.id = n.id",
            [chunk for chunk, _ in moved],
            *(list(column) for column in zip(*(
                (at.start_line, at.end_line, at.start_byte, at.end_byte) for _, at in moved), strict=True)),
        )  # fmt: skip

    async def _add(self, rows: Sequence[tuple[int, ChunkRow]], result: Result) -> None:
        """New chunks with their definitions, vectors and segments."""
        ids = [row[0] for row in await self._connection.fetch(
            "select nextval(pg_get_serial_sequence('code_chunks', 'id')) from generate_series(1, $1)", len(rows)
        )]  # fmt: skip
        await copy(self._connection, "code_chunks", CHUNK_COLUMNS, [
            (chunk_id, file_id, self._project_id, row.content, row.text_hash, row.document_hash,
             row.position.start_line, row.position.end_line, row.position.start_byte, row.position.end_byte,
             row.kind, row.symbol, row.container, row.signature, row.doc, row.outline)
            for chunk_id, (file_id, row) in zip(ids, rows, strict=True)
        ])  # fmt: skip
        await copy(self._connection, "definitions", DEFINITION_COLUMNS, [
            (chunk_id, each.name, each.folded, each.initials, each.kind, each.depth, each.line_offset, each.line_count, each.container)
            for chunk_id, (_, row) in zip(ids, rows, strict=True) for each in row.definitions
        ])  # fmt: skip
        if result.embedder_id:
            await copy(self._connection, "embeddings", ("chunk_id", "embedder_id", "embedding"), [
                (chunk_id, result.embedder_id, HalfVector(vector))
                for chunk_id, vector in zip(ids, result.vectors, strict=True)
            ])  # fmt: skip
        await self._add_segments(ids, [file_id for file_id, _ in rows], result)
        if not result.new_texts or result.embedder_id != self.embedder_id:
            return
        await self.bodies.add(self._connection, result.new_texts, result.bodies)
        identity = self._identity
        generation = journal.Generation(
            identity.name, identity.version, identity.dimensions, result.embed_ms, len(result.new_texts)
        )
        await journal.record_generation(self._connection, generation)

    async def _add_segments(self, chunk_ids: list[int], file_ids: list[int], result: Result) -> None:
        """One segment of words and, where the vectors are there already, one of vectors for the batch."""
        assert result.words is not None, "a result with new chunks has their words"
        shared = (
            self.repository_id, len(chunk_ids), np.array(chunk_ids, "<i8").tobytes(),
            np.array(file_ids, "<i4").tobytes(), result.kinds.astype("<u4").tobytes(),
        )  # fmt: skip
        await insert_word_segment(self._connection, shared, result.words)
        if result.embedder_id:
            await insert_vector_segment(self._connection, shared, result.embedder_id, result.sign_bits)

    async def _notify(self, files: int = 0) -> None:
        told = {"repository": self.repository_id, "files": files}
        await self._connection.execute("select pg_notify($1, $2)", CHANNEL, json.dumps(told))


def made_with(identity: Identity) -> str:
    """Under what the vectors of texts are remembered: the chunker decides what a text's words are."""
    return f"{VERSION} {identity.name} {identity.version} {identity.dimensions}"


def _events(
    changed: Sequence[ReadFile], skipped: Sequence[Skipped], known: Mapping[str, FileRow]
) -> Iterator[tuple[str, str]]:
    """(path, change type) of each file whose chunks changed."""
    for read in changed:
        row = known.get(read.path)
        yield read.path, "modified" if row is not None and row.outcome == INDEXED else "added"
    for each in skipped:
        row = known.get(each.path)
        if row is not None and row.outcome == INDEXED:
            yield each.path, "deleted"


def _stat_columns(stats: Sequence[Stat]) -> list[list[int]]:
    """Size, mtime, ctime and inode, each as a column."""
    return [
        [stat.size for stat in stats],
        [stat.mtime_ns for stat in stats],
        [stat.ctime_ns for stat in stats],
        [stat.inode for stat in stats],
    ]
