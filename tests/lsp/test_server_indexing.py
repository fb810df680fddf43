"""Indexing in the background: its progress, its jobs, its end, and what is searched meanwhile."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from pathlib import Path
from typing import Any

import pytest

from sightline.lsp.folders import LEAVE_SECONDS, Folder
from sightline.lsp.session import Session
from sightline.workspaces import Workspaces
from support import Files, index

from .product import SESSIONS, UPLOAD, as_folder, editing, eventually, indexed, is_current, opened, paths, product
from .support import Client

SEARCH = "sightline/search"
ONE_WORKER = {"index": {"workers": 1}}
MANY = 1_200
"""Files of six batches, which take a second or two."""


@pytest.fixture
def large(folder: Files) -> Files:
    """A folder that takes a moment to index."""
    folder.write({f"src/part{number}.py": f"def function{number}(x):\n    return x\n" for number in range(MANY)})
    return folder


def told(client: Client, kind: str) -> list[dict[str, Any]]:
    """The values of progress of a kind that the client has received."""
    values = [each["params"]["value"] for each in client.received if each["method"] == "$/progress"]
    return [value for value in values if value["kind"] == kind]


async def progress(client: Client, kind: str) -> dict[str, Any]:
    """Waits for progress of a kind; its parameters."""
    found: dict[str, Any] = await client.expect("$/progress", lambda params: params["value"]["kind"] == kind)
    return found


async def jobs(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.request("sightline/jobs"))["jobs"]
    return found


async def counted(client: Client, files: int) -> int:
    """Waits until the folder is current and has so many files; its chunks."""
    status = await eventually(
        client, "sightline/status", {}, lambda status: is_current(status) and status["folders"][0]["files"] == files
    )
    chunks: int = status["folders"][0]["chunks"]
    return chunks


async def found(client: Client, query: str, *expected: str) -> dict[str, Any]:
    """Waits until a lexical search finds just these paths."""
    params = {"query": query, "mode": "lexical", "limit": 50}
    answer: dict[str, Any] = await eventually(
        client, SEARCH, params, lambda answer: sorted(paths(answer)) == sorted(expected)
    )
    return answer


async def test_indexing_shows_its_progress_from_begin_to_end(data_dir: Path, large: Files) -> None:
    async with editing(data_dir, large.root, settings=ONE_WORKER) as client:
        token = (await client.expect("window/workDoneProgress/create"))["token"]
        begin = await progress(client, "begin")
        assert begin == {
            "token": token,
            "value": {"kind": "begin", "title": "Indexing project", "cancellable": True, "percentage": 0},
        }
        reports: list[dict[str, Any]] = []
        await client.until(lambda: told(client, "end"))
        reports = told(client, "report")
        assert [each["percentage"] for each in reports] == sorted(each["percentage"] for each in reports)
        assert all(each["message"].endswith(f"/{MANY} files") for each in reports)
        assert len(reports) > 2
        assert told(client, "end") == [{"kind": "end", "message": f"{MANY} files indexed: {MANY} chunks new, 0 gone"}]
        assert await counted(client, MANY) == MANY


async def test_the_client_is_told_how_far_it_is_until_it_is_done(data_dir: Path, large: Files) -> None:
    async with editing(data_dir, large.root, settings=ONE_WORKER) as client:
        first = await client.expect("sightline/statusChanged")
        assert first["percent"] < 100
        assert first["degraded"][0]["code"] == "indexing"
        last = await client.expect(
            "sightline/statusChanged", lambda params: (params["phase"], params["files"]) == ("idle", MANY)
        )
        assert (last["percent"], last["chunks"], last["degraded"]) == (100, MANY, [])


@pytest.mark.parametrize("by", ["progress", "request"])
async def test_a_job_that_is_cancelled_ends_is_told_and_can_be_begun_again(
    data_dir: Path, large: Files, by: str
) -> None:
    async with editing(data_dir, large.root, settings=ONE_WORKER) as client:
        begin = await progress(client, "begin")
        if by == "progress":
            client.notify("window/workDoneProgress/cancel", {"token": begin["token"]})
        else:
            (job,) = await jobs(client)
            await client.request("sightline/cancelJob", {"id": job["id"]})
        assert (await progress(client, "end"))["value"]["message"] == "Cancelled"
        listed = await eventually(client, "sightline/jobs", {}, lambda found: found["jobs"][0]["state"] != "running")
        assert [each["state"] for each in listed["jobs"]] == ["cancelled"]
        status = await eventually(
            client, "sightline/status", {}, lambda status: status["folders"][0]["phase"] == "cancelled"
        )
        assert status["folders"][0]["indexedPercent"] < 100
        answer = await client.request(SEARCH, {"query": "function"})
        assert (answer["complete"], answer["degraded"][0]["code"]) == (False, "indexing")
        await client.expect("sightline/statusChanged", lambda params: params["phase"] == "cancelled")
        assert not told(client, "begin")
        again = await client.request("sightline/cancelJob", {"id": listed["jobs"][0]["id"]})
        assert again["jobs"][0]["state"] == "cancelled"
        assert (await client.request("sightline/index"))["state"] in ("running", "completed")
        assert await counted(client, MANY) == MANY


async def test_what_is_indexed_already_is_found_while_the_rest_is_not(data_dir: Path, large: Files) -> None:
    async with editing(data_dir, large.root, settings=ONE_WORKER) as client:
        await client.request("sightline/pause")
        status = (await client.request("sightline/status"))["folders"][0]
        assert (status["phase"], status["paused"]) == ("paused", True)
        await client.expect("sightline/statusChanged", lambda params: params["phase"] == "paused")
        answer = await client.request(SEARCH, {"query": "function7"})
        assert answer["complete"] is False
        assert answer["indexedPercent"] < 100
        assert {"code": "indexing"}.items() <= answer["degraded"][0].items()
        large.write({"src/late.py": UPLOAD})
        late = {"uri": (large.root / "src/late.py").as_uri()}
        assert (await client.request("sightline/explainFile", late))["reason"] == "It is not indexed yet."
        await client.request("sightline/resume")
        await client.expect("sightline/statusChanged", lambda params: params["phase"] != "paused")
        await indexed(client)
        answer = await found(client, "retry_failed_uploads", "src/late.py")
        assert (answer["complete"], answer["degraded"]) == (True, [])


async def test_open_files_are_indexed_first(data_dir: Path, folder: Files) -> None:
    folder.write({f"part{number}.py": f"def function{number}(): pass\n" for number in range(100)})
    server = product(data_dir)
    async with editing(data_dir, folder.root, server=server) as client:
        for number in (50, 3):
            path = folder.root / f"part{number}.py"
            client.notify("textDocument/didOpen", opened(path, path.read_text()))
        await indexed(client)
        session: Session = server.context
        workspace = session.folders[folder.root.resolve()].workspace
        assert workspace
        rows = await (await workspace.store.pool()).fetch(
            "select relative_path from code_files f join code_chunks c on c.code_file_id = f.id order by c.id limit 2"
        )
        assert {row[0] for row in rows} == {"part50.py", "part3.py"}


async def test_what_others_write_is_found_soon_and_without_a_progress_bar(data_dir: Path, folder: Files) -> None:
    folder.write({"a.py": SESSIONS})
    async with editing(data_dir, folder.root) as client:
        await indexed(client)
        await client.until(lambda: told(client, "end"))
        client.received.clear()
        folder.write({"deep/er/b.py": UPLOAD})
        await found(client, "retry_failed_uploads", "deep/er/b.py")
        (folder.root / "deep/er/b.py").rename(folder.root / "c.py")
        await found(client, "retry_failed_uploads", "c.py")
        folder.remove("c.py")
        await found(client, "retry_failed_uploads")
        assert not [each for each in client.received if each["method"] != "sightline/statusChanged"]
        folder.write({".gitignore": "a.py\n"})
        await found(client, "SessionStore")


@pytest.mark.parametrize("given", ["", ".", "src", "src/", "./src/net", "src/net/upload.py", "gone/none.py"])
async def test_any_name_of_a_place_can_be_indexed_and_nothing_is_indexed_twice(
    data_dir: Path, folder: Files, given: str
) -> None:
    folder.write({"src/sessions.py": SESSIONS, "src/net/upload.py": UPLOAD})
    async with editing(data_dir, folder.root) as client:
        assert await counted(client, 2) == 2
        job = await client.request("sightline/index", {"paths": [given], "force": True})
        assert job["kind"] == "force"
        done = await eventually(client, "sightline/jobs", {}, lambda found: found["jobs"][0]["state"] == "completed")
        assert done["jobs"][0]["id"] == job["id"]
        for uri in (folder.root, folder.root / "src", folder.root / "src/sessions.py"):
            client.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": uri.as_uri(), "type": 2}]})
            client.notify("textDocument/didSave", {"textDocument": {"uri": uri.as_uri()}})
        await indexed(client)
        assert await counted(client, 2) == 2
        await found(client, "SessionStore", "src/sessions.py")


async def test_a_job_that_runs_is_not_begun_twice(data_dir: Path, large: Files) -> None:
    async with editing(data_dir, large.root, settings=ONE_WORKER) as client:
        begun = await client.request("sightline/index", {"folder": large.root.as_uri()})
        same = await client.request("workspace/executeCommand", {"command": "sightline.index", "arguments": [{}]})
        assert (begun["id"], begun["state"]) == (same["id"], "running")
        assert (begun["kind"], begun["filesTotal"]) == ("scan", MANY)


async def test_two_servers_share_a_folder_and_the_second_takes_over(data_dir: Path, folder: Files) -> None:
    folder.write({"a.py": SESSIONS})
    async with editing(data_dir, folder.root) as second:
        async with editing(data_dir, folder.root) as first:
            roles = lambda status: status["folders"][0]["role"] != "waiting"  # noqa: E731 - one place
            both = [await eventually(each, "sightline/status", {}, roles) for each in (first, second)]
            assert sorted(each["folders"][0]["role"] for each in both) == ["reader", "writer"]
            folder.write({"b.py": UPLOAD})
            for each in (first, second):
                await found(each, "retry_failed_uploads", "b.py")
        writer = await eventually(
            second, "sightline/status", {}, lambda status: status["folders"][0]["role"] == "writer"
        )
        assert writer["folders"][0]["projectId"] == both[0]["folders"][0]["projectId"]
        folder.write({"b.py": "def zygote(): pass\n"})
        await found(second, "zygote", "b.py")


async def test_a_job_of_another_process_cannot_be_cancelled_here(data_dir: Path, large: Files) -> None:
    async with editing(data_dir, large.root, settings=ONE_WORKER) as writer:
        await progress(writer, "begin")
        async with editing(data_dir, large.root) as reader:
            listed = await eventually(reader, "sightline/jobs", {}, lambda found: found["jobs"])
            error = await reader.refused("sightline/cancelJob", {"id": listed["jobs"][0]["id"]})
            assert (error.code, error.message) == (-32803, "another process runs the job")


async def test_a_project_is_removed_when_no_folder_needs_it_and_its_name_is_repeated(
    data_dir: Path, folder: Files
) -> None:
    folder.write({"a.py": SESSIONS})
    async with editing(data_dir, folder.root) as client:
        project = (await indexed(client))["projects"][0]
        removal = {"projectId": project["id"], "confirm": project["name"]}
        error = await client.refused("sightline/removeProject", removal)
        assert error.message == "the project is that of an open folder"
        closed = {"event": {"added": [], "removed": [as_folder(folder.root)]}}
        client.notify("workspace/didChangeWorkspaceFolders", closed)
        await eventually(client, "sightline/status", {}, lambda status: not status["folders"])
        error = await client.refused("sightline/removeProject", removal | {"confirm": "other"})
        assert (error.code, error.data["code"]) == (-32803, "projectFailed")
        left = await client.request("sightline/removeProject", removal)
        assert project["id"] not in [each["id"] for each in left["projects"]]
        error = await client.refused(SEARCH, {"query": "x", "projectId": project["id"]})
        assert error.data["code"] == "projectNotFound"


async def test_a_file_that_is_no_text_by_name_does_not_stop_the_index(data_dir: Path, folder: Files) -> None:
    folder.write({"a.py": SESSIONS, "caf\udce9.py": UPLOAD})
    async with editing(data_dir, folder.root) as client:
        await indexed(client)
        folder.write({"na\udcefve.py": UPLOAD, "b.py": UPLOAD})
        await found(client, "retry_failed_uploads", "b.py")
        await asyncio.gather(*(client.request("sightline/status") for _ in range(3)))
        assert (await indexed(client))["folders"][0]["phase"] == "idle"


REFUSED = "the database refused a statement (RaiseError)"
REFUSE = """
create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
create trigger refused before insert on code_files for each statement execute function refuse()
"""


def failed(found: dict[str, Any]) -> int:
    """How many jobs failed."""
    return [each["state"] for each in found["jobs"]].count("failed")


async def test_a_failure_that_comes_again_and_again_is_told_once_and_stands_until_it_is_mended(
    data_dir: Path, folder: Files, caplog: pytest.LogCaptureFixture
) -> None:
    folder.write({"a.py": SESSIONS})
    server = product(data_dir)
    async with editing(data_dir, folder.root, server=server) as client:
        await indexed(client)
        await client.until(lambda: told(client, "end"))
        workspace = server.context.folders[folder.root.resolve()].workspace
        pool = await workspace.store.pool()
        await pool.execute(REFUSE)
        client.received.clear()
        folder.write({f"part{number}.py": UPLOAD for number in range(30)})
        await progress(client, "begin")
        assert (await progress(client, "end"))["value"]["message"] == REFUSED
        assert any(REFUSED in each.getMessage() for each in caplog.records)
        for attempts in (1, 3):  # the files may have been seen in two parts, and so be two changes
            client.received.clear()
            caplog.clear()
            await eventually(client, "sightline/jobs", {}, lambda found, least=attempts: failed(found) > least)
        assert not told(client, "begin")
        assert not [each for each in caplog.records if REFUSED in each.getMessage()]
        answer = await client.request(SEARCH, {"query": "session"})
        assert (answer["complete"], answer["degraded"]) == (False, [{"code": "indexing", "message": REFUSED}])
        assert (await client.request("sightline/status"))["folders"][0]["phase"] == "waiting"
        await pool.execute("drop function refuse cascade")
        assert await counted(client, 31) == 31
        assert (await client.request(SEARCH, {"query": "session"}))["degraded"] == []


async def test_an_index_that_was_whole_before_is_nearly_whole_until_its_files_are_looked_at(
    data_dir: Path, folder: Files
) -> None:
    folder.write({f"part{number}.py": UPLOAD for number in range(60)})
    for path in folder.root.glob("*.py"):
        os.utime(path, (1e9, 1e9))  # what was changed a moment before it was indexed is read again
    async with editing(data_dir, folder.root) as client:
        await counted(client, 60)
    folder.write({f"part{number}.py": SESSIONS for number in range(3)})
    async with editing(data_dir, folder.root) as client:
        await eventually(client, "sightline/status", {}, lambda status: status["folders"][0]["files"])
        answer = await client.request(SEARCH, {"query": "upload"})
        assert answer["hits"]
        assert answer["indexedPercent"] == 100 if answer["complete"] else 95 <= answer["indexedPercent"] < 100
        await indexed(client)
        changes = [each["params"] for each in client.received if each["method"] == "sightline/statusChanged"]
        assert [each for each in changes if each["files"] and each["percent"] < 95] == []


async def test_how_much_is_indexed_is_known_before_the_first_scan(
    sightline: Workspaces, data_dir: Path, folder: Files
) -> None:
    root = await asyncio.to_thread(folder.root.resolve)
    percents = []
    for _ in range(2):
        opened_folder = Folder(root.as_uri(), root, product(data_dir), lambda: None, lambda _: None, lambda _: None)
        await opened_folder.open(sightline)
        percents.append((opened_folder.percent, opened_folder.phase))
        await opened_folder.close()
        await index(await sightline.open(root))
    assert percents == [(0, "starting"), (99, "starting")]


async def test_a_server_that_ends_while_it_indexes_notes_the_end_of_its_job(
    data_dir: Path, large: Files, sightline: Workspaces, caplog: pytest.LogCaptureFixture
) -> None:
    async with editing(data_dir, large.root, settings=ONE_WORKER) as client:
        await progress(client, "begin")
        began = time.monotonic()
        assert await client.shut_down() == 0
        is_in_time = time.monotonic() - began < LEAVE_SECONDS  # else it is not waited for
    gc.collect()
    assert not [each for each in caplog.records if "never retrieved" in each.getMessage()]
    workspace = await sightline.open(await asyncio.to_thread(large.root.resolve))
    (job,) = await workspace.store.jobs(workspace.checkout.repository_id)
    assert (job["state"], job["message"]) == ("cancelled", "interrupted") or not is_in_time
