"""Which project a folder belongs to, and the creation of projects that do not exist yet."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal
from uuid import uuid4

import asyncpg

from sightline.adapters import migrations
from sightline.adapters.postgres import REGISTRY, Server, prepare_connection, translated
from sightline.errors import (
    DatabaseError,
    DatabaseUnavailable,
    DatabaseUnfit,
    FolderError,
    ProjectError,
    ProjectNotFound,
)

ResolvedBy = Literal["explicit", "config", "workflow", "folder", "default"]
ID_PATTERN: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
ID_LENGTH: Final = 50
SLUG_LENGTH: Final = 30
COUNTED_AT_ONCE: Final = 4
NAMES_LOCK: Final = 0x5167_0005
"""Held while a new project's name is chosen."""
_Column = Literal["id", "key"]
_Row = tuple[str, str, str]
"""Id, name and database."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project and how it was found."""

    id: str
    name: str
    database: str
    resolved_by: ResolvedBy
    trace: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProjectInfo:
    """A project as it is listed."""

    id: str
    name: str
    database: str
    roots: tuple[str, ...]
    chunks: int
    size_bytes: int
    last_used_at: str


def parse_id(text: str) -> str:
    """A project id, checked whole."""
    if len(text) > ID_LENGTH or not ID_PATTERN.fullmatch(text):
        raise ProjectError(
            "that is no project id",
            hint="An id is lower-case letters and digits in groups joined by single hyphens, at most 50 characters.",
        )
    return text


def database_name(name: str, project_id: str) -> str:
    """`sightline_<slug>_<8 hex>`: at most 49 bytes, unique as the id is, readable in a list of databases."""
    slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:SLUG_LENGTH].strip("_") or "project"
    return f"sightline_{slug}_{hashlib.sha256(project_id.encode()).hexdigest()[:8]}"


def _not_found(project_id: str) -> ProjectNotFound:
    return ProjectNotFound(f"no project has the id {project_id}", hint="Run: sightline projects")


def _storable(folder: Path) -> str:
    try:
        return str(folder).encode().decode()
    except UnicodeEncodeError as error:
        raise FolderError(f"the name of the folder {str(folder)!a} is not valid UTF-8", hint="Rename it.") from error


