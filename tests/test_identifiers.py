"""Hostile ids at every live entry, with a database that nobody can reach: they are refused, so no SQL has been tried."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from hostile_names import HOSTILE, NO_TEXT, RESERVED, SEED, VALID
from lsp.product import as_folder, editing, product
from lsp.support import Client
from projecting import configure, everything, written
from sightline import cli
from sightline.adapters.postgres import Server
from sightline.lsp.server import make
from sightline.settings import Settings
from sightline.workspaces import Workspaces

SECRET = "hunter2"
SQL_WORDS = ("syntax error", "psycopg", "asyncpg", "statement", SECRET, "127.0.0.1", "Traceback", "does not answer")
ID = "lower-case letters and digits"


@pytest.fixture(scope="module")
def unreachable(tmp_path_factory: pytest.TempPathFactory) -> Workspaces:
    """The application over a database that cannot be reached: whatever asks it fails in another way."""
    server = Server({"dsn": f"postgresql://nobody:{SECRET}@127.0.0.1:1/x"}, None)
    return Workspaces(Settings(), server, "here", tmp_path_factory.mktemp("data"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(unreachable: Workspaces, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """An editor of a server over that database."""

    @contextlib.asynccontextmanager
    async def opened(_: Settings) -> AsyncIterator[Workspaces]:
        yield unreachable

    async with editing(tmp_path_factory.mktemp("none"), server=make(opened)) as client:
        yield client


def told_well(text: str) -> None:
    assert not any(word in text for word in SQL_WORDS), text
    assert "/tmp" not in text, text
    assert "/pytest-" not in text, text


def test_there_are_as_many_cases_as_were_asked_for() -> None:
    seed = {text for group in SEED.values() for text in group}
    assert len(seed) + len(VALID) >= 91
    assert len(HOSTILE) - len(seed) + len(NO_TEXT) + len(RESERVED) >= 91


REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("sightline/search", {"query": "x"}),
    ("sightline/status", {}),
    ("sightline/index", {}),
    ("sightline/jobs", {}),
    ("sightline/removeProject", {"confirm": "x"}),
    ("sightline/similar", {"textDocument": {"uri": "file:///x"}, "range": {"start": {"line": 0, "character": 0},
                                                                          "end": {"line": 1, "character": 0}}}),
]  # fmt: skip


@pytest.mark.asyncio(loop_scope="module")
async def test_every_request_refuses_what_is_no_id(client: Client) -> None:
    for number, text in enumerate((*HOSTILE, *NO_TEXT)):
        method, params = REQUESTS[number % len(REQUESTS)]
        for name, asked in (("sightline/search", {"query": "x"}), (method, params)):
            refused = await client.refused(name, {**asked, "projectId": text})
            assert refused.code == -32602, (name, text)
            assert refused.data[0]["loc"] == ["projectId"], (name, text)
            told_well(refused.message + json.dumps(refused.data))


@pytest.mark.asyncio(loop_scope="module")
async def test_every_command_refuses_what_is_no_id(client: Client) -> None:
    for text in (*HOSTILE, *NO_TEXT):
        argument = {"query": "x", "projectId": text}
        refused = await client.refused(
            "workspace/executeCommand", {"command": "sightline.search", "arguments": [argument]}
        )
        assert refused.code == -32602, text
        told_well(refused.message + json.dumps(refused.data))


def refused_by_cli(*arguments: str, opener: Any = None) -> str:
    @contextlib.asynccontextmanager
    async def never(_: Settings) -> AsyncIterator[Workspaces]:
        pytest.fail("the application was opened")
        yield

    done = CliRunner().invoke(cli.build(opener or never), arguments)
    assert done.exit_code == cli.FAILED, (arguments, done.output)
    told_well(done.output)
    return done.output


def test_the_command_line_refuses_what_is_no_id(tmp_path: Path) -> None:
    commands = [("search", "x"), ("index",), ("status",)]
    for number, text in enumerate(HOSTILE):
        command = commands[number % 3]
        output = refused_by_cli(*command, str(tmp_path), f"--project={text}")
        assert ID in output, text


@pytest.fixture
def opener(unreachable: Workspaces) -> Any:
    @contextlib.asynccontextmanager
    async def opened(_: Settings) -> AsyncIterator[Workspaces]:
        yield unreachable

    return opened


def test_a_config_file_with_what_is_no_id_is_refused_on_the_command_line(tmp_path: Path, opener: Any) -> None:
    for number, text in enumerate((*HOSTILE, *NO_TEXT, None, "default")):
        file = configure(tmp_path, "shop", id=text)
        before = file.read_bytes()
        output = refused_by_cli(*(("search", "x"), ("index",), ("status",))[number % 3], str(tmp_path), opener=opener)
        assert ".sightline/config.json: " in output, (text, output)
        assert "project.id: " in output, (text, output)
        assert file.read_bytes() == before
        assert [each.name for each in tmp_path.rglob("*")] == [".sightline", "config.json"]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_config_file_with_what_is_no_id_is_refused_in_the_editor(client: Client, tmp_path: Path) -> None:
    for number, text in enumerate((*HOSTILE, *NO_TEXT)):
        root = tmp_path / str(number)
        file = configure(root, "shop", id=text)
        before = file.read_bytes()
        change = {"added": [as_folder(root)], "removed": []}
        client.notify("workspace/didChangeWorkspaceFolders", {"event": change})
        refused = await client.refused("sightline/search", {"query": "x", "folder": root.as_uri()})
        assert (refused.code, refused.data["code"]) == (-32803, "badConfig"), (text, refused)
        assert ".sightline/config.json: " in refused.message
        told_well(refused.message + json.dumps(refused.data))
        assert file.read_bytes() == before
        client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": [as_folder(root)]}})


NAMES: list[tuple[str, str]] = [
    ("project.name", text)
    for text in (
        "",
        " ",
        "x" * 101,
        "a\nb",
        "a\0b",
        "a\u202eb",
        "a\u200bb",
        " a",
        "a ",
        "\ud800",
        "\x1b[31m",
        "\u2028",
        "\ue000",
    )
]
DATABASES: list[tuple[str, str]] = [
    ("project.database_name", text)
    for text in ("", "postgres", "template1", "sightline_registry", "sightline_template_0001", "sightline_", "Sightline_x",
                 "sightline_x\n", 'sightline_x"; drop database postgres; --', "sightline_x-y", "sightline_" + "x" * 54,
                 "sightline_é", "sightline_x\0", "sightline_registry_copy", "../sightline_x", "sightline_X")
]  # fmt: skip


def test_names_and_databases_of_a_config_file_are_checked_as_well(tmp_path: Path, opener: Any) -> None:
    for field, text in (*NAMES, *DATABASES):
        configure(tmp_path, **{"name": "shop", field.removeprefix("project."): text})
        output = refused_by_cli("status", str(tmp_path), opener=opener)
        assert f".sightline/config.json: {field}: " in output, (text, output)
    for value in NO_TEXT:
        for field in ("name", "database_name"):
            configure(tmp_path, **{"name": "shop", field: value})
            assert ".sightline/config.json: " in refused_by_cli("status", str(tmp_path), opener=opener), value


async def test_the_query_box_finds_no_project_of_a_hostile_name_and_makes_none(data_dir: Path, tmp_path: Path) -> None:
    async with editing(data_dir) as client:
        await client.request("sightline/search", {"query": "x"})  # the default project is there now
        before = await everything(data_dir)
        for text in HOSTILE:
            if not text.strip():
                continue
            quoted = text.replace("\\", "\\\\").replace('"', '\\"')
            refused = await client.refused("sightline/search", {"query": f'project:"{quoted}" x'})
            assert refused.code in (-32602, -32803), text
            told_well(refused.message + json.dumps(refused.data))
        for text in (*VALID, *RESERVED):
            refused = await client.refused("sightline/search", {"query": "x", "projectId": text})
            assert (refused.code, refused.data["code"]) == (-32803, "projectNotFound"), text
            refused = await client.refused("sightline/removeProject", {"projectId": text, "confirm": text})
            assert refused.data["code"] == "projectNotFound"
        assert await everything(data_dir) == before


async def test_odd_ids_that_are_ids_work_like_any(data_dir: Path, tmp_path: Path) -> None:
    async with Workspaces.started(Settings(data_dir=data_dir), data_dir) as sightline:
        for number, text in enumerate(("select", "0", "z" * 25 + "-" + "9" * 24, "template1", "con")):
            configure(tmp_path / str(number), f'"; drop table projects; -- {number}', id=text)
            project = (await sightline.open(tmp_path / str(number))).project
            assert (project.id, project.resolved_by) == (text, "config")
            assert project.database.startswith("sightline_drop_table_projects")
            assert (await sightline.projects.explicit(text)).database == project.database
            await sightline.projects.remove(text, project.name)


FOLDERS = (
    "file:///etc",
    "file:///../../etc",
    "file:///",
    "relative",
    "",
    "http://x/y",
    "file:///a%00b",
    "file://host/x",
)


@pytest.mark.parametrize("uri", FOLDERS)
async def test_a_folder_that_is_not_open_is_none(data_dir: Path, tmp_path: Path, uri: str) -> None:
    (tmp_path / "here").mkdir()
    async with editing(data_dir, tmp_path / "here", server=product(data_dir)) as client:
        for request in ("sightline/search", "sightline/index"):
            refused = await client.refused(request, {**({"query": "x"} if "search" in request else {}), "folder": uri})
            assert (refused.code, refused.data["code"]) == (-32803, "badFolder")
            told_well(refused.message)


def test_a_config_file_that_is_reached_by_a_link_is_refused(tmp_path: Path, opener: Any) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({"version": "1.0", "project": {"name": SECRET}}))
    for number, link in enumerate((".sightline/config.json", ".sightline")):
        root = tmp_path / str(number)
        place = root / link
        place.parent.mkdir(parents=True)
        if number:
            written(tmp_path / "elsewhere", secret.read_bytes())
            place.symlink_to(tmp_path / "elsewhere/.sightline")
        else:
            place.symlink_to(secret)
        assert "symbolic link" in refused_by_cli("status", str(root), opener=opener)
    dangling = tmp_path / "dangling" / ".sightline"
    dangling.mkdir(parents=True)
    (dangling / "config.json").symlink_to("/nowhere/at/all")
    assert "symbolic link" in refused_by_cli("status", str(dangling.parent), opener=opener)
