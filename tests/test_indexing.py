"""Indexing: what is stored, what is computed again, and what each failure leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from adapters.external import External, installed
from adapters.servers import PATIENCE
from sightline.adapters.postgres import REGISTRY
from sightline.adapters.signals import TOUCHED, WHOLE, Ears
from sightline.errors import DatabaseUnavailable, FolderError, ProjectNotFound
from sightline.jobs import Progress, State, Summary
from sightline.keeping import TAKEOVER_SECONDS
from sightline.settings import DatabaseSettings, IndexSettings, Settings
from sightline.workspaces import Workspace, Workspaces
from support import Files, content_of, index, paths_of

SESSION = (
    'class SessionStore:\n    """Keeps sessions on disk."""\n\n    def save(self, session):\n        return session\n'
)
RETRY = "def retry_failed_uploads(queue):\n    for upload in queue:\n        upload.again()\n"


async def test_what_is_indexed_is_found(workspace: Workspace, folder: Files) -> None:
    folder.write({"store.py": SESSION, "net/upload.py": RETRY, "notes.txt": "buy milk\n"})
    summary = await index(workspace)
    assert (summary.files_indexed, summary.failed) == (3, [])
    assert (await paths_of(workspace, "where are sessions persisted"))[0] == "store.py"
    assert (await paths_of(workspace, "retry uploads that failed"))[0] == "net/upload.py"


async def test_every_chunk_carries_its_projects_id(workspace: Workspace, folder: Files) -> None:
    folder.write({"a.py": SESSION})
    await index(workspace)
    ids = await (await workspace.store.pool()).fetch("select distinct project_id from code_chunks")
    assert [row[0] for row in ids] == [workspace.project.id]


async def test_a_second_run_reads_nothing(workspace: Workspace, folder: Files) -> None:
    folder.write({"a.py": SESSION, "b.py": RETRY})
    past = os.stat(folder.root / "a.py").st_mtime - 10
    for name in ("a.py", "b.py"):
        os.utime(folder.root / name, (past, past))
    await index(workspace)
    again = await index(workspace)
    assert (again.files_seen, again.files_read, again.chunks_added) == (2, 0, 0)
    assert again.sentence() == "0 files indexed: all 2 files are unchanged"


async def test_a_file_changed_within_its_time_stamp_is_read_again(workspace: Workspace, folder: Files) -> None:
    folder.write({"a.py": "def old_name(): pass\n"})
    await index(workspace)
    before = os.stat(folder.root / "a.py")
    folder.write({"a.py": "def new_name(): pass\n"})
    os.utime(folder.root / "a.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    await index(workspace)
    assert (await paths_of(workspace, "new_name")) == ["a.py"]


async def test_an_edit_keeps_the_chunks_it_does_not_touch(workspace: Workspace, folder: Files) -> None:
    body = "".join(f"    step_{number} = load_configuration({number})\n" for number in range(40))
    functions = "".join(f"def task_{number}():\n{body}\n\n" for number in range(5))
    folder.write({"tasks.py": functions})
    await index(workspace)
    folder.write({"tasks.py": "import os\n\n\n" + functions.replace("def task_3", "def renamed_3")})
    summary = await index(workspace)
    assert (summary.chunks_added, summary.chunks_removed) == (2, 2)


async def test_an_incremental_index_equals_a_fresh_one(
    sightline: Workspaces, workspace: Workspace, folder: Files, tmp_path: Path
) -> None:
    folder.write({"a.py": SESSION, "b.py": RETRY, "c.md": "# Title\n\ntext\n", "d.py": "x = 1\n"})
    await index(workspace)
    folder.write({"a.py": "import os\n" + SESSION, "e/f.py": RETRY * 30, "d.py": b"\x00binary"})
    folder.remove("b.py")
    await index(workspace)
    shutil.copytree(folder.root, tmp_path / "copy")
    fresh = await sightline.open((tmp_path / "copy").resolve())
    await index(fresh)
    assert await content_of(workspace) == await content_of(fresh)


async def test_deletions_alone_are_work(workspace: Workspace, folder: Files) -> None:
    folder.write({"a.py": SESSION, "b.py": RETRY})
    await index(workspace)
    folder.remove("a.py")
    summary = await index(workspace)
    assert (summary.files_removed, summary.files_indexed) == (1, 0)
    assert await paths_of(workspace, "sessions on disk") == ["b.py"]
    assert "1 removed" in summary.sentence()


async def test_changes_are_recorded_with_their_repository(workspace: Workspace, folder: Files) -> None:
    folder.write({"a.py": SESSION, "b.py": RETRY})
    await index(workspace)
    folder.write({"a.py": SESSION + "\n\nx = 1\n"})
    folder.remove("b.py")
    await index(workspace)
    rows = await (await workspace.store.pool()).fetch(
        "select relative_path, change_type from change_events where repository_id = $1 order by id",
        workspace.checkout.repository_id,
    )
    assert sorted(map(tuple, rows)) == [("a.py", "added"), ("a.py", "modified"), ("b.py", "added"), ("b.py", "deleted")]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "0 files indexed: the folder is empty"),
        ({"a.bin": b"\x00\x01\x02" * 100}, "0 files indexed: everything is left out (binary: 1)"),
        ({".gitignore": "*\n", "a.py": SESSION}, "ignored"),
        ({".env": "KEY=1\n"}, "secret: 1"),
    ],
)
async def test_nothing_indexed_says_why(
    workspace: Workspace, folder: Files, files: dict[str, str | bytes], sentence: str
) -> None:
    folder.write(files)
    assert sentence in (await index(workspace)).sentence()


async def test_what_is_left_out_for_its_content_is_told_by_every_run(workspace: Workspace, folder: Files) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"
    folder.write({"a.py": SESSION, "deploy": key, "b.bin2": b"\x00\x01\x02" * 100, ".env": "KEY=1\n"})
    past = os.stat(folder.root / "a.py").st_mtime - 10
    for path in folder.root.iterdir():
        os.utime(path, (past, past))
    first = await index(workspace)
    expected = {(".env", "secret"), ("b.bin2", "binary"), ("deploy", "secret")}
    assert {(each.path, each.reason) for each in first.skipped} == expected
    again = await index(workspace)
    assert {(each.path, each.reason) for each in again.skipped} == expected
    assert {(each.path, each.reason) for each in await workspace.left_out()} == expected
    assert again.files_read == 0
    assert again.sentence() == "0 files indexed: the only file is unchanged"
    assert (await workspace.status())["files"] == 1


async def test_a_path_that_does_not_exist_is_told_by_its_name(workspace: Workspace, folder: Files) -> None:
    workspace.indexer.touch(["no/such.py"])
    async with workspace.indexer.writing() as writer:
        assert writer is not None
        assert (await workspace.indexer.settle(writer)).sentence() == "0 files indexed: no/such.py not found"


async def test_an_empty_file_is_indexed_without_chunks(workspace: Workspace, folder: Files) -> None:
    folder.write({"empty.py": ""})
    summary = await index(workspace)
    assert (summary.files_indexed, summary.chunks_added) == (1, 0)


async def test_forced_with_nothing_to_do_keeps_every_chunk(workspace: Workspace, folder: Files) -> None:
    folder.write({"a.py": SESSION})
    await index(workspace)
    forced = await index(workspace, force=True)
    assert (forced.files_indexed, forced.chunks_added, forced.chunks_removed) == (1, 0, 0)


async def test_bytes_that_are_no_utf8_are_indexed(workspace: Workspace, folder: Files) -> None:
    folder.write({"latin.py": "def grüße_senden():\n    return 'é'\n".encode("latin-1"), "b.py": RETRY})
    summary = await index(workspace)
    assert (summary.files_indexed, summary.failed) == (2, [])
    assert "latin.py" in await paths_of(workspace, "senden")


async def test_a_file_that_vanishes_before_it_is_read_is_told(workspace: Workspace, folder: Files) -> None:
    folder.write({"a.py": SESSION})
    await index(workspace)
    folder.remove("a.py")
    workspace.indexer.touch(["a.py"])
    async with workspace.indexer.writing() as writer:
        assert writer is not None
        summary = await workspace.indexer.settle(writer)
    assert summary.files_removed == 1


async def test_a_path_outside_the_root_is_refused(workspace: Workspace) -> None:
    for path in ("../elsewhere.py", "/etc/passwd", "a/../../b", "nul\0byte"):
        with pytest.raises(FolderError):
            workspace.indexer.touch([path])
    assert workspace.indexer.queued == 0


@pytest.mark.parametrize(
    ("path", "message"),
    [("relative/folder", "relative"), ("/no/such/folder", "does not exist"), (__file__, "is a file")],
)
async def test_what_is_no_folder_is_refused(sightline: Workspaces, path: str, message: str) -> None:
    with pytest.raises(FolderError, match=message):
        await sightline.open(Path(path))


async def test_an_unknown_project_is_an_error_and_never_another(sightline: Workspaces, folder: Files) -> None:
    with pytest.raises(ProjectNotFound, match="no-such-project"):
        await sightline.open(folder.root.resolve(), "no-such-project")


async def test_workers_that_die_lose_nothing(workspace: Workspace, folder: Files) -> None:
    folder.write({f"m{number}.py": SESSION * 50 + f"\nUNIQUE_{number} = 1\n" for number in range(60)})
    killed = asyncio.Event()

    def report(step: Progress) -> None:
        if step.files_done and not killed.is_set():
            killed.set()
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if "multiprocessing" in " ".join(process.cmdline()) and process.nice() > 0:
                        process.kill()

    summary = await workspace.index(report)
    assert killed.is_set()
    assert (summary.files_indexed, summary.failed) == (60, [])


async def test_a_lost_connection_in_the_middle_is_an_error_and_the_next_run_heals(
    sightline: Workspaces, workspace: Workspace, folder: Files
) -> None:
    folder.write({f"m{number}.py": SESSION * 40 + f"\nUNIQUE_{number} = 1\n" for number in range(200)})
    ended: list[asyncio.Task[None]] = []

    def report(step: Progress) -> None:
        if step.files_done and not ended:
            ended.append(asyncio.create_task(end_backends(sightline, workspace)))

    with pytest.raises(DatabaseUnavailable):
        await workspace.index(report)
    await asyncio.gather(*ended)
    summary = await index(workspace)
    assert 0 < summary.files_indexed < 200
    status = await workspace.status()
    assert (status["files"], status["job"]["state"]) == (200, "completed")


async def test_a_cancelled_job_stops_and_the_next_one_goes_on(workspace: Workspace, folder: Files) -> None:
    folder.write({f"m{number}.py": SESSION * 100 for number in range(300)})
    first = await workspace.index(lambda step: workspace.indexer.cancel() if step.files_done else None)
    assert 0 < first.files_indexed < 300
    assert (await workspace.status())["job"]["state"] == "cancelled"
    second = await index(workspace)
    assert first.files_indexed + second.files_indexed == 300


async def test_many_small_changes_leave_few_segments_and_the_same_answers(
    sightline: Workspaces, workspace: Workspace, folder: Files, tmp_path: Path
) -> None:
    folder.write({f"m{number}.py": f"def function_{number}():\n    return {number}\n" for number in range(5)})
    await index(workspace)
    for number in range(25):
        folder.write({f"m{number % 7}.py": f"def changed_{number}():\n    return {number}\n"})
        await index(workspace)
    assert (await workspace.status())["segments"] <= 17
    shutil.copytree(folder.root, tmp_path / "copy")
    fresh = await sightline.open((tmp_path / "copy").resolve())
    await index(fresh)
    assert await content_of(workspace) == await content_of(fresh)


async def test_a_moved_file_keeps_the_vectors_of_its_texts(
    sightline: Workspaces, workspace: Workspace, folder: Files, tmp_path: Path
) -> None:
    folder.write({"a.py": SESSION, "b.py": RETRY, "c.py": RETRY})
    first = await index(workspace)
    assert (first.chunks_added, first.texts_embedded) == (3, 2)
    (folder.root / "deep").mkdir()
    (folder.root / "a.py").rename(folder.root / "deep/renamed.py")
    folder.write({"d.py": SESSION})
    moved = await index(workspace)
    assert (moved.files_indexed, moved.files_removed, moved.chunks_added, moved.texts_embedded) == (2, 1, 2, 0)
    shutil.copytree(folder.root, tmp_path / "copy")
    fresh = await sightline.open((tmp_path / "copy").resolve())
    assert (await index(fresh)).texts_embedded == 2
    assert await content_of(workspace) == await content_of(fresh)


async def test_what_comes_back_is_not_embedded_again_and_what_was_is_counted(
    workspace: Workspace, folder: Files
) -> None:
    versions = [
        {f"m{number}.py": f"def function_{number}():\n    return {base + number}\n" for number in range(9)}
        for base in (0, 100)
    ]
    embedded = []
    for version in (versions[0], versions[1], versions[0], versions[1]):
        folder.write(version)
        embedded.append((await index(workspace)).texts_embedded)
    assert embedded == [9, 9, 0, 0]
    pool = await workspace.store.pool()
    assert await pool.fetchval("select sum(chunk_count) from embedding_metadata") == 18
    jobs = await workspace.store.jobs(workspace.checkout.repository_id)
    assert [job["texts_embedded"] for job in jobs] == [0, 0, 9, 9]


async def test_a_second_checkout_of_the_project_embeds_only_its_own_texts(
    sightline: Workspaces, workspace: Workspace, folder: Files, tmp_path: Path
) -> None:
    folder.write({f"m{number}.py": f"def function_{number}(): pass\n" for number in range(30)})
    await index(workspace)
    shutil.copytree(folder.root, tmp_path / "worktree")
    (tmp_path / "worktree/own.py").write_text(SESSION)
    worktree = await sightline.open((tmp_path / "worktree").resolve(), workspace.project.id)
    summary = await index(worktree)
    assert (summary.chunks_added, summary.texts_embedded) == (31, 1)


@pytest.mark.parametrize("when", ["scanning", "indexing"])
async def test_cancelling_ends_the_work_under_way(workspace: Workspace, folder: Files, when: str) -> None:
    folder.write({f"m{number}.py": (SESSION + f"X{number} = 1\n") * 500 for number in range(60)})
    cancelled: list[float] = []

    def report(step: Progress) -> None:
        if step.phase == when and not cancelled:
            workspace.indexer.cancel()
            cancelled.append(time.monotonic())

    summary = await workspace.index(report)
    assert time.monotonic() - cancelled[0] < 30  # less than a second on a machine that does nothing else
    assert summary.files_indexed < 60
    job = (await workspace.store.jobs(workspace.checkout.repository_id))[0]
    assert (job["state"], job["phase"]) == ("cancelled", when)


@dataclass
class Kept:
    """A server's side of a checkout: its states as it tells them."""

    workspace: Workspace
    states: list[State] = field(default_factory=list)
    phase: str = ""

    def report(self, step: Progress) -> None:
        self.phase = step.phase

    @property
    def role(self) -> str:
        return self.states[-1].role if self.states else ""

    @property
    def summaries(self) -> list[Summary]:
        return [each.summary for each in self.states if each.summary is not None]

    async def until(self, condition: Callable[[], object], within: float = PATIENCE) -> None:
        async with asyncio.timeout(within):
            while not condition():
                await asyncio.sleep(0.01)

    async def finds(self, query: str, path: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(DatabaseUnavailable):
                    if path in (await paths_of(self.workspace, query))[:1]:
                        return
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def kept(workspace: Workspace, look: float = TAKEOVER_SECONDS) -> AsyncIterator[Kept]:
    """Keeps a checkout's index, without a watcher: what nobody touches is not seen."""
    server = Kept(workspace)
    task = asyncio.create_task(workspace.indexer.keep(server.report, server.states.append, look))
    try:
        yield server
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_reader_forwards_what_it_is_told_and_hears_what_was_done(
    sightline: Workspaces, workspace: Workspace, folder: Files
) -> None:
    folder.write({"a.py": SESSION})
    async with kept(workspace) as writer:
        await writer.until(lambda: writer.summaries)
        async with kept(await sightline.open(workspace.checkout.root)) as reader:
            await reader.until(lambda: reader.role)
            assert (writer.role, reader.role) == ("writer", "reader")
            folder.write({"b.py": RETRY})
            reader.workspace.indexer.touch(["b.py"])
            await reader.until(lambda: reader.summaries)
            assert reader.summaries[0].sentence() == "1 file indexed by another process"
            await reader.finds("retry_failed_uploads", "b.py")
            folder.write({f"many{number}/{'x' * 200}.py": f"def many_{number}(): pass\n" for number in range(1_500)})
            reader.workspace.indexer.touch([f"many{number}/{'x' * 200}.py" for number in range(1_500)])
            await writer.until(lambda: writer.summaries[-1].files_indexed >= 1_500)
            assert reader.role == "reader"


async def test_what_no_server_would_say_is_not_listened_to(
    sightline: Workspaces, workspace: Workspace, folder: Files
) -> None:
    folder.write({"a.py": SESSION})
    repository = workspace.checkout.repository_id
    async with kept(workspace) as writer:
        await writer.until(lambda: writer.summaries)
        folder.write({"b.py": RETRY})
        async with sightline.server.connection(workspace.project.database) as other:
            for said in (
                "", "[]", "no json", f'{{"repository": {repository}}}', '{"repository": 77, "paths": ["b.py"]}',
                f'{{"repository": {repository}, "paths": ["../../x"], "force": false, "job": false}}',
            ):  # fmt: skip
                await other.execute("select pg_notify($1, $2)", TOUCHED, said)
            assert await paths_of(workspace, "retry_failed_uploads") == ["a.py"]
            await workspace.store.forward(repository, {"b.py": False}, as_job=False)
            await writer.finds("retry_failed_uploads", "b.py")
        assert writer.role == "writer"
        folder.write({"x" * 200 + ".py": RETRY})
        await workspace.store.forward(repository, {"y" * 8_000: False}, as_job=True)
        await writer.until(lambda: writer.summaries[-1].files_seen >= 3)
        job = (await workspace.store.jobs(repository))[0]
        assert (job["kind"], job["state"]) == ("scan", "completed")


async def test_what_a_reader_could_not_forward_stays_touched(
    sightline: Workspaces, workspace: Workspace, folder: Files
) -> None:
    folder.write({"a.py": SESSION})
    async with kept(workspace) as writer:
        await writer.until(lambda: writer.summaries)
        reader = (await sightline.open(workspace.checkout.root)).indexer
        async with reader.seat(Ears(lambda *heard: None, lambda files: None, lambda: None)) as seat:
            await end_backends(sightline, workspace)
            reader.touch(["b.py"], force=True)
            with pytest.raises(DatabaseUnavailable):
                await reader.hand_over(seat)
        assert reader.queued == 1
        await writer.until(lambda: "waiting" in {state.role for state in writer.states} and writer.role == "writer")
        folder.write({"b.py": RETRY})
        async with reader.seat(Ears(lambda *heard: None, lambda files: None, lambda: None)) as seat:
            await reader.hand_over(seat)
        assert reader.queued == 0
        await writer.finds("retry_failed_uploads", "b.py")


async def test_what_another_server_only_looks_at_again_is_no_job(
    sightline: Workspaces, workspace: Workspace, folder: Files
) -> None:
    folder.write({"a.py": SESSION})
    repository = workspace.checkout.repository_id
    async with kept(workspace) as writer:
        await writer.until(lambda: writer.summaries)
        folder.write({"b.py": RETRY})
        await workspace.store.forward(repository, {WHOLE: False, "c.py": False}, as_job=False)
        await writer.finds("retry_failed_uploads", "b.py")
        assert len(await workspace.store.jobs(repository)) == 1
        await workspace.store.forward(repository, {WHOLE: False}, as_job=True)
        await writer.until(lambda: writer.summaries[-1].job)
        await writer.until(lambda: len(writer.summaries) == 3)
        assert len(await workspace.store.jobs(repository)) == 2


async def test_each_round_of_work_tells_only_of_itself(workspace: Workspace, folder: Files) -> None:
    folder.write({f"m{number}.py": f"def function_{number}(): pass\n" for number in range(30)})
    steps: list[Progress] = []

    def report(step: Progress) -> None:
        steps.append(step)
        if step.files_done == 30:
            folder.write({"b.py": RETRY})
            workspace.indexer.touch(["b.py"], as_job=True)

    summary = await workspace.index(report)
    assert (summary.files_indexed, summary.files_read) == (31, 31)
    assert all(step.files_done <= step.files_total for step in steps)
    jobs = await workspace.store.jobs(workspace.checkout.repository_id)
    assert [(job["files_total"], job["files_done"], job["texts_embedded"]) for job in jobs] == [(1, 1, 1), (30, 30, 30)]
    assert jobs[0]["id"] == summary.job


async def test_a_job_that_its_writer_has_read_is_not_widened_or_given_up(workspace: Workspace) -> None:
    job = await workspace.request(["a.py", "b.py"])
    async with workspace.indexer.writing() as writer:
        assert writer is not None
        assert [each.paths for each in await writer.unfinished_jobs()] == [("a.py", "b.py")]
        assert not await workspace.store.give_up(job.id)
        same = await workspace.request(["b.py"])
        assert (same.id, same.has_begun) == (job.id, True)
        # What it does not do is done after it, all at once.
        other, later = await workspace.request(["c.py"]), await workspace.request([WHOLE], force=True)
        assert other.id == later.id != job.id
        assert (other.paths, later.paths, later.kind, later.has_begun) == (("c.py",), (), "force", False)
        await writer.finish_job(await writer.begin_job("paths", ["a.py", "b.py"], "1", [job]), "completed", "done")
        summary = await workspace.indexer.settle(writer)
        assert summary.job == later.id


async def test_force_that_is_asked_for_while_a_job_runs_is_done_after_it(
    sightline: Workspaces, workspace: Workspace, folder: Files
) -> None:
    folder.write({f"m{number}.py": RETRY + f"x = {number}\n" for number in range(400)})
    other = await sightline.open(workspace.checkout.root)
    async with kept(workspace) as server:
        await server.until(lambda: workspace.indexer.queued == 0)
        running = await other.request([WHOLE])
        asked = await other.request([WHOLE], force=True)
        assert asked.id != running.id or not running.has_begun
        async with asyncio.timeout(PATIENCE):
            while (row := await other.store.job(asked.id)) is None or row["state"] != "completed":
                await asyncio.sleep(0.05)
        assert (row["kind"], row["files_done"]) == ("force", 400)


async def test_a_job_that_is_given_up_while_another_runs_is_not_done(
    sightline: Workspaces, workspace: Workspace, folder: Files
) -> None:
    folder.write({f"m{number}.py": RETRY + f"x = {number}\n" for number in range(400)})
    other = await sightline.open(workspace.checkout.root)
    async with kept(workspace) as server:
        await server.until(lambda: server.phase == "indexing")
        asked = await other.request([WHOLE], force=True)
        assert not asked.has_begun
        assert await other.store.give_up(asked.id)
        await server.until(lambda: server.summaries)
        folder.write({"b.py": SESSION})
        workspace.indexer.touch(["b.py"])
        await server.finds("where are sessions kept", "b.py")
        jobs = await other.store.jobs(other.checkout.repository_id)
        assert {job["kind"]: job["state"] for job in jobs} == {"force": "cancelled", "scan": "completed"}


async def test_what_is_saved_is_found_while_a_long_job_rests(data_dir: Path, folder: Files) -> None:
    settings = Settings(data_dir=data_dir, index=IndexSettings(pause_above_load=1e-6))
    folder.write({f"m{number}.py": RETRY for number in range(60)})
    async with Workspaces.started(settings, data_dir) as sightline:
        workspace = await sightline.open(folder.root.resolve())
        async with kept(workspace) as server:
            await server.until(lambda: server.phase == "resting")
            for name in ("new.py", "m7.py"):
                folder.write({name: f"def zygote_{name[:-3]}(): pass\n"})
                workspace.indexer.touch([name])
                await server.finds(f"zygote_{name[:-3]}", name)
                assert (server.phase, server.summaries) == ("resting", [])
            folder.remove("new.py")
            workspace.indexer.touch(["new.py"])
            await server.until(lambda: not workspace.indexer.queued)
            assert (server.phase, server.summaries) == ("resting", [])
            workspace.indexer.cancel()


async def test_what_is_saved_amid_a_long_job_leaves_the_index_as_a_fresh_one(
    sightline: Workspaces, workspace: Workspace, folder: Files, tmp_path: Path
) -> None:
    count = 900
    folder.write({f"m{number}.py": RETRY + f"x = {number}\n" for number in range(count)})
    async with kept(workspace) as server:
        await server.until(lambda: server.phase == "indexing")
        for step in range(40):
            name = f"m{step * 37 % count}.py"
            match step % 4:
                case 0 | 1:
                    folder.write({name: SESSION + f"y = {step}\n"})
                case 2:
                    (folder.root / name).unlink(missing_ok=True)
                case 3:
                    folder.write({f"deep/n{step}.py": RETRY})
                    name = "deep"
            workspace.indexer.touch([name])
            await asyncio.sleep(0.05)
        await server.until(lambda: server.summaries and not workspace.indexer.queued)
        shutil.copytree(folder.root, tmp_path / "copy")
        fresh = await sightline.open((tmp_path / "copy").resolve())
        await index(fresh)
        assert await content_of(workspace) == await content_of(fresh)


async def test_what_was_kept_for_long_enough_is_forgotten_at_the_next_look_at_everything(
    workspace: Workspace, folder: Files
) -> None:
    folder.write({"a.py": SESSION})
    await index(workspace)
    pool = await workspace.store.pool()
    await pool.execute("update change_events set applied_at = now() - interval '31 days'")
    await pool.execute("update indexing_jobs set finished_at = now() - interval '8 days'")
    await pool.execute("update embedding_metadata set created_at = now() - interval '31 days'")
    workspace.indexer.reconcile()
    async with workspace.indexer.writing() as writer:
        assert writer is not None
        await workspace.indexer.settle(writer)
    for table in ("change_events", "indexing_jobs", "embedding_metadata"):
        assert await pool.fetchval(f"select count(*) from {table}") == 0


async def test_a_data_folder_without_places_for_workers_fails_the_job_and_no_file(
    external: External, folder: Files, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "workers").write_text("in the way")
    folder.write({"a.py": SESSION})
    async with Workspaces.started(Settings(database=DatabaseSettings(url=external.url())), data) as sightline:
        workspace = await sightline.open(folder.root.resolve())
        with pytest.raises(FolderError, match="the data folder cannot be used"):
            await index(workspace)
        assert (await workspace.store.jobs(workspace.checkout.repository_id))[0]["state"] == "failed"
        (data / "workers").unlink()
        assert (await index(workspace)).files_indexed == 1


async def test_force_outlives_a_round_that_fails(workspace: Workspace, folder: Files) -> None:
    folder.write({"a.py": SESSION})
    await index(workspace)
    indexer = workspace.indexer
    indexer.touch(["a.py"], force=True)

    def save_and_fail(step: Progress) -> None:
        indexer.touch(["a.py"])
        raise DatabaseUnavailable("gone")

    async with indexer.writing() as writer:
        assert writer is not None
        with pytest.raises(DatabaseUnavailable):
            await indexer.settle(writer, save_and_fail)
        assert (await indexer.settle(writer)).files_indexed == 1


async def test_looking_at_everything_in_case_of_a_missed_event_is_no_job(workspace: Workspace, folder: Files) -> None:
    folder.write({"a.py": SESSION})
    await index(workspace)
    folder.write({"b.py": RETRY})
    workspace.indexer.reconcile()
    async with workspace.indexer.writing() as writer:
        assert writer is not None
        assert (await workspace.indexer.settle(writer)).files_indexed == 1
    assert len(await workspace.store.jobs(workspace.checkout.repository_id)) == 1


async def test_a_reader_takes_over_at_once_from_a_writer_that_leaves(
    sightline: Workspaces, workspace: Workspace, folder: Files
) -> None:
    folder.write({"a.py": SESSION})
    async with contextlib.AsyncExitStack() as stack:
        async with kept(workspace) as writer:
            await writer.until(lambda: writer.summaries)
            reader = await stack.enter_async_context(kept(await sightline.open(workspace.checkout.root), look=1000))
            await reader.until(lambda: reader.role == "reader")
            folder.write({"b.py": RETRY})
        await reader.until(lambda: reader.role == "writer")  # though it looks itself in a quarter of an hour
        await reader.finds("retry_failed_uploads", "b.py")


async def test_servers_whose_connections_are_lost_find_their_roles_again(
    sightline: Workspaces, workspace: Workspace, folder: Files
) -> None:
    folder.write({"a.py": SESSION})
    async with kept(workspace) as one, kept(await sightline.open(workspace.checkout.root)) as other:
        await one.until(lambda: one.role and other.role and (one.summaries or other.summaries))
        await end_backends(sightline, workspace)
        await one.until(
            lambda: "waiting" in {state.role for state in one.states} & {state.role for state in other.states}
        )
        await one.until(lambda: sorted((one.role, other.role)) == ["reader", "writer"])
        folder.write({"b.py": RETRY})
        for each in (one, other):
            each.workspace.indexer.touch(["b.py"])
        await one.finds("retry_failed_uploads", "b.py")


async def end_backends(sightline: Workspaces, workspace: Workspace) -> None:
    async with sightline.server.connection(REGISTRY) as connection:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", workspace.project.database
        )


