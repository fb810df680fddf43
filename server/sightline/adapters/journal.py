"""What is written about the work on a checkout: jobs with their failures, vectors computed, and an event for each file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from sightline.adapters.copying import copy
from sightline.adapters.files import Skipped

JOB_LOCK: Final = 0x5167_0005
EVENT_DAYS: Final = 30
JOB_DAYS: Final = 7
MOST_LISTED: Final = 1_000
"""Failures and paths of one job that its row holds."""
Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
UNFINISHED: Final = "repository_id = $1 and state in ('pending', 'running')"
JOB_COLUMNS: Final = (
    "id, project_id, kind, state, phase, files_total, files_done, chunks, texts_embedded, pending_vectors, failures,"
    " status_message as message, error, started_at, finished_at"
)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A job that somebody asked for, or that its owner left."""

    id: UUID
    kind: str
    paths: tuple[str, ...]
    """Empty: everything."""
    has_begun: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """A file that was added, modified or deleted."""

    id: int
    repository_id: int
    path: str
    change: str
    detected_at: datetime
    applied_at: datetime


@dataclass(frozen=True, slots=True)
class Generation:
    """Texts for which a model computed vectors at once: a row of `embedding_metadata`."""

    model_name: str
    model_version: str | None
    dimensions: int
    generation_time_ms: int
    chunk_count: int


async def request(
    connection: Connection, repository_id: int, project_id: str, kind: str, paths: Sequence[str]
) -> Unfinished:
    """A job that runs and does what is asked; else one that waits for the writer, for this besides what it is for."""
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1, $2)", JOB_LOCK, repository_id)
        found = await _unfinished(connection, repository_id)
        for job in found:
            if job.has_begun and _covers(job, kind, _listed(paths)):
                return job
        waiting = next((job for job in found if not job.has_begun), None)
        if waiting is not None:
            return await _widened(connection, waiting, kind, _listed(paths))
        return await _added(connection, repository_id, project_id, kind, paths)


async def unfinished(connection: Connection, repository_id: int) -> list[Unfinished]:
    """Jobs that wait or are marked running, the oldest first, for their writer.

    With this they have begun: who asked for more, or gave one up, after it was read would be told of what was not done.
    """
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1, $2)", JOB_LOCK, repository_id)
        await connection.execute(
            f"update indexing_jobs set phase = 'scanning' where {UNFINISHED} and phase = ''", repository_id
        )
        return await _unfinished(connection, repository_id)


async def begin(
    connection: Connection,
    repository_id: int,
    project_id: str,
    kind: str,
    paths: Sequence[str],
    owner: str,
    left: Sequence[Unfinished] = (),
) -> UUID:
    """A job that looks at the files first: the oldest one `left`, with which the others are done too, else a new one."""
    async with connection.transaction():
        job = (left[0] if left else await _added(connection, repository_id, project_id, kind, paths)).id
        await connection.execute(
            "update indexing_jobs set state = 'pending', phase = 'scanning', kind = $2, paths = $3, owner = $4,"
            " started_at = coalesce(started_at, now()) where id = $1", job, kind, _listed(paths), owner,
        )  # fmt: skip
        await connection.execute(
            "update indexing_jobs set state = 'cancelled', finished_at = now(), status_message = $2"
            " where id = any($1::uuid[])", [each.id for each in left[1:]], f"done with job {job}",
        )  # fmt: skip
        return job


async def give_up(connection: Connection, job: UUID) -> bool:
    """Cancels a job that has not begun; whether it is one."""
    done = await connection.fetchval(
        "update indexing_jobs set state = 'cancelled', finished_at = now(), status_message = 'cancelled before it began'"
        " where id = $1 and state = 'pending' and phase = '' returning true", job,
    )  # fmt: skip
    return bool(done)


async def finish(
    connection: Connection, job: UUID, state: str, message: str, error: str | None, failed: Sequence[Skipped]
) -> None:
    failures = {each.path: f"{each.reason}: {each.detail}" if each.detail else each.reason for each in failed}
    listed = dict(list(failures.items())[:MOST_LISTED])
    await connection.execute(
        "update indexing_jobs set state = $2, status_message = $3, error = $4, failures = $5, finished_at = now()"
        " where id = $1", job, state, message, error, json.dumps(listed),
    )  # fmt: skip


