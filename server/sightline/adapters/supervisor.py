"""The detached parent of an embedded Postgres: starts or adopts it, and stops it when nobody holds it any more."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

import psutil  # type: ignore[import-untyped]

from sightline.adapters.cluster import ENVIRONMENT, Ready, prepare, reason_in, run_as, sync
from sightline.adapters.embedded import POLL_SECONDS, Place, failed, open_owned, probe, try_lock, unavailable
from sightline.errors import DatabaseError, DatabaseUnavailable

IDLE_VARIABLE: Final = "SIGHTLINE_EMBEDDED_IDLE"
IDLE_SECONDS: Final = 60.0
ORPHANS_SECONDS: Final = 10.0
"""How long the last backends of a killed server may hold its shared memory."""
STUCK_SECONDS: Final = 2.0
"""What a server gets to answer, then to stop, that lives without a supervisor and says nothing."""
LOG_BYTES: Final = 1 << 20
SMALL_SHARED_MEMORY: Final = 128 << 20
"""Docker gives /dev/shm 64 MB."""
PR_SET_PDEATHSIG: Final = 1

SETTINGS: Final = {
    "autovacuum_max_workers": "1",
    "cluster_name": "sightline",
    "fsync": "on",
    "huge_pages": "off",
    "io_method": "sync",  # three processes fewer
    "jit": "off",
    "listen_addresses": "",
    "log_checkpoints": "off",
    "log_min_messages": "log",  # clients are told of their errors; statements, which hold file content, are not logged
    "log_timezone": "UTC",
    "maintenance_work_mem": "256MB",
    "max_connections": "100",
    "max_logical_replication_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "max_wal_senders": "0",
    "max_wal_size": "512MB",
    "min_wal_size": "64MB",
    "random_page_cost": "1.1",
    "shared_buffers": "128MB",
    "synchronous_commit": "off",  # a crash may lose the last second, never corrupt
    "timezone": "UTC",
    "unix_socket_permissions": "0700",
    "wal_level": "minimal",
    "work_mem": "32MB",
}  # fmt: skip


def main() -> int:
    """`python -m sightline.adapters.supervisor FOLDER`; says on stdout what came of it, then lets go of stdout."""
    place = Place(Path(sys.argv[1]))
    if os.fork():
        os._exit(0)  # the starter reaps this process at once, and the supervisor becomes a child of init
    with contextlib.ExitStack() as held:
        try:
            lock = held.enter_context(open_owned(place.lock("supervisor")))
            server, report = _server(place) if _claim(lock) else (None, {})
        except (DatabaseError, OSError) as caught:
            error = unavailable(caught, place) if isinstance(caught, OSError) else caught
            _report({"code": error.code, "message": str(error), "hint": error.hint})
            return 1
        _report(report)
        if server is not None:
            watch(place, server, _idle_seconds())
    return 0


def _claim(lock: BinaryIO) -> bool:
    """Takes the supervisor's lock. Others hold it for an instant to look whether it is taken."""
    deadline = time.monotonic() + 1
    while not try_lock(lock, fcntl.LOCK_EX):
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    with contextlib.suppress(OSError):  # the pid is there for people; a full disk has its own message
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n".encode())
    return True


def _report(report: dict[str, str]) -> None:
    """Tells the starter, if it still lives, and closes the pipe: a later reader must see its end."""
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(report).encode())
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def _idle_seconds() -> float:
    try:
        return float(os.environ.get(IDLE_VARIABLE, IDLE_SECONDS))
    except ValueError:
        return IDLE_SECONDS


def _server(place: Place) -> tuple[psutil.Process | None, dict[str, str]]:
    """The server that runs here without a supervisor, else a new one."""
    answer, running = probe(place), postmaster(place)
    deadline = time.monotonic() + STUCK_SECONDS
    while answer.state == "silent" and running is not None and time.monotonic() < deadline:
        time.sleep(0.1)
        answer, running = probe(place), postmaster(place)
    if answer.state == "ready":  # without a process if it is in another container, which shares the folder with us
        return running, {"version": answer.version}
    if answer.state == "busy":  # stopping, since its supervisor died, or recovering: the starter looks again
        return None, {}
    if running is not None:
        _retire(running, place)
    return start(place)


def start(place: Place) -> tuple[psutil.Process, dict[str, str]]:
    """Starts the server and waits until it takes connections, however long it recovers from a crash."""
    ready = prepare(place)
    _clear_stale(place)
    give_up = time.monotonic() + ORPHANS_SECONDS
    while not isinstance(outcome := _launch(place, ready), psutil.Popen):
        if "still in use" not in outcome or time.monotonic() >= give_up:
            sentence = f"The embedded Postgres of {place.folder} did not start: {outcome}."
            raise failed(sentence, f"Its log is {place.log}.")
        time.sleep(0.2)
    if ready.is_new:
        threading.Thread(target=sync, args=(place, ready), daemon=True).start()
    return outcome, {"version": probe(place).version, "notes": "\n".join(ready.notes)}


