"""A folder as its user sees it: the project it belongs to, its index, and the search over it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sightline.adapters import files
from sightline.adapters.analysing import Workers
from sightline.adapters.choosing import Chooser, models, roll_back
from sightline.adapters.embedders import Embedders
from sightline.adapters.journal import Unfinished
from sightline.adapters.machine import Machine
from sightline.adapters.pools import Limits
from sightline.adapters.postgres import Server
from sightline.adapters.signals import DEAF, WHOLE
from sightline.adapters.slots import Slots
from sightline.adapters.snapshots import Snapshots
from sightline.adapters.store import Checkout, Store
from sightline.adapters.workflow import Workflow
from sightline.adapters.writing import Writer
from sightline.buffers import Analyser, Buffers, Unsaved
from sightline.care import Care
from sightline.core.globs import below
from sightline.core.model import Filters, Query
from sightline.core.query import parse
from sightline.errors import EmbedderError, FolderError, QueryError, SettingsError, SightlineError
from sightline.estimating import Estimate, estimate
from sightline.filling import BUDGET_SECONDS
from sightline.indexing import Indexer
from sightline.jobs import Progress, Report, Summary
from sightline.planning import unindexed
from sightline.projects import Project, Projects
from sightline.searching import Answer, Options, Search, Source
from sightline.settings import SearchSettings, Settings

MOST_WORKERS: Final = 4
"""More would wait for the one process that stores."""
TYPING_SECONDS: Final = 600.0
"""How long the process that analyses what is typed stays: to start it anew takes half a second."""
SEARCH_SECONDS: Final = 2.0
"""How long a command that searches waits for an embedding server before it does."""
POLL_SECONDS: Final = 0.2
"""How often the progress of another process's job is read while we wait for it."""


class Workspaces:
    """Opens folders. Owns the database connections and the worker processes; used as a context manager."""

    def __init__(self, settings: Settings, server: Server, host_id: str, data_dir: Path) -> None:
        self.settings = settings
        self.server = server
        self.projects = Projects(server, host_id, Workflow(settings.workflow.url, settings.workflow.timeout))
        self.care = Care(server, self.projects.registry, host_id)
        self._host_id = host_id
        self.embedder = Embedders(settings.embedding, settings.search.deadline_ms / 1000)
        workers = settings.index.workers or min(MOST_WORKERS, os.cpu_count() or 1)
        slots = Slots(data_dir / "workers", workers)
        self._workers = Workers(workers, slots)
        self._machine = Machine(settings.index.on_battery, settings.index.pause_above_load, slots.busy)
        # Whoever types waits for no batch of files: one more process, for a text at a time.
        self._typing = Workers(1, Slots(data_dir / "typing", workers), TYPING_SECONDS)

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls, settings: Settings, data_dir: Path) -> AsyncIterator[Workspaces]:
        """Starts or joins the database; ends everything that was started, in reverse."""
        limits = Limits(total=settings.database.max_connections)
        server = await Server.open(settings.database.url, data_dir, limits)
        try:
            workspaces = cls(settings, server, await asyncio.to_thread(host_id, data_dir), data_dir)
            try:
                yield workspaces
            finally:
                await workspaces.embedder.close()
                workspaces._typing.close()
                workspaces._workers.close()
        finally:
            await server.close()

    async def open(self, folder: Path, project_id: str | None = None, *, make: bool = True) -> Workspace:
        """The workspace of an absolute folder; below a config file's folder, that one's, narrowed to the folder.

        ProjectNotFound where the folder has no project yet and none shall be made.
        """
        asked = await asyncio.to_thread(files.resolved, folder)
        project = await self.projects.resolve(asked, project_id, make=make)
        root = project.root or asked
        settings = self.settings.within(project.options)
        store = Store(self.server, project.database, project.id)
        checkout = Checkout(await store.repository(self._host_id, str(root), root.name or str(root)), root)
        chooser = await Chooser.opened(store, checkout.repository_id, self.embedder)
        rules = files.Rules(settings.index.include, settings.index.exclude, settings.index.max_file_bytes)
        indexer = Indexer(
            store,
            checkout,
            self._workers,
            rules,
            chooser,
            self._machine.must_rest,
        )
        analyser = Analyser(self._typing, lambda: chooser.current.direct)
        within = "" if asked == root else asked.relative_to(root).as_posix()
        return Workspace(
            project,
            store,
            checkout,
            indexer,
            rules,
            self.embedder,
            chooser,
            analyser,
            self._workers,
            settings.search,
            within,
        )

    async def named(self, filters: Filters, project_id: str | None = None) -> list[Project] | None:
        """The projects that a request or its query names, each once; None where neither names any."""
        if project_id is None and not filters.projects:
            return None
        unwanted = await self.unwanted(filters)
        found = {each.id: each for each in [await self.projects.called(name) for name in filters.projects]}
        if project_id is not None:
            asked = await self.projects.explicit(project_id)
            if project_id in unwanted or (found and project_id not in found):
                hint = "Take project: out of the query."
                raise QueryError("the request and the query name different projects", hint=hint)
            found = {project_id: asked}
        return [each for each in found.values() if each.id not in unwanted]

    async def unwanted(self, filters: Filters) -> set[str]:
        """The ids of the projects that `-project:` names."""
        return {(await self.projects.called(name)).id for name in filters.not_projects}

    async def search(self, projects: Sequence[Project], query: Query, options: Options) -> Answer:
        """Searches whole projects, as far as this host has checkouts of them."""
        sources = [source for each in projects for source in await self.project_sources(each)]
        return await Search(sources, self.embedder, files.current).search(query, options)

    async def project_sources(self, project: Project, opened: Sequence[Workspace] = ()) -> list[Source]:
        """All checkouts that this host has of a project, to search them: one source a model, as scores compare.

        Their index is left as it is. Unsaved texts are those of the workspaces that are open.
        """
        store = Store(self.server, project.database, project.id)
        embedder_id = await store.embedder(self.embedder.identity, self.embedder.kind.url)
        by_model = await store.checkouts(self._host_id, embedder_id) or {embedder_id: ()}
        sources = []
        for model, checkouts in by_model.items():
            own = [each for each in opened if each.project.id == project.id and each.checkout in checkouts]
            unsaved = Unsaved([each.buffers for each in own])
            sources.append(Source(project.id, Snapshots(store), checkouts, model, lambda path: None, unsaved))
        return sources


