"""How a client reaches the server: over the process's own stdin and stdout, or over TCP on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import selectors
import signal
import socket
import stat
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from sightline.errors import SettingsError
from sightline.lsp.framing import Outbox
from sightline.lsp.wire import Server

log = logging.getLogger(__name__)

_CHUNK = 64 * 1024
#: How long what is under way at the end may take.
_GRACE = 3.0
#: Seconds between looks whether the client's process still lives; the end of stdin tells at once, but a child of the
#: client may hold its other end.
_LOOK = 1.0


def run_stdio(make: Callable[[], Server]) -> int:
    """Serve one client on stdin and stdout; the exit code. Threads may still run: leave with `os._exit`."""
    incoming, outgoing = claim_stdio()
    return _run(serve_pipes(make, incoming, outgoing))


def run_tcp(make: Callable[[], Server], address: str, announce: Callable[[str], None]) -> int:
    """Serve any number of clients on `HOST:PORT`, a server each, until a signal; as `run_stdio`."""
    host, port = parse_address(address)
    return _run(serve_tcp(make, host, port, announce))


def claim_stdio() -> tuple[int, int]:
    """Take stdin and stdout for the protocol alone: what is printed goes to stderr, and children read nothing."""
    incoming, outgoing = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdout = sys.stderr
    return incoming, outgoing


def parse_address(address: str) -> tuple[str, int]:
    """`HOST:PORT` as a loopback address and a port; SettingsError for what other machines could reach."""
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise SettingsError(f"{address!r} is not HOST:PORT.", hint="For example 127.0.0.1:7345.")
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"{host!r} is no address of this machine.", hint="Use 127.0.0.1 or localhost.") from error
    addresses = sorted((family, str(sockaddr[0])) for family, *_, sockaddr in found)  # IPv4 first
    if not all(ipaddress.ip_address(name).is_loopback for _, name in addresses):
        hint = "The port has no password; from another machine, forward it with ssh -L."
        raise SettingsError(f"{host!r} can be reached from other machines.", hint=hint)
    return addresses[0][1], int(port)


async def serve_pipes(make: Callable[[], Server], incoming: int, outgoing: int, *, look: float = _LOOK) -> int:
    """Serve one client on two file descriptors, which are closed in the end; the exit code."""
    async with _streams(incoming, outgoing) as (reader, writer):
        server = make()
        watching = asyncio.create_task(_watch(server, look), name="watching the client")
        with _signals(lambda: server.stop(0)):
            try:
                return await server.serve(reader, Outbox(writer))
            finally:
                watching.cancel()


async def serve_tcp(make: Callable[[], Server], host: str, port: int, announce: Callable[[str], None]) -> int:
    """Serve clients until a signal; `announce` is told the address, whose port may have been 0."""
    servers: dict[asyncio.Task[Any] | None, Server] = {}

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        servers[task] = make()
        try:
            await servers[task].serve(reader, Outbox(writer), resync=False)
        finally:
            del servers[task]

    try:
        listener = await asyncio.start_server(meet, host, port)
    except OSError as error:
        raise SettingsError(f"Port {port} of {host} cannot be used: {error.strerror}.") from error
    ended = asyncio.Event()
    with _signals(ended.set):
        announce("{}:{}".format(*listener.sockets[0].getsockname()[:2]))
        try:
            await ended.wait()
        finally:
            listener.close()
            for server in servers.values():
                server.stop(0)
            talking = [task for task in servers if task]
            if talking:
                await asyncio.wait(talking, timeout=_GRACE)
    return 0


def _run(main: Coroutine[Any, Any, int]) -> int:
    # Not asyncio.run: it waits for the threads of to_thread, and one may read from a disk that is gone.
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@contextmanager
def _signals(end: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    asked = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    for number in asked:
        loop.add_signal_handler(number, end)
    try:
        yield
    finally:
        for number in asked:
            loop.remove_signal_handler(number)


async def _watch(server: Server, look: float) -> None:
    seen = False  # never, where the client lives in another container or machine
    while True:
        await asyncio.sleep(look)
        alive = _lives(server.process_id)
        if seen and not alive:
            log.warning("the client's process is gone")
            server.stop()
            return
        seen = seen or alive


def _lives(process_id: int | None) -> bool:
    if not process_id or process_id < 0:
        return False
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@asynccontextmanager
async def _streams(incoming: int, outgoing: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    if _one_socket(incoming, outgoing):
        os.close(incoming)
        yield await asyncio.open_connection(sock=socket.socket(fileno=outgoing))
        return
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    source = os.fdopen(incoming if _pollable(incoming) else _pumped_in(incoming), "rb", buffering=0)
    reading, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), source)
    with contextlib.closing(reading), _pumped_out(outgoing) as target:
        unread = asyncio.StreamReader()
        file = os.fdopen(target, "wb", buffering=0)
        writing, protocol = await loop.connect_write_pipe(lambda: asyncio.StreamReaderProtocol(unread), file)
        yield reader, asyncio.StreamWriter(writing, protocol, unread, loop)


def _one_socket(incoming: int, outgoing: int) -> bool:
    """Whether both ways are one socket, as inetd and socat give it."""
    return stat.S_ISSOCK(os.fstat(incoming).st_mode) and os.path.sameopenfile(incoming, outgoing)


def _pollable(fd: int) -> bool:
    """Whether the loop can wait for it; a terminal can be, but would stay non-blocking for the shell."""
    if os.isatty(fd) or stat.S_ISREG(os.fstat(fd).st_mode):
        return False
    with selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
        selector.register(fd, selectors.EVENT_READ)
        return True
    return False


def _pumped_in(source: int) -> int:
    end, entry = os.pipe()
    threading.Thread(target=_pump, args=(source, entry), name="stdin", daemon=True).start()
    return end


@contextmanager
def _pumped_out(target: int) -> Iterator[int]:
    if _pollable(target):
        yield target
        return
    end, entry = os.pipe()
    pump = threading.Thread(target=_pump, args=(end, target), name="stdout", daemon=True)
    pump.start()
    yield entry
    pump.join(_GRACE)


def _pump(source: int, target: int) -> None:
    # The client may go at any time: the other end of the pipe tells the loop.
    with contextlib.suppress(OSError), open(source, "rb", buffering=0) as entry, open(target, "wb") as end:
        while data := entry.read(_CHUNK):
            end.write(data)
            end.flush()
