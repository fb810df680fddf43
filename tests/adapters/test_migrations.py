"""Migrations: the same database however it comes about, applied once, and a sentence where they cannot be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from adapters.catalog import catalog
from adapters.external import External
from sightline.adapters import migrations
from sightline.adapters.migrations import Schema, migrate
from sightline.adapters.postgres import REGISTRY
from sightline.errors import DatabaseUnfit
from sightline.workspaces import Workspaces

SCHEMAS: tuple[Schema, ...] = ("registry", "project")


@pytest.fixture
async def empty(sightline: Workspaces) -> AsyncIterator[str]:
    """The name of a database without anything in it."""
    name = f"empty_{uuid4().hex}"
    async with sightline.server.connection(REGISTRY) as registry:
        await registry.execute(f'create database "{name}" template template0')
    yield name
    await sightline.server.drop_database(name)


async def raw(sightline: Workspaces, database: str) -> asyncpg.Connection:
    """A connection to a database that may lack the vector extension."""
    parameters = await address(sightline)
    return await asyncpg.connect(**parameters, database=database)


async def address(sightline: Workspaces) -> dict[str, object]:
    async with sightline.server.connection(REGISTRY) as registry:
        folder = await registry.fetchval("show unix_socket_directories")
        return {"host": folder, "port": 5432, "user": "postgres"}


async def reference(sightline: Workspaces, schema: Schema) -> dict[str, list[str]]:
    """The catalog of the live registry, or of a database cloned from the template."""
    if schema == "registry":
        async with sightline.server.connection(REGISTRY) as connection:
            return await catalog(connection)
    name = f"cloned_{uuid4().hex}"
    await sightline.server.create_database(name)
    try:
        async with sightline.server.connection(name) as connection:
            return await catalog(connection)
    finally:
        await sightline.server.drop_database(name)


async def apply_first(connection: asyncpg.Connection, schema: Schema, count: int) -> None:
    """Applies the first files as an older Sightline did, which had no others."""
    for each in migrations.migrations(schema)[:count]:
        await connection.execute(each.sql)
        await connection.execute(
            "insert into schema_migrations (version, name, checksum) values ($1, $2, $3)",
            each.version, each.name, each.checksum,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "before"),
    [(schema, count) for schema in SCHEMAS for count in range(len(migrations.migrations(schema)) + 1)],
)
async def test_a_database_migrated_file_by_file_equals_one_made_at_once(
    sightline: Workspaces, empty: str, schema: Schema, before: int
) -> None:
    connection = await raw(sightline, empty)
    try:
        await apply_first(connection, schema, before)
        assert await migrate(connection, schema) == migrations.latest_version(schema)
        assert await catalog(connection) == await reference(sightline, schema)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "change",
    [
        "alter table code_chunks alter doc drop not null",
        "alter table code_chunks alter symbol type varchar(200)",
        "alter table embedding_metadata alter dimensions set default 384",
        "alter table code_chunks drop constraint code_chunks_project_id_check",
        "alter table change_events drop constraint change_events_repository_id_fkey",
        "alter table word_segments alter kinds set storage extended",
        "alter table postings reset (toast_tuple_target)",
        'alter table definitions alter folded type text collate "default"',
        "drop index definitions_initials",
        "alter table code_chunks disable trigger code_chunks_bury",
        "create or replace function bury_chunks() returns trigger language plpgsql as 'begin return null; end'",
        "alter table code_chunks alter id set generated always",
        "create table stray (id int)",
        "update schema_migrations set name = 'other'",
    ],
)
async def test_the_comparison_sees_every_kind_of_difference(sightline: Workspaces, empty: str, change: str) -> None:
    connection = await raw(sightline, empty)
    try:
        await migrate(connection, "project")
        before = await catalog(connection)
        await connection.execute(change)
        assert await catalog(connection) != before
    finally:
        await connection.close()


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_a_second_run_changes_nothing(sightline: Workspaces, empty: str, schema: Schema) -> None:
    connection = await raw(sightline, empty)
    try:
        await migrate(connection, schema)
        before = [tuple(row) for row in await connection.fetch("select * from schema_migrations order by version")]
        async with connection.transaction(readonly=True):
            assert await migrate(connection, schema) == migrations.latest_version(schema)
        assert [tuple(row) for row in await connection.fetch("select * from schema_migrations order by 1")] == before
    finally:
        await connection.close()


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_five_at_once_apply_each_file_once(sightline: Workspaces, empty: str, schema: Schema) -> None:
    connections = [await raw(sightline, empty) for _ in range(5)]
    try:
        versions = await asyncio.gather(*(migrate(each, schema) for each in connections))
        assert versions == [migrations.latest_version(schema)] * 5
        applied = await connections[0].fetch("select version from schema_migrations order by version")
        assert [row[0] for row in applied] == [each.version for each in migrations.migrations(schema)]
        assert await catalog(connections[0]) == await reference(sightline, schema)
    finally:
        for each in connections:
            await each.close()


@pytest.mark.parametrize(
    ("meddling", "message", "hint"),
    [
        (
            "insert into schema_migrations (version, name, checksum) values (9999, 'future', '')",
            "has schema version 9999, this Sightline knows",
            "newer sightline-ls",
        ),
        ("update schema_migrations set checksum = 'edited' where version = 1", "file 0001 of the", "never edited"),
    ],
)
@pytest.mark.parametrize("schema", SCHEMAS)
async def test_a_history_that_is_not_ours_is_refused(
    sightline: Workspaces, empty: str, schema: Schema, meddling: str, message: str, hint: str
) -> None:
    connection = await raw(sightline, empty)
    try:
        await migrate(connection, schema)
        await connection.execute(meddling)
        before = await catalog(connection)
        with pytest.raises(DatabaseUnfit, match=message) as caught:
            await migrate(connection, schema)
        assert hint in caught.value.hint
        assert await catalog(connection) == before
        assert await connection.fetchval("select count(*) from pg_locks where locktype = 'advisory'"
                                         " and pid = pg_backend_pid()") == 0  # fmt: skip
    finally:
        await connection.close()


async def test_a_file_that_fails_leaves_nothing_of_itself(external: External) -> None:
    await external.run("create role plain login", "create database half owner plain")
    connection = await asyncpg.connect(external.url("plain", "half"))
    try:
        with pytest.raises(DatabaseUnfit):
            await migrate(connection, "project")
        assert (
            await connection.fetchval("select count(*) from pg_class where relnamespace = 'public'::regnamespace") == 0
        )
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("preparation", "schema", "statement"),
    [
        (("create database meagre owner plain",), "project", "CREATE EXTENSION IF NOT EXISTS vector;"),
        (("create database meagre",), "registry", "GRANT CREATE ON SCHEMA public TO"),
    ],
)
async def test_a_missing_right_is_told_with_the_statement_that_gives_it(
    external: External, preparation: tuple[str, ...], schema: Schema, statement: str
) -> None:
    await external.run("create role plain login", *preparation)
    connection = await asyncpg.connect(external.url("plain", "meagre"))
    try:
        with pytest.raises(DatabaseUnfit, match="permission denied") as caught:
            await migrate(connection, schema)
        assert statement in caught.value.hint
    finally:
        await connection.close()


async def test_an_extension_of_an_older_package_is_to_be_updated(with_old_vector: External) -> None:
    await with_old_vector.run("drop database if exists aged", "create database aged")
    connection = await asyncpg.connect(with_old_vector.url(database="aged"))
    try:
        with pytest.raises(DatabaseUnfit, match=r"older than 0\.7") as caught:
            await migrate(connection, "project")
        assert "ALTER EXTENSION vector UPDATE;" in caught.value.hint
    finally:
        await connection.close()


async def test_a_server_without_pgvector_is_told_what_to_install(without_vector: External) -> None:
    connection = await asyncpg.connect(without_vector.url())
    try:
        with pytest.raises(DatabaseUnfit, match="has no pgvector") as caught:
            await migrate(connection, "project")
        assert "CREATE EXTENSION vector;" in caught.value.hint
    finally:
        await connection.close()
