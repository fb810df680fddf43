"""One open folder: its workspace, the task that keeps its index current, and what the client is told of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from lsprotocol import types
from pygls.uris import to_fs_path

from sightline import messages
from sightline.adapters.configfiles import FILE
from sightline.core.globs import below
from sightline.errors import (
    Cancelled,
    DatabaseGone,
    DatabaseUnavailable,
    EmbedderUnavailable,
    FolderError,
    ProjectError,
    SightlineError,
)
from sightline.lsp.progress import Work
from sightline.lsp.wire import Server

if TYPE_CHECKING:  # heavy, and nothing that `initialize` needs
    from sightline.jobs import Progress, State
    from sightline.workspaces import Workspace, Workspaces

MANY: Final = 20
"""A bar for fewer saved files would be gone before it is read."""
TOLD_SECONDS: Final = 0.5
"""How often at the most a client is told how far an index is."""
LEAVE_SECONDS: Final = 0.5
"""How long work that is cancelled may take to note its end."""
ALMOST: Final = 99
"""The percentage of an index that may lack something."""
CONFIG_PATHS: Final = (FILE, FILE.rpartition("/")[0])
LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """A folder as the client named it: that of the index, or one below it."""

    uri: str
    path: str
    """Relative to the root of the index; "" for the root itself."""


class Folder:
    """A folder of the client, from `open` until `close`."""

    def __init__(
        self,
        uri: str,
        root: Path,
        server: Server,
        changed: Callable[[], None],
        reconfigured: Callable[[Folder], None],
        lost: Callable[[Folder], None],
    ) -> None:
        self.uri = uri
        self.root = root
        self.names: dict[Path, Opened] = {}
        """The paths under which the client has it, or a folder below it, open; they may be links."""
        self.workspace: Workspace | None = None
        self.role: Literal["writer", "reader", "waiting"] = "waiting"
        self.progress: Progress | None = None
        self.problem: SightlineError | None = None
        self.chunks = 0
        self.files = 0
        self.is_current = False
        self.opening: asyncio.Task[None] | None = None
        self._server = server
        self._changed = changed
        self._reconfigured = reconfigured
        self._lost = lost
        self._cancelled: Progress | None = None
        self._outcome = ""
        self._failure = ""
        self._before = 0
        self._bar: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, workspaces: Workspaces, opened: Callable[[], None] = lambda: None) -> None:
        """Resolves the project and begins to watch and to index; `opened` comes before anything is searched in it."""
        self.workspace = await workspaces.open(self.root)
        opened()
        await self._recount()
        indexer = self.workspace.indexer
        indexer.filler.changed = self._changed
        self._tasks = [
            self._server.spawn(indexer.keep(self._report, self._told), f"indexing {self.root.name}"),
            self._server.spawn(self._watch(), f"watching {self.root.name}"),
        ]

    async def close(self) -> None:
        """Stops everything that `open` began, and an `open` that has not ended."""
        tasks = [task for task in (self.opening, self._bar, *self._tasks) if task is not None]
        for task in tasks:
            if not task.cancelling():  # a second time would keep it from noting how its job ended
                task.cancel()
        if tasks:
            _, stubborn = await asyncio.wait(tasks, timeout=LEAVE_SECONDS)
            for task in stubborn:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.workspace, self.problem, self.opening, self._tasks = None, None, None, []
        self.role, self.is_current, self.progress, self._cancelled = "waiting", False, None, None
        self._failure, self._before = "", 0

    def touch(self, path: Path) -> None:
        """A file below the root may have changed."""
        if self.workspace is not None and path.is_relative_to(self.root):
            self._failure = ""
            relative = path.relative_to(self.root).as_posix()
            self._note_config({relative})
            self.workspace.indexer.touch(["" if relative == "." else relative])

    def look_again(self) -> None:
        """The database did not answer: whatever is wrong, the indexer mends it before it looks at the files."""
        if self.workspace is not None and not self.workspace.indexer.queued:
            self.workspace.indexer.touch()

    def pause(self, wanted: bool) -> None:
        """Begins no further batch, or goes on."""
        if self.workspace is not None:
            indexer = self.workspace.indexer
            (indexer.pause if wanted else indexer.resume)()
            self._changed()

    def cancel(self) -> bool:
        """Ends the work under way; whether there was any. What it left undone is not taken for indexed."""
        if self.workspace is None:
            return False
        if self.progress is None:
            return self.workspace.indexer.filler.stop()
        self._cancelled, self.is_current = self.progress, False
        self.workspace.indexer.cancel()
        return True

    def prefer(self, paths: list[Path]) -> None:
        """Files that are open in the editor."""
        if self.workspace is not None:
            own = [path.relative_to(self.root).as_posix() for path in paths if path.is_relative_to(self.root)]
            self.workspace.indexer.prefer(own)

    @property
    def within(self) -> tuple[str, ...]:
        """Globs of what of it is open in the client; none where all of it is."""
        paths = [each.path for each in self.names.values()]
        return () if "" in paths else tuple(map(below, paths))

    @property
    def percent(self) -> int:
        """How much is indexed; 100 only when nothing is known to be missing.

        Until this process has looked, an index that was whole before is taken for nearly whole.
        """
        step = self.progress or self._cancelled
        if step is not None and step.files_total:
            # Files that need not be read again are indexed, if ever all were.
            count = max(self.files, step.files_total) if self._before == ALMOST else step.files_total
            return min(ALMOST, 100 * (count - step.files_total + step.files_done) // count)
        return 100 if self.is_current else self._before

    @property
    def phase(self) -> str:
        if self.problem is not None:
            return "waiting"
        if self.workspace is not None and self.workspace.indexer.paused:
            return "paused"
        if self.percent == 100:
            return "idle"
        if self.progress is None:
            return "cancelled" if self._cancelled else "starting"
        return self.progress.phase

    async def belongs_elsewhere(self, workspaces: Workspaces) -> bool:
        """Whether its config file makes another project of it than when it was opened, or is wrong now."""
        if self.workspace is None:
            return False
        own, asked = self.workspace.project, next(iter(self.names), self.root)
        try:
            found = await workspaces.projects.resolve(await asyncio.to_thread(asked.resolve))
        except ProjectError:
            return True
        except SightlineError:
            return False
        # Only a file takes an open folder elsewhere: a workflow server may just be away for a while.
        is_by_file = "config" in (own.resolved_by, found.resolved_by)
        return is_by_file and (found.id, found.root, found.options) != (own.id, own.root, own.options)

    def status(self) -> messages.FolderStatus:
        indexer = self.workspace.indexer if self.workspace else None
        step = self.progress
        return messages.FolderStatus(
            uri=self.uri,
            project_id=self.workspace.project.id if self.workspace else "",
            role=self.role,
            phase=self.phase,
            files=self.files,
            files_done=step.files_done if step else 0,
            files_total=step.files_total if step else 0,
            chunks=self.chunks,
            indexed_percent=self.percent,
            queued=indexer.queued if indexer else 0,
            paused=indexer.paused if indexer else False,
            model=self.workspace.model if self.workspace else "",
            pending_vectors=indexer.filler.pending if indexer else 0,
        )

    def lacks(self) -> list[messages.Degraded]:
        """What the folder's vectors wait for, if they do."""
        filler = self.workspace.indexer.filler if self.workspace is not None else None
        if filler is None or not filler.pending:
            return []
        told = [messages.Degraded(code="vectorsPending", message=f"{filler.pending:,} chunks wait for vectors")]
        if filler.problem is not None:
            said = f"{filler.problem}. {filler.problem.hint}".strip()
            told.append(messages.Degraded(code="embedderUnavailable", message=said))
        return told

    async def _watch(self) -> None:
        from sightline.adapters import watching

        async for paths in watching.changes(self.root, say=self._warn):
            if self.workspace is not None:
                self._failure = ""
                self._note_config(paths)
                if paths == {""}:
                    self.workspace.indexer.reconcile()
                else:
                    self.workspace.indexer.touch(paths)

    def _note_config(self, paths: set[str]) -> None:
        """Whose project the folder is may have changed with its config file."""
        if not paths.isdisjoint(("", *CONFIG_PATHS)):
            self._reconfigured(self)

    def _warn(self, sentence: str) -> None:
        LOG.warning("%s", sentence)
        self._server.window_show_message(types.ShowMessageParams(types.MessageType.Warning, f"Sightline: {sentence}"))

    def _report(self, step: Progress) -> None:
        self.progress = step
        self._moved.set()
        if step.files_done and isinstance(self.problem, DatabaseUnavailable):
            self.problem, self._failure = None, ""
        if self._cancelled is not None and step.job not in (None, self._cancelled.job):
            self._cancelled = None
        is_long = step.job is not None or step.files_total >= MANY
        is_shown = self._bar is None and self._cancelled is None and not self._failure
        if step.files_total and is_long and is_shown:
            self._bar = self._server.spawn(self._show(), f"progress {self.root.name}")
        self._changed()

    def _told(self, state: State) -> None:
        self.role = state.role
        self._note_problem(state)
        is_done = state.summary is not None and self._cancelled is None
        self.is_current = is_done or state.role == "reader" or (self.is_current and state.role == "writer")
        if state.summary is not None:
            self.progress, self._outcome = None, state.summary.sentence()
            self._moved.set()
            self._server.spawn(self._recount(), "counting")
        self._changed()

    def _note_problem(self, state: State) -> None:
        """A failure ends the bar, is logged once and stands until work succeeds: an attempt alone mends nothing."""
        if state.problem is not None:
            sentence = str(state.problem)
            if sentence != self._failure:
                LOG.error("%s is not indexed: %s. %s", self.root.name, sentence.rstrip("."), state.problem.hint)
            self._before = max(self._before, min(ALMOST, self.percent))
            self.problem, self.progress, self._outcome, self._failure = state.problem, None, sentence, sentence
            self._moved.set()
            if isinstance(state.problem, DatabaseGone):
                self._lost(self)
        elif state.summary is not None or state.role == "reader":
            self.problem, self._failure = None, ""

    async def _recount(self) -> None:
        if self.workspace is None:
            return
        with contextlib.suppress(SightlineError):
            status = await self.workspace.status()
            self.files, self.chunks = status["files"], status["chunks"]
            self._before = ALMOST if status["last_indexed_at"] is not None else self._before
            self._changed()

    async def _show(self) -> None:
        """The client's own progress bar, while files are indexed; its cancel button ends the job."""
        try:
            async with self._server.work(f"Indexing {self.root.name}") as work:
                while self.progress is not None and self.progress.files_total:
                    _draw(work, self.progress)
                    await self._moved.wait()
                    self._moved.clear()
                work.summary = "Cancelled" if self._cancelled is not None else self._outcome
        except Cancelled:
            self.cancel()
        finally:
            self._bar = None


def _draw(work: Work, step: Progress) -> None:
    work.report(f"{step.files_done}/{step.files_total} files", 100 * step.files_done / step.files_total)


def degraded_code(problem: SightlineError) -> Literal["databaseUnavailable", "embedderUnavailable", "indexing"]:
    match problem:
        case DatabaseUnavailable():
            return "databaseUnavailable"
        case EmbedderUnavailable():
            return "embedderUnavailable"
    return "indexing"


def path_named(uri: str) -> Path:
    """The path that a file URI names; FolderError for anything else."""
    try:
        path = to_fs_path(uri)
    except ValueError:
        path = None
    if not path or not uri.startswith("file:") or "\0" in path:
        raise FolderError("that is no file URI", hint="Write file:///path.")
    return Path(path)
