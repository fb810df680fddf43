"""Where a stored text stands in a file as it is now, and which of its lines answers best."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Final

import numpy as np

from sightline.core.identifiers import WORD_PATTERN, folded, terms
from sightline.core.model import DefinedName

LINE_END: Final = re.compile(r"\r\n|\r|\n")
_BYTE_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_NEWLINE: Final = ord("\n")
_WORD: Final = re.compile(WORD_PATTERN)
_terms: Final = lru_cache(50_000)(terms)
_folded: Final = lru_cache(50_000)(folded)

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
    start = len(text) - len(text.lstrip())
    if start == len(text):
        return 0, 0
    return _line_ends(text, start), _line_ends(text, len(text.rstrip()))


def _line_ends(text: str, end: int) -> int:
    return len(LINE_END.findall(text, 0, end)) if "\r" in text else text.count("\n", 0, end)


class Telling(dict[str, Mapping[str, float]]):
    """By a word of the code: the query's terms that it has, and the name that it is, each with what it counts.

    Kept, since the same words stand in many lines.
    """

    def __init__(self, wanted: Collection[str], names: Collection[str]) -> None:
        super().__init__()
        self._asked = frozenset(wanted)
        self._whole = frozenset(map(folded, names)) - {""}
        self.beginnings = _beginnings(self._asked, self._whole)

    def __missing__(self, word: str) -> Mapping[str, float]:
        found = self[word] = self._answers(word) if _may_begin(word, self.beginnings) else {}
        return found

    def _answers(self, word: str) -> dict[str, float]:
        found = {term: 1.0 for term in _terms(word) if term in self._asked}
        if self._whole and (name := _folded(word)) in self._whole:
            found[f"whole {name}"] = _WHOLE
        return found


def best_line(lines: Sequence[str], telling: Telling, signature: str = "") -> int:
    """The line with most of the query's terms, the first of equals; without any, the first that declares something.

    A line that has a name of the query whole counts more, and so does one that declares what matches: by a keyword,
    or as the start of the chunk's `signature`.
    """
    best, most = -1, 0.0
    for number in _lines_with(telling.beginnings, lines):
        found = _hits(lines[number], telling)
        if found + _DECLARES > most and (score := _score(lines[number], found, signature, telling)) > most:
            best, most = number, score
    if best >= 0:
        return best
    return next((number for number, line in enumerate(lines) if _declared(line, signature)), 0)


def defined_at(definitions: Sequence[DefinedName], line: int) -> DefinedName | None:
    """The innermost definition in which a line (counted from the chunk's first) stands."""
    around = [each for each in definitions if 0 <= line - each.line_offset < each.line_count]
    return max(around, key=lambda each: (each.line_offset, -each.line_count), default=None)


def of_kinds(definitions: Sequence[DefinedName], line: int, kinds: Collection[str]) -> DefinedName | None:
    """The definition of one of the kinds that is nearest to a line: around it, if there is one."""
    own = [each for each in definitions if each.kind in kinds]
    return defined_at(own, line) or min(own, key=lambda each: abs(each.line_offset - line), default=None)


def _beginnings(asked: frozenset[str], whole: frozenset[str]) -> tuple[str, ...]:
    """How the words of the query begin, whatever they are inflected to: but for the last letter (tries: try)."""
    terms = {term.lstrip("=") for term in asked} | whole
    return tuple(sorted({term[: 3 if len(term) > 3 else 2] for term in terms}))


def _may_begin(word: str, beginnings: Collection[str]) -> bool:
    """Whether a part of the word may begin so; what is beyond ASCII may."""
    lowered = word.lower()
    for beginning in beginnings:
        if beginning in lowered:
            return True
    return not word.isascii()


def _lines_with(beginnings: Collection[str], lines: Sequence[str]) -> Sequence[int]:
    """The lines that hold one of them; all, where something is beyond ASCII."""
    text = "\n".join(lines)
    if not text.isascii():
        return range(len(lines))
    text = text.lower()
    ends = list(accumulate([len(line) + 1 for line in lines]))
    found = set()
    for beginning in beginnings:
        place = text.find(beginning)
        while place >= 0:
            number = bisect_right(ends, place)
            found.add(number)
            place = text.find(beginning, ends[number])
    return sorted(found)


def _score(line: str, found: float, signature: str, telling: Telling) -> float:
    if found and _hits(_declared(line, signature), telling):
        return found + _DECLARES
    return found * _ASIDE if _IMPORT_OR_LICENSE.search(line) else found


def marks(line: str, wanted: Collection[str]) -> list[tuple[int, int]]:
    """Half-open spans (in characters) of the words of a line that share a term with the query."""
    asked = frozenset(wanted)
    found = (match for match in _WORD.finditer(line) if not asked.isdisjoint(_terms(match[0])))
    return [match.span() for match in found]


def _hits(text: str, telling: Telling) -> float:
    """How many of the terms, and of the names whole, stand in a text."""
    found: dict[str, float] = {}
    for word in _WORD.findall(text):
        if answers := telling[word]:
            found |= answers
    return sum(found.values())


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
    if source.find(b"\r", 0, offset) < 0:  # numpy counts a long file's in a sixth of the time that `count` takes
        return int(np.count_nonzero(np.frombuffer(source, np.uint8, offset) == _NEWLINE)) if offset else 0
    inside_line_end = source[offset - 1 : offset + 1] == b"\r\n"
    return len(_BYTE_LINE_END.findall(source, 0, offset)) - inside_line_end
