"""Where a stored text stands in a file as it is now, and which of its lines answers best."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sightline.core.identifiers import WORD_PATTERN, folded, terms

LINE_END: Final = re.compile(r"\r\n|\r|\n")
_BYTE_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_WORD: Final = re.compile(WORD_PATTERN)
_terms: Final = lru_cache(50_000)(terms)

_WHOLE: Final = 2.0
_DECLARES: Final = 1.5
_ASIDE: Final = 0.5
_MODIFIERS: Final = (
    "abstract|async|case|const|constexpr|data|declare|default|export|extern|final|friend|implicit|inline|internal|lazy|"
    "local|open|override|partial|private|protected|pub|public|sealed|static|suspend|unsafe|virtual"
)
_KEYWORDS: Final = (
    "class|const|data|def|defmacro|defmodule|defp|defun|enum|extension|fn|fun|func|function|impl|interface|let|macro|"
    "module|namespace|newtype|object|proc|protocol|record|struct|sub|trait|type|typedef|union|val|var"
)
_DECLARATION: Final = re.compile(
    rf"\s*\(?(?:(?:{_MODIFIERS})(?:\([^)]*\))?\s+)*(?:{_KEYWORDS})(?:\s*<[^>]*>|\s+\([^)]*\))?[\s*&]+([^\W\d][\w.:$]*)"
)
"""Whatever the language: a keyword, perhaps type parameters or Go's receiver, and the name."""
_IMPORT_OR_LICENSE: Final = re.compile(
    r"^\s*(?:#\s*include|import|from|use|using|require|include|package|export\s*[*{])\b"
    r"|^\W*(?i:(?:spdx|copyright|licensed|redistribution|permission is)\b)"
)


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place in a file: byte offset and 0-based line."""

    start_byte: int
    start_line: int
    moved: bool


def find(source: bytes, text: str, start_byte: int) -> Anchor | None:
    """The occurrence of `text` that is nearest to `start_byte`, None where there is none."""
    wanted = text.encode("utf-8")
    if source.startswith(wanted, start_byte):
        return Anchor(start_byte, _lines_before(source, start_byte), moved=False)
    if "\ufffd" in text:
        return _in_decoded(source, text, start_byte)
    start = _nearest(source, wanted, start_byte)
    return None if start is None else Anchor(start, _lines_before(source, start), moved=True)


def lines_of(text: str) -> list[str]:
    """Lines as LSP counts them, without their ends."""
    return LINE_END.split(text)


def trimmed(text: str) -> tuple[int, int]:
    """First and last line that are not blank (0-based, inclusive); (0, 0) where all are."""
    filled = [number for number, line in enumerate(lines_of(text)) if line.strip()]
    return (filled[0], filled[-1]) if filled else (0, 0)


def best_line(lines: Sequence[str], wanted: Collection[str], names: Collection[str], signature: str = "") -> int:
    """The line with most of the query's terms, the first of equals; without any, the first that declares something.

    A line that has a name of the query whole counts more, and so does one that declares what matches: by a keyword,
    or as the start of the chunk's `signature`.
    """
    asked = frozenset(wanted)
    whole = frozenset(map(folded, names)) - {""}
    declared = [_declared(line, signature) for line in lines]

    def score(number: int) -> float:
        line = lines[number]
        found = _hits(line, asked, whole)
        if not found:
            return 0.0
        if _hits(declared[number], asked, whole):
            return found + _DECLARES
        return found * _ASIDE if _IMPORT_OR_LICENSE.search(line) else found

    best = max(range(len(lines)), key=lambda number: (score(number), -number), default=0)
    if lines and not score(best):
        return next((number for number, name in enumerate(declared) if name), 0)
    return best


def marks(line: str, wanted: Collection[str]) -> list[tuple[int, int]]:
    """Half-open spans (in characters) of the words of a line that share a term with the query."""
    asked = frozenset(wanted)
    found = (match for match in _WORD.finditer(line) if not asked.isdisjoint(_terms(match[0])))
    return [match.span() for match in found]


def _hits(text: str, asked: frozenset[str], whole: frozenset[str]) -> float:
    """How many of the terms, and of the names whole, stand in a text."""
    words = _WORD.findall(text)
    found = {term for word in words for term in _terms(word) if term in asked}
    return len(found) + (_WHOLE * len(whole & {folded(word) for word in words}) if whole else 0.0)


def _declared(line: str, signature: str) -> str:
    """The name that a line declares, or what stands before the parameters; "" if it declares nothing."""
    if match := _DECLARATION.match(line):
        return match[1]
    text = line.strip().rstrip("{:= ")
    if len(text) > 2 and (signature.startswith(text) or (signature and text.startswith(signature))):
        return re.split(r"[(=]", text, maxsplit=1)[0]
    return ""


def _nearest(source: bytes, wanted: bytes, start_byte: int) -> int | None:
    if not wanted:
        return None
    before = source.rfind(wanted, 0, start_byte + len(wanted))
    after = source.find(wanted, start_byte)
    places = [place for place in (before, after) if place >= 0]
    return min(places, key=lambda place: abs(place - start_byte)) if places else None


def _in_decoded(source: bytes, text: str, start_byte: int) -> Anchor | None:
    """For bytes that are no UTF-8, or hold NUL: the index has them replaced, so compare what the index would have."""
    decoded = source.decode("utf-8", "replace").replace("\0", "\ufffd")
    guess = len(source[:start_byte].decode("utf-8", "replace"))
    before, after = decoded.rfind(text, 0, guess + len(text)), decoded.find(text, guess)
    places = [place for place in (before, after) if place >= 0]
    if not places:
        return None
    place = min(places, key=lambda each: abs(each - guess))
    if place == guess:
        return Anchor(start_byte, _lines_before(source, start_byte), moved=False)
    start = _byte_offset(source, place)
    return Anchor(start, _lines_before(source, start), moved=True)


def _byte_offset(source: bytes, characters: int) -> int:
    """Where the character after the first `characters` ones begins: decoding more bytes never gives fewer of them."""
    ends = range(len(source) + 1)
    return bisect_right(ends, characters, key=lambda end: len(source[:end].decode("utf-8", "replace"))) - 1


def _lines_before(source: bytes, offset: int) -> int:
    if source.find(b"\r", 0, offset) < 0:
        return source.count(b"\n", 0, offset)
    inside_line_end = source[offset - 1 : offset + 1] == b"\r\n"
    return len(_BYTE_LINE_END.findall(source, 0, offset)) - inside_line_end
