"""From a file's bytes to its chunks, aligned with definitions where a grammar reads it.

The rules and constants are those that the retrieval benchmark was measured with. A node of at most `_WHOLE` bytes
stays whole and a larger one is entered; comments and decorators go with what follows; then small neighbours merge.
Chunks tile the file and are cut at line ends, but for lines longer than `MAX_CHUNK`.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from operator import sub
from typing import Final

import numpy as np
from tree_sitter import Node

from sightline.core import definitions, grammars, languages, prose
from sightline.core.definitions import Outline
from sightline.core.languages import Language
from sightline.core.lines import LineTable
from sightline.core.model import CALLABLE_KINDS, TYPE_KINDS, Chunk, Definition, Syntax

Span = tuple[int, int]

MAX_CHUNK: Final = 4_000
"""No chunk is larger, in bytes; only leaves of a tree and long lines come near."""

_WHOLE: Final = 1_500
_GLUED: Final = 2_250
_MERGED: Final = 600
_CRUMB: Final = 60
_WITH_CRUMBS: Final = 1_800

_MAX_DEPTH: Final = 200
"""Nodes nested deeper are cut by lines: no person wrote them, and time stays linear."""

_OWNERS: Final = TYPE_KINDS | CALLABLE_KINDS | {"heading"}

_MAX_TOKENS: Final = 4_000
"""Brackets or keywords in a row, as only broken or generated text has them."""

_LONG_DEFINITION: Final = 3
"""Definitions of more lines count as a chunk's surroundings."""

_OWN_SIZE: Final = 1_500
"""A definition that is larger begins a chunk of its own."""

_BARE_HEAD: Final = 200
"""Its head alone, if no longer than this, shows nobody what it is: what follows joins it, if the whole stays small."""


def parse(path: str, source: bytes) -> Syntax:
    """What the file holds; any bytes are welcome, and the same bytes give the same answer."""
    language = languages.detect(path, source)
    if not source:
        return Syntax(language.id, ())
    lines = LineTable(source)
    outline, spans, kind = _read(language, source, lines)
    starts = _tiles(spans, outline.definitions, source, lines)
    return Syntax(language.id, _chunks(starts, outline, kind, source, lines), outline.comments)


def _read(language: Language, source: bytes, lines: LineTable) -> tuple[Outline, list[Span], str]:
    """The outline, the spans that had better stay whole, and the kind of what defines nothing."""
    tree = grammars.parse(language.grammar, source) if language.grammar else None
    atoms = _atoms(tree.root_node) if tree else None
    if tree is None or atoms is None:
        marks = prose.outline(language.id, source, lines)
        outline = Outline(marks, tuple(mark.name for mark in marks), comments=(), glue={})
        return outline, prose.spans(marks, source, lines, _WHOLE), "text"
    outline = definitions.outline(language, tree.root_node, source, lines)
    return outline, _glued(atoms, outline.glue, source), "code"


def _atoms(root: Node) -> list[Span] | None:
    """The nodes that stay whole, in order; None for a tree whose shape would make queries take quadratic time."""
    atoms: list[Span] = []
    path = [iter([root])]
    while path:
        for node in path[-1]:
            start, end = node.byte_range
            if end - start > _WHOLE and len(path) <= _MAX_DEPTH and (children := node.children):
                if len(children) > _MAX_TOKENS and _has_only_tokens(children):
                    return None
                path.append(iter(children))
                break
            if end > start:
                atoms.append((start, end))
        else:
            path.pop()
    return atoms


def _has_only_tokens(siblings: list[Node]) -> bool:
    """Whether there are `_MAX_TOKENS` in a row without a name: for each, the query looks through all that follow it."""
    named = [-1, *(place for place, node in enumerate(siblings) if node.is_named), len(siblings)]
    longest: int = max(map(sub, named[1:], named))
    return longest > _MAX_TOKENS


def _glued(atoms: list[Span], glue: dict[int, int], source: bytes) -> list[Span]:
    """Comments and decorators together with what follows them, unless that makes it too large."""
    spans: list[Span] = []
    held: Span | None = None
    last_end = 0
    for start, end in atoms:
        if glue.get(start) == end and _opens_a_line(source, last_end, start):
            held = (held[0] if held else start, end)
        elif held is None:
            spans.append((start, end))
        else:
            spans.extend([(held[0], end)] if end - held[0] <= _GLUED else [held, (start, end)])
            held = None
        last_end = end
    return [*spans, held] if held else spans


def _opens_a_line(source: bytes, last_end: int, start: int) -> bool:
    """Whether a line end stands between two neighbours; else the second is a remark on the first."""
    gap = source[max(0, last_end - 1) : start]
    return last_end == 0 or b"\n" in gap or b"\r" in gap


