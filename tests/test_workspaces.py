"""Workspaces: this host's id, what is opened and closed with them, and waiting for another process's index."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
from pathlib import Path

import pytest

from sightline.__main__ import open_sightline
from sightline.adapters.embedded import Place
from sightline.adapters.files import Skipped
from sightline.errors import FolderError, SightlineError
from sightline.jobs import Progress
from sightline.settings import DatabaseSettings, EmbeddingSettings, Settings
from sightline.workspaces import Workspace, Workspaces, host_id
from support import Files, index, paths_of, run

CODE = "def remember_session(): pass\n"


def test_a_host_has_one_id_whoever_asks_first(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) / "data" for number in range(40)]
    pool = multiprocessing.get_context("fork").Pool(8)
    asked = [pool.map_async(host_id, folders, chunksize=1) for _ in range(8)]
    pool.close()
    answers = [each.get(30) for each in asked]
    pool.join()
    assert all(each == answers[0] for each in answers)
    assert len(set(answers[0])) == 40
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in answers[0])
    assert {name for folder in folders for name in os.listdir(folder)} == {"host-id"}
    assert [host_id(folder) for folder in folders] == answers[0]


def under_a_file(place: Path) -> Path:
    place.write_text("a file")
    return place / "data"


def with_a_folder_of_that_name(place: Path) -> Path:
    (place / "host-id").mkdir(parents=True)
    return place


def with_bytes_in_it(place: Path) -> Path:
    place.mkdir()
    (place / "host-id").write_bytes(b"\xff\xfe")
    return place


def with_nothing_in_it(place: Path) -> Path:
    place.mkdir()
    (place / "host-id").write_bytes(b"\n")
    return place


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (under_a_file, "cannot be used: (Not a directory|File exists)"),
        (with_a_folder_of_that_name, "cannot be used: Is a directory"),
        (with_bytes_in_it, "cannot be used: no text"),
        (with_nothing_in_it, "host-id is empty"),
    ],
)
def test_a_data_folder_that_holds_no_id_is_told(tmp_path: Path, make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(FolderError, match=message) as caught:
        host_id(make(tmp_path / "place"))
    assert caught.value.hint


def test_a_data_folder_that_cannot_be_written_is_one_sentence(data_dir: Path, folder: Files, tmp_path: Path) -> None:
    """With a server of one's own, nothing else is kept there."""
    folder.write({"a.py": CODE})
    url = f"postgresql://postgres@/postgres?host={Place(data_dir).sockets}"
    done = run(under_a_file(tmp_path / "place"), "search", "session", folder.root, SIGHTLINE_DATABASE_URL=url)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the data folder cannot be used" in done.stderr
    assert "SIGHTLINE_DATA_DIR" in done.stderr
    assert "Traceback" not in done.stderr


async def connections(sightline: Workspaces) -> int:
    async with sightline.server.connection("sightline_registry") as registry:
        count: int = await registry.fetchval(
            "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
        )
        return count


async def settled_at(sightline: Workspaces, expected: int) -> None:
    """Backends take a moment to end after their connection."""
    deadline = asyncio.get_running_loop().time() + 100
    while (found := await connections(sightline)) != expected:
        assert asyncio.get_running_loop().time() < deadline, found


async def test_what_was_opened_is_closed_also_after_an_error(
    sightline: Workspaces, settings: Settings, data_dir: Path, folder: Files
) -> None:
    before = sum(each.open for each in sightline.server.pools())
    await settled_at(sightline, before)
    with pytest.raises(KeyError):
        async with Workspaces.started(settings, data_dir) as workspaces:
            folder.write({"a.py": CODE})
            workspace = await workspaces.open(folder.root)
            await index(workspace)
            raise KeyError
    await settled_at(sightline, before)
    missing = EmbeddingSettings(provider="model2vec", model=str(folder.root / "none"))
    with pytest.raises(SightlineError):
        async with Workspaces.started(Settings(data_dir=data_dir, embedding=missing), data_dir):
            pass
    await settled_at(sightline, before)


async def test_the_composition_root_opens_what_the_settings_say(
    sightline: Workspaces, data_dir: Path, folder: Files
) -> None:
    folder.write({"a.py": CODE})
    url = f"postgresql://postgres@/postgres?host={Place(data_dir).sockets}"
    for settings in (Settings(data_dir=data_dir), Settings(data_dir=data_dir, database=DatabaseSettings(url=url))):
        async with open_sightline(settings) as workspaces:
            assert workspaces.server.is_embedded is not bool(settings.database.url)
            workspace = await workspaces.open(folder.root)
            await index(workspace)
            assert await paths_of(workspace, "remember session") == ["a.py"]


async def test_an_index_that_another_process_makes_is_waited_for_and_shown(
    workspace: Workspace, folder: Files, sightline: Workspaces
) -> None:
    folder.write({"a.py": CODE})
    other = await sightline.open(folder.root)
    seen: list[Progress] = []
    shown = asyncio.Event()

    def report(step: Progress) -> None:
        seen.append(step)
        if step.files_total == 7:
            shown.set()

    async with other.indexer.writing() as writer:
        assert writer is not None
        waiting = asyncio.create_task(workspace.index(report))
        while not (left := await writer.unfinished_jobs()):
            await asyncio.sleep(0.01)
        job = await writer.begin_job("scan", [""], "1", left)
        await writer.update_job(job, state="running", phase="indexing", files_total=7, files_done=3, chunks=21)
        await asyncio.wait_for(shown.wait(), 100)
        assert not waiting.done()
        await writer.finish_job(job, "completed", "3 files indexed", failed=[Skipped("b.py", "unreadable")])
        summary = await waiting
    assert (summary.job, summary.chunks_added, [each.path for each in summary.failed]) == (job, 21, ["b.py"])
    assert summary.sentence() == "3 files indexed (by another process)"
    step = next(each for each in seen if each.files_total)
    assert (step.files_done, step.files_total, step.phase, step.job) == (3, 7, "indexing", job)


async def test_an_index_whose_maker_ends_is_made_by_who_waited(
    workspace: Workspace, folder: Files, sightline: Workspaces
) -> None:
    folder.write({"a.py": CODE})
    other = await sightline.open(folder.root)
    async with other.indexer.writing() as writer:
        assert writer is not None
        waiting = asyncio.create_task(workspace.index(lambda step: None))
        while not (left := await writer.unfinished_jobs()):
            await asyncio.sleep(0.01)
        job = await writer.begin_job("scan", [""], "1", left)
    summary = await waiting
    assert (summary.job, summary.files_indexed) == (job, 1)


async def test_an_index_that_another_process_cannot_make_is_an_error(
    workspace: Workspace, folder: Files, sightline: Workspaces
) -> None:
    other = await sightline.open(folder.root)
    async with other.indexer.writing() as writer:
        assert writer is not None
        waiting = asyncio.create_task(workspace.index(lambda step: None))
        while not (left := await writer.unfinished_jobs()):
            await asyncio.sleep(0.01)
        await writer.finish_job(left[0].id, "failed", "no room", "no room")
        with pytest.raises(SightlineError, match="could not finish: no room"):
            await waiting


async def test_a_folder_behind_a_link_is_the_folder(sightline: Workspaces, folder: Files, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder.root)
    one, other = await sightline.open(folder.root), await sightline.open(link)
    assert (one.project.id, one.checkout) == (other.project.id, other.checkout)
