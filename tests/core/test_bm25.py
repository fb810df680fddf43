"""BM25F over any split into segments, with dead chunks among them, is that of the formula over the living chunks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.core.bags import CODE, COMMENTS, DEFINED, DIRECTORIES, FIELD_COUNT, STEM, Bag
from sightline.core.bm25 import TERM_CACHE_BYTES, Collection, Scores, SegmentColumns, Term, Terms, score
from sightline.core.segments import Block, Postings, pack

TERMS = ("alpha", "beta", "gamma", "delta", "omega")
QUERY = (*TERMS[:4], "absent")
Field = Counter[str]

# Written down again from DESIGN.md: weight and b of code, comments, defined names, enclosing names, stem, directories.
CHUNK = ((1, 0.75), (1, 0.75), (2, 0.3), (1, 0.3), (2, 0.3), (0.7, 0.3))
FILE = ((0.5, 0.75), (0.5, 0.75), (2, 0.5), (0, 0), (4, 0.3), (1, 0.3))


@dataclass(frozen=True)
class Row:
    """A chunk: its id, its file, and the terms of its fields."""

    id: int
    file: int
    fields: tuple[Field, ...]


@st.composite
def corpora(draw: st.DrawFn) -> tuple[list[Row], list[int], list[int]]:
    """Chunks in the order in which they were stored, where segments begin, and the ids of dead chunks."""
    random = Random(draw(st.integers(0, 1 << 30)))
    count, files = draw(st.integers(0, 14)), draw(st.integers(1, 5))

    def some() -> Field:
        return Counter(random.choices(TERMS, k=random.choice([0, 0, 1, 3, 9])))

    paths = [(some(), some()) for _ in range(files)]
    ids = random.sample(range(1000), count)
    of = [random.randrange(files) for _ in ids]
    rows = [
        Row(each, 7 * file, (some(), some(), some(), some(), *paths[file])) for each, file in zip(ids, of, strict=True)
    ]
    cuts = sorted(draw(st.lists(st.integers(0, count), max_size=3)))
    return rows, cuts, [*random.sample(ids, draw(st.integers(0, count))), 5000]


def segment(rows: Sequence[Row]) -> tuple[SegmentColumns, list[Block]]:
    """The chunks as one segment, the way an index has it."""
    found = [
        (chunk, field, TERMS.index(term), n)
        for chunk, row in enumerate(rows)
        for field, terms in enumerate(row.fields)
        for term, n in terms.items()
    ]
    table = np.array(found, np.int32).reshape(-1, 4)
    used, word = np.unique(table[:, 2], return_inverse=True)
    words = tuple(TERMS[number] for number in used)
    bag = Bag(words, table[:, 0], table[:, 1], word.astype(np.int32), table[:, 3], len(rows))
    packed = pack(bag, {term: (term,) for term in TERMS})
    ids = np.array([row.id for row in rows], np.int64)
    files = np.array([row.file for row in rows], np.int32)
    return SegmentColumns(ids, files, np.zeros(len(rows), np.uint32), packed.lengths), [*map(Block, packed.blocks)]


def scored(
    rows: Sequence[Row],
    cuts: Sequence[int],
    dead: Sequence[int],
    query: Sequence[str] = QUERY,
    known: Collection | None = None,
    held: Mapping[str, Term] | None = None,
) -> tuple[Collection, Scores]:
    parts = [segment(rows[start:end]) for start, end in pairwise([0, *cuts, len(rows)])]
    collection = known or Collection([columns for columns, _ in parts], np.array(sorted(dead), np.int64))
    postings: dict[str, list[tuple[int, Postings]]] = {
        term: [
            (place, found) for place, (_, blocks) in enumerate(parts) for each in blocks if (found := each.find(term))
        ]
        for term in query
    }
    return collection, score(collection, postings, held)


def idf(documents: int, holding: int) -> float:
    return math.log(1 + (documents - holding + 0.5) / (holding + 0.5))


def bm25f(documents: Sequence[tuple[Field, ...]], constants: Sequence[tuple[float, float]]) -> list[float]:
    """Robertson's formula, term by term and field by field."""
    averages = [sum(each[field].total() for each in documents) / len(documents) for field in range(FIELD_COUNT)]

    def frequency(document: tuple[Field, ...], term: str) -> float:
        return sum(
            weight * document[field][term] / (1 - b + b * document[field].total() / averages[field])
            for field, (weight, b) in enumerate(constants)
            if document[field][term]
        )

    total = [0.0] * len(documents)
    for term in QUERY:
        found = [frequency(each, term) for each in documents]
        weight = idf(len(documents), sum(each > 0 for each in found))
        total = [own + weight * 2.2 * tf / (1.2 + tf) for own, tf in zip(total, found, strict=True)]
    return total


