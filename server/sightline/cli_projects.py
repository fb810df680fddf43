"""The commands below `sightline projects`: what there is, and what of it should go, move or be called otherwise."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from sightline.settings import Settings

if TYPE_CHECKING:
    from sightline.care import Care, Finding
    from sightline.workspaces import Workspaces

Opener = Callable[[Settings], AbstractAsyncContextManager["Workspaces"]]
Read = Callable[[dict[str, Any]], Settings]
Finish = Callable[[Coroutine[Any, Any, int]], None]
DONE, FAILED = 0, 2


class Kind(StrEnum):
    """What `prune` may be narrowed to."""

    orphan = "orphan"
    missing = "missing"
    removing = "removing"
    creating = "creating"
    vanished = "vanished"


ProjectId = Annotated[str, typer.Argument(metavar="ID", help="The project's id, as `sightline projects` lists it.")]
File = Annotated[Path, typer.Argument(help="The file, a zip.", dir_okay=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Kinds = Annotated[list[Kind] | None, typer.Option("--kind", help="Only these; may be given several times.")]
_NO_KINDS: Final = None


def build(open_sightline: Opener, read: Read, finish: Finish) -> typer.Typer:
    """The commands; `read` gives the settings, `finish` runs what a command does and ends the process."""
    app = typer.Typer(help="List, show, rename, remove, tidy up, export and import projects.")
    commands = _Commands(open_sightline, read, finish)
    app.callback(invoke_without_command=True)(commands.overview)
    app.command("list")(commands.list)
    app.command("show")(commands.show)
    app.command("rename")(commands.rename)
    app.command("remove")(commands.remove)
    app.command("prune")(commands.prune)
    app.command("export")(commands.export)
    app.command("import")(commands.import_)
    return app


class _Commands:
    def __init__(self, open_sightline: Opener, read: Read, finish: Finish) -> None:
        self._open = open_sightline
        self._read = read
        self._finish = finish

    @contextlib.asynccontextmanager
    async def _care(self) -> AsyncIterator[Care]:
        async with self._open(self._read({})) as sightline:
            yield sightline.care

    def overview(self, context: typer.Context, as_json: Json = False) -> None:
        """List all projects, or do something with one."""
        if context.invoked_subcommand is None:
            self.list(as_json)

    def list(self, as_json: Json = False) -> None:
        """List all projects, with their folders and sizes, the last used first."""
        from sightline import printing
        from sightline.answers import to_listed

        async def run() -> int:
            async with self._open(self._read({})) as sightline:
                found = await sightline.projects.list()
            if as_json:
                listed = [to_listed(each).model_dump(by_alias=True) for each in found]
                typer.echo(json.dumps({"projects": listed}))
            else:
                printing.show_projects(found)
            return DONE

        self._finish(run())

    def show(self, project: ProjectId, as_json: Json = False) -> None:
        """Show everything about one project."""
        from sightline import printing

        async def run() -> int:
            async with self._care() as care:
                details = await care.show(project)
            if as_json:
                typer.echo(json.dumps(asdict(details), default=str))
            else:
                printing.show_project(details)
            return DONE

        self._finish(run())

    def rename(self, project: ProjectId, name: Annotated[str, typer.Argument(help="The new name.")]) -> None:
        """Give a project another name; its id and its database stay."""

        async def run() -> int:
            async with self._care() as care:
                entry = await care.rename(project, name)
            typer.echo(f"{entry.id} is called {entry.name} now.")
            return DONE

        self._finish(run())

    def remove(
        self,
        project: ProjectId,
        confirm: Annotated[str | None, typer.Option(metavar="NAME", help="The project's name: do it.")] = None,
    ) -> None:
        """Say what removing a project would delete; with --confirm NAME, delete it."""
        from sightline import printing

        async def run() -> int:
            async with self._open(self._read({})) as sightline:
                details = await sightline.care.show(project)
                if confirm is not None:
                    await sightline.projects.remove(project, confirm)
            if confirm is not None:
                typer.echo(f"Removed {details.entry.name} and its database {details.entry.database}.")
                return DONE
            printing.show_project(details)
            typer.echo(f"Nothing was removed. To remove all of this: --confirm {json.dumps(details.entry.name)}")
            return DONE

        self._finish(run())

    def prune(
        self,
        kinds: Kinds = _NO_KINDS,
        yes: Annotated[bool, typer.Option("--yes", help="Do it.")] = False,
        as_json: Json = False,
    ) -> None:
        """Say what nobody needs any more (lost databases, vanished folders, broken-off work); with --yes, remove it."""
        from sightline import printing

        async def run() -> int:
            async with self._care() as care:
                found = await care.findings([each.value for each in kinds or ()])
                outcomes = {each.key: await _pruned(care, each) if yes else "" for each in found}
            if as_json:
                told = [{**asdict(each), "outcome": outcomes[each.key]} for each in found]
                typer.echo(json.dumps({"findings": told}))
            else:
                printing.show_findings(found, outcomes)
                if found and not yes:
                    typer.echo("Nothing was removed. To remove what is not kept: --yes")
            return FAILED if any(each.startswith("not ") for each in outcomes.values()) else DONE

        self._finish(run())

    def export(self, project: ProjectId, file: File) -> None:
        """Write a project with its whole index into a file, which is as secret as the code in it."""

        async def run() -> int:
            async with self._care() as care:
                manifest = await care.export(project, Path.cwd() / file)
            typer.echo(f"Exported {manifest.name}: {manifest.rows:,} rows in {file}.")
            return DONE

        self._finish(run())

    def import_(
        self,
        file: File,
        project_id: Annotated[str | None, typer.Option("--id", help="Another id than the file's.")] = None,
        name: Annotated[str | None, typer.Option(help="Another name than the file's.")] = None,
    ) -> None:
        """Make a project of an exported file."""

        async def run() -> int:
            async with self._care() as care:
                entry = await care.bring(Path.cwd() / file, project_id, name)
            typer.echo(f"Imported {entry.name} as {entry.id}.")
            return DONE

        self._finish(run())


async def _pruned(care: Care, finding: Finding) -> str:
    """What became of it."""
    from sightline.errors import DatabaseUnavailable, SightlineError

    if finding.keep:
        return "kept"
    try:
        return "removed" if await care.prune(finding) else "gone already"
    except DatabaseUnavailable:
        raise
    except SightlineError as error:
        return f"not removed: {error}"
