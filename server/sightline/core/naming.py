"""How well names answer: what a query mentions of them, and whether they are the one that it asks for."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sightline.core.identifiers import file_stem, folded, name_words, stem_words
from sightline.core.model import TYPE_KINDS, Candidate, DefinedName, Identifier

PREFIX_SHARE: Final = 0.7
"""What a word counts that begins with a word of the query, or the reverse, if the shorter is long enough."""
SHORTEST: Final = 3
LEAST_SHARE: Final = 0.4
ONE_NAME: Final = 4.0
"""Whoever types one name, and nothing else, wants the place that defines it ..."""
ONE_TYPE: Final = 5.0
"""... and the type of that name rather than a method that shares it."""
OTHER_MARKS: Final = 0.9
"""`_walk` or `$walk` where `walk` was asked for."""
OTHER_CASE: Final = 0.6
OTHER_QUALIFIER: Final = 0.6
ONE_LINE: Final = 0.7
NESTED: Final = (1.0, 0.8, 0.6)
FILE_OF_THE_NAME: Final = 0.7
FAINT_KINDS: Final = frozenset(("heading", "key"))
FAINT: Final = 0.5
"""A heading or a key of a name is about the thing, it is not the thing."""

_SEPARATOR: Final = re.compile(r"::|->|[.#\\]")


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier of the query or a defined name, as they are compared."""

    last: str
    folded: str
    letters: str
    """`folded`, but with its case."""
    qualifier: str


class Matches(dict[str, tuple[float, float]]):
    """By a name's word: how telling the term is that it answers to, and the share of the word that the term covers.

    Kept, since the same words come again in many names.
    """

    def __init__(self, telling: Mapping[str, float]) -> None:
        super().__init__()
        self._telling = telling
        self._beginnings: dict[str, list[str]] = defaultdict(list)
        for term in telling:
            self._beginnings[term[:SHORTEST]].append(term)

    def __missing__(self, word: str) -> tuple[float, float]:
        found = self[word] = self._find(word)
        return found

    def _find(self, word: str) -> tuple[float, float]:
        if word in self._telling:
            return self._telling[word], 1.0
        for term in self._beginnings.get(word[:SHORTEST], ()):
            if _is_prefix(term, word):
                return PREFIX_SHARE * self._telling[term], PREFIX_SHARE
        return 0.0, 0.0


def asked_name(identifier: Identifier) -> Name:
    """An identifier of the query."""
    name = name_of(identifier.name)
    return Name(name.last, name.folded, name.letters, folded(identifier.qualifier.rpartition(".")[2]))


def _is_prefix(one: str, other: str) -> bool:
    """Whether one begins the other and is long enough to mean it."""
    short, long = (one, other) if len(one) <= len(other) else (other, one)
    return len(short) >= SHORTEST and len(short) >= LEAST_SHARE * len(long) and long.startswith(short)


def covered(words: Sequence[str], matches: Matches) -> float:
    """The share of a name that the query mentions, times how telling the most telling of those words is.

    Without the second factor `request.py` would answer every query in which requests occur.
    """
    telling = mentioned = 0.0
    for word in words:
        weight, share = matches[word]
        if share:
            mentioned += share
            if weight > telling:
                telling = weight
    return telling * mentioned / len(words) if mentioned else 0.0


def best_covered(candidate: Candidate, matches: Matches) -> float:
    """The defined name that the query covers best."""
    best = 0.0
    for definition in candidate.definitions:
        words = definition.words
        share = covered(words_of(definition.name) if words is None else words, matches)
        if definition.kind in FAINT_KINDS:
            share *= FAINT
        if share > best:
            best = share
    return best


def defined_here(candidate: Candidate, names: Sequence[Name], *, one_name: bool) -> float:
    """Whether the query's identifiers are defined here, types before others; the file of that name counts a little."""
    types = others = files = 0.0
    for name in names:
        strongest = {True: 0.0, False: 0.0}
        for each in candidate.definitions:
            is_type, strength = each.kind in TYPE_KINDS, _strength(name, each, candidate.path)
            if strength > strongest[is_type]:
                strongest[is_type] = strength
        types += strongest[True]
        others += strongest[False]
        files += named_path(candidate.path).stem == name.folded
    if one_name:
        types, others = types * ONE_TYPE, others * ONE_NAME
    return (max(types, others) + FILE_OF_THE_NAME * files) / len(names)


def most_defined(*, one_name: bool) -> float:
    """The most that `defined_here` can be."""
    return (max(ONE_NAME, ONE_TYPE) if one_name else 1.0) + FILE_OF_THE_NAME


def _strength(name: Name, definition: DefinedName, path: str) -> float:
    """How surely a definition is the one that an identifier names."""
    defined = name_of(definition.name)
    if defined.folded != name.folded:
        return 0.0
    strength = NESTED[max(0, min(definition.depth, len(NESTED) - 1))]
    if defined.last != name.last:
        strength *= OTHER_MARKS if defined.letters == name.letters else OTHER_CASE
    if name.qualifier and name.qualifier not in _whereabouts(definition, path):
        strength *= OTHER_QUALIFIER
    if definition.line_count == 1:
        strength *= ONE_LINE
    return strength * (FAINT if definition.kind in FAINT_KINDS else 1.0)


def _whereabouts(definition: DefinedName, path: str) -> str:
    return " ".join((folded(definition.container), name_of(definition.name).qualifier, folded(path)))


@dataclass(frozen=True, slots=True)
class NamedPath:
    """What is compared of a path: the words of its file's name, its stem, and how many folders it is below."""

    words: tuple[str, ...]
    stem: str
    depth: int


@lru_cache(maxsize=16384)
def named_path(path: str) -> NamedPath:
    """The path as it is compared."""
    return NamedPath(stem_words(path), folded(file_stem(path)), path.count("/"))


@lru_cache(maxsize=32768)
def words_of(name: str) -> tuple[str, ...]:
    """The stems of a defined name's words."""
    return name_words(_segments(name)[-1])


@lru_cache(maxsize=32768)
def name_of(name: str) -> Name:
    """A name by its last segment, as in `Foo::bar`; what stands before it qualifies."""
    *before, last = _segments(name)
    letters = "".join([char for char in last if char.isalnum()])
    return Name(last, folded(last), letters, folded("".join(before)))


def _segments(name: str) -> list[str]:
    return [segment for segment in _SEPARATOR.split(name) if segment] or [name]