def _tiles(spans: list[Span], found: tuple[Definition, ...], source: bytes, lines: LineTable) -> list[int]:
    """Where the chunks start; the last one ends with the file."""
    pieces = [part for piece in _aligned(spans, lines) for part in _parts(piece, source, lines)]
    firsts = [start for start, _ in pieces]
    heads = {
        bisect_right(firsts, each.start_byte) - 1
        for each in found
        if each.end_byte - each.start_byte > _OWN_SIZE and each.kind in _OWNERS
    }
    starts = [0, *(start for start, _ in _merged(pieces, heads)[1:]), len(source)]
    if max(map(sub, starts[1:], starts)) <= MAX_CHUNK:
        return starts[:-1]
    return [start for tile in pairwise(starts) for start, _ in _parts(tile, source, lines)]


def _aligned(spans: list[Span], lines: LineTable) -> list[Span]:
    """The spans from the start of their first line on; those that share a line become one."""
    table = np.array(spans or [(0, lines.size)], dtype=np.int64)
    starts = lines.starts[lines.line_of(table[:, 0])]
    ends = np.maximum.accumulate(table[:, 1])
    firsts = np.flatnonzero(np.concatenate(([True], starts[1:] >= ends[:-1])))
    lasts = np.append(firsts[1:], len(table)) - 1
    return list(zip(starts[firsts].tolist(), ends[lasts].tolist(), strict=True))


def _merged(pieces: list[Span], heads: set[int]) -> list[Span]:
    """Neighbours together while they are small; a large definition's head starts anew, and crumbs never stand alone."""
    merged: list[Span] = []
    bare = False
    for index, (start, end) in enumerate(pieces):
        if merged:
            before, before_end = merged[-1]
            size = end - before
            crumb = before_end - before < _CRUMB or (end - start < _CRUMB and index not in heads)
            most = _WHOLE if bare and before_end - before <= _BARE_HEAD else _MERGED
            if (size <= most and index not in heads) or (crumb and size <= _WITH_CRUMBS):
                merged[-1] = (before, end)
                continue
        merged.append((start, end))
        bare = index in heads
    return merged


def _parts(span: Span, source: bytes, lines: LineTable) -> list[Span]:
    """The span, or what makes it up, none larger than MAX_CHUNK: paragraphs, and pieces of too long a line."""
    start, end = span
    if end - start <= MAX_CHUNK:
        return [span]
    parts = []
    for one, other in pairwise([*prose.cuts(start, end, source, lines), end]):
        while other - one > MAX_CHUNK:
            cut = _before_a_character(source, one + MAX_CHUNK)
            parts.append((one, cut))
            one = cut
        parts.append((one, other))
    return parts


def _before_a_character(source: bytes, offset: int) -> int:
    """The nearest offset, not after this one, that parts neither a UTF-8 character nor a `\\r\\n`."""
    for back in range(4):
        if source[offset - back] & 0xC0 != 0x80:
            offset -= back
            break
    return offset - 1 if source[offset - 1 : offset + 1] == b"\r\n" else offset


def _chunks(starts: list[int], outline: Outline, kind: str, source: bytes, lines: LineTable) -> tuple[Chunk, ...]:
    ends = [*starts[1:], len(source)]
    rows = lines.line_of([starts, [end - 1 for end in ends]]).tolist()
    waiting = iter(zip(outline.definitions, outline.qualified, strict=True))
    upcoming = next(waiting, None)
    open_: list[tuple[Definition, str]] = []
    chunks = []
    for start, end, start_line, end_line in zip(starts, ends, *rows, strict=True):
        while open_ and open_[-1][0].end_byte <= start:
            open_.pop()
        content = start + len(_without_closers(source[start:end]))
        around = [pair for pair in open_ if pair[0].end_byte >= content]
        own: list[Definition] = []
        while upcoming and upcoming[0].start_byte < end:
            while open_ and open_[-1][0].end_byte <= upcoming[0].start_byte:
                open_.pop()
            open_.append(upcoming)
            own.append(upcoming[0])
            upcoming = next(waiting, None)
        main = min(own, key=lambda each: _prominence(each, end)) if own else around[-1][0] if around else None
        chunks.append(
            Chunk(
                start_byte=start,
                end_byte=end,
                start_line=start_line,
                end_line=end_line,
                kind=main.kind if main else kind,
                symbol=main.name if main else "",
                container=main.container if main else "",
                signature=main.signature if main else "",
                doc=main.doc if main else "",
                definitions=tuple(own),
                enclosing=tuple(name for each, name in around if each.end_line - each.start_line >= _LONG_DEFINITION),
            )
        )
    return tuple(chunks)


_CLOSERS: Final = b" \t\r\n\f;,)]}"


def _without_closers(text: bytes) -> bytes:
    """Brackets and `end`s that may follow a definition in its last chunk do not count."""
    while len(shorter := text.rstrip(_CLOSERS).removesuffix(b"end")) < len(text):
        text = shorter
    return text


def _prominence(definition: Definition, chunk_end: int) -> tuple[bool, int, int]:
    """The smallest is what a chunk is about: a type or function, of the outer ones, the longest."""
    size = min(definition.end_byte, chunk_end) - definition.start_byte
    return definition.kind not in _OWNERS, definition.depth, -size
