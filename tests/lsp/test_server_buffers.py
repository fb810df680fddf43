"""Unsaved documents over the wire: found while somebody types, where the editor has them, and gone when they close."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from support import Files

from .product import CAPABILITIES, SESSIONS, UPLOAD, editing, eventually, indexed, opened, paths
from .support import Client

COOKIE = "class CookieJar:\n    def add_cookie(self, cookie):\n        return cookie\n"
KEEPS = '"Keeps sessions on disk"'


@pytest.fixture
async def shop(tmp_path: Path) -> Files:
    files = Files((await asyncio.to_thread(tmp_path.resolve)) / "shop")
    files.write({"src/sessions.py": SESSIONS, "src/upload.py": UPLOAD, ".gitignore": "built/\n"})
    return files


@pytest.fixture
async def client(data_dir: Path, shop: Files) -> AsyncIterator[Client]:
    async with editing(data_dir, shop.root) as client:
        await indexed(client)
        yield client


def changed(path: Path, version: int, *changes: dict[str, Any]) -> dict[str, Any]:
    """The parameters of `didChange`."""
    return {"textDocument": {"uri": path.as_uri(), "version": version}, "contentChanges": list(changes)}


def edit(line: int, character: int, text: str) -> dict[str, Any]:
    """Text put in at a position."""
    at = {"line": line, "character": character}
    return {"range": {"start": at, "end": at}, "text": text}


def document(path: Path) -> dict[str, Any]:
    return {"textDocument": {"uri": path.as_uri()}}


def asking(query: str) -> dict[str, Any]:
    return {"query": query, "mode": "lexical"}


def finds(*wanted: str) -> Callable[[dict[str, Any]], bool]:
    return lambda answer: paths(answer) == list(wanted)


async def test_a_document_is_found_as_it_is_typed_and_its_file_again_when_it_closes(
    client: Client, shop: Files
) -> None:
    path = shop.root / "src/sessions.py"
    client.notify("textDocument/didOpen", opened(path, SESSIONS))
    client.notify("textDocument/didChange", changed(path, 2, edit(0, 0, COOKIE + "\n\n")))
    answer = await eventually(client, "sightline/search", asking("CookieJar"), finds("src/sessions.py"))
    assert answer["hits"][0]["range"]["start"] == {"line": 0, "character": 0}
    client.notify("textDocument/didChange", changed(path, 3, {"text": "# 🙂\n" + COOKIE}))
    moved = await eventually(client, "sightline/search", asking(KEEPS), finds())
    assert moved["complete"]
    answer = await eventually(client, "sightline/search", asking("add_cookie"), finds("src/sessions.py"))
    assert answer["hits"][0]["selectionRange"]["start"] == {"line": 2, "character": 4}
    client.notify("textDocument/didClose", document(path))
    await eventually(client, "sightline/search", asking(KEEPS), finds("src/sessions.py"))
    assert paths(await client.request("sightline/search", asking("CookieJar"))) == []


async def test_an_answer_has_what_was_just_typed_or_says_that_it_lacks_it(client: Client, shop: Files) -> None:
    path = shop.root / "src/upload.py"
    client.notify("textDocument/didOpen", opened(path, UPLOAD))
    for version in range(2, 12):
        text = f"def typed_{version}(): pass\n" + UPLOAD
        client.notify("textDocument/didChange", changed(path, version, {"text": text}))
        answer = await client.request("sightline/search", asking(f"typed_{version}"))
        if answer["complete"]:
            assert (answer["degraded"], paths(answer)) == ([], ["src/upload.py"])
        else:
            unread = {"code": "indexing", "message": "an unsaved document is still being read"}
            assert answer["degraded"] == [unread]
            await eventually(client, "sightline/search", asking(f"typed_{version}"), lambda it: it["complete"])
    client.notify("textDocument/didOpen", opened(shop.root / "src/huge.py", COOKIE * 5000))
    answer = await client.request("sightline/search", asking("CookieJar"))
    assert answer["complete"] == (paths(answer) == ["src/huge.py"])


async def test_a_document_that_was_open_before_its_folder_is_in_every_answer_that_is_complete(
    data_dir: Path, client: Client, shop: Files
) -> None:
    """Its folder is indexed, and so is searched as soon as it is open."""
    for _ in range(5):
        async with editing(data_dir, shop.root) as other:
            other.notify("textDocument/didOpen", opened(shop.root / "src/upload.py", COOKIE))
            answer = await eventually(other, "sightline/search", asking("CookieJar"), lambda it: it["complete"])
            assert paths(answer) == ["src/upload.py"]


async def test_a_key_is_searchable_soon(client: Client, shop: Files) -> None:
    path = shop.root / "src/upload.py"
    client.notify("textDocument/didOpen", opened(path, UPLOAD))
    took = []
    for version in range(2, 9):
        client.notify(
            "textDocument/didChange", changed(path, version, {"text": f"def typed_{version}(): pass\n" + UPLOAD})
        )
        started = time.monotonic()
        await eventually(client, "sightline/search", asking(f"typed_{version}"), finds("src/upload.py"))
        took.append(time.monotonic() - started)
    assert min(took) < 3  # 300 ms on a machine that does nothing else


@pytest.mark.parametrize(("encoding", "width"), [("utf-8", 4), ("utf-16", 2), ("utf-32", 1)])
async def test_ranges_count_as_the_editor_counts(data_dir: Path, shop: Files, encoding: str, width: int) -> None:
    general = {"general": {"positionEncodings": [encoding]}}
    async with editing(data_dir, shop.root, capabilities=CAPABILITIES | general) as client:
        await indexed(client)
        path = shop.root / "src/typed.py"
        client.notify("textDocument/didOpen", opened(path, "smile = '🙂🙂'\n"))
        # Behind the emoji, where the editor says that is.
        client.notify("textDocument/didChange", changed(path, 2, edit(0, 9 + 2 * width, "; unsaved_smile = smile")))
        answer = await eventually(client, "sightline/search", asking("unsaved_smile"), finds("src/typed.py"))
        hit, line = answer["hits"][0], "smile = '🙂🙂'"
        assert hit["snippet"] == "smile = '🙂🙂; unsaved_smile = smile'"
        marked = [(mark["start"]["character"], mark["end"]["character"]) for mark in hit["highlights"]]
        assert (len(line) - 3 + 2 * width + 2, len(line) - 3 + 2 * width + 2 + len("unsaved_smile")) in marked
        assert hit["range"]["end"]["character"] == len("smile = ''; unsaved_smile = smile") + 2 * width


async def test_new_files_are_found_but_no_others(client: Client, shop: Files) -> None:
    fresh, ignored = shop.root / "src/deep/fresh jar.py", shop.root / "built/jar.py"
    client.notify("textDocument/didOpen", opened(ignored, COOKIE))
    outside = opened(shop.root.parent / "jar.py", COOKIE)
    client.notify("textDocument/didOpen", outside)
    untitled = opened(fresh, COOKIE)
    untitled["textDocument"]["uri"] = "untitled:Untitled-1"
    client.notify("textDocument/didOpen", untitled)
    client.notify("textDocument/didOpen", opened(fresh, COOKIE))
    await eventually(client, "sightline/search", asking("CookieJar"), finds("src/deep/fresh jar.py"))
    await asyncio.sleep(0.3)
    assert paths(await client.request("sightline/search", asking("CookieJar"))) == ["src/deep/fresh jar.py"]
    client.notify("textDocument/didClose", document(fresh))
    await eventually(client, "sightline/search", asking("CookieJar"), finds())


async def test_a_save_is_never_out_of_sight(client: Client, shop: Files) -> None:
    path = shop.root / "src/sessions.py"
    client.notify("textDocument/didOpen", opened(path, SESSIONS))
    client.notify("textDocument/didChange", changed(path, 2, {"text": COOKIE}))
    await eventually(client, "sightline/search", asking("CookieJar"), finds("src/sessions.py"))
    shop.write({"src/sessions.py": COOKIE})
    client.notify("textDocument/didSave", document(path))
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        assert paths(await client.request("sightline/search", asking("CookieJar"))) == ["src/sessions.py"]
        assert paths(await client.request("sightline/search", asking(KEEPS))) == []
    job = await client.request("sightline/index", {"paths": ["src/sessions.py"]})
    done = {"id": job["id"], "state": "completed"}.items()
    await eventually(client, "sightline/jobs", {}, lambda found: any(done <= each.items() for each in found["jobs"]))
    client.notify("textDocument/didClose", document(path))
    assert paths(await client.request("sightline/search", asking("CookieJar"))) == ["src/sessions.py"]


async def test_symbols_and_similar_code_are_those_of_the_document(client: Client, shop: Files) -> None:
    path = shop.root / "src/sessions.py"
    client.notify("textDocument/didOpen", opened(path, "\n" + COOKIE + "\n" + UPLOAD))
    jar = {"query": "CookieJar"}
    names = await eventually(client, "workspace/symbol", jar, lambda found: found and found[0]["name"] == "CookieJar")
    assert names[0]["location"]["range"]["start"]["line"] == 1
    known = [each["name"] for each in await client.request("workspace/symbol", {"query": "SessionStore"})]
    assert "SessionStore" not in known
    selection = {"start": {"line": 5, "character": 0}, "end": {"line": 8, "character": 0}}
    similar = await client.request("sightline/similar", {**document(path), "range": selection, "limit": 1})
    assert paths(similar) == ["src/upload.py"]
    back = {"start": {"line": 0, "character": 0}, "end": {"line": 3, "character": 0}}
    upload = document(shop.root / "src/upload.py")
    similar = await client.request("sightline/similar", {**upload, "range": back, "limit": 1})
    assert paths(similar) == ["src/sessions.py"]
    assert similar["hits"][0]["range"]["start"]["line"] == 1  # both are so short that they are one chunk


async def test_what_one_editor_has_open_the_other_does_not_see(data_dir: Path, client: Client, shop: Files) -> None:
    client.notify("textDocument/didOpen", opened(shop.root / "src/sessions.py", COOKIE))
    await eventually(client, "sightline/search", asking("CookieJar"), finds("src/sessions.py"))
    async with editing(data_dir, shop.root) as other:
        await eventually(other, "sightline/search", asking(KEEPS), finds("src/sessions.py"))
        assert paths(await other.request("sightline/search", asking("CookieJar"))) == []
    assert paths(await client.request("sightline/search", asking(KEEPS))) == []


async def test_each_folder_and_the_project_by_its_id_have_the_documents_below_it(
    data_dir: Path, client: Client, shop: Files
) -> None:
    second = Files(shop.root.parent / "second")
    second.write({"jar.py": UPLOAD})
    folder = {"uri": second.root.as_uri(), "name": "second"}
    client.notify("textDocument/didOpen", opened(second.root / "jar.py", COOKIE))
    client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [folder], "removed": []}})
    await eventually(client, "sightline/search", asking("CookieJar"), finds("jar.py"))
    assert paths(await client.request("sightline/search", asking("CookieJar") | {"folder": shop.root.as_uri()})) == []
    status = await indexed(client)
    project = next(each["projectId"] for each in status["folders"] if each["uri"] == second.root.as_uri())
    assert paths(await client.request("sightline/search", asking("CookieJar") | {"projectId": project})) == ["jar.py"]
    client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": [folder]}})
    await eventually(client, "sightline/search", asking("CookieJar"), finds())


async def test_changed_files_that_git_cannot_tell_are_a_sentence(client: Client, shop: Files) -> None:
    error = await client.refused("sightline/search", asking("changed: session"))
    assert (error.data["code"], "needs a git repository" in error.message) == ("badQuery", True)
