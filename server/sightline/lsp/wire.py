"""The thin layer over pygls 2.1.1 that makes it fit for a server that runs for days; it knows nothing of search.

pygls keeps the documents, builds the capabilities and has a method for every message to the client. Reading, dispatch,
answers, cancellation, commands and progress are ours, because pygls leaves requests unanswered, goes on with cancelled
commands, forgets no future and shows the client tracebacks. We replace private parts of it: the version is pinned, and
tests/lsp has a test for each fault (`# Fault 7`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from pydantic import BaseModel
from pygls.lsp.server import LanguageServer

from sightline.lsp.dispatch import Endpoint, Handler, Protocol
from sightline.lsp.framing import Framer, FramingError, Outbox
from sightline.lsp.params import converter
from sightline.lsp.progress import Token, Work

log = logging.getLogger(__name__)

#: What has not ended so long after its cancellation is left behind.
_GRACE = 0.5
_CHUNK = 64 * 1024


class Server(LanguageServer):
    """A language server for one client.

    `lifespan(server)` opens what the handlers need, yields it as their `context` and closes it after the last of them.
    """

    protocol: Protocol

    def __init__(
        self,
        name: str,
        version: str,
        *,
        experimental: dict[str, Any] | None = None,
        lifespan: Callable[[Server], AbstractAsyncContextManager[Any]] | None = None,
    ) -> None:
        super().__init__(name, version, protocol_cls=Protocol, converter_factory=converter)
        self.experimental = experimental
        self.context: Any = None
        self._lifespan = lifespan
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopping = asyncio.Event()
        self._exit_code: int | None = None

    def add_request(self, method: str, params: type[BaseModel], handler: Handler) -> None:
        """Answer a request of ours."""
        self.protocol.endpoints[method] = Endpoint(params, handler)

    def add_command(self, name: str, params: type[BaseModel], handler: Handler) -> None:
        """Answer `workspace/executeCommand` for a command that takes one object.

        A model with a field `work_done_token` gets that of the request.
        """
        self.protocol.commands[name] = Endpoint(params, handler)

    def add_feature(self, method: str, handler: Handler, options: Any = None) -> None:
        """Answer a request of LSP, or follow a notification; after pygls where it does so itself."""

        async def call(params: Any) -> Any:
            return await handler(self.context, params)

        self.feature(method, options)(call)

    def notify(self, method: str, params: Any = None) -> None:
        """Send a notification of ours."""
        self.protocol.notify(method, params)

    def work(
        self, title: str, token: Token | None = None, *, cancellable: bool = True, percentage: int | None = 0
    ) -> AbstractAsyncContextManager[Work]:
        """Show progress while the body runs: `async with server.work("Indexing", token) as work: work.report(...)`.

        Where the client cancels it, the body gets CancelledError and the caller sightline's Cancelled.
        """
        return self.protocol.works.work(title, token, cancellable=cancellable, percentage=percentage)

    def spawn(self, coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run in the background until it ends or the server does."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    async def stop_tasks(self) -> None:
        """Cancel what runs in the background, and wait until it has ended."""
        await _end(task for task in self._tasks if task is not asyncio.current_task())

    def stop(self, code: int | None = None) -> None:
        """End `serve` soon; without a `code`, 0 after a shutdown request and 1 without."""
        self._exit_code = code if self._exit_code is None else self._exit_code
        self._stopping.set()

    async def serve(self, reader: asyncio.StreamReader, outbox: Outbox, *, resync: bool = True) -> int:
        """Talk to the client until it exits, hangs up or breaks the protocol, or until `stop`; the exit code."""
        self.protocol.outbox = outbox
        try:
            async with self._lifespan(self) if self._lifespan else nullcontext(self.context) as self.context:
                try:
                    await self._converse(reader, outbox, Framer(resync=resync))
                finally:
                    await _end(self.protocol.cancel_calls())
                    await self.stop_tasks()
        finally:
            await outbox.close()
        return self._exit_code if self._exit_code is not None else int(not self.protocol.stopped)

    async def _converse(self, reader: asyncio.StreamReader, outbox: Outbox, framer: Framer) -> None:
        loop = asyncio.get_running_loop()
        reading = loop.create_task(self._read(reader, framer), name="reading")
        stopping = loop.create_task(self._stopping.wait(), name="stopping")
        try:
            await asyncio.wait([reading, stopping, outbox.lost], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end([reading, stopping])
        if not reading.cancelled():
            reading.result()

    async def _read(self, reader: asyncio.StreamReader, framer: Framer) -> None:
        try:
            while data := await reader.read(_CHUNK):
                framer.feed(data)
                while not self._stopping.is_set() and (body := framer.take()) is not None:
                    if not await self.protocol.receive(body):
                        framer.give_back(body)
        except FramingError as error:
            log.error("%s: ending", error)
            self.stop(1)
        except OSError as error:
            log.info("the client is gone: %s", error)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("%s ended unexpectedly", task.get_name(), exc_info=error)


async def _end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    running = list(tasks)
    for task in running:
        task.cancel()
    if not running:
        return
    _, stubborn = await asyncio.wait(running, timeout=_GRACE)
    for task in stubborn:
        log.warning("%s does not end", task.get_name())
