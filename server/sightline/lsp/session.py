"""What one client has: its folders and open documents, its settings, and the database once it is there."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lsprotocol import types
from pygls.workspace import TextDocument

from sightline import messages
from sightline.adapters import configfiles
from sightline.errors import DatabaseUnavailable, FolderError, ProjectError, ProjectNotFound, SightlineError
from sightline.lsp import configuring
from sightline.lsp.folders import TOLD_SECONDS, Folder, Opened, degraded_code, path_named
from sightline.lsp.wire import Server
from sightline.settings import Settings, parse

if TYPE_CHECKING:  # heavy, and nothing that `initialize` needs: `prepare` imports it beside the first messages
    from sightline.adapters.pools import PoolFacts
    from sightline.answers import Encoding
    from sightline.workspaces import Workspace, Workspaces

Opener = Callable[[Settings], AbstractAsyncContextManager["Workspaces"]]
HEAVY: Final = ("sightline.workspaces", "sightline.answers", "sightline.adapters.watching")
READY_SECONDS: Final = 5.0
"""How long a request that comes before the database is ready waits for it."""
LOG: Final = logging.getLogger(__name__)


class Session:
    """The handlers' context: one client, from its `initialized` until it leaves."""

    def __init__(self, server: Server, open_sightline: Opener) -> None:
        self.server = server
        self.settings, self.problems = parse()
        self.client: types.InitializeParams | None = None
        self.folders: dict[Path, Folder] = {}
        """By their roots: a folder has many URIs, with and without a slash, encoded in any way, and through links."""
        self.problem: SightlineError | None = None
        self._open = open_sightline
        self._workspaces: Workspaces | None = None
        self._ready = asyncio.Event()
        self._changed = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._prepared: asyncio.Task[None] | None = None
        self._documents: dict[Path, TextDocument] = {}
        self._configuring = asyncio.Lock()
        self._is_started = False

    @classmethod
    @contextlib.asynccontextmanager
    async def lifespan(cls, server: Server, open_sightline: Opener) -> AsyncIterator[Session]:
        session = cls(server, open_sightline)
        session._prepared = server.spawn(asyncio.to_thread(_import_heavy), "imports")
        try:
            yield session
        finally:
            await session._stop()

    async def start(self, folders: Sequence[types.WorkspaceFolder]) -> None:
        """Reads the client's settings and opens the database and the folders in the background."""
        if self._is_started:
            return
        self._is_started = True
        await self.change_folders(folders, ())
        await self.configure()
        self.server.spawn(self._tell_changes(), "status")

    async def configure(self, pushed: Any = None) -> None:
        """Takes the client's settings, and begins anew where they differ."""
        async with self._configuring:
            began_with = self.client.initialization_options if self.client else None
            settings, problems = parse(editor=await configuring.given(self.server, pushed, began_with))
            for problem in dict.fromkeys(problems):
                if problem not in self.problems:
                    told = types.ShowMessageParams(types.MessageType.Warning, f"Sightline: {problem}")
                    self.server.window_show_message(told)
            if self._running is not None and settings == self.settings:
                self.problems = problems
                return
            self.settings, self.problems = settings, problems
            logging.getLogger().setLevel(settings.log.level.upper())
            await self._stop()
            self._running = self.server.spawn(self._run(), "session")

    async def change_folders(
        self, added: Sequence[types.WorkspaceFolder], removed: Sequence[types.WorkspaceFolder]
    ) -> None:
        """Folders that the client opened and closed; nothing is waited for before all of that is noted."""
        closed: list[Folder] = []
        for each in removed:
            with contextlib.suppress(FolderError):
                closed += self._remove_folder(path_named(each.uri))
        for each in added:
            try:
                self._add_folder(each.uri, path_named(each.uri))
            except FolderError as error:
                LOG.warning("a folder is left out: %s", error)
        await asyncio.gather(*map(_close, closed))

    async def workspaces(self) -> Workspaces:
        """The application; waits a little where it is still starting."""
        try:
            await asyncio.wait_for(self._ready.wait(), READY_SECONDS)
        except TimeoutError:
            raise self.problem or DatabaseUnavailable(
                "the database is still starting", hint="Ask again in a moment."
            ) from None
        if self._workspaces is None:
            raise self.problem or DatabaseUnavailable("the database is not there", hint="Run: sightline doctor")
        return self._workspaces

    async def scoped(self, uri: str | None) -> list[Folder]:
        """The folders that a request is about, with their workspaces; of several, a broken one has none."""
        chosen = [self.folder_of(uri)] if uri is not None else list(self.folders.values())
        await self.workspaces()
        deadline = asyncio.get_running_loop().time() + READY_SECONDS
        while any(each.workspace is None and each.problem is None for each in chosen):
            if asyncio.get_running_loop().time() > deadline:
                raise DatabaseUnavailable("the folder is still being opened", hint="Ask again in a moment.")
            await asyncio.sleep(0.02)
            chosen = [each for each in chosen if self.folders.get(each.root) is each]
        problems = [each.problem for each in chosen if each.workspace is None and each.problem is not None]
        if problems and len(problems) == len(chosen):
            raise problems[0]
        if uri is not None and not chosen:
            raise FolderError("the folder was closed meanwhile")
        return chosen

    def folder_of(self, uri: str) -> Folder:
        """The open folder that a URI is, or lies below; the nearest where they nest."""
        path = self.path_of(uri)
        around = [each for each in self.folders.values() if path.is_relative_to(each.root)]
        if not around:
            raise FolderError("that is in no open folder", hint="Open the folder first, or name a project id.")
        return max(around, key=lambda each: len(each.root.parts))

    def path_of(self, uri: str) -> Path:
        """The path of a file URI, without links."""
        return path_named(uri).resolve()

    def read(self, root: Path, path: str, *, wait: bool = True) -> bytes | None:
        """A file's text as the user sees it: the open document's, else the disk's."""
        from sightline.adapters import files

        document = self._documents.get(root / path)
        if document is not None:
            return document.source.encode("utf-8", "surrogatepass")
        return files.current(root, path, wait=wait)

    def documents_changed(self) -> None:
        """Files that are open are indexed first, and searched as they are in the editor."""
        known = {document.uri: path for path, document in self._documents.items()}
        found: dict[Path, TextDocument] = {}
        for document in self.server.workspace.text_documents.values():
            with contextlib.suppress(FolderError):
                found[known.get(document.uri) or self.path_of(document.uri)] = document
        self._documents = found
        for folder in self.folders.values():
            folder.prefer(list(found))
            self._show_documents(folder)

    def opened(self) -> list[Workspace]:
        """The workspaces of the folders that are there."""
        return [each.workspace for each in self.folders.values() if each.workspace is not None]

    def document_edited(self, uri: str) -> None:
        """Somebody types."""
        path = self.path_of(uri)
        for folder in self.folders.values():
            if folder.workspace is not None and path in self._documents and path.is_relative_to(folder.root):
                relative = path.relative_to(folder.root).as_posix()
                folder.workspace.buffers.set(relative, self._documents[path].source)

    def pools(self) -> Sequence[PoolFacts]:
        """What the database's connections do, where there is one."""
        return self._workspaces.server.pools() if self._workspaces is not None else ()

    def look_again(self) -> None:
        """The database did not answer a request."""
        for folder in self.folders.values():
            folder.look_again()

    @property
    def encoding(self) -> Encoding:
        return types.PositionEncodingKind(self.server.workspace.position_encoding).value

    @property
    def is_vscode(self) -> bool:
        info = self.client.client_info if self.client else None
        return info is not None and info.name.startswith(("Visual Studio Code", "VSCodium", "code-server"))

    def degraded(self) -> tuple[messages.Degraded, ...]:
        """Why an answer may lack something."""
        problems = [each.problem for each in self.folders.values()] + [self.problem]
        told = [messages.Degraded(code=degraded_code(each), message=str(each)) for each in problems if each]
        behind = [each for each in self.folders.values() if each.problem is None and each.percent < 100]
        told += [messages.Degraded(code="indexing", message=f"{each.percent} % indexed") for each in behind]
        for folder in self.folders.values():
            told += folder.lacks()
        return tuple(told)

    async def _run(self) -> None:
        """Opens the application, tries again while it cannot be, and holds it until the session ends."""
        patience = 0.5
        if self._prepared is not None:
            await asyncio.wait([self._prepared])
        while True:
            try:
                async with self._open(self.settings.in_background()) as workspaces:
                    await self._hold(workspaces)
            except SightlineError as error:
                self._tell(error)
            except Exception as error:  # without this loop no request would be answered any more
                LOG.info("what went wrong:", exc_info=error)
                said = f"Sightline cannot start ({type(error).__name__})"
                self._tell(SightlineError(said, hint="With log.level at info its log says more."))
            await asyncio.sleep(patience)
            patience = min(2 * patience, 15.0)

    async def _hold(self, workspaces: Workspaces) -> None:
        """Opens the folders, and at the end closes them before that on which they stand."""
        self._workspaces, self.problem = workspaces, None
        self._ready.set()
        try:
            for folder in list(self.folders.values()):
                self._begin_opening(folder, workspaces)
            await asyncio.Event().wait()
        finally:
            self._workspaces = None
            await self._close_folders()

    def _tell(self, error: SightlineError) -> None:
        """Notes why there is no application, and logs it once."""
        if str(self.problem) != str(error):
            LOG.error("%s. %s", str(error).rstrip("."), error.hint)
        self.problem = error
        self._ready.set()
        self._changed.set()

    def _add_folder(self, uri: str, name: Path) -> None:
        """Folders below one config file's are parts of one: they have one index, one writer, one watch."""
        asked = name.resolve()
        config = configfiles.find(asked)
        root = config.root if config is not None else asked
        is_new = root not in self.folders
        if is_new:
            self.folders[root] = Folder(uri, root, self.server, self._changed.set, self._reconfigured, self._lost)
        part = asked.relative_to(root).as_posix()
        self.folders[root].names[name] = Opened(uri, "" if part == "." else part)
        if is_new and self._workspaces is not None:
            self._begin_opening(self.folders[root], self._workspaces)

    def _remove_folder(self, name: Path) -> list[Folder]:
        """A folder whose last name this is, to be closed; a link may lead elsewhere by now."""
        named = next((each for each in self.folders.values() if name in each.names), None)
        folder = named or self.folders.get(name.resolve())
        if folder is None:
            return []
        folder.names.pop(name, None)
        return [] if folder.names else [self.folders.pop(folder.root)]

    def _reconfigured(self, folder: Folder) -> None:
        self.server.spawn(self._open_anew(folder), f"config of {folder.root.name}")

    async def _open_anew(self, folder: Folder) -> None:
        """Opens a folder again where its config file makes another project of it, or none."""
        if self._workspaces is None or not await folder.belongs_elsewhere(self._workspaces):
            return
        if self.folders.get(folder.root) is folder:
            del self.folders[folder.root]
            await _close(folder)
            for name, opened in folder.names.items():
                self._add_folder(opened.uri, name)

    def reopen(self, uri: str | None) -> None:
        """Makes a folder a project again whose project was removed: somebody wants its index after all."""
        chosen = [self.folder_of(uri)] if uri is not None else list(self.folders.values())
        is_removed = [each.opening is None and isinstance(each.problem, ProjectNotFound) for each in chosen]
        if is_removed == [True] and self._workspaces is not None:
            chosen[0].problem = None
            self._begin_opening(chosen[0], self._workspaces)

    def _lost(self, folder: Folder) -> None:
        self.server.spawn(self._follow(folder), f"loss of {folder.root.name}")

    async def _follow(self, folder: Folder) -> None:
        """A database that was lost or made anew is opened again; what somebody removed does not come back by itself."""
        workspace, workspaces = folder.workspace, self._workspaces
        if workspace is None or workspaces is None:
            return
        removed: ProjectNotFound | None = None
        try:
            await workspaces.projects.check_there(workspace.project)
        except ProjectNotFound as error:
            removed = error
        except SightlineError:  # it is being removed, or nobody knows: the indexer fails again
            return
        if folder.workspace is not workspace:
            return
        await _close(folder)
        if self.folders.get(folder.root) is not folder or self._workspaces is not workspaces:
            return
        if removed is not None:
            self._refuse(folder, removed)
        else:
            self._begin_opening(folder, workspaces)

    def _refuse(self, folder: Folder, error: SightlineError) -> None:
        """Notes why a folder is not open; what only a person can mend is shown, once."""
        if isinstance(error, ProjectError) and str(error) != str(folder.problem):
            said = f"Sightline: {error}. {error.hint}"
            self.server.window_show_message(types.ShowMessageParams(types.MessageType.Error, said))
        folder.problem = error
        self._changed.set()

    def _begin_opening(self, folder: Folder, workspaces: Workspaces) -> None:
        folder.opening = self.server.spawn(self._open_folder(folder, workspaces), f"opening {folder.root.name}")

    async def _open_folder(self, folder: Folder, workspaces: Workspaces) -> None:
        patience = 0.5
        while folder.workspace is None:
            try:
                await folder.open(workspaces, lambda: self._show_documents(folder))
                folder.problem = None
                folder.prefer(list(self._documents))
            except SightlineError as error:
                self._refuse(folder, error)
                await asyncio.sleep(patience)
                patience = min(2 * patience, 15.0)

    def _show_documents(self, folder: Folder) -> None:
        """What is open below a folder is searched as it is in the editor."""
        if folder.workspace is not None:
            below = [(path, each) for path, each in self._documents.items() if path.is_relative_to(folder.root)]
            texts = {path.relative_to(folder.root).as_posix(): document.source for path, document in below}
            folder.workspace.buffers.show(texts)

    async def _stop(self) -> None:
        """Closes folders, then the application."""
        await self._close_folders()
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        self._ready.clear()
        self.problem = None

    async def _close_folders(self) -> None:
        await asyncio.gather(*map(_close, self.folders.values()))

    async def _tell_changes(self) -> None:
        """`sightline/statusChanged`, as often as it helps a person."""
        told: messages.StatusChanged | None = None
        while True:
            await self._changed.wait()
            self._changed.clear()
            for folder in self.folders.values():
                if folder.workspace is not None:
                    folder.workspace.buffers.recheck()
            now = self.summary()
            if now != told:
                self.server.notify("sightline/statusChanged", now.model_dump(mode="json", by_alias=True))
                told = now
            await asyncio.sleep(TOLD_SECONDS)

    def summary(self) -> messages.StatusChanged:
        folders = list(self.folders.values())
        busy = next((each for each in folders if each.phase != "idle"), None)
        return messages.StatusChanged(
            phase="waiting" if self.problem else busy.phase if busy else "idle",
            percent=min((each.percent for each in folders), default=100),
            files=sum(each.files for each in folders),
            chunks=sum(each.chunks for each in folders),
            degraded=self.degraded(),
        )


async def _close(folder: Folder) -> None:
    if folder.workspace is not None:
        await folder.workspace.buffers.close()
    await folder.close()


def _import_heavy() -> None:
    for name in HEAVY:
        importlib.import_module(name)
