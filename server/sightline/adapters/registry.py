"""The registry's rows: which projects there are, and how each is made and removed whatever breaks off.

A row is there before its database and until after it, so nothing is ever unlisted:

    (none) --claim--> creating --complete--> ready --remove--> removing --> (none)

`claim` is one transaction under a lock on all names. Everything after it is done under a lock on the project's id,
which, unlike its key, never changes; each step may be repeated, so whoever comes next ends what broke off.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Final, Literal
from uuid import uuid4

import asyncpg

from sightline.adapters import migrations
from sightline.adapters.postgres import REGISTRY, WORK_SECONDS, Server, prepare_connection, translated
from sightline.core.identity import database_name
from sightline.errors import DatabaseGone, DatabaseUnfit, ProjectConflict, ProjectError, ProjectNotFound

State = Literal["creating", "ready", "removing"]
NAMES_LOCK: Final = 0x5167_0005
"""Held while it is decided which row a project has, and what it is called."""
HELD_AT_ONCE: Final = 4
"""How many projects one process makes, removes or counts at a time: each holds a connection or two."""
_COLUMNS: Final = (
    "id, key, name, database_name, state, schema_version, coalesce(metadata ->> 'description', '') as description"
)
LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """A project's row."""

    id: str
    key: str
    name: str
    database: str
    state: State
    schema_version: int
    description: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """A project that somebody wants, whether there is one already or not."""

    key: str
    name: str
    root: str | None = None
    project_id: str | None = None
    database: str | None = None
    is_configured: bool = False
    """The name is as a config file has it, so it is neither numbered nor kept from being changed."""
    description: str = ""
    replaces: str | None = None
    """The key of a folder's own project, which the folder's config file may name from now on."""


