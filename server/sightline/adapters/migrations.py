"""Applies the numbered SQL of `schemas/postgres` to a database, once and in order."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal

import asyncpg

from sightline.errors import DatabaseUnfit

Schema = Literal["registry", "project"]
LOCK: Final = 0x5167_0001
"""Advisory lock of a database while it is migrated."""


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


@cache
def migrations(schema: Schema) -> tuple[Migration, ...]:
    """All of a schema's files, first to last."""
    found = []
    for path in sorted((schemas_folder() / "postgres" / schema).glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_(\w+)\.sql", path.name)
        if match:
            found.append(Migration(int(match[1]), match[2], path.read_text("utf-8")))
    return tuple(found)


@cache
def schemas_folder() -> Path:
    """Inside the package when it is installed, beside `server` in a checkout."""
    package = Path(str(files("sightline")))
    installed = package / "schemas"
    return installed if installed.is_dir() else package.parents[1] / "schemas"


def latest_version(schema: Schema) -> int:
    return migrations(schema)[-1].version


async def migrate(connection: asyncpg.Connection, schema: Schema) -> int:
    """Brings the database to the latest version, which it returns; a no-op costs one query."""
    if await _applied(connection) == {each.version: each.checksum for each in migrations(schema)}:
        return latest_version(schema)
    await connection.execute("select pg_advisory_lock($1)", LOCK)
    try:
        applied = await _applied(connection)
        _check_history(applied, schema)
        for migration in migrations(schema):
            if migration.version not in applied:
                await _apply(connection, migration)
    finally:
        await connection.execute("select pg_advisory_unlock($1)", LOCK)
    await connection.reload_schema_state()
    return latest_version(schema)


async def _applied(connection: asyncpg.Connection) -> dict[int, str]:
    if not await connection.fetchval("select to_regclass('schema_migrations') is not null"):
        return {}
    rows = await connection.fetch("select version, checksum from schema_migrations")
    return {row["version"]: row["checksum"] for row in rows}


def _check_history(applied: dict[int, str], schema: Schema) -> None:
    known = {each.version: each.checksum for each in migrations(schema)}
    if newer := sorted(set(applied) - set(known)):
        raise DatabaseUnfit(
            f"the {schema} database has schema version {newer[-1]}, this Sightline knows {latest_version(schema)}",
            hint="Install the newer sightline-ls that made it.",
        )
    if edited := [version for version, checksum in applied.items() if known[version] != checksum]:
        raise DatabaseUnfit(
            f"schema file {edited[0]:04} of the {schema} database differs from the one that was applied",
            hint="Released schema files are never edited: install the released package again.",
        )


async def _apply(connection: asyncpg.Connection, migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "insert into schema_migrations (version, name, checksum) values ($1, $2, $3)",
                migration.version,
                migration.name,
                migration.checksum,
            )
    except asyncpg.InsufficientPrivilegeError as error:
        raise DatabaseUnfit(
            f"the database role may not set up the schema: {error.args[0]}",
            hint="As a superuser run in template1: CREATE EXTENSION IF NOT EXISTS vector;"
            " and as the database's owner: GRANT CREATE ON SCHEMA public TO <role>;",
        ) from error
    except (asyncpg.FeatureNotSupportedError, asyncpg.UndefinedFileError) as error:
        raise no_vector() from error
    except asyncpg.UndefinedObjectError as error:  # no type halfvec: an extension made by an older package
        raise DatabaseUnfit(
            "the database's vector extension is older than 0.7",
            hint="As a superuser run in template1: ALTER EXTENSION vector UPDATE;",
        ) from error


def no_vector() -> DatabaseUnfit:
    """A server on which pgvector is not installed, or not any more."""
    return DatabaseUnfit(
        "the Postgres server has no pgvector",
        hint="Install pgvector 0.7 or later on the server, then run: CREATE EXTENSION vector;",
    )
