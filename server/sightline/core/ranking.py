"""The order of the candidates: a sum of scaled signals, shown file by file."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from sightline.core import confidence, noise
from sightline.core.identifiers import file_stem, folded, name_words, stem_words
from sightline.core.model import TYPE_KINDS, Candidate, DefinedName, Identifier, Query, Ranked


@dataclass(frozen=True, slots=True)
class Weights:
    """What each signal counts. A further signal is a field here, a name in `SIGNALS` and a list in `_signals`.

    Set by hand after a fit on one half of a public benchmark and confirmed on the other: halving any one, or raising
    it by half, moves NDCG@10 by at most .004.
    """

    cosine: float = 2.0
    words: float = 1.0
    file_cosine: float = 1.0
    file_words: float = 2.0
    coherence: float = 1.0
    file_name: float = 2.0
    noise: float = -3.0
    depth: float = -0.5
    definition_name: float = 0.5
    defined_here: float = 1.0


WEIGHTS: Final = Weights()
SIGNALS: Final = (
    "cosine", "words", "fileCosine", "fileWords", "coherence", "fileName", "noise", "depth", "definitionName",
    "definedHere",
)  # fmt: skip
"""The signals' names in an answer, in the order of `Weights`."""

NOISE: Final = SIGNALS.index("noise")

DEEPEST: Final = 8
"""Directories beyond these cost no more."""
MOST_MORE: Final = 3
"""Further hits under a file's first entry."""
BEST_OF_FILE: Final = 3
"""As many of its cosines speak for a file: more would favour long ones."""

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


class _Scored(NamedTuple):
    """A candidate in the order of the answer: ties go by path and place, so that equal indexes give equal answers."""

    less: float
    """The score, negative."""
    path: str
    start_byte: int
    chunk_id: int
    candidate: Candidate
    definition_name: float
    defined_here: float


class Ranking:
    """The candidates of one query. What they define, which is dear to read, need be known of `hopeful` ones only."""

    def __init__(
        self, candidates: Sequence[Candidate], query: Query, idf: Mapping[str, float], weights: Weights = WEIGHTS
    ) -> None:
        """`idf` is that of the query's terms, but for those that stand nowhere."""
        self._candidates = candidates
        self._query = query
        self._weights = weights
        self._factors = astuple(weights)
        self._asked = _asked(query, idf)
        self._columns = _signals(candidates, self._asked) if candidates else ()
        sums = [0.0] * len(candidates)
        for factor, column in zip(self._factors, self._columns, strict=False):
            sums = [have + factor * value for have, value in zip(sums, column, strict=True)]
        self._sums = sums
        self._places = {each.chunk_id: place for place, each in enumerate(candidates)}

    def hopeful(self, limit: int) -> list[Candidate]:
        """The candidates that may be among the first `limit` files, whatever they define, and for the first's lead."""
        best: dict[int, float] = {}
        for candidate, known in zip(self._candidates, self._sums, strict=True):
            if known > best.get(candidate.file_id, -math.inf):
                best[candidate.file_id] = known
        if len(best) <= limit:
            return list(self._candidates)
        most = self._weights.definition_name + self._weights.defined_here * self._asked.most_defined
        if self._asked.one_name:
            most -= self._weights.noise  # which `_excused` may take away
        least = sorted(best.values(), reverse=True)[limit] - most
        return [each for each, known in zip(self._candidates, self._sums, strict=True) if known >= least]

    def entries(self, candidates: Iterable[Candidate], limit: int, max_per_file: int = 1) -> list[Ranked]:
        """The best of `candidates`: those of `hopeful`, with their definitions.

        A file's first `max_per_file` chunks are entries of their own, its others stand in the `more` of the first.
        """
        scored = [self._scored(each) for each in candidates]
        excused = self._excused(scored)
        scored = sorted([self._without_noise(each) if each.chunk_id in excused else each for each in scored])
        if not scored or limit < 1:
            return []
        entries, more = _by_file(scored, limit, max_per_file)
        evidence = confidence.evidence(self._candidates, self._query, self._asked.total)
        chances = confidence.chances([-each.less for each in entries], _lead(scored), evidence, self._query)
        return [
            Ranked(
                candidate=entry.candidate,
                score=-entry.less,
                signals=self._signals_of(entry, excused),
                label=confidence.label(chance),
                relevance=chance,
                more=tuple(more.pop(entry.candidate.file_id, ())),
            )
            for entry, chance in zip(entries, chances, strict=True)
        ]

    def _scored(self, candidate: Candidate) -> _Scored:
        name = self._weights.definition_name * _definition_name(candidate, self._asked.matches)
        here = self._weights.defined_here * _defined_here(candidate, self._asked) if self._asked.names else 0.0
        score = self._sums[self._places[candidate.chunk_id]] + name + here
        return _Scored(-score, candidate.path, candidate.start_byte, candidate.chunk_id, candidate, name, here)

    def _excused(self, scored: Iterable[_Scored]) -> set[int]:
        """Where one name is asked for that only tests and the like define, they are no noise."""
        least = self._weights.defined_here * FILE_OF_THE_NAME
        defining = {each.chunk_id for each in scored if self._asked.one_name and each.defined_here > least}
        return defining if all(self._columns[NOISE][self._places[each]] for each in defining) else set()

    def _without_noise(self, entry: _Scored) -> _Scored:
        return entry._replace(
            less=entry.less + self._weights.noise * self._columns[NOISE][self._places[entry.chunk_id]]
        )

    def _signals_of(self, entry: _Scored, excused: set[int]) -> dict[str, float]:
        place = self._places[entry.chunk_id]
        known = [factor * column[place] for factor, column in zip(self._factors, self._columns, strict=False)]
        signals = dict(zip(SIGNALS, (*known, entry.definition_name, entry.defined_here), strict=True))
        return signals | {"noise": 0.0} if entry.chunk_id in excused else signals


