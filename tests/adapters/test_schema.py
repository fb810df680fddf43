"""The live tables: their columns are those of our rows, and they refuse what no indexer may store."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any, Literal, get_args, get_origin, get_type_hints
from uuid import UUID

import asyncpg
import pytest

from sightline import messages
from sightline.adapters import embedding
from sightline.adapters.embedding import Identity
from sightline.adapters.files import Stat
from sightline.adapters.journal import Generation
from sightline.adapters.postgres import REGISTRY
from sightline.adapters.store import Checkout
from sightline.adapters.writing import CHUNK_COLUMNS, DEFINITION_COLUMNS, FileRow
from sightline.core.analysis import ChunkRow, DefinitionRow
from sightline.core.diffing import Position
from sightline.core.identity import ID_LENGTH
from sightline.projects import Project, ProjectInfo
from sightline.workspaces import Workspace, Workspaces
from support import Files, index

PYTHON_TYPES: dict[str, type] = {
    "integer": int, "bigint": int, "smallint": int, "text": str, "character varying(50)": str, "uuid": UUID,
    "character varying(63)": str, "boolean": bool, "bytea": bytes, "jsonb": dict, "text[]": list, "timestamp with time zone": datetime,
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Column:
    """A live column; `default` is its expression, "identity" where the table counts."""

    type: str
    nullable: bool
    default: str | None

    @property
    def python(self) -> Any:
        """Type and nullability as our annotations write them."""
        return PYTHON_TYPES[self.type] | None if self.nullable else PYTHON_TYPES[self.type]


@pytest.fixture
async def project(sightline: Workspaces, workspace: Workspace) -> AsyncIterator[asyncpg.Connection]:
    async with sightline.server.connection(workspace.project.database) as connection:
        yield connection


@pytest.fixture
async def registry(sightline: Workspaces) -> AsyncIterator[asyncpg.Connection]:
    async with sightline.server.connection(REGISTRY) as connection:
        yield connection


async def columns_of(connection: asyncpg.Connection, table: str) -> dict[str, Column]:
    rows = await connection.fetch(
        "select attname, format_type(atttypid, atttypmod), not attnotnull,"
        " case when attidentity <> '' then 'identity' else pg_get_expr(adbin, adrelid) end"
        " from pg_attribute left join pg_attrdef on (adrelid, adnum) = (attrelid, attnum)"
        " where attrelid = $1::text::regclass and attnum > 0 and not attisdropped order by attnum", table,
    )  # fmt: skip
    return {row[0]: Column(row[1], row[2], row[3]) for row in rows}


def fields_of(row: type, *without: str) -> dict[str, Any]:
    """A dataclass's fields with their types."""
    return {name: hint for name, hint in get_type_hints(row).items() if name not in without}


def plain(hint: Any) -> Any:
    """A Literal is of its values' type."""
    return type(get_args(hint)[0]) if get_origin(hint) is Literal else hint


def python_types(columns: dict[str, Column], names: Iterable[str]) -> dict[str, Any]:
    return {name: columns[name].python for name in names}


async def test_a_chunks_row_is_its_table(project: asyncpg.Connection) -> None:
    columns = await columns_of(project, "code_chunks")
    ours = fields_of(ChunkRow, "definitions", "position") | fields_of(Position)
    assert tuple(columns) == CHUNK_COLUMNS
    assert ours == python_types(columns, ours)
    assert set(columns) - set(ours) == {"id", "code_file_id", "project_id"}
    assert {name: each.default for name, each in columns.items() if each.default} == {"id": "identity"}


async def test_a_definitions_row_is_its_table(project: asyncpg.Connection) -> None:
    columns = await columns_of(project, "definitions")
    assert tuple(columns) == DEFINITION_COLUMNS
    assert {"chunk_id": int, **fields_of(DefinitionRow)} == python_types(columns, columns)
    assert not [name for name, each in columns.items() if each.default is not None]


