"""Pipes, ports, signals and ends: most in this process, the rest with a real one."""

from __future__ import annotations

import asyncio
import os
import pathlib
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sightline.errors import SettingsError
from sightline.lsp.transport import parse_address, serve_pipes, serve_tcp

from .demo import make
from .support import PATIENCE, Client, connected, dialled, frame, talking, until_event

pytestmark = pytest.mark.asyncio

HELLO = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}}
SHUTDOWN = {"jsonrpc": "2.0", "id": 2, "method": "shutdown"}
EXIT = {"jsonrpc": "2.0", "method": "exit"}


@asynccontextmanager
async def piped() -> AsyncIterator[Client]:
    """A client of `serve_pipes` in this process."""
    incoming, entry = os.pipe()
    end, outgoing = os.pipe()
    loop = asyncio.get_running_loop()
    reader, unread = asyncio.StreamReader(), asyncio.StreamReader()
    reading, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(end, "rb", 0))
    writing, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(unread), os.fdopen(entry, "wb", 0)
    )
    client = Client(reader, asyncio.StreamWriter(writing, protocol, unread, loop))
    client.serving = asyncio.create_task(serve_pipes(make, incoming, outgoing, look=0.02))
    client.listen()
    try:
        yield client
    finally:
        await client.hang_up()
        await client.serving
        reading.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_ends_the_server_in_good_order(number: signal.Signals) -> None:
    # Fault 10.
    async with piped() as client:
        await client.initialize()
        id_ = client.start("demo/nap")
        await until_event(client, "nap began")
        os.kill(os.getpid(), number)
        assert (await client.failure(id_)).code == -32802
        assert await client.ended() == 0


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ([HELLO, SHUTDOWN, EXIT], 0),
        ([HELLO, SHUTDOWN], 0),
        ([HELLO, EXIT], 1),
        ([HELLO], 1),
        ([EXIT], 1),
        ([], 1),
    ],
)
async def test_the_exit_code_tells_whether_the_client_said_goodbye(ending: list[Any], code: int) -> None:
    # Fault 11.
    async with connected(make()) as client:
        for message in ending:
            client.send(message)
            if "id" in message:
                await client.answer(message["id"])
        if EXIT not in ending:
            client.writer.write_eof()
        assert await client.ended() == code


async def test_messages_behind_the_exit_are_not_read() -> None:
    server = make()
    async with talking(server) as client:
        client.send(EXIT, *[{"jsonrpc": "2.0", "id": n, "method": "demo/raw"} for n in range(100, 200)])
        assert await client.ended() == 1
        assert not [id_ for id_ in client.answers if id_ >= 100]


async def test_the_server_ends_with_the_client_s_process() -> None:
    # Fault 12.
    sleeper = await asyncio.create_subprocess_exec("sleep", "60")
    async with piped() as client:
        await client.initialize(processId=sleeper.pid)
        await asyncio.sleep(0.1)
        assert await client.request("demo/raw") == {}
        sleeper.kill()
        await sleeper.wait()
        assert await client.ended() == 1


@pytest.mark.parametrize("process_id", [None, 0, 1, 2**31 - 1, -5])
async def test_a_process_that_was_never_seen_is_not_missed(process_id: int | None) -> None:
    async with piped() as client:
        await client.initialize(processId=process_id)
        await asyncio.sleep(0.1)
        assert await client.request("demo/raw") == {}
        assert await client.shut_down() == 0


@asynccontextmanager
async def listening() -> AsyncIterator[int]:
    """A port of `serve_tcp` in this process, ended by a signal."""
    announced: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve_tcp(make, "127.0.0.1", 0, announced.set_result))
    _, port = parse_address(await announced)
    yield port
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(serving, PATIENCE) == 0


async def test_clients_on_a_port_do_not_know_of_one_another() -> None:
    # Fault 13.
    async with listening() as port, dialled("127.0.0.1", port) as one, dialled("127.0.0.1", port) as other:
        await one.initialize()
        await other.initialize()
        one.send({"jsonrpc": "2.0", "id": "one", "method": "demo/nap", "params": {"seconds": 0.1}})
        assert await other.request("demo/echo", {"text": "other"}) == {"text": "other", "limit": 10, "mode": "words"}
        await other.request("shutdown")
        other.notify("exit")
        assert await one.answer("one") == "slept"
        assert "one" not in other.answers
        async with dialled("127.0.0.1", port) as third:
            await third.initialize()
        assert await one.request("demo/events") == ["initialize", "initialized", "nap began"]


async def test_a_signal_ends_all_conversations() -> None:
    async with listening() as port:
        client = Client(*await asyncio.open_connection("127.0.0.1", port))
        client.listen()
        await client.initialize()
        id_ = client.start("demo/nap")
        await until_event(client, "nap began")
    assert (await client.failure(id_)).code == -32802
    await client.hang_up()


async def test_a_web_page_cannot_talk_to_a_port() -> None:
    async with listening() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + frame(HELLO))
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
        writer.close()