def rank(
    candidates: Sequence[Candidate],
    query: Query,
    idf: Mapping[str, float],
    *,
    limit: int,
    max_per_file: int = 1,
    weights: Weights = WEIGHTS,
) -> list[Ranked]:
    """The best entries among candidates whose definitions are known."""
    return Ranking(candidates, query, idf, weights).entries(candidates, limit, max_per_file)


def _by_file(
    scored: Iterable[_Scored], limit: int, max_per_file: int
) -> tuple[list[_Scored], dict[int, list[Candidate]]]:
    """The entries, and what else their files have."""
    entries: list[_Scored] = []
    more: dict[int, list[Candidate]] = defaultdict(list)
    shown: Counter[int] = Counter()
    for each in scored:
        file = each.candidate.file_id
        if len(entries) < limit and shown[file] < max(1, max_per_file):
            shown[file] += 1
            entries.append(each)
        elif file in shown and len(more[file]) < MOST_MORE:
            more[file].append(each.candidate)
    return entries, more


def _lead(scored: Sequence[_Scored]) -> float | None:
    """How far the best is ahead of any other file."""
    best = scored[0]
    return next((each.less - best.less for each in scored if each.candidate.file_id != best.candidate.file_id), None)


@dataclass(frozen=True, slots=True)
class _Name:
    """An identifier of the query or a defined name, as they are compared."""

    last: str
    folded: str
    letters: str
    """`folded`, but with its case."""
    qualifier: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """The query as the signals see it."""

    total: float
    """The sum of the terms' idf."""
    names: tuple[_Name, ...]
    one_name: bool
    most_defined: float
    """The most that `_defined_here` can say."""
    noise: frozenset[str]
    matches: _Matches


class _Matches(dict[str, tuple[float, float]]):
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


def _asked(query: Query, idf: Mapping[str, float]) -> _Asked:
    plain = [term for term in query.terms if not term.startswith("=")]
    rarest = max((idf[term] for term in plain if term in idf), default=0.0) or 1.0
    telling = {term: idf.get(term, rarest) / rarest for term in plain}
    names = tuple(map(_identifier, query.identifiers))
    return _Asked(
        total=sum(telling.values()) * rarest or 1.0,
        names=names,
        one_name=query.is_identifier,
        most_defined=(max(ONE_NAME, ONE_TYPE) if query.is_identifier else 1.0) + FILE_OF_THE_NAME if names else 0.0,
        noise=noise.asked(query.terms),
        matches=_Matches(telling),
    )


def _identifier(identifier: Identifier) -> _Name:
    name = _name(identifier.name)
    return _Name(name.last, name.folded, name.letters, folded(identifier.qualifier.rpartition(".")[2]))


def _is_prefix(one: str, other: str) -> bool:
    """Whether one begins the other and is long enough to mean it."""
    short, long = (one, other) if len(one) <= len(other) else (other, one)
    return len(short) >= SHORTEST and len(short) >= LEAST_SHARE * len(long) and long.startswith(short)


def _signals(candidates: Sequence[Candidate], asked: _Asked) -> tuple[list[float], ...]:
    """The signals that need no definitions, before their weights, each a list as long as the candidates."""
    cosines = _scaled_cosines(candidates)
    words = _scaled([each.bm25 for each in candidates])
    file_cosines = _file_cosines(candidates, cosines)
    coherence = _coherence(candidates, cosines, words)
    paths = {each.path for each in candidates}
    outdated = noise.outdated(paths)
    names = {path: _covered(_path(path).words, asked.matches) for path in paths}
    noisy = {path: float(noise.noisy(path, asked.noise, outdated)) for path in paths}
    return (
        cosines,
        words,
        [file_cosines[each.file_id] for each in candidates],
        _scaled([each.file_bm25 for each in candidates]),
        [coherence[each.file_id] for each in candidates],
        [names[each.path] for each in candidates],
        [noisy[each.path] for each in candidates],
        [_path(each.path).depth for each in candidates],
    )