async def test_a_files_row_is_its_table(project: asyncpg.Connection) -> None:
    columns = await columns_of(project, "code_files")
    renamed = {"relative_path": "path", "size_bytes": "size", "indexed_at": "indexed_ns"}
    ours = fields_of(FileRow, "stat") | fields_of(Stat)
    live = {renamed.get(name, name): each.python for name, each in columns.items()}
    assert live.pop("indexed_ns") is datetime
    assert ours.pop("indexed_ns") is int
    assert (live.pop("repository_id"), live.pop("language")) == (int, str)
    assert live == ours
    defaults = {name: each.default for name, each in columns.items() if each.default}
    assert defaults == {"id": "identity", "language": "'plaintext'::text", "indexed_at": "now()"}


async def test_an_embedders_row_is_its_identity(project: asyncpg.Connection) -> None:
    columns = await columns_of(project, "embedders")
    ours = fields_of(Identity)
    assert ours.pop("prefixes") == dict[str, str]
    assert python_types(columns, [*ours, "prefixes"]) == {**ours, "prefixes": dict}
    assert set(columns) - set(ours) == {"id", "prefixes", "url", "created_at"}
    assert not [name for name, each in columns.items() if each.nullable]


async def test_a_jobs_row_is_its_message(project: asyncpg.Connection) -> None:
    columns = await columns_of(project, "indexing_jobs")
    ours = {name: plain(field.annotation) for name, field in messages.Job.model_fields.items()} | {"failures": dict}
    live = {"message" if name == "status_message" else name: each.python for name, each in columns.items()}
    assert {name: live[name] for name in ours} == ours
    assert set(live) - set(ours) == {"repository_id", "paths", "owner", "created_at"}
    assert {name: each.default for name, each in columns.items() if each.default} == {
        "id": "gen_random_uuid()", "state": "'pending'::text", "phase": "''::text", "files_total": "0", "files_done": "0",
        "chunks": "0", "texts_embedded": "0", "pending_vectors": "0", "paths": "'{}'::text[]", "failures": "'{}'::jsonb",
        "status_message": "''::text", "owner": "''::text", "created_at": "now()",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["kind", "state"])
async def test_a_job_takes_the_words_of_its_message_and_no_others(
    project: asyncpg.Connection, workspace: Workspace, name: str
) -> None:
    columns = "kind" if name == "kind" else "state, kind"
    insert = f"insert into indexing_jobs (repository_id, project_id, {columns}) values ($1, 'p', $2, 'scan')"
    if name == "kind":
        insert = insert.replace(", 'scan'", "")
    for word in get_args(messages.Job.model_fields[name].annotation):
        await project.execute(insert, workspace.checkout.repository_id, word)
    with pytest.raises(asyncpg.CheckViolationError):
        await project.execute(insert, workspace.checkout.repository_id, "psychic")


async def test_generations_of_vectors_are_told_with_the_default_models_name(project: asyncpg.Connection) -> None:
    default = embedding.bundled().identity
    columns = await columns_of(project, "embedding_metadata")
    assert columns == {
        "id": Column("bigint", False, "identity"),
        "model_name": Column("text", False, f"'{default.name}'::text"),
        "model_version": Column("text", True, None),
        "dimensions": Column("integer", False, str(default.dimensions)),
        "generation_time_ms": Column("integer", False, None),
        "chunk_count": Column("integer", False, "0"),
        "created_at": Column("timestamp with time zone", False, "now()"),
    }
    with pytest.raises(asyncpg.NotNullViolationError):
        await project.execute("insert into embedding_metadata default values")
    with pytest.raises(asyncpg.CheckViolationError):
        await project.execute("insert into embedding_metadata (generation_time_ms) values (-1)")


async def test_a_generations_row_is_its_table(project: asyncpg.Connection) -> None:
    columns = await columns_of(project, "embedding_metadata")
    ours = fields_of(Generation)
    assert list(ours) == [name for name in columns if name not in ("id", "created_at")]
    assert ours == python_types(columns, ours)