def file_fields(chunks: Sequence[Row]) -> tuple[Field, ...]:
    """A file's fields: code, comments and names summed, path once; enclosing names have no weight."""
    summed = {field: sum((row.fields[field] for row in chunks), Counter()) for field in (CODE, COMMENTS, DEFINED)}
    return tuple(
        summed.get(field, chunks[0].fields[field] if field in (STEM, DIRECTORIES) else Counter())
        for field in range(FIELD_COUNT)
    )


@given(corpora())
def test_chunk_scores_are_those_of_the_formula(corpus: tuple[list[Row], list[int], list[int]]) -> None:
    rows, cuts, dead = corpus
    collection, scores = scored(rows, cuts, dead)
    live = [row for row in rows if row.id not in dead]
    expected = dict(
        zip([row.id for row in live], bm25f([row.fields for row in live], CHUNK) if live else [], strict=True)
    )
    found = dict(zip(collection.chunk_ids.tolist(), scores.chunks.tolist(), strict=True))
    assert found == pytest.approx({row.id: expected.get(row.id, 0.0) for row in rows}, rel=1e-5, abs=1e-6)


@given(corpora())
def test_file_scores_are_those_of_the_formula(corpus: tuple[list[Row], list[int], list[int]]) -> None:
    rows, cuts, dead = corpus
    collection, scores = scored(rows, cuts, dead)
    files: dict[int, list[Row]] = {}
    for row in rows:
        if row.id not in dead:
            files.setdefault(row.file, []).append(row)
    fields = [file_fields(chunks) for chunks in files.values()]
    expected = dict(zip(files, bm25f(fields, FILE) if fields else [], strict=True))
    found = dict(zip(collection.files.tolist(), scores.files.tolist(), strict=True))
    assert found == pytest.approx({file: expected.get(file, 0.0) for file in found}, rel=1e-5, abs=1e-6)
    assert set(files) <= set(found)


@given(corpora())
def test_scores_are_bit_for_bit_those_of_a_fresh_index(corpus: tuple[list[Row], list[int], list[int]]) -> None:
    rows, cuts, dead = corpus
    collection, scores = scored(rows, cuts, dead)
    fresh_collection, fresh = scored([row for row in rows if row.id not in dead], [], [])
    live = collection.live
    assert collection.chunk_ids[live].tolist() == fresh_collection.chunk_ids.tolist()
    assert scores.chunks[live].tobytes() == fresh.chunks.tobytes()
    assert scores.stem_cover[collection.file_live].tobytes() == fresh.stem_cover.tobytes()
    assert scores.files[collection.file_live].tobytes() == fresh.files.tobytes()
    assert scores.idf == fresh.idf
    assert not scores.chunks[~live].any()
    assert not scores.files[~collection.file_live].any()


