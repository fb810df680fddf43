"""What the servers of one checkout tell each other: paths that were touched, and that the index has changed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from sightline.adapters.pools import Pool
from sightline.adapters.postgres import ANSWER_SECONDS, translated
from sightline.adapters.writing import CHANNEL, WRITER_LOCK, Writer
from sightline.errors import DatabaseGone, SightlineError

TOUCHED: Final = "paths_touched"
PAYLOAD_BYTES: Final = 7_500
"""Postgres takes less than 8,000, with the other fields."""
MOST_MESSAGES: Final = 20
"""For more the whole checkout is looked at."""
BEAT_SECONDS: Final = 15.0
SILENT_SECONDS: Final = 60
"""A writer that says nothing for so long loses its connection, and with it the lock."""
WHOLE: Final = ""
LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ears:
    """Who is told what is heard; called in the loop, and may raise nothing."""

    touched: Callable[[Sequence[str], bool, bool], None]
    """Paths, whether they are forced, whether somebody waits for a job."""
    changed: Callable[[int], None]
    """So many files have changed in the index, or the writer's lock is free."""
    ended: Callable[[], None]
    """The connection has ended."""


DEAF: Final = Ears(lambda paths, force, as_job: None, lambda files: None, lambda: None)
"""For who only waits for the right to write."""


class Seat:
    """A connection of its own, on which one server hears of a checkout, and which may get the right to write it."""

    def __init__(self, connection: asyncpg.Connection, writer: Writer, ears: Ears) -> None:
        self._connection = connection
        self._ears = ears
        self._is_writer = False
        self._beating: asyncio.Task[None] | None = None
        self.writer = writer

    async def listen(self) -> None:
        with translated():
            self._connection.add_termination_listener(lambda _: self._ears.ended())
            async with asyncio.timeout(ANSWER_SECONDS):
                # Who is stopped, or whose network is gone, must not keep the writer's lock for ever.
                await self._connection.execute(f"set idle_session_timeout = '{SILENT_SECONDS}s'")
                for channel in (CHANNEL, TOUCHED):
                    await self._connection.add_listener(channel, self._heard)

    async def check(self, seen: int | None) -> int:
        """The database's number; DatabaseGone where another one was `seen` under the same name, with other rows."""
        with translated():
            found: int = await self._connection.fetchval(
                "select oid::bigint from pg_database where datname = current_database()", timeout=ANSWER_SECONDS
            )
        if seen not in (None, found):
            raise DatabaseGone("the project's database was made anew", hint="Open the folder again.")
        return found

    async def claim(self) -> bool:
        """Whether this connection has the writer's lock now."""
        with translated():
            self._is_writer = await self._connection.fetchval(
                "select pg_try_advisory_lock($1, $2)", WRITER_LOCK, self.writer.repository_id, timeout=ANSWER_SECONDS
            )
        if self._is_writer and self._beating is None:
            self._beating = asyncio.create_task(self._beat(), name="heartbeat")
        return self._is_writer

    async def close(self) -> None:
        """Ends the connection, and gives the lock back."""
        if self._beating is not None:
            self._beating.cancel()
        if self._is_writer:
            await self.writer.close()
        elif not self._connection.is_closed():
            self._connection.terminate()

    async def forward(self, touched: Mapping[str, bool], *, as_job: bool) -> None:
        """Tells the writer what was touched here."""
        await forward(self._connection, self.writer.repository_id, touched, as_job=as_job)

    async def _beat(self) -> None:
        """Tells the database that we live, also during a long scan; ends a connection whose other end is gone."""
        with contextlib.suppress(SightlineError):
            while True:
                await asyncio.sleep(BEAT_SECONDS)
                await self.writer.check()
        self._connection.terminate()

    def _heard(self, _: Any, pid: int, channel: str, payload: object) -> None:
        if pid == self._connection.get_server_pid():
            return
        try:
            told = json.loads(str(payload))
            if told["repository"] != self.writer.repository_id:
                return
            if channel == CHANNEL:
                self._ears.changed(int(told.get("files", 0)))
            else:
                self._ears.touched(list(map(str, told["paths"])), bool(told["force"]), bool(told["job"]))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            LOG.info("another server said what this one does not understand: %s", type(error).__name__)


async def forward(
    connection: asyncpg.Connection | Pool, repository_id: int, touched: Mapping[str, bool], *, as_job: bool
) -> None:
    """Tells the one that writes a checkout, whichever process it is, what was touched, and whether with force."""
    with translated():
        for payload in _payloads(repository_id, touched, as_job=as_job):
            await connection.execute("select pg_notify($1, $2)", TOUCHED, payload, timeout=ANSWER_SECONDS)


def _payloads(repository_id: int, touched: Mapping[str, bool], *, as_job: bool) -> Iterator[str]:
    """Messages that fit; one for everything where they would be many."""
    messages: list[str] = []
    if not touched:  # there is a job
        messages.append(json.dumps({"repository": repository_id, "paths": [], "force": False, "job": as_job}))
    for force in (False, True):
        for paths in _runs([path for path, forced in touched.items() if forced == force]):
            messages.append(json.dumps({"repository": repository_id, "paths": paths, "force": force, "job": as_job}))
    if len(messages) <= MOST_MESSAGES:
        yield from messages
        return
    force = any(touched.values())
    yield json.dumps({"repository": repository_id, "paths": [WHOLE], "force": force, "job": as_job})


def _runs(paths: Sequence[str]) -> Iterator[list[str]]:
    run: list[str] = []
    size = 0
    for path in paths:
        length = len(json.dumps(path)) + 2
        if length > PAYLOAD_BYTES:
            path, length = WHOLE, 4
        if run and size + length > PAYLOAD_BYTES:
            yield run
            run, size = [], 0
        run.append(path)
        size += length
    if run:
        yield run
