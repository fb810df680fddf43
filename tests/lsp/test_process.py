"""The server as a process: signals, exit codes and a stdout that is the protocol's alone."""

from __future__ import annotations

import asyncio
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from sightline.lsp.transport import claim_stdio, parse_address, run_stdio, run_tcp

from .demo import make
from .support import PATIENCE, dialled, environment, frame, python, spawned

HELLO = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}}
SHUTDOWN = {"jsonrpc": "2.0", "id": 2, "method": "shutdown"}
EXIT = {"jsonrpc": "2.0", "method": "exit"}


@pytest.mark.asyncio
async def test_threads_do_not_keep_messages_waiting_nor_the_end() -> None:
    # Fault 9.
    async with spawned(python("demo")) as client:
        await client.initialize()
        for _ in range(100):
            client.start("demo/thread", {"seconds": 1000})
        assert await client.request("demo/raw") == {}
        assert await client.shut_down() == 0


@pytest.mark.asyncio
async def test_a_signal_ends_a_process_whose_client_keeps_stdin_open() -> None:
    # Fault 10.
    async with spawned(python("demo")) as client:
        await client.initialize()
        client.start("demo/nap")
        assert client.process
        client.process.send_signal(signal.SIGINT)
        assert await client.ended() == 0


@pytest.mark.asyncio
async def test_exit_codes_leave_the_process() -> None:
    # Fault 11.
    async with spawned(python("demo")) as client:
        await client.initialize()
        client.notify("exit")
        assert await client.ended() == 1


@pytest.mark.asyncio
async def test_a_client_that_never_reads_does_not_keep_the_process() -> None:
    never_read, outgoing = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *python("demo"), stdin=subprocess.PIPE, stdout=outgoing, env=environment()
    )
    assert process.stdin
    large = {"jsonrpc": "2.0", "method": "demo/large", "params": {"seconds": 1_000_000}}
    process.stdin.write(b"".join(map(frame, [HELLO, *({**large, "id": id_} for id_ in range(10, 60))])))
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 1
    os.close(never_read)
    os.close(outgoing)


@pytest.mark.asyncio
async def test_a_client_that_dies_leaves_no_server() -> None:
    async with spawned(python("demo")) as client:
        await client.initialize()
        client.start("demo/nap")
        client.writer.close()
        assert await client.ended() == 1


@pytest.mark.asyncio
async def test_nothing_but_the_protocol_is_on_stdout(tmp_path: pathlib.Path) -> None:
    errors = tmp_path / "stderr"
    with errors.open("wb") as stderr:
        async with spawned(python("demo"), stderr=stderr) as client:
            await client.initialize()
            assert await client.request("demo/chatter") is None
            assert await client.request("demo/raw") == {}
            assert await client.shut_down() == 0
    assert {"stray", "stray original", "stray bytes", "stray child"} <= set(errors.read_text().splitlines())


@pytest.mark.asyncio
async def test_initialize_is_answered_after_little_work() -> None:
    async with spawned(python("demo")) as client:
        await client.initialize()
        assert client.process
        spent = psutil.Process(client.process.pid).cpu_times()  # not the clock: other tests may run as well
        assert spent.user + spent.system < 5  # 0.6 here; measuring the coverage costs as well


@pytest.mark.asyncio
async def test_a_port_is_served_by_a_process_until_it_is_told_to_end() -> None:
    command = python("demo", "--tcp", "127.0.0.1:0")
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, env=environment())
    assert process.stdout
    _, port = parse_address((await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode().strip())
    async with dialled("127.0.0.1", port) as client:
        await client.initialize()
        process.terminate()
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0


@contextmanager
def standard_streams() -> Iterator[tuple[int, int]]:
    """Pipes in place of this process's stdin and stdout: where to write and where to read."""
    saved = os.dup(0), os.dup(1), sys.stdout
    incoming, entry = os.pipe()
    end, outgoing = os.pipe()
    os.dup2(incoming, 0)
    os.dup2(outgoing, 1)
    for descriptor in (incoming, outgoing):
        os.close(descriptor)
    try:
        yield entry, end
    finally:
        os.dup2(saved[0], 0)
        os.dup2(saved[1], 1)
        sys.stdout = saved[2]
        for descriptor in (*saved[:2], entry, end):
            os.close(descriptor)


def test_run_stdio_serves_the_standard_streams() -> None:
    with standard_streams() as (entry, end):
        os.write(entry, b"".join(map(frame, [HELLO, SHUTDOWN, EXIT])))
        assert run_stdio(make) == 0
        assert os.read(end, 100_000).count(b"Content-Length: ") == 2


def test_run_tcp_serves_until_a_signal() -> None:
    told: list[str] = []

    def announce(address: str) -> None:
        told.append(address)
        os.kill(os.getpid(), signal.SIGTERM)

    assert run_tcp(make, "127.0.0.1:0", announce) == 0
    assert parse_address(told[0])


def test_stdio_is_claimed_for_the_protocol() -> None:
    with standard_streams() as (_, end):
        _, outgoing = claim_stdio()
        os.write(1, b"stray\n")
        os.write(outgoing, b"protocol\n")
        assert os.read(0, 1) == b""
        assert sys.stdout is sys.stderr
        assert os.read(end, 100) == b"protocol\n"
