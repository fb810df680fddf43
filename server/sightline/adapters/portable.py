"""A project in a file: a zip of its tables as Postgres copies them, with a manifest that says what must be in it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

import asyncpg

from sightline.adapters import migrations
from sightline.adapters.copying import ending
from sightline.adapters.postgres import quoted, translated
from sightline.errors import FolderError, ProjectConflict, SightlineError

FORMAT: Final = "sightline-project"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
MANIFEST_BYTES: Final = 1 << 20
PIECE: Final = 1 << 20
TABLES: Final[Mapping[str, str]] = {
    "embedders": "", "repositories": "", "code_files": "", "code_chunks": "", "definitions": "", "embeddings": "",
    "word_segments": "", "postings": "", "vector_segments": "", "dead_chunks": "", "embedding_cache": "",
    "embedding_metadata": "", "change_events": "", "indexing_jobs": "where finished_at is not null",
    "meta": "where key <> 'project'",
}  # fmt: skip
"""In an order that foreign keys allow, each with what of it is left here: work under way, and whose database this is."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of an export."""

    columns: tuple[str, ...]
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an export holds."""

    id: str
    key: str
    name: str
    schema: int
    created_at: str
    tables: Mapping[str, Table]

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.tables.values())


async def write(connection: asyncpg.Connection, file: Path, project: tuple[str, str, str]) -> Manifest:
    """Writes a project (id, key and name) as it is at one moment; the file has its name only when it is whole."""
    with _fresh(file) as handle, zipfile.ZipFile(handle, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with translated():
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                tables = {name: await _write_table(connection, archive, name) for name in TABLES}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = Manifest(*project, migrations.latest_version("project"), now, tables)
        told = {"format": FORMAT, "version": VERSION, **asdict(manifest)}
        archive.writestr(MANIFEST, json.dumps(told, indent=1, ensure_ascii=False))
    return manifest


def check(file: Path) -> Manifest:
    """Reads a file to its end; FolderError where anything is not as its manifest says."""
    with _opened(file) as archive:
        manifest = _manifest(archive, file)
        for name, table in manifest.tables.items():
            digest, size = hashlib.sha256(), 0
            with archive.open(_member(name)) as stream:
                while piece := stream.read(PIECE):
                    digest.update(piece)
                    size += len(piece)
            if (size, digest.hexdigest()) != (table.bytes, table.sha256):
                raise _bad(file, f"{name} is not what was written")
    return manifest


async def read(connection: asyncpg.Connection, file: Path, manifest: Manifest, project_id: str) -> None:
    """Fills a project's empty database, in one transaction."""
    try:
        with _opened(file) as archive, translated():
            async with connection.transaction():
                await _refuse_used(connection)
                for name, table in manifest.tables.items():
                    await _read_table(connection, archive, name, table)
                for name in ("code_chunks", "indexing_jobs"):
                    await connection.execute(
                        f"update {name} set project_id = $1 where project_id <> $1", project_id
                    )  # fmt: skip
                await _count_on(connection)
            await connection.execute("analyze")
    except SightlineError as error:
        cause = error.__cause__
        if isinstance(
            cause, asyncpg.DataError | asyncpg.IntegrityConstraintViolationError | asyncpg.ProgramLimitExceededError
        ):
            raise _bad(file, f"the database refuses it ({type(cause).__name__})") from error
        raise


async def _write_table(connection: asyncpg.Connection, archive: zipfile.ZipFile, name: str) -> Table:
    columns = await _columns(connection, name)
    digest, size = hashlib.sha256(), 0
    with archive.open(_member(name), "w", force_zip64=True) as stream:

        async def take(piece: bytes) -> None:
            nonlocal size
            size += len(piece)
            digest.update(piece)
            try:
                stream.write(piece)
            except OSError as error:  # which is not the database's
                raise FolderError(f"the export cannot be written: {error.strerror}", hint="Free some space.") from error

        told = await connection.copy_from_query(
            f"select {_listed(columns)} from {quoted(name)} {TABLES[name]}", output=take, format="binary"
        )
    return Table(columns, int(told.rpartition(" ")[2]), size, digest.hexdigest())


