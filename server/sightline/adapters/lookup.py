"""Looks names up: definitions by what somebody has typed of their names."""

from __future__ import annotations

from typing import Final

import asyncpg

from sightline.core.identifiers import folded
from sightline.core.symbols import Symbol

SYMBOLS_READ: Final = 300
FEW_CLOSE: Final = 10
"""With as many names that begin as is typed, nobody looks for those that only resemble it."""
SYMBOLS: Final = (
    "select d.name, d.kind, d.container, d.depth, f.relative_path, c.start_line + d.line_offset,"
    " c.start_line + d.line_offset + d.line_count - 1, f.repository_id, f.repository_id = any($1::int[]) as wanted"
    " from (select * from definitions where {} limit $2) d join code_chunks c on c.id = d.chunk_id"
    " join code_files f on f.id = c.code_file_id"
)
OF_WANTED: Final = (
    "exists (select 1 from code_chunks k join code_files f on f.id = k.code_file_id"
    " where k.id = chunk_id and f.repository_id = any($1::int[])) and "
)
TOP_KINDS: Final = ("class", "struct", "interface", "trait", "enum", "module", "function")


async def symbols(pool: asyncpg.Pool, wanted: list[int], typed: str, limit: int) -> list[Symbol]:
    """Definitions in the `wanted` checkouts, from the likeliest kind of match on until there are enough."""
    found: dict[tuple[int, str, int, str], Symbol] = {}
    own = folded(typed)
    for condition, arguments, most in _conditions(own):
        if len(found) >= min(most, limit) or (most < limit and any(folded(key[3]) == own for key in found)):
            break
        rows = await pool.fetch(SYMBOLS.format(condition), wanted, SYMBOLS_READ, *arguments)
        if len(rows) == SYMBOLS_READ and not all(row["wanted"] for row in rows):
            # Other checkouts took places; to ask this of each definition costs five times as much.
            rows = await pool.fetch(SYMBOLS.format(OF_WANTED + condition), wanted, SYMBOLS_READ, *arguments)
        found |= {(row[7], row[4], row[5], row[0]): Symbol(*row[:8]) for row in rows if row["wanted"]}
    return list(found.values())


def _conditions(own: str) -> list[tuple[str, tuple[str, ...], int]]:
    """Conditions on a definition's folded name, close ones first, and with how many found before each is not asked.

    The last one looks at every name (30 ms for 160,000), so it is for what nothing has exactly, and little begins with.
    """
    if not own:
        return [(f"depth = 0 and kind in {TOP_KINDS}", (), SYMBOLS_READ)]
    after = own + "\U0010ffff"
    conditions = [
        ("folded = $3 order by depth", (own,), SYMBOLS_READ),
        ("folded >= $3 and folded < $4 order by length(folded)", (own, after), SYMBOLS_READ),
    ]
    if len(own) > 1:
        near = "initials >= $3 and initials < $4 order by length(initials), depth"
        conditions.append((near, (own, after), SYMBOLS_READ))
    if len(own) > 2:
        # One edit leaves one half of a name as it is.
        half = len(own) // 2
        halves = (own[:half] + "%", "%" + own[-half:]) if len(own) > 3 else ("", "")
        far = (
            "(folded like $3 or (folded like $4 or folded like $5) and abs(length(folded) - $6::text::int) <= 1)"
            " order by abs(length(folded) - $6::text::int)"
        )
        conditions.append((far, ("%" + "%".join(own) + "%", *halves, str(len(own))), FEW_CLOSE))
    return conditions
