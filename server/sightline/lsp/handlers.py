"""What the server answers to each of our requests; a command of the same name does the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sightline import __version__, messages
from sightline.core.globs import below
from sightline.core.model import Filters
from sightline.core.query import parse
from sightline.errors import DatabaseError, FolderError, ProjectNotFound, QueryError, SightlineError
from sightline.lsp import scopes
from sightline.lsp.documents import LineTable
from sightline.lsp.folders import ALMOST, Folder
from sightline.lsp.scopes import Scope
from sightline.lsp.session import Session

if TYPE_CHECKING:  # heavy: see `session.HEAVY`
    from sightline.searching import Answer, Options, Place
    from sightline.workspaces import Workspace

JOB_SECONDS: Final = 3.0
"""How long `sightline/index` waits for the job that it began to run, so that its counts are known."""
UNREAD: Final = messages.Degraded(code="indexing", message="an unsaved document is still being read")


async def search(session: Session, params: messages.SearchParams) -> messages.Answer:
    started = time.perf_counter()
    query = parse(f"{_words(params.filters)}{params.query}")
    scope = await scopes.of(session, params, query.filters)
    narrowed = replace(query, filters=_narrowed(session, params, query.filters))
    missing = await _missing(session, scope)
    answer = await scope.engine.search(narrowed, _options(session, params, scope))
    return _told(session, scope, answer, missing, started)


async def similar(session: Session, params: messages.SimilarParams) -> messages.Answer:
    """Code like the selection, which is taken from the open document if there is one."""
    started = time.perf_counter()
    scope = await scopes.of(session, params)
    path = session.path_of(params.text_document.uri)
    folder = session.folder_of(path.as_uri())
    text, place = await asyncio.to_thread(_selected, session, folder, path, params.range)
    filters = _narrowed(session, params, parse(_words(params.filters)).filters)
    missing = await _missing(session, scope)
    answer = await scope.engine.similar(text, place, filters, _options(session, params, scope))
    return _told(session, scope, answer, missing, started)


async def status(session: Session, params: messages.StatusParams) -> messages.Status:
    """Waits for nothing, and answers also when the database does not."""
    from sightline.answers import to_project

    named = [session.folder_of(params.folder)] if params.folder is not None else list(session.folders.values())
    folders = await _of_project(session, params, named)
    found = tuple([each.status() for each in folders])  # before their jobs: those of one that is current have ended
    jobs: list[messages.Job] = []
    problem = session.problem or next(
        (each.problem for each in folders if isinstance(each.problem, DatabaseError)), None
    )
    try:
        jobs = [job for each in folders for job in await _jobs(each)]
    except DatabaseError as error:
        problem = problem or error
        session.look_again()
    projects = {each.workspace.project.id: each.workspace.project for each in folders if each.workspace}
    databases = {each.database for each in projects.values()} if _is_scoped(params) else None
    return messages.Status(
        version=__version__,
        database=str(problem) if problem else "external" if session.settings.database.url else "embedded",
        model=session.settings.embedding.model or session.settings.embedding.provider,
        projects=tuple(to_project(each) for each in projects.values()),
        folders=found,
        jobs=tuple(jobs),
        pools=tuple(
            messages.PoolStatus(**asdict(each))
            for each in session.pools()
            if databases is None or each.database in databases
        ),
        max_connections=session.settings.database.max_connections,
        problems=tuple(map(str, session.problems)),
    )


async def index(session: Session, params: messages.IndexParams) -> messages.Job | messages.DryRun:
    """Begins a job, or returns the one that runs; `dryRun` only looks."""
    if not params.dry_run and params.project_id is None:
        session.reopen(params.folder)
    folder = await _one_folder(session, params)
    paths = [_relative(each) for each in params.paths] or [""]
    if params.dry_run:
        found = await _opened(folder).estimate()
        return messages.DryRun(**{each.name: getattr(found, each.name) for each in fields(found)})
    workspace = _opened(folder)
    if params.confirm:
        await workspace.allow()
    job = await workspace.request(paths, force=params.force)
    deadline = time.monotonic() + JOB_SECONDS
    while True:
        row = await workspace.store.job(job.id)
        if row is None:
            raise SightlineError("the job has ended and is forgotten", hint="Ask sightline/jobs.")
        if row["state"] != "pending" or time.monotonic() > deadline:
            return messages.Job(**row)
        await asyncio.sleep(0.02)


async def rollback_model(session: Session, params: messages.RollbackModelParams) -> messages.Status:
    """Lets the model before serve again, or gives up the one that is being built."""
    folder = await _one_folder(session, params)
    await _opened(folder).roll_back()
    return await status(session, messages.StatusParams(folder=folder.uri))


async def jobs(session: Session, params: messages.JobsParams) -> messages.Jobs:
    folders = await _of_project(session, params, await session.scoped(params.folder))
    return messages.Jobs(jobs=tuple([job for each in folders for job in await _jobs(each)]))


async def cancel_job(session: Session, params: messages.CancelJobParams) -> messages.Jobs:
    """Ends a running job of this server, or one that has not begun."""
    for folder in await session.scoped(None):
        found = next((job for job in await _jobs(folder) if job.id == params.id), None)
        if found is None or folder.workspace is None:
            continue
        waits = found.state == "pending" and await folder.workspace.store.give_up(found.id)
        if not waits and found.state in ("pending", "running") and not folder.cancel():
            raise SightlineError("another process runs the job", hint="Cancel it where it was begun.")
        return await jobs(session, messages.JobsParams())
    raise SightlineError("no open folder has a job of that id", hint="Ask sightline/jobs for the ids.")


async def pause(session: Session, params: messages.NoParams) -> messages.Jobs:
    for folder in await session.scoped(None):
        folder.pause(True)
    return await jobs(session, messages.JobsParams())


async def resume(session: Session, params: messages.NoParams) -> messages.Jobs:
    for folder in await session.scoped(None):
        folder.pause(False)
    return await jobs(session, messages.JobsParams())


async def projects(session: Session, params: messages.NoParams) -> messages.ProjectList:
    from sightline.answers import to_listed

    found = await (await session.workspaces()).projects.list()
    return messages.ProjectList(projects=tuple(map(to_listed, found)))


async def remove_project(session: Session, params: messages.RemoveProjectParams) -> messages.ProjectList:
    """Removes a project and its database, if its name confirms that this one is meant and no open folder needs it."""
    workspaces = await session.workspaces()
    if any(each.workspace and each.workspace.project.id == params.project_id for each in session.folders.values()):
        raise SightlineError("the project is that of an open folder", hint="Close the folder first.")
    await workspaces.projects.remove(params.project_id, params.confirm)
    return await projects(session, messages.NoParams())


async def explain_file(session: Session, params: messages.ExplainFileParams) -> messages.FileExplanation:
    """Whether a file is indexed, or why not."""
    from sightline.adapters import files

    folder = (await session.scoped(params.uri))[0]
    workspace = _opened(folder)
    whole = session.path_of(params.uri)
    path = whole.relative_to(folder.root).as_posix()
    if await asyncio.to_thread(whole.is_dir):
        return messages.FileExplanation(path=path, indexed=False, reason="It is a folder.")
    row = await workspace.store.file(workspace.checkout.repository_id, path)
    reason = await asyncio.to_thread(files.explain, folder.root, path, workspace.rules)
    if row is None:
        return messages.FileExplanation(path=path, indexed=False, reason=reason or "It is not indexed yet.")
    indexed = row["outcome"] == "indexed"
    return messages.FileExplanation(
        path=path,
        indexed=indexed,
        reason=None if indexed else row["outcome"],
        language=row["language"],
        chunks=row["chunks"],
        last_change=row["changed_at"] or row["indexed_at"],
    )


def _is_scoped(params: messages.ScopeParams) -> bool:
    return params.folder is not None or params.project_id is not None


def _relative(path: str) -> str:
    """A path that a request names, as the index has it; FolderError where it leaves the folder."""
    from sightline.adapters.ignoring import parts

    whole = path in ("", ".", "./")
    return "" if whole else "/".join(name.decode("utf-8", "surrogateescape") for name in parts(path))


def _words(own: messages.FilterParams) -> str:
    """A request's filters as the query box would have them, so that both are checked in one place."""
    words = [
        *(f"lang:{_quoted(each)}" for each in own.languages),
        *(f"kind:{_quoted(each)}" for each in own.kinds),
        *(f"path:{_quoted(each)}" for each in own.include),
        *(f"-path:{_quoted(each)}" for each in own.exclude),
    ]
    return "".join(f"{word} " for word in words)