async def forget_old(connection: Connection, repository_id: int) -> None:
    """Retention: whenever everything is looked at."""
    await connection.execute(
        "delete from embedding_metadata where created_at < now() - make_interval(days => $1)", EVENT_DAYS
    )
    await connection.execute(
        "delete from change_events where repository_id = $1 and applied_at < now() - make_interval(days => $2)",
        repository_id, EVENT_DAYS,
    )  # fmt: skip
    await connection.execute(
        "delete from indexing_jobs where repository_id = $1 and finished_at < now() - make_interval(days => $2)",
        repository_id, JOB_DAYS,
    )  # fmt: skip


async def record_events(
    connection: asyncpg.Connection, repository_id: int, events: Sequence[tuple[str, str]], detected_at: datetime
) -> None:
    """`events` are pairs of path and change type."""
    if events:
        columns = ("repository_id", "relative_path", "change_type", "detected_at")
        rows = [(repository_id, path, change, detected_at) for path, change in events]
        await copy(connection, "change_events", columns, rows)


async def record_generation(connection: Connection, generation: Generation) -> None:
    await connection.execute(
        "insert into embedding_metadata (model_name, model_version, dimensions, generation_time_ms, chunk_count)"
        " values ($1, $2, $3, $4, $5)", *astuple(generation),
    )  # fmt: skip


async def jobs(connection: Connection, condition: str, *arguments: object) -> list[dict[str, Any]]:
    """Jobs as their messages have them."""
    rows = await connection.fetch(f"select {JOB_COLUMNS} from indexing_jobs where {condition}", *arguments)
    return [{**dict(row), "failures": json.loads(row["failures"])} for row in rows]


async def events_of(connection: Connection, repository_id: int, limit: int) -> list[Event]:
    """A checkout's events, the newest first."""
    rows = await connection.fetch(
        "select id, repository_id, relative_path, change_type, detected_at, applied_at from change_events"
        " where repository_id = $1 order by applied_at desc, id desc limit $2", repository_id, limit,
    )  # fmt: skip
    return [Event(*row) for row in rows]


async def repository_of(connection: Connection, event_id: int) -> Mapping[str, Any] | None:
    """The checkout to which an event belongs."""
    row = await connection.fetchrow(
        "select r.id, host_id, root_path, name, is_active, last_indexed_at from change_events e"
        " join repositories r on r.id = e.repository_id where e.id = $1", event_id,
    )  # fmt: skip
    return dict(row) if row is not None else None


async def _unfinished(connection: Connection, repository_id: int) -> list[Unfinished]:
    rows = await connection.fetch(
        f"select id, kind, paths, phase from indexing_jobs where {UNFINISHED} order by created_at, id", repository_id
    )
    return [Unfinished(row[0], row[1], tuple(row[2]), bool(row[3])) for row in rows]


async def _added(
    connection: Connection, repository_id: int, project_id: str, kind: str, paths: Sequence[str]
) -> Unfinished:
    job: UUID = await connection.fetchval(
        "insert into indexing_jobs (repository_id, project_id, kind, paths) values ($1, $2, $3, $4) returning id",
        repository_id, project_id, kind, _listed(paths),
    )  # fmt: skip
    return Unfinished(job, kind, tuple(_listed(paths)))


def _covers(job: Unfinished, kind: str, paths: Sequence[str]) -> bool:
    """Whether a job that has begun does what is asked as well."""
    if kind == "force" and job.kind != "force":
        return False
    return not job.paths or (bool(paths) and set(paths) <= set(job.paths))


async def _widened(connection: Connection, job: Unfinished, kind: str, paths: Sequence[str]) -> Unfinished:
    """The same job, for what was asked of it before and for this."""
    both = tuple(dict.fromkeys((*job.paths, *paths))) if job.paths and paths else ()
    kind = "force" if "force" in (job.kind, kind) else "paths" if both else "scan"
    await connection.execute(
        "update indexing_jobs set kind = $2, paths = $3 where id = $1", job.id, kind, _listed(both)
    )
    return Unfinished(job.id, kind, both)


def _listed(paths: Sequence[str]) -> list[str]:
    """More paths than a row should hold are everything."""
    return [] if "" in paths or len(paths) > MOST_LISTED else list(paths)
