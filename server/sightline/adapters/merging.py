"""Stores segments, and merges small or half-dead ones so that a search reads few."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import numpy as np

from sightline.adapters.copying import copy
from sightline.adapters.machine import give_back_memory
from sightline.core import bits
from sightline.core.segments import MAX_CHUNKS, PackedWords, merge

MERGE_LOCK: Final = 0x5167_0004
MANY: Final = 8
"""More segments than this, in one checkout, are merged: a search looks each term up in every one."""
DEAD_SHARE: Final = 0.2
"""A segment of which this share is dead is written again without the dead."""


async def insert_word_segment(connection: asyncpg.Connection, shared: tuple[Any, ...], words: PackedWords) -> None:
    """Stores a segment; `shared` is repository id, chunk count, chunk ids, file ids and kinds, packed."""
    segment_id = await connection.fetchval(
        "insert into word_segments (repository_id, chunk_count, chunk_ids, file_ids, kinds, lengths, directory)"
        " values ($1, $2, $3, $4, $5, $6, $7) returning id",
        *shared, words.lengths.astype("<u2").tobytes(), words.directory,
    )  # fmt: skip
    blocks = [(segment_id, number, data) for number, data in enumerate(words.blocks)]
    await copy(connection, "postings", ("segment_id", "block", "data"), blocks)


async def insert_vector_segment(
    connection: asyncpg.Connection, shared: tuple[Any, ...], embedder_id: int, sign_bits: bytes
) -> None:
    """The same of vectors."""
    await connection.execute(
        "insert into vector_segments (repository_id, chunk_count, chunk_ids, file_ids, kinds, embedder_id, sign_bits)"
        " values ($1, $2, $3, $4, $5, $6, $7)", *shared, embedder_id, sign_bits,
    )  # fmt: skip


async def merge_segments(connection: asyncpg.Connection, repository_id: int) -> int:
    """Merges what should be merged, in one transaction; how many segments went. Readers and writers go on."""
    async with connection.transaction():
        if not await connection.fetchval("select pg_try_advisory_xact_lock($1, $2)", MERGE_LOCK, repository_id):
            return 0
        dead = np.array([row[0] for row in await connection.fetch("select chunk_id from dead_chunks")], np.int64)
        gone = 0
        for kind in ("word", "vector"):
            model = "0" if kind == "word" else "embedder_id"
            rows = await connection.fetch(
                f"select id, {model}, chunk_ids from {kind}_segments where repository_id = $1 order by id",
                repository_id,
            )
            for embedder in sorted({row[1] for row in rows}):
                for group in _groups([_Candidate(row[0], row[2], dead) for row in rows if row[1] == embedder]):
                    await (_merge_words if kind == "word" else _merge_vectors)(connection, repository_id, group, dead)
                    gone += len(group)
        if gone:
            await _forget_dead(connection, dead)
        return gone


class _Candidate:
    """A segment with what decides whether it is merged."""

    def __init__(self, segment_id: int, chunk_ids: bytes, dead: np.ndarray[Any, Any]) -> None:
        ids = np.frombuffer(chunk_ids, "<i8")
        self.id = segment_id
        self.total = len(ids)
        self.alive = self.total - int(np.isin(ids, dead).sum())


def _groups(candidates: Sequence[_Candidate]) -> list[list[int]]:
    """Groups of segment ids, each to become one segment: the half-dead ones, and where there are many the small ones."""
    chosen = {each.id for each in candidates if each.total - each.alive > DEAD_SHARE * each.total}
    if len(candidates) > MANY:
        by_size = sorted(candidates, key=lambda each: each.alive)
        chosen |= {each.id for each in by_size[: len(candidates) - MANY // 2]}
    groups: list[list[int]] = []
    size = MAX_CHUNKS + 1
    for each in candidates:
        if each.id not in chosen:
            continue
        if size + each.alive > MAX_CHUNKS:
            groups.append([])
            size = 0
        groups[-1].append(each.id)
        size += each.alive
    # A lone segment without dead chunks would only be copied.
    by_id = {each.id: each for each in candidates}
    return [g for g in groups if len(g) > 1 or by_id[g[0]].alive < by_id[g[0]].total]


async def _merge_words(
    connection: asyncpg.Connection, repository_id: int, group: Sequence[int], dead: np.ndarray[Any, Any]
) -> None:
    rows = await connection.fetch(
        "select id, chunk_ids, file_ids, kinds, lengths from word_segments where id = any($1::bigint[]) order by id",
        group,
    )
    parts, alive = [], []
    for row in rows:
        blocks = await connection.fetch("select data from postings where segment_id = $1 order by block", row[0])
        live = ~np.isin(np.frombuffer(row[1], "<i8"), dead)
        lengths = np.frombuffer(row[4], "<u2").reshape(-1, len(live))
        parts.append((lengths, [block[0] for block in blocks], live))
        alive.append(live)
    shared = _shared(repository_id, rows, alive)
    if shared[1]:
        words = await asyncio.to_thread(merge, parts)  # up to a second, in which searches go on
        parts.clear()
        give_back_memory()
        await insert_word_segment(connection, shared, words)
    await connection.execute("delete from word_segments where id = any($1::bigint[])", group)


async def _merge_vectors(
    connection: asyncpg.Connection, repository_id: int, group: Sequence[int], dead: np.ndarray[Any, Any]
) -> None:
    rows = await connection.fetch(
        "select id, chunk_ids, file_ids, kinds, sign_bits, embedder_id from vector_segments"
        " where id = any($1::bigint[]) order by id", group,
    )  # fmt: skip
    for embedder_id in sorted({row[5] for row in rows}):
        own = [row for row in rows if row[5] == embedder_id]
        alive = [~np.isin(np.frombuffer(row[1], "<i8"), dead) for row in own]
        shared = _shared(repository_id, own, alive)
        signs = [bits.unpack(row[4], len(live))[:, live] for row, live in zip(own, alive, strict=True)]
        if shared[1]:
            await insert_vector_segment(connection, shared, embedder_id, np.concatenate(signs, axis=1).tobytes())
    await connection.execute("delete from vector_segments where id = any($1::bigint[])", group)


def _shared(
    repository_id: int, rows: Sequence[asyncpg.Record], alive: Sequence[np.ndarray[Any, Any]]
) -> tuple[Any, ...]:
    """Repository id, chunk count, and the packed columns that both kinds of segment have, without the dead."""

    def joined(column: int, dtype: str) -> bytes:
        parts = [np.frombuffer(row[column], dtype)[live] for row, live in zip(rows, alive, strict=True)]
        return np.concatenate(parts).tobytes()

    return (repository_id, sum(int(live.sum()) for live in alive), joined(1, "<i8"), joined(2, "<i4"), joined(3, "<u4"))


async def _forget_dead(connection: asyncpg.Connection, dead: np.ndarray[Any, Any]) -> None:
    """A dead chunk is forgotten when no segment of either kind, of any checkout, holds it."""
    held = [
        np.frombuffer(row[0], "<i8")
        for kind in ("word", "vector")
        for row in await connection.fetch(f"select chunk_ids from {kind}_segments")
    ]
    free = np.setdiff1d(dead, np.concatenate(held) if held else np.zeros(0, np.int64))
    await connection.execute("delete from dead_chunks where chunk_id = any($1::bigint[])", free.tolist())
