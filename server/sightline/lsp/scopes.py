"""Where a request looks: in the projects that it or its query names, else in the folders that are open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sightline import messages
from sightline.core.model import Filters
from sightline.core.query import NO_FILTERS
from sightline.lsp.folders import Folder
from sightline.lsp.session import Session

if TYPE_CHECKING:  # heavy: see `session.HEAVY`
    from sightline.projects import Project
    from sightline.searching import Search
    from sightline.workspaces import Workspaces


@dataclass(frozen=True, slots=True)
class Scope:
    """The search over what a request is about."""

    engine: Search
    folders: list[Folder]
    """The open ones among what is searched."""
    projects: list[Project]


async def of(session: Session, params: messages.ScopeParams, filters: Filters = NO_FILTERS) -> Scope:
    """The scope of a request; with no folder open, the active or the default project."""
    workspaces = await session.workspaces()
    named = await workspaces.named(filters, params.project_id)
    if named is None and params.folder is None and not session.folders:
        named = [await workspaces.projects.resolve(None)]
    if named is None:
        return await _of_folders(session, workspaces, params, filters)
    from sightline.searching import Search

    sources = [each for one in named for each in await workspaces.project_sources(one, session.opened())]
    return Scope(Search(sources, workspaces.embedder, session.read), [], named)


async def _of_folders(
    session: Session, workspaces: Workspaces, params: messages.ScopeParams, filters: Filters
) -> Scope:
    from sightline.searching import Search

    unwanted = await workspaces.unwanted(filters)
    folders = await session.scoped(params.folder)
    ready = [(each, each.workspace) for each in folders if each.workspace is not None]
    ready = [(each, one) for each, one in ready if one.project.id not in unwanted]
    # A folder that a request names is narrower, or wider, than what is open.
    sources = [replace(one.source, within=() if params.folder else each.within) for each, one in ready]
    projects = list({one.project.id: one.project for _, one in ready}.values())
    kept = [each for each in folders if each.workspace is None or each.workspace.project.id not in unwanted]
    return Scope(Search(sources, workspaces.embedder, session.read), kept, projects)
