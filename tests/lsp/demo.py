"""A server that only shows what the wire does; `python demo.py [--tcp HOST:PORT]` runs it as a process."""

from __future__ import annotations

import asyncio
import datetime
import logging
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from lsprotocol import types
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pygls.exceptions import JsonRpcException

from sightline.errors import Cancelled, DatabaseUnavailable, QueryError
from sightline.lsp.transport import run_stdio, run_tcp
from sightline.lsp.wire import Server


class Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


class Echo(Model):
    text: str
    limit: Annotated[int, Field(ge=1, le=50)] = 10
    mode: Literal["words", "meaning"] = "words"
    work_done_token: int | str | None = None


class Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


class Nap(Model):
    seconds: float = 30.0
    work_done_token: int | str | None = None


class Kind(Model):
    kind: str


class Strict(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)

    day: datetime.date
    numbers: tuple[int, ...] = ()


class Diary:
    """What happened: the handlers' context."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.events: list[str] = []


async def echo(diary: Diary, params: Echo) -> Echo:
    return params


async def raw(diary: Diary, params: Anything) -> Any:
    return params.model_dump()


async def strict(diary: Diary, params: Strict) -> Strict:
    return params


async def nap(diary: Diary, params: Nap) -> str:
    """Sleep, and note how that ended."""
    diary.events.append("nap began")
    try:
        await asyncio.sleep(params.seconds)
    except asyncio.CancelledError:
        diary.events.append("nap cancelled")
        raise
    return "slept"


async def work(diary: Diary, params: Nap) -> str:
    """Sleep under a progress bar."""
    async with diary.server.work("Sleeping", params.work_done_token) as work:
        work.report("deep", 40)
        work.report("deep", 40)
        work.report("not so deep", 30)
        work.report("deeper", 400)
        await nap(diary, params)
        work.summary = "Woke up"
    return "slept"


async def stubborn(diary: Diary, params: Nap) -> None:
    """Do not end when cancelled, but when somebody has noted that it is enough."""
    while "enough" not in diary.events:
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            diary.events.append("ignored")


async def thread(diary: Diary, params: Nap) -> None:
    """Occupy a thread, which nothing can cancel."""
    await asyncio.to_thread(time.sleep, params.seconds)


async def fail(diary: Diary, params: Kind) -> None:
    raise ERRORS[params.kind]


async def odd(diary: Diary, params: Kind) -> Any:
    return ODD[params.kind]


async def ask(diary: Diary, params: Anything) -> Any:
    """Ask the client for its configuration."""
    items = types.ConfigurationParams([types.ConfigurationItem(section="demo")])
    return await diary.server.workspace_configuration_async(items)


async def chatter(diary: Diary, params: Nap) -> None:
    """Print where a careless library would, from here and from a child."""
    sys.stdout.write("stray\n")
    sys.__stdout__.write("stray original\n")
    os.write(1, b"stray bytes\n")
    await asyncio.to_thread(subprocess.run, ["sh", "-c", "echo stray child; read line; echo $line"], check=False)


async def large(diary: Diary, params: Nap) -> str:
    return "x" * int(params.seconds)


async def events(diary: Diary, params: Anything) -> list[str]:
    return diary.events


ERRORS: dict[str, Exception] = {
    "failed": DatabaseUnavailable("Postgres does not answer.", hint="Start it."),
    "query": QueryError("A quote is missing.", hint="Close it."),
    "cancelled": Cancelled("Enough."),
    "on purpose": JsonRpcException("so be it", code=-32011, data={"why": "test"}),
    "unexpected": RuntimeError("secret /home/user"),
}
ODD: dict[str, Any] = {
    "values": {
        "day": datetime.date(2026, 1, 2),
        "path": pathlib.Path("a/b"),
        "set": {1},
        "bytes": b"x",
        "nan": float("nan"),
        "symbol": types.WorkspaceSymbol(types.LocationUriOnly("file:///a"), "a", types.SymbolKind.Class),
        "model": Echo(text="x"),
    },
    "surrogate": {"path": "caf\udce9.py"},
    "object": object(),
    "null": None,
}
REQUESTS: dict[str, tuple[type[BaseModel], Callable[[Any, Any], Any]]] = {
    "echo": (Echo, echo),
    "raw": (Anything, raw),
    "strict": (Strict, strict),
    "nap": (Nap, nap),
    "work": (Nap, work),
    "stubborn": (Nap, stubborn),
    "thread": (Nap, thread),
    "fail": (Kind, fail),
    "odd": (Kind, odd),
    "ask": (Anything, ask),
    "chatter": (Nap, chatter),
    "large": (Nap, large),
    "events": (Anything, events),
}


def note(event: str) -> Callable[[Diary, Any], Any]:
    async def follow(diary: Diary, params: Any) -> None:
        diary.events.append(event)

    return follow


async def symbols(diary: Diary, params: types.WorkspaceSymbolParams) -> list[types.WorkspaceSymbol]:
    location = types.Location("file:///a", types.Range(types.Position(0, 0), types.Position(0, 1)))
    return [types.WorkspaceSymbol(location, params.query, types.SymbolKind.Function)]


@asynccontextmanager
async def lifespan(server: Server) -> AsyncIterator[Diary]:
    diary = Diary(server)
    yield diary
    diary.events.append("closed")


def make(**options: Any) -> Server:
    """A server with everything above, as requests `demo/x` and commands `demo.x`."""
    server = Server("demo", "1.0", **{"experimental": {"demo": {"version": 1}}, "lifespan": lifespan, **options})
    for name, (params, handler) in REQUESTS.items():
        server.add_request(f"demo/{name}", params, handler)
        server.add_command(f"demo.{name}", params, handler)
    server.add_feature(types.WORKSPACE_SYMBOL, symbols)
    for method in (types.INITIALIZE, types.INITIALIZED, types.SHUTDOWN, types.TEXT_DOCUMENT_DID_SAVE):
        server.add_feature(method, note(method))
    return server


def main() -> None:
    logging.basicConfig(level=os.environ.get("DEMO_LOG", "WARNING"))
    if "--tcp" in sys.argv:
        code = run_tcp(make, sys.argv[2], lambda address: sys.stdout.write(f"{address}\n") and sys.stdout.flush())
    else:
        code = run_stdio(make)
    logging.shutdown()
    os._exit(code)


if __name__ == "__main__":
    main()