class Registry:
    """The rows of all projects on a server."""

    def __init__(self, server: Server, host_id: str) -> None:
        self._server = server
        self._host_id = host_id
        self.turn = asyncio.Semaphore(HELD_AT_ONCE)

    async def used(self, column: Literal["id", "key"], value: str, root: str | None = None) -> Entry | None:
        """The project of an id or a key, if nothing is left to be done for it; notes the use, to the minute.

        It is ready, its database has the current schema, and `root` is known as one of its folders.
        """
        pool = await self._server.pool(REGISTRY)
        with translated():
            row = await pool.fetchrow(
                f"select {_COLUMNS}, last_used_at < now() - interval '1 minute' as is_old from projects"
                f" where {column} = $1 and state = 'ready' and schema_version = $2"
                " and exists (select 1 from pg_database where datname = database_name) and ($3::text is null or exists"
                " (select 1 from project_roots r where (r.project_id, r.host_id, r.path) = (projects.id, $4, $3)))",
                value, migrations.latest_version("project"), root, self._host_id,
            )  # fmt: skip
            if row is None:
                return None
            if row["is_old"]:  # whoever searches at each key would wait for the disk at each key
                await pool.execute("update projects set last_used_at = now() where id = $1", row["id"])
        return Entry(*tuple(row)[:-1])

    async def find(self, project_id: str) -> Entry:
        """The row of an id, in whatever state; ProjectNotFound."""
        pool = await self._server.pool(REGISTRY)
        with translated():
            row = await pool.fetchrow(f"select {_COLUMNS} from projects where id = $1", project_id)
        if row is None:
            raise not_found(project_id)
        return Entry(*row)

    async def has(self, *known: str) -> bool:
        """Whether there is a project of one of these ids and keys, in whatever state."""
        pool = await self._server.pool(REGISTRY)
        with translated():
            return bool(
                await pool.fetchval("select exists (select from projects where id = any($1) or key = any($1))", known)
            )

    async def called(self, name: str) -> tuple[str, ...]:
        """The ids of the projects that have this id or this name."""
        pool = await self._server.pool(REGISTRY)
        with translated():
            rows = await pool.fetch("select id from projects where id = $1 or name = $1 order by id <> $1, id", name)
        return tuple(row[0] for row in rows)

    async def claim(self, wish: Wish) -> Entry:
        """The row of the project that is wished for; a new one, in state creating, where there is none."""
        pool = await self._server.pool(REGISTRY)
        with translated():
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute("select pg_advisory_xact_lock($1)", NAMES_LOCK, timeout=WORK_SECONDS)
                found = await _found(connection, wish)
                entry = await _insert(connection, wish) if found is None else await _agreed(connection, found, wish)
                if wish.root is not None:
                    await connection.execute(
                        "insert into project_roots (project_id, host_id, path) values ($1, $2, $3)"
                        " on conflict (host_id, path) do update set project_id = excluded.project_id"
                        " where project_roots.project_id <> excluded.project_id",
                        entry.id, self._host_id, wish.root,
                    )  # fmt: skip
        return entry

    @contextlib.asynccontextmanager
    async def completed(self, project_id: str) -> AsyncIterator[Entry]:
        """The project with its database, made or mended where it must be; held by its lock as long as the block lasts."""
        async with self._locked(project_id) as registry:
            entry = await _entry(registry, "id", project_id)
            if entry is None:
                raise not_found(project_id)
            refuse_removed(entry)
            yield entry if await self._is_whole(registry, entry) else await self._publish(registry, entry)

    async def remove(self, project_id: str, confirm: str) -> None:
        """Deletes a project and its database; `confirm` must be its name. One that broke off is ended by the next."""
        async with self._locked(project_id) as registry:
            entry = await _entry(registry, "id", project_id)
            if entry is None:
                raise not_found(project_id)
            if confirm != entry.name:
                raise ProjectError(
                    "the confirmation is not the project's name", hint="Repeat the name as it is listed."
                )
            # What is being removed has been looked at before, and half a database cannot be.
            if entry.state == "removing" or await self._is_own(entry):
                await registry.execute(
                    "update projects set state = 'removing', updated_at = now() where id = $1", project_id
                )
                await self._server.drop_database(entry.database)
            await registry.execute("delete from projects where id = $1", project_id)
            LOG.info("Removed project: id=%s database=%s", entry.id, entry.database)

    async def rename(self, project_id: str, name: str) -> Entry:
        """Gives a project another name; its id and its database stay."""
        pool = await self._server.pool(REGISTRY)
        with translated():
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute("select pg_advisory_xact_lock($1)", NAMES_LOCK, timeout=WORK_SECONDS)
                entry = await _entry(connection, "id", project_id)
                if entry is None:
                    raise not_found(project_id)
                refuse_removed(entry)
                if entry.key.startswith("config:") and name != entry.name:
                    raise ProjectConflict(
                        "a config file gives the project its name",
                        hint="Change project.name in .sightline/config.json.",
                    )
                return await _renamed(connection, replace(entry, name=name))

    async def _is_whole(self, registry: asyncpg.Connection, entry: Entry) -> bool:
        """Whether another has done already what this caller came for."""
        if entry.state != "ready" or entry.schema_version != migrations.latest_version("project"):
            return False
        found = await registry.fetchval("select 1 from pg_database where datname = $1", entry.database)
        return found is not None

    async def _is_own(self, entry: Entry) -> bool:
        """Whether there is a database and it is this project's: a config may have named one that is somebody's."""
        try:
            async with self._server.unprepared(entry.database) as connection:
                await _refuse_foreign(connection, entry.id)
        except (ProjectConflict, DatabaseGone):
            return False
        return True

    async def _publish(self, registry: asyncpg.Connection, entry: Entry) -> Entry:
        """Database, verification, publication."""
        await self._server.create_database(entry.database)
        try:
            version = await self._verify(entry)
        except ProjectConflict:  # nothing was made for this row, and nothing shall be taken for it
            await registry.execute("delete from projects where id = $1 and schema_version = 0", entry.id)
            raise
        await registry.execute(
            "update projects set state = 'ready', schema_version = $2, updated_at = now(), last_used_at = now()"
            " where id = $1",
            entry.id, version,
        )  # fmt: skip
        LOG.info("Synced project to persistent registry: id=%s database=%s", entry.id, entry.database)
        return replace(entry, state="ready", schema_version=version)

    async def _verify(self, entry: Entry) -> int:
        """Migrates a database that an older Sightline made, and proves that it can be used, and by this project."""
        async with self._server.unprepared(entry.database) as connection:
            await _refuse_foreign(connection, entry.id)
            version = await migrations.migrate(connection, "project")
            await prepare_connection(connection)
            if await connection.fetchval("select to_regclass('code_chunks') is null"):
                raise DatabaseUnfit("the project's database lacks its tables", hint="Run: sightline doctor")
            await connection.execute(
                "insert into meta (key, value) values ('project', to_jsonb($1::text)) on conflict do nothing", entry.id
            )
            return version

    @contextlib.asynccontextmanager
    async def _locked(self, project_id: str) -> AsyncIterator[asyncpg.Connection]:
        """A registry connection that holds the project's lock."""
        async with self.turn, self._server.connection(REGISTRY) as connection:
            await connection.execute("select pg_advisory_lock(hashtextextended($1, 42))", project_id)
            yield connection


