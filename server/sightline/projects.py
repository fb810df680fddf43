"""Which project a folder belongs to, and the creation of projects that do not exist yet."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from sightline.adapters.postgres import REGISTRY, Server, translated
from sightline.adapters.registry import Entry, Registry, State, Wish
from sightline.core.identity import folder_key, parse_id
from sightline.errors import DatabaseError, DatabaseUnavailable, FolderError

ResolvedBy = Literal["explicit", "config", "workflow", "folder", "default"]
COUNTED_AT_ONCE: Final = 4


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
    state: State = "ready"


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
        self.registry = Registry(server, host_id)

    async def resolve(self, folder: Path, project_id: str | None = None) -> Project:
        """The named project, else the folder's own, which is created where it is new."""
        if project_id is not None:
            return await self.explicit(project_id)
        root = _storable(folder)
        key = folder_key(self._host_id, root)
        found = await self.registry.used("key", key) or await self._made(Wish(key, folder.name or "root", root))
        return _told(found, "folder", (f"folder: the own project of {folder.name}",))

    async def explicit(self, project_id: str) -> Project:
        """The project of this id, or ProjectNotFound; never another."""
        found = await self.registry.used("id", parse_id(project_id))
        if found is None:
            async with self.registry.completed(project_id) as entry:
                found = entry
        return _told(found, "explicit", ("explicit: the id was given",))

    async def remove(self, project_id: str, confirm: str) -> None:
        """Deletes a project and its database; `confirm` must be its name. A removal that broke off is ended by the next."""
        await self.registry.remove(parse_id(project_id), confirm)

    async def list(self) -> list[ProjectInfo]:
        """All projects, the last used first; sizes are 0 for databases that cannot be read."""
        pool = await self._server.pool(REGISTRY)
        with translated():
            rows = await pool.fetch(
                "select p.id, p.name, p.database_name, p.last_used_at::text,"
                " coalesce((select array_agg(path order by path) from project_roots r where r.project_id = p.id), '{}'),"
                " coalesce((select pg_database_size(datname) from pg_database where datname = p.database_name), 0), p.state"
                " from projects p order by p.last_used_at desc, p.id"
            )
        turn = asyncio.Semaphore(COUNTED_AT_ONCE)
        chunks = await asyncio.gather(*(self._chunk_count(row[2], turn) for row in rows))
        return [
            ProjectInfo(row[0], row[1], row[2], tuple(row[4]), count, row[5], row[3], row[6])
            for row, count in zip(rows, chunks, strict=True)
        ]

    async def count(self) -> int:
        """How many projects there are."""
        pool = await self._server.pool(REGISTRY)
        with translated():
            return int(await pool.fetchval("select count(*) from projects"))

    async def _made(self, wish: Wish) -> Entry:
        entry = await self.registry.claim(wish)
        async with self.registry.completed(entry.id) as whole:
            return whole

    async def _chunk_count(self, database: str, turn: asyncio.Semaphore) -> int:
        try:
            async with turn, self._server.connection(database) as connection:
                return int(await connection.fetchval("select count(*) from code_chunks"))
        except DatabaseUnavailable:
            raise
        except DatabaseError:
            return 0


def _told(entry: Entry, resolved_by: ResolvedBy, trace: tuple[str, ...]) -> Project:
    return Project(entry.id, entry.name, entry.database, resolved_by, trace)
