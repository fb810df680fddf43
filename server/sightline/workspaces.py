"""A folder as its user sees it: the project it belongs to, its index, and the search over it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from sightline.adapters import embedding, files
from sightline.adapters.analysing import Workers
from sightline.adapters.postgres import Server
from sightline.adapters.snapshots import Snapshots
from sightline.adapters.store import Checkout, Store
from sightline.core.query import parse
from sightline.errors import FolderError
from sightline.indexing import Indexer
from sightline.jobs import Progress, Report, Summary
from sightline.projects import Project, Projects
from sightline.searching import Answer, Options, Search, Source
from sightline.settings import Settings

POLL_SECONDS: Final = 0.2
"""How often the progress of another process's job is read while we wait for it."""


class Workspaces:
    """Opens folders. Owns the database connections and the worker processes; used as a context manager."""

    def __init__(self, settings: Settings, server: Server, host_id: str) -> None:
        self.settings = settings
        self.server = server
        self.projects = Projects(server, host_id)
        self._host_id = host_id
        self.embedder = embedding.load(settings.embedding.provider, settings.embedding.model)
        self._workers = Workers(settings.index.workers)

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls, settings: Settings, data_dir: Path) -> AsyncIterator[Workspaces]:
        """Starts or joins the database; ends everything that was started, in reverse."""
        server = await Server.open(settings.database.url, data_dir)
        try:
            workspaces = cls(settings, server, await asyncio.to_thread(host_id, data_dir))
            try:
                yield workspaces
            finally:
                workspaces._workers.close()
        finally:
            await server.close()

    async def open(self, folder: Path, project_id: str | None = None) -> Workspace:
        """The workspace of an absolute folder."""
        root = await asyncio.to_thread(files.resolved, folder)
        project = await self.projects.resolve(root, project_id)
        store = Store(self.server, project.database, project.id)
        checkout = Checkout(await store.repository(self._host_id, str(root), root.name or str(root)), root)
        embedder_id = await store.embedder(self.embedder.identity)
        provider = self.settings.embedding
        rules = files.Rules(
            self.settings.index.include, self.settings.index.exclude, self.settings.index.max_file_bytes
        )
        indexer = Indexer(
            store,
            checkout,
            self._workers,
            rules,
            (provider.provider, provider.model, self.embedder.identity, embedder_id),
        )
        return Workspace(project, store, checkout, indexer, rules, self.embedder, embedder_id)

    async def project_source(self, project_id: str) -> Source:
        """All checkouts that this host has of a project, to search them; their index is left as it is."""
        project = await self.projects.explicit(project_id)
        store = Store(self.server, project.database, project.id)
        embedder_id = await store.embedder(self.embedder.identity)
        checkouts = await store.checkouts(self._host_id)
        return Source(project.id, Snapshots(store), checkouts, embedder_id, lambda path: None)


class Workspace:
    """One open folder."""

    def __init__(
        self,
        project: Project,
        store: Store,
        checkout: Checkout,
        indexer: Indexer,
        rules: files.Rules,
        embedder: embedding.LocalEmbedder,
        embedder_id: int,
    ) -> None:
        self.project = project
        self.store = store
        self.checkout = checkout
        self.indexer = indexer
        self.rules = rules
        self.source = Source(
            project.id, Snapshots(store), (checkout,), embedder_id, lambda path: indexer.touch((path,))
        )
        self._search = Search([self.source], embedder, files.current)

    async def index(self, report: Report, *, force: bool = False) -> Summary:
        """Brings the index up to date; where another process is at it, waits for that one first."""
        self.indexer.touch(force=force)
        while True:
            async with self.indexer.writing(wait=False) as writer:
                if writer is not None:
                    return await self.indexer.settle(writer, report)
            await self._watch_other(report)

    async def search(self, text: str, options: Options) -> Answer:
        """Answers one line of the query box."""
        return await self._search.search(parse(text), options)

    async def status(self) -> dict[str, Any]:
        """Counts and the last jobs."""
        return await self.store.status(self.checkout.repository_id)

    async def _watch_other(self, report: Report) -> None:
        """Shows the progress of the process that writes; returns soon after it has ended."""
        job = await self.store.running_job(self.checkout.repository_id)
        if job is not None:
            report(Progress(job["phase"] or "waiting", job["files_done"], job["files_total"], job["chunks"], job["id"]))
        await asyncio.sleep(POLL_SECONDS)


def host_id(data_dir: Path) -> str:
    """The random id by which databases that several hosts share know this one; the first process that asks makes it."""
    file = data_dir / "host-id"
    try:
        if not file.exists():
            _make_id(file)
        found = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text"
        hint = "Point SIGHTLINE_DATA_DIR to a folder that you can write to."
        raise FolderError(f"the data folder cannot be used: {reason} ({file})", hint=hint) from error
    if not found:
        raise FolderError(f"{file} is empty", hint="Remove that file; the folders of this host are then indexed anew.")
    return found


def _make_id(file: Path) -> None:
    """Written whole before it has its name, so that nobody reads half of it, whatever crashes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".host-id-{uuid.uuid4().hex}")
    try:
        with fresh.open("w", encoding="ascii") as handle:
            handle.write(uuid.uuid4().hex)
            handle.flush()
            os.fsync(handle.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(fresh, file)
    finally:
        fresh.unlink(missing_ok=True)
