"""The order of the candidates: a sum of scaled signals, shown file by file."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import lru_cache
from typing import Final

from sightline.core import confidence, noise
from sightline.core.identifiers import file_stem, folded, name_words, stem_words
from sightline.core.model import TYPE_KINDS, Candidate, DefinedName, Identifier, Query, Ranked


@dataclass(frozen=True, slots=True)
class Weights:
    """What each signal counts. A further signal is a field here, a name in `SIGNALS` and a value in `_signals`.

    Set by hand after a fit on one half of a public benchmark and confirmed on the other: halving any one, or raising
    it by half, moves NDCG@10 by at most .004.
    """

    cosine: float = 2.0
    words: float = 1.0
    file_cosine: float = 1.0
    file_words: float = 2.0
    coherence: float = 1.0
    file_name: float = 2.0
    definition_name: float = 0.5
    defined_here: float = 1.0
    noise: float = -3.0
    depth: float = -0.5


WEIGHTS: Final = Weights()
SIGNALS: Final = (
    "cosine", "words", "fileCosine", "fileWords", "coherence", "fileName", "definitionName", "definedHere", "noise",
    "depth",
)  # fmt: skip
"""The signals' names in an answer, in the order of `Weights`."""

DEEPEST: Final = 8
"""Directories beyond these cost no more."""
MOST_MORE: Final = 5
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


@dataclass(frozen=True, slots=True)
class _Scored:
    score: float
    signals: tuple[float, ...]
    candidate: Candidate

    def order(self) -> tuple[float, str, int, int]:
        """Ties go by path and place, so that equal indexes give equal answers."""
        candidate = self.candidate
        return -self.score, candidate.path, candidate.start_byte, candidate.chunk_id


def rank(
    candidates: Sequence[Candidate],
    query: Query,
    idf: Mapping[str, float],
    *,
    limit: int,
    max_per_file: int = 1,
    weights: Weights = WEIGHTS,
) -> list[Ranked]:
    """The best entries; `idf` is that of the query's terms, but for those that stand nowhere.

    A file's first `max_per_file` chunks are entries of their own, its others stand in the `more` of the first.
    """
    if not candidates or limit < 1:
        return []
    asked = _asked(query, idf)
    factors = astuple(weights)
    scored = []
    for candidate, signals in _signals(candidates, asked):
        weighted = tuple([factor * signal if signal else 0.0 for factor, signal in zip(factors, signals, strict=True)])
        scored.append(_Scored(sum(weighted), weighted, candidate))
    scored.sort(key=_Scored.order)
    entries, more = _by_file(scored, limit, max_per_file)
    evidence = confidence.evidence(candidates, query, asked.total)
    chances = confidence.chances([each.score for each in entries], _lead(scored), evidence, query)
    return [
        _ranked(entry, chance, tuple(more.pop(entry.candidate.file_id, ())))
        for entry, chance in zip(entries, chances, strict=True)
    ]


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
        elif shown[file] and len(more[file]) < MOST_MORE:
            more[file].append(each.candidate)
    return entries, more


def _ranked(entry: _Scored, chance: float, more: tuple[Candidate, ...]) -> Ranked:
    signals = dict(zip(SIGNALS, entry.signals, strict=True))
    return Ranked(entry.candidate, entry.score, signals, confidence.label(chance), chance, more)


def _lead(scored: Sequence[_Scored]) -> float | None:
    """How far the best is ahead of any other file."""
    best = scored[0]
    return next((best.score - each.score for each in scored if each.candidate.file_id != best.candidate.file_id), None)


@dataclass(frozen=True, slots=True)
class _Name:
    """An identifier of the query or a defined name, as they are compared."""

    last: str
    folded: str
    letters: str
    """`folded`, but with its case."""
    qualifier: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """The query as the signals see it."""

    telling: Mapping[str, float]
    """By term, its idf as a share of the rarest's: 1 for the word that tells most."""
    total: float
    """The sum of the terms' idf."""
    names: tuple[_Name, ...]
    one_name: bool
    noise: frozenset[str]
    beginnings: Mapping[str, list[str]]
    """The terms by their first three letters."""
    matches: dict[str, tuple[float, float]] = field(default_factory=dict)
    """By a name's word, what `match` found: the same words come again in many names."""

    def match(self, word: str) -> tuple[float, float]:
        """How telling the term is that a word of a name answers to, and the share of the word that it covers."""
        known = self.matches.get(word)
        if known is None:
            known = self.matches[word] = self._match(word)
        return known

    def _match(self, word: str) -> tuple[float, float]:
        if word in self.telling:
            return self.telling[word], 1.0
        kin = next((term for term in self.beginnings.get(word[:SHORTEST], ()) if _is_prefix(term, word)), None)
        return (0.0, 0.0) if kin is None else (PREFIX_SHARE * self.telling[kin], PREFIX_SHARE)


