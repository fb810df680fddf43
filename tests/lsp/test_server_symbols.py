"""`workspace/symbol`: names as they are typed, kinds and containers as editors show them, and whole questions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from lsprotocol.types import SymbolKind

from sightline.core.model import KINDS
from sightline.lsp import symbols
from support import Files

from .product import SHOP, VS_CODE, editing, eventually, indexed
from .support import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")


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


async def found(client: Client, query: str) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = await client.request("workspace/symbol", {"query": query})
    return result


async def names(client: Client, query: str) -> list[str]:
    return [each["name"] for each in await found(client, query)]


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("SessionStore", "SessionStore"),
        ("sessionstore", "SessionStore"),
        ("sess", "SessionStore"),
        ("load", "load_session"),
        ("SS", "SessionStore"),
        ("rfu", "retry_failed_uploads"),
        ("failed", "retry_failed_uploads"),
        ("sesstr", "SessionStore"),
        ("SesionStore", "SessionStore"),
        ("grete_user", "greet_user"),
        ("PAGE_SIZE", "PAGE_SIZE"),
    ],
)
async def test_a_name_is_found_however_it_is_typed(client: Client, typed: str, first: str) -> None:
    assert (await names(client, typed))[0] == first


@pytest.mark.parametrize(
    ("name", "kind", "container", "lines"),
    [
        ("SessionStore", SymbolKind.Class, "src/sessions.py", (3, 12)),
        ("save_session", SymbolKind.Method, "SessionStore", (6, 9)),
        ("greet_user", SymbolKind.Function, "src/greeting.py", (0, 3)),
        ("PageProps", SymbolKind.Interface, "app/[slug]/page.ts", (0, 1)),
        ("PAGE_SIZE", SymbolKind.Constant, "app/[slug]/page.ts", (1, 2)),
        ("Circle", SymbolKind.Struct, "core/shape.rs", (0, 1)),
        ("Area", SymbolKind.Interface, "core/shape.rs", (1, 2)),
        ("inner", SymbolKind.Module, "core/shape.rs", (2, 3)),
    ],
)
async def test_a_definition_has_its_kind_its_container_and_all_its_lines(
    client: Client, shop: Files, name: str, kind: SymbolKind, container: str, lines: tuple[int, int]
) -> None:
    symbol = next(each for each in await found(client, name) if each["name"] == name)
    assert (symbol["kind"], symbol["containerName"]) == (kind, container)
    span = symbol["location"]["range"]
    assert (span["start"]["line"], span["end"]["line"]) == lines
    assert span["start"]["character"] == span["end"]["character"] == 0
    assert symbol["location"]["uri"].startswith(shop.root.as_uri())


async def test_a_question_finds_places(client: Client) -> None:
    first = (await found(client, "where are sessions kept on disk"))[0]
    assert first["name"] == "SessionStore"
    assert first["containerName"].endswith("src/sessions.py")
    assert (await names(client, "retry uploads that failed"))[0] == "retry_failed_uploads"


async def test_names_come_before_what_is_only_alike_and_none_comes_twice(client: Client) -> None:
    listed = await found(client, "save_session")
    assert listed[0]["name"] == "save_session"
    places = [(each["location"]["uri"], each["location"]["range"]["start"]["line"]) for each in listed]
    assert len(places) == len(set(places))
    assert len(listed) > 2


async def test_a_definition_whose_chunk_begins_before_it_is_listed_once(client: Client) -> None:
    listed = [each for each in await found(client, "SessionStore") if each["name"] == "SessionStore"]
    assert [each["location"]["range"]["start"]["line"] for each in listed] == [3]
    assert len(await found(client, "SessionStore")) > 1


async def test_nothing_typed_lists_what_is_there_at_once(client: Client) -> None:
    for query in ("", "  ", "\t"):
        assert {"SessionStore", "greet_user"} <= set(await names(client, query))


@pytest.mark.parametrize("query", ["lang:nope x", "lnag:py", '"', "\0", "🙂", "?", "x" * 10_000, "*" * 500])
async def test_no_query_is_an_error(client: Client, query: str) -> None:
    assert isinstance(await found(client, query), list)


async def test_filters_work_in_a_question(client: Client) -> None:
    assert {each["location"]["uri"].rpartition("/")[2] for each in await found(client, "lang:rust circle area")} == {
        "shape.rs"
    }


async def test_every_kind_has_one_in_lsp() -> None:
    assert set(symbols.KINDS) == set(KINDS)


@pytest.mark.parametrize(
    ("info", "enabled", "escaped"),
    [
        (VS_CODE, True, True),
        ({"name": "Visual Studio Code - Insiders"}, True, True),
        ({"name": "VSCodium"}, True, True),
        (VS_CODE, False, False),
        ({"name": "Neovim", "version": "0.11"}, True, False),
        (None, True, False),
    ],
)
async def test_a_question_mark_escapes_vs_codes_own_filter(
    data_dir: Path, shop: Files, info: Any, enabled: bool, escaped: bool
) -> None:
    settings = {"search": {"symbolEscape": enabled}}
    async with editing(data_dir, shop.root, settings=settings, clientInfo=info) as other:
        listed = await eventually(other, "workspace/symbol", {"query": "?retry-failed-uploads"}, lambda each: each)
        texts = [each["name"] for each in listed]
        assert texts[0].endswith("retry_failed_uploads")
        assert (texts[0] == "?retry-failed-uploads  01 retry_failed_uploads") is escaped
        if escaped:
            assert [text[:25] for text in texts] == [
                f"?retry-failed-uploads  {place:02}" for place in range(1, len(texts) + 1)
            ]
        assert (await names(other, "sess"))[0] == "SessionStore"
