"""Chunks that lack a model's vector: found by asking the tables, so that whoever goes on misses none; and storing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from sightline.adapters.copying import copy
from sightline.adapters.embedding import Identity
from sightline.adapters.merging import insert_vector_segment
from sightline.adapters.pools import Pool
from sightline.adapters.remembering import Bodies
from sightline.core import bits
from sightline.core.analysis import OWN_KIND_SHIFT, VERSION, kind_bits
from sightline.core.model import KINDS

Half = NDArray[np.float16]
LACKS = (
    "from code_chunks c join code_files f on f.id = c.code_file_id where f.repository_id = $1 and not exists"
    " (select 1 from embeddings e where e.chunk_id = c.id and e.embedder_id = $2) and c.id > $3"
)


@dataclass(frozen=True, slots=True)
class Lacking:
    """A chunk without a vector, and what its text is made of."""

    chunk_id: int
    path: str
    container: str
    names: tuple[str, ...]
    content: str


async def count(connection: asyncpg.Connection | Pool, repository_id: int, embedder_id: int, after: int = 0) -> int:
    """How many there are with a higher id."""
    found: int = await connection.fetchval(f"select count(*) {LACKS}", repository_id, embedder_id, after)
    return found


async def size(connection: asyncpg.Connection | Pool, repository_id: int, embedder_id: int) -> int:
    """Of the texts that are missing, in bytes."""
    found: int = await connection.fetchval(
        f"select coalesce(sum(octet_length(c.content) + octet_length(f.relative_path) + 20), 0) {LACKS}",
        repository_id, embedder_id, 0,
    )  # fmt: skip
    return found


async def ids(pool: Pool, repository_id: int, embedder_id: int, after: int) -> NDArray[np.int64]:
    """All of them, ascending: to look for what lacks something page by page would read everything for each."""
    packed = await pool.fetchval(
        f"select string_agg(int8send(c.id), ''::bytea order by c.id) {LACKS}", repository_id, embedder_id, after
    )
    return np.frombuffer(packed or b"", ">i8").astype(np.int64)


async def page(pool: Pool, chunk_ids: Sequence[int]) -> tuple[Lacking, ...]:
    """Those of the chunks that are still there."""
    rows = await pool.fetch(
        "select c.id, f.relative_path, c.container, c.symbol, c.outline, c.content from code_chunks c"
        " join code_files f on f.id = c.code_file_id where c.id = any($1::bigint[]) order by c.id", list(chunk_ids),
    )  # fmt: skip
    return tuple(Lacking(row[0], row[1], row[2], _names(row[3], row[4]), row[5]) for row in rows)


async def files(pool: Pool, repository_id: int, embedder_id: int) -> list[tuple[str, int, int]]:
    """Path, id and size of the files that have such chunks."""
    rows = await pool.fetch(
        f"select distinct f.relative_path, f.id, f.size_bytes {LACKS} order by 1", repository_id, embedder_id, 0
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def store(
    connection: asyncpg.Connection,
    repository_id: int,
    embedder_id: int,
    chunk_ids: Sequence[int],
    vectors: Half,
    *,
    exact: bool = True,
) -> int:
    """Stores vectors of those chunks that are still there, as one segment; how many. `exact` keeps more than signs."""
    rows = await connection.fetch(
        "select c.id, c.code_file_id, c.kind, (select array_agg(distinct d.kind) from definitions d where d.chunk_id = c.id)"
        " from code_chunks c where c.id = any($1::bigint[]) and not exists"
        " (select 1 from embeddings e where e.chunk_id = c.id and e.embedder_id = $2) order by c.id",
        list(chunk_ids), embedder_id,
    )  # fmt: skip
    if not rows:
        return 0
    place_of = {chunk: place for place, chunk in enumerate(chunk_ids)}
    own = vectors[[place_of[row[0]] for row in rows]]
    await copy(connection, "embeddings", ("chunk_id", "embedder_id", "embedding"), [
        (row[0], embedder_id, HalfVector(vector) if exact else None) for row, vector in zip(rows, own, strict=True)
    ])  # fmt: skip
    kinds = [kind_bits((row[2], *(row[3] or ()))) | KINDS.index(row[2]) << OWN_KIND_SHIFT for row in rows]
    shared = (
        repository_id, len(rows), np.array([row[0] for row in rows], "<i8").tobytes(),
        np.array([row[1] for row in rows], "<i4").tobytes(), np.array(kinds, "<u4").tobytes(),
    )  # fmt: skip
    await insert_vector_segment(connection, shared, embedder_id, bits.signs(own).tobytes())
    return len(rows)


async def remember(
    connection: asyncpg.Connection,
    bodies: Bodies,
    identity: Identity,
    hashes: Sequence[bytes],
    vectors: Half,
    took_ms: int,
) -> None:
    """Notes what a server was asked for, and its vectors for the next time."""
    if not hashes:
        return
    await bodies.add(connection, hashes, vectors)
    await connection.execute(
        "insert into embedding_metadata (model_name, model_version, dimensions, generation_time_ms, chunk_count)"
        " values ($1, $2, $3, $4, $5)",
        identity.name, f"{identity.version} chunks {VERSION}", identity.dimensions, took_ms, len(hashes),
    )  # fmt: skip


def _names(symbol: str, outline: str) -> tuple[str, ...]:
    own = [line.partition("\t")[0] for line in outline.split("\n")] if outline else []
    return tuple(dict.fromkeys(filter(None, (symbol, *own))))
