"""Pools of connections to a real server: how many there are, who waits, what is closed, and what is counted."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import signal
import time
import warnings
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from adapters.external import External
from adapters.servers import PATIENCE
from sightline.adapters.pools import LONGEST_PAUSE, Limits, Pool, PoolFacts, Pools
from sightline.adapters.postgres import translated
from sightline.errors import DatabaseBusy, DatabaseUnavailable

NAMES = ("one", "two", "three", "four", "five")
PATIENT = Limits(wait_seconds=PATIENCE)
SESSIONS = "select count(*)::int from pg_stat_activity where application_name = 'pooled'"


class Counted(Pools):
    """Pools over this server that count attempts to connect."""

    def __init__(self, server: External, limits: Limits) -> None:
        self.attempts = 0
        self._server = server
        super().__init__(self._try, limits)

    async def _try(self, database: str) -> asyncpg.Connection:
        self.attempts += 1
        with translated():
            settings = {"application_name": "pooled"}
            connection = await asyncpg.connect(self._server.url(database=database), server_settings=settings)
            return connection

    def fact(self, database: str) -> PoolFacts:
        return next(each for each in self.facts() if each.database == database)


@pytest.fixture
async def server(external: External) -> External:
    for name in NAMES:
        await external.run(f"create database {name}")
    return external


async def come_to(server: External, count: int) -> None:
    """Waits until so many pooled sessions are left."""
    deadline = time.monotonic() + PATIENCE
    while (now := await server.run(SESSIONS)) != count:
        assert time.monotonic() < deadline, now
        await asyncio.sleep(0.01)


async def test_there_are_never_more_connections_than_allowed(server: External) -> None:
    pools = Counted(server, replace(PATIENT, each=2, total=4))
    seen = 0

    async def work(name: str) -> int:
        value: int = await pools.of(name).fetchval("select 1 from pg_sleep(0.002)")
        return value

    async def watch() -> None:
        nonlocal seen
        connection = await asyncpg.connect(server.url())
        try:
            while True:
                seen = max(seen, await connection.fetchval(SESSIONS))
        finally:
            connection.terminate()

    watching = asyncio.create_task(watch())
    assert await asyncio.gather(*(work(name) for _ in range(20) for name in NAMES)) == [1] * 100
    watching.cancel()
    assert max(seen, await server.run(SESSIONS)) == 4
    assert max(each.most_busy for each in pools.facts()) == 2
    assert sum(each.taken for each in pools.facts()) == 100
    await pools.close()
    await come_to(server, 0)


async def test_room_is_made_where_nobody_was_for_longest(server: External) -> None:
    pools = Counted(server, replace(PATIENT, each=2, total=2))
    for name in ("one", "two", "one", "three"):
        await pools.of(name).fetchval("select 1")
    assert {each.database: each.open for each in pools.facts()} == {"three": 1, "one": 1, "two": 0}
    assert [each.database for each in pools.facts()] == ["three", "one", "two"]
    await come_to(server, 2)
    await pools.close()


async def test_a_connection_is_used_again(server: External) -> None:
    pools = Counted(server, Limits())
    pids = {await pools.of("one").fetchval("select pg_backend_pid()") for _ in range(10)}
    assert (len(pids), pools.attempts) == (1, 1)
    assert await pools.of("one").execute("create table t (a int)") == "CREATE TABLE"
    assert await pools.of("one").fetch("select 1 as a") == [(1,)]
    assert await pools.of("one").fetchrow("table t") is None
    await pools.close()


async def test_who_waits_too_long_is_told_how_many_are_busy(server: External) -> None:
    pools = Counted(server, Limits(each=2, total=3, wait_seconds=0.05))
    one, two = pools.of("one"), pools.of("two")
    async with one.acquire(), one.acquire():
        with pytest.raises(DatabaseBusy, match=r"within 0.05 s \(2 of 2 busy there, 2 of 3 in all\)") as caught:
            await one.fetchval("select 1")
        assert "database.maxConnections" in caught.value.hint
        async with two.acquire():
            with pytest.raises(DatabaseBusy, match=r"\(0 of 2 busy there, 3 of 3 in all\)"):
                await pools.of("three").fetchval("select 1")
    assert await one.fetchval("select 1") == 1
    assert (pools.fact("one").timed_out, pools.fact("three").timed_out, pools.fact("three").opened) == (1, 1, 0)
    await pools.close()


async def test_those_who_wait_are_served_in_turn_and_counted(server: External) -> None:
    pools = Counted(server, replace(PATIENT, each=1, total=1))
    order: list[int] = []

    async def ask(number: int) -> None:
        async with pools.of("one").acquire():
            order.append(number)

    async with pools.of("one").acquire():
        tasks = [asyncio.create_task(ask(number)) for number in range(5)]
        await asyncio.sleep(0)
        assert pools.fact("one").waiting == 5
        began = time.monotonic()
        await asyncio.sleep(0.02)
        tasks[1].cancel()
        await asyncio.sleep(0)
        waited = time.monotonic() - began
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 2, 3, 4]
    facts = pools.fact("one")
    assert (facts.waiting, facts.busy, facts.open, facts.opened) == (0, 0, 1, 1)
    assert facts.longest_wait_ms >= round(1000 * waited, 1)
    await pools.close()


async def test_what_nobody_needs_is_closed_after_a_while(server: External) -> None:
    pools = Counted(server, replace(PATIENT, idle_seconds=0.1))
    async with contextlib.AsyncExitStack() as stack:
        for name in NAMES:
            await stack.enter_async_context(pools.of(name).acquire())
        await come_to(server, len(NAMES))
    await come_to(server, 0)
    assert sum(each.open for each in pools.facts()) == 0
    assert await pools.of("one").fetchval("select 1") == 1
    await pools.close()


async def test_a_connection_that_serves_no_more_is_not_kept(server: External) -> None:
    pools = Counted(server, Limits())
    async with pools.of("one").acquire() as connection:
        before = connection.get_server_pid()
        with contextlib.suppress(asyncpg.PostgresError):
            await connection.execute("select pg_terminate_backend(pg_backend_pid())")
    assert await pools.of("one").fetchval("select pg_backend_pid()") != before
    await come_to(server, 1)
    await pools.close()


async def test_a_transaction_that_was_left_open_is_ended_before_the_next_one_comes(server: External) -> None:
    pools = Counted(server, replace(PATIENT, each=1, answer_seconds=PATIENCE))
    async with pools.of("one").acquire() as connection:
        await connection.execute("begin; create table gone ()")
    async with pools.of("one").acquire() as connection:
        assert not connection.is_in_transaction()
        assert await connection.fetchval("select to_regclass('gone')") is None
    assert pools.fact("one").opened == 1
    await pools.close()


async def test_a_transaction_that_cannot_be_ended_costs_its_connection(server: External) -> None:
    pools = Counted(server, replace(PATIENT, each=1))
    async with pools.of("one").acquire() as connection:
        await connection.execute("begin")
        async with pools.of("two").acquire() as other:
            await other.execute("select pg_terminate_backend($1)", connection.get_server_pid())
    assert await pools.of("one").fetchval("select 1") == 1
    assert pools.fact("one").opened == 2
    await pools.close()


async def test_a_restart_costs_no_statement(server: External) -> None:
    pools = Counted(server, PATIENT)
    await asyncio.gather(*(pools.of("one").fetchval("select pg_sleep(0.01)") for _ in range(4)))
    await asyncio.to_thread(server.restart)
    assert await asyncio.gather(*(pools.of("one").fetchval("select 1") for _ in range(8))) == [1] * 8
    assert pools.fact("one").open <= 4
    await pools.close()


class Network:
    """A wire to the server that can be cut without either end being told, as when a laptop wakes in another place."""

    def __init__(self, server: External, place: Path) -> None:
        self.server = server
        self.place = place
        self._cut = asyncio.Event()
        self._wires: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """All connections that there are; new ones work."""
        self._cut.set()
        self._cut = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self.server.folder / ".s.PGSQL.5432")
        for source, target in ((reader, far_writer), (far_reader, writer)):
            self._wires.add(asyncio.create_task(self._carry(source, target, self._cut)))

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, cut: asyncio.Event) -> None:
        while (data := await source.read(1 << 16)) and not cut.is_set():
            target.write(data)
        if not cut.is_set():
            target.close()


async def test_a_connection_that_a_network_has_lost_is_not_waited_for(server: External, tmp_path: Path) -> None:
    network = Network(server, tmp_path)

    async def connect(database: str) -> asyncpg.Connection:
        return await asyncpg.connect(f"postgresql://postgres@/{database}?host={tmp_path}")

    async with await asyncio.start_unix_server(network.serve, tmp_path / ".s.PGSQL.5432"):
        pools = Pools(connect, replace(PATIENT, check_seconds=0, answer_seconds=0.2))
        before = await pools.of("one").fetchval("select pg_backend_pid()")
        network.cut()
        assert await pools.of("one").fetchval("select pg_backend_pid()") != before
        (facts,) = pools.facts()
        assert (facts.open, facts.opened, facts.failed) == (1, 2, 0)
        await pools.close()
        pools = Pools(connect, replace(PATIENT, check_seconds=0, answer_seconds=PATIENCE))
        before = await pools.of("one").fetchval("select pg_backend_pid()")
        assert await pools.of("one").fetchval("select pg_backend_pid()") == before
        network.cut()
        asked = asyncio.create_task(pools.of("one").fetchval("select 1"))
        await asyncio.sleep(0.05)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        (facts,) = pools.facts()
        assert (facts.open, facts.busy, facts.waiting) == (0, 0, 0)
        assert await pools.of("one").fetchval("select 1") == 1
        await pools.close()


async def asked_of(pool: Pool) -> object:
    """As all who ask do it: a connection that was idle may end under the very question."""
    with translated():
        return await pool.fetchval("select 1")


async def test_a_server_that_is_gone_is_asked_ever_more_rarely_and_found_again(server: External) -> None:
    pools = Counted(server, Limits())
    assert await pools.of("one").fetchval("select 1") == 1
    await asyncio.to_thread(server.stop, signal.SIGQUIT)
    before = pools.attempts
    outcomes: list[object] = []
    for _ in range(3):
        asked = (asked_of(pools.of(name)) for name in NAMES for _ in range(4))
        outcomes += await asyncio.gather(*asked, return_exceptions=True)
    assert {type(each) for each in outcomes} == {DatabaseUnavailable}
    assert len(outcomes) > 2 * (pools.attempts - before)
    assert pools.attempts - before < 35  # at most 16 at the very first, then one after each pause
    assert pools.fact("one").last_error == "the database does not answer"
    await asyncio.to_thread(server.start)
    began = time.monotonic()
    assert await asyncio.gather(*(pools.of(name).fetchval("select 1") for name in NAMES)) == [1] * 5
    assert time.monotonic() < began + 2 * LONGEST_PAUSE + 30
    await pools.close()


async def test_an_error_that_waiting_does_not_mend_is_no_reason_to_wait(server: External) -> None:
    pools = Counted(server, Limits())
    began, count = time.monotonic(), 60
    for _ in range(count):
        with pytest.raises(Exception, match="does not exist"):
            await pools.of("nowhere").fetchval("select 1")
    assert time.monotonic() < began + LONGEST_PAUSE * count / 2
    facts = pools.fact("nowhere")
    assert (facts.failed, facts.open, facts.taken) == (count, 0, 0)
    await pools.close()


async def test_nothing_is_lost_when_tasks_are_cancelled_and_sessions_ended(server: External) -> None:
    """Whatever happens meanwhile, at the end as many connections can be had as at the beginning."""
    limits, dice = replace(PATIENT, each=2, total=5), random.Random(5)
    pools = Counted(server, limits)

    async def work(pool: Pool) -> None:
        async with pool.acquire() as connection:
            async with connection.transaction():
                await connection.fetchval("select pg_sleep($1)", dice.uniform(0, 0.01))
            if dice.random() < 0.1:
                await connection.fetchval("select pg_terminate_backend(pg_backend_pid())")

    tasks = []
    for _ in range(250):
        tasks.append(asyncio.create_task(work(pools.of(dice.choice(NAMES)))))
        if dice.random() < 0.3:
            dice.choice(tasks).cancel()
        if dice.random() < 0.1:
            pools.end(dice.choice(NAMES))
        await asyncio.sleep(dice.choice([0, 0, 0.003]))
    await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(each.busy + each.waiting for each in pools.facts()) == 0
    async with contextlib.AsyncExitStack() as stack:
        for name in ("one", "one", "two", "two", "three"):
            connection = await stack.enter_async_context(pools.of(name).acquire())
            assert await connection.fetchval("select 1") == 1
        await come_to(server, limits.total)
    await pools.close()
    await come_to(server, 0)


async def test_closing_lets_statements_end_and_refuses_new_ones(server: External) -> None:
    pools = Counted(server, Limits())
    busy = asyncio.create_task(pools.of("one").fetchval("select 7 from pg_sleep(0.1)"))
    await come_to(server, 1)
    await pools.close()
    assert await busy == 7
    with pytest.raises(DatabaseUnavailable, match="is ending"):
        await pools.of("one").fetchval("select 1")
    await come_to(server, 0)


def test_a_loop_that_ended_leaves_nothing_behind_for_the_next(external_server: External) -> None:
    """Also where nobody closed anything: each loop begins with connections of its own."""
    pools = Counted(external_server, replace(PATIENT, each=1, total=2))

    async def use() -> list[int]:
        ask = "select pg_backend_pid() from pg_sleep(0.01)"  # so that some wait, which ties a turn to its loop
        return await asyncio.gather(*(pools.of("postgres").fetchval(ask) for _ in range(3)))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # that nobody closed anything is the point
        pids = [set(asyncio.run(use())) for _ in range(3)]
        assert len(set.union(*pids)) == 3
        asyncio.run(pools.close())
        gc.collect()
    asyncio.run(come_to(external_server, 0))