async def test_a_generation_is_recorded_with_every_batch(
    project: asyncpg.Connection, workspace: Workspace, folder: Files
) -> None:
    """Once for all texts that had to be embedded, and not for those that were known or only moved."""
    identity = embedding.bundled().identity
    model = (identity.name, identity.version, identity.dimensions)
    changes: list[tuple[dict[str, str | bytes], list[str], list[int]]] = [
        ({"a.py": "def a(): pass\n"}, [], [1]),
        ({}, [], [1]),
        ({"b.py": "def a(): pass\n"}, ["a.py"], [1]),
        ({"c.py": "def c(): pass\n", "d.py": "def d(): pass\n"}, [], [1, 2]),
        ({"c.py": "def a(): pass\n"}, [], [1, 2]),
        ({"a.py": "def e(): pass\n"}, ["b.py"], [1, 2, 1]),
    ]
    for written, removed, expected in changes:
        folder.write(written)
        folder.remove(*removed)
        await index(workspace)
        rows = await project.fetch("select * from embedding_metadata order by id")
        assert [row["chunk_count"] for row in rows] == expected
    assert {(row["model_name"], row["model_version"], row["dimensions"]) for row in rows} == {model}
    assert all(row["generation_time_ms"] >= 0 for row in rows)
    assert all(row["created_at"].tzinfo is not None for row in rows)
    assert len({row["created_at"] for row in rows}) == 3


async def test_the_registrys_tables_hold_what_a_project_is(registry: asyncpg.Connection) -> None:
    projects, roots = await columns_of(registry, "projects"), await columns_of(registry, "project_roots")
    assert projects == {
        "id": Column(f"character varying({ID_LENGTH})", False, None),
        "key": Column("text", False, None),
        "name": Column("text", False, None),
        "database_name": Column("character varying(63)", False, None),
        "state": Column("text", False, "'creating'::text"),
        "schema_version": Column("integer", False, "0"),
        "created_at": Column("timestamp with time zone", False, "now()"),
        "updated_at": Column("timestamp with time zone", False, "now()"),
        "last_used_at": Column("timestamp with time zone", False, "now()"),
        "metadata": Column("jsonb", False, "'{}'::jsonb"),
    }
    assert roots == {
        "project_id": Column(f"character varying({ID_LENGTH})", False, None),
        "host_id": Column("text", False, None),
        "path": Column("text", False, None),
    }
    for row in (Project, ProjectInfo):
        ours = fields_of(row)
        assert (ours["id"], ours["name"], ours["database"]) == tuple(
            projects[name].python for name in ("id", "name", "database_name")
        )


@pytest.mark.parametrize("schema", ["registry", "project"])
async def test_applied_files_are_noted_the_same_way_everywhere(
    registry: asyncpg.Connection, project: asyncpg.Connection, schema: str
) -> None:
    assert await columns_of(registry if schema == "registry" else project, "schema_migrations") == {
        "version": Column("integer", False, None),
        "name": Column("text", False, None),
        "checksum": Column("text", False, None),
        "applied_at": Column("timestamp with time zone", False, "now()"),
    }


async def test_every_time_has_its_zone(registry: asyncpg.Connection, project: asyncpg.Connection) -> None:
    for connection in (registry, project):
        naive = await connection.fetchval(
            "select count(*) from information_schema.columns where table_schema = 'public'"
            " and data_type in ('timestamp without time zone', 'date', 'time without time zone')"
        )
        assert naive == 0


BAD_IDS = ["", "UPPER", "under_score", "spa ce", "trailing\n", "\nleading", "é", "а", "ſ", "K", "a/b", "x" * 51, "a.b"]


async def stored_chunk(connection: asyncpg.Connection, workspace: Workspace, **columns: object) -> asyncpg.Record:
    """Inserts a chunk with these columns different from what an indexer stores."""
    file_id = await connection.fetchval(
        "insert into code_files (repository_id, relative_path, size_bytes, mtime_ns, ctime_ns, inode, outcome)"
        " values ($1, gen_random_uuid()::text, 0, 0, 0, 0, 'indexed') returning id", workspace.checkout.repository_id,
    )  # fmt: skip
    values = {
        "code_file_id": file_id, "project_id": workspace.project.id, "content": "x", "text_hash": b"", "document_hash": b"",
        "start_line": 0, "end_line": 0, "start_byte": 0, "end_byte": 1, "kind": "text", "symbol": "", "container": "",
        "signature": "", "doc": "", "outline": "", **columns,
    }  # fmt: skip
    places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
    return await connection.fetchrow(
        f"insert into code_chunks ({', '.join(values)}) values ({places}) returning *", *values.values()
    )


