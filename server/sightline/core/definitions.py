"""What a syntax tree defines and where its comments are, by the queries in `queries/*.scm`.

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

from tree_sitter import Language as TreeSitterLanguage
from tree_sitter import Node, Query, QueryCursor

from sightline.core import grammars
from sightline.core.documentation import Range, Remarks, signature
from sightline.core.languages import Language
from sightline.core.lines import LineTable
from sightline.core.model import CALLABLE_KINDS, KINDS, TYPE_KINDS, Definition

_MAX_NESTING: Final = 32
"""Definitions nested deeper are no structure that a person wrote; dropping them keeps containers short."""

_MAX_NAME: Final = 120
_SPACE: Final = 32

_MATCH_LIMIT: Final = 10_000
"""Patterns in progress at once; real code needs some dozens."""

_VALUE_KINDS: Final = frozenset(("constant", "variable", "field", "property", "key"))
"""Dropped inside functions: there they are locals."""

_DECLARED_WITH_A_TYPE: Final = frozenset(("variable", "field", "type", "property"))

_METHOD_HOLDERS: Final = TYPE_KINDS - {"module", "namespace"}

_NON_QUALIFIERS: Final = frozenset(("", "exports", "module", "prototype", "this", "self", "window", "global"))


@dataclass(frozen=True, slots=True)
class Outline:
    """A file's definitions by their start, its comments, and the nodes that belong to what follows them."""

    definitions: tuple[Definition, ...]
    qualified: tuple[str, ...]
    """Each definition's name with the qualifier that its own text gives it: `Ecto.Repo`."""
    comments: tuple[Range, ...]
    """Ascending and disjoint, doc strings included."""
    glue: dict[int, int]
    """Comments, decorators and attributes: start to end."""


@dataclass(slots=True)
class _Match:
    """One matched definition on its way to a Definition."""

    start: int
    end: int
    pattern: int
    kind: str
    name: str
    qualifier: str
    body: int
    """Where the body starts; -1 if the tree does not tell."""
    container: str = ""
    depth: int = 0


@dataclass(frozen=True, slots=True)
class _Patterns:
    """A compiled query and, for each of its patterns, the capture that decides."""

    query: Query
    kinds: tuple[str, ...]
    ranks: tuple[int, ...]
    """Its place in the files: of two patterns that find the same node, the earlier decides."""
    at_root: bool
    """Whether every pattern starts at the root; then the cursor need not visit the rest."""

    def matches(self, root: Node) -> list[tuple[int, dict[str, list[Node]]]]:
        cursor = QueryCursor(self.query, match_limit=_MATCH_LIMIT)
        if self.at_root:
            cursor.set_max_start_depth(0)
        return cursor.matches(root)


def outline(language: Language, root: Node, source: bytes, lines: LineTable) -> Outline:
    """The definitions, comments and glue of a parsed file."""
    found: list[_Match] = []
    ranges: dict[str, list[Range]] = {"comment": [], "docstring": [], "glue": []}
    for patterns in _patterns(language.grammar, language.queries, root.type):
        sinks = [ranges.get(kind) for kind in patterns.kinds]
        for pattern, captures in patterns.matches(root):
            node = captures[patterns.kinds[pattern]][0]
            sink = sinks[pattern]
            if sink is not None:
                sink.append(node.byte_range)
            elif match := _match(patterns.ranks[pattern], patterns.kinds[pattern], node, captures, source):
                found.append(match)
    remarks = Remarks(source, ranges["comment"], ranges["docstring"])
    kept = _nested(found)
    return Outline(
        definitions=_described(kept, source, lines, remarks),
        qualified=tuple(f"{match.qualifier}.{match.name}" if match.qualifier else match.name for match in kept),
        comments=remarks.ranges,
        glue=dict(ranges["comment"]) | dict(ranges["glue"]),
    )


@cache
def _patterns(grammar: str, names: tuple[str, ...], root: str) -> tuple[_Patterns, ...]:
    """The patterns in two queries: one for those that start at the root, which is a third of the time saved."""
    language = grammars.load(grammar)
    assert language is not None, "the tree came from this grammar"
    texts = split_patterns(language, "\n".join(map(query_text, names)))
    at_root = [rank for rank, text in enumerate(texts) if text.startswith(f"({root} ")]
    elsewhere = [rank for rank in range(len(texts)) if rank not in at_root]
    return tuple(
        _Patterns(
            query=Query(language, "\n".join(texts[rank] for rank in ranks)),
            kinds=tuple(_decisive(texts[rank]) for rank in ranks),
            ranks=tuple(ranks),
            at_root=ranks is at_root,
        )
        for ranks in (at_root, elsewhere)
        if ranks
    )


