"""Servers of the user's own and the embedded one: what is needed of them, what goes wrong, and what is said then."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import time
import traceback
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import numpy as np
import pytest
from pgvector import HalfVector

from adapters.external import External
from adapters.relay import Relay
from adapters.servers import PATIENCE, fast_disk, kill_server, open_folder
from sightline.adapters.copying import copy
from sightline.adapters.embedded import Place
from sightline.adapters.files import current
from sightline.adapters.pools import Limits
from sightline.adapters.postgres import REGISTRY, Server, check_requirements, quoted, translated
from sightline.errors import DatabaseError, DatabaseUnavailable, DatabaseUnfit, SightlineError
from sightline.searching import Search
from sightline.settings import DatabaseSettings, Settings
from sightline.workspaces import Workspaces
from support import Files, index, paths_of, run

PASSWORD = "hunter2 & / secret"


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[Server]:
    server = await Server.open(url, None)
    try:
        yield server
    finally:
        await server.close()


async def refused(url: str) -> SightlineError:
    """The error of opening this server, told as it should be: one sentence, a hint, no secret anywhere."""
    with pytest.raises(SightlineError) as caught:
        async with opened(url):
            pass
    assert_well_told(caught.value)
    return caught.value


def assert_well_told(error: SightlineError) -> None:
    assert str(error).strip()
    assert error.hint
    assert "\n" not in str(error)
    everything = "".join(traceback.format_exception(error)) + error.hint
    assert PASSWORD not in everything
    assert "hunter2" not in everything


async def test_a_server_of_ones_own_gets_registry_and_template_once(external: External) -> None:
    for _ in range(2):
        async with opened(external.url()) as server:
            assert not server.is_embedded
            assert (await server.facts())["version"].startswith("16.")
            await server.revive()  # not ours to start
    names = await external.run(
        "select array_agg(datname::text order by datname) from pg_database where datname like 'sight%'"
    )
    assert names == [REGISTRY, server.template]


async def test_the_address_may_name_any_database_which_stays_as_it_is(external: External) -> None:
    await external.run("create database mine")
    for _ in range(2):
        async with opened(external.url(database="mine")) as server:
            await server.create_database("sightline_test")
    assert (
        await external.run("select count(*) from pg_class where relnamespace = 'public'::regnamespace", database="mine")
        == 0
    )


async def test_ten_processes_worth_of_sightlines_set_up_a_server_at_once(external: External) -> None:
    servers = await asyncio.gather(*(Server.open(external.url(), None) for _ in range(10)))
    for server in servers:
        await server.close()
    assert await external.run("select count(*) from pg_database where datname like 'sight%'") == 2


async def test_a_half_made_template_is_made_again(external: External) -> None:
    async with opened(external.url()) as server:
        template = server.template
    await external.run(f'drop database "{template}"', f'create database "{template}_new"')
    async with opened(external.url()) as server:
        await server.create_database("sightline_test")
        async with server.connection("sightline_test") as connection:
            assert await connection.fetchval("select count(*) from code_chunks") == 0
    assert await external.run(f"select count(*) from pg_database where datname = '{template}_new'") == 0


async def test_a_role_that_may_create_databases_is_enough_where_the_extension_is_there(external: External) -> None:
    await external.run("create role plain login createdb")
    await external.run("create extension vector", database="template1")
    async with opened(external.url("plain")) as server:
        await server.create_database("sightline_test")
        await server.create_database("sightline_test")
        pool = await server.pool("sightline_test")
        assert await pool.fetchval("select count(*) from embeddings") == 0
        await server.drop_database("sightline_test")
        await server.drop_database("sightline_test")
    assert await external.run("select count(*) from pg_database where datname = 'sightline_test'") == 0


async def test_a_role_that_may_not_create_the_extension_is_told_the_statement(external: External) -> None:
    await external.run("create role plain login createdb")
    for _ in range(2):
        error = await refused(external.url("plain"))
        assert isinstance(error, DatabaseUnfit)
        assert "CREATE EXTENSION IF NOT EXISTS vector;" in error.hint
    await external.run("create extension vector", database="template1")
    async with opened(external.url("plain")) as server:
        assert (await server.facts())["vector"]


async def test_a_role_that_may_not_create_databases_is_told_the_statement(external: External) -> None:
    await external.run("create role plain login")
    error = await refused(external.url("plain"))
    assert isinstance(error, DatabaseUnfit)
    assert "ALTER ROLE <role> CREATEDB;" in error.hint


async def test_a_right_that_was_taken_away_later_is_told_the_statement(external: External) -> None:
    await external.run("create role plain login createdb")
    await external.run("create extension vector", database="template1")
    async with opened(external.url("plain")) as server:
        await external.run("alter role plain nocreatedb")
        with pytest.raises(DatabaseUnfit) as caught:
            await server.create_database("sightline_test")
    assert "CREATEDB;" in caught.value.hint
    await external.run(f'drop database "{server.template}"')
    assert "CREATEDB;" in (await refused(external.url("plain"))).hint


async def test_a_second_role_is_told_how_to_share_what_the_first_has_made(external: External) -> None:
    await external.run("create role first login createdb", "create role second login createdb")
    await external.run("create extension vector", database="template1")
    async with opened(external.url("first")):
        pass
    error = await refused(external.url("second"))
    assert isinstance(error, DatabaseUnfit)
    assert "GRANT <that role> TO <this role>;" in error.hint
    await external.run("grant first to second")
    async with opened(external.url("second")) as server:
        await server.create_database("sightline_test")


@pytest.mark.parametrize(("password", "is_right"), [(PASSWORD, True), ("hunter2", False), ("", False)])
async def test_a_password_is_asked_for_and_never_told(external: External, password: str, is_right: bool) -> None:
    await external.run(f"create role shy login superuser in role secretive password '{PASSWORD}'")
    if is_right:
        async with opened(external.url("shy", password=password)) as server:
            assert (await server.facts())["vector"]
    else:
        error = await refused(external.url("shy", password=password))
        assert isinstance(error, DatabaseUnfit)
        assert "PGPASSWORD" in error.hint


async def test_the_password_may_come_from_the_environment(external: External, monkeypatch: pytest.MonkeyPatch) -> None:
    await external.run(f"create role shy login superuser in role secretive password '{PASSWORD}'")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    async with opened(external.url("shy")) as server:
        assert (await server.facts())["vector"]


@pytest.mark.parametrize(
    "url",
    [
        "no address at all", "http://example", "mysql://nobody:hunter2@x/y", "service=own", "postgresql://[::1",
        "postgresql://nobody:hunter2@localhost:port/x", "postgresql://nobody:hunter2@127.0.0.1:99999/x",
        "postgresql://nobody:hunter2@a..b/x", "postgresql://nobody:hunter2@localhost/x?sslmode=perhaps",
        "postgresql://nobody:hunter2@localhost/x?target_session_attrs=perhaps",
        "postgresql://nobody:hunter2@/x?host=/nonexistent&port=abc",
    ],
)  # fmt: skip
async def test_garbage_is_no_address(url: str) -> None:
    error = await refused(url)
    assert isinstance(error, DatabaseUnfit)
    assert str(error) == "SIGHTLINE_DATABASE_URL is no Postgres address"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://nobody:hunter2@127.0.0.1:1/x", "postgresql://nobody:hunter2@host.invalid/x",
        "postgresql://nobody:hunter2@/x?host=/nonexistent",
        "postgresql://nobody:hunter2@127.0.0.1:1/x?sslmode=verify-full&sslrootcert=/nonexistent",
    ],
)  # fmt: skip
async def test_a_server_that_is_not_there_does_not_answer(url: str) -> None:
    error = await refused(url)
    assert isinstance(error, DatabaseUnavailable)
    assert str(error) == "the database does not answer"


async def test_a_database_that_is_not_there_is_told(external: External) -> None:
    error = await refused(external.url(database="nowhere"))
    assert isinstance(error, DatabaseUnfit)
    assert "names a database that does not exist" in str(error)


async def test_a_role_that_is_not_there_is_told(external: External) -> None:
    assert isinstance(await refused(external.url("nobody", password=PASSWORD)), DatabaseUnfit)


@pytest.mark.parametrize("option", ["nonsense=1", "statement_timeout=soon"])
async def test_an_option_that_the_server_does_not_know_is_told(external: External, option: str) -> None:
    error = await refused(f"{external.url()}&{option}")
    assert isinstance(error, DatabaseError)


async def test_a_role_without_a_free_connection_is_told(external: External) -> None:
    await external.run("create role plain login superuser", "alter role plain nosuperuser createdb connection limit 1")
    holder = await asyncpg.connect(external.url("plain"))
    try:
        assert isinstance(await refused(external.url("plain")), DatabaseUnavailable)
    finally:
        await holder.close()


async def test_a_full_server_does_not_answer_until_there_is_room(external: External) -> None:
    await external.run("create role plain login createdb")
    held = []
    with pytest.raises(asyncpg.TooManyConnectionsError):
        while True:
            held.append(await asyncpg.connect(external.url("plain")))
    try:
        assert isinstance(await refused(external.url("plain")), DatabaseUnavailable)
    finally:
        for each in held:
            await each.close()
    assert isinstance(await refused(external.url("plain")), DatabaseUnfit)


async def test_a_server_that_is_shutting_down_does_not_answer(external: External) -> None:
    async with opened(external.url()):
        pass
    holder = await asyncpg.connect(external.url())
    await asyncio.to_thread(external.stop_taking_sessions)
    try:
        assert isinstance(await refused(external.url()), DatabaseUnavailable)
    finally:
        await holder.close()
        await asyncio.to_thread(external.restart)


async def test_pools_and_new_connections_survive_a_restart(external: External) -> None:
    async with opened(external.url()) as server:
        await server.create_database("sightline_test")
        pool = await server.pool("sightline_test")
        await asyncio.gather(*(pool.fetchval("select pg_sleep(0.01)") for _ in range(3 * Limits().each)))
        held = await server.connect("sightline_test")
        await asyncio.to_thread(external.stop)
        for attempt in (pool.fetchval, held.fetchval):
            with pytest.raises(DatabaseUnavailable) as caught, translated():
                await attempt("select 1")
            assert_well_told(caught.value)
        await asyncio.to_thread(external.start)
        assert await pool.fetchval("select 1") == 1
        async with server.connection("sightline_test") as connection:
            assert await connection.fetchval("select 1") == 1


async def test_a_search_says_at_once_that_the_database_is_gone_and_works_when_it_is_back(
    external: External, data_dir: Path, folder: Files
) -> None:
    folder.write({"a.py": "def remember_session(): pass\n"})
    settings = Settings(data_dir=data_dir, database=DatabaseSettings(url=external.url()))
    async with Workspaces.started(settings, data_dir) as sightline:
        workspace = await sightline.open(folder.root)
        await index(workspace)
        assert await paths_of(workspace, "session") == ["a.py"]
        lookup = Search([workspace.source], sightline.embedder, current)
        await asyncio.to_thread(external.stop)
        began = time.monotonic()
        for attempt in (paths_of(workspace, "session"), lookup.symbols("remember", 10), workspace.status(),
                        sightline.projects.list(), sightline.open(folder.root), index(workspace)):  # fmt: skip
            with pytest.raises(DatabaseUnavailable) as caught:
                await attempt
            assert_well_told(caught.value)
        assert time.monotonic() - began < 30  # not one of them for as long as a server may take to say something
        await asyncio.to_thread(external.start)
        assert await paths_of(workspace, "session") == ["a.py"]


async def test_a_session_that_is_ended_costs_only_its_statement(external: External) -> None:
    async with opened(external.url()) as server:
        pool = await server.pool(REGISTRY)
        with pytest.raises(DatabaseUnavailable), translated():
            await pool.fetchval("select pg_terminate_backend(pg_backend_pid())")
        assert await pool.fetchval("select 1") == 1


async def test_more_tasks_than_connections_are_all_served_by_few(external: External) -> None:
    async with opened(external.url()) as server:
        await server.create_database("sightline_test")

        async def ask(number: int) -> tuple[int, int]:
            pool = await server.pool("sightline_test")
            return tuple(await pool.fetchrow("select $1::int, pg_backend_pid()", number))

        answers = await asyncio.gather(*(ask(number) for number in range(40)))
        assert [number for number, _ in answers] == list(range(40))
        assert len({pid for _, pid in answers}) <= Limits().each


async def test_closing_ends_every_pool_also_one_in_use(external: External) -> None:
    async with opened(external.url()) as server:
        await server.create_database("sightline_test")
        for database in (REGISTRY, "sightline_test"):
            assert await (await server.pool(database)).fetchval("select 1") == 1
        busy = asyncio.create_task((await server.pool(REGISTRY)).fetchval("select pg_sleep(60)"))
        while not await external.run("select count(*) from pg_stat_activity where query like '%pg_sleep(60)'"
                                     " and application_name = 'sightline'"):  # fmt: skip
            pass
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncio.CancelledError)):
        await busy
    await external.run("select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(60)'"
                       " and pid <> pg_backend_pid()")  # fmt: skip
    left = "select count(*) from pg_stat_activity where application_name = 'sightline'"
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while await external.run(left):
        assert asyncio.get_running_loop().time() < deadline


async def test_a_pool_of_a_database_that_was_dropped_says_so(external: External) -> None:
    async with opened(external.url()) as server:
        await server.create_database("sightline_test")
        pool = await server.pool("sightline_test")
        assert await pool.fetchval("select 1") == 1
        await external.run("drop database sightline_test with (force)")
        with pytest.raises(DatabaseError), translated():
            await pool.fetchval("select 1")
        with pytest.raises(DatabaseUnfit, match="does not exist"), translated():
            await pool.fetchval("select 1")


async def test_a_database_without_the_extension_says_so(external: External) -> None:
    await external.run("create database bare")
    async with opened(external.url()) as server:
        with pytest.raises(DatabaseUnfit, match="no vector extension") as caught:
            await server.connect("bare")
        assert "CREATE EXTENSION vector;" in caught.value.hint
    left = "select count(*) from pg_stat_activity where datname = 'bare'"
    while await external.run(left):
        pass  # the server takes a moment to see that the connection was ended


async def test_a_server_without_pgvector_is_refused(without_vector: External) -> None:
    error = await refused(without_vector.url())
    assert isinstance(error, DatabaseUnfit)
    assert str(error) == "the Postgres server has no pgvector"
    assert "CREATE EXTENSION vector;" in error.hint


async def test_a_server_that_loses_pgvector_says_so(external: External) -> None:
    async with opened(external.url()) as server:
        await server.create_database("sightline_test")
        library = next(external.folder.rglob("vector.so"))
        moved = shutil.move(library, external.folder / "moved")
        try:
            with pytest.raises(DatabaseUnfit, match="no pgvector") as caught:
                async with server.connection("sightline_test") as connection:
                    await connection.fetchval("select $1::halfvec", HalfVector(np.ones(2, np.float32)))
            assert_well_told(caught.value)
        finally:
            shutil.move(moved, library)


async def test_a_server_with_an_old_pgvector_is_refused(with_old_vector: External) -> None:
    error = await refused(with_old_vector.url())
    assert isinstance(error, DatabaseUnfit)
    assert "has pgvector 0.6.2; 0.7 or later is needed" in str(error)
    assert "ALTER EXTENSION vector UPDATE;" in error.hint


async def test_a_server_before_15_is_refused(external: External, tmp_path: Path) -> None:
    """A wire to the real server, on which its version number is an older one's."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(re.sub(rb"16(00\d\d)", rb"14\1", data))
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(external.folder / ".s.PGSQL.5432")
        await asyncio.gather(relay(reader, inner_writer), relay(inner_reader, writer))

    async with await asyncio.start_unix_server(serve, tmp_path / ".s.PGSQL.5432"):
        connection = await asyncpg.connect(f"postgresql://postgres@/postgres?host={tmp_path}")
        with pytest.raises(DatabaseUnfit, match="is Postgres 14; 15 or later is needed") as caught:
            await check_requirements(connection)
        assert_well_told(caught.value)
        await connection.close()


