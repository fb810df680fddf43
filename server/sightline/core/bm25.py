"""BM25F over a snapshot of word segments, for chunks and for whole files.

Fields, weights and constants: DESIGN.md §6 (found on the development half of the benchmark; all within .003 of their
neighbours). Formula: Robertson, Zaragoza, Taylor, "Simple BM25 extension to multiple weighted fields", 2004.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from sightline.core.bags import CODE, COMMENTS, DEFINED, DIRECTORIES, FIELD_COUNT, STEM
from sightline.core.segments import Postings

K1: Final = 1.2
#                  code  comments  defined  enclosing  stem  directories
CHUNK_WEIGHTS: Final = (1.0, 1.0, 2.0, 1.0, 2.0, 0.7)
CHUNK_B: Final = (0.75, 0.75, 0.3, 0.3, 0.3, 0.3)
FILE_WEIGHTS: Final = (0.5, 0.5, 2.0, 0.0, 4.0, 1.0)
FILE_B: Final = (0.75, 0.75, 0.5, 0.0, 0.3, 0.3)
SUMMED_FIELDS: Final = (CODE, COMMENTS, DEFINED)
"""Fields that a file sums over its chunks; stem and directories it has once."""

TERM_CACHE_BYTES: Final = 8 << 20
"""Of one collection: some hundred terms of 100,000 chunks, which people who type on ask again with each letter."""

Floats = NDArray[np.float32]
T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, slots=True)
class SegmentColumns:
    """What a segment tells of its chunks; all arrays are as long as it has chunks, `lengths` is [6, chunks]."""

    chunk_ids: NDArray[np.int64]
    file_ids: NDArray[np.int32]
    kinds: NDArray[np.uint32]
    lengths: NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Term:
    """What one term adds to the scores of a collection."""

    rows: NDArray[np.int32]
    """The live rows in which it stands, and what it adds to each."""
    gains: Floats
    files: NDArray[np.int32]
    file_gains: Floats
    stems: NDArray[np.int32]
    """The files in whose stem it stands."""
    idf: float | None
    """None where it stands in no code or comment."""

    @property
    def size(self) -> int:
        """Bytes in memory."""
        arrays = (self.rows, self.gains, self.files, self.file_gains, self.stems)
        return 1_000 + sum(each.nbytes for each in arrays)


class Terms:
    """The terms of a collection that were asked lately, the least recently asked first out."""

    def __init__(self) -> None:
        self._terms: OrderedDict[str, Term] = OrderedDict()
        self._bytes = 0

    def held(self, terms: Iterable[str]) -> dict[str, Term]:
        """Those of the terms that are here."""
        found = {each: self._terms[each] for each in terms if each in self._terms}
        for each in found:
            self._terms.move_to_end(each)
        return found

    def keep(self, name: str, term: Term) -> None:
        """Keeps a term for later."""
        if name not in self._terms:
            self._terms[name] = term
            self._bytes += term.size
        while self._bytes > TERM_CACHE_BYTES:
            self._bytes -= self._terms.popitem(last=False)[1].size


class Collection:
    """The chunks of several segments as rows, one segment behind another, with what scoring needs of them."""

    def __init__(self, segments: Sequence[SegmentColumns], dead: NDArray[np.int64]) -> None:
        self.terms = Terms()
        self.bases = np.cumsum([0, *(len(each.chunk_ids) for each in segments)]).tolist()
        self.chunk_ids = _joined([each.chunk_ids for each in segments], np.int64)
        self.file_ids = _joined([each.file_ids for each in segments], np.int32)
        self.kinds = _joined([each.kinds for each in segments], np.uint32)
        self.live = ~np.isin(self.chunk_ids, dead) if len(dead) else np.ones(len(self.chunk_ids), np.bool_)
        self.has_dead = not bool(self.live.all())
        self.count = int(self.live.sum())
        lengths = _lengths(segments)
        self._sums = _sums(lengths, self.live)
        self.chunk_norms = _norms(lengths, self._sums, self.count, CHUNK_WEIGHTS, CHUNK_B)
        self.files, self.file_rows = np.unique(self.file_ids, return_inverse=True)
        self.file_live = np.bincount(self.file_rows, weights=self.live, minlength=len(self.files)) > 0
        self._file_lengths = self._lengths_of_files(lengths)
        file_sums = _sums(self._file_lengths, self.file_live)
        self.file_norms = _norms(self._file_lengths, file_sums, int(self.file_live.sum()), FILE_WEIGHTS, FILE_B)
        self.stem_lengths = np.ones(len(self.files), np.float32)
        self.stem_lengths[self.file_rows] = np.maximum(lengths[STEM], 1)
        self._order = np.argsort(self.chunk_ids)
        self._segments = segments

    def overlaid(self, more: Sequence[SegmentColumns], hidden: NDArray[np.int32]) -> Collection:
        """The same with further segments of other files and higher ids, and without what it has of the hidden files.

        It equals a collection of all segments with those chunks dead, at a tenth of the cost.
        """
        top, made = Collection(more, np.zeros(0, np.int64)), Collection.__new__(Collection)
        gone_files = np.isin(self.files, hidden)
        gone = self.live & gone_files[self.file_rows]
        made.terms = Terms()
        made._segments = [*self._segments, *more]
        made.bases = [*self.bases[:-1], *(base + self.bases[-1] for base in top.bases)]
        made.chunk_ids = np.concatenate([self.chunk_ids, top.chunk_ids])
        made.file_ids = np.concatenate([self.file_ids, top.file_ids])
        made.kinds = np.concatenate([self.kinds, top.kinds])
        made.live = np.concatenate([self.live & ~gone, top.live])
        made.count = self.count - int(gone.sum()) + top.count
        made.has_dead = made.count < len(made.live)
        lengths, rows = _lengths(made._segments), np.flatnonzero(gone)
        lost = lengths[:, rows].sum(axis=1, dtype=np.float64)
        made._sums = [own - less + new for own, less, new in zip(self._sums, lost.tolist(), top._sums, strict=True)]
        made.chunk_norms = _norms(lengths, made._sums, made.count, CHUNK_WEIGHTS, CHUNK_B)
        made.files = np.concatenate([self.files, top.files])
        made.file_rows = np.concatenate([self.file_rows, top.file_rows + len(self.files)])
        made.file_live = np.concatenate([self.file_live & ~gone_files, top.file_live])
        made._file_lengths = np.concatenate([self._file_lengths, top._file_lengths], axis=1)
        file_sums = _sums(made._file_lengths, made.file_live)
        made.file_norms = _norms(made._file_lengths, file_sums, int(made.file_live.sum()), FILE_WEIGHTS, FILE_B)
        made.stem_lengths = np.concatenate([self.stem_lengths, top.stem_lengths])
        made._order = np.concatenate([self._order, top._order + len(self.chunk_ids)])
        return made

    def rows_of(self, chunk_ids: Sequence[int]) -> dict[int, int]:
        """The rows of those of `chunk_ids` that live here."""
        if not len(self.chunk_ids):
            return {}
        wanted = np.array(sorted(chunk_ids), np.int64)
        places = np.searchsorted(self.chunk_ids, wanted, sorter=self._order)
        rows = self._order[np.minimum(places, len(self._order) - 1)]
        rows = rows[(self.chunk_ids[rows] == wanted) & self.live[rows]]
        return dict(zip(self.chunk_ids[rows].tolist(), rows.tolist(), strict=True))

    def _lengths_of_files(self, lengths: Floats) -> Floats:
        total = np.zeros((FIELD_COUNT, len(self.files)), np.float32)
        for field in SUMMED_FIELDS:
            total[field] = np.bincount(self.file_rows, weights=lengths[field] * self.live, minlength=len(self.files))
        for field in (STEM, DIRECTORIES):
            total[field, self.file_rows] = lengths[field]
        return total


@dataclass(frozen=True, slots=True)
class Scores:
    """BM25F of all rows and files (0 where no term matches), the share of each file's stem that matches, and idf."""

    chunks: Floats
    files: Floats
    stem_cover: Floats
    idf: dict[str, float]
    """Of the terms that stand in code or comments."""
    matches: Mapping[str, NDArray[np.int32]]
    """The live rows in which each term stands."""