def _asked(query: Query, idf: Mapping[str, float]) -> _Asked:
    plain = [term for term in query.terms if not term.startswith("=")]
    rarest = max((idf[term] for term in plain if term in idf), default=0.0) or 1.0
    telling = {term: idf.get(term, rarest) / rarest for term in plain}
    beginnings: dict[str, list[str]] = defaultdict(list)
    for term in plain:
        beginnings[term[:SHORTEST]].append(term)
    return _Asked(
        telling=telling,
        total=sum(telling.values()) * rarest or 1.0,
        names=tuple(map(_identifier, query.identifiers)),
        one_name=query.is_identifier,
        noise=noise.asked(query.terms),
        beginnings=beginnings,
    )


def _identifier(identifier: Identifier) -> _Name:
    name = _name(identifier.name)
    return _Name(name.last, name.folded, name.letters, folded(identifier.qualifier.rpartition(".")[2]), name.words)


def _is_prefix(one: str, other: str) -> bool:
    """Whether one begins the other and is long enough to mean it."""
    short, long = (one, other) if len(one) <= len(other) else (other, one)
    return len(short) >= SHORTEST and len(short) >= LEAST_SHARE * len(long) and long.startswith(short)


def _signals(candidates: Sequence[Candidate], asked: _Asked) -> Iterator[tuple[Candidate, tuple[float, ...]]]:
    """Each candidate with its signals before the weights, most of them in 0..1."""
    cosines = _scaled_cosines(candidates)
    words = _scaled([each.bm25 for each in candidates])
    file_cosines = _file_cosines(candidates, cosines)
    file_words = _scaled([each.file_bm25 for each in candidates])
    coherence = _coherence(candidates, cosines, words)
    outdated = noise.outdated({each.path for each in candidates})
    of_path: dict[str, tuple[float, float, float]] = {}
    for place, candidate in enumerate(candidates):
        path = candidate.path
        if path not in of_path:
            of_path[path] = (
                _covered(_path(path).words, asked),
                float(noise.noisy(path, asked.noise, outdated)),
                _path(path).depth,
            )
        file_name, noisy, depth = of_path[path]
        yield (
            candidate,
            (
                cosines[place],
                words[place],
                file_cosines[candidate.file_id],
                file_words[place],
                coherence[candidate.file_id],
                file_name,
                _definition_name(candidate, asked),
                _defined_here(candidate, asked),
                noisy,
                depth,
            ),
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


def _covered(words: Sequence[str], asked: _Asked) -> float:
    """The share of a name that the query mentions, times how telling the most telling of those words is.

    Without the second factor `request.py` would answer every query in which requests occur.
    """
    telling = mentioned = 0.0
    for word in words:
        weight, share = asked.match(word)
        mentioned += share
        telling = max(telling, weight)
    return telling * mentioned / len(words) if mentioned else 0.0


def _definition_name(candidate: Candidate, asked: _Asked) -> float:
    """The defined name that the query covers best."""
    best = 0.0
    for definition in candidate.definitions:
        words = definition.words
        covered = _covered(words_of(definition.name) if words is None else words, asked)
        best = max(best, covered * FAINT if definition.kind in FAINT_KINDS else covered)
    return best


def _defined_here(candidate: Candidate, asked: _Asked) -> float:
    """Whether the query's identifiers are defined here, types before others; the file of that name counts a little."""
    if not asked.names:
        return 0.0
    types = others = files = 0.0
    for name in asked.names:
        strengths = [(each.kind in TYPE_KINDS, _strength(name, each, candidate.path)) for each in candidate.definitions]
        types += max((strength for is_type, strength in strengths if is_type), default=0.0)
        others += max((strength for is_type, strength in strengths if not is_type), default=0.0)
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


def words_of(name: str) -> tuple[str, ...]:
    """The stems of a defined name's words."""
    return _name(name).words


@lru_cache(maxsize=32768)
def _name(name: str) -> _Name:
    """A name by its last segment, as in `Foo::bar`; what stands before it qualifies."""
    segments = [segment for segment in _SEPARATOR.split(name) if segment] or [name]
    last = segments[-1]
    letters = "".join([char for char in last if char.isalnum()])
    return _Name(last, folded(last), letters, folded("".join(segments[:-1])), name_words(last))