async def _read_table(connection: asyncpg.Connection, archive: zipfile.ZipFile, name: str, table: Table) -> None:
    if table.columns != await _columns(connection, name):
        raise FolderError(f"the columns of {name} are not those of this Sightline", hint="Export the project again.")

    async def pieces() -> AsyncIterator[bytes]:
        with archive.open(_member(name)) as stream:
            while piece := stream.read(PIECE):
                yield piece

    async with ending(connection):
        await connection.copy_to_table(name, source=pieces(), columns=table.columns, format="binary")


async def _refuse_used(connection: asyncpg.Connection) -> None:
    if await connection.fetchval("select exists (table repositories) or exists (table embedding_cache)"):
        raise ProjectConflict(
            "there is such a project already, and it is not empty",
            hint="Remove it first, or import under another id with --id.",
        )


async def _count_on(connection: asyncpg.Connection) -> None:
    """New rows get ids that no row has."""
    for name in TABLES:
        counted = await connection.fetchval(
            "select attname from pg_attribute where attrelid = $1::text::regclass and attidentity <> ''", name
        )
        if counted is not None:
            await connection.execute(
                f"select setval(pg_get_serial_sequence('{name}', '{counted}'), max({counted})) from {quoted(name)}"
            )


async def _columns(connection: asyncpg.Connection, name: str) -> tuple[str, ...]:
    rows = await connection.fetch(
        "select attname from pg_attribute where attrelid = $1::text::regclass and attnum > 0 and not attisdropped"
        " order by attnum", name,
    )  # fmt: skip
    return tuple(row[0] for row in rows)


def _listed(columns: tuple[str, ...]) -> str:
    return ", ".join(map(quoted, columns))


def _member(table: str) -> str:
    return f"tables/{table}.copy"


def _manifest(archive: zipfile.ZipFile, file: Path) -> Manifest:
    """The manifest, checked: unknown tables and columns would be SQL of the file's choice."""
    with archive.open(MANIFEST) as stream:
        told = json.loads(stream.read(MANIFEST_BYTES))
    if told.pop("format") != FORMAT:
        raise _bad(file, "it is of another program")
    version, schema = told.pop("version"), told["schema"]
    if (version, schema) != (VERSION, migrations.latest_version("project")):
        raise FolderError(
            f"{file.name} was exported by another version of Sightline (format {version}, schema {schema})",
            hint="Export and import with the same version.",
        )
    tables = {
        name: Table(**{**table, "columns": tuple(table["columns"])}) for name, table in told.pop("tables").items()
    }
    manifest = Manifest(**told, tables=tables)
    if list(tables) != list(TABLES) or not all(_is_plain(each) for each in tables.values()):
        raise _bad(file, "its tables are not those of a project")
    if not all(isinstance(each, str) and each for each in (manifest.id, manifest.key, manifest.name)):
        raise _bad(file, "it does not say which project it is")
    return manifest


def _is_plain(table: Table) -> bool:
    return all(isinstance(each, str) and each.isidentifier() for each in table.columns) and isinstance(table.rows, int)


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    """An archive to read; whatever is wrong with it is a FolderError."""
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _bad(file, "it is damaged, or no zip") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _bad(file, "something is missing in it") from error
    except OSError as error:
        raise FolderError(f"{file} cannot be read: {error.strerror}", hint="Check the name of the file.") from error


@contextmanager
def _fresh(file: Path) -> Iterator[IO[Any]]:
    """A file to write, which gets its name when everything is on the disk."""
    name = ""
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}-", delete=False) as handle:
            name = handle.name
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(name, file)
    except OSError as error:
        raise FolderError(f"{file} cannot be written: {error.strerror}", hint="Choose another place.") from error
    finally:
        if name:
            with suppress(FileNotFoundError):
                os.unlink(name)


def _bad(file: Path, reason: str) -> FolderError:
    return FolderError(f"{file.name} is no whole export of a project: {reason}", hint="Export the project again.")