async def test_the_database_refuses_a_chunk_of_no_project(project: asyncpg.Connection, workspace: Workspace) -> None:
    refusals = (asyncpg.CheckViolationError, asyncpg.StringDataRightTruncationError)
    for project_id in BAD_IDS:
        with pytest.raises(refusals):
            await stored_chunk(project, workspace, project_id=project_id)
        with pytest.raises(refusals):
            await project.execute("insert into indexing_jobs (repository_id, project_id, kind) values ($1, $2, 'scan')",
                                  workspace.checkout.repository_id, project_id)  # fmt: skip


async def test_no_column_of_a_chunk_may_be_missing(project: asyncpg.Connection, workspace: Workspace) -> None:
    for column in CHUNK_COLUMNS[1:]:
        with pytest.raises(asyncpg.NotNullViolationError, match=column):
            await stored_chunk(project, workspace, **{column: None})


async def test_the_longest_project_id_fits(project: asyncpg.Connection, workspace: Workspace) -> None:
    assert (await stored_chunk(project, workspace, project_id="a" * ID_LENGTH))["project_id"] == "a" * ID_LENGTH


async def test_the_registry_refuses_a_bad_id(registry: asyncpg.Connection) -> None:
    for project_id in [*BAD_IDS, "-a", "a-", "a--b", "-"]:
        with pytest.raises((asyncpg.CheckViolationError, asyncpg.StringDataRightTruncationError)):
            await registry.execute(
                "insert into projects (id, key, name, database_name) values ($1, 'test:bad', 'n', 'test_bad')",
                project_id,
            )


async def test_an_event_needs_its_repository_and_goes_with_it(
    project: asyncpg.Connection, workspace: Workspace
) -> None:
    insert = (
        "insert into change_events (repository_id, relative_path, change_type, detected_at) values ($1, 'a', $2, now())"
    )
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await project.execute(insert, 999_999, "added")
    with pytest.raises(asyncpg.CheckViolationError):
        await project.execute(insert, workspace.checkout.repository_id, "renamed")
    for change in ("added", "modified", "deleted"):
        await project.execute(insert, workspace.checkout.repository_id, change)
    assert await project.fetchval("select count(applied_at) from change_events") == 3
    await project.execute("delete from repositories where id = $1", workspace.checkout.repository_id)
    assert await project.fetchval("select count(*) from change_events") == 0


async def test_a_repository_takes_all_that_is_its_own(
    project: asyncpg.Connection, workspace: Workspace, folder: Files
) -> None:
    folder.write({"a.py": "def a(): pass\n", "b.py": "def b(): pass\n"})
    await index(workspace)
    await project.execute("delete from repositories where id = $1", workspace.checkout.repository_id)
    for table in ("code_files", "code_chunks", "definitions", "embeddings", "word_segments", "postings",
                  "vector_segments", "change_events", "indexing_jobs"):  # fmt: skip
        assert await project.fetchval(f"select count(*) from {table}") == 0, table


async def test_a_deleted_chunk_is_noted_and_takes_its_rows(
    project: asyncpg.Connection, workspace: Workspace, folder: Files
) -> None:
    folder.write({"a.py": "def a(): pass\n", "b.py": "def b(): pass\n"})
    await index(workspace)
    gone = await project.fetchval("delete from code_chunks where symbol = 'a' returning id")
    assert await project.fetchval("select array_agg(chunk_id) from dead_chunks") == [gone]
    assert await project.fetchval("select array_agg(name) from definitions") == ["b"]
    assert await project.fetchval("select count(*) from embeddings") == 1


async def test_a_checkouts_row_is_its_table(project: asyncpg.Connection) -> None:
    columns = await columns_of(project, "repositories")
    assert fields_of(Checkout)["repository_id"] is columns["id"].python
    assert {name: (each.python, each.default) for name, each in columns.items()} == {
        "id": (int, "identity"), "host_id": (str, None), "root_path": (str, None), "name": (str, None),
        "is_active": (bool, "true"), "created_at": (datetime, "now()"), "last_indexed_at": (datetime | None, None),
        "embedder_id": (int | None, None), "former_embedder_id": (int | None, None), "refused_embedder_id": (int | None, None),
        "embedder_changed_at": (datetime | None, None),
    }  # fmt: skip
