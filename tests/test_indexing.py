"""Indexing: what is stored, what is computed again, and what each failure leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

import psutil
import pytest

from sightline.adapters.postgres import REGISTRY
from sightline.errors import DatabaseUnavailable, FolderError, ProjectNotFound
from sightline.jobs import Progress
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

    async def end_backends() -> None:
        async with sightline.server.connection(REGISTRY) as connection:
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", workspace.project.database
            )

    def report(step: Progress) -> None:
        if step.files_done and not ended:
            ended.append(asyncio.create_task(end_backends()))

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
