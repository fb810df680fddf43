"""`sightline serve` as editors run it: a process that serves, and that ends with its client, whatever happens."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from sightline.lsp.transport import parse_address
from support import Files, command, environment, run

from .product import CAPABILITIES, SESSIONS, UPLOAD, as_folder, eventually, indexed, is_current, paths
from .support import PATIENCE, Client, dialled, discarded, frame, spawned

MANY = 1_500
SHUTDOWN_SECONDS = 1.0
"""The budget, with a hundred files still under way, on a machine that has nothing else to do."""
AT_ONCE = 30 * SHUTDOWN_SECONDS
"""On any other."""


@dataclass
class Run:
    """One server process, its client, and what it leaves behind."""

    client: Client
    errors: Path
    processes: list[psutil.Process] = field(default_factory=list)

    @property
    def pid(self) -> int:
        assert self.client.process
        return self.client.process.pid

    def look(self) -> None:
        """Notes the processes that the server has begun."""
        self.processes = psutil.Process(self.pid).children(recursive=True)

    async def left(self) -> list[psutil.Process]:
        """Those of them that still live after a while; none should."""
        with suppress(AssertionError):
            await until(lambda: not any(map(lives, self.processes)))
        return [each for each in self.processes if lives(each)]

    def complaints(self) -> str:
        return self.errors.read_text()


def lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def large(folder: Files) -> Files:
    """A folder that takes a moment to index."""
    folder.write({f"src/part{number}.py": f"def function{number}(x):\n    return x\n" for number in range(MANY)})
    return folder


@asynccontextmanager
async def serving(data_dir: Path, folder: Files, tmp_path: Path, **params: Any) -> AsyncIterator[Run]:
    """A server process in which a folder has been opened."""
    errors = tmp_path / f"stderr-{uuid4()}"
    with errors.open("wb") as stderr:
        env = environment(data_dir, SIGHTLINE_INDEX_WORKERS="2")
        async with spawned(command("serve", "--stdio"), stderr=stderr, env=env) as client:
            client.replies["workspace/configuration"] = lambda asked: [{}]
            defaults = {"capabilities": CAPABILITIES, "workspaceFolders": [as_folder(folder.root)]}
            await client.initialize(**{**defaults, **params})
            yield Run(client, errors)


async def in_the_middle(run: Run) -> None:
    """Waits until the first files are indexed; as much is under way then."""

    def is_under_way(params: Any) -> bool:
        return params["value"]["kind"] == "report" and not params["value"]["message"].startswith("0/")

    await run.client.expect("$/progress", is_under_way)
    run.look()
    assert len(run.processes) >= 3, "the server has no workers"


async def shut_down(run: Run) -> int:
    return await run.client.shut_down()


async def leave(run: Run) -> int:
    run.client.notify("exit")
    return await run.client.ended()


async def close_stdin(run: Run) -> int:
    run.client.writer.close()
    return await run.client.ended()


def send(number: signal.Signals) -> Callable[[Run], Any]:
    async def end(run: Run) -> int:
        assert run.client.process
        run.client.process.send_signal(number)
        return await run.client.ended()

    return end


@pytest.mark.parametrize(
    ("end", "code"),
    [
        pytest.param(shut_down, 0, id="shutdown"),
        pytest.param(leave, 1, id="exit without shutdown"),
        pytest.param(close_stdin, 1, id="stdin closed"),
        *(pytest.param(send(each), 0, id=each.name) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)),
    ],
)
async def test_it_ends_at_once_in_the_middle_of_indexing_and_leaves_nothing(
    data_dir: Path, large: Files, tmp_path: Path, end: Callable[[Run], Any], code: int
) -> None:
    async with serving(data_dir, large, tmp_path) as run:
        await in_the_middle(run)
        began = time.monotonic()
        assert await end(run) == code
        took = time.monotonic() - began
        assert took < AT_ONCE
        assert await run.left() == []
        assert await run.client.end_of_output() == b""
        assert run.complaints() == "" or took > SHUTDOWN_SECONDS  # that something does not end in time


async def test_it_ends_at_once_while_its_workers_begin(data_dir: Path, large: Files, tmp_path: Path) -> None:
    async with serving(data_dir, large, tmp_path) as run:
        await run.client.expect("$/progress")
        run.look()
        began = time.monotonic()
        assert await run.client.shut_down() == 0
        took = time.monotonic() - began
        assert took < AT_ONCE
        assert await run.left() == []
        assert run.complaints() == "" or took > SHUTDOWN_SECONDS


async def test_it_ends_when_its_clients_process_is_gone_though_somebody_holds_its_stdin(
    data_dir: Path, large: Files, tmp_path: Path
) -> None:
    editor = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=subprocess.PIPE)
    async with serving(data_dir, large, tmp_path, processId=editor.pid) as run:
        await in_the_middle(run)
        await asyncio.sleep(4)  # it has looked once a second, and seen that the process lives
        await discarded(editor)
        assert await run.client.ended() == 1
        assert await run.left() == []


EDITOR = """
import subprocess, sys, time
server = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
server.stdin.write(sys.stdin.buffer.read())
server.stdin.flush()
print(server.pid, server.stdout.read(20), flush=True)
time.sleep(1000)
"""


async def test_it_ends_when_its_editor_is_killed(data_dir: Path, large: Files) -> None:
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}, "processId": None}}
    hello["params"] |= {"workspaceFolders": [as_folder(large.root)]}  # type: ignore[operator]
    started = {"jsonrpc": "2.0", "method": "initialized", "params": {}}
    editor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", EDITOR, "-", *command("serve"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(data_dir),
    )  # fmt: skip
    assert editor.stdin
    assert editor.stdout
    editor.stdin.write(frame(hello) + frame(started))
    editor.stdin.close()
    line = await asyncio.wait_for(editor.stdout.readline(), PATIENCE)
    server = psutil.Process(int(line.split()[0]))
    assert b"Content-Length" in line
    await discarded(editor)
    await until(lambda: not lives(server))


async def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.05)


async def test_a_client_that_never_reads_is_given_up(data_dir: Path, folder: Files, tmp_path: Path) -> None:
    folder.write({"a.py": SESSIONS})
    async with serving(data_dir, folder, tmp_path) as run:
        await indexed(run.client)
        run.client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        # An error that says back what was asked: much to read for little work.
        request = {"jsonrpc": "2.0", "method": "sightline/index", "params": {"paths": ["/" + "x" * 100_000]}}
        for number in range(500):
            run.client.send({**request, "id": f"n{number}"})
            with suppress(ConnectionError):
                await asyncio.wait_for(run.client.writer.drain(), PATIENCE)
        assert await run.client.ended() == 1
        assert "unread: giving it up" in run.complaints()


async def test_what_a_killed_server_left_is_healed_by_the_next(data_dir: Path, large: Files, tmp_path: Path) -> None:
    async with serving(data_dir, large, tmp_path) as run:
        await in_the_middle(run)
        assert await send(signal.SIGKILL)(run) == -signal.SIGKILL
        assert await run.left() == []
    async with serving(data_dir, large, tmp_path) as run:
        status = await eventually(
            run.client, "sightline/status", {},
            lambda status: is_current(status) and status["folders"][0]["files"] == MANY,
        )  # fmt: skip
        assert status["folders"][0]["chunks"] == MANY
        assert [(job["state"], job.get("error")) for job in status["jobs"]] == [("completed", None)]  # it went on
        answer = await run.client.request("sightline/search", {"query": "function77", "limit": 1})
        assert (paths(answer), answer["complete"]) == (["src/part77.py"], True)
        assert await run.client.shut_down() == 0


async def test_two_processes_serve_one_folder_and_one_takes_over_when_the_other_is_killed(
    data_dir: Path, folder: Files, tmp_path: Path
) -> None:
    folder.write({"a.py": SESSIONS})
    query = {"query": "session upload"}
    async with serving(data_dir, folder, tmp_path) as one, serving(data_dir, folder, tmp_path) as other:
        for each in (one, other):
            await eventually(each.client, "sightline/search", query, lambda answer: paths(answer) == ["a.py"])
        roles = {(await indexed(each.client))["folders"][0]["role"]: each for each in (one, other)}
        assert set(roles) == {"writer", "reader"}
        roles["writer"].look()
        assert await send(signal.SIGKILL)(roles["writer"]) == -signal.SIGKILL
        folder.write({"b.py": UPLOAD})
        left = roles["reader"].client
        await eventually(left, "sightline/search", query, lambda answer: sorted(paths(answer)) == ["a.py", "b.py"])
        assert (await indexed(left))["folders"][0]["role"] == "writer"
        assert await roles["writer"].left() == []
        assert await left.shut_down() == 0


@asynccontextmanager
async def port(data_dir: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, tuple[str, int]]]:
    """A server process that listens, and where."""
    process = await asyncio.create_subprocess_exec(
        *command("serve", "--tcp", "127.0.0.1:0"), stderr=subprocess.PIPE, env=environment(data_dir)
    )
    assert process.stderr
    try:
        line = await asyncio.wait_for(process.stderr.readline(), PATIENCE)
        yield process, parse_address(line.decode().strip())
    finally:
        await discarded(process)


async def test_one_process_serves_several_clients_over_tcp(data_dir: Path, folder: Files) -> None:
    folder.write({"a.py": SESSIONS})
    query = {"query": "session"}
    async with port(data_dir) as (process, address):
        async with dialled(*address) as one, dialled(*address) as other, dialled(*address) as rude:
            for client in (one, other, rude):
                client.replies["workspace/configuration"] = lambda asked: [{}]
                await client.initialize(capabilities=CAPABILITIES, workspaceFolders=[as_folder(folder.root)])
            rude.writer.transport.abort()
            for client in (one, other):
                await eventually(client, "sightline/search", query, lambda answer: paths(answer) == ["a.py"])
            assert await one.request("shutdown") is None
            one.notify("exit")
            await one.end_of_output()
            assert paths(await other.request("sightline/search", query)) == ["a.py"]
            process.terminate()
            await other.end_of_output()
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0


@pytest.mark.parametrize("address", ["0.0.0.0:0", "nowhere", "127.0.0.1:99999"])
def test_an_address_that_others_could_reach_is_refused(data_dir: Path, address: str) -> None:
    done = run(data_dir, "serve", "--tcp", address)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("sightline: ")
    assert len(done.stderr.splitlines()) == 1


async def test_a_search_is_cancelled_by_its_id(data_dir: Path, folder: Files, tmp_path: Path) -> None:
    folder.write({"a.py": SESSIONS})
    async with serving(data_dir, folder, tmp_path) as run:
        # Comes before the database is there, so it waits, and is cancelled for sure.
        id_ = run.client.start("sightline/search", {"query": "session"})
        run.client.cancel(id_)
        assert (await run.client.failure(id_)).code == -32800
        assert await run.client.shut_down() == 0
        assert run.complaints() == ""
