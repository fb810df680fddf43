"""The order of the candidates: a sum of scaled signals, shown file by file."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from operator import itemgetter
from typing import Final, NamedTuple

from sightline.core import confidence, naming, noise
from sightline.core.model import Candidate, Query, Ranked
from sightline.core.naming import Matches, Name


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
        """The candidates that may be among the first `limit` files, whatever they define, and for the first's lead.

        The likeliest come first.
        """
        best: dict[int, float] = {}
        for candidate, known in zip(self._candidates, self._sums, strict=True):
            if known > best.get(candidate.file_id, -math.inf):
                best[candidate.file_id] = known
        likeliest = sorted(zip(self._sums, self._candidates, strict=True), key=itemgetter(0), reverse=True)
        if len(best) <= limit:
            return [each for _, each in likeliest]
        most = self._weights.definition_name + self._weights.defined_here * self._asked.most_defined
        if self._asked.one_name:
            most -= self._weights.noise  # which `_excused` may take away
        least = sorted(best.values(), reverse=True)[limit] - most
        return [each for known, each in likeliest if known >= least]

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
        name = self._weights.definition_name * naming.best_covered(candidate, self._asked.matches)
        names = self._asked.names
        here = naming.defined_here(candidate, names, one_name=self._asked.one_name) if names else 0.0
        here *= self._weights.defined_here
        score = self._sums[self._places[candidate.chunk_id]] + name + here
        return _Scored(-score, candidate.path, candidate.start_byte, candidate.chunk_id, candidate, name, here)

    def _excused(self, scored: Iterable[_Scored]) -> set[int]:
        """Where one name is asked for that only tests and the like define, they are no noise."""
        least = self._weights.defined_here * naming.FILE_OF_THE_NAME
        defining = {each.chunk_id for each in scored if self._asked.one_name and each.defined_here > least}
        return defining if all(self._columns[NOISE][self._places[each]] for each in defining) else set()

    def _without_noise(self, entry: _Scored) -> _Scored:
        return entry._replace(
            less=entry.less + self._weights.noise * self._columns[NOISE][self._places[entry.chunk_id]]
        )

    def _signals_of(self, entry: _Scored, excused: set[int]) -> dict[str, float]:
        place = self._places[entry.chunk_id]
        known = [factor * column[place] or 0.0 for factor, column in zip(self._factors, self._columns, strict=False)]
        signals = dict(zip(SIGNALS, (*known, entry.definition_name, entry.defined_here), strict=True))
        return signals | {"noise": 0.0} if entry.chunk_id in excused else signals


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
class _Asked:
    """The query as the signals see it."""

    total: float
    """The sum of the terms' idf."""
    names: tuple[Name, ...]
    one_name: bool
    most_defined: float
    """The most that `naming.defined_here` can say."""
    noise: frozenset[str]
    matches: Matches


def _asked(query: Query, idf: Mapping[str, float]) -> _Asked:
    plain = [term for term in query.terms if not term.startswith("=")]
    rarest = max((idf[term] for term in plain if term in idf), default=0.0) or 1.0
    telling = {term: idf.get(term, rarest) / rarest for term in plain}
    names = tuple(map(naming.asked_name, query.identifiers))
    return _Asked(
        total=sum(telling.values()) * rarest or 1.0,
        names=names,
        one_name=query.is_identifier,
        most_defined=naming.most_defined(one_name=query.is_identifier) if names else 0.0,
        noise=noise.asked(query.terms),
        matches=Matches(telling),
    )


def _signals(candidates: Sequence[Candidate], asked: _Asked) -> tuple[list[float], ...]:
    """The signals that need no definitions, before their weights, each a list as long as the candidates."""
    cosines = _scaled_cosines(candidates)
    words = _scaled([each.bm25 for each in candidates])
    file_cosines = _file_cosines(candidates, cosines)
    coherence = _coherence(candidates, cosines, words)
    paths = {each.path for each in candidates}
    outdated = noise.outdated(paths)
    names = {path: naming.covered(naming.named_path(path).words, asked.matches) for path in paths}
    depths = {path: float(min(naming.named_path(path).depth, DEEPEST)) for path in paths}
    noisy = {path: float(noise.noisy(path, asked.noise, outdated)) for path in paths}
    return (
        cosines,
        words,
        [file_cosines[each.file_id] for each in candidates],
        _scaled([each.file_bm25 for each in candidates]),
        [coherence[each.file_id] for each in candidates],
        [names[each.path] for each in candidates],
        [noisy[each.path] for each in candidates],
        [depths[each.path] for each in candidates],
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
