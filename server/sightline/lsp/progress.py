"""Work whose progress the client shows, and which it may cancel there."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from sightline.errors import Cancelled

log = logging.getLogger(__name__)

#: A client that does not answer `create` for so long gets no progress; the work does not wait for it.
_CREATE_TIMEOUT = 2.0

Token = int | str


class Client(Protocol):
    """What progress needs of a connection."""

    @property
    def shows_progress(self) -> bool: ...

    def notify(self, method: str, params: Any = None) -> None: ...

    async def send_request_async(self, method: str, params: Any = None) -> Any: ...


class Work:
    """One piece of work; reports go nowhere where the client shows none."""

    def __init__(self, send: Callable[[dict[str, Any]], None], percentage: int | None, cancellable: bool) -> None:
        self._send = send
        self._cancellable = cancellable
        self._said: tuple[str | None, int | None] = (None, percentage)
        #: What the client shows at the end; without it, how the work ended.
        self.summary: str | None = None

    def report(self, message: str | None = None, percentage: float | None = None) -> None:
        """Tell how far it is. The percentage never falls, and the same is not said twice."""
        known = self._said[1]
        if percentage is not None and known is not None:
            known = max(known, min(100, int(percentage)))
        if (message, known) == self._said:
            return
        self._said = (message, known)
        said = {"kind": "report", "cancellable": self._cancellable, "message": message, "percentage": known}
        self._send({key: value for key, value in said.items() if value is not None})


class Progress:
    """All the work of one connection."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._cancels: dict[Token, Callable[[], None]] = {}

    def cancel(self, token: Token) -> None:
        """The client cancelled the work behind a token, which may be anything."""
        if isinstance(token, int | str) and (cancel := self._cancels.get(token)):
            cancel()

    @asynccontextmanager
    async def work(
        self, title: str, token: Token | None = None, *, cancellable: bool = True, percentage: int | None = 0
    ) -> AsyncIterator[Work]:
        """Begin, report, end; where the client cancels, the body gets CancelledError and the caller Cancelled.

        Without a `token` of the client's own one is created, if the client shows progress at all.
        `percentage=None` stands for work whose size is unknown.
        """
        if token is None:
            token = await self._create()
        elif token in self._cancels:
            token = None  # one bar cannot show two works
        send = self._sender(token)
        begin = {"kind": "begin", "title": title, "cancellable": cancellable, "percentage": percentage}
        send({key: value for key, value in begin.items() if value is not None})
        work = Work(send, percentage, cancellable)
        ending = "Failed"
        try:
            async with self._registered(token, cancellable):
                yield work
            ending = work.summary or "Done"
        except (Cancelled, asyncio.CancelledError):
            ending = "Cancelled"
            raise
        finally:
            send({"kind": "end", "message": ending})

    @asynccontextmanager
    async def _registered(self, token: Token | None, cancellable: bool) -> AsyncIterator[None]:
        task = asyncio.current_task()
        if token is None or task is None:
            yield
            return
        asked = False

        def cancel() -> None:
            nonlocal asked
            asked = asked or (cancellable and task.cancel())

        self._cancels[token] = cancel
        try:
            yield
            if asked:
                await asyncio.sleep(0)  # the body ended first: the cancellation must not hit what comes after
        except asyncio.CancelledError:
            # Not where our own end has cancelled the task as well.
            if asked and task.uncancel() == 0:
                raise Cancelled("The work was cancelled.") from None
            raise
        finally:
            del self._cancels[token]

    async def _create(self) -> Token | None:
        if not self._client.shows_progress:
            return None
        token = str(uuid.uuid4())
        try:
            async with asyncio.timeout(_CREATE_TIMEOUT):
                await self._client.send_request_async(
                    types.WINDOW_WORK_DONE_PROGRESS_CREATE, types.WorkDoneProgressCreateParams(token)
                )
        except (TimeoutError, JsonRpcException) as error:
            log.warning("the client creates no progress: %s", error or "no answer")
            return None
        return token

    def _sender(self, token: Token | None) -> Callable[[dict[str, Any]], None]:
        def send(value: dict[str, Any]) -> None:
            if token is not None:
                self._client.notify(types.PROGRESS, {"token": token, "value": value})

        return send
