"""Frames of the base protocol: `Content-Length` headers and bodies, read from and written to one client."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re

log = logging.getLogger(__name__)

#: A header is some sixty bytes; what is longer is no header.
HEADER_LIMIT = 8 * 1024
#: A body that an editor sends is at most one large file.
BODY_LIMIT = 64 * 1024 * 1024
#: Beyond this much unread output a client is given up.
UNSENT_LIMIT = 32 * 1024 * 1024

_END_OF_HEADER = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"content-length[ \t]*:[ \t]*(\d+)[ \t]*(?:\r?\n|\Z)", re.IGNORECASE)
_NAME = b"content-length"
#: Where another header begins in a body, also if the body's end cuts it.
_SWALLOWED = re.compile(_NAME + b"[ \t]*:|" + b"|".join(_NAME[:n] + rb"\Z" for n in range(14, 0, -1)), re.IGNORECASE)
_FIELD = re.compile(rb"content-(?:length|type)[ \t]*:.*", re.IGNORECASE)


class FramingError(Exception):
    """The stream cannot be cut into messages any more."""


class Framer:
    """Cuts a stream of bytes into bodies.

    With `resync` it steps over garbage to the next `Content-Length`. Without, garbage is an error: on a TCP port the
    garbage may be the first line of an HTTP request that a web page sends to reach a local server.
    """

    def __init__(self, *, resync: bool = True) -> None:
        self._resync = resync
        self._buffer = bytearray()
        self._needed: int | None = None

    def feed(self, data: bytes) -> None:
        """Add what arrived."""
        self._buffer += data

    def take(self) -> bytes | None:
        """The next whole body, or None until more has been fed."""
        while self._needed is None:
            header = self._take_header()
            if header is None:
                return None
            self._needed = self._length(header)
        if len(self._buffer) < self._needed:
            return None
        body = bytes(self._buffer[: self._needed])
        del self._buffer[: self._needed]
        self._needed = None
        return body

    def give_back(self, body: bytes) -> None:
        """Look again at a body that is no JSON: too large a length makes it swallow the messages that follow."""
        swallowed = _SWALLOWED.search(body)
        if swallowed and self._resync:
            self._buffer[:0] = body[swallowed.start() :]

    def _take_header(self) -> bytes | None:
        end = _END_OF_HEADER.search(self._buffer, 0, HEADER_LIMIT)
        if end is None:
            if len(self._buffer) >= HEADER_LIMIT:
                raise FramingError(f"a header is longer than {HEADER_LIMIT} bytes")
            return None
        header = bytes(self._buffer[: end.start()])
        del self._buffer[: end.end()]
        return header

    def _length(self, header: bytes) -> int | None:
        clean = all(_FIELD.fullmatch(line) for line in header.splitlines())
        lengths = _LENGTH.findall(header)
        if not self._resync and not (clean and lengths):
            raise FramingError("the client does not speak the base protocol")
        if not clean or not lengths:
            log.warning("skipped what is no header before a message")
        if not lengths:
            return None
        # More than ten digits are over the limit, however many zeros lead them.
        if len(lengths[-1]) > 10 or int(lengths[-1]) > BODY_LIMIT:
            raise FramingError(f"a message is longer than {BODY_LIMIT} bytes")
        return int(lengths[-1])


class Outbox:
    """Sends frames to one client, never waits for it, and gives it up when it does not read them."""

    def __init__(self, writer: asyncio.StreamWriter, limit: int = UNSENT_LIMIT) -> None:
        self._writer = writer
        self._limit = limit
        writer.transport.set_write_buffer_limits(high=0)  # so that drain() means: all of it is out
        #: Done once nothing can be sent any more.
        self.lost = asyncio.get_running_loop().create_task(self._watch(), name="outbox")

    def send(self, body: bytes) -> None:
        """Queue one message; to a client that is gone, nothing."""
        transport = self._writer.transport
        if transport.is_closing():
            return
        self._writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        if transport.get_write_buffer_size() > self._limit:
            log.error("the client leaves more than %d bytes unread: giving it up", self._limit)
            transport.abort()

    async def close(self, grace: float = 1.0) -> None:
        """Send what is queued, for at most `grace` seconds, and close."""
        try:
            async with asyncio.timeout(grace):
                await self._writer.drain()
        except (TimeoutError, OSError):
            if not self.lost.done():
                self._writer.transport.abort()
        self._writer.close()
        await self.lost

    async def _watch(self) -> None:
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
