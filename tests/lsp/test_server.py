"""The product's requests and commands: what each answers, and what it refuses; over one project for all tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from sightline import messages
from sightline.core.query import parse
from sightline.lsp.server import REQUESTS
from support import Files

from .product import CAPABILITIES, SHOP, UPLOAD, editing, eventually, indexed, opened, paths
from .support import Client, RpcError

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Files:
    files = Files(tmp_path_factory.mktemp("shop").resolve())
    files.write(SHOP)
    return files


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(data_dir: Path, shop: Files) -> AsyncIterator[Client]:
    """An editor in which the project is open and indexed."""
    async with editing(data_dir, shop.root) as client:
        await indexed(client)
        yield client


async def ask(client: Client, door: str, method: str, params: dict[str, Any]) -> Any:
    """The result by either door: the request or the command of the same name."""
    if door == "request":
        return await client.request(method, params)
    command = {"command": method.replace("/", "."), "arguments": [params]}
    return await client.request("workspace/executeCommand", command)


def uri(files: Files, path: str) -> str:
    return (files.root / path).as_uri()


def place(files: Files, path: str, start: int, end: int) -> dict[str, Any]:
    """A selection of whole lines."""
    lines = {"start": {"line": start, "character": 0}, "end": {"line": end, "character": 0}}
    return {"textDocument": {"uri": uri(files, path)}, "range": lines}


RESULTS: dict[str, tuple[Callable[[Files], dict[str, Any]], type[messages.Message], Callable[[Any], Any]]] = {
    "sightline/search": (
        lambda files: {"query": "where are sessions persisted", "limit": 3},
        messages.Answer,
        lambda answer: paths(answer)[0] == "src/sessions.py" and len(answer["hits"]) == 3,
    ),
    "sightline/similar": (
        lambda files: place(files, "src/sessions.py", 6, 9),
        messages.Answer,
        lambda answer: paths(answer) and "src/sessions.py" not in paths(answer),
    ),
    "sightline/status": (
        lambda files: {},
        messages.Status,
        lambda status: status["database"] == "embedded" and status["folders"][0]["role"] == "writer",
    ),
    "sightline/jobs": (lambda files: {}, messages.Jobs, lambda jobs: jobs["jobs"][-1]["state"] == "completed"),
    "sightline/projects": (
        lambda files: {},
        messages.ProjectList,
        lambda found: any(each["chunks"] and "shop" in each["name"] for each in found["projects"]),
    ),
    "sightline/explainFile": (
        lambda files: {"uri": uri(files, "src/sessions.py")},
        messages.FileExplanation,
        lambda told: told["indexed"] and told["language"] == "python" and told["chunks"] >= 1,
    ),
    "sightline/index": (
        lambda files: {"dryRun": True},
        messages.DryRun,
        lambda run: run["files"] == 9 and run["skipped"] and run["biggest"][0][0] == "src/sessions.py",
    ),
    "sightline/pause": (lambda files: {}, messages.Jobs, lambda jobs: jobs["jobs"]),
    "sightline/resume": (lambda files: {}, messages.Jobs, lambda jobs: jobs["jobs"]),
}
"""For each request parameters that are right, the shape of the result, and what must be true of it."""


@pytest.mark.parametrize("door", ["request", "command"])
@pytest.mark.parametrize("method", RESULTS)
async def test_each_request_answers_as_the_contract_says(client: Client, shop: Files, method: str, door: str) -> None:
    params, shape, holds = RESULTS[method]
    result = await ask(client, door, method, params(shop) | {"workDoneToken": 7, "partialResultToken": "p"})
    assert shape.model_validate(result)
    assert holds(result), result
    assert await client.request("sightline/resume")


async def test_what_is_offered_is_what_is_answered(data_dir: Path, shop: Files) -> None:
    async with editing(data_dir) as other:
        offered = (await other.refused("initialize", {"capabilities": {}})).message
        assert "already" in offered
    from sightline.lsp.server import make

    server = make(lambda settings: None)  # type: ignore[arg-type, return-value]
    assert set(server.experimental["sightline"]["requests"]) == set(REQUESTS)  # type: ignore[index]
    assert {name.replace("/", ".") for name in REQUESTS} | {"sightline.showSimilar"} == set(server.protocol.commands)
    offers = server.experimental["sightline"]  # type: ignore[index]
    for word in [f"lang:{each}" for each in offers["languages"]] + [f"kind:{each}" for each in offers["kinds"]]:
        assert not parse(word).text, word


WRONG: list[tuple[str, Any, str]] = [
    ("sightline/search", {}, "query"),
    ("sightline/search", None, "query"),
    ("sightline/search", [], "query"),
    ("sightline/search", {"query": 5}, "query"),
    ("sightline/search", {"query": "x" * 10_001}, "query"),
    ("sightline/search", {"query": "x", "limit": 0}, "limit"),
    ("sightline/search", {"query": "x", "limit": 51}, "limit"),
    ("sightline/search", {"query": "x", "limit": "many"}, "limit"),
    ("sightline/search", {"query": "x", "maxPerFile": 0}, "maxPerFile"),
    ("sightline/search", {"query": "x", "mode": "best"}, "mode"),
    ("sightline/search", {"query": "x", "explain": "perhaps"}, "explain"),
    ("sightline/search", {"query": "x", "filters": {"language": ["python"]}}, "filters"),
    ("sightline/search", {"query": "x", "filters": {"languages": "python"}}, "filters"),
    ("sightline/search", {"query": "x", "projectId": "Not An Id"}, "projectId"),
    ("sightline/search", {"query": "x", "projectId": "a" * 51}, "projectId"),
    ("sightline/search", {"query": "x", "folder": 5}, "folder"),
    ("sightline/similar", {"textDocument": {"uri": "file:///a"}}, "range"),
    ("sightline/similar", {"range": {}}, "textDocument"),
    (
        "sightline/similar",
        {"textDocument": {"uri": "file:///a"}, "range": {"start": {"line": -1, "character": 0}}},
        "range",
    ),
    ("sightline/status", {"projectId": "--"}, "projectId"),
    ("sightline/index", {"paths": "src"}, "paths"),
    ("sightline/index", {"force": "perhaps"}, "force"),
    ("sightline/index", {"dryRun": 7}, "dryRun"),
    ("sightline/jobs", {"folder": []}, "folder"),
    ("sightline/cancelJob", {}, "id"),
    ("sightline/cancelJob", {"id": "7"}, "id"),
    ("sightline/removeProject", {"projectId": "api"}, "confirm"),
    ("sightline/removeProject", {"projectId": "../api", "confirm": "api"}, "projectId"),
    ("sightline/explainFile", {}, "uri"),
    *((method, {"workDoneToken": {}}, "workDoneToken") for method in REQUESTS),
    *((method, {"colour": 1}, "colour") for method in REQUESTS),
]


@pytest.mark.parametrize(("method", "params", "field"), WRONG)
async def test_wrong_parameters_are_named(client: Client, method: str, params: Any, field: str) -> None:
    error = await client.refused(method, params)
    assert error.code == -32602
    assert field in [problem["loc"][0] for problem in error.data]


@pytest.mark.parametrize(
    ("query", "said", "hint"),
    [
        ("lnag:py x", "unknown filter lnag:", "Did you mean lang:?"),
        ("lang:pyhton x", 'unknown language "pyhton"', "Did you mean python?"),
        ("kind:clas x", 'unknown kind "clas"', "Did you mean class?"),
        ("lang: x", "lang: needs a value", ""),
    ],
)
async def test_a_query_that_is_none_says_what_is_wrong(client: Client, query: str, said: str, hint: str) -> None:
    error = await client.refused("sightline/search", {"query": query})
    assert (error.code, error.data["code"]) == (-32602, "badQuery")
    assert (error.message, hint in error.data["hint"]) == (said, True)


ELSEWHERE = "file:///nowhere/at/all"
LINE = {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 0}}


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("sightline/search", {"query": "x", "projectId": "no-such"}, "projectNotFound"),
        (
            "sightline/similar",
            {"projectId": "no-such", "textDocument": {"uri": ELSEWHERE}, "range": LINE},
            "projectNotFound",
        ),
        ("sightline/status", {"projectId": "no-such"}, "projectNotFound"),
        ("sightline/jobs", {"projectId": "no-such"}, "projectNotFound"),
        ("sightline/index", {"projectId": "no-such"}, "projectNotFound"),
        ("sightline/index", {"projectId": "no-such", "dryRun": True}, "projectNotFound"),
        ("sightline/removeProject", {"projectId": "no-such", "confirm": "x"}, "projectNotFound"),
        ("sightline/cancelJob", {"id": str(uuid4())}, "internal"),
        *(
            (method, {**params, "folder": folder}, "badFolder")
            for method, params in [
                ("sightline/search", {"query": "x"}),
                ("sightline/similar", {"textDocument": {"uri": ELSEWHERE}, "range": LINE}),
                ("sightline/status", {}),
                ("sightline/jobs", {}),
                ("sightline/index", {}),
            ]
            for folder in (ELSEWHERE, "untitled:Untitled-1", "http://[", "file:///a%00b", "")
        ),
        *(("sightline/explainFile", {"uri": each}, "badFolder") for each in (ELSEWHERE, "untitled:a", "file://%00")),
        ("sightline/similar", {"textDocument": {"uri": ELSEWHERE}, "range": LINE}, "badFolder"),
        ("sightline/index", {"paths": ["../.."]}, "badFolder"),
        ("sightline/index", {"paths": ["/etc"]}, "badFolder"),
        ("sightline/index", {"paths": ["src", "a\0b"]}, "badFolder"),
    ],
)
async def test_what_cannot_be_done_is_told_by_its_code(
    client: Client, method: str, params: dict[str, Any], code: str
) -> None:
    error = await client.refused(method, params)
    assert (error.code, error.data["code"]) == (-32803, code)
    assert "Traceback" not in str(error.data)
    status = await indexed(client)
    assert status["folders"][0]["phase"] == "idle"


async def test_an_answer_says_whose_it_is_and_how_whole(client: Client, shop: Files) -> None:
    answer = await client.request("sightline/search", {"query": "sessions", "mode": "lexical", "explain": True})
    (project,) = answer["projects"]
    assert project["resolvedBy"] == "folder"
    assert project["databaseName"].startswith("sightline_shop")
    assert (answer["complete"], answer["indexedPercent"], answer["mode"]) == (True, 100, "lexical")
    assert answer["degraded"] == []
    assert answer["tookMs"] > 0
    assert answer["hits"][0]["uri"] == uri(shop, "src/sessions.py")
    assert answer["hits"][0]["projectId"] == project["id"]
    assert "words" in answer["hits"][0]["signals"]


async def test_a_project_can_be_named_by_its_id(client: Client) -> None:
    id_ = (await client.request("sightline/status"))["projects"][0]["id"]
    answer = await client.request("sightline/search", {"query": "sessions", "projectId": id_})
    assert [each["resolvedBy"] for each in answer["projects"]] == ["explicit"]
    assert "src/sessions.py" in paths(answer)
    assert len((await client.request("sightline/status", {"projectId": id_}))["folders"]) == 1
    assert (await client.request("sightline/jobs", {"projectId": id_}))["jobs"]
    assert (await client.request("sightline/index", {"projectId": id_, "dryRun": True}))["files"] == 9


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"languages": ["rust"]}, {"core/shape.rs"}),
        ({"languages": ["rust", "ts"], "kinds": ["interface", "struct"]}, {"core/shape.rs", "app/[slug]/page.ts"}),
        ({"include": ["src"], "exclude": ["src/net"]}, {"src/sessions.py", "src/greeting.py"}),
        ({"include": ["app/other,x/*", 'a"b', "docs"]}, {"docs/guide.md"}),
        ({"exclude": ["**"]}, set()),
    ],
)
async def test_filters_may_come_beside_the_query(client: Client, filters: dict[str, Any], found: set[str]) -> None:
    params = {"query": "session page circle greet upload", "filters": filters, "limit": 50}
    assert set(paths(await client.request("sightline/search", params))) == found


@pytest.mark.parametrize(
    ("folder", "count"),
    [("", 9), ("src", 3), ("src/net", 1), ("app/[slug]", 1), ("app", 2), ("core/shape.rs", 1), ("built", 0)],
)
async def test_a_folder_below_an_open_one_narrows_a_search(
    client: Client, shop: Files, folder: str, count: int
) -> None:
    params = {"query": "session page circle greet upload built", "folder": uri(shop, folder), "limit": 50}
    found = paths(await client.request("sightline/search", params))
    assert all(path.startswith(folder) for path in found)
    assert len(found) == len(set(found)) == count


async def test_a_folder_is_not_widened_by_what_the_query_says_of_paths(client: Client, shop: Files) -> None:
    params = {"query": "path:sessions.py session", "folder": uri(shop, "src/net")}
    assert paths(await client.request("sightline/search", params)) == []
    params = {"query": "path:*.py session", "folder": uri(shop, "src"), "filters": {"include": ["docs"]}}
    assert "src/sessions.py" in paths(await client.request("sightline/search", params))


async def test_similar_code_is_sought_in_the_clients_own_text(client: Client, shop: Files) -> None:
    path = shop.root / "src/greeting.py"
    client.notify("textDocument/didOpen", opened(path, "# 🙂🙂\n" + UPLOAD))
    selected = {"start": {"line": 1, "character": 0}, "end": {"line": 4, "character": 0}}
    params = {"textDocument": {"uri": path.as_uri()}, "range": selected, "limit": 1}
    answer = await client.request("sightline/similar", params)
    client.notify("textDocument/didClose", {"textDocument": {"uri": path.as_uri()}})
    assert paths(answer) == ["src/net/upload.py"]


@pytest.mark.parametrize(("start", "end"), [((2, 0), (2, 0)), ((1, 0), (3, 0)), ((900, 0), (901, 0)), ((6, 8), (6, 4))])
async def test_a_selection_without_code_is_refused(
    client: Client, shop: Files, start: tuple[int, int], end: tuple[int, int]
) -> None:
    lines = [{"line": line, "character": character} for line, character in (start, end)]
    params = {
        "textDocument": {"uri": uri(shop, "src/sessions.py")},
        "range": {"start": lines[0], "end": lines[1]},
    }
    error = await client.refused("sightline/similar", params)
    assert (error.code, error.message, error.data["code"]) == (-32602, "the selection is empty", "badQuery")


async def test_a_file_that_is_gone_has_no_selection(client: Client, shop: Files) -> None:
    error = await client.refused("sightline/similar", place(shop, "src/none.py", 0, 1))
    assert (error.code, error.data["code"]) == (-32803, "badFolder")


@pytest.mark.parametrize(
    ("path", "indexed_", "reason"),
    [
        ("src/sessions.py", True, None),
        (".env", False, "a secret"),
        ("built/out.py", False, ".gitignore"),
        ("logo.png", False, "an image"),
        ("src/none.py", False, "does not exist"),
        ("src", False, "a folder"),
        ("", False, "a folder"),
    ],
)
async def test_a_file_is_explained(client: Client, shop: Files, path: str, indexed_: bool, reason: str | None) -> None:
    told = await client.request("sightline/explainFile", {"uri": uri(shop, path)})
    assert told["indexed"] is indexed_
    assert told.get("reason") is None if reason is None else reason in told["reason"]
    assert ("lastChange" in told) == indexed_


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_columns_are_in_the_units_that_the_client_asked_for(data_dir: Path, shop: Files, encoding: str) -> None:
    capabilities = CAPABILITIES | {"general": {"positionEncodings": [encoding]}}
    async with editing(data_dir, shop.root, capabilities=capabilities) as other:
        found = await eventually(other, "sightline/search", {"query": "hello_there"}, lambda answer: answer["hits"])
        hit = found["hits"][0]
        assert hit["selectionRange"]["start"]["line"] == 1
        line = hit["snippet"].split("\n")[1 - hit["snippetLine"]]
        width, codec = {"utf-8": (1, "utf-8"), "utf-16": (2, "utf-16-le"), "utf-32": (4, "utf-32-le")}[encoding]
        marked = [each for each in hit["highlights"] if each["start"]["line"] == 1]
        data = line.encode(codec)
        shown = [data[each["start"]["character"] * width : each["end"]["character"] * width] for each in marked]
        assert "hello_there" in [each.decode(codec) for each in shown]
        assert hit["selectionRange"]["end"]["character"] * width == len(data)


async def test_a_command_takes_one_object_and_names_what_is_wrong_with_it(client: Client) -> None:
    for arguments, field in (([{"query": 5}], "query"), ([{"query": "x"}, {}], "arguments"), (["x"], None)):
        params = {"command": "sightline.search", "arguments": arguments}
        error = await client.refused("workspace/executeCommand", params)
        assert error.code == -32602
        assert field is None or error.data[0]["loc"] == [field]
    error = await client.refused("workspace/executeCommand", {"command": "sightline.none"})
    assert error.code == -32602


async def test_a_search_can_be_cancelled(client: Client) -> None:
    ids = [client.start("sightline/search", {"query": f"sessions {number}"}) for number in range(20)]
    for id_ in ids:
        client.cancel(id_)
    for id_ in ids:
        try:
            assert await client.answer(id_)
        except RpcError as error:
            assert error.code == -32800  # noqa: PT017 - either may win
    assert (await client.request("sightline/search", {"query": "sessions"}))["hits"]


async def test_many_searches_at_once_are_all_answered(client: Client) -> None:
    answers = await asyncio.gather(*(client.request("sightline/search", {"query": "sessions"}) for _ in range(30)))
    assert {paths(answer)[0] for answer in answers} == {"src/sessions.py"}


async def test_code_actions_are_for_selections(client: Client, shop: Files) -> None:
    async def actions(start: int, end: int, **context: Any) -> Any:
        params = place(shop, "src/sessions.py", start, end) | {"context": {"diagnostics": [], **context}}
        return await client.request("textDocument/codeAction", params)

    assert await actions(6, 6) == []
    assert await actions(6, 9, only=["source.organizeImports"]) == []
    (action,) = await actions(6, 9)
    assert await actions(6, 9, only=["refactor"]) == [action]
    assert (action["title"], action["kind"]) == ("Find similar code", "refactor.sightline.similar")
    command = action["command"]
    answer = await client.request(
        "workspace/executeCommand", {"command": command["command"], "arguments": command["arguments"]}
    )
    shown = await client.expect("window/showDocument")
    best = answer["hits"][0]
    assert (shown["uri"], shown["selection"], shown["takeFocus"]) == (best["uri"], best["selectionRange"], True)
    logged = await client.expect("window/logMessage")
    assert logged["message"].startswith(f"{best['path']}:{best['selectionRange']['start']['line'] + 1}")


async def test_similar_code_is_listed_where_the_client_opens_no_document(client: Client, shop: Files) -> None:
    del client.replies["window/showDocument"]
    try:
        params = {"command": "sightline.showSimilar", "arguments": [place(shop, "src/sessions.py", 6, 9)]}
        assert (await client.request("workspace/executeCommand", params))["hits"]
    finally:
        client.replies["window/showDocument"] = lambda asked: {"success": True}


@pytest.mark.parametrize(("limit", "others"), [(1, ""), (3, " (2 more in the log)")])
async def test_similar_code_is_named_where_the_client_cannot_be_told_to_open_a_document(
    data_dir: Path, shop: Files, limit: int, others: str
) -> None:
    async with editing(data_dir, shop.root, capabilities={}) as client:
        await indexed(client)
        arguments = [place(shop, "src/sessions.py", 6, 9) | {"limit": limit}]
        params = {"command": "sightline.showSimilar", "arguments": arguments}
        best = (await client.request("workspace/executeCommand", params))["hits"][0]
        named = f"{best['path']}:{best['selectionRange']['start']['line'] + 1} {best['symbol']}"
        assert (await client.expect("window/showMessage"))["message"] == f"Similar code: {named}{others}"
        params["arguments"] = [arguments[0] | {"filters": {"exclude": ["**"]}}]
        await client.request("workspace/executeCommand", params)
        assert (await client.expect("window/showMessage"))["message"] == "No similar code was found."
