"""Looks names up: definitions by what somebody has typed of their names."""

from __future__ import annotations

from typing import Final

from sightline.adapters.pools import Pool
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
LAST: Final = "\U0010ffff"
"""Sorts after every letter."""
TOP_KINDS: Final = ("class", "struct", "interface", "trait", "enum", "module", "function")


async def symbols(pool: Pool, wanted: list[int], typed: str, limit: int, *, close: bool = False) -> list[Symbol]:
    """Definitions in the `wanted` checkouts, from the likeliest kind of match on until there are enough.

    `close` leaves out what only resembles a name, which takes as long as a search.
    """
    found: dict[tuple[int, str, int, str], Symbol] = {}
    own = folded(typed)
    for condition, arguments in _close(own):
        if len(found) < limit:
            found |= await _read(pool, wanted, condition, arguments)
    if not close and len(found) < min(FEW_CLOSE, limit) and not any(folded(key[3]) == own for key in found):
        for condition, arguments in _far(own):
            found |= await _read(pool, wanted, condition, arguments)
    return list(found.values())


async def _read(
    pool: Pool, wanted: list[int], condition: str, arguments: tuple[str, ...]
) -> dict[tuple[int, str, int, str], Symbol]:
    rows = await pool.fetch(SYMBOLS.format(condition), wanted, SYMBOLS_READ, *arguments)
    if len(rows) == SYMBOLS_READ and not all(row["wanted"] for row in rows):
        # Other checkouts took places; to ask this of each definition costs five times as much.
        rows = await pool.fetch(SYMBOLS.format(OF_WANTED + condition), wanted, SYMBOLS_READ, *arguments)
    return {(row[7], row[4], row[5], row[0]): Symbol(*row[:8]) for row in rows if row["wanted"]}


def _close(own: str) -> list[tuple[str, tuple[str, ...]]]:
    """Conditions on a definition's folded name: what is called so, begins so, or has such initials."""
    if not own:
        return [(f"depth = 0 and kind in {TOP_KINDS}", ())]
    after = own + LAST
    near = "initials >= $3 and initials < $4 order by length(initials), depth"
    return [
        ("folded = $3 order by depth", (own,)),
        ("folded >= $3 and folded < $4 order by length(folded)", (own, after)),
        *([(near, (own, after))] if len(own) > 1 else []),
    ]


def _far(own: str) -> list[tuple[str, tuple[str, ...]]]:
    """Conditions on those that only resemble it. The last one looks at every name: 11 ms for 160,000."""
    half = len(own) // 2
    # One edit leaves one half of a name as it is.
    kept = [("folded", own[:half]), ('reverse(folded) collate "C"', own[: -half - 1 : -1])] if len(own) > 3 else []
    as_long = "abs(length(folded) - $5::text::int)"
    typos = [
        (f"{name} >= $3 and {name} < $4 and {as_long} <= 1 order by {as_long}", (part, part + LAST, str(len(own))))
        for name, part in kept
    ]
    scattered = [("folded like $3 order by length(folded)", ("%" + "%".join(own) + "%",))] if len(own) > 2 else []
    return [*typos, *scattered]
