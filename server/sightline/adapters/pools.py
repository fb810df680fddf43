"""Connections for reuse: a few a database, so many in all, and room for a new one by closing the one used least recently."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import asyncpg

from sightline.errors import DatabaseBusy, DatabaseUnavailable, SightlineError

Connect = Callable[[str], Awaitable[asyncpg.Connection]]
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
"""Seconds between attempts to connect to a server that does not answer; each is twice the one before."""
CLOSE_SECONDS: Final = 2.0
"""How long statements under way may take to end when everything is closed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections there may be, and for how long."""

    each: int = 4
    """Connections to one database."""
    total: int = 16
    wait_seconds: float = 4.0
    """How long a task waits for its turn."""
    idle_seconds: float = 300.0
    check_seconds: float = 30.0
    """A connection that was idle for longer is asked first whether it is still there: networks change."""
    answer_seconds: float = 2.0
    """How long it may take to say so."""


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """What the pool of one database does and has done."""

    database: str
    open: int
    busy: int
    waiting: int
    most_busy: int
    taken: int
    """How often a connection was taken."""
    opened: int
    """How many connections were made."""
    timed_out: int
    failed: int
    """How many attempts to connect failed."""
    longest_wait_ms: float
    last_error: str


class Pools:
    """The pools of a server. What they hold belongs to the running loop: in another one they begin anew."""

    def __init__(self, connect: Connect, limits: Limits) -> None:
        self._connect = connect
        self.limits = limits
        self._home: _Home | None = None

    def of(self, database: str) -> Pool:
        """The pool of a database; it has no connection before it needs one."""
        return Pool(self, database)

    @contextlib.asynccontextmanager
    async def connection(self, database: str) -> AsyncIterator[asyncpg.Connection]:
        """A connection for as long as the block lasts."""
        home = self._here()
        place = home.place(database)
        connection = await home.taken(place, partial(self._connect, database))
        try:
            yield connection
        except TimeoutError:  # a server that hangs would not end the statement either
            connection.terminate()
            raise
        finally:
            home.give_back(place, connection)

    def facts(self) -> tuple[PoolFacts, ...]:
        """What each pool has done, the one used last first."""
        places = self._home.places.values() if self._home else ()
        return tuple(each.facts() for each in sorted(places, key=lambda each: -each.used))

    def end(self, database: str) -> None:
        """Ends all connections to a database, also those in use."""
        if self._home is not None:
            self._home.end(database)

    async def close(self) -> None:
        """Ends everything; what is under way gets a moment."""
        await self._here().close()

    def _here(self) -> _Home:
        loop = asyncio.get_running_loop()
        if self._home is None or self._home.loop is not loop:
            # What the other loop left is closed with it: nobody could wait for an answer on those sockets any more.
            self._home = _Home(loop, self.limits)
        return self._home


@dataclass(frozen=True, slots=True)
class Pool:
    """The connections to one database: each call takes one for as long as it lasts."""

    pools: Pools
    database: str

    def acquire(self) -> contextlib.AbstractAsyncContextManager[asyncpg.Connection]:
        return self.pools.connection(self.database)

    # ruff: noqa: ASYNC109 - the time-outs are asyncpg's, which end the statement as well
    async def execute(self, query: str, *arguments: object, timeout: float | None = None) -> str:
        async with self.acquire() as connection:
            status: str = await connection.execute(query, *arguments, timeout=timeout)
            return status

    async def fetch(self, query: str, *arguments: object, timeout: float | None = None) -> list[asyncpg.Record]:
        async with self.acquire() as connection:
            rows: list[asyncpg.Record] = await connection.fetch(query, *arguments, timeout=timeout)
            return rows

    async def fetchrow(self, query: str, *arguments: object, timeout: float | None = None) -> asyncpg.Record | None:
        async with self.acquire() as connection:
            return await connection.fetchrow(query, *arguments, timeout=timeout)

    async def fetchval(self, query: str, *arguments: object, timeout: float | None = None) -> Any:
        async with self.acquire() as connection:
            return await connection.fetchval(query, *arguments, timeout=timeout)


@dataclass(slots=True)
class _Place:
    """One database's connections, and what is counted of them."""

    database: str
    turns: asyncio.Semaphore
    idle: deque[tuple[asyncpg.Connection, float]] = field(default_factory=deque)
    """With the time since when they are."""
    busy: set[asyncpg.Connection] = field(default_factory=set)
    used: float = 0.0
    waiting: int = 0
    most_busy: int = 0
    taken: int = 0
    opened: int = 0
    timed_out: int = 0
    failed: int = 0
    longest_wait: float = 0.0
    last_error: str = ""

    def facts(self) -> PoolFacts:
        busy, wait = len(self.busy), round(1000 * self.longest_wait, 1)
        return PoolFacts(
            self.database, busy + len(self.idle), busy, self.waiting, self.most_busy, self.taken, self.opened,
            self.timed_out, self.failed, wait, self.last_error,
        )  # fmt: skip


