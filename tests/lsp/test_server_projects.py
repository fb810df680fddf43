"""Projects and connections as an editor's user sees them: what there is, what of it may go, and what is busy."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sightline.adapters.postgres import REGISTRY
from sightline.workspaces import Workspaces
from support import Files, run

from .product import editing, eventually, indexed
from .support import Client, RpcError

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


async def removed(client: Client) -> RpcError:
    """What a search is told in the end."""
    for _ in range(600):
        refused = await client.refused("sightline/search", {"query": "session"})
        if refused.data["code"] not in ("databaseUnavailable", "databaseUnfit"):
            return refused
        await asyncio.sleep(0.02)
    raise AssertionError("nobody has noticed")


async def test_a_project_that_is_removed_while_its_folder_is_open_comes_back_when_somebody_asks(
    data_dir: Path, two: tuple[Files, Files]
) -> None:
    one, _ = two
    async with editing(data_dir, one.root) as client:
        (before,) = (await indexed(client))["projects"]
        done = await asyncio.to_thread(run, data_dir, "projects", "remove", before["id"], "--confirm", before["name"])
        assert done.returncode == 0, done.stderr
        refused = await removed(client)
        assert refused.data["code"] == "projectNotFound"
        assert refused.message == f"the project {before['name']} was removed"
        said = (await client.expect("window/showMessage"))["message"]
        assert said == f"Sightline: {refused.message}. Index its folder or open it again, and that is a new project."
        one.write({"b.py": CODE["a.py"]})
        client.notify("textDocument/didSave", {"textDocument": {"uri": (one.root / "b.py").as_uri()}})
        assert (await removed(client)).message == refused.message
        assert (await client.refused("sightline/index", {"dryRun": True})).data == refused.data
        gone = {"folder": one.root.as_uri(), "projectId": before["id"]}
        assert (await client.refused("sightline/index", gone)).data["code"] == "projectNotFound"
        listed_now = await client.request("sightline/projects", {})
        assert str(one.root) not in listed(listed_now), "neither a search nor a save brings it back"
        await client.request("sightline/index", {"folder": one.root.as_uri()})
        status = await indexed(client)
        assert status["projects"][0]["id"] != before["id"]
        answer = await client.request("sightline/search", {"query": "session"})
        assert sorted(hit["path"] for hit in answer["hits"]) == ["a.py", "b.py"]
        assert not [each for each in client.received if each["method"] == "window/showMessage"]


@pytest.mark.parametrize("is_made_anew", [False, True])
async def test_a_database_that_was_lost_or_made_anew_is_indexed_again_and_nobody_elses_rows_are_touched(
    data_dir: Path, sightline: Workspaces, two: tuple[Files, Files], is_made_anew: bool
) -> None:
    one, _ = two
    async with editing(data_dir, one.root) as client:
        (project,) = (await indexed(client))["projects"]
        name = project["databaseName"]
        await sightline.server.drop_database(name)
        if is_made_anew:  # by a colleague, whose checkout has the number that ours had
            await sightline.server.create_database(name)
            async with sightline.server.connection(name) as connection:
                theirs = await connection.fetchval(
                    "insert into repositories (host_id, root_path, name) values ('theirs', $1, 'one') returning id",
                    str(one.root),
                )
                await connection.execute(
                    "insert into code_files (repository_id, relative_path, size_bytes, mtime_ns, ctime_ns, inode, language, outcome)"
                    " values ($1, 'theirs.py', 1, 1, 1, 1, 'python', 'indexed')", theirs,
                )  # fmt: skip
        await eventually(client, "sightline/search", {"query": "session"}, lambda it: it["complete"] and it["hits"])
        assert (await indexed(client))["projects"][0]["id"] == project["id"]
        async with sightline.server.connection(name) as connection:
            rows = await connection.fetch(
                "select host_id = 'theirs', relative_path from code_files f join repositories r on r.id = repository_id"
                " order by 1"
            )
        assert [tuple(row) for row in rows] == [(False, "a.py"), *([(True, "theirs.py")] if is_made_anew else [])]