def not_found(project_id: str) -> ProjectNotFound:
    return ProjectNotFound(f"no project has the id {project_id}", hint="Run: sightline projects")


def refuse_removed(entry: Entry) -> None:
    """ProjectError for a project that is being removed."""
    if entry.state == "removing":
        raise ProjectError(
            f"the project {entry.id} is being removed",
            hint=f"If that broke off, end it: sightline projects remove {entry.id}",
        )


async def _entry(registry: asyncpg.Connection, column: Literal["id", "key"], value: str) -> Entry | None:
    row = await registry.fetchrow(f"select {_COLUMNS} from projects where {column} = $1", value)
    return Entry(*row) if row is not None else None


async def _found(registry: asyncpg.Connection, wish: Wish) -> Entry | None:
    """The row that a wish is about; an id and a key that belong to two projects are a conflict."""
    keyed = await _entry(registry, "key", wish.key)
    if wish.project_id is None or (keyed is not None and keyed.id == wish.project_id):
        return keyed
    if keyed is not None:
        raise ProjectConflict(
            f"the name {wish.name!r} belongs to the project {keyed.id}, and project.id says {wish.project_id}",
            hint=f"Write {keyed.id} as project.id, or choose another project.name.",
        )
    return await _entry(registry, "id", wish.project_id)


async def _agreed(registry: asyncpg.Connection, entry: Entry, wish: Wish) -> Entry:
    """A row that is there, as far as the wish may change it: its name, and that a file names what was a folder's own."""
    refuse_removed(entry)
    if wish.database is not None and wish.database != entry.database:
        raise ProjectConflict(
            f"the project {entry.id} has the database {entry.database}, and project.database_name says {wish.database}",
            hint=f"Write {entry.database}, or leave project.database_name out; nothing is moved.",
        )
    if not wish.is_configured:
        return entry
    is_own = entry.key.startswith("config:") or entry.key == wish.replaces
    changed = replace(
        entry, name=wish.name, key=wish.key if is_own else entry.key, description=wish.description or entry.description
    )
    return entry if changed == entry else await _renamed(registry, changed)


async def _renamed(registry: asyncpg.Connection, entry: Entry) -> Entry:
    await registry.execute(
        "update projects set name = $2, key = $3, metadata = metadata || $4::jsonb, updated_at = now() where id = $1",
        entry.id, entry.name, entry.key, _metadata(entry.description),
    )  # fmt: skip
    LOG.info("Changed project: id=%s", entry.id)
    return entry


def _metadata(description: str) -> str:
    return json.dumps({"description": description} if description else {})


async def _insert(registry: asyncpg.Connection, wish: Wish) -> Entry:
    """A new project's row."""
    project_id = wish.project_id or str(uuid4())
    name = wish.name if wish.is_configured else await _free_name(registry, wish.name)
    database = wish.database or database_name(name, project_id)
    if await registry.fetchval("select 1 from projects where database_name = $1", database):
        raise _database_taken()
    await registry.execute(
        "insert into projects (id, key, name, database_name) values ($1, $2, $3, $4)",
        project_id,
        wish.key,
        name,
        database,
    )
    return Entry(project_id, wish.key, name, database, "creating", 0)


async def _free_name(registry: asyncpg.Connection, name: str) -> str:
    """The name, with a number where another project has it: two folders called `api` are two projects."""
    taken = {row[0] for row in await registry.fetch("select name from projects where name ^@ $1", name)}
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}-{number}", number + 1
    return candidate


async def _refuse_foreign(connection: asyncpg.Connection, project_id: str) -> None:
    """A database that says it is another project's, or holds tables and none of ours, is left alone."""
    is_ours = await connection.fetchval("select to_regclass('meta') is not null")
    if is_ours:
        owner = await connection.fetchval("select value #>> '{}' from meta where key = 'project'")
        is_foreign = owner not in (None, project_id)
    else:
        is_foreign = await connection.fetchval(
            "select to_regclass('schema_migrations') is null and exists"
            " (select 1 from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm'))"
        )
    if is_foreign:
        raise _database_taken()


def _database_taken() -> ProjectConflict:
    return ProjectConflict(
        "the project's database name is taken by something else", hint="Choose another project.database_name, or none."
    )
