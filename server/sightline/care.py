"""Looks after projects: what there is of each, what is left over of some, and how they go from server to server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import asyncpg

from sightline.adapters.postgres import REGISTRY, Server, quoted, translated
from sightline.adapters.registry import Entry, Registry, Wish
from sightline.core.identity import DEFAULT, config_key, folder_key, parse_id
from sightline.errors import (
    DatabaseError,
    DatabaseUnavailable,
    DatabaseUnfit,
    ProjectConflict,
    ProjectError,
    SightlineError,
)

if TYPE_CHECKING:  # who exports nothing need not load what packs files
    from sightline.adapters.portable import Manifest

Kind = Literal["orphan", "missing", "removing", "creating", "vanished"]
KINDS: Final[dict[Kind, str]] = {
    "orphan": "a database that no project has",
    "missing": "a project whose database is gone",
    "removing": "a removal that broke off",
    "creating": "a creation that broke off more than an hour ago",
    "vanished": "a project whose folders are gone, or on a disk that is not there",
}
NAME_LENGTH: Final = 255
OURS: Final = "^sightline_[a-z0-9_]+_[0-9a-f]{8}$"
"""What databases of projects are called where no config file names them."""
OTHERS: Final = "^sightline_(registry|template_[0-9]+(_new)?)$"


@dataclass(frozen=True, slots=True)
class Root:
    """A folder of a project."""

    path: str
    is_here: bool
    """On this host."""
    exists: bool | None
    """None where this host cannot know."""


@dataclass(frozen=True, slots=True)
class CheckoutFacts:
    """What is indexed of one checkout."""

    path: str
    is_here: bool
    files: int
    chunks: int
    last_indexed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Details:
    """Everything about one project."""

    entry: Entry
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime
    size_bytes: int
    roots: tuple[Root, ...]
    checkouts: tuple[CheckoutFacts, ...] = ()
    models: tuple[str, ...] = ()
    known_texts: int = 0
    """Texts whose vectors are remembered."""
    problem: str = ""
    """Why its database could not be read."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that nobody needs any more."""

    kind: Kind
    database: str
    project_id: str = ""
    name: str = ""
    size_bytes: int = 0
    folders: tuple[str, ...] = ()
    keep: str = ""
    """Why it is not ours to take away."""

    @property
    def key(self) -> str:
        """A project and a database are told once."""
        return self.project_id or self.database

    def is_same(self, other: Finding) -> bool:
        """Whatever its size is meanwhile."""
        return replace(self, size_bytes=0) == replace(other, size_bytes=0)


