"""Which project a folder belongs to, and the creation of projects that do not exist yet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from sightline.adapters import configfiles
from sightline.adapters.configfiles import ConfigFile
from sightline.adapters.configuration import Config
from sightline.adapters.postgres import REGISTRY, Server, translated
from sightline.adapters.registry import Entry, Registry, State, Wish, refuse_removed
from sightline.adapters.workflow import Workflow
from sightline.core.identity import DEFAULT, config_key, folder_key, parse_id
from sightline.errors import (
    ConfigError,
    DatabaseError,
    DatabaseUnavailable,
    FolderError,
    ProjectError,
    ProjectNotFound,
)

ResolvedBy = Literal["explicit", "config", "workflow", "folder", "default"]
LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Project:
    """A project and how it was found."""

    id: str
    name: str
    database: str
    resolved_by: ResolvedBy
    trace: tuple[str, ...] = ()
    """What was asked in turn, and why it did or did not decide."""
    root: Path | None = None
    """What is indexed for the folder that was resolved: that of its config file, else itself."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What its config file says of `index` and `search`."""


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

    def __init__(self, server: Server, host_id: str, workflow: Workflow | None = None) -> None:
        self._server = server
        self._host_id = host_id
        self._workflow = workflow or Workflow("", 0)
        self.registry = Registry(server, host_id)

    async def resolve(self, folder: Path | None, project_id: str | None = None, *, make: bool = True) -> Project:
        """The project that was named, else the config file's, the active one, the folder's own, or the default one.

        The first that applies decides, and its failure is the answer: nothing falls through to another project.
        Who only looks makes none: ProjectNotFound where the folder has none yet.
        """
        if folder is not None:
            _storable(folder)
        if project_id is not None:
            named = await self.explicit(project_id)
            return named if folder is None else await asyncio.to_thread(_in_place, named, folder)
        trace = ["explicit: no id was given"]
        file = await asyncio.to_thread(configfiles.find, folder) if folder is not None else None
        if file is not None:
            return await self._configured(file, trace, make=make)
        trace.append(_no_config(folder))
        active = await self._workflow.active()
        if active.project_id is not None:
            return await self._active(active.project_id, folder, trace)
        trace.append(f"workflow: {active.reason}")
        return await (self._own(folder, trace, make=make) if folder is not None else self._default(trace))

    async def explicit(self, project_id: str) -> Project:
        """The project of this id, or ProjectNotFound; never another."""
        if parse_id(project_id) == DEFAULT:
            found = await self._any_default()
        else:
            found = await self._known(project_id)
        return _told(found, "explicit", ("explicit: the id was given",))

    async def called(self, name: str) -> Project:
        """The project of this id, else of this name; an error where several have it."""
        ids = await self.registry.called(name) if name != DEFAULT else (DEFAULT,)
        if not ids:
            raise ProjectNotFound(f"no project is called {name!r}", hint="Run: sightline projects")
        if len(ids) > 1 and ids[0] != name:
            raise ProjectError(
                f"{len(ids)} projects are called {name!r}", hint=f"Name one by its id: {', '.join(ids)}."
            )
        found = await self.explicit(ids[0])
        return replace(found, trace=("explicit: project: in the query names it",))

    async def _configured(self, file: ConfigFile, trace: Sequence[str], *, make: bool) -> Project:
        """The config file's project, which is created or renamed as the file says; its id gets into the file."""
        config = await asyncio.to_thread(file.read)
        root = _storable(file.root)
        own = config.project
        found = await self.registry.used("id", own.id, root) if own.id else None
        told = f"config: {file.name}"
        if found is None or not _is_as_configured(found, config):
            key, replaced = config_key(own.name), folder_key(self._host_id, root)
            if not (make or await self.registry.has(own.id, key, replaced)):
                raise _nothing(file.root)
            wish = Wish(
                key, own.name, root, own.id or None, own.database_name or None, is_configured=True,
                description=config.description, replaces=replaced,
            )  # fmt: skip
            claimed = await self.registry.claim(wish)
            async with self.registry.completed(claimed.id) as found:
                if not own.id:
                    told += await asyncio.to_thread(_write_back, file, found.id)
        return replace(_told(found, "config", (*trace, told)), root=file.root, options=config.options())

    async def _active(self, project_id: str, folder: Path | None, trace: Sequence[str]) -> Project:
        try:
            found = await self._known(project_id)
        except ProjectNotFound as error:
            raise ProjectNotFound(
                f"the workflow server says that {project_id} is active, and no project has that id",
                hint="Activate one that `sightline projects` lists, or none.",
            ) from error
        return replace(_told(found, "workflow", (*trace, "workflow: the server says that it is active")), root=folder)

    async def _own(self, folder: Path, trace: Sequence[str], *, make: bool) -> Project:
        root = _storable(folder)
        key = folder_key(self._host_id, root)
        found = await self.registry.used("key", key)
        if found is None and not (make or await self.registry.has(key)):
            raise _nothing(folder)
        found = found or await self._made(Wish(key, folder.name or "root", root))
        told = f"folder: the own project of {folder.name}"
        return replace(_told(found, "folder", (*trace, told)), root=folder)

    async def _default(self, trace: Sequence[str]) -> Project:
        return _told(await self._any_default(), "default", (*trace, "default: there is no folder"))

    async def _known(self, project_id: str) -> Entry:
        found = await self.registry.used("id", project_id)
        if found is None:
            async with self.registry.completed(project_id) as found:
                pass
        return found

    async def _any_default(self) -> Entry:
        wish = Wish(DEFAULT, DEFAULT, project_id=DEFAULT, is_configured=True)
        return await self.registry.used("key", DEFAULT) or await self._made(wish)

    async def remove(self, project_id: str, confirm: str) -> None:
        """Deletes a project and its database; `confirm` must be its name. A removal that broke off is ended by the next."""
        await self.registry.remove(parse_id(project_id), confirm)

    async def check_there(self, project: Project) -> None:
        """ProjectNotFound where a project has been removed since it was found, ProjectError while it is being removed."""
        try:
            refuse_removed(await self.registry.find(project.id))
        except ProjectNotFound as error:
            raise ProjectNotFound(
                f"the project {project.name} was removed",
                hint="Index its folder or open it again, and that is a new project.",
            ) from error

    async def list(self) -> list[ProjectInfo]:
        """All projects, the last used first; sizes are 0 for databases that cannot be read."""
        pool = await self._server.pool(REGISTRY)
        with translated():
            rows = await pool.fetch(
                "select p.id, p.name, p.database_name, p.last_used_at::text, p.state,"
                " coalesce((select array_agg(path order by path) from project_roots r where r.project_id = p.id), '{}')"
                " from projects p order by p.last_used_at desc, p.id"
            )
        held = await asyncio.gather(*(self._held(row[2]) for row in rows))
        return [
            ProjectInfo(row[0], row[1], row[2], tuple(row[5]), chunks, size, row[3], row[4])
            for row, (size, chunks) in zip(rows, held, strict=True)
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

    async def _held(self, database: str) -> tuple[int, int]:
        """The bytes and the chunks of a database, as far as it is there and this role may see it."""
        size = 0
        try:
            async with self.registry.turn, self._server.unprepared(database) as connection:
                size = await connection.fetchval("select pg_database_size(current_database())")
                return size, await connection.fetchval("select count(*) from code_chunks")
        except DatabaseUnavailable:  # the server, or a database that somebody removes: the sessions of both are ended
            await self.count()
            return size, 0
        except DatabaseError:
            return size, 0


def _told(entry: Entry, resolved_by: ResolvedBy, trace: tuple[str, ...]) -> Project:
    return Project(entry.id, entry.name, entry.database, resolved_by, trace)


def _nothing(folder: Path) -> ProjectNotFound:
    return ProjectNotFound(f"nothing of {folder.name or 'this folder'} is indexed yet", hint="Run: sightline index")


def _is_as_configured(entry: Entry, config: Config) -> bool:
    """Whether the row says what the file says, where the file says anything."""
    own = config.project
    asked = (own.name, own.database_name or entry.database, config.description or entry.description)
    return asked == (entry.name, entry.database, entry.description)


def _no_config(folder: Path | None) -> str:
    where = f"no {configfiles.FILE} from here up to the repository's root" if folder else "there is no folder"
    return f"config: {where}"


def _write_back(file: ConfigFile, project_id: str) -> str:
    """Puts the id into the file; where that is forbidden, the project is found by its name all the same."""
    try:
        file.write_id(project_id)
    except OSError as error:
        LOG.warning("the project's id cannot be written into %s: %s", file.name, error.strerror)
        return f", into which the id could not be written ({error.strerror})"
    return ""


def _in_place(project: Project, folder: Path) -> Project:
    """A project that was named, for a folder: where that one's config file names it too, as the file has it."""
    file = configfiles.find(folder)
    try:
        config = file.read() if file is not None else None
    except ConfigError:  # which was not asked
        config = None
    if file is not None and config is not None and config.project.id == project.id:
        return replace(project, root=file.root, options=config.options())
    return replace(project, root=folder)
