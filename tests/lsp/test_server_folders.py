"""Folders and settings come and go while the server runs, and open documents are what is searched."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sightline.lsp.server import make
from sightline.settings import Settings
from sightline.workspaces import Workspaces
from support import Files

from .product import (
    CAPABILITIES,
    SESSIONS,
    UPLOAD,
    as_folder,
    editing,
    eventually,
    indexed,
    opened,
    paths,
    product,
)
from .support import PATIENCE, Client, connected

SEARCH = "sightline/search"
QUERY = {"query": "session upload", "limit": 50}


@pytest.fixture
def other(tmp_path: Path) -> Files:
    """A second folder."""
    root = tmp_path / "other"
    root.mkdir()
    return Files(root)


def changed(added: list[Path], removed: list[Path] = []) -> dict[str, Any]:  # noqa: B006 - never written to
    return {"event": {"added": [as_folder(each) for each in added], "removed": [as_folder(each) for each in removed]}}


async def found(client: Client, *expected: str, **params: Any) -> dict[str, Any]:
    """Waits until a search finds just these paths."""
    answer: dict[str, Any] = await eventually(
        client, SEARCH, QUERY | params, lambda answer: sorted(paths(answer)) == sorted(expected)
    )
    return answer


async def test_folders_are_added_and_removed_while_the_server_runs(data_dir: Path, folder: Files, other: Files) -> None:
    folder.write({"a.py": SESSIONS})
    other.write({"b.py": UPLOAD})
    async with editing(data_dir, folder.root) as client:
        await indexed(client)
        client.notify("workspace/didChangeWorkspaceFolders", changed([other.root]))
        both = await found(client, "a.py", "b.py")
        assert len(both["projects"]) == 2
        assert {hit["projectId"] for hit in both["hits"]} == {each["id"] for each in both["projects"]}
        assert await found(client, "b.py", folder=other.root.as_uri())
        refused = await client.refused("sightline/index", {})
        assert refused.message == "2 folders are open"
        client.notify("workspace/didChangeWorkspaceFolders", changed([], [folder.root]))
        await found(client, "b.py")
        client.notify("workspace/didChangeWorkspaceFolders", changed([folder.root], [other.root]))
        await found(client, "a.py")
        assert (await indexed(client))["folders"][0]["role"] == "writer"


async def test_a_folder_that_is_closed_while_it_opens_is_let_go(data_dir: Path, folder: Files) -> None:
    folder.write({"a.py": SESSIONS})
    async with editing(data_dir) as client:
        for _ in range(3):
            client.notify("workspace/didChangeWorkspaceFolders", changed([folder.root]))
            client.notify("workspace/didChangeWorkspaceFolders", changed([], [folder.root]))
        await eventually(client, "sightline/status", {}, lambda status: not status["folders"])
        async with editing(data_dir, folder.root) as second:
            assert (await indexed(second))["folders"][0]["role"] == "writer"


async def test_a_folder_that_is_closed_and_opened_at_once_stays(data_dir: Path, folder: Files) -> None:
    """Closing waits for the disk and for tasks that end; what the client says meanwhile is later nevertheless."""
    folder.write({"a.py": SESSIONS})
    async with editing(data_dir, folder.root) as client:
        await indexed(client)
        for _ in range(5):
            client.notify("workspace/didChangeWorkspaceFolders", changed([], [folder.root]))
            client.notify("workspace/didChangeWorkspaceFolders", changed([folder.root]))
        await asyncio.sleep(1)
        await found(client, "a.py")


async def test_a_folder_under_two_names_is_searched_once(data_dir: Path, folder: Files, tmp_path: Path) -> None:
    folder.write({"a.py": SESSIONS})
    link = tmp_path / "link"
    link.symlink_to(folder.root)
    async with editing(data_dir, folder.root, link) as client:
        await indexed(client)
        await found(client, "a.py", maxPerFile=50)


SPELLINGS: list[Callable[[str], str]] = [
    lambda uri: f"{uri}/",
    lambda uri: uri.replace("project", "pro%6Aect"),
    lambda uri: uri.replace("/project", "%2Fproject"),
    lambda uri: uri.replace("file:///", "file:/"),
]


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_a_folder_is_one_however_its_uri_is_written(
    data_dir: Path, folder: Files, spelling: Callable[[str], str]
) -> None:
    folder.write({"a.py": SESSIONS})
    other = {"uri": spelling(folder.root.as_uri()), "name": "other"}
    async with editing(data_dir, folder.root) as client:
        client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [other], "removed": []}})
        await found(client, "a.py", maxPerFile=50, folder=other["uri"])
        (status,) = (await indexed(client))["folders"]
        assert status["role"] == "writer"
        client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": [other]}})
        await eventually(client, "sightline/status", {}, lambda status: not status["folders"])


async def test_the_case_of_a_drive_letter_makes_no_second_folder(data_dir: Path) -> None:
    folders = [{"uri": each, "name": "drive"} for each in ("file:///C:/x", "file:///c:/x", "file:///c%3A/x/")]
    async with editing(data_dir, workspaceFolders=folders) as client:
        assert len((await client.request("sightline/status"))["folders"]) == 1


async def test_a_folder_stays_until_the_last_of_its_names_is_closed(
    data_dir: Path, folder: Files, tmp_path: Path
) -> None:
    folder.write({"a.py": SESSIONS})
    link = tmp_path / "link"
    link.symlink_to(folder.root)
    async with editing(data_dir, folder.root, link) as client:
        assert len((await indexed(client))["folders"]) == 1
        client.notify("workspace/didChangeWorkspaceFolders", changed([], [folder.root]))
        await found(client, "a.py", folder=link.as_uri())
        link.unlink()
        client.notify("workspace/didChangeWorkspaceFolders", changed([], [link]))
        await eventually(client, "sightline/status", {}, lambda status: not status["folders"])


async def test_a_folder_that_is_missing_does_not_keep_the_others_from_being_searched(
    data_dir: Path, folder: Files, tmp_path: Path
) -> None:
    folder.write({"a.py": SESSIONS})
    gone = tmp_path / "gone"
    async with editing(data_dir, gone, folder.root) as client:
        answer = await found(client, "a.py")
        assert answer["complete"] is False
        assert any("does not exist" in each["message"] for each in answer["degraded"])
        error = await client.refused(SEARCH, QUERY | {"folder": gone.as_uri()})
        assert (error.code, error.data["code"]) == (-32803, "badFolder")
        gone.mkdir()
        (gone / "b.py").write_text(UPLOAD)
        await found(client, "a.py", "b.py")


async def test_what_is_no_folder_is_left_out(data_dir: Path, folder: Files) -> None:
    folder.write({"a.py": SESSIONS})
    odd = ["untitled:x", "vscode-vfs://github/a/b", "file:///a%00b", "", "http://["]
    folders = [*({"uri": each, "name": "odd"} for each in odd), as_folder(folder.root)]
    async with editing(data_dir, workspaceFolders=folders) as client:
        assert len((await indexed(client))["folders"]) == 1
        await found(client, "a.py")


async def test_a_client_without_folders_finds_nothing_and_has_a_root_where_it_names_one(
    data_dir: Path, folder: Files
) -> None:
    folder.write({"a.py": SESSIONS})
    async with editing(data_dir) as client:
        answer = await eventually(client, SEARCH, QUERY, lambda answer: answer["projects"])
        (project,) = answer["projects"]
        assert (answer["hits"], project["id"], project["resolvedBy"]) == ([], "default", "default")
        assert project["trace"][-1] == "default: there is no folder"
        assert await client.request("workspace/symbol", {"query": "x"}) == []
    async with editing(data_dir, workspaceFolders=None, rootUri=folder.root.as_uri()) as client:
        await found(client, "a.py")


async def said(client: Client) -> str:
    message: str = (await client.expect("window/showMessage"))["message"]
    return message


async def test_bad_settings_are_said_once_and_the_rest_counts(data_dir: Path, folder: Files) -> None:
    folder.write({"a.py": SESSIONS, "b.py": UPLOAD})
    settings = {"index": {"exclude": ["b.py"], "workers": "many"}, "colour": "red"}
    async with editing(data_dir, folder.root, settings=settings) as client:
        assert {await said(client), await said(client)} == {
            "Sightline: index.workers (editor): Input should be a valid integer, unable to parse string as an integer;"
            " the value is ignored",
            "Sightline: colour (editor): there is no such setting; the value is ignored",
        }
        await indexed(client)
        await found(client, "a.py")
        client.notify("workspace/didChangeConfiguration", {"settings": None})
        await asyncio.gather(*(client.request("sightline/status") for _ in range(3)))
        status = await client.request("sightline/status")
        assert len(status["problems"]) == 2
        assert not [each for each in client.received if each["method"] == "window/showMessage"]


async def test_a_password_in_the_editors_settings_is_refused(data_dir: Path) -> None:
    settings = {"database": {"url": "postgresql://me:hunter2@localhost/x"}}
    async with editing(data_dir, settings=settings) as client:
        assert "password" in (message := await said(client))
        assert "hunter2" not in message
        await eventually(client, "sightline/status", {}, lambda status: status["database"] == "embedded")


PULL, PUSH = CAPABILITIES, CAPABILITIES | {"workspace": {}}
EXCLUDED = {"index": {"exclude": ["b.py"]}}


@pytest.mark.parametrize(
    ("capabilities", "answers", "options"),
    [
        (PULL, [EXCLUDED], None),
        (PULL, [{"sightline": EXCLUDED}], None),
        (PULL, [None], EXCLUDED),
        (PULL, [{}], {"sightline": EXCLUDED}),
        (PULL, [[]], EXCLUDED),
        (PULL, ["nonsense"], EXCLUDED),
        (PULL, [], EXCLUDED),
        (PULL, None, EXCLUDED),
        (PULL, {}, EXCLUDED),
        (PUSH, [{}], EXCLUDED),
        (PUSH, [{}], {"sightline": EXCLUDED, "other": 1}),
    ],
)
async def test_settings_come_by_any_way_that_the_client_has(
    data_dir: Path, folder: Files, capabilities: Any, answers: Any, options: Any
) -> None:
    folder.write({"a.py": SESSIONS, "b.py": UPLOAD})
    async with connected(product(data_dir)) as client:
        client.replies["workspace/configuration"] = lambda asked: answers
        folders = [as_folder(folder.root)]
        await client.initialize(capabilities=capabilities, initializationOptions=options, workspaceFolders=folders)
        await indexed(client)
        await found(client, "a.py")


@pytest.mark.parametrize("pulls", [True, False])
async def test_changed_settings_take_effect(data_dir: Path, folder: Files, pulls: bool) -> None:
    folder.write({"a.py": SESSIONS, "b.py": UPLOAD})
    async with editing(data_dir, folder.root, capabilities=PULL if pulls else PUSH) as client:
        await indexed(client)
        await found(client, "a.py", "b.py")
        for exclude, left in ((["a.py"], ["b.py"]), (["*.py"], []), ([], ["a.py", "b.py"])):
            settings = {"index": {"exclude": exclude, "workers": 1}}
            client.replies["workspace/configuration"] = lambda asked, own=settings: [own]
            client.notify("workspace/didChangeConfiguration", {"settings": {"sightline": settings}})
            await found(client, *left)
        assert (await indexed(client))["folders"][0]["role"] == "writer"


async def test_settings_that_change_in_a_hurry_end_as_the_last_one_says(data_dir: Path, folder: Files) -> None:
    folder.write({"a.py": SESSIONS, "b.py": UPLOAD})
    async with editing(data_dir, folder.root, capabilities=PUSH) as client:
        for number in range(8):
            exclude = ["a.py"] if number % 2 else ["b.py"]
            client.notify("workspace/didChangeConfiguration", {"settings": {"index": {"exclude": exclude}}})
        client.notify("initialized", {})
        await found(client, "b.py")
        status = await indexed(client)
        assert [each["role"] for each in status["folders"]] == ["writer"]
        await found(client, "b.py")


async def test_settings_that_cannot_be_used_are_told_by_every_request_until_they_are_changed(
    data_dir: Path, folder: Files
) -> None:
    folder.write({"a.py": SESSIONS})
    settings = {"embedding": {"provider": "model2vec", "model": str(folder.root / "none")}}
    async with editing(data_dir, folder.root, capabilities=PUSH, initializationOptions=settings) as client:
        error = await client.refused(SEARCH, QUERY)
        assert (error.code, error.data["code"]) == (-32803, "embedderFailed")
        status = await client.request("sightline/status")
        assert status["folders"][0]["role"] == "waiting"
        assert status["database"] == error.message
        client.notify("workspace/didChangeConfiguration", {"settings": {"log": {"level": "error"}}})
        await found(client, "a.py")


async def test_a_client_that_does_not_answer_has_no_settings(data_dir: Path, folder: Files) -> None:
    folder.write({"a.py": SESSIONS})
    async with connected(product(data_dir)) as client:
        client.silent.add("workspace/configuration")
        await client.initialize(capabilities=CAPABILITIES, workspaceFolders=[as_folder(folder.root)])
        assert (await eventually(client, SEARCH, QUERY, lambda answer: answer["projects"]))["projects"]
        await found(client, "a.py")


async def test_a_request_that_comes_early_waits_a_little_for_the_database_and_then_says_so(folder: Files) -> None:
    opening = asyncio.Event()

    @asynccontextmanager
    async def never(settings: Settings) -> AsyncIterator[Workspaces]:
        opening.set()
        await asyncio.Event().wait()
        yield NotImplemented

    async with editing(folder.root, folder.root, server=make(never)) as client:
        await opening.wait()
        began = time.monotonic()
        early = [
            client.start(SEARCH, QUERY),
            client.start("sightline/jobs", {}),
            client.start("workspace/symbol", QUERY),
        ]
        assert (await client.request("sightline/status"))["folders"][0]["phase"] == "starting"
        for id_ in early:
            error = await client.failure(id_)
            assert (error.code, error.data["code"]) == (-32803, "databaseUnavailable")
            assert error.message == "the database is still starting"
        assert 5 <= time.monotonic() - began < PATIENCE


async def test_a_start_that_fails_in_no_foreseen_way_is_told_and_tried_again(data_dir: Path, folder: Files) -> None:
    folder.write({"a.py": SESSIONS})
    failures = [RuntimeError("secret")]

    @asynccontextmanager
    async def moody(settings: Settings) -> AsyncIterator[Workspaces]:
        if failures:
            raise failures.pop()
        async with Workspaces.started(settings, data_dir) as workspaces:
            yield workspaces

    async with editing(data_dir, folder.root, server=make(moody)) as client:
        error = await client.refused(SEARCH, QUERY)
        assert (error.code, error.message) == (-32803, "Sightline cannot start (RuntimeError)")
        await found(client, "a.py")


async def test_hits_are_checked_against_open_documents(data_dir: Path, folder: Files, tmp_path: Path) -> None:
    folder.write({"a.py": SESSIONS, "b.py": UPLOAD})
    link = tmp_path / "link"
    link.symlink_to(folder.root)
    async with editing(data_dir, link) as client:
        await indexed(client)
        client.notify("textDocument/didOpen", opened(link / "a.py", f"# one\n# 🙂\n{SESSIONS}"))
        hit = (await found(client, "a.py", query="SessionStore path:a.py"))["hits"][0]
        assert hit["selectionRange"]["start"]["line"] == 2 + 3
        change = {"range": {"start": {"line": 0, "character": 0}, "end": {"line": 2, "character": 0}}, "text": ""}
        versioned = {"uri": (link / "a.py").as_uri(), "version": 2}
        client.notify("textDocument/didChange", {"textDocument": versioned, "contentChanges": [change]})
        hit = (await found(client, "a.py", query="SessionStore path:a.py"))["hits"][0]
        assert hit["selectionRange"]["start"]["line"] == 3
        client.notify("textDocument/didChange", {"textDocument": versioned, "contentChanges": [{"text": ""}]})
        await found(client, query="SessionStore path:a.py")
        client.notify("textDocument/didClose", {"textDocument": versioned})
        await found(client, "a.py", query="SessionStore path:a.py")


async def test_documents_that_are_no_files_harm_nothing(data_dir: Path, folder: Files) -> None:
    folder.write({"a.py": SESSIONS})
    async with editing(data_dir, folder.root) as client:
        await indexed(client)
        for uri in ("untitled:Untitled-1", "file:///a%00b", "git:/a/b?x", "vscode-notebook-cell:/a#1"):
            item = {"uri": uri, "languageId": "python", "version": 1, "text": SESSIONS}
            client.notify("textDocument/didOpen", {"textDocument": item})
            client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
            client.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": uri, "type": 2}]})
        await found(client, "a.py")


async def test_a_folder_that_vanishes_and_comes_back_is_indexed_again(data_dir: Path, folder: Files) -> None:
    folder.write({"a.py": SESSIONS})
    async with editing(data_dir, folder.root) as client:
        await indexed(client)
        shutil.rmtree(folder.root)
        await found(client)
        folder.root.mkdir()
        folder.write({"b.py": UPLOAD})
        await found(client, "b.py")
        await indexed(client)
        folder.write({"c.py": UPLOAD})
        await found(client, "b.py", "c.py")