def score(
    collection: Collection,
    postings: Mapping[str, Sequence[tuple[int, Postings]]],
    held: Mapping[str, Term] | None = None,
) -> Scores:
    """Scores for the terms of `postings` (the segments, by place in the collection, that have each) and `held` ones.

    Added up by name, so that what was held does not show in the last bit.
    """
    chunks, files = np.zeros(len(collection.chunk_ids), np.float32), np.zeros(len(collection.files), np.float32)
    terms = {**(held or {}), **{name: _term(collection, found, chunks) for name, found in postings.items()}}
    for name in postings:
        collection.terms.keep(name, terms[name])
    stem_hits = np.zeros_like(files)
    for _, term in sorted(terms.items()):
        chunks[term.rows] += term.gains
        files[term.files] += term.file_gains
        stem_hits[term.stems] += 1
    idf = {name: term.idf for name, term in terms.items() if term.idf is not None}
    return Scores(
        chunks, files, stem_hits / collection.stem_lengths, idf, {name: each.rows for name, each in terms.items()}
    )


def _term(collection: Collection, found: Sequence[tuple[int, Postings]], frequency: Floats) -> Term:
    """What the term adds; `frequency` is zero for all rows, and is so again afterwards."""
    fields = _by_field(collection, found)
    rows, in_text = _add_frequencies(collection, fields, frequency)
    weight = _idf(collection.count, len(rows)) * (K1 + 1)
    gains = weight * _saturated(frequency[rows])
    frequency[rows] = 0
    file_frequency = _file_frequencies(collection, fields)
    files = np.flatnonzero(file_frequency > 0)
    file_weight = _idf(int(collection.file_live.sum()), len(files)) * (K1 + 1)
    file_gains = file_weight * _saturated(file_frequency[files])
    stems = np.unique(collection.file_rows[fields[STEM][0]]) if STEM in fields else files[:0]
    idf = _idf(collection.count, in_text) if in_text else None
    return Term(rows.astype(np.int32), gains, files.astype(np.int32), file_gains, stems.astype(np.int32), idf)


