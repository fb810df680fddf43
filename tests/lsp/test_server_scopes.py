"""Which projects a request is about, in an editor: those it names, those that are open, and never another."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from projecting import config_of, configure, written
from support import Files

from .product import SESSIONS, UPLOAD, as_folder, editing, eventually, indexed, opened, paths
from .support import Client

SEARCH = "sightline/search"
QUERY = {"query": "session upload lang:py", "limit": 50}


def folders(tmp_path: Path, *names: str) -> list[Files]:
    """Folders of these names, each with a file that no other has."""
    found = []
    for name in names:
        files = Files(tmp_path.resolve() / name)
        files.write({f"{name}.py": SESSIONS.replace("session", f"session_{name}"), "both.py": UPLOAD})
        found.append(files)
    return found


def unique(name: str) -> str:
    return f"{name}-{uuid4().hex[:8]}"


async def project_of(client: Client, root: Path) -> dict[str, Any]:
    answer = await eventually(client, SEARCH, {**QUERY, "folder": root.as_uri()}, lambda it: it["complete"])
    (project,) = answer["projects"]
    found: dict[str, Any] = project
    return found


async def test_several_projects_are_searched_and_each_hit_says_where_it_is_from(data_dir: Path, tmp_path: Path) -> None:
    one, two, three = folders(tmp_path, *map(unique, ("one", "two", "three")))
    async with editing(data_dir, one.root, two.root, three.root) as client:
        ids = [(await project_of(client, each.root))["id"] for each in (one, two, three)]
        names = [each.root.name for each in (one, two, three)]
        answer = await client.request(SEARCH, {**QUERY, "query": f"project:{names[0]},{ids[1]} {QUERY['query']}"})
        assert {each["id"]: each["name"] for each in answer["projects"]} == dict(zip(ids[:2], names[:2], strict=True))
        for each in answer["projects"]:
            assert (each["resolvedBy"], each["trace"]) == ("explicit", ["explicit: project: in the query names it"])
        own = [(hit["path"], hit["projectId"]) for hit in answer["hits"]]
        assert sorted(own) == sorted(
            (path, ids[number]) for number in (0, 1) for path in (f"{names[number]}.py", "both.py")
        )
        for hit in answer["hits"]:
            assert hit["uri"].startswith((one, two)[ids.index(hit["projectId"])].root.as_uri())
        rest = await client.request(SEARCH, {**QUERY, "query": f"-project:{names[0]} {QUERY['query']}"})
        assert {hit["projectId"] for hit in rest["hits"]} == {each["id"] for each in rest["projects"]} == set(ids[1:])
        only = await client.request(SEARCH, {**QUERY, "query": f"project:{names[2]}"})
        assert {hit["projectId"] for hit in only["hits"]} == {ids[2]}, "without words all of a project is listed"
        refused = await client.refused(SEARCH, {**QUERY, "query": f"project:{names[0]} x", "projectId": ids[1]})
        assert refused.data["code"] == "badQuery"


async def test_an_unsaved_text_is_searched_in_a_project_that_is_named(data_dir: Path, tmp_path: Path) -> None:
    (one,) = folders(tmp_path, unique("one"))
    async with editing(data_dir, one.root) as client:
        project = await project_of(client, one.root)
        text = "def brand_new_wombat(): pass\n"
        document = {"uri": (one.root / "both.py").as_uri(), "languageId": "python", "version": 1, "text": text}
        client.notify("textDocument/didOpen", {"textDocument": document})
        await eventually(
            client, SEARCH, {"query": "wombat", "projectId": project["id"]}, lambda it: paths(it)[:1] == ["both.py"]
        )


async def test_folders_below_one_config_are_one_index_narrowed_to_what_is_open(data_dir: Path, tmp_path: Path) -> None:
    (repo,) = folders(tmp_path, unique("repo"))
    repo.write({".git/HEAD": "", "api/a.py": SESSIONS, "web/b.py": UPLOAD, "lib/c.py": SESSIONS})
    configure(repo.root, repo.root.name)
    api, web = repo.root / "api", repo.root / "web"
    async with editing(data_dir, api) as client:
        status = await indexed(client)
        assert [each["role"] for each in status["folders"]] == ["writer"]
        assert paths(await client.request(SEARCH, QUERY)) == ["api/a.py"]
        change: dict[str, Any] = {"event": {"added": [as_folder(web)], "removed": []}}
        client.notify("workspace/didChangeWorkspaceFolders", change)
        both = await eventually(client, SEARCH, QUERY, lambda it: len(it["hits"]) == 2)
        assert sorted(paths(both)) == ["api/a.py", "web/b.py"]
        assert [each["resolvedBy"] for each in both["projects"]] == ["config"]
        assert both["projects"][0]["trace"] == ["explicit: no id was given", "config: .sightline/config.json"]
        assert len((await client.request("sightline/status"))["folders"]) == 1
        for folder, expected in ((api, ["api/a.py"]), (repo.root / "lib", ["lib/c.py"])):
            assert paths(await client.request(SEARCH, {**QUERY, "folder": folder.as_uri()})) == expected
        whole = await client.request(SEARCH, {**QUERY, "folder": repo.root.as_uri()})
        assert {"api/a.py", "web/b.py", "lib/c.py"} < set(paths(whole))
        client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": [as_folder(api)]}})
        await eventually(client, SEARCH, QUERY, lambda it: paths(it) == ["web/b.py"])
        (web / "b.py").write_text(SESSIONS)
        await eventually(client, SEARCH, {**QUERY, "query": "SessionStore"}, lambda it: paths(it) == ["web/b.py"])
        client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": [as_folder(web)]}})
        await eventually(client, "sightline/status", {}, lambda it: not it["folders"])


@pytest.mark.parametrize("count", [3, 400], ids=["few names", "more than are read at once"])
async def test_names_too_are_those_of_what_is_open(data_dir: Path, tmp_path: Path, count: int) -> None:
    (repo,) = folders(tmp_path, unique("repo"))
    many = "".join(f"def session_{number}(): pass\n" for number in range(count))
    repo.write({".git/HEAD": "", "[api]/a.py": SESSIONS, "lib/c.py": many, "api/no.py": SESSIONS})
    configure(repo.root, repo.root.name)
    api = repo.root / "[api]"
    async with editing(data_dir, api) as client:
        await indexed(client)
        for query in ("SessionStore", "sess", "s", "ss", "sesion", "essionstore", ""):
            found = await client.request("workspace/symbol", {"query": query})
            uris = {each["location"]["uri"] for each in found}
            assert uris == {(api / "a.py").as_uri()}, query
        wombat = opened(repo.root / "lib/c.py", "def brand_new_wombat(): pass\n")
        client.notify("textDocument/didOpen", wombat)
        whole = {"query": "brand_new_wombat", "folder": repo.root.as_uri()}
        await eventually(client, SEARCH, whole, lambda it: paths(it)[:1] == ["lib/c.py"])
        found = await client.request("workspace/symbol", {"query": "brand_new_wombat"})
        assert {each["location"]["uri"] for each in found} <= {(api / "a.py").as_uri()}, "what is only alike"


async def test_an_absolute_path_is_looked_for_in_the_folder_that_holds_it(data_dir: Path, tmp_path: Path) -> None:
    one, two = folders(tmp_path, unique("one"), unique("two"))
    for each in (one, two):
        each.write({"api/a.py": SESSIONS, "lib/b.py": UPLOAD})
    async with editing(data_dir, one.root, two.root) as client:
        await indexed(client)

        async def found(words: str, **filters: Any) -> set[str]:
            answer = await client.request(SEARCH, {"query": f"{words} session", "limit": 50, "filters": filters})
            assert answer["degraded"] == []
            return {hit["uri"] for hit in answer["hits"]}

        of_one = {(one.root / path).as_uri() for path in ("api/a.py", "lib/b.py", "both.py", f"{one.root.name}.py")}
        api = (one.root / "api/a.py").as_uri()
        assert await found(f"path:{one.root}/api") == await found("", include=[f"{one.root}/api/*.py"]) == {api}
        assert await found(f"path:{one.root}") == await found(f"-path:{two.root}/") == of_one
        assert await found(f"path:{one.root} -path:{one.root}/api") == of_one - {api}
        assert await found("path:/api") == {api, (two.root / "api/a.py").as_uri()}, "the top of each folder"
        lost = await client.request(SEARCH, {"query": f"path:{one.root.parent}/three session"})
        assert (lost["hits"], lost["complete"]) == ([], True)
        said = f"{one.root.parent}/three is in no folder that is searched: paths are relative to theirs"
        assert lost["degraded"] == [{"code": "outside", "message": said}]


async def test_a_config_file_that_comes_changes_breaks_and_goes_is_followed(data_dir: Path, tmp_path: Path) -> None:
    (repo,) = folders(tmp_path, unique("repo"))
    name = repo.root.name

    async def by(client: Client, condition: Any) -> dict[str, Any]:
        answer = await eventually(
            client, SEARCH, QUERY, lambda it: it["complete"] and it["hits"] and condition(it["projects"][0])
        )
        found: dict[str, Any] = answer["projects"][0]
        return found

    async with editing(data_dir, repo.root) as client:
        own = await by(client, lambda it: it["resolvedBy"] == "folder")
        configure(repo.root, f"{name}-a")
        first = await by(client, lambda it: it["resolvedBy"] == "config")
        assert (first["name"], config_of(repo.root)["project"]["id"]) == (f"{name}-a", first["id"])
        assert first["id"] != own["id"]
        configure(repo.root, f"{name}-b", id="wombat-" + name)
        await by(client, lambda it: it["id"] == "wombat-" + name)
        written(repo.root, '{"version": "1.0", "project": {"name": ""}}')
        broken = await eventually_refused(client, "badConfig")
        said = (await client.expect("window/showMessage"))["message"]
        assert said.startswith(f"Sightline: {broken.message}. A name is")
        assert broken.message == ".sightline/config.json: project.name: that is no project name"
        status = await client.request("sightline/status")
        assert [each["phase"] for each in status["folders"]] == ["waiting"]
        configure(repo.root, f"{name}-a")
        assert (await by(client, lambda it: it["name"] == f"{name}-a"))["id"] == first["id"]
        (repo.root / ".sightline/config.json").unlink()
        assert (await by(client, lambda it: it["resolvedBy"] == "folder"))["id"] == own["id"]


async def eventually_refused(client: Client, code: str) -> Any:
    for _ in range(500):
        id_ = client.start(SEARCH, QUERY)
        await client.until(lambda id_=id_: client.answers.get(id_))
        message = client.answers[id_].pop(0)
        if message.get("error", {}).get("data", {}).get("code") == code:
            return type("Refused", (), {"message": message["error"]["message"], "data": message["error"]["data"]})
        await asyncio.sleep(0.02)
    raise AssertionError("it was never refused")


async def test_what_a_config_says_of_searches_holds_where_a_request_says_nothing(
    data_dir: Path, tmp_path: Path
) -> None:
    (repo,) = folders(tmp_path, unique("repo"))
    repo.write({f"part{number}.py": SESSIONS for number in range(5)})
    configure(repo.root, repo.root.name, search={"limit": 2, "mode": "lexical"})
    async with editing(data_dir, repo.root) as client:
        await indexed(client)
        answer = await client.request(SEARCH, {"query": "session store"})
        assert (len(answer["hits"]), answer["mode"]) == (2, "lexical")
        answer = await client.request(SEARCH, {"query": "session store", "limit": 4, "mode": "hybrid"})
        assert (len(answer["hits"]), answer["mode"]) == (4, "hybrid")
    async with editing(data_dir, repo.root, settings={"search": {"limit": 3}}) as client:
        await indexed(client)
        answer = await client.request(SEARCH, {"query": "session store"})
        assert (len(answer["hits"]), answer["mode"]) == (3, "lexical")


async def test_nothing_of_one_project_shows_in_another(
    data_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret, mine = folders(tmp_path, unique("secret"), unique("mine"))
    async with editing(data_dir, secret.root) as client:
        theirs = await project_of(client, secret.root)
    with caplog.at_level(logging.INFO):
        async with editing(data_dir, mine.root) as client:
            await indexed(client)
            answers = [
                await client.request(SEARCH, QUERY), await client.request("sightline/status"),
                await client.request("sightline/jobs"), await client.request("workspace/symbol", {"query": "session"}),
            ]  # fmt: skip
            failures = [
                await client.refused(SEARCH, {**QUERY, "projectId": "unknown-id"}),
                await client.refused(SEARCH, {**QUERY, "query": f"project:{secret.root.name}x y"}),
                await client.refused("sightline/removeProject", {"projectId": theirs["id"], "confirm": "wrong"}),
                await client.refused("sightline/index", {"projectId": theirs["id"]}),
            ]
            written(mine.root, '{"version": "1.0"}')
            failures.append(await eventually_refused(client, "badConfig"))
            told = json.dumps([*answers, *(each.message + json.dumps(each.data) for each in failures), client.received])
    for name in (secret.root.name, theirs["databaseName"], "session_secret"):
        assert name not in told.replace(f"{secret.root.name}x", "")
        assert name not in caplog.text
    assert theirs["id"] not in json.dumps(answers) + caplog.text
