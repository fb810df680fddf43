"""One project's database: its one writer, what a transaction leaves, segments that merge, and what readers see."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import numpy as np
import pytest

from sightline.adapters.analysing import Result
from sightline.adapters.files import Reason, Skipped
from sightline.adapters.journal import EVENT_DAYS, JOB_DAYS, MOST_LISTED
from sightline.adapters.merging import MANY, MERGE_LOCK
from sightline.adapters.postgres import REGISTRY
from sightline.adapters.snapshots import Snapshots
from sightline.adapters.writing import CHANNEL, FileRow, Writer
from sightline.core import bm25
from sightline.errors import DatabaseError, DatabaseUnavailable
from sightline.workspaces import Workspace, Workspaces
from support import Files, content_of, index, paths_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ONE = "def first_thing():\n    return 1\n"
TWO = "def second_thing():\n    return 2\n"


@pytest.fixture
async def writer(workspace: Workspace) -> AsyncIterator[Writer]:
    async with workspace.indexer.writing() as writer:
        assert writer is not None
        yield writer


@pytest.fixture
async def database(sightline: Workspaces, workspace: Workspace) -> AsyncIterator[asyncpg.Connection]:
    async with sightline.server.connection(workspace.project.database) as connection:
        yield connection


async def rows_of(workspace: Workspace) -> Mapping[str, FileRow]:
    return await workspace.store.files(workspace.checkout.repository_id)


async def settled(workspace: Workspace, *paths: str) -> None:
    """Indexes these paths only, as after an event."""
    workspace.indexer.touch(paths)
    async with workspace.indexer.writing() as writer:
        assert writer is not None
        await workspace.indexer.settle(writer)


def nothing_but(*skipped: Skipped) -> Result:
    """A batch of files that could not be read."""
    return Result((), skipped, None, np.zeros(0, np.uint32), np.zeros((0, 256), np.float16), b"", 0)


@pytest.mark.parametrize("reason", ["vanished", "unreadable", "link", "special"])
async def test_a_file_that_comes_back_as_it_was_is_found_again(
    workspace: Workspace, folder: Files, reason: Reason
) -> None:
    folder.write({"a.py": ONE, "b.py": TWO})
    await index(workspace)
    async with workspace.indexer.writing() as writer:
        assert writer is not None
        counts = await writer.apply(nothing_but(Skipped("a.py", reason)), await rows_of(workspace), NOW)
    assert (counts.files, counts.chunks_added, counts.chunks_removed) == (1, 0, 1)
    assert await paths_of(workspace, "first_thing") == ["b.py"]
    await index(workspace)
    assert (await paths_of(workspace, "first_thing"))[0] == "a.py"
    assert (await workspace.status())["chunks"] == 2


async def test_a_file_that_turns_binary_loses_its_chunks_and_they_are_counted(
    workspace: Workspace, folder: Files
) -> None:
    folder.write({"a.py": ONE, "b.py": TWO})
    await index(workspace)
    folder.write({"a.py": b"\x00\x01\x02" * 50})
    summary = await index(workspace)
    assert (summary.files_indexed, summary.chunks_added, summary.chunks_removed) == (0, 0, 1)
    assert {row.path: row.outcome for row in (await rows_of(workspace)).values()} == {
        "a.py": "binary",
        "b.py": "indexed",
    }


async def test_a_skipped_file_that_nobody_knows_leaves_no_row(writer: Writer, workspace: Workspace) -> None:
    counts = await writer.apply(nothing_but(Skipped("ghost.py", "vanished")), {}, NOW)
    assert (counts.files, counts.chunks_removed) == (1, 0)
    assert await rows_of(workspace) == {}


async def test_there_is_one_writer_at_a_time(workspace: Workspace, writer: Writer) -> None:
    async with workspace.indexer.writing(wait=False) as second:
        assert second is None
    waiting = asyncio.create_task(second_writer(workspace))
    await asyncio.sleep(0)
    assert not waiting.done()
    await writer.close()
    await writer.close()
    third = await waiting
    assert third is not None
    assert third.is_open
    assert not writer.is_open
    await third.close()


async def test_waiting_to_write_can_be_given_up(
    workspace: Workspace, writer: Writer, database: asyncpg.Connection
) -> None:
    waiting = asyncio.create_task(second_writer(workspace))
    while not await database.fetchval("select count(*) from pg_locks where locktype = 'advisory' and not granted"):
        pass
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert writer.is_open
    await writer.close()
    third = await second_writer(workspace)
    assert third is not None
    await third.close()


async def second_writer(workspace: Workspace) -> Writer | None:
    async with contextlib.AsyncExitStack() as stack:
        writer = await stack.enter_async_context(workspace.indexer.writing())
        stack.pop_all()
        return writer


async def test_who_loses_the_lock_loses_the_transaction(
    sightline: Workspaces, workspace: Workspace, writer: Writer, folder: Files
) -> None:
    folder.write({"a.py": ONE})
    async with sightline.server.connection(REGISTRY) as registry:
        await registry.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database ="
            " (select oid from pg_database where datname = $1)", workspace.project.database,
        )  # fmt: skip
    async with workspace.indexer.writing() as second:
        assert second is not None
        with pytest.raises(DatabaseUnavailable):
            await writer.apply(nothing_but(Skipped("a.py", "failed")), {}, NOW)
        assert not writer.is_open
        workspace.indexer.touch()
        await workspace.indexer.settle(second)
    assert await paths_of(workspace, "first_thing") == ["a.py"]


async def test_a_transaction_that_fails_leaves_nothing(workspace: Workspace, folder: Files) -> None:
    folder.write({"a.py": ONE})
    await index(workspace)
    before, known = await content_of(workspace), await rows_of(workspace)
    bad = Skipped("b\0.py", "failed", stat=known["a.py"].stat)
    async with workspace.indexer.writing() as writer:
        assert writer is not None
        with pytest.raises(DatabaseError):
            await writer.apply(nothing_but(Skipped("a.py", "vanished"), bad), known, NOW)
        assert await writer.remove([], NOW) == await writer.apply(nothing_but(), {}, NOW)
        await writer.refresh_stats([])
    assert await content_of(workspace) == before


async def test_a_change_is_announced_when_it_is_there(
    workspace: Workspace, database: asyncpg.Connection, folder: Files
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    await database.add_listener(CHANNEL, lambda *told: heard.put_nowait(str(told[-1])))
    folder.write({"a.py": ONE})
    await index(workspace)
    assert f'"repository": {workspace.checkout.repository_id}' in await asyncio.wait_for(heard.get(), 100)


async def test_the_job_of_a_dead_writer_is_gone_on_with_by_the_next(workspace: Workspace, folder: Files) -> None:
    folder.write({"a.py": ONE})
    async with workspace.indexer.writing() as writer:
        assert writer is not None
        dead = await writer.begin_job("force", ["a.py"], "1")
        await writer.update_job(dead, state="running", phase="indexing", files_total=10)
    repository = workspace.checkout.repository_id
    running = await workspace.store.job(dead)
    assert running is not None
    assert (running["state"], running["phase"], running["files_total"]) == ("running", "indexing", 10)
    async with workspace.indexer.writing() as writer:
        assert writer is not None
        summary = await workspace.indexer.settle(writer)
    (job,) = await workspace.store.jobs(repository)
    assert (summary.job, job["id"], job["kind"], job["state"]) == (dead, dead, "force", "completed")
    assert (job["files_done"], job["files_total"], job["chunks"], job["texts_embedded"]) == (1, 1, 1, 1)


async def test_who_asks_twice_gets_the_job_that_waits(workspace: Workspace, folder: Files) -> None:
    folder.write({"a.py": ONE})
    store, repository = workspace.store, workspace.checkout.repository_id
    asked = await asyncio.gather(*(store.request_job(repository, "scan", [""]) for _ in range(8)))
    assert len({job.id for job in asked}) == 1
    assert [job["state"] for job in await store.jobs(repository)] == ["pending"]
    summary = await index(workspace)
    assert (await store.jobs(repository))[0]["id"] == asked[0].id == summary.job
    assert (await store.request_job(repository, "paths", ["a.py"])).id != asked[0].id
    for kind, paths, expected in (
        ("paths", ["b.py"], ("paths", ("a.py", "b.py"))),
        ("force", ["c.py"], ("force", ("a.py", "b.py", "c.py"))),
        ("scan", [""], ("force", ())),
        ("paths", ["d.py"], ("force", ())),
    ):
        job = await store.request_job(repository, kind, paths)
        assert (job.kind, job.paths) == expected
    assert await store.give_up(job.id)
    assert not await store.give_up(job.id)
    job = await store.request_job(repository, "force", [""])
    async with workspace.indexer.writing() as writer:
        assert writer is not None
        await writer.begin_job("force", [""], "1", await writer.unfinished_jobs())
        assert not await store.give_up(job.id)
        assert await store.request_job(repository, "paths", ["e.py"]) == replace(job, has_begun=True)


async def test_jobs_left_by_several_are_done_with_the_first(workspace: Workspace, database: asyncpg.Connection) -> None:
    repository = workspace.checkout.repository_id
    for state in ("running", "pending", "running"):
        await database.execute(
            "insert into indexing_jobs (repository_id, project_id, kind, state) values ($1, 'p', 'scan', $2)",
            repository,
            state,
        )
    await index(workspace)
    jobs = await workspace.store.jobs(repository)
    assert sorted(job["state"] for job in jobs) == ["cancelled", "cancelled", "completed"]
    assert {job["message"] for job in jobs if job["state"] == "cancelled"} == {
        f"done with job {next(job['id'] for job in jobs if job['state'] == 'completed')}"
    }


async def test_a_checkouts_events_and_an_events_checkout_are_read(
    sightline: Workspaces, workspace: Workspace, folder: Files, tmp_path: Path
) -> None:
    other = Files(tmp_path / "other")
    other.write({"o.py": TWO})
    second = await sightline.open(other.root, workspace.project.id)
    folder.write({"a.py": ONE})
    await index(workspace)
    await index(second)
    folder.remove("a.py")
    await index(workspace)
    store = workspace.store
    events = await store.events(workspace.checkout.repository_id)
    assert [(each.path, each.change) for each in events] == [("a.py", "deleted"), ("a.py", "added")]
    assert all(each.detected_at <= each.applied_at for each in events)
    assert len(await store.events(workspace.checkout.repository_id, limit=1)) == 1
    for checkout, event in ((workspace, events[0]), (second, (await store.events(second.checkout.repository_id))[0])):
        repository = await store.repository_of(event.id)
        assert repository is not None
        assert (repository["id"], repository["root_path"]) == (
            checkout.checkout.repository_id, str(checkout.checkout.root)
        )  # fmt: skip
    assert await store.repository_of(0) is None


async def test_what_could_not_be_indexed_is_listed_with_its_reason(writer: Writer, workspace: Workspace) -> None:
    job = await writer.begin_job("scan", [""], "1")
    failed = [Skipped(f"f{number}.py", "unreadable", detail="denied") for number in range(MOST_LISTED + 1)]
    await writer.finish_job(job, "completed", "done", failed=[*failed[:-1], Skipped("g.py", "failed")])
    told = (await workspace.store.jobs(workspace.checkout.repository_id))[0]["failures"]
    assert (len(told), told["f7.py"]) == (MOST_LISTED, "unreadable: denied")


async def test_old_events_jobs_and_generations_are_forgotten(
    workspace: Workspace, database: asyncpg.Connection, folder: Files
) -> None:
    folder.write({"a.py": ONE})
    await index(workspace)
    for table, column, days in (
        ("change_events", "applied_at", EVENT_DAYS),
        ("embedding_metadata", "created_at", EVENT_DAYS),
        ("indexing_jobs", "finished_at", JOB_DAYS),
    ):
        await database.execute(f"update {table} set {column} = now() - $1::interval", timedelta(days=days, hours=1))
    await index(workspace)
    assert await database.fetchval("select count(*) from change_events") == 0
    assert await database.fetchval("select count(*) from embedding_metadata") == 0
    assert await database.fetchval("select count(*) from indexing_jobs") == 1


async def test_what_is_young_is_kept(workspace: Workspace, database: asyncpg.Connection, folder: Files) -> None:
    folder.write({"a.py": ONE})
    await index(workspace)
    for table, column, days in (
        ("change_events", "applied_at", EVENT_DAYS),
        ("indexing_jobs", "finished_at", JOB_DAYS),
    ):
        await database.execute(f"update {table} set {column} = now() - $1::interval", timedelta(days=days, hours=-1))
    await index(workspace)
    assert await database.fetchval("select count(*) from change_events") == 1
    assert await database.fetchval("select count(*) from indexing_jobs") == 2


async def test_a_file_is_told_with_its_last_change(workspace: Workspace, folder: Files) -> None:
    folder.write({"a.py": ONE, "b.bin": b"\x00" * 100})
    await index(workspace)
    repository = workspace.checkout.repository_id
    told = await workspace.store.file(repository, "a.py")
    assert told is not None
    assert (told["outcome"], told["language"], told["chunks"]) == ("indexed", "python", 1)
    assert told["changed_at"].tzinfo is not None
    binary = await workspace.store.file(repository, "b.bin")
    assert binary is not None
    assert (binary["outcome"], binary["chunks"], binary["changed_at"]) == ("binary", 0, None)
    assert await workspace.store.file(repository, "c.py") is None


async def test_a_checkout_and_an_embedder_are_added_once(workspace: Workspace, sightline: Workspaces) -> None:
    store = workspace.store
    ids = await asyncio.gather(*(store.repository("host", "/x", "x") for _ in range(8)))
    assert len(set(ids)) == 1
    assert await store.repository("other", "/x", "x") not in ids
    identity = sightline.embedder.identity
    assert set(await asyncio.gather(*(store.embedder(identity) for _ in range(8)))) == {workspace.source.embedder_id}
    (checkout,) = (await store.checkouts("host", workspace.source.embedder_id))[workspace.source.embedder_id]
    assert checkout.root == Path("/x")


async def test_files_below_a_path_are_those_and_no_namesakes(workspace: Workspace, folder: Files) -> None:
    folder.write({"src/a.py": ONE, "src/deep/b.py": TWO, "src2/c.py": ONE, "sr%/d.py": TWO})
    await index(workspace)
    repository = workspace.checkout.repository_id

    async def below(*paths: str) -> set[str]:
        return set(await workspace.store.files(repository, paths))

    assert await below("src") == {"src/a.py", "src/deep/b.py"}
    assert await below("src/a.py", "sr%") == {"src/a.py", "sr%/d.py"}
    assert await below("nowhere") == set()
    assert len(await workspace.store.files(repository)) == 4
    assert await workspace.store.chunks([]) == {}


async def segments(database: asyncpg.Connection) -> tuple[int, int]:
    row = await database.fetchrow("select (select count(*) from word_segments), (select count(*) from vector_segments)")
    return tuple(row)


async def test_many_small_segments_become_few(
    workspace: Workspace, database: asyncpg.Connection, folder: Files
) -> None:
    async with workspace.indexer.writing() as writer:
        assert writer is not None
        for number in range(MANY + 1):
            folder.write({f"m{number}.py": f"def function_{number}(): pass\n"})
            workspace.indexer.touch([f"m{number}.py"])
            await workspace.indexer.settle(writer)
        assert await segments(database) == (MANY // 2 + 1, MANY // 2 + 1)
        assert await writer.merge() == 0
    for number in range(MANY + 1):
        assert (await paths_of(workspace, f"function_{number}"))[0] == f"m{number}.py"


async def test_a_segment_of_which_a_fifth_is_dead_is_written_again(
    workspace: Workspace, database: asyncpg.Connection, folder: Files
) -> None:
    folder.write({f"m{number}.py": f"def function_{number}(): pass\n" for number in range(10)})
    await index(workspace)
    folder.remove("m0.py", "m1.py")
    await index(workspace)
    assert await database.fetchval("select count(*) from dead_chunks") == 2
    folder.remove("m2.py")
    await index(workspace)
    assert await database.fetchval("select count(*) from dead_chunks") == 0
    assert await segments(database) == (1, 1)
    assert await database.fetchval("select chunk_count from word_segments") == 7
    assert sorted(await paths_of(workspace, "function_2", limit=50)) == [f"m{number}.py" for number in range(3, 10)]


async def test_segments_that_are_all_dead_vanish(
    workspace: Workspace, database: asyncpg.Connection, folder: Files
) -> None:
    folder.write({"a.py": ONE})
    await index(workspace)
    folder.remove("a.py")
    await index(workspace)
    assert await segments(database) == (0, 0)
    assert await database.fetchval("select count(*) from dead_chunks") == 0
    assert await paths_of(workspace, "first_thing") == []


async def test_only_one_merges_a_checkout_at_a_time(
    workspace: Workspace, database: asyncpg.Connection, folder: Files
) -> None:
    folder.write({"a.py": ONE, "b.py": TWO})
    await index(workspace)
    await database.execute("delete from code_chunks where symbol = 'first_thing'")
    async with workspace.indexer.writing() as writer:
        assert writer is not None
        async with database.transaction():
            await database.execute("select pg_advisory_xact_lock($1, $2)", MERGE_LOCK, workspace.checkout.repository_id)
            assert await writer.merge() == 0
        assert await writer.merge() == 2
        assert await writer.merge() == 0


async def test_a_dead_chunk_is_remembered_while_another_checkouts_segment_holds_it(
    sightline: Workspaces, workspace: Workspace, database: asyncpg.Connection, folder: Files, tmp_path: Path
) -> None:
    other = Files(tmp_path / "other")
    other.write({f"o{number}.py": f"def other_{number}(): pass\n" for number in range(10)})
    folder.write({"a.py": ONE})
    second = await sightline.open(other.root, workspace.project.id)
    await index(workspace)
    await index(second)
    other.remove("o0.py")
    await index(second)
    folder.remove("a.py")
    await index(workspace)
    assert await database.fetchval("select count(*) from dead_chunks") == 1
    assert sorted(await paths_of(second, "other_0", limit=50)) == [f"o{number}.py" for number in range(1, 10)]


async def test_a_cache_of_any_size_gives_the_same_scores_to_searches_at_once(
    workspace: Workspace, folder: Files
) -> None:
    words = ["session", "upload", "retry", "cookie", "parser", "engine", "socket", "buffer"]
    for start in range(0, 40, 10):
        folder.write({
            f"m{number}.py": "".join(f"def {word}_{number}_{place}():\n    return {word}\n" for place, word in enumerate(words))
            for number in range(start, start + 10)
        })  # fmt: skip
        await index(workspace)
    ids = [workspace.checkout.repository_id]

    async def scored(snapshots: Snapshots, terms: list[str]) -> bytes:
        async with snapshots.open(ids, workspace.source.embedder_id) as snapshot:
            return bm25.score(snapshot.words, await snapshot.postings(terms)).chunks.tobytes()

    asked = [words[place % 8 :] + words[: place % 3] for place in range(24)]
    plenty, none = Snapshots(workspace.store), Snapshots(workspace.store, block_bytes=0)
    expected = [await scored(plenty, terms) for terms in asked]
    assert await asyncio.gather(*(scored(none, terms) for terms in asked)) == expected
    assert await asyncio.gather(*(scored(plenty, terms) for terms in asked)) == expected
    fresh = Snapshots(workspace.store, block_bytes=20_000)
    for _ in range(3):
        assert await asyncio.gather(*(scored(fresh, terms) for terms in asked)) == expected


async def test_readers_see_one_state_of_files_that_change_all_the_time(workspace: Workspace, folder: Files) -> None:
    names = [f"m{number}.py" for number in range(6)]

    def version(number: int) -> dict[str, str | bytes]:
        half = "\n".join(f"    value_{line} = 'version_{number} ' * {line}" for line in range(30))
        return dict.fromkeys(names, f"def early():\n{half}\n\n\ndef late():\n{half}\n")

    async def write() -> None:
        for number in range(12):
            folder.write(version(number))
            await settled(workspace, *names)

    async def read(done: asyncio.Task[None]) -> int:
        seen = set()
        while not done.done():
            seen |= await versions_seen(workspace)
        return len(seen)

    writing = asyncio.create_task(write())
    seen = await asyncio.gather(*(read(writing) for _ in range(3)))
    await writing
    assert min(seen) > 1


async def versions_seen(workspace: Workspace) -> set[str]:
    """The versions of files in one snapshot; each file has one, and words, vectors and texts agree."""
    repository = workspace.checkout.repository_id
    async with workspace.source.snapshots.open([repository], workspace.source.embedder_id) as snapshot:
        live = snapshot.words.chunk_ids[snapshot.words.live].tolist()
        texts = await snapshot.texts(live)
        cosines = await snapshot.cosines(np.ones(256, np.float32), live)
        assert set(live) == set(texts) == set(cosines) == set(snapshot.vectors.chunk_ids.tolist())
    of_file: dict[str, set[str]] = {}
    for text in texts.values():
        of_file.setdefault(text.path, set()).update(
            word for word in text.content.replace("'", " ").split() if word.startswith("version_")
        )
    assert all(len(versions) == 1 for versions in of_file.values()), of_file
    return {version for versions in of_file.values() for version in versions}
