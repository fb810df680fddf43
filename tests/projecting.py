"""What tests of projects share: config files, the registry by plain SQL, and processes that do something and die of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import asyncpg

from sightline.adapters import embedded
from sightline.adapters.configfiles import FILE
from sightline.adapters.postgres import REGISTRY, Server
from sightline.care import Care
from sightline.projects import Projects

RENAMING = -1.0
"""Stands for the first file that a process renames, instead of a statement."""
UNDER_WAY = -0.5
"""Added to a number of statements, to be killed in the middle of the next one."""
WARM = ["sightline.workspaces", "asyncpg", "projecting"]
"""Imported once for all processes of a run, so that each is there in a few milliseconds."""


def configure(root: Path, name: str | None = "shop", **more: Any) -> Path:
    """Writes a config file; what is said of `id` and `database_name` goes into its project."""
    inner = {key: more.pop(key) for key in ("id", "database_name") if key in more}
    project = {**({"name": name} if name is not None else {}), **inner}
    return written(root, json.dumps({"version": "1.0", "project": project, **more}, indent=2))


def written(root: Path, text: str | bytes) -> Path:
    """A config file of any content."""
    file = root / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def config_of(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / FILE).read_bytes())
    return found


@contextlib.asynccontextmanager
async def registry(data_dir: Path) -> AsyncIterator[asyncpg.Connection]:
    """A plain connection, which none of our code has touched."""
    lease = await asyncio.to_thread(embedded.acquire, data_dir)
    connection = await asyncpg.connect(host=lease.host, port=lease.port, user=lease.user, database=REGISTRY)
    try:
        yield connection
    finally:
        await connection.close()
        lease.close()


async def asked(data_dir: Path, query: str, *arguments: object) -> list[Any]:
    """The rows of a query, as tuples; of one column, its values."""
    async with registry(data_dir) as connection:
        rows = await connection.fetch(query, *arguments)
    return [row[0] if len(row) == 1 else tuple(row) for row in rows]


async def everything(data_dir: Path) -> tuple[list[Any], list[Any]]:
    """All projects and all databases that there are."""
    async with registry(data_dir) as connection:
        projects = await connection.fetch("select id, key, name, database_name, state from projects order by id")
        databases = await connection.fetch("select datname from pg_database order by datname")
    return [tuple(row) for row in projects], [row[0] for row in databases]


def processes() -> ForkServerContext:
    """Where processes come from that have imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(WARM)
    return context


Deed = Callable[[Projects], Awaitable[object]]


class _Mortal(asyncpg.Connection):  # type: ignore[misc]
    """A connection of a process that is killed after so many statements, or while the next one is under way."""

    left = RENAMING

    async def execute(self, *arguments: Any, **named: Any) -> Any:
        return await _survived(super().execute(*arguments, **named))

    async def fetch(self, *arguments: Any, **named: Any) -> Any:
        return await _survived(super().fetch(*arguments, **named))

    async def fetchrow(self, *arguments: Any, **named: Any) -> Any:
        return await _survived(super().fetchrow(*arguments, **named))

    async def fetchval(self, *arguments: Any, **named: Any) -> Any:
        return await _survived(super().fetchval(*arguments, **named))


async def _survived(statement: Coroutine[Any, Any, Any]) -> Any:
    if _Mortal.left == UNDER_WAY:
        await asyncio.wait([asyncio.ensure_future(statement)], timeout=0.005)
        os.kill(os.getpid(), signal.SIGKILL)
    result = await statement
    if _Mortal.left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    _Mortal.left -= 1
    return result


def _die(data_dir: Path, statement: float, deed: Callable[..., Awaitable[object]], arguments: tuple[Any, ...]) -> None:
    async def run() -> None:
        lease = embedded.acquire(data_dir)
        parameters = {"host": lease.host, "port": lease.port, "user": lease.user, "connection_class": _Mortal}
        server = Server(parameters, lease)
        await deed_within(server, statement, deed, arguments)

    asyncio.run(run())


async def deed_within(
    server: Server, statement: float, deed: Callable[..., Awaitable[object]], arguments: tuple[Any, ...]
) -> None:
    _Mortal.left = statement
    if statement == RENAMING:
        sys.addaudithook(lambda event, _: os.kill(os.getpid(), signal.SIGKILL) if event == "os.rename" else None)
        _Mortal.left = RENAMING
    named = {"server": server} if deed is bring else {}
    await deed(Projects(server, "here"), *arguments, **named)
    os._exit(0)


def died(data_dir: Path, statement: float, deed: Callable[..., Awaitable[object]], *arguments: Any) -> bool:
    """Does something in a process that is killed after this many statements; whether it came so far."""
    process: ForkServerProcess = processes().Process(target=_die, args=(data_dir, statement, deed, arguments))
    process.start()
    process.join(300)
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return process.exitcode != 0


async def resolve(projects: Projects, folder: Path) -> object:
    return await projects.resolve(folder)


async def remove(projects: Projects, project_id: str, name: str) -> object:
    return await projects.remove(project_id, name)


async def bring(projects: Projects, file: Path, project_id: str, server: Server) -> object:
    return await Care(server, projects.registry, "here").bring(file, project_id, project_id)


def _many(data_dir: Path, folder: Path, count: int, found: Any) -> None:
    logging.disable()

    async def run() -> list[tuple[str, str]]:
        server = await Server.open("", data_dir)
        try:
            projects = Projects(server, "here")
            made = await asyncio.gather(*(projects.resolve(folder) for _ in range(count)))
            return [(each.id, each.database) for each in made]
        finally:
            await server.close()

    for each in asyncio.run(run()):
        found.put(each)


def at_once(data_dir: Path, folder: Path, processes_count: int, total: int) -> list[tuple[str, str]]:
    """What so many callers in so many processes take a folder's project to be: ids and databases."""
    context = processes()
    found = context.Queue()
    shares = [total // processes_count + (number < total % processes_count) for number in range(processes_count)]
    started = [context.Process(target=_many, args=(data_dir, folder, share, found)) for share in shares]
    for each in started:
        each.start()
    answers = [found.get(timeout=300) for _ in range(total)]
    for each in started:
        each.join(300)
    return answers
