"""Checks of everything that a search needs, each with what to do when it fails."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sightline.adapters import embedded, files, postgres
from sightline.adapters.embedders import Embedders
from sightline.core import grammars, languages
from sightline.errors import DatabaseError, SightlineError
from sightline.jobs import counted
from sightline.settings import Settings

if TYPE_CHECKING:
    from sightline.care import Finding
    from sightline.workspaces import Workspaces

LOW_DISK: Final = 500_000_000
UNREACHED: Final = (
    "The server must run and be reachable from here: check the host and port in SIGHTLINE_DATABASE_URL with psql or"
    " pg_isready, or unset it to use the embedded Postgres."
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    is_fine: bool
    message: str
    hint: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


async def examine(
    settings: Settings, open_sightline: Callable[[Settings], AbstractAsyncContextManager[Workspaces]], folder: Path
) -> Sequence[Check]:
    """All checks; none stops the others."""
    checks = [await _model(settings), _grammars(), _disk(settings), _folder(folder, settings)]
    try:
        async with open_sightline(settings) as sightline:
            facts = await sightline.server.facts()
            checks += [
                Check(
                    "database", True, f"Postgres {facts['version']}, {'embedded' if facts['embedded'] else 'your own'}"
                ),
                Check("pgvector", True, f"version {facts['vector']}"),
                _connections(facts["connections"], facts["max_connections"], settings.database.max_connections),
                Check("projects", True, f"{await sightline.projects.count()} in the registry"),
                _leftovers(await sightline.care.findings()),
            ]
    except SightlineError as error:
        own = UNREACHED if settings.database.url else "Try again in a moment; the embedded Postgres may be restarting."
        hint = own if error.hint == postgres.NO_ANSWER else error.hint
        checks.append(Check("database" if isinstance(error, DatabaseError) else "start", False, str(error), hint))
    return checks


async def _model(settings: Settings) -> Check:
    """Asks it for a vector; a server's too."""
    text = "open a file"
    try:
        models = Embedders(settings.embedding)
        try:
            if models.kind.is_remote:
                vector = await models.remote(models.kind, models.identity).embed_query(text)
            else:
                vector = models.at_once(models.kind, text, "query")
        finally:
            await models.close()
    except SightlineError as error:
        return Check("model", False, str(error), error.hint)
    identity = models.identity
    works = bool(abs(float((vector**2).sum()) - 1) < 1e-3)
    return Check("model", works, f"{identity.name} {identity.version}, {identity.dimensions} dimensions")


def _grammars() -> Check:
    wanted = {each.grammar for each in languages.LANGUAGES if each.grammar}
    missing = sorted(each for each in wanted if grammars.load(each) is None)
    if not missing:
        return Check("grammars", True, f"{len(wanted)}, for {len(languages.LANGUAGES)} languages")
    hint = "These are indexed as plain text. Install sightline-ls again on a Python that it supports."
    return Check("grammars", False, f"cannot be loaded: {', '.join(missing)}", hint)


def _connections(used: int, most: int, ours: int) -> Check:
    """Whether the server has room for all that this Sightline may want."""
    has_room = most - used >= ours
    hint = "" if has_room else "Raise the server's max_connections, or lower database.maxConnections."
    return Check("connections", has_room, f"{used} of the server's {most} in use; a Sightline pools up to {ours}", hint)


def _leftovers(findings: Sequence[Finding]) -> Check:
    """Told, but no fault: a search needs none of it."""
    needless = [each for each in findings if not each.keep]
    size = sum(each.size_bytes for each in needless)
    hint = "See what, and remove it: sightline projects prune" if needless else ""
    return Check("leftovers", True, f"{len(needless)} that nobody needs, {size / 1e6:.0f} MB", hint)


def _disk(settings: Settings) -> Check:
    place = settings.data_dir or embedded.default_data_dir()
    while not os.path.exists(place):  # which takes a folder that may not be entered for none
        place = place.parent
    free = shutil.disk_usage(place).free
    hint = "" if free > LOW_DISK else "Free some space, or point SIGHTLINE_DATA_DIR to another disk."
    return Check("disk", free > LOW_DISK, f"{free / 1e9:.1f} GB free for the index", hint)


def _folder(folder: Path, settings: Settings) -> Check:
    index = settings.index
    try:
        scan = files.scan(folder, files.Rules(index.include, index.exclude, index.max_file_bytes))
    except SightlineError as error:
        return Check("folder", False, str(error), error.hint)
    reasons: dict[str, int] = {}
    for each in scan.skipped:
        reasons[each.reason] = reasons.get(each.reason, 0) + 1
    left_out = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items())) or "nothing"
    message = f"{counted(len(scan.found))} to index; left out: {left_out}"
    hint = "" if scan.found else "Is everything ignored? `sightline index --skipped` lists it."
    return Check("folder", bool(scan.found), message, hint)
