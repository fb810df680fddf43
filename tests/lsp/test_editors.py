"""What each editor of the README says at the start, asks, and keeps of the answer: replayed, against the product's server.

The facts about a client are those of a real run where its row says so, else of its source at the version named.
"""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from support import Files

from .product import SHOP, as_folder, eventually, indexed, paths, product
from .support import Client, connected

README: Final = Path(__file__).resolve().parents[2] / "README.md"
SENTENCE: Final = "where are sessions kept on disk"
KINDS: Final = range(1, 27)
PROGRESS: Final = {"workDoneProgress": True}
UTF_16: Final = {"positionEncodings": ["utf-16"]}
Json = dict[str, Any]
Folders = Callable[[Path], Json]


def named(root: Path) -> Json:
    """Root and folder, as most editors send them."""
    return {"rootPath": str(root), "rootUri": root.as_uri(), "workspaceFolders": [as_folder(root)]}


def nameless(root: Path) -> Json:
    """A folder without a name, as Zed sends it."""
    return {"rootUri": root.as_uri(), "workspaceFolders": [{"uri": root.as_uri(), "name": ""}]}


def abbreviated(root: Path) -> Json:
    """A folder whose name is its path, as Eglot sends it."""
    folder = {"uri": root.as_uri(), "name": f"{root}/"}
    return {"rootPath": f"{root}/", "rootUri": root.as_uri(), "workspaceFolders": [folder]}


def root_only(root: Path) -> Json:
    """No folders, as clients that know of none."""
    return {"rootPath": str(root), "rootUri": root.as_uri()}


def folders_later(root: Path) -> Json:
    """An empty list of folders; they follow once the server has said that it knows folders."""
    return {**root_only(root), "workspaceFolders": []}


@dataclass(frozen=True)
class Editor:
    """What matters of a client."""

    name: str
    folders: Folders
    capabilities: Json
    first: Json = field(default_factory=dict)
    #: What `workspace/configuration` gives for a section that nobody has set.
    unset: Any = None
    #: Sent right after `initialized`.
    pushes_settings: bool = False
    adds_folders: bool = False
    #: It shows only what has the letters that were typed, in their order, in its name: sentences find nothing there.
    filters: bool = False

    def __str__(self) -> str:
        return self.name


EDITORS: Final = (
    Editor(
        "Emacs 30.1 with Eglot, run",
        abbreviated,
        {
            "workspace": {
                "symbol": {"dynamicRegistration": False},
                "didChangeWatchedFiles": {"dynamicRegistration": True},
                "configuration": True,
                "workspaceFolders": True,
            },
            "window": {"showDocument": {"support": True}, **PROGRESS},
            "general": {"positionEncodings": ["utf-32", "utf-8", "utf-16"]},
            "experimental": {},
        },
        {"clientInfo": {"name": "Eglot", "version": "1.17.30"}, "initializationOptions": {}},
        pushes_settings=True,
    ),
    Editor(
        "Helix 25.07, run",
        named,
        {
            "workspace": {
                "symbol": {"dynamicRegistration": False, "symbolKind": {"valueSet": list(KINDS)}},
                "didChangeConfiguration": {"dynamicRegistration": False},
                "didChangeWatchedFiles": {"dynamicRegistration": True, "relativePatternSupport": True},
                "configuration": True,
                "workspaceFolders": True,
            },
            "window": {"showDocument": {"support": True}, **PROGRESS},
            "general": {"positionEncodings": ["utf-8", "utf-32", "utf-16"]},
        },
        {"clientInfo": {"name": "helix", "version": "25.07.1"}},
    ),
    Editor(
        "Kate 25.04, run",
        root_only,
        {"textDocument": {"synchronization": {"didSave": True}}, "window": PROGRESS},
    ),
    Editor(
        "Kate of August 2026, from its source",
        folders_later,
        {"workspace": {"configuration": True, "workspaceFolders": True}, "window": PROGRESS},
        {"initializationOptions": None},
        adds_folders=True,
    ),
    Editor(
        "Sublime Text with LSP 2.13, from its source",
        named,
        {
            "workspace": {
                "symbol": {"dynamicRegistration": True, "resolveSupport": {"properties": ["location.range"]}},
                "didChangeConfiguration": {"dynamicRegistration": True},
                "configuration": True,
                "workspaceFolders": True,
            },
            "window": {"showDocument": {"support": True}, **PROGRESS},
            "general": {"staleRequestSupport": {"cancel": True, "retryOnContentModified": []}, **UTF_16},
        },
        {"clientInfo": {"name": "Sublime Text LSP", "version": "2.13.0"}, "locale": "en", "initializationOptions": {}},
        unset={},
        filters=True,
    ),
    Editor(
        "Zed, from its source",
        nameless,
        {
            "workspace": {
                "symbol": {},
                "didChangeConfiguration": {"dynamicRegistration": True},
                "didChangeWatchedFiles": {"dynamicRegistration": True, "relativePatternSupport": True},
                "configuration": True,
                "workspaceFolders": True,
            },
            "window": PROGRESS,
            "general": UTF_16,
            "experimental": {"serverStatusNotification": True, "localDocs": True},
        },
        {"clientInfo": {"name": "Zed", "version": "1.0.0"}},
        pushes_settings=True,
        filters=True,
    ),
)


