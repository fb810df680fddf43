"""Projects and connections as an editor's user sees them: what there is, what of it may go, and what is busy."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sightline.adapters.postgres import REGISTRY
from sightline.workspaces import Workspaces
from support import Files

from .product import editing, indexed

CODE = {"a.py": "def remember_session():\n    return 1\n"}


async def statement(sightline: Workspaces, query: str, *arguments: object) -> Any:
    async with sightline.server.connection(REGISTRY) as connection:
        return await connection.fetchval(query, *arguments)


@pytest.fixture
def two(tmp_path: Path) -> tuple[Files, Files]:
    """Two folders with a file each."""
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        files = Files((tmp_path / name).resolve())
        files.write(CODE)
        found.append(files)
    return found[0], found[1]


def listed(answer: Any) -> dict[str, Any]:
    """The projects of an answer by their (only) folder."""
    return {root: each for each in answer["projects"] for root in each["roots"]}


async def test_a_projects_state_is_told_and_a_removal_that_broke_off_can_be_ended(
    data_dir: Path, sightline: Workspaces, two: tuple[Files, Files]
) -> None:
    one, other = two
    project = (await sightline.open(other.root)).project
    async with editing(data_dir, one.root) as client:
        await indexed(client)
        found = listed(await client.request("sightline/projects", {}))
        assert found[str(one.root)]["chunks"] == 1
        assert {found[str(each.root)]["state"] for each in two} == {"ready"}
        await statement(sightline, "update projects set state = 'removing' where id = $1", project.id)
        found = listed(await client.request("sightline/projects", {}))
        assert found[str(other.root)]["state"] == "removing"
        removal = {"projectId": project.id, "confirm": project.name}
        error = await client.refused("sightline/removeProject", removal | {"confirm": project.name.upper() + "x"})
        assert error.data["code"] == "projectFailed"
        found = listed(await client.request("sightline/removeProject", removal))
        assert str(other.root) not in found
        assert str(one.root) in found
        assert (await client.refused("sightline/removeProject", removal)).data["code"] == "projectNotFound"


async def test_the_connections_are_told_of_the_folders_that_are_asked_for(
    data_dir: Path, two: tuple[Files, Files]
) -> None:
    one, other = two
    async with editing(data_dir, one.root, other.root, settings={"database": {"maxConnections": 7}}) as client:
        await indexed(client)
        await asyncio.gather(*(client.request("sightline/search", {"query": "session"}) for _ in range(12)))
        status = await client.request("sightline/status", {})
        databases = {each["databaseName"] for each in status["projects"]}
        pools = {each["database"]: each for each in status["pools"]}
        assert set(pools) == {*databases, REGISTRY}
        assert len(databases) == 2
        assert status["maxConnections"] == 7
        assert sum(each["open"] for each in pools.values()) <= 7
        for name in databases:
            assert pools[name]["taken"] >= 12
            assert 1 <= pools[name]["mostBusy"] <= 4
            assert (pools[name]["failed"], pools[name]["timedOut"], pools[name]["lastError"]) == (0, 0, "")
        own = await client.request("sightline/status", {"folder": one.root.as_uri()})
        assert [each["database"] for each in own["pools"]] == [own["projects"][0]["databaseName"]]
        named = await client.request("sightline/status", {"projectId": own["projects"][0]["id"]})
        assert [each["database"] for each in named["pools"]] == [each["database"] for each in own["pools"]]