@pytest.mark.parametrize("is_ended_by_us", [False, True])
async def test_a_copy_whose_other_end_is_gone_ends(external: External, is_ended_by_us: bool) -> None:
    async with Relay(external.socket) as relay:
        connection = await asyncpg.connect(relay.url)
        await connection.execute("create temp table big (content text)")

        def rows() -> Iterator[tuple[str]]:
            relay.forget()
            for _ in range(100):
                yield ("x" * 1_000_000,)

        copying = asyncio.create_task(copy(connection, "big", ("content",), rows()))
        assert not (await asyncio.wait([copying], timeout=0.3))[0]
        connection.terminate() if is_ended_by_us else relay.end()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(copying), PATIENCE)
        assert copying.done()
        assert connection.is_closed()


@pytest.mark.parametrize(
    ("statement", "expected", "message"),
    [
        ("select 1 / 0", DatabaseError, "refused a statement (DivisionByZeroError)"),
        ("select nonsense", DatabaseError, "refused a statement (UndefinedColumnError)"),
        ("do $$ begin raise sqlstate '53100'; end $$", DatabaseUnavailable, "disk is full"),
        ("do $$ begin raise sqlstate '53200'; end $$", DatabaseUnavailable, "out of memory"),
        ("do $$ begin raise sqlstate '57P01'; end $$", DatabaseUnavailable, "does not answer"),
        ("do $$ begin raise sqlstate '57P02'; end $$", DatabaseUnavailable, "does not answer"),
        ("do $$ begin raise sqlstate '57P03'; end $$", DatabaseUnavailable, "does not answer"),
        ("do $$ begin raise sqlstate '58P01'; end $$", DatabaseUnfit, "no pgvector"),
        ("set role pg_monitor; table pg_authid", DatabaseUnfit, "another role"),
        ("select pg_terminate_backend(pg_backend_pid())", DatabaseUnavailable, "does not answer"),
    ],
)
async def test_what_the_server_says_is_told_in_our_words(
    external: External, statement: str, expected: type[SightlineError], message: str
) -> None:
    async with opened(external.url()) as server:
        with pytest.raises(expected, match=re.escape(message)) as caught:
            async with server.connection(REGISTRY) as connection:
                await connection.execute(statement)
    assert type(caught.value) is expected
    assert_well_told(caught.value)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("error", [DatabaseUnfit("as it is"), ValueError("as it is"), KeyError("as it is")])
