"""The contract is a file: it equals what the models say, and what the server really answers conforms to it."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from contract.generate import FOLDER, as_text, documents
from lsp.product import CAPABILITIES, SHOP, as_folder, editing, indexed, product
from lsp.support import Client, connected
from sightline.lsp.server import REQUESTS, SHOW_SIMILAR
from sightline.settings import Settings, parse
from support import Files

NAMES = ("protocol.schema.json", "settings.schema.json", "project-config.schema.json")


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return found


PROTOCOL, SETTINGS, PROJECT = map(read, NAMES)


def check(value: Any, *path: str) -> None:
    """Raises ValidationError where a value is not what the protocol has there."""
    part = PROTOCOL
    for name in path:
        part = part["properties"][name]
    schema = {"$schema": PROTOCOL["$schema"], "$defs": PROTOCOL["$defs"], **part}
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(value)


@pytest.mark.parametrize("name", NAMES)
def test_the_files_are_what_the_models_say(name: str) -> None:
    told = "the models have changed: run `poe schemas`, and raise VERSION where an old client would break"
    assert (FOLDER / name).read_text(encoding="utf-8") == as_text(documents()[name]), told


@pytest.mark.parametrize("name", NAMES)
def test_the_files_are_json_schemas(name: str) -> None:
    Draft202012Validator.check_schema(read(name))


def test_every_request_and_command_is_in_the_contract() -> None:
    parts = PROTOCOL["properties"]
    assert list(parts["requests"]["properties"]) == list(REQUESTS)
    assert set(parts["commands"]["properties"]) == {*(name.replace("/", ".") for name in REQUESTS), SHOW_SIMILAR}


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"query": 7},
        {"query": "x", "limit": 51},
        {"query": "x", "colour": 1},
        {"query": "x", "projectId": "Not An Id"},
    ],
)
def test_what_the_server_refuses_is_not_in_the_contract(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        check(params, "requests", "sightline/search", "params")


def test_the_defaults_of_all_settings_are_those_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SIGHTLINE_")]:
        monkeypatch.delenv(name)
    defaults = {name: setting["default"] for name, setting in SETTINGS["properties"].items()}
    Draft202012Validator(SETTINGS).validate(defaults)
    editor: dict[str, Any] = {}
    for name, value in defaults.items():
        *groups, last = name.split(".")[1:]
        (editor.setdefault(groups[0], {}) if groups else editor)[last] = value
    found, problems = parse(editor=editor)
    assert (found.model_dump(), problems) == (Settings().model_dump(), ())


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Files:
    files = Files(tmp_path_factory.mktemp("shop").resolve())
    files.write(SHOP)
    return files


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(data_dir: Path, shop: Files) -> AsyncIterator[Client]:
    async with editing(data_dir, shop.root) as client:
        await indexed(client)
        yield client


SELECTION = {"start": {"line": 6, "character": 0}, "end": {"line": 9, "character": 0}}
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("search", {"query": "where are sessions persisted", "explain": True, "folder": None, "workDoneToken": "t"}),
    ("search", {"query": "session", "limit": 1, "maxPerFile": 5, "filters": {"languages": ["python"]}}),
    ("similar", {"textDocument": {"uri": "src/sessions.py"}, "range": SELECTION}),
    ("status", {}),
    ("index", {}),
    ("index", {"dryRun": True}),
    ("jobs", {}),
    ("pause", {}),
    ("resume", {}),
    ("projects", {}),
    ("explainFile", {"uri": "src/sessions.py"}),
    ("explainFile", {"uri": "logo.png"}),
]


@pytest.mark.parametrize(("name", "params"), ASKED)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_real_answer_is_what_the_contract_says(
    client: Client, shop: Files, name: str, params: dict[str, Any]
) -> None:
    method = f"sightline/{name}"
    check(params, "requests", method, "params")
    asked = json.loads(json.dumps(params), object_hook=lambda value: _absolute(shop, value))
    check(await client.request(method, asked), "requests", method, "result")
    command = {"command": method.replace("/", "."), "arguments": [asked]}
    check(await client.request("workspace/executeCommand", command), "commands", command["command"], "result")


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("sightline/search", {}),
        ("sightline/search", {"query": "lang:nonsense"}),
        ("sightline/search", {"query": "x", "projectId": "no-such"}),
        ("sightline/nonsense", {}),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_real_error_is_what_the_contract_says(client: Client, method: str, params: dict[str, Any]) -> None:
    error = await client.refused(method, params)
    data = {} if error.data is None else {"data": error.data}
    check({"code": error.code, "message": error.message, **data}, "error")


async def test_what_a_server_tells_unasked_is_what_the_contract_says(data_dir: Path, shop: Files) -> None:
    async with connected(product(data_dir)) as client:
        answer = await client.initialize(capabilities=CAPABILITIES, workspaceFolders=[as_folder(shop.root)])
        check(answer["capabilities"]["experimental"]["sightline"], "experimental")
        check(await client.expect("sightline/statusChanged"), "notifications", "sightline/statusChanged", "params")


def _absolute(shop: Files, value: dict[str, Any]) -> dict[str, Any]:
    return value | {"uri": (shop.root / value["uri"]).as_uri()} if "uri" in value else value
