"""What a person wrote about a definition: its doc comment or doc string, and its signature on one line."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

_MAX_DOC: Final = 400
_MAX_SIGNATURE: Final = 200
_DOC_BYTES: Final = 600
"""How much of a comment is read for its first `_MAX_DOC` characters."""
_LINES_BACK: Final = 50
_MAX_GAP: Final = 500
_LINE_BYTES: Final = 200
"""How far back a line's start is looked for: bounds the time on files of one line."""

Range = tuple[int, int]


class Remarks:
    """A file's comments and doc strings, to be asked for those of one definition."""

    def __init__(self, source: bytes, comments: list[Range], docstrings: list[Range]) -> None:
        self._source = source
        self._comments = sorted(comments)
        self._starts = [start for start, _ in self._comments]
        self._docstrings = dict(docstrings)
        self.ranges = _disjoint(self._comments, docstrings)

    def inside(self, body: int) -> str:
        """The doc string that the body starts with."""
        end = self._docstrings.get(body)
        return _unquoted(self._source[body : min(end, body + _DOC_BYTES)]) if end else ""

    def after(self, end: int) -> str:
        """The doc string on the next line, as Python has it below a value."""
        found = _NEXT_LINE.match(self._source, end)
        return self.inside(found.end()) if found else ""

    def before(self, start: int) -> str:
        """The block of comments that ends right above; decorators and modifiers may stand between."""
        last = bisect_right(self._starts, start) - 1
        if last < 0 or not self._introduces(self._comments[last], start):
            return ""
        first = last
        while first > 0 and last - first < _LINES_BACK and self._follows(first):
            first -= 1
        begin, end = self._comments[first][0], self._comments[last][1]
        return text_of(self._source[begin : min(end, begin + _DOC_BYTES)])

    def _introduces(self, comment: Range, start: int) -> bool:
        if not 0 <= start - comment[1] <= _MAX_GAP or not self._opens_its_line(comment[0]):
            return False
        gap = self._source[comment[1] : start]
        return not gap or _BETWEEN.fullmatch(gap) is not None

    def _follows(self, index: int) -> bool:
        """Whether this comment continues the one before it."""
        end, start = self._comments[index - 1][1], self._comments[index][0]
        gap = self._source[end : min(start, end + _MAX_GAP)]
        joined = not gap or (gap.isspace() and not _BLANK_LINE.search(gap))
        return joined and self._opens_its_line(self._comments[index - 1][0])

    def _opens_its_line(self, start: int) -> bool:
        floor = max(0, start - _LINE_BYTES)
        head = self._source[floor:start]
        line = head[max(head.rfind(b"\n"), head.rfind(b"\r")) + 1 :]
        return not line.strip() and (len(line) < _LINE_BYTES)


_NEXT_LINE: Final = re.compile(rb"(?:\r\n?|\n)[ \t]*")
_BLANK_LINE: Final = re.compile(rb"(?:\r\n?|\n)[ \t]*[\r\n]")

_BETWEEN: Final = re.compile(
    rb"[ \t]*(?:\r\n?|\n)?"
    rb"(?:[ \t]*(?:@(?!interface|implementation|protocol|property|end\b)|#!?\[|\[|template\b)[^\r\n]*(?:\r\n?|\n))*"
    rb"[ \t]*(?:(?:@|#\[|\[|(?:export|default|declare|template|extern|pub|public|private|abstract|async|const|local"
    rb"|let|var|val|type|typedef|static|inline)\b)[^\r\n;{}]*)?"
)
"""What may stand between a comment and the node that it describes."""


def _disjoint(comments: list[Range], docstrings: list[Range]) -> tuple[Range, ...]:
    merged: list[Range] = []
    for start, end in sorted([*comments, *docstrings]):
        if not merged or start >= merged[-1][1]:
            merged.append((start, end))
        elif end > merged[-1][1]:
            merged[-1] = (merged[-1][0], end)
    return tuple(merged)


_MARKS: Final = re.compile(
    r"^[ \t]*(?:/\*[*!]*|\*+(?!/)|//[/!]*|#+[!:'|]?|--+\[*=*\[?[ \t]*[|^]?|;+|!+|%+|\{-+[|^]?|\(\*+|<!--|=\w+[^\n]*"
    r"|@\w*doc\s+(?:~[sS])?)?[ \t]*(?:[rRbBuUfF]{0,2}(?:\"{3}|'{3})|[\"'](?=\S))?"
    r"|(?:\*+/|-+\}|\*+\)|\"{3}|'{3}|-->|--\]=*\]|[\"'](?=\s*\Z))[ \t]*$",
    re.MULTILINE,
)


def _unquoted(literal: bytes) -> str:
    """A doc string on one line and without its quotes."""
    text = literal.decode("utf-8", "ignore").lstrip("rRbBuUfF").strip("\"'")
    return " ".join(text.split())[:_MAX_DOC]


_TAGS: Final = re.compile(r"</?[a-z]+(?: [^<>]*)?/?>")


def text_of(comment: bytes) -> str:
    """A comment or doc string on one line and without its marks."""
    lines = comment.decode("utf-8", "ignore").replace("\r", "\n")
    text = " ".join(_MARKS.sub("", lines).split())
    return (_TAGS.sub("", text) if text[:1] == "<" else text)[:_MAX_DOC]


_ANNOTATIONS: Final = re.compile(
    r"(?:(?:@(?!(?:interface|protocol|implementation|property|typep?|opaque|(?:macro)?callback)\b)[\w.:]+"
    r"(?:\((?:[^()]|\([^()]*\))*\))?|#?\[[^\]\n]*\])\s*)+"
)
_LOOSE_ENDS: Final = " {(=[:\\,;"
_UP_TO_A_BODY: Final = re.compile(r"[^\n\r{]*")
_LINE: Final = re.compile(r"[^\n\r]*")
_MODIFIERS: Final = re.compile(rb"[ \t]*([A-Za-z]\w*[ \t]+)+")


def signature(source: bytes, start: int, end: int, body: int, *, is_value: bool = False) -> str:
    """On one line and without annotations: the text up to the body, or a value's first line."""
    stop = min(body if start < body else end, start + 3 * _MAX_SIGNATURE)
    text = source[start:stop].decode("utf-8", "ignore")
    if text[:1] in ("@", "[", "#") and (found := _ANNOTATIONS.match(text)):
        text = text[found.end() :]
    if body <= start and (found := (_LINE if is_value else _UP_TO_A_BODY).match(text)):
        text = found[0]
    line = f"{_modifiers(source, start)}{' '.join(text.split())}"[:_MAX_SIGNATURE]
    return line.rstrip(_LOOSE_ENDS).removesuffix(" do").rstrip(_LOOSE_ENDS)


def _modifiers(source: bytes, start: int) -> str:
    """Words before the node on its line, such as `export` or `type`."""
    if source[max(0, start - 1) : start] in (b"", b"\n"):
        return ""
    head = source[max(0, start - 60) : start]
    line = head[max(head.rfind(b"\n"), head.rfind(b"\r")) + 1 :]
    if not line or line.isspace() or (len(line) == 60 and start > 60) or not _MODIFIERS.fullmatch(line):
        return ""
    return " ".join(line.decode().split()) + " "
