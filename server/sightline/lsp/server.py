"""The language server: which message is answered by whom, on one screen."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from lsprotocol import types
from pydantic import BaseModel
from pygls.exceptions import JsonRpcException

from sightline import __version__, messages
from sightline.core.languages import LANGUAGES
from sightline.core.model import KINDS
from sightline.errors import DatabaseBusy, DatabaseUnavailable
from sightline.lsp import handlers, symbols
from sightline.lsp.dispatch import Handler
from sightline.lsp.session import Opener, Session
from sightline.lsp.wire import Server

REQUESTS: Final[dict[str, tuple[type[BaseModel], Handler]]] = {
    "sightline/search": (messages.SearchParams, handlers.search),
    "sightline/similar": (messages.SimilarParams, handlers.similar),
    "sightline/status": (messages.StatusParams, handlers.status),
    "sightline/index": (messages.IndexParams, handlers.index),
    "sightline/rollbackModel": (messages.RollbackModelParams, handlers.rollback_model),
    "sightline/jobs": (messages.JobsParams, handlers.jobs),
    "sightline/cancelJob": (messages.CancelJobParams, handlers.cancel_job),
    "sightline/pause": (messages.NoParams, handlers.pause),
    "sightline/resume": (messages.NoParams, handlers.resume),
    "sightline/projects": (messages.NoParams, handlers.projects),
    "sightline/removeProject": (messages.RemoveProjectParams, handlers.remove_project),
    "sightline/explainFile": (messages.ExplainFileParams, handlers.explain_file),
}
"""Each is a command as well, with a dot for the slash."""
SHOW_SIMILAR: Final = "sightline.showSimilar"
VERSION: Final = 1
"""Of the protocol; raised when a client of the old one would break."""


def make(open_sightline: Opener) -> Server:
    """A server for one client."""

    @contextlib.asynccontextmanager
    async def lifespan(server: Server) -> AsyncIterator[Session]:
        async with Session.lifespan(server, open_sightline) as session:
            yield session

    languages = sorted({each.id for each in LANGUAGES})
    experimental = {
        "sightline": {"version": VERSION, "requests": list(REQUESTS), "languages": languages, "kinds": list(KINDS)}
    }
    server = Server("sightline", __version__, experimental=experimental, lifespan=lifespan)
    for method, (params, handler) in REQUESTS.items():
        server.add_request(method, params, _healing(handler))
        server.add_command(method.replace("/", "."), params, _healing(handler))
    server.add_command(SHOW_SIMILAR, messages.SimilarParams, _healing(show_similar))
    server.add_feature(types.INITIALIZE, initialize)
    server.add_feature(types.INITIALIZED, initialized)
    server.add_feature(types.WORKSPACE_SYMBOL, _healing(symbols.workspace_symbol))
    server.add_feature(types.TEXT_DOCUMENT_CODE_ACTION, code_actions, types.CodeActionOptions([CODE_ACTION_KIND]))
    server.add_feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION, configuration_changed)
    server.add_feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, folders_changed)
    server.add_feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES, files_changed)
    server.add_feature(types.TEXT_DOCUMENT_DID_OPEN, documents_changed)
    server.add_feature(types.TEXT_DOCUMENT_DID_CLOSE, documents_changed)
    server.add_feature(types.TEXT_DOCUMENT_DID_CHANGE, edited)
    server.add_feature(types.TEXT_DOCUMENT_DID_SAVE, saved)
    return server


def _healing(handler: Handler) -> Handler:
    """A request that finds the database gone is refused at once, but sees to it that the next one finds it again."""

    async def call(session: Session, params: Any) -> Any:
        try:
            return await handler(session, params)
        except DatabaseBusy:  # it is there
            raise
        except DatabaseUnavailable:
            session.look_again()
            raise

    return call


CODE_ACTION_KIND: Final = "refactor.sightline.similar"


async def initialize(session: Session, params: types.InitializeParams) -> None:
    session.client = params


async def initialized(session: Session, params: Any) -> None:
    await session.start(list(session.server.workspace.folders.values()))


async def configuration_changed(session: Session, params: types.DidChangeConfigurationParams) -> None:
    await session.configure(params.settings)


async def folders_changed(session: Session, params: types.DidChangeWorkspaceFoldersParams) -> None:
    await session.change_folders(params.event.added, params.event.removed)


async def files_changed(session: Session, params: types.DidChangeWatchedFilesParams) -> None:
    for change in params.changes:
        _touch(session, change.uri)


async def documents_changed(session: Session, params: Any) -> None:
    session.documents_changed()


async def edited(session: Session, params: types.DidChangeTextDocumentParams) -> None:
    if params.text_document.uri.startswith("file:"):
        session.document_edited(params.text_document.uri)


async def saved(session: Session, params: types.DidSaveTextDocumentParams) -> None:
    _touch(session, params.text_document.uri)


def _touch(session: Session, uri: str) -> None:
    if uri.startswith("file:"):
        path: Path = session.path_of(uri)
        for folder in session.folders.values():
            folder.touch(path)


async def code_actions(session: Session, params: types.CodeActionParams) -> list[types.CodeAction]:
    """`Find similar code` for a selection; not for a bare cursor, where it would only be in the way."""
    only = params.context.only
    is_wanted = only is None or any(_is_within(CODE_ACTION_KIND, kind) for kind in only)
    if params.range.start == params.range.end or not is_wanted:
        return []
    arguments = {"textDocument": {"uri": params.text_document.uri}, "range": _plain(params.range)}
    command = types.Command("Find similar code", SHOW_SIMILAR, arguments=[arguments])
    return [types.CodeAction(command.title, CODE_ACTION_KIND, command=command)]


async def show_similar(session: Session, params: messages.SimilarParams) -> messages.Answer:
    """For editors that cannot show an answer: opens the best place, or names it, and lists all in the log."""
    answer = await handlers.similar(session, params)
    places = [f"{hit.path}:{hit.selection_range.start.line + 1} {hit.symbol}".rstrip() for hit in answer.hits]
    for each in places:
        session.server.window_log_message(types.LogMessageParams(types.MessageType.Info, each))
    window = session.server.client_capabilities.window
    if not (window and window.show_document and window.show_document.support):
        session.server.window_show_message(types.ShowMessageParams(types.MessageType.Info, _sentence(places)))
    elif answer.hits:
        best = answer.hits[0]
        place = types.ShowDocumentParams(best.uri, take_focus=True, selection=_structured(best.selection_range))
        with contextlib.suppress(JsonRpcException):  # it refuses: the answer and the log are there all the same
            await session.server.window_show_document_async(place)
    return answer


def _sentence(places: list[str]) -> str:
    """The best place and how many more there are."""
    if not places:
        return "No similar code was found."
    others = f" ({len(places) - 1} more in the log)" if len(places) > 1 else ""
    return f"Similar code: {places[0]}{others}"


def _is_within(kind: str, wanted: str) -> bool:
    """Code action kinds are a tree: `refactor` stands for all below it, "" for everything."""
    return wanted in ("", kind) or kind.startswith(f"{wanted}.")


def _plain(range_: types.Range) -> dict[str, dict[str, int]]:
    return {
        "start": {"line": range_.start.line, "character": range_.start.character},
        "end": {"line": range_.end.line, "character": range_.end.character},
    }


def _structured(range_: messages.Range) -> types.Range:
    return types.Range(
        types.Position(range_.start.line, range_.start.character), types.Position(range_.end.line, range_.end.character)
    )
