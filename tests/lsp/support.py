"""A raw client of a language server: frames out, frames in, nothing hidden and nothing repaired."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sightline.lsp.framing import UNSENT_LIMIT, Outbox
from sightline.lsp.wire import Server

#: Everything is expected within this, on a machine that does other things as well.
PATIENCE = 200.0
_NOTHING: Any = object()


class RpcError(Exception):
    """The server's error answer."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['code']} {error['message']}")
        self.code = error["code"]
        self.message = error["message"]
        self.data = error.get("data")


def frame(message: Any) -> bytes:
    """A message, or the bytes of a body, as it goes over the wire."""
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Client:
    """One connection; answers are kept by id, all else in `received` until `expect` takes it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        #: How requests of the server are answered; a method that is missing here gets -32601.
        self.replies: dict[str, Callable[[Any], Any]] = {
            "window/workDoneProgress/create": lambda params: None,
            "client/registerCapability": lambda params: None,
        }
        #: Requests of the server that are never answered.
        self.silent: set[str] = set()
        self.received: list[dict[str, Any]] = []
        self.answers: dict[Any, list[dict[str, Any]]] = {}
        self.process: asyncio.subprocess.Process | None = None
        self.serving: asyncio.Task[int] | None = None
        self._ids = itertools.count(1)
        self._news = asyncio.Condition()
        self._listening: asyncio.Task[None] | None = None
        self._rest = b""

    def listen(self) -> None:
        """Begin to read; a client that does not is one that never reads."""
        self._listening = asyncio.create_task(self._listen())

    def send(self, *messages: Any) -> None:
        """Send messages, or the bytes of their bodies, in one piece."""
        self.send_bytes(b"".join(map(frame, messages)))

    def send_bytes(self, data: bytes) -> None:
        """Send anything."""
        self.writer.write(data)

    def notify(self, method: str, params: Any = _NOTHING) -> None:
        """Send a notification."""
        self.send({"jsonrpc": "2.0", "method": method, **({} if params is _NOTHING else {"params": params})})

    def start(self, method: str, params: Any = _NOTHING) -> int:
        """Send a request and return its id."""
        id_ = next(self._ids)
        message = {"jsonrpc": "2.0", "id": id_, "method": method}
        self.send(message if params is _NOTHING else {**message, "params": params})
        return id_

    def cancel(self, id_: int | str) -> None:
        """Send `$/cancelRequest`."""
        self.notify("$/cancelRequest", {"id": id_})

    async def answer(self, id_: Any) -> Any:
        """The result for an id; RpcError where the answer is an error."""
        await self.until(lambda: self.answers.get(id_))
        message = self.answers[id_].pop(0)
        if "error" in message:
            raise RpcError(message["error"])
        return message["result"]

    async def failure(self, id_: Any) -> RpcError:
        """The error for an id."""
        try:
            result = await self.answer(id_)
        except RpcError as error:
            return error
        raise AssertionError(f"the request succeeded: {result!r:.200}")

    async def request(self, method: str, params: Any = _NOTHING) -> Any:
        """Send a request and return its result."""
        return await self.answer(self.start(method, params))

    async def refused(self, method: str, params: Any = _NOTHING) -> RpcError:
        """Send a request and return its error."""
        return await self.failure(self.start(method, params))

    async def expect(self, method: str, where: Callable[[Any], bool] = lambda params: True) -> Any:
        """The parameters of the next message of the server with this method that fits."""

        def found() -> dict[str, Any] | None:
            fits = (m for m in self.received if m["method"] == method and where(m.get("params")))
            return next(fits, None)

        message = await self.until(found)
        self.received.remove(message)
        return message.get("params")

    async def initialize(self, **params: Any) -> Any:
        """Say hello; the result."""
        capabilities = {"window": {"workDoneProgress": True}, "workspace": {"configuration": True}}
        defaults = {"processId": None, "rootUri": None, "capabilities": capabilities}
        result = await self.request("initialize", defaults | params)
        self.notify("initialized", {})
        return result

    async def shut_down(self) -> int:
        """End as an editor does; the exit code."""
        await self.request("shutdown")
        self.notify("exit")
        return await self.ended()

    async def ended(self) -> int:
        """Wait for the server's end; the exit code."""
        async with asyncio.timeout(PATIENCE):
            if self.process:
                return await self.process.wait()
            assert self.serving
            return await self.serving

    async def hang_up(self) -> None:
        """Close both ways."""
        if self._listening:
            self._listening.cancel()
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def end_of_output(self) -> bytes:
        """What the server sent last that is no whole frame; waits for its end."""
        assert self._listening
        async with asyncio.timeout(PATIENCE):
            await self._listening
        return self._rest

    async def _listen(self) -> None:
        try:
            while True:
                header = await self.reader.readuntil(b"\r\n\r\n")
                assert header.startswith(b"Content-Length: "), f"a stray {header!r} among the frames"
                message = json.loads(await self.reader.readexactly(int(header[16:-4])))
                await self._take(message)
        except asyncio.IncompleteReadError as error:
            self._rest = error.partial
        except OSError:
            pass

    async def _take(self, message: dict[str, Any]) -> None:
        assert message["jsonrpc"] == "2.0"
        if "method" not in message:
            self.answers.setdefault(message["id"], []).append(message)
        else:
            self.received.append(message)
            if "id" in message:
                self._reply(message)
        async with self._news:
            self._news.notify_all()

    def _reply(self, message: dict[str, Any]) -> None:
        if message["method"] in self.silent:
            return
        reply = self.replies.get(message["method"])
        told = {"error": {"code": -32601, "message": "no"}} if reply is None else {"result": reply(message["params"])}
        self.send({"jsonrpc": "2.0", "id": message["id"], **told})

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait for what a message will make true; its value."""
        async with asyncio.timeout(PATIENCE), self._news:
            return await self._news.wait_for(condition)


@asynccontextmanager
async def connected(server: Server, *, listen: bool = True, unread: int = UNSENT_LIMIT) -> AsyncIterator[Client]:
    """A client of a server in this process, over a socket pair."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=theirs)
    client = Client(*await asyncio.open_connection(sock=ours))
    client.serving = asyncio.create_task(server.serve(reader, Outbox(writer, unread)))
    async with _speaking(client, listen):
        yield client


