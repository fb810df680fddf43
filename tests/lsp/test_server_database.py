"""The database ends under the server, in every way that it can: requests say so at once, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.external import External
from adapters.servers import server_of, supervisor_pid
from projecting import config_of, configure
from sightline.adapters.embedded import Place
from sightline.adapters.postgres import REGISTRY
from sightline.lsp.server import make
from sightline.settings import DatabaseSettings, Settings
from sightline.workspaces import Workspaces
from support import Files, content_of, index

from .product import SESSIONS, UPLOAD, as_folder, editing, eventually, indexed, is_current, paths
from .support import Client, RpcError

QUERY = {"query": "session upload", "limit": 50}
QUICK = 20.0
"""An answer that took longer was waited for: it comes at once, but not on every machine."""
STOPPED_SECONDS = float(os.environ.get("STOPPED_SECONDS", "6"))
"""How long the database is away in the long one of these tests; 30 is what is promised."""


def killed(place: Place) -> None:
    server_of(place).kill()


def killed_with_its_supervisor(place: Place) -> None:
    server = server_of(place)
    os.kill(supervisor_pid(place), signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        server.kill()


def stopped(place: Place) -> None:
    os.kill(supervisor_pid(place), signal.SIGTERM)


ENDS: list[Callable[[Place], None]] = [killed, killed_with_its_supervisor, stopped]


async def probed(client: Client) -> str:
    """What becomes of a search now: ok, or its error's code; it must not take long."""
    began = time.monotonic()
    try:
        await client.request("sightline/search", QUERY)
        outcome = "ok"
    except RpcError as error:
        outcome = error.data["code"]
    assert time.monotonic() - began < QUICK
    return outcome


@pytest.mark.parametrize("end", ENDS)
async def test_searches_fail_at_once_and_heal_by_themselves(
    place: Place, folder: Files, end: Callable[[Place], None]
) -> None:
    folder.write({"a.py": SESSIONS})
    async with editing(place.folder, folder.root) as client:
        await indexed(client)
        end(place)
        outcomes = [await probed(client) for _ in range(5)]
        assert set(outcomes) <= {"ok", "databaseUnavailable"}
        status = await client.request("sightline/status")
        assert status["folders"][0]["uri"] == folder.root.as_uri()
        healed = await eventually(client, "sightline/search", QUERY, lambda answer: answer["complete"])
        assert paths(healed) == ["a.py"]
        assert (await eventually(client, "sightline/status", {}, is_current))["database"] == "embedded"


@pytest.mark.parametrize("end", [killed, stopped])
async def test_indexing_goes_on_where_it_was_when_the_database_is_back(
    place: Place, folder: Files, end: Callable[[Place], None]
) -> None:
    count = 1_200
    folder.write({f"part{number}.py": f"def function{number}(): pass\n" for number in range(count)})
    async with editing(place.folder, folder.root, settings={"index": {"workers": 1}}) as client:
        await client.expect("$/progress", lambda params: params["value"]["kind"] == "report")
        end(place)
        folder.write({"b.py": UPLOAD})
        done = await eventually(
            client, "sightline/status", {},
            lambda status: is_current(status) and status["folders"][0]["files"] == count + 1,
        )  # fmt: skip
        assert done["folders"][0]["chunks"] == count + 1
        answer = await client.request("sightline/search", {"query": "retry_failed_uploads"})
        assert (paths(answer)[0], answer["complete"]) == ("b.py", True)
        assert {job["state"] for job in done["jobs"]} <= {"completed", "failed"}


async def test_a_change_while_the_database_is_away_is_not_forgotten(place: Place, folder: Files) -> None:
    folder.write({"a.py": SESSIONS})
    async with editing(place.folder, folder.root) as client:
        await indexed(client)
        killed(place)
        folder.write({"b.py": UPLOAD})
        both = await eventually(client, "sightline/search", QUERY, lambda answer: len(answer["hits"]) == 2)
        assert sorted(paths(both)) == ["a.py", "b.py"]
        assert (await eventually(client, "sightline/status", {}, is_current))["folders"][0]["role"] == "writer"