class Care:
    """The projects of a server, as whoever looks after them sees them."""

    def __init__(self, server: Server, registry: Registry, host_id: str) -> None:
        self._server = server
        self._registry = registry
        self._host_id = host_id

    async def show(self, project_id: str) -> Details:
        """One project, in whatever state it is."""
        entry = await self._registry.find(parse_id(project_id))
        pool = await self._server.pool(REGISTRY)
        with translated():
            row = await pool.fetchrow(
                f"select created_at, updated_at, last_used_at, coalesce((select {_SIZE} from pg_database"
                " where datname = database_name), 0) from projects where id = $1", entry.id,
            )  # fmt: skip
            roots = await pool.fetch(
                "select path, host_id from project_roots where project_id = $1 order by path", entry.id
            )
        if row is None:
            raise ProjectError("the project was removed meanwhile", hint="Run: sightline projects")
        seen = await asyncio.to_thread(self._looked_at, [(each[0], each[1]) for each in roots])
        details = Details(entry, row[0], row[1], row[2], row[3], seen)
        try:
            async with self._server.connection(entry.database) as connection:
                return await self._with_contents(details, connection)
        except DatabaseUnavailable:
            raise
        except DatabaseError as error:
            return replace(details, problem=str(error))

    async def rename(self, project_id: str, name: str) -> Entry:
        """Gives a project another name; its id, its database and its folders stay."""
        name = _checked_name(name)
        return await self._registry.rename(parse_id(project_id), name)

    async def findings(self, kinds: Sequence[Kind] = ()) -> tuple[Finding, ...]:
        """What is left over, of some kinds or of all; nothing is changed."""
        found = [*await self._orphans(), *await self._stale(), *await self._vanished()]
        # A project is told once, with the first reason.
        first = {each.key: each for each in reversed(found)}
        return tuple(each for each in found if first[each.key] is each
                     and (not kinds or each.kind in kinds))  # fmt: skip

    async def prune(self, finding: Finding) -> bool:
        """Takes it away, if it is still there and still left over; whether it was."""
        if finding.keep or not any(finding.is_same(each) for each in await self.findings()):
            return False
        if finding.kind != "orphan":
            await self._registry.remove(finding.project_id, finding.name)
            return True
        async with self._server.connection(REGISTRY) as connection:
            try:
                await connection.execute(f"drop database if exists {quoted(finding.database)}")
            except asyncpg.ObjectInUseError as error:
                raise DatabaseUnfit(f"somebody uses {finding.database}", hint="Try again when it is free.") from error
        return True

    async def export(self, project_id: str, file: Path) -> Manifest:
        """Writes a project into a file."""
        from sightline.adapters import portable

        completed = self._registry.completed(parse_id(project_id))
        async with completed as entry, self._server.connection(entry.database) as connection:
            return await portable.write(connection, file, (entry.id, entry.key, entry.name))

    async def bring(self, file: Path, project_id: str | None = None, name: str | None = None) -> Entry:
        """Makes a project of a file, under its own id and name or under others; a bad file changes nothing."""
        from sightline.adapters import portable

        manifest = await asyncio.to_thread(portable.check, file)
        wish = self._wish(manifest, project_id, name)
        own_id = wish.project_id or manifest.id
        if await self._is_there(own_id):
            return await self._filled(own_id, file, manifest)
        try:
            await self._registry.claim(wish)
        except ProjectConflict as error:
            raise ProjectConflict(
                str(error), hint="Import it under an id and a name of its own: --id, --name."
            ) from error
        try:
            return await self._filled(own_id, file, manifest)
        except SightlineError:
            await self._registry.remove(own_id, (await self._registry.find(own_id)).name)
            raise

    async def _filled(self, project_id: str, file: Path, manifest: Manifest) -> Entry:
        from sightline.adapters import portable

        completed = self._registry.completed(project_id)
        async with completed as entry, self._server.connection(entry.database) as connection:
            await portable.read(connection, file, manifest, entry.id)
            return entry

    def _wish(self, manifest: Manifest, project_id: str | None, name: str | None) -> Wish:
        """Found again as it was found before, unless it shall be another project or says what cannot be."""
        own_id, own_name = parse_id(project_id or manifest.id), name or manifest.name
        if own_id != DEFAULT:
            _checked_name(own_name)
        is_known = manifest.key in (config_key(own_name), DEFAULT) or manifest.key.startswith("folder:")
        is_same = own_id == manifest.id and (manifest.key == DEFAULT) == (own_id == DEFAULT)
        key = manifest.key if is_known and is_same else f"import:{own_id}"
        here = folder_key(self._host_id, "")
        root = key.removeprefix(here) if key.startswith(here) else None
        return Wish(key, own_name, root, own_id, is_configured=not key.startswith("folder:"))

    async def _is_there(self, project_id: str) -> bool:
        pool = await self._server.pool(REGISTRY)
        with translated():
            return bool(await pool.fetchval("select exists (select 1 from projects where id = $1)", project_id))

    async def _with_contents(self, details: Details, connection: asyncpg.Connection) -> Details:
        rows = await connection.fetch(
            "select root_path, host_id = $1, (select count(*) from code_files f where f.repository_id = r.id and"
            " outcome = 'indexed'), (select count(*) from code_chunks c join code_files f on f.id = c.code_file_id"
            " where f.repository_id = r.id), last_indexed_at from repositories r order by root_path, id", self._host_id,
        )  # fmt: skip
        models = await connection.fetch("select name || ' ' || version from embedders order by id")
        texts = await connection.fetchval("select coalesce(sum(text_count), 0)::bigint from embedding_cache")
        checkouts, names = tuple(CheckoutFacts(*row) for row in rows), tuple(row[0] for row in models)
        return replace(details, checkouts=checkouts, models=names, known_texts=texts)

    async def _orphans(self) -> list[Finding]:
        """In one snapshot, and a project's row is written before its database: none that is being made is among them."""
        pool = await self._server.pool(REGISTRY)
        with translated():
            rows = await pool.fetch(
                f"select datname, {_SIZE}, pg_get_userbyid(datdba), pg_has_role(datdba, 'usage') from pg_database"
                " where datname ~ '^sightline_' and datname !~ $1"
                " and not exists (select 1 from projects where database_name = datname) order by datname", OTHERS,
            )  # fmt: skip
        return [
            Finding("orphan", row[0], size_bytes=row[1], keep=await self._reason_to_keep(row[0], row[2], row[3]))
            for row in rows
        ]

    async def _reason_to_keep(self, database: str, owner: str, is_ours: bool) -> str:
        """Why a database may be somebody's: only what surely is of Sightline's making is dropped."""
        if not is_ours:
            return f"it belongs to the role {owner}"
        if not re.fullmatch(OURS, database):
            return "its name is not one that Sightline gives"
        try:
            async with self._server.unprepared(database) as connection:
                if await connection.fetchval("select to_regclass('code_chunks') is null"):
                    return "it holds no index of Sightline's"
                others = "select count(*) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()"
                return "somebody uses it" if await connection.fetchval(others, database) else ""
        except DatabaseUnavailable:
            raise
        except DatabaseError as error:
            return str(error)

    async def _stale(self) -> list[Finding]:
        """Rows that something broke off, or that lost their database."""
        pool = await self._server.pool(REGISTRY)
        with translated():
            rows = await pool.fetch(
                f"select p.id, name, database_name, state, datname is null, coalesce({_SIZE}, 0) from projects p"
                " left join pg_database on datname = database_name"
                " where state = 'removing' or (state = 'creating' and updated_at < now() - interval '1 hour')"
                " or (state = 'ready' and datname is null) order by p.id"
            )
        return [
            Finding(row[3] if row[3] != "ready" else "missing", row[2], row[0], row[1], row[5])
            for row in rows
        ]  # fmt: skip

    async def _vanished(self) -> list[Finding]:
        """Projects all of whose folders were on this host, and are gone; who has no folder is kept."""
        pool = await self._server.pool(REGISTRY)
        with translated():
            rows = await pool.fetch(
                f"select p.id, name, database_name, coalesce((select {_SIZE} from pg_database"
                " where datname = database_name), 0), array_agg(path order by path) from projects p"
                " join project_roots r on r.project_id = p.id where state = 'ready' and p.id <> $2"
                " group by p.id having bool_and(host_id = $1) order by p.id", self._host_id, DEFAULT,
            )  # fmt: skip
        gone = await asyncio.to_thread(lambda: [all(map(_is_gone, row[4])) for row in rows])
        return [
            Finding("vanished", row[2], row[0], row[1], row[3], tuple(row[4]))
            for row, is_gone in zip(rows, gone, strict=True)
            if is_gone
        ]

    def _looked_at(self, roots: Sequence[tuple[str, str]]) -> tuple[Root, ...]:
        here = [(path, host == self._host_id) for path, host in roots]
        return tuple(Root(path, is_here, not _is_gone(path) if is_here else None) for path, is_here in here)


_SIZE: Final = "case when has_database_privilege(datname, 'connect') then pg_database_size(datname) else 0 end"


def _is_gone(path: str) -> bool:
    """Surely: a folder that may not be looked at is there."""
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _checked_name(name: str) -> str:
    if not name.strip() or len(name) > NAME_LENGTH or not name.isprintable() or name == DEFAULT:
        raise ProjectError(
            "that is no name for a project", hint=f"A name is up to {NAME_LENGTH} printable characters, not {DEFAULT}."
        )
    return name
