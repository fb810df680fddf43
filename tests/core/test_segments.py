"""What is packed can be read back, and a merge is what packing the living chunks afresh would give."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.core.bags import CODE, FIELD_COUNT, STEM, Bag
from sightline.core.segments import (
    BLOCK_BYTES,
    MAX_CHUNKS,
    Block,
    Directory,
    PackedWords,
    Postings,
    expand,
    merge,
    pack,
    sum_by_key,
)

Rows = Sequence[tuple[int, int, int, int]]
"""(chunk, field, word, count)."""

TERMS_OF: Mapping[str, tuple[str, ...]] = {
    "fooBar": ("foo", "bar", "=foobar"),
    "foo_foo": ("foo", "foo", "=foofoo"),
    "foo": ("foo",),
    "Foo": ("foo",),
    "größe": ("größ",),
    "数据": ("数据",),
    "__": (),
} | {f"w{number}": (f"long{'x' * (number % 7 * 40)}{number}", f"n{number % 13}") for number in range(120)}
WORDS = tuple(TERMS_OF)
ROW = st.tuples(
    st.integers(0, 39), st.integers(0, FIELD_COUNT - 1), st.integers(0, len(WORDS) - 1), st.integers(1, 400)
)


def many(seed: int) -> Rows:
    """Enough rows for several blocks."""
    random = Random(seed)
    return [(random.randrange(40), random.randrange(FIELD_COUNT), random.randrange(len(WORDS)), 1) for _ in range(500)]


ROWS = st.lists(ROW, max_size=40) | st.integers(0, 1 << 30).map(many)


def bag_of(rows: Rows, chunk_count: int) -> Bag:
    """The bag of rows; as in those of files, every word stands somewhere."""
    table = np.array(rows, np.int32).reshape(-1, 4)
    used, word = np.unique(table[:, 2], return_inverse=True)
    words = tuple(WORDS[number] for number in used)
    return Bag(words, table[:, 0], table[:, 1], word.astype(np.int32), table[:, 3], chunk_count)


def read(packed: PackedWords, term: str) -> Postings | None:
    number = Directory(packed.directory).block_of(term)
    return Block(packed.blocks[number]).find(term) if number >= 0 else None


def naive(rows: Rows) -> Counter[tuple[str, int, int]]:
    """How often each (term, field, chunk) is there."""
    total: Counter[tuple[str, int, int]] = Counter()
    for chunk, field, word, count in rows:
        for term in TERMS_OF[WORDS[word]]:
            total[term, field, chunk] += count
    return total


def assert_equal(one: PackedWords, other: PackedWords) -> None:
    assert (one.directory, one.blocks) == (other.directory, other.blocks)
    assert one.lengths.dtype == other.lengths.dtype == np.uint16
    np.testing.assert_array_equal(one.lengths, other.lengths)


@given(ROWS)
def test_every_term_is_read_as_it_was_packed(rows: Rows) -> None:
    packed = pack(bag_of(rows, 40), TERMS_OF)
    expected: dict[str, list[list[tuple[int, int]]]] = defaultdict(lambda: [[] for _ in range(FIELD_COUNT)])
    for (term, field, chunk), count in sorted(naive(rows).items()):
        expected[term][field].append((chunk, min(count, 255)))
    for term in {term for terms in TERMS_OF.values() for term in terms} | {"", "absent", "~"}:
        found = read(packed, term)
        if term not in expected:
            assert found is None
            continue
        assert found is not None
        pairs = [list(zip(*each, strict=True)) for each in zip(found.chunks, found.frequencies, strict=True)]
        assert pairs == expected[term]


@given(ROWS)
def test_lengths_count_all_terms_of_a_field(rows: Rows) -> None:
    lengths = np.zeros((FIELD_COUNT, 40), np.int64)
    for (_, field, chunk), count in naive(rows).items():
        lengths[field, chunk] += count
    np.testing.assert_array_equal(pack(bag_of(rows, 40), TERMS_OF).lengths, np.minimum(lengths, 65_535))


@given(ROWS, st.lists(st.booleans(), min_size=40, max_size=40), st.lists(st.integers(0, 40), max_size=4).map(sorted))
def test_a_merge_equals_packing_the_living_chunks_afresh(rows: Rows, live: list[bool], cuts: list[int]) -> None:
    bounds = [0, *cuts, 40]
    parts = []
    for start, end in pairwise(bounds):
        own = [(chunk - start, *rest) for chunk, *rest in rows if start <= chunk < end]
        packed = pack(bag_of(own, end - start), TERMS_OF)
        parts.append((packed.lengths, packed.blocks, np.array(live[start:end], np.bool_)))
    number = {chunk: place for place, chunk in enumerate(each for each in range(40) if live[each])}
    fresh = bag_of([(number[chunk], *rest) for chunk, *rest in rows if live[chunk]], len(number))
    assert_equal(merge(parts), pack(fresh, TERMS_OF))


@given(ROWS)
def test_blocks_are_filled_and_at_most_one_term_too_long(rows: Rows) -> None:
    packed = pack(bag_of(rows, 40), TERMS_OF)
    sizes = Counter(term for term, _, _ in naive(rows))
    longest = max((3 * n + len(term.encode()) + 1 + 2 * FIELD_COUNT for term, n in sizes.items()), default=0)
    assert all(len(block) <= 8 + BLOCK_BYTES + longest for block in packed.blocks)
    assert len(packed.blocks) <= sum(map(len, packed.blocks)) // BLOCK_BYTES + 1


def test_many_terms_make_many_blocks_that_two_of_fit_a_page() -> None:
    packed = pack(bag_of([(word % 40, CODE, word, 1) for word in range(len(WORDS))], 40), TERMS_OF)
    assert len(packed.blocks) > 3
    assert all(2 * (len(block) + 40) <= 8192 for block in packed.blocks)


def test_a_term_may_stand_in_every_field_of_the_most_chunks_that_a_segment_holds() -> None:
    every = np.arange(MAX_CHUNKS, dtype=np.int32)
    chunk, field = np.tile(every, FIELD_COUNT), np.repeat(np.arange(FIELD_COUNT, dtype=np.int32), MAX_CHUNKS)
    ones = np.ones(len(chunk), np.int32)
    packed = pack(Bag(("foo",), chunk, field, ones - 1, ones, MAX_CHUNKS), TERMS_OF)
    found = read(packed, "foo")
    assert found is not None
    assert all(np.array_equal(each, every) for each in found.chunks)
    merged = merge([(packed.lengths, packed.blocks, np.ones(MAX_CHUNKS, np.bool_))])
    assert_equal(merged, packed)


@pytest.mark.parametrize(("count", "frequency", "length"), [(255, 255, 255), (256, 255, 256), (70_000, 255, 65_535)])
def test_counts_beyond_their_bytes_are_capped(count: int, frequency: int, length: int) -> None:
    packed = pack(bag_of([(0, STEM, WORDS.index("foo"), count)], 1), TERMS_OF)
    found = read(packed, "foo")
    assert found is not None
    assert (found.frequencies[STEM].tolist(), packed.lengths[STEM].tolist()) == ([frequency], [length])


@pytest.mark.parametrize("chunk_count", [0, 3])
def test_a_bag_without_terms_has_no_blocks(chunk_count: int) -> None:
    packed = pack(bag_of([(0, CODE, WORDS.index("__"), 5)] if chunk_count else [], chunk_count), TERMS_OF)
    assert (packed.directory, packed.blocks, packed.lengths.shape) == (b"", (), (FIELD_COUNT, chunk_count))
    assert Directory(packed.directory).block_of("foo") == -1
    assert_equal(merge([(packed.lengths, [], np.ones(chunk_count, np.bool_))]), packed)


def test_a_query_that_is_no_valid_unicode_is_not_found() -> None:
    packed = pack(bag_of([(0, CODE, WORDS.index("foo"), 1)], 1), TERMS_OF)
    assert Block(packed.blocks[0]).find("\udcff") is None
    assert Directory(packed.directory).block_of("\udcff") == -1


@settings(max_examples=50)
@given(st.lists(st.integers(0, 4), max_size=20), st.lists(st.integers(0, 3), min_size=5, max_size=5))
def test_expanding_walks_each_items_run(items: list[int], sizes: list[int]) -> None:
    starts = [sum(sizes[:item]) for item in range(len(sizes))]
    expected = [(place, starts[item] + step) for place, item in enumerate(items) for step in range(sizes[item])]
    entry, position = expand(np.array(items, np.int32), np.array(sizes, np.int64))
    assert list(zip(entry.tolist(), position.tolist(), strict=True)) == expected


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99)), max_size=20))
def test_values_are_summed_by_their_keys(pairs: list[tuple[int, int]]) -> None:
    expected: Counter[int] = Counter()
    for key, value in pairs:
        expected[key] += value
    table = np.array(pairs, np.int64).reshape(-1, 2)
    key, total = sum_by_key(table[:, 0], table[:, 1])
    assert list(zip(key.tolist(), total.tolist(), strict=True)) == sorted(expected.items())
