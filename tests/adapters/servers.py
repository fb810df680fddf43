"""Real embedded servers for tests: a folder for one, processes that hold it, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import psutil  # type: ignore[import-untyped]

import sightline
from sightline.adapters import embedded, supervisor
from sightline.adapters.embedded import Lease, Place

IDLE = 0.3
PATIENCE = 100.0
"""Seconds. What comes about sooner costs none of them, and a machine that does other things as well may need many."""
NONE: Mapping[str, Any] = {}
PACKAGE_ROOT = Path(sightline.__file__).parents[1]
CLIENT = """
import logging, sys
from pathlib import Path
from sightline.adapters import embedded
from sightline.errors import SightlineError

logging.basicConfig(format="%(message)s")
try:
    lease = embedded.acquire(Path(sys.argv[1]))
except SightlineError as error:
    sys.exit(f"{type(error).__name__}: {error} {error.hint}")
print(lease.host, flush=True)
sys.stdin.read()
"""


DISK = Path("/var/tmp")
"""Not /tmp, which is a small disk in memory on some machines."""


def fast_disk() -> Path:
    """In memory where there is room: ext4 takes a second for the files of a cluster when many were just deleted."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > 1 << 30 else DISK


@contextlib.contextmanager
def open_folder(disk: Path = DISK) -> Iterator[Path]:
    """A folder that other users can enter, as root's server must; the servers in it are ended with it."""
    with tempfile.TemporaryDirectory(prefix="sl", dir=disk) as name:
        folder = Path(name).resolve()
        folder.chmod(0o711)
        try:
            yield folder
        finally:
            for log in folder.rglob("pg18.log"):
                end(Place(log.parent))


def end(place: Place) -> None:
    """Ends the server of this folder in an orderly way, so that it leaves nothing behind."""
    lock = place.lock("supervisor")
    server = supervisor.postmaster(place)
    if server and embedded.is_locked(lock):
        with contextlib.suppress(ProcessLookupError):
            os.kill(supervisor_pid(place), signal.SIGTERM)
    elif server:
        supervisor.stop(server, patience=PATIENCE)
    eventually(lambda: not embedded.is_locked(lock))


def supervisor_pid(place: Place) -> int:
    return int(place.lock("supervisor").read_text())


def server_of(place: Place) -> psutil.Process:
    server = supervisor.postmaster(place)
    assert server is not None
    return server


def eventually(condition: Callable[[], bool], within: float = PATIENCE) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def kill(process: psutil.Process) -> None:
    """Ends it at once, and waits until it has ended: until it runs again, it does not know that it was killed."""
    process.kill()
    eventually(lambda: gone(process))


def kill_server(place: Place) -> None:
    """As `kill`, and waits for its sessions, each of which answers until it sees that the server is gone."""
    server = server_of(place)
    sessions = server.children()
    kill(server)
    eventually(lambda: all(map(gone, sessions)))


def suspend(process: psutil.Process) -> None:
    """Stops it for now, and waits until it stands still."""
    process.suspend()
    eventually(lambda: gone(process) or process.status() == psutil.STATUS_STOPPED)


def owners(folder: Path) -> set[int]:
    """To whom all that is in it belongs; what a running server has just removed, to nobody."""
    found = set()
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            found.add(path.stat().st_uid)
    return found


def ask(lease: Lease, *statements: str) -> Any:
    """The last statement's value, over a connection of its own."""

    async def values() -> Any:
        connection = await asyncpg.connect(host=lease.host, port=lease.port, user=lease.user, database="postgres")
        try:
            return [await connection.fetchval(statement) for statement in statements][-1]
        finally:
            await connection.close()

    return asyncio.run(values())


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PACKAGE_ROOT), **more}


@contextlib.contextmanager
def holder(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the server, in a process group of its own, as in another terminal."""
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(home)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(), start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline().strip()
        try:
            yield process
        finally:
            process.kill()


def visit(
    home: Path, *, python: str = sys.executable, program: str = CLIENT, options: Mapping[str, Any] = NONE
) -> tuple[str, str]:
    """What another process that acquires and ends at once prints, and its complaints."""
    all_options: dict[str, Any] = {"env": environment(), "stdin": subprocess.DEVNULL, "timeout": PATIENCE, **options}
    command = [python, "-c", program, str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **all_options)
    return done.stdout.strip(), done.stderr.strip()


def starts(place: Place) -> int:
    return place.log.read_text().count("starting PostgreSQL")
