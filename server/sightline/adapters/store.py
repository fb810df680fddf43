"""One project's database: its checkouts, embedders and files. `writing` changes it, `snapshots` searches it."""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg

from sightline.adapters import journal
from sightline.adapters.embedding import Identity
from sightline.adapters.files import Stat
from sightline.adapters.pools import Pool
from sightline.adapters.postgres import LOADING_SECONDS, Server, translated
from sightline.adapters.signals import Ears, Seat, forward
from sightline.adapters.writing import WRITER_LOCK, FileRow, Writer
from sightline.core.diffing import Position, StoredChunk

INTERRUPTED: Final = "interrupted; the next run goes on with it"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A folder on this host as a project's database knows it."""

    repository_id: int
    root: Path


class Store:
    """One project's database."""

    def __init__(self, server: Server, database: str, project_id: str) -> None:
        self._server = server
        self.database = database
        self.project_id = project_id

    async def revive(self) -> None:
        """Starts the embedded server again if it has ended."""
        await self._server.revive()

    async def pool(self) -> Pool:
        return await self._server.pool(self.database)

    async def repository(self, host_id: str, root: str, name: str) -> int:
        """The id of a checkout, which is added where it is new."""
        pool = await self.pool()
        with translated():
            found: int | None = await pool.fetchval(
                "select id from repositories where host_id = $1 and root_path = $2 and is_active", host_id, root
            )
            return found or await self._lasting(
                "insert into repositories (host_id, root_path, name) values ($1, $2, $3)"
                " on conflict (host_id, root_path) do update set is_active = true returning id",
                host_id, root, name,
            )  # fmt: skip

    async def embedder(self, identity: Identity, url: str = "") -> int:
        """The id of an embedder, which is added where it is new; `url` is where it is served now."""
        pool = await self.pool()
        prefixes = json.dumps(identity.prefixes, sort_keys=True)
        key = (identity.name, identity.version, identity.dimensions, prefixes)
        with translated():
            found: int | None = await pool.fetchval(
                "select id from embedders where (name, version, dimensions, prefixes, url) = ($1, $2, $3, $4::jsonb, $5)",
                *key, url,
            )  # fmt: skip
            return found or await self._lasting(
                "insert into embedders (name, version, dimensions, prefixes, url) values ($1, $2, $3, $4, $5)"
                " on conflict (name, version, dimensions, prefixes) do update set url = excluded.url returning id",
                *key, url,
            )  # fmt: skip

    async def _lasting(self, statement: str, *arguments: object) -> int:
        """A row's id that is remembered must outlive a crash of the server; an index's last second need not."""
        async with (await self.pool()).acquire() as connection, connection.transaction():
            await connection.execute("set local synchronous_commit = on")
            added: int = await connection.fetchval(statement, *arguments)
            return added

    async def files(self, repository_id: int, within: Sequence[str] = ()) -> dict[str, FileRow]:
        """The files of a checkout, by path: all, or those at and below the given paths."""
        pool = await self.pool()
        with translated():
            rows = await pool.fetch(
                "select id, relative_path, content_hash, size_bytes, mtime_ns, ctime_ns, inode, outcome,"
                " (extract(epoch from indexed_at) * 1000000)::bigint * 1000 as indexed_ns"
                " from code_files where repository_id = $1 and (cardinality($2::text[]) = 0 or exists"
                " (select 1 from unnest($2) p where relative_path = p or relative_path ^@ (p || '/')))",
                repository_id, list(within), timeout=LOADING_SECONDS,
            )  # fmt: skip
        return {row[1]: _file_row(row) for row in rows}

    async def chunks(self, file_ids: Sequence[int]) -> dict[int, tuple[StoredChunk, ...]]:
        """The chunks of files, by file id."""
        if not file_ids:
            return {}
        pool = await self.pool()
        with translated():
            rows = await pool.fetch(
                "select code_file_id, id, document_hash, start_line, end_line, start_byte, end_byte"
                " from code_chunks where code_file_id = any($1::int[])",
                file_ids, timeout=LOADING_SECONDS,
            )  # fmt: skip
        found: dict[int, list[StoredChunk]] = defaultdict(list)
        for row in rows:
            found[row[0]].append(StoredChunk(row[1], row[2], Position(*row[3:7])))
        return {file_id: tuple(chunks) for file_id, chunks in found.items()}

    async def allow(self, repository_id: int, embedder_id: int) -> None:
        """Notes that somebody agreed to what embedding a checkout with a model costs."""
        pool = await self.pool()
        with translated():
            await pool.execute(
                "insert into meta (key, value) values ($1, 'true') on conflict do nothing",
                f"allowed:{repository_id}:{embedder_id}",
            )

    async def allowed(self, repository_id: int, embedder_id: int) -> bool:
        pool = await self.pool()
        with translated():
            found: bool = await pool.fetchval(
                "select exists (select 1 from meta where key = $1)", f"allowed:{repository_id}:{embedder_id}"
            )
            return found

    async def request_job(self, repository_id: int, kind: str, paths: Sequence[str]) -> journal.Unfinished:
        """The job of a checkout that runs, else one that waits for its writer."""
        pool = await self.pool()
        with translated():
            async with pool.acquire() as connection:
                return await journal.request(connection, repository_id, self.project_id, kind, paths)

    async def give_up(self, job: UUID) -> bool:
        """Cancels a job that has not begun; whether it is one."""
        pool = await self.pool()
        with translated():
            async with pool.acquire() as connection:
                return await journal.give_up(connection, job)

    async def forward(self, repository_id: int, touched: Mapping[str, bool], *, as_job: bool) -> None:
        """Tells the checkout's writer, which may be this process, what was touched, and whether with force."""
        await forward(await self.pool(), repository_id, touched, as_job=as_job)

    async def job(self, job: UUID) -> dict[str, Any] | None:
        found = await self._jobs("id = $1", job)
        return found[0] if found else None

    async def jobs(self, repository_id: int, limit: int = 50) -> list[dict[str, Any]]:
        """The checkout's jobs, the newest first; of one whose process has ended, the message says so."""
        newest = "repository_id = $1 order by created_at desc, id limit $2"
        found = await self._jobs(newest, repository_id, limit)
        if not any(map(_has_begun, found)) or await self._is_being_written(repository_id):
            return found
        found = await self._jobs(newest, repository_id, limit)  # it may just have ended in good order
        return [{**job, "message": INTERRUPTED} if _has_begun(job) else job for job in found]

    async def _is_being_written(self, repository_id: int) -> bool:
        pool = await self.pool()
        with translated():
            return bool(await pool.fetchval(
                "select exists (select 1 from pg_locks where locktype = 'advisory' and granted and objsubid = 2"
                " and classid::bigint = $1 and objid::bigint = $2"
                " and database = (select oid from pg_database where datname = current_database()))",
                WRITER_LOCK, repository_id,
            ))  # fmt: skip

    async def _jobs(self, condition: str, *arguments: object) -> list[dict[str, Any]]:
        pool = await self.pool()
        with translated():
            async with pool.acquire() as connection:
                return await journal.jobs(connection, condition, *arguments)

    async def events(self, repository_id: int, limit: int = 100) -> list[journal.Event]:
        """What changed in a checkout, the newest first."""
        pool = await self.pool()
        with translated():
            async with pool.acquire() as connection:
                return await journal.events_of(connection, repository_id, limit)

    async def repository_of(self, event_id: int) -> Mapping[str, Any] | None:
        """The checkout that an event belongs to."""
        pool = await self.pool()
        with translated():
            async with pool.acquire() as connection:
                return await journal.repository_of(connection, event_id)

    async def file(self, repository_id: int, path: str) -> asyncpg.Record | None:
        """What the index has of one file."""
        pool = await self.pool()
        with translated():
            return await pool.fetchrow(
                "select outcome, language, indexed_at, (select count(*) from code_chunks where code_file_id = f.id) as chunks,"
                " (select max(applied_at) from change_events e where e.repository_id = $1 and e.relative_path = $2)"
                " as changed_at from code_files f where repository_id = $1 and relative_path = $2",
                repository_id, path,
            )  # fmt: skip

    async def checkouts(self, host_id: str, embedder_id: int) -> dict[int, tuple[Checkout, ...]]:
        """The project's checkouts on this host, by the model that serves each; `embedder_id` where none does yet."""
        pool = await self.pool()
        with translated():
            rows = await pool.fetch(
                "select id, root_path, coalesce(embedder_id, $2) from repositories where host_id = $1 and is_active"
                " order by id", host_id, embedder_id,
            )  # fmt: skip
        return {
            model: tuple(Checkout(row[0], Path(row[1])) for row in rows if row[2] == model)
            for model in dict.fromkeys(row[2] for row in rows)
        }

    async def status(self, repository_id: int) -> dict[str, Any]:
        """Counts of the checkout, its last job, and what its index takes."""
        pool = await self.pool()
        with translated():
            row = await pool.fetchrow(
                "select (select count(*) from code_files where repository_id = $1 and outcome = 'indexed') as files,"
                " (select count(*) from code_chunks c join code_files f on f.id = c.code_file_id"
                "  where f.repository_id = $1) as chunks,"
                " (select count(*) from word_segments where repository_id = $1) as segments,"
                " (select last_indexed_at from repositories where id = $1) as last_indexed_at,"
                " pg_database_size(current_database()) as size_bytes",
                repository_id, timeout=LOADING_SECONDS,
            )  # fmt: skip
            languages = await pool.fetch(
                "select language, count(*) from code_files where repository_id = $1 and outcome = 'indexed'"
                " group by language order by 2 desc, 1", repository_id, timeout=LOADING_SECONDS,
            )  # fmt: skip
        jobs = await self.jobs(repository_id, 1)
        return {
            **dict(row or {}),
            "languages": {each[0]: each[1] for each in languages},
            "job": {**jobs[0], "id": str(jobs[0]["id"]), "status_message": jobs[0]["message"]} if jobs else None,
        }

    async def writer(self, repository_id: int, embedder_id: int, identity: Identity, *, wait: bool) -> Writer | None:
        """The right to write a checkout's rows; None where another process has it and we do not wait."""
        connection = await self._server.connect(self.database)
        with contextlib.ExitStack() as undo:
            undo.callback(connection.terminate)
            with translated():
                if wait:
                    await connection.execute("select pg_advisory_lock($1, $2)", WRITER_LOCK, repository_id)
                elif not await connection.fetchval("select pg_try_advisory_lock($1, $2)", WRITER_LOCK, repository_id):
                    await connection.close()
                    return None
            undo.pop_all()
        return Writer(connection, self.project_id, repository_id, embedder_id, identity)

    @contextlib.asynccontextmanager
    async def seat(self, repository_id: int, embedder_id: int, identity: Identity, ears: Ears) -> AsyncIterator[Seat]:
        """A connection that hears what other servers do with a checkout, and may become its writer's."""
        connection = await self._server.connect(self.database)
        seat = Seat(connection, Writer(connection, self.project_id, repository_id, embedder_id, identity), ears)
        try:
            await seat.listen()
            yield seat
        finally:
            await seat.close()


def _has_begun(job: Mapping[str, Any]) -> bool:
    return job["state"] in ("pending", "running") and bool(job["phase"])


def _file_row(row: asyncpg.Record) -> FileRow:
    stat = Stat(size=row[3], mtime_ns=row[4], ctime_ns=row[5], inode=row[6])
    return FileRow(row[0], row[1], row[2], stat, row[7], row[8])