@pytest.fixture
def shop(tmp_path: Path) -> Files:
    files = Files(tmp_path.resolve())
    files.write(SHOP)
    return files


@asynccontextmanager
async def running(editor: Editor, data_dir: Path, root: Path) -> AsyncIterator[Client]:
    """The editor, with the folder open and indexed."""
    async with connected(product(data_dir)) as client:
        client.replies["workspace/configuration"] = lambda asked: [editor.unset for _ in asked["items"]]
        client.replies["window/showDocument"] = lambda asked: {"success": True}
        opened = {"capabilities": editor.capabilities, **editor.folders(root), **editor.first}
        told = await client.initialize(**opened)
        assert told["capabilities"]["workspaceSymbolProvider"] == {"resolveProvider": False}
        if editor.pushes_settings:
            client.notify("workspace/didChangeConfiguration", {"settings": {}})
        if editor.adds_folders:
            assert told["capabilities"]["workspace"]["workspaceFolders"]["changeNotifications"] is True
            event = {"added": [as_folder(root)], "removed": []}
            client.notify("workspace/didChangeWorkspaceFolders", {"event": event})
        await indexed(client)
        yield client


async def shown(editor: Editor, client: Client, query: str) -> list[Json]:
    """What the editor lists: all, or what its own filter leaves."""
    answered: list[Json] = await eventually(client, "workspace/symbol", {"query": query}, lambda listed: listed)
    for symbol in answered:
        assert is_understood(symbol), symbol
    pattern = ".*".join(map(re.escape, query.replace(" ", "").lower()))
    return [each for each in answered if not editor.filters or re.search(pattern, each["name"].lower())]


def is_understood(symbol: Json) -> bool:
    """Whether it is what all of these clients can read: a SymbolInformation, with the range in its location."""
    span = symbol["location"]["range"]
    return (
        all(isinstance(symbol[key], str) and symbol[key] for key in ("name", "containerName"))
        and symbol["kind"] in KINDS
        and symbol["location"]["uri"].startswith("file:///")
        and (span["start"]["line"], span["start"]["character"]) < (span["end"]["line"], span["end"]["character"])
    )


@pytest.mark.parametrize("editor", EDITORS, ids=str)
async def test_an_editor_finds_names_and_sentences_by_its_own_ways(editor: Editor, data_dir: Path, shop: Files) -> None:
    sessions = (shop.root / "src/sessions.py").as_uri()
    async with running(editor, data_dir, shop.root) as client:
        for typed, name in (("SessionStore", "SessionStore"), ("sess", "SessionStore"), ("Circle", "Circle")):
            assert (await shown(editor, client, typed))[0]["name"] == name
        listed = await shown(editor, client, SENTENCE)
        assert [each["location"]["uri"] for each in listed[:1]] == ([] if editor.filters else [sessions])
        command = {"command": "sightline.search", "arguments": [{"query": SENTENCE}]}
        assert paths(await client.request("workspace/executeCommand", command))[0] == "src/sessions.py"
        assert not [each for each in client.received if each["method"] == "window/showMessage"]


async def test_typing_asks_at_every_letter_and_every_answer_is_for_its_own_letters(data_dir: Path, shop: Files) -> None:
    """Kate asks anew at each key from the second on, and cancels nothing."""
    typed = [SENTENCE[:length] for length in range(2, len(SENTENCE) + 1)]
    async with running(EDITORS[2], data_dir, shop.root) as client:
        ids = [client.start("workspace/symbol", {"query": each}) for each in typed]
        answers = await asyncio.gather(*map(client.answer, ids))
        assert answers[-1][0]["name"] == "SessionStore"
        assert answers[-1] == await client.request("workspace/symbol", {"query": SENTENCE})


def blocks(language: str) -> list[str]:
    """The README's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)


def test_the_readmes_configurations_are_well_formed_and_run_the_server() -> None:
    [helix] = blocks("toml")
    server = tomllib.loads(helix)["language-server"]["sightline"]
    assert (server["command"], server["args"]) == ("sightline", ["serve"])
    configurations = [json.loads(block) for block in blocks("json")]
    commands = [found for each in configurations for found in commands_in(each)]
    assert commands == [["sightline", "serve"]] * 3, "Sublime Text's, Zed's and Kate's"


def commands_in(value: Any) -> list[list[str]]:
    """The command lines anywhere in a configuration: a list, or Zed's path and arguments."""
    if not isinstance(value, dict):
        return []
    if "arguments" in value:
        return [[value["path"], *value["arguments"]]]
    own = [value["command"]] if isinstance(value.get("command"), list) else []
    return own + [each for below in value.values() for each in commands_in(below)]