class _Home:
    """All that belongs to one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits) -> None:
        self.loop = loop
        self.places: dict[str, _Place] = {}
        self.is_closed = False
        self._limits = limits
        self._turns = asyncio.Semaphore(limits.total)
        self._open = 0
        """Connections that are open, or being opened or closed; at most one for each turn that is taken, and the idle."""
        self._pauses = _Pauses()
        self._sweep: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    def place(self, database: str) -> _Place:
        if database not in self.places:
            self.places[database] = _Place(database, asyncio.Semaphore(min(self._limits.each, self._limits.total)))
        return self.places[database]

    async def taken(self, place: _Place, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> asyncpg.Connection:
        """A connection out of the pool, a new one where none is idle, when it is our turn."""
        began = time.monotonic()
        self._check_open()
        await self._turn(place)
        with contextlib.ExitStack() as undo:
            undo.callback(self._end_turn, place)
            try:
                self._check_open()
                connection = await self._idle_one(place) or await self._opened(place, connect)
            except SightlineError as error:
                place.failed, place.last_error = place.failed + 1, str(error)
                raise
            undo.pop_all()
        place.busy.add(connection)
        place.taken += 1
        place.most_busy = max(place.most_busy, len(place.busy))
        place.longest_wait = max(place.longest_wait, time.monotonic() - began)
        return connection

    def give_back(self, place: _Place, connection: asyncpg.Connection) -> None:
        """Keeps a connection that still serves; a transaction that was left open is ended first, without being waited for."""
        if not connection.is_closed() and connection.is_in_transaction():
            task = self.loop.create_task(self._rolled_back(place, connection))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            return
        place.busy.discard(connection)
        place.used = time.monotonic()
        is_ours = self.places.get(place.database) is place and not self.is_closed
        if is_ours and not connection.is_closed():
            place.idle.append((connection, place.used))
            self._sweep = self._sweep or self.loop.call_later(self._limits.idle_seconds, self._close_idle)
        else:
            self._ended(connection)
        self._end_turn(place)

    async def _rolled_back(self, place: _Place, connection: asyncpg.Connection) -> None:
        try:
            async with asyncio.timeout(self._limits.answer_seconds):
                await connection.execute("rollback")
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection.terminate()
        finally:
            self.give_back(place, connection)

    async def close(self) -> None:
        self.is_closed = True
        turns = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                while turns < self._limits.total:  # all turns are ours when everything is given back
                    await self._turns.acquire()
                    turns += 1
        for _ in range(turns):
            self._turns.release()
        for database in list(self.places):
            self.end(database)
        if self._sweep is not None:
            self._sweep.cancel()

    def end(self, database: str) -> None:
        place = self.places.pop(database, None)
        if place is None:
            return
        for connection, _ in place.idle:
            self._ended(connection)
        place.idle.clear()
        for connection in place.busy:  # who gives them back counts them
            connection.terminate()

    def _check_open(self) -> None:
        if self.is_closed:
            raise DatabaseUnavailable("Sightline is ending", hint="Start it again.")

    async def _turn(self, place: _Place) -> None:
        place.waiting += 1
        try:
            async with asyncio.timeout(self._limits.wait_seconds):
                await place.turns.acquire()
                with contextlib.ExitStack() as undo:
                    undo.callback(place.turns.release)
                    await self._turns.acquire()
                    undo.pop_all()
        except TimeoutError as error:
            place.timed_out += 1
            busy, total = len(place.busy), sum(len(each.busy) for each in self.places.values())
            raise DatabaseBusy(
                f"no connection to the database was free within {self._limits.wait_seconds:g} s"
                f" ({busy} of {self._limits.each} busy there, {total} of {self._limits.total} in all)",
                hint="Try again; if that happens often, raise database.maxConnections.",
            ) from error
        finally:
            place.waiting -= 1

    def _end_turn(self, place: _Place) -> None:
        self._turns.release()
        place.turns.release()

    async def _idle_one(self, place: _Place) -> asyncpg.Connection | None:
        """The one used last, which is the warmest, and likeliest to be still there."""
        while place.idle:
            connection, since = place.idle.pop()
            is_fresh = time.monotonic() < since + self._limits.check_seconds
            if connection.is_closed():
                self._ended(connection)
            elif is_fresh or await self._answers(connection):
                return connection
        return None

    async def _answers(self, connection: asyncpg.Connection) -> bool:
        """Whether it does; one that does not is ended."""
        answer = None
        try:
            async with asyncio.timeout(self._limits.answer_seconds):
                answer = await connection.execute("select 1")
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pass
        finally:
            if answer is None:
                self._ended(connection)
        return answer is not None

    async def _opened(self, place: _Place, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> asyncpg.Connection:
        is_full = self._open >= self._limits.total
        self._open += not is_full
        connection: asyncpg.Connection | None = None
        try:
            if is_full:  # we have a turn, so one of the others must be idle
                await self._close_least_used()
            connection = await self._pauses.through(connect)
            place.opened += 1
        finally:
            self._open -= connection is None
        return connection

    async def _close_least_used(self) -> None:
        """Its room is the caller's."""
        place = min((each for each in self.places.values() if each.idle), key=lambda each: each.used)
        connection, _ = place.idle.popleft()
        try:
            await connection.close(timeout=CLOSE_SECONDS)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection.terminate()

    def _ended(self, connection: asyncpg.Connection) -> None:
        connection.terminate()
        self._open -= 1

    def _close_idle(self) -> None:
        """Ends what nobody has needed for long, and looks again when the next may be due."""
        self._sweep = None
        oldest = time.monotonic() - self._limits.idle_seconds
        for place in self.places.values():
            while place.idle and place.idle[0][1] <= oldest:
                self._ended(place.idle.popleft()[0])
        left = [since for place in self.places.values() for _, since in place.idle]
        if left:
            self._sweep = self.loop.call_later(max(0.01, min(left) - oldest), self._close_idle)


class _Pauses:
    """Attempts to connect to a server that does not answer: one at a time, ever more rarely, the outcome for all who wait."""

    def __init__(self) -> None:
        self._failures = 0
        self._next = 0.0
        self._turn = asyncio.Lock()
        self._error = DatabaseUnavailable("")

    async def through(self, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> asyncpg.Connection:
        before = self._failures
        if before:
            async with self._turn:
                if self._failures > before:
                    raise DatabaseUnavailable(str(self._error), hint=self._error.hint)
                if self._failures:
                    await asyncio.sleep(self._next - time.monotonic())
                    return await self._tried(connect)
        return await self._tried(connect)

    async def _tried(self, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> asyncpg.Connection:
        try:
            connection = await connect()
        except DatabaseUnavailable as error:
            pause = min(FIRST_PAUSE * 2.0 ** min(self._failures, 10), LONGEST_PAUSE) * random.uniform(0.75, 1)
            self._failures, self._next, self._error = self._failures + 1, time.monotonic() + pause, error
            raise
        self._failures = 0
        return connection
