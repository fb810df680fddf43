"""What a syntax tree defines, by nesting, with signature and documentation; and where its comments are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tree_sitter import Node

from sightline.core import patterns
from sightline.core.documentation import Range, Remarks, signature
from sightline.core.languages import Language
from sightline.core.lines import LineTable
from sightline.core.model import CALLABLE_KINDS, TYPE_KINDS, Definition
from sightline.core.patterns import Captures

_MAX_NESTING: Final = 32
"""Definitions nested deeper are no structure that a person wrote; dropping them keeps containers short."""

_MAX_NAME: Final = 120
_SPACE: Final = 32

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
    rank: int
    kind: str
    name: str
    qualifier: str
    body: int
    """Where the body starts; -1 if the tree does not tell."""
    container: str = ""
    depth: int = 0
    path: str = ""
    """Container and name: the container of what is inside."""


def outline(language: Language, root: Node, source: bytes, lines: LineTable) -> Outline:
    """The definitions, comments and glue of a parsed file."""
    found: list[_Match] = []
    ranges: dict[str, list[Range]] = {"comment": [], "docstring": [], "glue": []}
    for query in patterns.load(language.grammar, language.queries):
        sinks = [ranges.get(kind) for kind in query.kinds]
        for pattern, captures in query.matches(root):
            kind = query.kinds[pattern]
            node = captures[kind][0]
            sink = sinks[pattern]
            if sink is not None:
                sink.append(node.byte_range)
            elif match := _match(query.ranks[pattern], kind, node, captures, source):
                found.append(match)
    remarks = Remarks(source, ranges["comment"], ranges["docstring"])
    kept = _nested(found)
    return Outline(
        definitions=_described(kept, source, lines, remarks),
        qualified=tuple(f"{match.qualifier}.{match.name}" if match.qualifier else match.name for match in kept),
        comments=remarks.ranges,
        glue=dict(ranges["comment"]) | dict(ranges["glue"]),
    )


def _match(rank: int, kind: str, node: Node, captures: Captures, source: bytes) -> _Match | None:
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
    return _Match(start, end, rank, kind, name, qualifier, body)


def _text(node: Node, source: bytes) -> str:
    """A name, or enough of what is none to see it. (`Node.text` would ask the parser's reader again.)"""
    start, end = node.byte_range
    return source[start : min(end, start + 8 * _MAX_NAME)].decode("utf-8", "replace")


def _declared(kind: str, node: Node, source: bytes) -> tuple[str, str]:
    """A C declarator's name, and `function` as its kind where it declares one (a pointer to a function is a value)."""
    callable_, pointer = False, False
    for _ in range(12):
        callable_ = callable_ or (node.type == "function_declarator" and not pointer)
        pointer = node.type in ("parenthesized_declarator", "block_pointer_declarator")
        inner = node.child_by_field_name("declarator")
        if inner is None and (pointer or node.type.endswith(("reference_declarator", "attributed_declarator"))):
            inner = next((child for child in node.named_children if _NAMING.search(child.type)), None)
        if inner is None:
            break
        callable_ = callable_ and not (node.type == "function_declarator" and inner.type == "parenthesized_declarator")
        node = inner
    text = _text(node, source)
    if callable_ and kind in ("variable", "field", "function"):
        kind = "method" if "::" in text else "function"
    return kind, text


_NAMING: Final = re.compile("declarator|identifier")
_GENERIC_ARGUMENTS: Final = re.compile(r"<[^<>]*>")
_QUALIFIED: Final = re.compile(r"[\w$~][\w$!?='~]*(?:(?:::|->|[.:\\])[\w$~][\w$!?='~]*)*")
_SEPARATOR: Final = re.compile(r"::|->|[.:\\]")


def split_name(text: str, kind: str = "") -> tuple[str, str]:
    """The qualifier, joined by dots, and the last segment: `A::B<T>::c` is `A.B` and `c`."""
    text = " ".join(text.split())
    bare = text.strip("\"'`")
    if kind == "key" or bare != text or not re.search(r"\w", text):
        return "", bare.strip("() ") if kind != "key" else bare
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
    found.sort(key=lambda match: (match.start, -match.end, match.rank))
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
        _place(match, parent)
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


def _place(match: _Match, parent: _Match | None) -> None:
    """Fill in what depends on the definition around."""
    if parent is not None and parent.kind in _METHOD_HOLDERS and match.kind == "function":
        match.kind = "method"
    holder = match.qualifier.rpartition(".")[2] or (parent.name if parent else "")
    if match.kind == "method" and match.name in (holder, "constructor"):
        match.kind = "constructor"
    if match.kind in ("variable", "field", "property") and len(match.name) > 1 and match.name.isupper():
        match.kind = "constant"
    around = parent.path if parent else ""
    match.container = f"{around}.{match.qualifier}" if around and match.qualifier else around or match.qualifier
    match.path = f"{match.container}.{match.name}" if match.container else match.name
    if parent is not None:
        match.depth = parent.depth + (parent.kind != "namespace")


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
