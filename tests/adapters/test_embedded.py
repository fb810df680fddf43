"""The embedded Postgres, with real servers: shared by processes that come, go and are killed, and healed afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import asyncpg
import psutil  # type: ignore[import-untyped]
import pytest

from adapters.servers import (
    CLIENT,
    IDLE,
    ask,
    end,
    environment,
    eventually,
    fast_disk,
    gone,
    holder,
    kill,
    kill_server,
    open_folder,
    server_of,
    starts,
    supervisor_pid,
    suspend,
    visit,
)
from sightline.adapters import cluster, embedded, supervisor
from sightline.adapters.embedded import Place
from sightline.errors import DatabaseUnavailable


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A data folder with a cluster in it, to be copied: twice as fast as making one for each test."""
    with open_folder(fast_disk()) as folder:
        cluster.prepare(Place(folder))
        yield folder


@pytest.fixture
def home(new_home: Path, made: Path) -> Path:
    """A data folder with a cluster that has never run."""
    subprocess.run(["cp", "-a", made, new_home], check=True)
    Place(new_home).sockets.rmdir()
    return new_home


@pytest.fixture
def new_home() -> Iterator[Path]:
    """A data folder that does not exist yet."""
    with open_folder(fast_disk()) as folder:
        yield folder / "data"


