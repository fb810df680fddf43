"""The queries in `queries/*.scm`, compiled: what a definition, a comment or a decorator is in each language.

A pattern captures a definition's node under its kind (`@class`, `@function` ...) and its name as `@name`, or as
`@declarator` where C wraps the name in pointers and parameters. `@container` is a qualifier that stands apart (Go's
receiver), `@tail` a sibling that belongs to the definition (Dart's bodies). `@equation` is a function whose neighbours
of the same name are one definition. `@comment`, `@docstring` and `@glue` (decorators, attributes) define nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from tree_sitter import Node, Parser, Query, QueryCursor

from sightline.core import grammars
from sightline.core.model import KINDS

Captures = dict[str, list[Node]]

_DECISIVE: Final = frozenset((*KINDS, "equation", "comment", "docstring", "glue"))

_MATCH_LIMIT: Final = 1_000
"""Patterns in progress at once. Real code needs some dozens; without a limit deep nesting takes quadratic time."""


@dataclass(frozen=True, slots=True)
class Patterns:
    """A compiled query, and what is known of each of its patterns."""

    query: Query
    kinds: tuple[str, ...]
    """The capture that decides what a match is."""
    ranks: tuple[int, ...]
    """Its place in the files: of two patterns that find the same node, the earlier decides."""
    at_root: bool
    """Whether every pattern starts at the root; then the cursor need not visit the rest."""

    def matches(self, root: Node) -> list[tuple[int, Captures]]:
        """The matches in a tree, each with its pattern's number."""
        cursor = QueryCursor(self.query, match_limit=_MATCH_LIMIT)
        if self.at_root:
            cursor.set_max_start_depth(0)
        return cursor.matches(root)


@cache
def load(grammar: str, names: tuple[str, ...]) -> tuple[Patterns, ...]:
    """The patterns of these files as two queries: those that start at the root would slow the others by a third."""
    language = grammars.load(grammar)
    assert language is not None, "only a tree of this grammar leads here"
    root = Parser(language).parse(b"").root_node.type
    texts = split("\n".join(map(text_of, names)))
    at_root = [rank for rank, text in enumerate(texts) if text.startswith(f"({root} ")]
    elsewhere = [rank for rank in range(len(texts)) if rank not in at_root]
    return tuple(
        Patterns(
            query=Query(language, "\n".join(texts[rank] for rank in ranks)),
            kinds=tuple(_decisive(texts[rank]) for rank in ranks),
            ranks=tuple(ranks),
            at_root=ranks is at_root,
        )
        for ranks in (at_root, elsewhere)
        if ranks
    )


def text_of(name: str) -> str:
    """One query file; `queries/pack` holds those that differ for tree-sitter-language-pack's newer grammars."""
    folder = resources.files(__package__) / "queries"
    newer = folder / "pack" / f"{name}.scm"
    return (newer if grammars.pack() and newer.is_file() else folder / f"{name}.scm").read_text(encoding="utf-8")


def split(text: str) -> list[str]:
    """The patterns of a query text: each begins at the start of a line, and its further lines are indented."""
    code = re.sub(r"^;.*", "", text, flags=re.MULTILINE)
    return [part.strip() for part in re.split(r"^(?=[(\[])", code, flags=re.MULTILINE) if part.strip()]


def _decisive(pattern: str) -> str:
    return next(found[1] for found in re.finditer(r"@(\w+)", pattern) if found[1] in _DECISIVE)
