"""The embedding cache: vectors of texts by model and text hash, so that no text is embedded twice while it is known.

A row holds the texts of one transaction: a row a text would cost a cold index five times as much. Their hashes are kept
in memory by the one who writes, so that asking for a text that nobody knows costs no round trip.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import numpy as np
from numpy.typing import NDArray

from sightline.adapters.analysing import Half, Recall, Recalled
from sightline.adapters.pools import Pool
from sightline.adapters.postgres import translated
from sightline.core.analysis import HASH_BYTES
from sightline.errors import SightlineError

MOST_TEXTS, SLACK = 200_000, 20_000
"""Over all models; 100 MB. Rows that were used least recently go first, as soon as there are SLACK too many."""
SMALL, MANY_SMALL = 1_000, 32
"""Rows of fewer texts are made one when there are so many of them, lest each save leaves a row."""
RECALL_SECONDS: Final = 5.0
"""A database that takes longer costs more than embedding again."""
USED_SECONDS: Final = 3_600
"""`last_used_at` is no more exact than this, so that recalling hardly writes."""
LOG: Final = logging.getLogger(__name__)
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Known:
    """Where each known text is: hashes in two halves, sorted by the first, with row ids and places in the row."""

    high: NDArray[np.uint64]
    low: NDArray[np.uint64]
    row: Integers
    place: Integers

    @classmethod
    def of(cls, rows: Sequence[tuple[int, bytes]]) -> _Known:
        halves = np.frombuffer(b"".join(packed for _, packed in rows), ">u8").reshape(-1, 2).astype(np.uint64)
        counts = [len(packed) // HASH_BYTES for _, packed in rows]
        order = np.argsort(halves[:, 0], kind="stable")
        row = np.repeat(np.array([number for number, _ in rows], np.int64), counts)
        place = np.concatenate([np.zeros(0, np.int64), *(np.arange(count) for count in counts)])
        return cls(halves[order, 0], halves[order, 1], row[order], place[order])

    def find(self, hashes: Sequence[bytes]) -> tuple[Integers, Integers, Integers]:
        """Which of the hashes are known, the rows that hold them, and their places there."""
        if not len(self.high):
            return (np.zeros(0, np.int64),) * 3
        halves = np.frombuffer(b"".join(hashes), ">u8").reshape(-1, 2).astype(np.uint64)
        at = np.minimum(np.searchsorted(self.high, halves[:, 0]), len(self.high) - 1)
        found = np.flatnonzero((self.high[at] == halves[:, 0]) & (self.low[at] == halves[:, 1]))
        return found, self.row[at[found]], self.place[at[found]]


class Bodies:
    """The cache of one model as the writer of a checkout sees it. Other writers may add and remove rows meanwhile."""

    def __init__(self, model: str, dimensions: int, most: int = MOST_TEXTS, slack: int = SLACK) -> None:
        self._model = model
        self._most = most
        self._slack = slack
        self._bytes = 2 * dimensions
        self._dimensions = dimensions
        self._known = _Known.of(())
        self._recent: dict[bytes, tuple[int, int]] = {}
        self._small = 0
        self._texts = 0
        self._read = 0
        """The highest row of which we know what is in it."""

    @property
    def is_empty(self) -> bool:
        return not len(self._known.high) and not self._recent

    async def load(self, connection: asyncpg.Connection | Pool) -> None:
        """Reads what is known now."""
        rows = await connection.fetch("select id, text_hashes from embedding_cache where model = $1", self._model)
        self._known = await asyncio.to_thread(_Known.of, [(row[0], row[1]) for row in rows])
        self._recent = {}
        self._read = max((row[0] for row in rows), default=self._read)
        self._small = sum(len(row[1]) < SMALL * HASH_BYTES for row in rows)
        self._texts = await connection.fetchval("select coalesce(sum(text_count), 0) from embedding_cache")

    async def catch_up(self, connection: asyncpg.Connection) -> None:
        """Reads what other writers have added since, and our own again."""
        rows = await connection.fetch(
            "select id, text_hashes from embedding_cache where model = $1 and id > $2", self._model, self._read
        )
        if sum(len(row[1]) for row in rows) > self._slack * HASH_BYTES:
            await self.load(connection)
            return
        for row, packed in rows:
            hashes = (packed[start : start + HASH_BYTES] for start in range(0, len(packed), HASH_BYTES))
            self._recent.update((text, (row, place)) for place, text in enumerate(hashes))
            self._read = max(self._read, row)

    async def add(self, connection: asyncpg.Connection, hashes: Sequence[bytes], bodies: Half) -> None:
        """Remembers texts, in the transaction that stores their chunks."""
        found = set(self._known.find(hashes)[0].tolist())
        fresh = [place for place, each in enumerate(hashes) if place not in found and each not in self._recent]
        if not fresh:
            return
        own = [hashes[place] for place in fresh]
        row: int = await connection.fetchval(
            "insert into embedding_cache (model, text_count, text_hashes, bodies) values ($1, $2, $3, $4) returning id",
            self._model, len(own), b"".join(own), bodies[fresh].astype("<f2").tobytes(),
        )  # fmt: skip
        self._recent.update((text, (row, place)) for place, text in enumerate(own))
        if len(self._recent) > self._slack:
            await self.load(connection)
            return
        self._small += len(own) < SMALL
        self._texts += len(own)

    def asked_by(self, pool: Callable[[], Awaitable[Pool]]) -> Recall:
        """What threads may call to recall vectors, while this loop runs."""
        loop = asyncio.get_running_loop()
        nothing = Recalled(np.zeros(0, np.int64), np.zeros((0, self._dimensions), np.float16))

        def recall(hashes: Sequence[bytes]) -> Recalled:
            wanted = self._places(hashes)
            if not len(wanted[0]):
                return nothing
            asked = asyncio.run_coroutine_threadsafe(self._fetched(pool, *wanted), loop)
            try:
                return asked.result(RECALL_SECONDS)
            except (TimeoutError, concurrent.futures.CancelledError, SightlineError) as error:
                asked.cancel()
                LOG.info("texts are embedded again: %s", type(error).__name__)
                return nothing

        return recall

    async def recalled(self, pool: Callable[[], Awaitable[Pool]], hashes: Sequence[bytes]) -> Recalled:
        """The same for who is in the loop, and would rather wait than ask a server again."""
        wanted = self._places(hashes)
        if not len(wanted[0]):
            return Recalled(np.zeros(0, np.int64), np.zeros((0, self._dimensions), np.float16))
        return await self._fetched(pool, *wanted)

    async def tidy(self, connection: asyncpg.Connection) -> None:
        """Keeps the table within its bounds; does nothing while it is."""
        if self._small < MANY_SMALL and self._texts <= self._most + self._slack:
            return
        async with connection.transaction():
            await connection.execute(
                "with small as (delete from embedding_cache where model = $1 and text_count < $2 returning *)"
                " insert into embedding_cache (model, text_count, text_hashes, bodies, last_used_at)"
                " select $1, sum(text_count), string_agg(text_hashes, ''::bytea order by id),"
                " string_agg(bodies, ''::bytea order by id), max(last_used_at) from small having count(*) > 0",
                self._model, SMALL,
            )  # fmt: skip
            await connection.execute(
                "delete from embedding_cache where id in (select id from (select id, sum(text_count) over"
                " (order by last_used_at desc, id desc) as texts from embedding_cache) r where texts > $1)", self._most,
            )  # fmt: skip
        await self.load(connection)

    def _places(self, hashes: Sequence[bytes]) -> tuple[list[int], list[int], list[int]]:
        known, recent = self._known, self._recent
        found, rows, places = (each.tolist() for each in known.find(hashes))
        seen = set(found)
        for number, text in enumerate(hashes):
            where = recent.get(text)
            if where is not None and number not in seen:
                found.append(number)
                rows.append(where[0])
                places.append(where[1])
        return found, rows, places

    async def _fetched(
        self, pool: Callable[[], Awaitable[Pool]], found: list[int], rows: list[int], places: list[int]
    ) -> Recalled:
        """The vectors, without those whose row has gone meanwhile; what is recalled is used."""
        connections = await pool()
        with translated():
            fetched: list[Any] = await connections.fetch(
                "select n.number, substring(c.bodies from n.place * $4 + 1 for $4)"
                " from unnest($1::int[], $2::bigint[], $3::int[]) n(number, id, place)"
                " join embedding_cache c using (id)", found, rows, places, self._bytes,
            )  # fmt: skip
            await connections.execute(
                "update embedding_cache set last_used_at = now() where id = any($1::bigint[])"
                " and last_used_at < now() - make_interval(secs => $2)", sorted(set(rows)), USED_SECONDS,
            )  # fmt: skip
        vectors = np.frombuffer(b"".join(row[1] for row in fetched), "<f2").reshape(-1, self._dimensions)
        return Recalled(np.array([row[0] for row in fetched], np.int64), vectors.astype(np.float16))