def _scaled(values: Sequence[float]) -> list[float]:
    best = max(values)
    return [value / best for value in values] if best > 0 else [0.0] * len(values)


def _scaled_cosines(candidates: Sequence[Candidate]) -> list[float]:
    """From the worst candidate to the best; 0 for those without a vector, which must not shift the others."""
    known = [each.cosine for each in candidates if each.cosine]
    low, high = min(known, default=0.0), max(known, default=0.0)
    if low == high:
        return [1.0 if each.cosine else 0.0 for each in candidates]
    return [(each.cosine - low) / (high - low) if each.cosine else 0.0 for each in candidates]


def _file_cosines(candidates: Sequence[Candidate], cosines: Sequence[float]) -> dict[int, float]:
    """The best cosines of each file together."""
    of_file: dict[int, list[float]] = defaultdict(list)
    for candidate, cosine in zip(candidates, cosines, strict=True):
        of_file[candidate.file_id].append(cosine)
    sums = [sum(sorted(each, reverse=True)[:BEST_OF_FILE]) for each in of_file.values()]
    return dict(zip(of_file, _scaled(sums), strict=True))


def _coherence(candidates: Sequence[Candidate], cosines: Sequence[float], words: Sequence[float]) -> dict[int, float]:
    """How much of each file answers, not only its best chunk; fsum, since the candidates' order must not show."""
    squares: dict[int, list[float]] = defaultdict(list)
    for candidate, cosine, word in zip(candidates, cosines, words, strict=True):
        squares[candidate.file_id].append((cosine + word) ** 2)
    sums = {file: math.fsum(each) for file, each in squares.items()}
    return dict(zip(sums, _scaled(list(sums.values())), strict=True))


def _covered(words: Sequence[str], matches: _Matches) -> float:
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


def _definition_name(candidate: Candidate, matches: _Matches) -> float:
    """The defined name that the query covers best."""
    best = 0.0
    for definition in candidate.definitions:
        words = definition.words
        covered = _covered(words_of(definition.name) if words is None else words, matches)
        if definition.kind in FAINT_KINDS:
            covered *= FAINT
        if covered > best:
            best = covered
    return best


def _defined_here(candidate: Candidate, asked: _Asked) -> float:
    """Whether the query's identifiers are defined here, types before others; the file of that name counts a little."""
    types = others = files = 0.0
    for name in asked.names:
        strongest = {True: 0.0, False: 0.0}
        for each in candidate.definitions:
            is_type, strength = each.kind in TYPE_KINDS, _strength(name, each, candidate.path)
            if strength > strongest[is_type]:
                strongest[is_type] = strength
        types += strongest[True]
        others += strongest[False]
        files += _path(candidate.path).stem == name.folded
    if asked.one_name:
        types, others = types * ONE_TYPE, others * ONE_NAME
    return (max(types, others) + FILE_OF_THE_NAME * files) / len(asked.names)


def _strength(name: _Name, definition: DefinedName, path: str) -> float:
    """How surely a definition is the one that an identifier names."""
    defined = _name(definition.name)
    if defined.folded != name.folded:
        return 0.0
    strength = NESTED[max(0, min(definition.depth, len(NESTED) - 1))]
    if defined.last != name.last:
        strength *= OTHER_MARKS if defined.letters == name.letters else OTHER_CASE
    if name.qualifier and name.qualifier not in _whereabouts(definition, path):
        strength *= OTHER_QUALIFIER
    if definition.one_line:
        strength *= ONE_LINE
    return strength * (FAINT if definition.kind in FAINT_KINDS else 1.0)


def _whereabouts(definition: DefinedName, path: str) -> str:
    return " ".join((folded(definition.container), _name(definition.name).qualifier, folded(path)))


@dataclass(frozen=True, slots=True)
class _Path:
    words: tuple[str, ...]
    stem: str
    depth: float


@lru_cache(maxsize=16384)
def _path(path: str) -> _Path:
    return _Path(stem_words(path), folded(file_stem(path)), float(min(path.count("/"), DEEPEST)))


@lru_cache(maxsize=32768)
def words_of(name: str) -> tuple[str, ...]:
    """The stems of a defined name's words."""
    return name_words(_segments(name)[-1])


@lru_cache(maxsize=32768)
def _name(name: str) -> _Name:
    """A name by its last segment, as in `Foo::bar`; what stands before it qualifies."""
    *before, last = _segments(name)
    letters = "".join([char for char in last if char.isalnum()])
    return _Name(last, folded(last), letters, folded("".join(before)))


def _segments(name: str) -> list[str]:
    return [segment for segment in _SEPARATOR.split(name) if segment] or [name]