async def test_what_is_no_error_of_the_database_passes_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error), match="as it is"), translated():
        raise error


@pytest.mark.parametrize("name", ["plain", 'quo"te', "spa ce", "emoji😀", "semi;colon", "'apostrophe", '""'])
async def test_any_name_is_quoted(external: External, name: str) -> None:
    async with opened(external.url()) as server:
        await server.create_database(name)
        async with server.connection(name) as connection:
            assert await connection.fetchval("select current_database()") == name
        await server.drop_database(name)
        assert quoted(name).count('"') % 2 == 0


@pytest.mark.parametrize(
    ("url", "complaint", "statement"),
    [
        ("plain", "may not create databases", "ALTER ROLE <role> CREATEDB;"),
        ("wrong", "refused the role or its password", "PGPASSWORD"),
        ("gone", "does not answer", "must run and be reachable"),
    ],
)
async def test_doctor_says_the_same(
    external: External, data_dir: Path, folder: Files, url: str, complaint: str, statement: str
) -> None:
    await external.run("create role plain login", "create role wrong login in role secretive password 'right'")
    urls = {
        "plain": external.url("plain"),
        "wrong": external.url("wrong", password=PASSWORD),
        "gone": "postgresql://nobody:hunter2@127.0.0.1:1/x",
    }
    done = await asyncio.to_thread(run, data_dir, "doctor", folder.root, SIGHTLINE_DATABASE_URL=urls[url])
    assert done.returncode == 2
    failed = done.stdout[done.stdout.index("FAILED database") :]
    assert complaint in failed
    assert statement in failed
    assert "hunter2" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


async def test_the_command_line_works_on_a_server_of_ones_own(
    external: External, data_dir: Path, folder: Files
) -> None:
    folder.write({"a.py": "def remember_session(): pass\n"})
    url = external.url()
    done = await asyncio.to_thread(run, data_dir, "search", "remember session", folder.root, SIGHTLINE_DATABASE_URL=url)
    assert (done.returncode, done.stdout.split(":")[0]) == (0, "a.py")
    done = await asyncio.to_thread(run, data_dir, "doctor", folder.root, SIGHTLINE_DATABASE_URL=url)
    assert re.search(r"ok +database: Postgres 16\.\d+, your own", done.stdout)


async def test_an_embedded_server_that_was_killed_is_revived() -> None:
    with open_folder(fast_disk()) as folder:
        server = await Server.open("", folder)
        try:
            pool = await server.pool(REGISTRY)
            assert await pool.fetchval("select 1") == 1
            await asyncio.to_thread(kill_server, Place(folder))
            with pytest.raises(DatabaseUnavailable), translated():
                await pool.fetchval("select 1")
            await asyncio.gather(server.revive(), server.revive())
            assert await pool.fetchval("select 1") == 1
            assert server.is_embedded
        finally:
            await server.close()
