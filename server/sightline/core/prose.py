"""Text that no grammar reads: its sections by headings and keys, and where to cut what has neither."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import Final

from sightline.core import marks
from sightline.core.lines import LineTable
from sightline.core.marks import Mark
from sightline.core.model import Definition

Span = tuple[int, int]

_PARAGRAPH: Final = 1_000
_AT_LEAST: Final = 350
"""Text without structure is cut between these sizes, in bytes."""

_MAX_SIGNATURE: Final = 200


def outline(language: str, source: bytes, lines: LineTable) -> tuple[Definition, ...]:
    """What the text's marks begin; each lasts until the next of its level or of one further out."""
    return _definitions(marks.find(language, source), source, lines)


def spans(found: tuple[Definition, ...], source: bytes, lines: LineTable, whole: int) -> list[Span]:
    """Sections of at most `whole` bytes stay whole; larger ones give their parts, the smallest their paragraphs."""
    parts: list[Span] = []
    starts = sorted({0, len(source), *(each.start_byte for each in found)})
    ends = {each.start_byte: _next(starts, each.end_byte) for each in reversed(found)}
    done = 0
    for start, end in pairwise(starts):
        section = ends.get(start, end)
        if start < done:
            continue
        if section - start <= whole:
            parts.append((start, section))
            done = section
        else:
            parts.extend(pairwise([*cuts(start, end, source, lines), end]))
            done = end
    return parts


def cuts(start: int, end: int, source: bytes, lines: LineTable) -> list[int]:
    """Line starts that part the text into paragraphs; `start` is the first."""
    first, last = lines.line_of([start, end - 1]).tolist()
    starts = [start, *lines.starts[first + 1 : last + 1].tolist(), end]
    ranks = _ranks(starts, source)
    chosen = [0]
    for line in range(1, len(ranks)):
        while starts[line + 1] - starts[chosen[-1]] > _PARAGRAPH and line > chosen[-1]:
            chosen.append(_best(chosen[-1], line, starts, ranks))
    return [starts[line] for line in chosen]


def _best(after: int, last: int, starts: list[int], ranks: list[int]) -> int:
    """Before which line to cut: of those that leave enough, the one of the lowest rank, the later of equals."""
    enough = [line for line in range(after + 1, last + 1) if starts[line] - starts[after] >= _AT_LEAST]
    return min(reversed(enough), key=ranks.__getitem__) if enough else last


def _ranks(starts: list[int], source: bytes) -> list[int]:
    """How badly each line would begin a chunk: well after a blank line, worse indented, last a closing bracket."""
    ranks = []
    after_blank = False
    for start, end in pairwise(starts):
        line = source[start:end]
        body = line.lstrip()
        if body:
            indent = min(len(line) - len(body), _INDENTED)
            ranks.append(2 * indent + (not after_blank) + (_UGLY if body[:1] in b")]}" else 0))
        else:
            ranks.append(2 * _UGLY)
        after_blank = not body
    return ranks


_INDENTED: Final = 200
_UGLY: Final = 1_000


def _next(starts: list[int], end: int) -> int:
    return starts[bisect_left(starts, end)]


def _ends(found: list[Mark], source: bytes) -> list[int]:
    """Where each section ends, without the blank lines before the next."""
    ends = [len(source)] * len(found)
    open_: list[int] = []
    for index, mark in enumerate(found):
        while open_ and found[open_[-1]].level >= mark.level:
            ends[open_.pop()] = mark.start
        open_.append(index)
    return [mark.start + len(source[mark.start : end].rstrip()) for mark, end in zip(found, ends, strict=True)]


def _definitions(found: list[Mark], source: bytes, lines: LineTable) -> tuple[Definition, ...]:
    if not found:
        return ()
    ends = _ends(found, source)
    first = lines.line_of([mark.start for mark in found]).tolist()
    last = lines.line_of([end - 1 for end in ends]).tolist()
    definitions: list[Definition] = []
    around: list[Mark] = []
    for mark, end, start_line, end_line in zip(found, ends, first, last, strict=True):
        while around and around[-1].level >= mark.level:
            around.pop()
        definitions.append(
            Definition(
                name=mark.name,
                kind=mark.kind,
                container=".".join(outer.name for outer in around),
                depth=len(around),
                start_line=start_line,
                end_line=end_line,
                start_byte=mark.start,
                end_byte=end,
                signature=_first_line(source, mark.start),
            )
        )
        around.append(mark)
    return tuple(definitions)


def _first_line(source: bytes, start: int) -> str:
    lines = source[start : start + 3 * _MAX_SIGNATURE].decode("utf-8", "ignore").splitlines()
    return " ".join(lines[0].split())[:_MAX_SIGNATURE].rstrip(" {([:=,") if lines else ""