def _narrowed(session: Session, params: messages.ScopeParams, filters: Filters) -> Filters:
    """With the folder that was named, where it is one below an open one and the query names no project."""
    if params.folder is None or filters.projects:
        return filters
    folder, path = session.folder_of(params.folder), session.path_of(params.folder)
    if path == folder.root:
        return filters
    return replace(filters, within=(below(path.relative_to(folder.root).as_posix()),))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _options(session: Session, params: messages.LimitParams, scope: Scope) -> Options:
    """As the request says, else as the one folder's settings say."""
    from sightline.searching import Options

    (only,) = scope.folders if len(scope.folders) == 1 else (None,)
    settings = only.workspace.settings if only and only.workspace else session.settings.search
    limit, mode = params.limit or settings.limit, params.mode or settings.mode
    return Options(limit, params.max_per_file, mode, params.explain)


@dataclass(frozen=True, slots=True)
class _Missing:
    """What a search does not find for sure: known before it begins, since what comes meanwhile may come too late."""

    is_read: bool
    """Whether it has the texts of all open documents in its scope."""
    behind: tuple[Folder, ...]
    """What is not all indexed."""
    degraded: tuple[messages.Degraded, ...]


async def _missing(session: Session, scope: Scope) -> _Missing:
    from sightline.buffers import all_read

    ids = {each.id for each in scope.projects}
    is_read = await all_read(each.buffers for each in session.opened() if each.project.id in ids)
    behind = tuple(each for each in scope.folders if each.percent < 100)
    return _Missing(is_read, behind, session.degraded())