async def test_who_asks_for_an_index_while_a_server_writes_is_served_by_it(
    sightline: Workspaces, workspace: Workspace, folder: Files
) -> None:
    folder.write({"a.py": SESSION})
    command = await sightline.open(workspace.checkout.root)
    async with kept(workspace) as server:
        await server.until(lambda: server.summaries)
        folder.write({"b.py": RETRY})
        summary = await asyncio.wait_for(index(command, force=True), PATIENCE)
        assert summary.sentence() == "2 files indexed: 1 chunks new, 0 gone (by another process)"
        assert await paths_of(command, "retry_failed_uploads") == ["b.py", "a.py"]
        job = (await command.store.jobs(command.checkout.repository_id))[0]
        assert (job["id"], job["kind"], job["state"]) == (summary.job, "force", "completed")


@pytest.fixture(scope="module")
def external() -> Iterator[External]:
    """A Postgres that can be stopped and stays so."""
    with installed() as server:
        yield server


async def test_while_the_database_is_stopped_searches_say_so_and_indexing_goes_on_after_it(
    external: External, folder: Files, tmp_path: Path
) -> None:
    folder.write({f"m{number}.py": f"def function_{number}(): pass\n" for number in range(40)})
    settings = Settings(database=DatabaseSettings(url=external.url()))
    async with Workspaces.started(settings, tmp_path / "data") as sightline:
        workspace = await sightline.open(folder.root.resolve())
        async with kept(workspace) as server:
            await server.until(lambda: server.summaries)
            external.stop()
            await server.until(lambda: server.role == "waiting")
            folder.write({"b.py": RETRY})
            folder.remove("m7.py")
            server.workspace.indexer.touch(["b.py"])
            for _ in range(3):
                began = time.monotonic()
                with pytest.raises(DatabaseUnavailable, match="does not answer"):
                    await paths_of(workspace, "retry_failed_uploads")
                assert time.monotonic() - began < 20
                await asyncio.sleep(0.3)
            external.start()
            await server.finds("retry_failed_uploads", "b.py")
            await server.until(lambda: server.role == "writer")
            assert (await workspace.status())["files"] == 40


async def test_a_long_job_rests_while_the_machine_is_busy_and_a_short_one_does_not(
    data_dir: Path, folder: Files
) -> None:
    settings = Settings(data_dir=data_dir, index=IndexSettings(pause_above_load=1e-6))
    folder.write({"a.py": SESSION})
    async with Workspaces.started(settings, data_dir) as sightline:
        workspace = await sightline.open(folder.root.resolve())
        assert (await index(workspace)).files_indexed == 1
        folder.write({f"m{number}.py": RETRY for number in range(30)})
        phases = set()

        def report(step: Progress) -> None:
            phases.add(step.phase)
            if step.phase == "resting":
                workspace.indexer.cancel()

        assert (await workspace.index(report)).files_indexed == 0
        assert phases == {"scanning", "indexing", "resting"}