async def test_a_database_that_is_stopped_for_long_in_the_middle_costs_nothing_but_the_time(
    external: External, folder: Files, tmp_path: Path
) -> None:
    settings = Settings(database=DatabaseSettings(url=external.url()))
    started = Workspaces.started(settings, tmp_path / "data")
    folder.write({f"part{number}.py": f"def function{number}(): pass\n" for number in range(1_500)})
    async with editing(tmp_path, folder.root, server=make(lambda _: started)) as client:
        await client.expect("$/progress", lambda params: params["value"]["kind"] == "report")
        external.stop()
        folder.write({"b.py": UPLOAD, "part7.py": SESSIONS})
        folder.remove("part8.py")
        back = time.monotonic() + STOPPED_SECONDS
        while time.monotonic() < back:
            began = time.monotonic()
            refused = await client.refused("sightline/search", QUERY)
            assert time.monotonic() - began < QUICK
            assert refused.data["code"] == "databaseUnavailable"
            await asyncio.sleep(0.2)
        external.start()
        await eventually(client, "sightline/search", {"query": "retry_failed_uploads"}, lambda it: it["complete"])
        await eventually(client, "sightline/status", {}, is_current)
        await same_as_fresh(settings, folder, tmp_path)


async def test_a_registry_that_is_away_at_the_start_and_later_is_told_once_and_heals(
    external: External, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(database=DatabaseSettings(url=external.url()))
    one, two = (Files(tmp_path.resolve() / name) for name in ("one", "two"))
    for files in (one, two):
        files.write({"a.py": SESSIONS})
        configure(files.root, f"{files.root.name}-{uuid4().hex[:8]}")
    server = make(lambda _: Workspaces.started(settings, tmp_path / "data"))
    external.stop()
    async with editing(tmp_path, one.root, server=server) as client:
        for _ in range(5):
            refused = await client.refused("sightline/search", QUERY)
            assert refused.data["code"] == "databaseUnavailable"
            await asyncio.sleep(0.3)
        assert (await client.request("sightline/status"))["database"] == "the database does not answer"
        assert "id" not in config_of(one.root)["project"]
        external.start()
        first = await eventually(client, "sightline/search", QUERY, lambda it: it["complete"] and it["hits"])
        assert config_of(one.root)["project"]["id"] == first["projects"][0]["id"]

        external.stop()
        added = {"event": {"added": [as_folder(two.root)], "removed": []}}
        client.notify("workspace/didChangeWorkspaceFolders", added)
        one.write({"b.py": UPLOAD})
        for _ in range(3):
            await client.refused("sightline/search", {**QUERY, "folder": two.root.as_uri()})
        external.start()
        both = await eventually(
            client, "sightline/search", QUERY, lambda it: it["complete"] and len(it["projects"]) == 2
        )
        assert {each["resolvedBy"] for each in both["projects"]} == {"config"}
        assert config_of(two.root)["project"]["id"] in {each["id"] for each in both["projects"]}
        await eventually(
            client, "sightline/search", {"query": "retry_failed_uploads"}, lambda it: "b.py" in paths(it)[:1]
        )
    told = [each for each in caplog.messages if each.startswith("the database does not answer")]
    assert len(told) == 1, "at the start, and not again at each attempt"
    assert await external.run("select count(*) from projects where state = 'ready'", database=REGISTRY) >= 2


async def same_as_fresh(settings: Settings, folder: Files, tmp_path: Path) -> None:
    """The folder's index is that of a copy which is indexed at a stretch."""
    shutil.copytree(folder.root, tmp_path / "copy")
    async with Workspaces.started(settings, tmp_path / "data") as sightline:
        copy = await sightline.open(tmp_path / "copy")
        await index(copy)
        content, fresh = [await content_of(each) for each in (await sightline.open(folder.root), copy)]
    assert content["files"] == fresh["files"]
    assert content == fresh


async def test_a_client_leaves_while_the_database_is_away(place: Place, folder: Files) -> None:
    folder.write({"a.py": SESSIONS})
    async with editing(place.folder, folder.root) as client:
        await indexed(client)
        killed(place)
        began = time.monotonic()
        assert await client.shut_down() == 0
        assert time.monotonic() - began < QUICK
