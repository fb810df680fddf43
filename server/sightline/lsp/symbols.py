"""`workspace/symbol`: names first, then what a search finds, in the shapes that editors keep."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lsprotocol import types

from sightline import messages
from sightline.core.query import parse
from sightline.errors import QueryError
from sightline.lsp import scopes
from sightline.lsp.session import Session

if TYPE_CHECKING:  # heavy: see `session.HEAVY`
    from sightline.core.symbols import Symbol
    from sightline.searching import Hit, Search

LIMIT: Final = 100
ENOUGH: Final = 10
"""With fewer names than this, a search's hits follow."""
ESCAPE: Final = "?"

KINDS: Final = {
    "class": types.SymbolKind.Class, "struct": types.SymbolKind.Struct, "interface": types.SymbolKind.Interface,
    "trait": types.SymbolKind.Interface, "enum": types.SymbolKind.Enum, "union": types.SymbolKind.Struct,
    "module": types.SymbolKind.Module, "namespace": types.SymbolKind.Namespace, "type": types.SymbolKind.Class,
    "object": types.SymbolKind.Object, "impl": types.SymbolKind.Class, "function": types.SymbolKind.Function,
    "method": types.SymbolKind.Method, "constructor": types.SymbolKind.Constructor, "macro": types.SymbolKind.Function,
    "property": types.SymbolKind.Property, "field": types.SymbolKind.Field, "constant": types.SymbolKind.Constant,
    "variable": types.SymbolKind.Variable, "heading": types.SymbolKind.String, "key": types.SymbolKind.Key,
    "code": types.SymbolKind.Module, "text": types.SymbolKind.File,
}  # fmt: skip


async def workspace_symbol(session: Session, params: types.WorkspaceSymbolParams) -> list[types.WorkspaceSymbol]:
    """Definitions whose name answers; with few of them, or for several words, what a search finds."""
    engine = (await scopes.of(session, messages.ScopeParams())).engine
    typed = params.query.strip()
    if typed.startswith(ESCAPE) and session.is_vscode and session.settings.search.symbol_escape:
        return await _escaped(engine, typed)
    if not typed:
        return [_named(root, each) for root, each in await engine.symbols("", LIMIT)]
    if len(typed.split()) > 1:
        return [_of_hit(hit) for hit in await _searched(engine, typed)]
    names = await engine.symbols(typed, LIMIT, close=True)
    hits: list[Hit] = []
    if len(names) < ENOUGH:  # Postgres looks at every name while we search
        names, hits = await asyncio.gather(engine.symbols(typed, LIMIT, known=names), _searched(engine, typed))
    found = [_named(root, each) for root, each in names]
    if len(found) < ENOUGH:
        found += [_of_hit(hit) for hit in hits if not any(_shows(hit, root, each) for root, each in names)]
    return found


def _shows(hit: Hit, root: Path, symbol: Symbol) -> bool:
    """Whether a hit is a definition that is listed, or a part of it: its chunk may begin before it, or within it."""
    if (hit.root, hit.path) != (root, symbol.path):
        return False
    overlaps = symbol.start_line <= hit.end_line and hit.start_line <= symbol.end_line
    return hit.start_line == symbol.start_line or (overlaps and hit.symbol == symbol.name)


async def _searched(engine: Search, text: str) -> list[Hit]:
    from sightline.searching import Options

    try:
        return list((await engine.search(parse(text), Options(limit=20))).hits)
    except QueryError:
        return []


async def _escaped(engine: Search, typed: str) -> list[types.WorkspaceSymbol]:
    """VS Code passes one word on and sorts by name; names that all begin with what was typed keep our order."""
    hits = await _searched(engine, typed.removeprefix(ESCAPE).replace("-", " "))
    symbols = [_of_hit(hit) for hit in hits]
    for place, symbol in enumerate(symbols, 1):
        symbol.name = f"{typed}  {place:02} {symbol.name}"
    return symbols


def _named(root: Path, symbol: Symbol) -> types.WorkspaceSymbol:
    uri = (root / symbol.path).as_uri()
    return _symbol(symbol.name, symbol.kind, symbol.container or symbol.path, uri, symbol.start_line, symbol.end_line)


def _of_hit(hit: Hit) -> types.WorkspaceSymbol:
    name = hit.symbol or hit.path.rpartition("/")[2]
    container = f"{hit.container} · {hit.path}" if hit.container else hit.path
    return _symbol(name, hit.kind, container, (hit.root / hit.path).as_uri(), hit.start_line, hit.end_line)


def _symbol(name: str, kind: str, container: str, uri: str, start: int, end: int) -> types.WorkspaceSymbol:
    """Whole lines, so that no column has to be counted in a file that is not read."""
    lines = types.Range(types.Position(start, 0), types.Position(end + 1, 0))
    return types.WorkspaceSymbol(types.Location(uri, lines), name, KINDS[kind], container_name=container)