@given(corpora())
def test_idf_counts_chunks_with_the_term_in_code_or_comments(corpus: tuple[list[Row], list[int], list[int]]) -> None:
    rows, cuts, dead = corpus
    _, scores = scored(rows, cuts, dead)
    live = [row for row in rows if row.id not in dead]
    holding = {term: sum(bool(row.fields[CODE][term] + row.fields[COMMENTS][term]) for row in live) for term in QUERY}
    assert scores.idf == {term: idf(len(live), n) for term, n in holding.items() if n}


@given(corpora())
def test_matches_and_stem_cover_tell_where_terms_stand(corpus: tuple[list[Row], list[int], list[int]]) -> None:
    rows, cuts, dead = corpus
    collection, scores = scored(rows, cuts, dead)
    for term in QUERY:
        holding = [
            place for place, row in enumerate(rows) if any(row.fields[field][term] for field in range(FIELD_COUNT))
        ]
        assert sorted(scores.matches[term].tolist()) == [place for place in holding if rows[place].id not in dead]
    stems = {row.file: row.fields[STEM] for row in rows if row.id not in dead}
    cover = {file: sum(term in stem for term in QUERY) / max(stem.total(), 1) for file, stem in stems.items()}
    covered = [cover.get(file, 0) for file in collection.files.tolist()]
    assert scores.stem_cover.tolist() == pytest.approx(covered)


@given(corpora())
def test_rows_are_found_by_the_ids_of_living_chunks(corpus: tuple[list[Row], list[int], list[int]]) -> None:
    rows, cuts, dead = corpus
    collection, _ = scored(rows, cuts, dead)
    expected = {row.id: place for place, row in enumerate(rows) if row.id not in dead}
    assert collection.rows_of([4000, *(row.id for row in rows)]) == expected
    assert collection.count == len(expected)


@given(corpora(), st.sets(st.sampled_from(QUERY)))
def test_a_term_that_was_kept_adds_what_it_added_at_first(
    corpus: tuple[list[Row], list[int], list[int]], kept: set[str]
) -> None:
    rows, cuts, dead = corpus
    collection, first = scored(rows, cuts, dead)
    held = collection.terms.held(kept)
    assert held.keys() == kept
    _, rest = scored(rows, cuts, dead, [term for term in QUERY if term not in kept], collection, held)
    assert (rest.chunks.tobytes(), rest.files.tobytes()) == (first.chunks.tobytes(), first.files.tobytes())
    assert (rest.stem_cover.tobytes(), rest.idf) == (first.stem_cover.tobytes(), first.idf)


def test_the_terms_asked_least_recently_are_forgotten_first() -> None:
    rows, few = np.zeros(TERM_CACHE_BYTES // 4, np.int32), np.zeros(0, np.float32)
    terms, half = Terms(), Term(rows[: len(rows) // 2], few, rows[:0], few, rows[:0], None)
    for name in ("one", "two"):
        terms.keep(name, half)
    assert list(terms.held(["one", "two"])) == ["two"]
    terms.keep("three", Term(rows[:0], few, rows[:0], few, rows[:0], None))
    assert sorted(terms.held(["one", "two", "three"])) == ["three", "two"]


def test_an_empty_index_gives_empty_scores() -> None:
    collection = Collection([], np.zeros(0, np.int64))
    scores = score(collection, {"alpha": []})
    assert (len(scores.chunks), len(scores.files), scores.matches["alpha"].tolist()) == (0, 0, [])
    assert collection.rows_of([1]) == {}


def test_a_term_in_a_name_outweighs_one_in_code_and_a_rare_one_a_common_one() -> None:
    empty: Field = Counter()
    texts = [
        (Counter(alpha=1, omega=3), empty),
        (Counter(omega=3), Counter(alpha=1)),
        (Counter(beta=1, omega=3), empty),
    ]
    rows = [
        Row(place, place, (code, empty, defined, empty, empty, empty)) for place, (code, defined) in enumerate(texts)
    ]
    _, scores = scored(rows, [], [], ["alpha", "beta"])
    in_code, in_name, rare = scores.chunks.tolist()
    assert in_name > in_code
    assert rare > in_code
