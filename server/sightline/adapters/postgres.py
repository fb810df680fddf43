"""The Postgres that holds the registry and the projects: connections, pools, requirements, provisioning."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import asyncpg
from pgvector.asyncpg import register_vector

from sightline.adapters import embedded, migrations
from sightline.adapters.pools import Limits, Pool, PoolFacts, Pools
from sightline.errors import (
    DatabaseBusy,
    DatabaseError,
    DatabaseGone,
    DatabaseUnavailable,
    DatabaseUnfit,
    SightlineError,
)

REGISTRY: Final = "sightline_registry"
PROVISION_LOCK: Final = 0x5167_0002
MINIMUM_SERVER, MINIMUM_VECTOR = 150_000, (0, 7)
DEFAULT_LIMITS: Final = Limits()
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 4.0
"""How long whoever waits for an answer waits for each statement."""
LOADING_SECONDS: Final = 30.0
"""The same, for what a search reads once and keeps: it may be megabytes, over a slow network."""
WORK_SECONDS: Final = 600.0
"""How long a statement of the indexer or of the setup may take: a whole tree goes, on a slow disk."""
_UNAVAILABLE = (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.InterfaceError,
                asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError,
                asyncpg.InternalClientError)  # fmt: skip

NO_ANSWER: Final = (
    "Nothing is lost: an editor goes on when it is back, a command has to be run again. `sightline doctor` looks at it."
)


class Server:
    """A Postgres server, embedded or the user's own."""

    def __init__(
        self, parameters: dict[str, Any], lease: embedded.Lease | None, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self._parameters = parameters
        self._lease = lease
        self._pools = Pools(self._for_answers, limits)
        self._data_dir: Path | None = None

    @classmethod
    async def open(cls, url: str, data_dir: Path | None, limits: Limits = DEFAULT_LIMITS) -> Server:
        """Connects, checks what the server can do, and makes registry and template where they are missing."""
        if url:
            server = cls({"dsn": url}, None, limits)
        else:
            lease = await asyncio.to_thread(embedded.acquire, data_dir or embedded.default_data_dir())
            server = cls({"host": lease.host, "port": lease.port, "user": lease.user}, lease, limits)
            server._data_dir = data_dir
        async with contextlib.AsyncExitStack() as undo:
            undo.push_async_callback(server.close)
            await server._prepare()
            undo.pop_all()
        return server

    @property
    def is_embedded(self) -> bool:
        return self._lease is not None

    async def revive(self) -> None:
        """Starts the embedded server again if it has ended; its address stays the same."""
        if self._lease is None:
            return
        lease = await asyncio.to_thread(embedded.acquire, self._data_dir or embedded.default_data_dir())
        self._lease.close()
        self._lease = lease

    async def close(self) -> None:
        """Ends all pools, then lets go of the embedded server."""
        await self._pools.close()
        if self._lease is not None:
            self._lease.close()

    async def connect(self, database: str) -> asyncpg.Connection:
        """A connection of its own, for locks and LISTEN; the caller closes it."""
        return await self._prepared(database, WORK_SECONDS)

    async def _for_answers(self, database: str) -> asyncpg.Connection:
        return await self._prepared(database, ANSWER_SECONDS)

    async def _prepared(self, database: str, seconds: float) -> asyncpg.Connection:
        connection = await self._connect(database, seconds)
        with contextlib.ExitStack() as undo:
            undo.callback(connection.terminate)
            if database != REGISTRY:
                with translated():
                    await prepare_connection(connection)
            undo.pop_all()
        return connection

    @contextlib.asynccontextmanager
    async def connection(self, database: str) -> AsyncIterator[asyncpg.Connection]:
        """A connection of its own for as long as the block lasts."""
        async with _closing(await self.connect(database)) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def unprepared(self, database: str) -> AsyncIterator[asyncpg.Connection]:
        """The same to a database that may have nothing of ours yet, to make it."""
        async with _closing(await self._connect(database)) as connection:
            yield connection

    async def _connect(self, database: str | None, seconds: float = WORK_SECONDS) -> asyncpg.Connection:
        """To the database that the user's own address names, where none is given; `seconds` a statement may take."""
        parameters = self._parameters | ({"database": database} if database else {}) | _settings_for(database)
        try:
            with translated():
                connection: asyncpg.Connection = await asyncpg.connect(
                    **parameters, timeout=CONNECT_SECONDS, command_timeout=seconds
                )
                return connection
        except (ValueError, OverflowError) as error:  # of an address that cannot be read
            raise _no_address() from error

    async def pool(self, database: str) -> Pool:
        """The pool of a database."""
        return self._pools.of(database)

    @property
    def limits(self) -> Limits:
        """How many connections the pools may have."""
        return self._pools.limits

    def pools(self) -> tuple[PoolFacts, ...]:
        """What each pool does, the one used last first."""
        return self._pools.facts()

    async def close_pool(self, database: str) -> None:
        """Ends all pooled connections to a database."""
        self._pools.end(database)

    async def facts(self) -> dict[str, Any]:
        """Versions, for people."""
        async with self.connection(REGISTRY) as connection:
            return {
                "version": await connection.fetchval("show server_version"),
                "vector": await connection.fetchval(
                    "select default_version from pg_available_extensions where name = 'vector'"
                ),
                "embedded": self.is_embedded,
                "connections": await connection.fetchval(
                    "select count(*) from pg_stat_activity where datname is not null"
                ),
                "max_connections": int(await connection.fetchval("show max_connections")),
            }

    async def create_database(self, name: str) -> None:
        """Makes the database from the template; one that exists already is as good."""
        template = self.template
        async with self.connection(REGISTRY) as connection:
            try:
                await connection.execute(f"create database {quoted(name)} template {quoted(template)} strategy wal_log")
            except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
                return
            except asyncpg.InsufficientPrivilegeError as error:
                raise _no_createdb() from error

    async def drop_database(self, name: str) -> None:
        await self.close_pool(name)
        async with self.connection(REGISTRY) as connection:
            await connection.execute(f"drop database if exists {quoted(name)} with (force)")

    @property
    def template(self) -> str:
        """One template for each schema version, so that two Sightlines of different age can share a server."""
        return f"sightline_template_{migrations.latest_version('project'):04}"

    async def _prepare(self) -> None:
        try:
            connection = await self.connect(REGISTRY)
        except DatabaseGone:
            await self._bootstrap()
            connection = await self.connect(REGISTRY)
        async with _closing(connection):
            await migrations.migrate(connection, "registry")
            if not await connection.fetchval("select 1 from pg_database where datname = $1", self.template):
                await self._make_template(connection)

    async def _bootstrap(self) -> None:
        """The registry database, on a server that has none."""
        async with _closing(await self._anywhere()) as connection:
            await check_requirements(connection)
            await _create(connection, f"create database {REGISTRY}")

    async def _anywhere(self) -> asyncpg.Connection:
        try:
            return await self._connect("postgres" if self._lease else None)
        except DatabaseGone as error:
            raise DatabaseUnfit(
                "SIGHTLINE_DATABASE_URL names a database that does not exist",
                hint="Name one that does, such as postgres.",
            ) from error

    async def _make_template(self, registry: asyncpg.Connection) -> None:
        """Made under a working name and renamed, so that a half-made template is never used."""
        working = f"{self.template}_new"
        await registry.execute("select pg_advisory_lock($1)", PROVISION_LOCK)
        try:
            if await registry.fetchval("select 1 from pg_database where datname = $1", self.template):
                return
            await check_requirements(registry)
            await registry.execute(f"drop database if exists {quoted(working)} with (force)")
            await _create(registry, f"create database {quoted(working)}")
            async with self.unprepared(working) as connection:
                await migrations.migrate(connection, "project")
            await registry.execute(f"alter database {quoted(working)} rename to {quoted(self.template)}")
        finally:
            await registry.execute("select pg_advisory_unlock($1)", PROVISION_LOCK)


@contextlib.contextmanager
def given_up(connection: asyncpg.Connection) -> Iterator[None]:
    """Ends a connection on which a statement took too long: a server that hangs would not end a transaction either."""
    try:
        yield
    except TimeoutError:
        connection.terminate()
        raise


async def prepare_connection(connection: asyncpg.Connection) -> None:
    """The codecs of a project connection."""
    try:
        await register_vector(connection)
    except ValueError as error:  # pgvector's word for a database without the extension
        raise DatabaseUnfit(
            "the project's database has no vector extension", hint="As a superuser run in it: CREATE EXTENSION vector;"
        ) from error


async def check_requirements(connection: asyncpg.Connection) -> None:
    """Raises DatabaseUnfit, with the statement to run, where version, extension or right is missing."""
    version = int(await connection.fetchval("show server_version_num"))
    if version < MINIMUM_SERVER:
        raise DatabaseUnfit(
            f"the server is Postgres {version // 10_000}; 15 or later is needed",
            hint="Point SIGHTLINE_DATABASE_URL to a newer server, or unset it to use the embedded one.",
        )
    available = await connection.fetchval("select default_version from pg_available_extensions where name = 'vector'")
    if available is None:
        raise migrations.no_vector()
    if tuple(int(part) for part in re.findall(r"\d+", available)[:2]) < MINIMUM_VECTOR:
        raise DatabaseUnfit(
            f"the server has pgvector {available}; 0.7 or later is needed",
            hint="Upgrade the package, then run: ALTER EXTENSION vector UPDATE;",
        )
    if not await connection.fetchval("select rolcreatedb or rolsuper from pg_roles where rolname = current_user"):
        raise _no_createdb()


def quoted(name: str) -> str:
    """A name as a quoted SQL identifier: the one place where a name gets into SQL."""
    return '"' + name.replace('"', '""') + '"'


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Errors of asyncpg and of the network as ours, without connection strings."""
    try:
        yield
    except SightlineError:
        raise
    except asyncpg.ClientConfigurationError as error:
        raise _no_address() from error
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise DatabaseUnfit(
            "the database refused the role or its password", hint="Check SIGHTLINE_DATABASE_URL and PGPASSWORD."
        ) from error
    except asyncpg.InvalidCatalogNameError as error:
        raise DatabaseGone(
            "the database does not exist", hint="A project's database is made again when its folder is opened."
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise DatabaseUnfit(
            "the database role may not use what another role of Sightline has made",
            hint="As a superuser run: GRANT <that role> TO <this role>;",
        ) from error
    except asyncpg.UndefinedFileError as error:
        raise migrations.no_vector() from error
    except asyncpg.DiskFullError as error:
        raise DatabaseUnavailable("the database's disk is full", hint="Free some space; nothing is lost.") from error
    except asyncpg.OutOfMemoryError as error:
        raise DatabaseUnavailable("the database is out of memory", hint="Free some; nothing is lost.") from error
    except asyncpg.TooManyConnectionsError as error:
        raise DatabaseBusy(
            "the database takes no more connections",
            hint="Close what uses it, raise its max_connections, or lower database.maxConnections.",
        ) from error
    except _UNAVAILABLE as error:
        raise DatabaseUnavailable("the database does not answer", hint=NO_ANSWER) from error
    except asyncpg.PostgresError as error:
        reason = type(error).__name__
        raise DatabaseError(
            f"the database refused a statement ({reason})", hint="The server's log says more."
        ) from error


async def _create(connection: asyncpg.Connection, statement: str) -> None:
    try:
        await connection.execute(statement)
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
        return
    except asyncpg.InsufficientPrivilegeError as error:
        raise _no_createdb() from error


def _no_address() -> DatabaseUnfit:
    return DatabaseUnfit(
        "SIGHTLINE_DATABASE_URL is no Postgres address", hint="Write postgresql://USER@HOST:PORT/DATABASE."
    )


def _no_createdb() -> DatabaseUnfit:
    return DatabaseUnfit(
        "the database role may not create databases; Sightline keeps one for each project",
        hint="As a superuser run: ALTER ROLE <role> CREATEDB;",
    )


def _settings_for(database: str | None) -> dict[str, Any]:
    """An index may lose its last second, never its shape; the registry may lose nothing."""
    settings = {"application_name": "sightline"}
    if database not in (None, REGISTRY, "postgres"):
        settings |= {"synchronous_commit": "off", "jit": "off", "max_parallel_workers_per_gather": "0"}
    return {"server_settings": settings}


@contextlib.asynccontextmanager
async def _closing(connection: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    """The connection for as long as the block lasts; errors are ours."""
    try:
        with translated():
            yield connection
    finally:
        try:
            await connection.close(timeout=2)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection.terminate()