def split_patterns(language: TreeSitterLanguage, text: str) -> list[str]:
    """The patterns of a query text, one by one."""
    query, data = Query(language, text), text.encode()
    starts = range(query.pattern_count)
    return [data[query.start_byte_for_pattern(i) : query.end_byte_for_pattern(i)].decode().strip() for i in starts]


def _decisive(pattern: str) -> str:
    return next(name for name in re.findall(r"@(\w+)", pattern) if name in _DECISIVE)


_DECISIVE: Final = frozenset((*KINDS, "equation", "comment", "docstring", "glue"))


def query_text(name: str) -> str:
    """One query file; `queries/pack` holds those that differ for tree-sitter-language-pack's newer grammars."""
    folder = resources.files(__package__) / "queries"
    newer = folder / "pack" / f"{name}.scm"
    return (newer if grammars.pack() and newer.is_file() else folder / f"{name}.scm").read_text(encoding="utf-8")


def _match(pattern: int, kind: str, node: Node, captures: dict[str, list[Node]], source: bytes) -> _Match | None:
    if named := captures.get("name"):
        text = _text(named[0], source)
    else:
        kind, text = _declared(kind, captures["declarator"][0], source)
    start, end = node.byte_range
    qualifier, name = ("", text) if text.isidentifier() else split_name(text, kind)
    if not name or len(name) > _MAX_NAME:
        return None
    if holder := captures.get("container"):
        words = re.findall(r"[^\W\d]\w*", _text(holder[0], source))
        qualifier = words[0] if words else ""
    if tail := captures.get("tail"):
        body, end = tail[0].byte_range
    else:
        block = node.child_by_field_name("body")
        body = block.start_byte if block is not None else -1
    if source[end - 1] <= _SPACE:
        end = start + len(source[start:end].rstrip())
    return _Match(start, end, pattern, kind, name, qualifier, body)


def _text(node: Node, source: bytes) -> str:
    """Quicker than `node.text`, which reads through the parser's callback."""
    start, end = node.byte_range
    return source[start:end].decode("utf-8", "replace")


def _declared(kind: str, node: Node, source: bytes) -> tuple[str, str]:
    """A C declarator's name, and `function` as its kind where it declares one (a pointer to a function is a value)."""
    callable_, pointer = False, False
    for _ in range(12):
        callable_ = callable_ or (node.type == "function_declarator" and not pointer)
        pointer = node.type in ("parenthesized_declarator", "block_pointer_declarator")
        inner = node.child_by_field_name("declarator")
        if inner is None and (pointer or node.type.endswith(("reference_declarator", "attributed_declarator"))):
            inner = next((child for child in node.named_children if "declarator" in child.type or "identifier" in child.type), None)
        if inner is None:
            break
        callable_ = callable_ and not (node.type == "function_declarator" and inner.type == "parenthesized_declarator")
        node = inner
    text = _text(node, source)
    if callable_ and kind in ("variable", "field", "function"):
        kind = "method" if "::" in text else "function"
    return kind, text


_GENERIC_ARGUMENTS: Final = re.compile(r"<[^<>]*>")
_QUALIFIED: Final = re.compile(r"[\w$~][\w$!?='~]*(?:(?:::|->|[.:\\])[\w$~][\w$!?='~]*)*")
_SEPARATOR: Final = re.compile(r"::|->|[.:\\]")


def split_name(text: str, kind: str = "") -> tuple[str, str]:
    """The qualifier, joined by dots, and the last segment: `A::B<T>::c` is `A.B` and `c`."""
    bare = " ".join(text.split()).strip("\"'`")
    if kind == "key" or bare != text or not re.search(r"\w", text):
        return "", bare
    text = text.removeprefix(":")
    scope, operator, symbol = text.rpartition("operator")
    if operator and not symbol[:1].isidentifier() and (not scope or scope.endswith("::")):
        return ".".join(_SEPARATOR.split(scope)[:-1]), operator + symbol
    for _ in range(3):
        text = _GENERIC_ARGUMENTS.sub("", text)
    if not _QUALIFIED.fullmatch(text):
        if not re.search(r"[\s()\[\]&,]", text):
            return "", text
        text = (re.findall(r"[\w$]+", text) or [""])[-1]
    *scopes, name = _SEPARATOR.split(text)
    if scopes and name in _NON_QUALIFIERS:
        return "", ""
    return ".".join(scope for scope in scopes if scope not in _NON_QUALIFIERS), name