class Projects:
    """The registry's projects, as this host sees them."""

    def __init__(self, server: Server, host_id: str) -> None:
        self._server = server
        self._host_id = host_id

    async def resolve(self, folder: Path, project_id: str | None = None) -> Project:
        """The named project, else the folder's own, which is created where it is new."""
        if project_id is not None:
            return await self.explicit(project_id)
        root = _storable(folder)
        key = f"folder:{self._host_id}:{root}"
        found = await self._ready("key", key)
        project = found or await self._create(key, folder.name or "root", root)
        return Project(
            project.id, project.name, project.database, "folder", (f"folder: the own project of {folder.name}",)
        )

    async def list(self) -> list[ProjectInfo]:
        """All projects, the last used first; sizes are 0 for databases that cannot be read."""
        pool = await self._server.pool(REGISTRY)
        with translated():
            rows = await pool.fetch(
                "select p.id, p.name, p.database_name, p.last_used_at::text,"
                " coalesce((select array_agg(path order by path) from project_roots r where r.project_id = p.id), '{}'),"
                " coalesce((select pg_database_size(datname) from pg_database where datname = p.database_name), 0)"
                " from projects p where state = 'ready' order by p.last_used_at desc, p.id"
            )
        turn = asyncio.Semaphore(COUNTED_AT_ONCE)
        chunks = await asyncio.gather(*(self._chunk_count(row[2], turn) for row in rows))
        return [
            ProjectInfo(row[0], row[1], row[2], tuple(row[4]), count, row[5], row[3])
            for row, count in zip(rows, chunks, strict=True)
        ]

    async def count(self) -> int:
        """How many projects there are."""
        pool = await self._server.pool(REGISTRY)
        with translated():
            return int(await pool.fetchval("select count(*) from projects where state = 'ready'"))

    async def remove(self, project_id: str, confirm: str) -> None:
        """Deletes a project and its database; `confirm` must be its name. A removal that broke off is ended by the next."""
        key = await self._key_of(parse_id(project_id))
        async with self._locked(key) as registry:
            row = await registry.fetchrow("select name, database_name from projects where key = $1", key)
            if row is None:
                raise _not_found(project_id)
            if confirm != row[0]:
                raise ProjectError(
                    "the confirmation is not the project's name", hint="Repeat the name as it is listed."
                )
            await registry.execute("update projects set state = 'removing', updated_at = now() where key = $1", key)
            await self._server.drop_database(row[1])
            await registry.execute("delete from projects where key = $1", key)

    async def _chunk_count(self, database: str, turn: asyncio.Semaphore) -> int:
        try:
            async with turn, self._server.connection(database) as connection:
                return int(await connection.fetchval("select count(*) from code_chunks"))
        except DatabaseUnavailable:
            raise
        except DatabaseError:
            return 0

    async def explicit(self, project_id: str) -> Project:
        """The project of this id, or ProjectNotFound; never another."""
        found = await self._ready("id", parse_id(project_id))
        if found is None:
            async with self._locked(await self._key_of(project_id)) as registry:
                row = await self._row(registry, "id", project_id)
                if row is None:
                    raise _not_found(project_id)
                found = await self._complete(registry, row)
        return replace(found, resolved_by="explicit", trace=("explicit: the id was given",))

    async def _key_of(self, project_id: str) -> str:
        pool = await self._server.pool(REGISTRY)
        with translated():
            key: str | None = await pool.fetchval("select key from projects where id = $1", project_id)
        if key is None:
            raise _not_found(project_id)
        return key

    async def _ready(self, column: _Column, value: str) -> Project | None:
        """The project of an id or a key, if it is ready and its database has the current schema."""
        pool = await self._server.pool(REGISTRY)
        with translated():
            row = await pool.fetchrow(
                f"update projects set last_used_at = now() where {column} = $1 and state = 'ready' and schema_version = $2"
                " and exists (select 1 from pg_database where datname = database_name) returning id, name, database_name",
                value, migrations.latest_version("project"),
            )  # fmt: skip
        return Project(row[0], row[1], row[2], "folder") if row is not None else None

    async def _create(self, key: str, name: str, root: str) -> Project:
        """Row, database, verification, publication: each step can be repeated, so a crash is healed by the next call."""
        async with self._locked(key) as registry:
            row = await self._row(registry, "key", key) or await self._insert(registry, key, name)
            await registry.execute(
                "insert into project_roots (project_id, host_id, path) values ($1, $2, $3)"
                " on conflict (host_id, path) do update set project_id = excluded.project_id",
                row[0], self._host_id, root,
            )  # fmt: skip
            return await self._complete(registry, row)

    async def _complete(self, registry: asyncpg.Connection, row: _Row) -> Project:
        """The steps after the row, whether it is new or something of it was lost."""
        project_id, name, database = row
        await self._server.create_database(database)
        version = await self._verify(database)
        await registry.execute(
            "update projects set state = 'ready', schema_version = $2, updated_at = now() where id = $1",
            project_id, version,
        )  # fmt: skip
        return Project(project_id, name, database, "folder")

    async def _row(self, registry: asyncpg.Connection, column: _Column, value: str) -> _Row | None:
        """What the registry has of a project; one that is being removed is an error until it is gone."""
        row = await registry.fetchrow(f"select id, name, database_name, state from projects where {column} = $1", value)
        if row is not None and row[3] == "removing":
            raise ProjectError(f"the project {row[0]} is being removed", hint="Remove it again, if that broke off.")
        return (row[0], row[1], row[2]) if row is not None else None

    async def _insert(self, registry: asyncpg.Connection, key: str, name: str) -> _Row:
        """A new project's row, in state creating."""
        project_id = str(uuid4())
        async with registry.transaction():
            await registry.execute("select pg_advisory_xact_lock($1)", NAMES_LOCK)
            row = (project_id, await self._free_name(registry, name), database_name(name, project_id))
            await registry.execute("insert into projects (id, key, name, database_name) values ($1, $3, $2, $4)",
                                   row[0], row[1], key, row[2])  # fmt: skip
        return row

    async def _free_name(self, registry: asyncpg.Connection, name: str) -> str:
        """The name, with a number where another project has it: two folders called `api` are two projects."""
        taken = {row[0] for row in await registry.fetch("select name from projects where name ^@ $1", name)}
        candidate, number = name, 2
        while candidate in taken:
            candidate, number = f"{name}-{number}", number + 1
        return candidate

    async def _verify(self, database: str) -> int:
        """Migrates a database that an older Sightline made, and proves that it can be used."""
        async with self._server.unprepared(database) as connection:
            version = await migrations.migrate(connection, "project")
            await prepare_connection(connection)
            if await connection.fetchval("select to_regclass('code_chunks') is null"):
                raise DatabaseUnfit("the project's database lacks its tables", hint="Run: sightline doctor")
            return version

    @contextlib.asynccontextmanager
    async def _locked(self, key: str) -> AsyncIterator[asyncpg.Connection]:
        """A registry connection that holds the key's creation lock."""
        async with self._server.connection(REGISTRY) as connection:
            await connection.execute("select pg_advisory_lock(hashtextextended($1, 42))", key)
            yield connection
