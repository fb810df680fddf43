"""A way to a Postgres over TCP that can go silent: what is sent is taken, and nobody ever answers."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from types import TracebackType


class Relay:
    """Passes on what comes over each connection, until it has forgotten it."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._passing: set[asyncio.Task[None]] = set()
        self._kept: list[asyncio.StreamWriter] = []
        self._forgotten: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        assert self._server is not None
        self._server.close()
        self.forget()
        self.end()

    @property
    def url(self) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=disable"

    def forget(self) -> None:
        """Those connections that there are go nowhere from now on; neither end is told. New ones are as before."""
        for each in self._passing:
            each.cancel()
        self._passing = set()
        self._forgotten += self._kept
        self._kept = []

    def end(self) -> None:
        """What was forgotten is ended, as both ends do that hear nothing for long."""
        for each in self._forgotten:
            each.transport.abort()
        self._forgotten = []

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onwards, back = await asyncio.open_unix_connection(str(self._target))
        self._kept += [writer, back]
        for source, sink in ((reader, back), (onwards, writer)):
            self._passing.add(asyncio.create_task(_pass_on(source, sink)))


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
        sink.close()