def _launch(place: Place, ready: Ready) -> psutil.Popen | str:
    """The server once it is ready, or why it ended."""
    with open_owned(place.log) as log:
        if log.seek(0, os.SEEK_END) > LOG_BYTES:
            log.truncate(0)
        before = log.seek(0, os.SEEK_END)
        process = psutil.Popen(
            _command(place, ready),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=ENVIRONMENT,
            preexec_fn=_dying_with_parent(), **run_as(ready.account),
        )  # fmt: skip
        while process.poll() is None:
            if _says_ready(place) and probe(place).state == "ready":
                return process
            time.sleep(POLL_SECONDS)
        log.seek(before)
        reason = reason_in(log.read().decode(errors="replace"), place.folder)
    return reason or f"it ended with {process.returncode}"


def _command(place: Place, ready: Ready) -> list[str]:
    command = [str(ready.binaries / "postgres"), "-D", str(place.cluster), "-k", str(place.sockets)]
    for name, value in {**SETTINGS, **_shared_memory()}.items():
        command += ["-c", f"{name}={value}"]
    return command


def _shared_memory() -> dict[str, str]:
    """Postgres's default, POSIX shared memory, unless this is too small."""
    if not sys.platform.startswith("linux"):
        return {}
    size = 0
    with contextlib.suppress(OSError):
        memory = os.statvfs("/dev/shm")
        size = memory.f_frsize * memory.f_blocks
    return {"dynamic_shared_memory_type": "mmap" if size < SMALL_SHARED_MEMORY else "posix"}


def _dying_with_parent() -> Callable[[], None] | None:
    """Where the kernel can (Linux): Postgres stops in an orderly way when its supervisor is killed."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return lambda: library.prctl(PR_SET_PDEATHSIG, int(signal.SIGINT))


def postmaster(place: Place) -> psutil.Process | None:
    """The living Postgres of this folder. Its pid may have been given to another process since it was written down."""
    if (pid := _noted_pid(place)) is None:
        return None
    try:
        process = psutil.Process(pid)
        name = process.name()
        is_ours = "postgres" in name and process.cwd() == str(place.cluster)
        return process if is_ours and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def _noted_pid(place: Place) -> int | None:
    try:
        pid = int((place.cluster / "postmaster.pid").read_bytes().split(b"\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None
    return pid if 0 < pid < 1 << 31 else None


def _says_ready(place: Place) -> bool:
    """Saves the probes that it would log as errors while it starts."""
    try:
        return (place.cluster / "postmaster.pid").read_bytes().rstrip().endswith(b"ready")
    except FileNotFoundError:
        return False


def _clear_stale(place: Place) -> None:
    """Removes what a killed server left, where Postgres would take it for a living one's."""
    for name in (place.socket.name, f"{place.socket.name}.lock"):
        (place.sockets / name).unlink(missing_ok=True)
    pid = _noted_pid(place)
    if pid is None or psutil.pid_exists(pid):  # else Postgres looks itself for those who still use its shared memory
        (place.cluster / "postmaster.pid").unlink(missing_ok=True)


def _retire(server: psutil.Process, place: Place) -> None:
    """Ends a server that nobody can reach, for instance since its socket was removed."""
    stop(server, STUCK_SECONDS)
    if not _ended(server, 0):
        raise DatabaseUnavailable(
            f"Postgres (process {server.pid}) holds {place.cluster}, but neither answers nor stops.",
            hint=f"End it with: kill -9 {server.pid}",
        )


def watch(place: Place, server: psutil.Process, idle: float) -> None:
    """Returns when the server has ended: by itself, on our being told to end, unreachable, or unused for `idle` s."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    pause = min(max(idle / 8, 0.05), 1.0)
    with open_owned(place.lock("clients")) as clients:
        try:
            last_use, last_stamp = time.monotonic(), 0
            while not _ended(server, pause) and _is_reachable(place, clients):
                is_free = try_lock(clients, fcntl.LOCK_EX)
                stamp = os.fstat(clients.fileno()).st_mtime_ns
                if not is_free or stamp != last_stamp:
                    last_use, last_stamp = time.monotonic(), stamp
                elif time.monotonic() - last_use >= idle:
                    return  # and stop it with the lock held: who comes now waits, then starts afresh
                if is_free:
                    fcntl.flock(clients, fcntl.LOCK_UN)
        finally:
            stop(server, IDLE_SECONDS)


def _is_reachable(place: Place, clients: BinaryIO) -> bool:
    """Whether newcomers would find this server: neither its folder nor its socket was removed."""
    try:
        return place.socket.exists() and os.path.samestat(place.lock("clients").stat(), os.fstat(clients.fileno()))
    except FileNotFoundError:
        return False


def _ended(server: psutil.Process, patience: float) -> bool:
    """Whether it is gone, after waiting for that as long; where init reaps nobody, its zombie stays."""
    try:
        server.wait(patience)
    except psutil.TimeoutExpired:
        with contextlib.suppress(psutil.NoSuchProcess):
            return bool(server.status() == psutil.STATUS_ZOMBIE)
    return True


def stop(server: psutil.Process, patience: float) -> None:
    """Stops it in an orderly way, or, after that many seconds, at once: then it recovers at its next start."""
    for word in (signal.SIGINT, signal.SIGQUIT):
        with contextlib.suppress(psutil.NoSuchProcess):
            server.send_signal(word)
        if _ended(server, patience):
            return


if __name__ == "__main__":
    sys.exit(main())