class Workspace:
    """One open folder."""

    def __init__(
        self,
        project: Project,
        store: Store,
        checkout: Checkout,
        indexer: Indexer,
        rules: files.Rules,
        embedder: Embedders,
        chooser: Chooser,
        analyser: Analyser,
        workers: Workers,
        settings: SearchSettings,
        within: str = "",
    ) -> None:
        self.project = project
        self.store = store
        self.checkout = checkout
        self.indexer = indexer
        self.rules = rules
        self.settings = settings
        """What searches take where nothing else is said."""
        snapshots = Snapshots(store)
        self.buffers = Buffers(checkout, rules, analyser, snapshots)
        """What is open below the folder in the editor that opened it."""
        self.source = Source(
            project.id,
            snapshots,
            (checkout,),
            chooser.current.serving.id,
            lambda path: indexer.touch((path,)),
            Unsaved((self.buffers,)),
            (below(within),) if within else (),
        )
        self._chooser = chooser
        self._workers = workers
        self._search = Search([self.source], embedder, files.current)

    async def refresh(self, report: Report) -> Summary:
        """Brings the words up to date, and of the vectors what comes in a moment: for who wants to search."""
        return await self.index(report, seconds=SEARCH_SECONDS, must_be_whole=False)

    async def index(
        self, report: Report, *, force: bool = False, seconds: float = BUDGET_SECONDS, must_be_whole: bool = True
    ) -> Summary:
        """Brings the index up to date; where another process has the right to, that one is asked.

        EmbedderError where vectors are missing in the end; the words are there then. `seconds` is how long a server is
        tried without success.
        """
        self.indexer.touch(force=force)
        job: Unfinished | None = None
        async with self.indexer.seat(DEAF) as seat:
            while not await seat.claim():
                job = job or await self.request((WHOLE,), force=force)
                row = await self._watch_other(job.id, report)
                if row is not None and not job.has_begun:
                    return _told(row)
                # One that had begun before may have looked at a file before that was changed.
                job = None if row is not None else job
            return await self._settled(seat.writer, report, seconds, must_be_whole)

    async def _settled(self, writer: Writer, report: Report, seconds: float, must_be_whole: bool) -> Summary:
        """Words, then vectors."""
        summary = await self.indexer.settle(writer, report)
        if must_be_whole:
            await self._filled(writer, report, seconds)
            return summary
        try:
            async with asyncio.timeout(seconds):
                await self._filled(writer, report, seconds)
        except (TimeoutError, EmbedderError, SettingsError):
            pass  # the answer says what it lacks
        return summary

    async def _filled(self, writer: Writer, report: Report, seconds: float) -> None:
        """All vectors; words again where files have changed between."""
        while not self.indexer.cancelled and await self.indexer.filler.fill(writer, report, seconds):
            if not self.indexer.queued:
                break
            await self.indexer.settle(writer, report)

    async def request(self, paths: Sequence[str], *, force: bool = False) -> Unfinished:
        """The job that runs and does this, else one that waits, of which the process that writes is told."""
        kind = "force" if force else "scan" if WHOLE in paths else "paths"
        job = await self.store.request_job(self.checkout.repository_id, kind, paths)
        if not job.has_begun:  # its row says what is to be done, unless it is given up before
            await self.store.forward(self.checkout.repository_id, {}, as_job=True)
        elif WHOLE not in paths:  # a job that runs may have looked at these files before they were changed
            await self.store.forward(self.checkout.repository_id, dict.fromkeys(paths, force), as_job=False)
        return job

    async def search(self, text: str, options: Options) -> Answer:
        """Answers one line of the query box."""
        return await self._search.search(parse(text), options)

    async def left_out(self) -> list[files.Skipped]:
        """Every file and folder that is not indexed, and why, as far as the files' names and the index tell."""
        scan = await asyncio.to_thread(files.scan, self.checkout.root, self.rules)
        rows = await self.store.files(self.checkout.repository_id)
        return [*scan.skipped, *unindexed(rows[each.path] for each in scan.found if each.path in rows)]

    async def models(self) -> dict[str, str]:
        """The models that serve, did so before, were refused, or are being built."""
        choice = await self._chooser.look()
        building = {"building": choice.target.identity.name} if choice.target.id != choice.serving.id else {}
        return await models(self.store, self.checkout.repository_id) | building

    async def roll_back(self) -> dict[str, str]:
        """Lets the model before serve again, or gives up the one that is being built; who serves now."""
        await roll_back(self.store, self._chooser, self.checkout.repository_id)
        self.indexer.reconcile()
        return await self.models()

    @property
    def model(self) -> str:
        """The one that serves."""
        return self._chooser.current.serving.identity.name

    async def estimate(self) -> Estimate:
        """What indexing the folder would read and cost."""
        return await estimate(self.store, self.checkout, self._workers, self.rules, self._chooser)

    async def allow(self) -> None:
        """Agrees to what embedding the folder costs."""
        choice = await self._chooser.look()
        await self.store.allow(self.checkout.repository_id, choice.target.id)

    async def status(self) -> dict[str, Any]:
        """Counts and the last jobs."""
        found = await self.store.status(self.checkout.repository_id)
        return {**found, "model": self.model, "pending_vectors": await self.indexer.filler.count()}

    async def _watch_other(self, job: UUID, report: Report) -> dict[str, Any] | None:
        """Shows the progress of the process that writes; the job's row, once it has ended."""
        row = await self.store.job(job)
        if row is None:
            raise SightlineError("the job of another process is gone", hint="Try again.")
        if row["state"] in ("completed", "failed", "cancelled"):
            return row
        report(Progress(row["phase"] or "waiting", row["files_done"], row["files_total"], row["chunks"], job))
        await asyncio.sleep(POLL_SECONDS)
        return None


def _told(row: dict[str, Any]) -> Summary:
    """What another process did, by its job's row."""
    if row["error"]:
        raise SightlineError(f"another process could not finish: {row['error']}")
    return Summary(
        row["id"],
        files_read=row["files_done"],
        chunks_added=row["chunks"],
        texts_embedded=row["texts_embedded"],
        skipped=[files.Skipped(path, "failed", detail=reason) for path, reason in row["failures"].items()],
        told=f"{row['message']} (by another process)",
    )


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