@pytest.fixture
def short_lived(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers stop soon after their last holder."""
    monkeypatch.setenv(supervisor.IDLE_VARIABLE, str(IDLE))


def test_the_first_start_makes_a_cluster_with_pgvector_that_only_its_owner_can_enter(new_home: Path) -> None:
    with contextlib.closing(embedded.acquire(new_home)) as lease:
        assert lease.version.startswith("18.")
        assert ask(lease, "create extension vector", "select '[3,4]'::vector <-> '[0,0]'") == 5.0
        assert ask(lease, "show synchronous_commit"), ask(lease, "show fsync") == ("off", "on")
        assert ask(lease, "show listen_addresses") == ""
        place = Place(new_home)
        assert {path.stat().st_mode & 0o777 for path in (place.cluster, place.sockets)} == {0o700}


@pytest.mark.usefixtures("short_lived")
def test_a_later_start_finds_what_was_stored(home: Path) -> None:
    with contextlib.closing(embedded.acquire(home)) as lease:
        ask(lease, "create table kept as select 42 as answer")
        server = server_of(Place(home))
    eventually(lambda: gone(server))
    with contextlib.closing(embedded.acquire(home)) as lease:
        assert ask(lease, "select answer from kept") == 42
        assert starts(Place(home)) == 2


def test_eight_processes_at_once_start_one_server(new_home: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        visits = [threads.submit(visit, new_home) for _ in range(8)]
        assert {visit.result() for visit in visits} == {(str(Place(new_home).sockets), "")}
    assert starts(Place(new_home)) == 1


@pytest.mark.usefixtures("short_lived")
def test_a_server_stops_after_its_last_holder_was_killed_and_not_before(home: Path) -> None:
    with holder(home) as other:
        embedded.acquire(home).close()
        server = server_of(Place(home))
        time.sleep(4 * IDLE)
        assert server.is_running()
        other.kill()
        eventually(lambda: gone(server))
        assert "shut down" in Place(home).log.read_text().splitlines()[-1]


@pytest.mark.usefixtures("short_lived")
def test_closing_a_lease_twice_leaves_the_other_lease_of_the_process_alone(home: Path) -> None:
    first, second = embedded.acquire(home), embedded.acquire(home)
    first.close()
    first.close()
    time.sleep(3 * IDLE)
    assert ask(second, "select 1") == 1
    second.close()


@pytest.mark.usefixtures("short_lived")
def test_callers_who_come_while_the_server_stops_get_a_fresh_one(home: Path) -> None:
    for n in range(5):
        with contextlib.closing(embedded.acquire(home)) as lease:
            assert ask(lease, "select 1") == 1
        time.sleep(IDLE + 0.04 * n)  # the supervisor looks every 50 ms


@pytest.mark.usefixtures("short_lived")
def test_processes_that_come_and_go_between_the_supervisors_looks_keep_the_server(home: Path) -> None:
    longest = IDLE
    while longest >= IDLE:  # else a busy machine kept us from coming in time
        longest, came = 0.0, time.monotonic()
        with contextlib.closing(embedded.acquire(home)):
            server = server_of(Place(home))
        for _ in range(8):
            time.sleep(IDLE / 2)
            coming = time.monotonic()
            embedded.acquire(home).close()
            is_kept = server.is_running()
            longest, came = max(longest, time.monotonic() - came), coming
            assert is_kept or longest >= IDLE


def test_an_interrupt_in_the_starters_terminal_does_not_reach_the_server(home: Path) -> None:
    with holder(home) as starter, contextlib.closing(embedded.acquire(home)) as lease:
        began = ask(lease, "select pg_postmaster_start_time()")
        os.killpg(starter.pid, signal.SIGINT)
        starter.wait()
        assert ask(lease, "select pg_postmaster_start_time()") == began


def test_a_starter_that_is_piped_ends_its_pipe_and_leaves_no_descriptor_behind(home: Path) -> None:
    with tempfile.NamedTemporaryFile() as inherited:
        host, complaints = visit(home, options={"pass_fds": (inherited.fileno(),)})  # which returns at its pipes' ends
        assert host, complaints
        server, parent = server_of(Place(home)), psutil.Process(supervisor_pid(Place(home)))
        for process in (parent, server):
            assert inherited.name not in [file.path for file in process.open_files()]
        assert parent.ppid() != os.getpid()
        assert os.getsid(parent.pid) not in (os.getsid(0), os.getpid())


@pytest.mark.parametrize("delay", [0.05, 0.3])
def test_a_starter_killed_during_the_first_start_leaves_nothing_stuck(new_home: Path, delay: float) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(new_home)], env=environment(), stdin=subprocess.PIPE
    ) as first:
        eventually(Place(new_home).log.exists)
        time.sleep(delay)
        first.kill()
    with contextlib.closing(embedded.acquire(new_home)) as lease:
        assert ask(lease, "select 1") == 1
    assert not list(new_home.glob("pg18.new-*"))


def test_a_killed_server_comes_back_with_its_data(home: Path) -> None:
    with contextlib.closing(embedded.acquire(home)) as lease:
        ask(lease, "set synchronous_commit = on", "create table kept as select 42 as answer")
        kill_server(Place(home))
    with contextlib.closing(embedded.acquire(home)) as lease:
        assert ask(lease, "select answer from kept") == 42


def test_a_killed_server_comes_back_when_its_last_session_has_ended(home: Path) -> None:
    async def killed_with_a_stopped_session() -> psutil.Process:
        connection = await asyncpg.connect(host=lease.host, user=lease.user, database="postgres")
        session = psutil.Process(connection.get_server_pid())
        suspend(session)  # it holds the shared memory, and cannot see that its parent has died
        kill(server_of(Place(home)))
        connection.terminate()
        return session

    with contextlib.closing(embedded.acquire(home)) as lease:
        session = asyncio.run(killed_with_a_stopped_session())
    command = [sys.executable, "-c", CLIENT, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()) as next_one:
        eventually(lambda: "still in use" in Place(home).log.read_text())
        session.resume()
        assert next_one.stdout is not None
        assert next_one.stdout.readline().strip()
        next_one.kill()


@pytest.mark.usefixtures("short_lived")
def test_a_killed_supervisor_is_replaced_by_one_that_stops_the_server_when_idle(home: Path) -> None:
    with contextlib.closing(embedded.acquire(home)):
        kill(psutil.Process(supervisor_pid(Place(home))))
    with contextlib.closing(embedded.acquire(home)) as lease:
        assert ask(lease, "select 1") == 1
        server = server_of(Place(home))
    eventually(lambda: gone(server))


@pytest.mark.skipif(sys.platform != "linux", reason="no other kernel tells a child of its parent's death")
def test_a_killed_supervisor_takes_its_server_along(home: Path) -> None:
    with contextlib.closing(embedded.acquire(home)):
        server = server_of(Place(home))
        os.kill(supervisor_pid(Place(home)), signal.SIGKILL)
        eventually(lambda: gone(server))


def orphan(home: Path, *more: str) -> psutil.Popen:
    """A server without a supervisor, as one whose supervisor was killed is on macOS."""
    place = Place(home)
    ready = cluster.prepare(place)
    command = [str(ready.binaries / "postgres"), "-D", str(place.cluster), "-k", str(place.sockets), *more]
    with place.log.open("ab") as log:
        server = psutil.Popen(
            [*command, "-c", "listen_addresses="],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, **cluster.run_as(ready.account),
        )  # fmt: skip
    eventually(lambda: embedded.probe(place).state == "ready")
    return server


@pytest.mark.usefixtures("short_lived")
def test_a_server_without_supervisor_is_shared_and_gets_a_new_one(home: Path) -> None:
    server = orphan(home)
    with contextlib.closing(embedded.acquire(home)) as lease:
        assert server_of(Place(home)).pid == server.pid
        assert ask(lease, "select 1") == 1
    eventually(lambda: gone(server))
    server.wait()


def test_a_server_that_nobody_can_reach_is_stopped_and_started_afresh(home: Path) -> None:
    server = orphan(home)
    Place(home).socket.unlink()
    with contextlib.closing(embedded.acquire(home)) as lease:
        assert ask(lease, "select 1") == 1
        assert server_of(Place(home)).pid != server.pid
    server.wait()


def test_a_server_that_hangs_is_named_in_the_error_and_left_to_the_user(home: Path) -> None:
    server = orphan(home)
    suspend(server)
    with pytest.raises(DatabaseUnavailable, match=f"process {server.pid}.*neither answers nor stops") as raised:
        embedded.acquire(home)
    assert f"kill -9 {server.pid}" in raised.value.hint
    server.resume()
    server.wait()  # it finds our wish to stop


@pytest.mark.usefixtures("short_lived")
def test_a_full_house_still_counts_as_a_living_server(home: Path) -> None:
    server = orphan(
        home, "-c", "max_connections=2", "-c", "superuser_reserved_connections=0", "-c", "max_wal_senders=0"
    )

    async def shared_while_full() -> str:
        sessions: list[asyncpg.Connection] = []
        while len(sessions) < 2:
            with contextlib.suppress(asyncpg.TooManyConnectionsError):  # the last probe may still count
                sessions.append(await asyncpg.connect(host=str(Place(home).sockets), user="postgres"))
        lease = await asyncio.to_thread(embedded.acquire, home)
        for session in sessions:
            await session.close()
        lease.close()
        return lease.version

    assert asyncio.run(shared_while_full()) == "18"
    eventually(lambda: gone(server))
    server.wait()


@pytest.mark.parametrize("lost", ["socket", "folder"])
def test_a_server_whose_socket_or_folder_was_removed_is_stopped(home: Path, lost: str) -> None:
    with contextlib.closing(embedded.acquire(home)):
        server = server_of(Place(home))
        if lost == "socket":
            Place(home).socket.unlink()
        else:
            eventually(lambda: removed(home))
        eventually(lambda: gone(server))
    with contextlib.closing(embedded.acquire(home)) as lease:
        assert ask(lease, "select 1") == 1


def removed(folder: Path) -> bool:
    """Whether it is gone: who works in it may put something in while it is emptied."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def test_a_stale_pid_file_that_names_an_unrelated_process_does_it_no_harm(home: Path) -> None:
    place = Place(home)
    with contextlib.closing(embedded.acquire(home)):
        kill_server(place)
    eventually(lambda: not embedded.is_locked(place.lock("supervisor")))
    with subprocess.Popen(["sleep", "60"]) as unrelated:
        for file in (place.cluster / "postmaster.pid", place.socket.with_name(f"{place.socket.name}.lock")):
            lines = file.read_text().splitlines(keepends=True)
            file.write_text("".join([f"{unrelated.pid}\n", *lines[1:]]))
        with contextlib.closing(embedded.acquire(home)) as lease:
            assert ask(lease, "select 1") == 1
        end(place)
        assert unrelated.poll() is None
        unrelated.kill()


@pytest.mark.parametrize("content", ["", "not a number\n", "99999999999999999999999\n"])
def test_a_pid_file_without_a_pid_is_no_obstacle(home: Path, content: str) -> None:
    (Place(home).cluster / "postmaster.pid").write_text(content)
    with contextlib.closing(embedded.acquire(home)) as lease:
        assert ask(lease, "select 1") == 1


def test_a_damaged_cluster_is_reported_with_the_servers_own_reason(home: Path) -> None:
    (Place(home).cluster / "global" / "pg_control").unlink()
    with pytest.raises(DatabaseUnavailable, match=r"did not start: .*could not find the database system") as raised:
        embedded.acquire(home)
    assert "pg18.log" in raised.value.hint


def test_a_log_is_begun_again_before_it_grows_large(home: Path) -> None:
    Place(home).log.write_bytes(b"x" * supervisor.LOG_BYTES + b"x")
    embedded.acquire(home).close()
    assert Place(home).log.stat().st_size < 10_000


def test_a_second_supervisor_leaves_the_first_alone(home: Path) -> None:
    with contextlib.closing(embedded.acquire(home)) as lease:
        first = supervisor_pid(Place(home))
        command = [sys.executable, "-m", "sightline.adapters.supervisor", str(home)]
        assert subprocess.check_output(command, env=environment()) == b"{}"
        assert supervisor_pid(Place(home)) == first
        assert ask(lease, "select 1") == 1


@pytest.mark.parametrize("lock", ["start", "clients", "supervisor"])
def test_whoever_hangs_with_a_lock_is_not_waited_for(
    new_home: Path, lock: Literal["start", "clients", "supervisor"]
) -> None:
    embedded.make_folder(new_home)
    with embedded.open_owned(Place(new_home).lock(lock)) as held:
        assert embedded.try_lock(held, fcntl.LOCK_EX)
        with pytest.raises(DatabaseUnavailable, match="not become ready in time"):
            embedded.acquire(new_home, timeout=0.2)


def test_a_first_start_that_takes_too_long_goes_on_for_the_next_caller(new_home: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="not become ready in time"):
        embedded.acquire(new_home, timeout=0.15)
    with contextlib.closing(embedded.acquire(new_home)) as lease:
        assert ask(lease, "select 1") == 1


def test_an_idle_time_that_is_no_number_means_a_minute(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(supervisor.IDLE_VARIABLE, "soon")
    with contextlib.closing(embedded.acquire(home)):
        server = server_of(Place(home))
    time.sleep(3 * IDLE)
    assert server.is_running()
    os.kill(supervisor_pid(Place(home)), signal.SIGTERM)
    eventually(lambda: gone(server))
    assert "received fast shutdown request" in Place(home).log.read_text()


@pytest.mark.parametrize(
    ("before", "complaint"),
    [
        (
            "sys.executable = '/bin/false'",
            "DatabaseUnavailable: The embedded Postgres's supervisor ended without a word",
        ),
        ("sys.platform = 'win32'", "DatabaseUnfit: The embedded Postgres does not run on Windows yet"),
        ("sys.path[:] = [p for p in sys.path if 'site-packages' not in p]", "DatabaseUnfit: No embedded Postgres 18"),
    ],
)
def test_what_cannot_work_here_is_said_in_a_sentence(new_home: Path, before: str, complaint: str) -> None:
    program = CLIENT.replace("embedded.acquire", "embedded.binaries() and embedded.acquire")
    assert complaint in visit(new_home, program=f"import sys\n{before}\n{program}")[1]