def _told(session: Session, scope: Scope, answer: Answer, missing: _Missing, started: float) -> messages.Answer:
    from sightline.answers import to_answer

    message = to_answer(answer, scope.projects, 0.0, session.encoding)
    changes: dict[str, Any] = {}
    if missing.behind or not message.complete:
        percents = [min(ALMOST, each.percent) for each in missing.behind]
        if not percents or any(each.role == "reader" for each in scope.folders):  # others' work the database tells
            percents.append(message.indexed_percent)
        changes = {
            "complete": False,
            "indexed_percent": min(percents),
            "degraded": _degraded(_degraded(session.degraded(), missing.degraded), message.degraded),
        }
    if not missing.is_read:
        changes["complete"] = False
        changes["degraded"] = (*changes.get("degraded", ()), UNREAD)
    # Last, so that it counts the making of the message.
    changes["took_ms"] = round((time.perf_counter() - started) * 1000, 2)
    return message.model_copy(update=changes)


def _degraded(known: Sequence[messages.Degraded], found: Sequence[messages.Degraded]) -> tuple[messages.Degraded, ...]:
    """What the folders say, and of what the search found out that of which they said nothing."""
    codes = {each.code for each in known}
    return (*known, *(each for each in found if each.code not in codes))


def _selected(session: Session, folder: Folder, path: Path, range_: messages.Range) -> tuple[str, Place]:
    """The text of a range, in the client's own units, and where it is."""
    from sightline.searching import Place

    relative = path.relative_to(folder.root).as_posix()
    data = session.read(folder.root, relative)
    if data is None:
        raise FolderError("that file cannot be read", hint="Is it still there?")
    table = LineTable(data.decode("utf-8", "replace"), session.encoding)
    start, end = (table.offset_at(each.line, each.character) for each in (range_.start, range_.end))
    text = table.text[start:end]
    if not text.strip():
        raise QueryError("the selection is empty", hint="Select the code whose like you look for.")
    return text, Place(folder.root, relative, range_.start.line, max(range_.start.line, range_.end.line))


async def _of_project(session: Session, params: messages.ScopeParams, folders: list[Folder]) -> list[Folder]:
    """Those folders that belong to the project which was named; ProjectNotFound where there is no such project."""
    if params.project_id is None:
        return folders
    own = [each for each in folders if each.workspace and each.workspace.project.id == params.project_id]
    if not own:
        await (await session.workspaces()).projects.explicit(params.project_id)
    return own


async def _one_folder(session: Session, params: messages.ScopeParams) -> Folder:
    folders = await session.scoped(params.folder)
    if params.project_id is not None:
        folders = [each for each in folders if each.workspace and each.workspace.project.id == params.project_id]
        if not folders:
            raise ProjectNotFound("no open folder belongs to that project", hint="Open one of its folders first.")
    if len(folders) != 1:
        raise FolderError(f"{len(folders)} folders are open", hint="Say which by `folder`.")
    return folders[0]


async def _jobs(folder: Folder) -> list[messages.Job]:
    if folder.workspace is None:
        return []
    rows = await folder.workspace.store.jobs(folder.workspace.checkout.repository_id)
    return [messages.Job(**row) for row in rows]


def _opened(folder: Folder) -> Workspace:
    """The workspace of a folder that `Session.scoped` gave."""
    if folder.workspace is None:
        raise SightlineError("the folder was closed meanwhile")
    return folder.workspace
