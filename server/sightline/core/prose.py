"""The structure of text that no grammar reads: headings, keys, and where to cut what has neither."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import pairwise
from typing import Final

from sightline.core.lines import LineTable
from sightline.core.model import Definition

Span = tuple[int, int]
Mark = tuple[int, int, str]
"""A heading or key: its offset, its level from 0, its name."""

_PARAGRAPH: Final = 1_000
_AT_LEAST: Final = 350
"""Text without structure is cut between these sizes, in bytes."""

_MAX_KEYS: Final = 256
"""More keys on one level are data, not structure."""
_MAX_NAME: Final = 120
_MAX_LEVEL: Final = 6
_MAX_SIGNATURE: Final = 200

_LONE_CR: Final = re.compile(rb"\r(?!\n)")


def outline(language: str, source: bytes, lines: LineTable) -> tuple[Definition, ...]:
    """The headings, or the keys of the two outer levels; each lasts until the next of its level."""
    find = _STRUCTURES.get(language)
    if find is None:
        return ()
    text = _LONE_CR.sub(b"\n", source) if b"\r" in source else source
    marks = [mark for mark in find(text) if 0 < len(mark[2]) <= _MAX_NAME and mark[1] < _MAX_LEVEL]
    if language in _KEYED:
        sizes = Counter(level for _, level, _ in marks)
        marks = [mark for mark in marks if sizes[mark[1]] <= _MAX_KEYS]
    return _definitions(marks, "key" if language in _KEYED else "heading", source, lines)


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


def _ends(marks: list[Mark], source: bytes) -> list[int]:
    """Each mark lasts until the next of its level or of one further out, without the blank lines before that."""
    ends = [len(source)] * len(marks)
    open_: list[int] = []
    for index, (start, level, _) in enumerate(marks):
        while open_ and marks[open_[-1]][1] >= level:
            ends[open_.pop()] = start
        open_.append(index)
    return [start + len(source[start:end].rstrip()) for (start, _, _), end in zip(marks, ends, strict=True)]


def _definitions(marks: list[Mark], kind: str, source: bytes, lines: LineTable) -> tuple[Definition, ...]:
    ends = _ends(marks, source)
    first = lines.line_of([start for start, _, _ in marks]).tolist()
    last = lines.line_of([end - 1 for end in ends]).tolist()
    found: list[Definition] = []
    around: list[Mark] = []
    for (start, level, name), end, start_line, end_line in zip(marks, ends, first, last, strict=True):
        while around and around[-1][1] >= level:
            around.pop()
        head = source[start : start + 3 * _MAX_SIGNATURE].decode("utf-8", "ignore").splitlines() or [""]
        found.append(
            Definition(
                name=name,
                kind=kind,
                container=".".join(outer for _, _, outer in around),
                depth=len(around),
                start_line=start_line,
                end_line=end_line,
                start_byte=start,
                end_byte=end,
                signature=" ".join(head[0].split())[:_MAX_SIGNATURE],
            )
        )
        around.append((start, level, name))
    return tuple(found)


_MARKDOWN: Final = re.compile(
    rb"^ {0,3}(?P<fence>```+|~~~+)|^ {0,3}(?P<signs>#{1,6})[ \t]+(?P<title>[^\n]*)"
    rb"|^(?P<over>(?![#>|+*-]|\d+[.)])[^\s][^\n]*)\n(?P<under>={3,}|-{3,})[ \t\r]*$",
    re.MULTILINE,
)
_FRONT_MATTER: Final = re.compile(rb"---\r?\n.*?^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)


def _markdown(text: bytes) -> Iterator[Mark]:
    head = _FRONT_MATTER.match(text)
    fence = b""
    for found in _MARKDOWN.finditer(text, head.end() if head else 0):
        if mark := found["fence"]:
            fence = b"" if fence and mark.startswith(fence) else fence or mark[:3]
        elif fence:
            continue
        elif found["signs"]:
            yield found.start(), len(found["signs"]) - 1, _text(found["title"].rstrip().rstrip(b"#"))
        else:
            yield found.start(), 0 if found["under"][:1] == b"=" else 1, _text(found["over"])


_RST: Final = re.compile(rb"^(?P<title>[^\s][^\n]*)\n(?P<under>([=~^\"'`#*+.:_-])\3{2,})[ \t\r]*$", re.MULTILINE)


def _restructured(text: bytes) -> Iterator[Mark]:
    """Titles are underlined; which character means which level is up to the file."""
    levels: dict[bytes, int] = {}
    for found in _RST.finditer(text):
        title = found["title"].rstrip()
        if len(found["under"]) >= len(title.decode("utf-8", "replace")) and re.search(rb"\w", title):
            yield found.start(), levels.setdefault(found["under"][:1], len(levels)), _text(title)


def _headed(pattern: re.Pattern[bytes], text: bytes) -> Iterator[Mark]:
    for found in pattern.finditer(text):
        yield found.start(), len(found[1]) - 1, _text(found[2])


_PARTS: Final = (b"part", b"chapter", b"section", b"subsection", b"subsubsection")


def _latex(text: bytes) -> Iterator[Mark]:
    for found in re.finditer(rb"^[ \t]*\\(part|chapter|(?:sub){0,2}section)\*?\{([^}\n]*)\}", text, re.MULTILINE):
        yield found.start(), _PARTS.index(found[1]), _text(found[2])


_YAML_KEY: Final = re.compile(rb"^( *)([A-Za-z_$][\w$./-]*|\"[^\"\n]+\"|'[^'\n]+')[ \t]*:(?=\s|\Z)", re.MULTILINE)
_JSON_KEY: Final = re.compile(rb'^([ \t]*)"((?:[^"\\\n]|\\.)*)"[ \t]*:', re.MULTILINE)


def _indented(pattern: re.Pattern[bytes], text: bytes) -> Iterator[Mark]:
    """Keys of the outermost indentation, and of the next one below each."""
    outer = inner = -1
    for found in pattern.finditer(text):
        indent = len(found[1])
        outer = indent if outer < 0 else outer
        if indent <= outer:
            inner = -1
            yield found.start(), 0, _text(found[2])
        elif inner in (-1, indent):
            inner = indent
            yield found.start(), 1, _text(found[2])


_TABLE: Final = rb"^[ \t]*\[+[ \t]*(?P<table>[^\]\n]+?)[ \t]*\]+"
_TOML: Final = re.compile(_TABLE + rb"|^[ \t]*(?P<key>[\w.-]+|\"[^\"\n]+\")[ \t]*=", re.MULTILINE)
_INI: Final = re.compile(_TABLE + rb"|^(?P<key>[^\s#;!=:\[][^=:\n]{0,200})[=:]", re.MULTILINE)


def _sectioned(pattern: re.Pattern[bytes], text: bytes) -> Iterator[Mark]:
    level = 0
    for found in pattern.finditer(text):
        if found["table"]:
            level = 1
            yield found.start(), 0, _text(found["table"])
        else:
            yield found.start(), level, _text(found["key"])


def _text(name: bytes) -> str:
    return " ".join(name.decode("utf-8", "replace").split()).strip("\"'")


_STRUCTURES: Final[dict[str, Callable[[bytes], Iterable[Mark]]]] = {
    "markdown": _markdown,
    "restructuredtext": _restructured,
    "asciidoc": partial(_headed, re.compile(rb"^(={1,6})[ \t]+([^\n]+)", re.MULTILINE)),
    "org": partial(_headed, re.compile(rb"^(\*{1,6})[ \t]+([^\n]+)", re.MULTILINE)),
    "latex": _latex,
    "yaml": partial(_indented, _YAML_KEY),
    "json": partial(_indented, _JSON_KEY),
    "jsonc": partial(_indented, _JSON_KEY),
    "toml": partial(_sectioned, _TOML),
    "ini": partial(_sectioned, _INI),
    "properties": partial(_sectioned, _INI),
}
_KEYED: Final = frozenset(("yaml", "json", "jsonc", "toml", "ini", "properties"))
