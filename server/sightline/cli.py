"""The command line: the second door to the house, beside LSP."""

from __future__ import annotations

import asyncio
import errno
import gc
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer
from typer.core import TyperCommand

from sightline import __version__, cli_projects
from sightline.core.identity import parse_id
from sightline.errors import FolderError, QueryError, SettingsError, SightlineError
from sightline.settings import Settings, parse

if TYPE_CHECKING:
    from sightline.core.model import Query
    from sightline.jobs import Summary
    from sightline.projects import Project
    from sightline.workspaces import Workspaces

Opener = Callable[[Settings], AbstractAsyncContextManager["Workspaces"]]
FOUND, NOTHING_FOUND, FAILED, INTERRUPTED, CUT_OFF = 0, 1, 2, 130, 141
"""Exit codes, as grep's; 130 is the shell's for Ctrl-C, 141 for a pipe whose reader has seen enough."""
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_NEGATED: Final = re.compile(r'-(?:[a-z]+:|")')
"""What a query may begin with, and no option of ours does."""

Folder = Annotated[Path, typer.Argument(help="The folder to look at.", show_default="this folder")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ProjectId = Annotated[str | None, typer.Option("--project", help="A project's id, instead of the folder's own.")]
_HERE: Final = Path()


def build(open_sightline: Opener) -> typer.Typer:
    """The commands, over whatever opens the application."""
    app = typer.Typer(
        help="Semantic code search: ask what the code does, get the place.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    commands = _Commands(open_sightline)
    app.callback(invoke_without_command=True)(commands.options)
    app.command(cls=_SearchCommand)(commands.search)
    app.command()(commands.index)
    app.command()(commands.status)
    app.add_typer(cli_projects.build(open_sightline, _settings, _finish), name="projects")
    app.command()(commands.model)
    app.command()(commands.doctor)
    app.command()(commands.serve)
    app.command()(commands.nvim)
    return app


class _SearchCommand(TyperCommand):
    """Takes a query that begins with a negated filter for a query, and not for an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [f" {each}" if _NEGATED.match(each) else each for each in args])


class _Commands:
    """Each command parses, opens the application, calls one thing, and prints it."""

    def __init__(self, open_sightline: Opener) -> None:
        self._open = open_sightline

    def options(
        self,
        version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
    ) -> None:
        if version:
            typer.echo(f"sightline {__version__}")
            raise typer.Exit

    def search(
        self,
        query: Annotated[
            str, typer.Argument(help='What to look for: words, a name, or filters such as lang:py "text".')
        ],
        folder: Folder = _HERE,
        limit: Annotated[
            int | None, typer.Option("--limit", "-n", min=1, max=50, help="How many files to show.")
        ] = None,
        per_file: Annotated[int, typer.Option(min=1, max=50, help="How many hits of one file to show.")] = 1,
        mode: Annotated[
            Literal["hybrid", "lexical", "semantic"] | None,
            typer.Option(help="What to compare: words, meaning or both."),
        ] = None,
        as_json: Json = False,
        explain: Annotated[bool, typer.Option("--explain", help="Show each signal's share.")] = False,
        no_wait: Annotated[bool, typer.Option("--no-wait", help="Search what is indexed, do not index first.")] = False,
        project: ProjectId = None,
    ) -> None:
        """Index the folder as far as it has changed, then search it."""
        from sightline import printing
        from sightline.answers import to_answer
        from sightline.searching import Options

        chosen = {"limit": limit, "mode": mode}
        settings = _settings({"search": {key: value for key, value in chosen.items() if value is not None}})

        async def run() -> int:
            _checked(project)
            asked = _asked(query)
            async with self._open(settings) as sightline:
                if asked.filters.projects:  # these may be anywhere: none of them is indexed first
                    found = await sightline.named(asked.filters, project) or []
                    started = time.perf_counter()
                    options = Options(settings.search.limit, per_file, settings.search.mode, explain)
                    answer = await sightline.search(found, asked, options)
                else:
                    workspace = await sightline.open(_one_project(folder), project)
                    found = [workspace.project]
                    if workspace.project.id in await sightline.unwanted(asked.filters):
                        raise QueryError("the query leaves out the only project that it is about")
                    if not no_wait:
                        with printing.progress(quiet=as_json) as report:
                            await workspace.refresh(report)
                    started = time.perf_counter()
                    own = workspace.settings
                    answer = await workspace.search(query, Options(own.limit, per_file, own.mode, explain))
                message = to_answer(answer, found, (time.perf_counter() - started) * 1000)
            if as_json:
                typer.echo(message.model_dump_json(by_alias=True, exclude_none=True))
            else:
                printing.show_answer(message, query)
            return FOUND if message.hits else NOTHING_FOUND

        _finish(run())

    def index(
        self,
        folder: Folder = _HERE,
        force: Annotated[bool, typer.Option("--force", help="Read and analyse every file again.")] = False,
        skipped: Annotated[bool, typer.Option("--skipped", help="List what is left out, and why.")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would read and cost, and end.")] = False,
        yes: Annotated[bool, typer.Option("--yes", help="Agree to what a paid provider takes.")] = False,
        as_json: Json = False,
        project: ProjectId = None,
    ) -> None:
        """Bring the folder's index up to date."""
        from sightline import printing

        settings = _settings({})

        async def run() -> int:
            _checked(project)
            root = _one_project(folder)
            async with self._open(settings) as sightline:
                workspace = await sightline.open(root, project)
                if dry_run:
                    found = await workspace.estimate()
                    if as_json:
                        typer.echo(json.dumps(asdict(found)))
                    else:
                        printing.show_estimate(found)
                    return FOUND
                if yes:
                    await workspace.allow()
                filler = workspace.indexer.filler
                filler.changed = lambda: (
                    printing.warn_once(f"{filler.problem}; trying again") if filler.problem else None
                )
                with printing.progress(quiet=as_json) as report:
                    summary = await workspace.index(report, force=force)
                if summary.told and skipped:  # of the work of another process only its failures are known
                    summary.skipped = [*summary.failed, *await workspace.left_out()]
            if as_json:
                typer.echo(json.dumps(_summary(summary, workspace.project)))
            else:
                printing.show_summary(summary, listed=skipped)
            return FAILED if summary.failed else FOUND

        _finish(run())

    def status(self, folder: Folder = _HERE, as_json: Json = False, project: ProjectId = None) -> None:
        """Show what is indexed of the folder."""
        from sightline import printing

        settings = _settings({})

        async def run() -> int:
            _checked(project)
            async with self._open(settings) as sightline:
                workspace = await sightline.open(_absolute(folder), project, make=False)
                status = await workspace.status()
            if as_json:
                typer.echo(
                    json.dumps({"project": workspace.project.id, **_decided(workspace.project), **status}, default=str)
                )
            else:
                printing.show_status(workspace.project, workspace.checkout.root, status)
            return FOUND

        _finish(run())

    def model(
        self,
        action: Annotated[str, typer.Argument(help="rollback: let the model before serve again.")] = "",
        folder: Folder = _HERE,
        project: ProjectId = None,
    ) -> None:
        """Show whose vectors are searched, or roll back a change of model."""
        settings = _settings({})

        async def run() -> int:
            if action not in ("", "rollback"):
                raise SettingsError(f"{action!r} is no action", hint="Write: sightline model rollback")
            async with self._open(settings) as sightline:
                workspace = await sightline.open(_absolute(folder), project, make=False)
                found = await (workspace.roll_back() if action else workspace.models())
            for name, model in found.items():
                typer.echo(f"{name:8} {model}")
            return FOUND

        _finish(run())

    def doctor(self, folder: Folder = _HERE, as_json: Json = False) -> None:
        """Check everything that a search needs, and say what to do."""
        from sightline import doctor, printing

        settings = _settings({})

        async def run() -> int:
            checks = await doctor.examine(settings, self._open, _absolute(folder))
            if as_json:
                typer.echo(json.dumps({"checks": [check.as_dict() for check in checks]}))
            else:
                printing.show_checks(checks)
            return FOUND if all(check.is_fine for check in checks) else FAILED

        _finish(run())

    def nvim(self) -> None:
        """Print the line for init.lua that puts the Neovim plugin on the runtime path."""
        plugin = Path(__file__).parent / "nvim"
        typer.echo(f"vim.opt.runtimepath:prepend({json.dumps(str(plugin), ensure_ascii=False)})")

    def serve(
        self,
        tcp: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Listen on this loopback address.")] = None,
        stdio: Annotated[bool, typer.Option("--stdio", hidden=True, help="The default; some clients insist.")] = False,
    ) -> None:
        """Run the language server, on stdin and stdout unless told otherwise."""
        gc.disable()
        from sightline.lsp import server, transport  # the collector would cost a sixth of these imports

        gc.freeze()
        gc.enable()
        logging.basicConfig(stream=sys.stderr, level="WARNING", format="sightline: %(levelname)s %(message)s")
        try:
            if tcp is None:
                code = transport.run_stdio(lambda: server.make(self._open))
            else:
                code = transport.run_tcp(lambda: server.make(self._open), tcp, lambda told: typer.echo(told, err=True))
        except SightlineError as error:
            typer.secho(f"sightline: {error} {error.hint}", err=True, fg="red")
            raise typer.Exit(FAILED) from error
        logging.shutdown()
        # Threads and the interpreter's own end may take longer than an editor waits.
        os._exit(code)


def _finish(work: Coroutine[Any, Any, int]) -> None:
    """Runs a command; whatever goes wrong is one sentence on stderr and an exit code."""
    try:
        code = asyncio.run(work)
        sys.stdout.flush()
    except SightlineError as error:
        typer.secho(f"sightline: {error}", err=True, fg="red")
        if error.hint:
            typer.echo(f"  {error.hint}", err=True)
        code = FAILED
    except KeyboardInterrupt:
        typer.echo("sightline: interrupted; what is indexed stays, and the next run goes on from there", err=True)
        code = INTERRUPTED
    except BrokenPipeError:
        _forget_output()
        code = CUT_OFF
    except OSError as error:
        if error.errno not in _NO_ROOM or error.filename is not None:
            raise
        _forget_output()
        typer.secho(f"sightline: the output cannot be written: {os.strerror(error.errno).lower()}", err=True, fg="red")
        code = FAILED
    raise typer.Exit(code)


def _forget_output() -> None:
    """What is still to be written goes nowhere: the interpreter would complain of it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _asked(text: str) -> Query:
    """QueryError for a query that asks for nothing, or cannot be read, before anything is indexed for it."""
    from sightline.core.query import NO_FILTERS, parse

    query = parse(text)
    if not query.text and query.filters == NO_FILTERS:
        raise QueryError("the query is empty", hint="Give it words, a name, or a filter such as lang:py.")
    return query


def _settings(command_line: dict[str, Any]) -> Settings:
    settings, problems = parse(command_line=command_line)
    for problem in problems:
        typer.secho(f"sightline: {problem}", err=True, fg="yellow")
    logging.basicConfig(
        stream=sys.stderr, level=settings.log.level.upper(), format="sightline: %(levelname)s %(message)s"
    )
    return settings


def _checked(project: str | None) -> None:
    """Before anything is opened for it."""
    if project is not None:
        parse_id(project)


def _absolute(folder: Path) -> Path:
    try:
        return Path.cwd() / folder
    except FileNotFoundError as error:
        raise FolderError("the folder that this shell is in is gone", hint="Change to another one.") from error


def _decided(project: Project) -> dict[str, Any]:
    return {"resolvedBy": project.resolved_by, "trace": list(project.trace)}


def _one_project(folder: Path) -> Path:
    from sightline.adapters import files

    return files.one_project(_absolute(folder))


def _summary(summary: Summary, project: Project) -> dict[str, Any]:
    return {
        "projectId": project.id,
        **_decided(project),
        "job": str(summary.job) if summary.job else None,
        "filesSeen": summary.files_seen,
        "filesIndexed": summary.files_indexed,
        "filesRemoved": summary.files_removed,
        "chunksAdded": summary.chunks_added,
        "chunksRemoved": summary.chunks_removed,
        "message": summary.sentence(),
        "skipped": [{"path": each.path, "reason": each.reason} for each in summary.skipped],
        "seconds": round(summary.seconds, 3),
    }
