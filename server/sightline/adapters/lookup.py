"""Looks names up: definitions by what somebody has typed of their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sightline.adapters.pools import Pool
from sightline.core.identifiers import folded
from sightline.core.symbols import Symbol

SYMBOLS_READ: Final = 300
FEW_CLOSE: Final = 10
"""With as many names that begin as is typed, nobody looks for those that only resemble it."""
SYMBOLS: Final = (
    "select d.name, d.kind, d.container, d.depth, f.relative_path, c.start_line + d.line_offset,"
    " c.start_line + d.line_offset + d.line_count - 1, f.repository_id, f.repository_id = any($1::int[]) and f.relative_path ~ $3 as wanted"
    " from (select * from definitions where {} limit $2) d join code_chunks c on c.id = d.chunk_id"
    " join code_files f on f.id = c.code_file_id"
)
OF_WANTED: Final = (
    "exists (select 1 from code_chunks k join code_files f on f.id = k.code_file_id"
    " where k.id = chunk_id and f.repository_id = any($1::int[]) and f.relative_path ~ $3) and "
)
IS_SMALL: Final = (
    "select count(*) < $3 from (select from code_files where repository_id = any($1::int[]) and relative_path ~ $2"
    " limit $3) f"
)
FEW_FILES: Final = 200
ENOUGH: Final = 100
"""Of what is read at once: an answer shows no more."""
LAST: Final = "\U0010ffff"
"""Sorts after every letter."""
TOP_KINDS: Final = ("class", "struct", "interface", "trait", "enum", "module", "function")


@dataclass(frozen=True, slots=True)
class Part:
    """What of a project's database is looked through."""

    repository_ids: tuple[int, ...]
    within: str = ""
    """A regular expression of the paths in it."""


async def symbols(
    pool: Pool, part: Part, typed: str, limit: int, *, close: bool = False, known: Sequence[Symbol] | None = None
) -> list[Symbol]:
    """Definitions in a part, from the likeliest kind of match on until there are enough.

    `close` leaves out what only resembles a name, which takes as long as a search; with what is `known` to be close,
    that is not asked for again.
    """
    own = folded(typed)
    is_small = bool(part.within) and await pool.fetchval(IS_SMALL, part.repository_ids, part.within, FEW_FILES)
    found = _by_place(known or ())
    for condition, arguments in _close(own) if known is None else ():
        if len(found) < limit:
            found |= await _read(pool, part, is_small, condition, arguments)
    if not close and len(found) < min(FEW_CLOSE, limit) and not any(folded(key[3]) == own for key in found):
        for condition, arguments in _far(own):
            found |= await _read(pool, part, is_small, condition, arguments)
    return list(found.values())


async def _read(
    pool: Pool, part: Part, is_small: bool, condition: str, arguments: tuple[str, ...]
) -> dict[tuple[int, str, int, str], Symbol]:
    given = (part.repository_ids, SYMBOLS_READ, part.within, *arguments)
    if not is_small:
        rows = await pool.fetch(SYMBOLS.format(condition), *given)
        wanted = [row for row in rows if row["wanted"]]
        if len(rows) < SYMBOLS_READ or len(wanted) >= ENOUGH:
            return _by_place(Symbol(*row[:8]) for row in wanted)
    # What is not wanted took places; to ask this of each definition costs five times as much, but in a small part.
    rows = await pool.fetch(SYMBOLS.format(OF_WANTED + condition), *given)
    return _by_place(Symbol(*row[:8]) for row in rows)


def _by_place(symbols: Iterable[Symbol]) -> dict[tuple[int, str, int, str], Symbol]:
    return {(each.repository_id, each.path, each.start_line, each.name): each for each in symbols}


def _close(own: str) -> list[tuple[str, tuple[str, ...]]]:
    """Conditions on a definition's folded name: what is called so, begins so, or has such initials."""
    if not own:
        return [(f"depth = 0 and kind in {TOP_KINDS}", ())]
    after = own + LAST
    near = "initials >= $4 and initials < $5 order by length(initials), depth"
    return [
        ("folded = $4 order by depth", (own,)),
        ("folded >= $4 and folded < $5 order by length(folded)", (own, after)),
        *([(near, (own, after))] if len(own) > 1 else []),
    ]


def _far(own: str) -> list[tuple[str, tuple[str, ...]]]:
    """Conditions on those that only resemble it. The last one looks at every name: 11 ms for 160,000."""
    half = len(own) // 2
    # One edit leaves one half of a name as it is.
    kept = [("folded", own[:half]), ('reverse(folded) collate "C"', own[: -half - 1 : -1])] if len(own) > 3 else []
    as_long = "abs(length(folded) - $6::text::int)"
    typos = [
        (f"{name} >= $4 and {name} < $5 and {as_long} <= 1 order by {as_long}", (part, part + LAST, str(len(own))))
        for name, part in kept
    ]
    scattered = [("folded like $4 order by length(folded)", ("%" + "%".join(own) + "%",))] if len(own) > 2 else []
    return [*typos, *scattered]