def _nested(found: list[_Match]) -> list[_Match]:
    """Definitions by their start, each with its container and depth; locals, duplicates and continuations left out."""
    found.sort(key=lambda match: (match.start, -match.end, match.pattern))
    kept: list[_Match] = []
    open_: list[_Match] = []
    last_child: dict[int, _Match] = {}
    values: set[tuple[int, str]] = set()
    for match in found:
        while open_ and open_[-1].end <= match.start:
            open_.pop()
        parents = _parents(open_, match)
        parent = parents[-1] if parents else None
        if len(parents) >= _MAX_NESTING or _is_noise(match, parent, open_, values):
            continue
        earlier = last_child.get(id(parent))
        if match.kind == "equation" and earlier and (earlier.kind, earlier.name) == (match.kind, match.name):
            earlier.end = match.end
            open_ = [*parents, earlier]
            continue
        _place(match, parents)
        last_child[id(parent)] = match
        open_ = [*parents, match]
        kept.append(match)
    return kept


def _parents(open_: list[_Match], match: _Match) -> list[_Match]:
    """The definitions around this one; a type is not inside the variable or typedef that is declared with it."""
    depth = len(open_)
    while depth and (
        _same_range(open_[depth - 1], match)
        or (match.kind in TYPE_KINDS and open_[depth - 1].kind in _DECLARED_WITH_A_TYPE)
    ):
        depth -= 1
    return open_[:depth]


def _is_noise(match: _Match, parent: _Match | None, open_: list[_Match], values: set[tuple[int, str]]) -> bool:
    """A local, a value that was assigned before, or what an earlier pattern found in the same node."""
    if open_ and _same_range(open_[-1], match) and open_[-1].name == match.name:
        return True
    if match.kind not in _VALUE_KINDS:
        return False
    key = (id(parent), match.name)
    again = key in values
    values.add(key)
    return again or (parent is not None and (parent.kind in CALLABLE_KINDS or parent.kind == "equation"))


def _same_range(one: _Match, other: _Match) -> bool:
    return one.start == other.start and one.end == other.end


def _place(match: _Match, parents: list[_Match]) -> None:
    """Fill in what depends on the definitions around."""
    parent = parents[-1] if parents else None
    if parent is not None and parent.kind in _METHOD_HOLDERS and match.kind == "function":
        match.kind = "method"
    holder = match.qualifier.rpartition(".")[2] or (parent.name if parent else "")
    if match.kind == "method" and match.name in (holder, "constructor"):
        match.kind = "constructor"
    if match.kind in ("variable", "field", "property") and len(match.name) > 1 and match.name.isupper():
        match.kind = "constant"
    around = (parent.container, parent.name) if parent else ()
    match.container = ".".join(part for part in (*around, match.qualifier) if part)
    match.depth = sum(above.kind != "namespace" for above in parents)


def _described(matches: list[_Match], source: bytes, lines: LineTable, remarks: Remarks) -> tuple[Definition, ...]:
    if not matches:
        return ()
    first = lines.line_of([match.start for match in matches]).tolist()
    last = lines.line_of([match.end - 1 for match in matches]).tolist()
    return tuple(
        Definition(
            name=match.name,
            kind="function" if match.kind == "equation" else match.kind,
            container=match.container,
            depth=match.depth,
            start_line=start_line,
            end_line=end_line,
            start_byte=match.start,
            end_byte=match.end,
            signature=signature(source, match.start, match.end, match.body, is_value=match.kind in _VALUE_KINDS),
            doc=_doc(match, remarks),
        )
        for match, start_line, end_line in zip(matches, first, last, strict=True)
    )


def _doc(match: _Match, remarks: Remarks) -> str:
    inner = remarks.after(match.end) if match.kind in _VALUE_KINDS else remarks.inside(match.body)
    return inner or remarks.before(match.start)