async def test_a_port_that_is_taken_is_an_error_with_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SettingsError, match="cannot be used"):
        await serve_tcp(make, "127.0.0.1", taken.getsockname()[1], lambda address: None)


@pytest.mark.parametrize("address", ["127.0.0.1:7000", "localhost:7000", "127.8.9.1:7000"])
async def test_loopback_addresses_are_taken(address: str) -> None:
    host, port = parse_address(address)
    assert host.startswith("127.")
    assert port == 7000


async def test_the_loopback_of_ipv6_is_taken() -> None:
    assert parse_address("[::1]:0") == parse_address("::1:0") == ("::1", 0)


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0:7000", "[::]:7000", "192.168.1.1:7000", "7000", ":7000", "localhost:", "localhost:x", "localhost:65536",
     "localhost:-1", "localhost:²", "no such host:1", "a" * 300 + ":1"],
)  # fmt: skip
async def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_address(address)
    assert caught.value.hint


async def test_header_names_have_no_case() -> None:
    # Fault 17.
    async with talking(make()) as client:
        body = b'{"jsonrpc": "2.0", "id": 9, "method": "demo/raw"}'
        client.send_bytes(b"content-length:%d\r\ncontent-type: x\r\n\r\n%b" % (len(body), body))
        assert await client.answer(9) == {}


@pytest.mark.parametrize("garbage", [b"X" * 9000, b"Content-Length: 99999999999\r\n\r\n"])
async def test_a_stream_that_cannot_be_cut_ends_the_server(garbage: bytes) -> None:
    async with talking(make()) as client:
        client.send_bytes(garbage)
        assert await client.ended() == 1


async def test_wrong_lengths_cost_no_other_request() -> None:
    async with talking(make()) as client:
        good = {"jsonrpc": "2.0", "method": "demo/raw"}
        client.send_bytes(frame({**good, "id": 101}) + b"oops" + frame({**good, "id": 102}))
        client.send_bytes(b"Content-Length: 30\r\n\r\n{}" + frame({**good, "id": 103}) + frame({**good, "id": 104}))
        for id_ in (101, 102, 103, 104):
            assert await client.answer(id_) == {}
        assert (await client.failure(None)).code == -32700


async def test_a_client_that_never_reads_is_given_up_and_blocks_nothing() -> None:
    server = make()
    async with connected(server, listen=False, unread=1_000_000) as client:
        client.send(HELLO, {"jsonrpc": "2.0", "method": "initialized", "params": {}})
        for id_ in range(10, 1000):
            client.send({"jsonrpc": "2.0", "id": id_, "method": "demo/large", "params": {"seconds": 100_000}})
        assert await client.ended() == 1
        assert server.context.events[-1] == "closed"


async def test_a_client_that_closes_only_its_ear_leaves_no_server() -> None:
    incoming, entry = os.pipe()
    end, outgoing = os.pipe()
    serving = asyncio.create_task(serve_pipes(make, incoming, outgoing))
    await asyncio.sleep(0.05)
    os.close(end)
    assert await asyncio.wait_for(serving, PATIENCE) == 1
    os.close(entry)


async def test_a_reset_connection_ends_its_server_quietly(caplog: pytest.LogCaptureFixture) -> None:
    async with listening() as port:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(frame(HELLO))
        await asyncio.sleep(0.05)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        connection.close()
        await asyncio.sleep(0.05)
    assert not caplog.records


async def test_stdin_and_stdout_may_be_files(tmp_path: pathlib.Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(b"".join(map(frame, [HELLO, SHUTDOWN, EXIT])))
    incoming, outgoing = os.open(source, os.O_RDONLY), os.open(target, os.O_WRONLY | os.O_CREAT)
    assert await asyncio.wait_for(serve_pipes(make, incoming, outgoing), PATIENCE) == 0
    assert target.read_bytes().count(b"Content-Length: ") == 2


async def test_stdin_may_be_nothing_at_all() -> None:
    incoming, outgoing = os.open(os.devnull, os.O_RDONLY), os.open(os.devnull, os.O_WRONLY)
    assert await asyncio.wait_for(serve_pipes(make, incoming, outgoing), PATIENCE) == 1


async def test_stdin_may_be_a_terminal() -> None:
    keyboard, terminal = os.openpty()
    end, outgoing = os.pipe()
    serving = asyncio.create_task(serve_pipes(make, terminal, outgoing))
    os.write(keyboard, b"Content-Length: 99999999999\n\n")
    assert await asyncio.wait_for(serving, PATIENCE) == 1
    os.close(keyboard)
    os.close(end)


async def test_stdin_and_stdout_may_be_one_socket() -> None:
    ours, theirs = socket.socketpair()
    both = theirs.detach()
    client = Client(*await asyncio.open_connection(sock=ours))
    client.serving = asyncio.create_task(serve_pipes(make, both, os.dup(both)))
    client.listen()
    await client.initialize()
    assert await client.request("demo/echo", {"text": "x" * 1_000_000})
    assert await client.shut_down() == 0
    await client.hang_up()