@asynccontextmanager
async def talking(server: Server, **params: Any) -> AsyncIterator[Client]:
    """`connected`, and the hello said."""
    async with connected(server) as client:
        await client.initialize(**params)
        yield client


@asynccontextmanager
async def spawned(
    command: Sequence[str], *, listen: bool = True, stderr: Any = None, env: dict[str, str] | None = None
) -> AsyncIterator[Client]:
    """A client of a server process, which is killed in the end if it still runs."""
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE, "stderr": stderr}
    process = await asyncio.create_subprocess_exec(*command, **pipes, env=env or environment())
    assert process.stdin
    assert process.stdout
    client = Client(process.stdout, process.stdin)
    client.process = process
    try:
        async with _speaking(client, listen):
            yield client
    finally:
        await discarded(process)


async def discarded(process: asyncio.subprocess.Process) -> None:
    """Kills what still runs, and closes its pipes, which asyncio keeps where nobody has read them to the end."""
    if process.returncode is None:
        process.kill()
    await process.wait()
    process._transport.close()  # type: ignore[attr-defined]


@asynccontextmanager
async def dialled(host: str, port: int) -> AsyncIterator[Client]:
    """A client of a server that listens."""
    client = Client(*await asyncio.open_connection(host, port))
    async with _speaking(client, True):
        yield client


@asynccontextmanager
async def _speaking(client: Client, listen: bool) -> AsyncIterator[None]:
    if listen:
        client.listen()
    try:
        yield
    finally:
        await client.hang_up()
        if client.serving:
            await client.serving


async def until_event(client: Client, event: str) -> None:
    """Wait until a handler of the demo has noted something."""
    async with asyncio.timeout(PATIENCE):
        events: list[str] = []
        while event not in events:
            events = await client.request("demo/events")


def kept(server: Server) -> dict[str, int]:
    """How much a connection keeps in mind."""
    protocol = server.protocol
    stores = {"futures": protocol._request_futures, "types": protocol._result_types, "calls": protocol._calls}
    return {name: len(values) for name, values in {**stores, "work": protocol.works._cancels}.items()}


#: What `kept` says of a connection on which nothing is under way.
NOTHING_KEPT = {"futures": 0, "types": 0, "calls": 0, "work": 0}


def environment() -> dict[str, str]:
    """An environment in which a process finds what this one has found."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def python(module: str, *arguments: str) -> list[str]:
    """The command of a module of the tests."""
    return [sys.executable, os.path.join(os.path.dirname(__file__), f"{module}.py"), *arguments]