Fields = dict[int, tuple[NDArray[np.int64], Floats]]
"""For each field that holds a term: the live rows, and how often it stands there."""


def _by_field(collection: Collection, found: Sequence[tuple[int, Postings]]) -> Fields:
    fields: Fields = {}
    for field in range(FIELD_COUNT):
        held = [
            (place, each.chunks[field], each.frequencies[field]) for place, each in found if len(each.chunks[field])
        ]
        if not held:
            continue
        rows = np.concatenate([chunks.astype(np.int64) + collection.bases[place] for place, chunks, _ in held])
        frequencies = np.concatenate([each for _, _, each in held]).astype(np.float32)
        if collection.has_dead:
            live = collection.live[rows]
            rows, frequencies = rows[live], frequencies[live]
        fields[field] = (rows, frequencies)
    return fields


def _add_frequencies(collection: Collection, fields: Fields, frequency: Floats) -> tuple[NDArray[np.int64], int]:
    """Adds up a term's weighted frequency by row; the rows that have it, and how many have it in code or comments.

    Only those rows are looked at, since most terms stand in few.
    """
    fresh: list[NDArray[np.int64]] = []
    in_text = 0
    for field, (rows, frequencies) in fields.items():
        before = frequency[rows]
        frequency[rows] = before + frequencies * collection.chunk_norms[field][rows]
        fresh.append(rows[before == 0])
        if field in (CODE, COMMENTS):
            in_text += len(fresh[-1])
    return (np.concatenate(fresh) if fresh else np.zeros(0, np.int64)), in_text


def _file_frequencies(collection: Collection, fields: Fields) -> Floats:
    total = np.zeros(len(collection.files), np.float32)
    for field, (rows, frequencies) in fields.items():
        files = collection.file_rows[rows]
        if field in SUMMED_FIELDS:
            summed = np.bincount(files, weights=frequencies, minlength=len(total)).astype(np.float32)
            total += summed * collection.file_norms[field]
        elif field in (STEM, DIRECTORIES):
            once = np.zeros(len(total), np.float32)
            once[files] = frequencies
            total += once * collection.file_norms[field]
    return total


def _lengths(segments: Sequence[SegmentColumns]) -> Floats:
    if not segments:
        return np.zeros((FIELD_COUNT, 0), np.float32)
    return np.concatenate([each.lengths for each in segments], axis=1).astype(np.float32)


def _sums(lengths: Floats, live: NDArray[np.bool_]) -> list[float]:
    """Each field's length in all. As float64 that is exact: it does not depend on how chunks are spread over segments."""
    return [float(own[live].sum(dtype=np.float64)) for own in lengths]


def _norms(lengths: Floats, sums: Sequence[float], count: int, weights: Sequence[float], b: Sequence[float]) -> Floats:
    """weight / (1 - b + b * length / average), field by field: what a term's frequency is multiplied by."""
    norms = np.zeros_like(lengths)
    for field in range(FIELD_COUNT):
        average = sums[field] / max(count, 1)
        if average > 0:
            norms[field] = weights[field] / (1 - b[field] + b[field] * lengths[field] / average)
    return norms


def _idf(documents: int, holding: int) -> float:
    return math.log(1 + (documents - holding + 0.5) / (holding + 0.5))


def _saturated(frequency: Floats) -> Floats:
    return frequency / (K1 + frequency)


def _joined(arrays: Sequence[NDArray[T]], dtype: type[T]) -> NDArray[T]:
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype)
