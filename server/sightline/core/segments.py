"""Word segments: immutable postings of up to 65,535 chunks, packed in blocks of sorted terms."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sightline.core.bags import FIELD_COUNT, Bag

MAX_CHUNKS: Final = 65_535
"""Chunk numbers are uint16, and so is the count of a term's chunks."""
REAL_SIZE: Final = 3
"""What a block takes in memory, with its terms as objects, for each packed byte."""
BLOCK_BYTES: Final = 3_800
"""Two such blocks and their headers fit an 8 kB page of Postgres."""

Lengths = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Postings:
    """A term's chunks and frequencies, field by field."""

    chunks: tuple[NDArray[np.uint16], ...]
    frequencies: tuple[NDArray[np.uint8], ...]


@dataclass(frozen=True, slots=True)
class Entries:
    """Distinct (cell, chunk) with their frequencies, sorted; a cell is a term's place in sorted `terms` * 6 + field."""

    terms: Sequence[bytes]
    cell: NDArray[np.int64]
    chunk: NDArray[np.integer]
    frequency: NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class PackedWords:
    """A word segment as it is stored. `lengths` is uint16[6, chunks]: tokens in each field."""

    lengths: Lengths
    directory: bytes
    blocks: tuple[bytes, ...]


class Directory:
    """The first term of each block, to find the one block that may hold a term."""

    def __init__(self, packed: bytes) -> None:
        self._first = packed.split(b"\0") if packed else []

    def block_of(self, term: str) -> int:
        """The block's number, or -1 where the term sorts before all."""
        return bisect.bisect_right(self._first, term.encode("utf-8", "replace")) - 1


class Block:
    """One block, decoded when a term is asked for."""

    def __init__(self, packed: bytes) -> None:
        terms_count, text_size = (int(each) for each in np.frombuffer(packed, "<u4", 2))
        counts_end = 8 + terms_count * FIELD_COUNT * 2
        text_end = counts_end + text_size
        self._terms = packed[counts_end:text_end].split(b"\0")
        counts = np.frombuffer(packed, "<u2", terms_count * FIELD_COUNT, 8)
        self._ends = np.cumsum(counts, dtype=np.int64)
        total = int(self._ends[-1])
        self._chunks = np.frombuffer(packed, "<u2", total, text_end)
        self._frequencies = np.frombuffer(packed, np.uint8, total, text_end + total * 2)
        self.size = REAL_SIZE * len(packed)

    def find(self, term: str) -> Postings | None:
        """The term's postings, or None where the block has none."""
        wanted = term.encode("utf-8", "replace")
        row = bisect.bisect_left(self._terms, wanted)
        if row == len(self._terms) or self._terms[row] != wanted:
            return None
        cells = range(row * FIELD_COUNT, (row + 1) * FIELD_COUNT)
        bounds = [(int(self._ends[cell - 1]) if cell else 0, int(self._ends[cell])) for cell in cells]
        return Postings(
            tuple(self._chunks[start:end] for start, end in bounds),
            tuple(self._frequencies[start:end] for start, end in bounds),
        )

    def entries(self) -> tuple[list[bytes], NDArray[np.int64], NDArray[np.uint16], NDArray[np.uint8]]:
        """Terms, and for each entry its cell (term * 6 + field), chunk and frequency: for merging."""
        counts = np.diff(self._ends, prepend=0)
        return self._terms, np.repeat(np.arange(len(counts)), counts), self._chunks, self._frequencies


def pack(bag: Bag, terms_of: Mapping[str, tuple[str, ...]]) -> PackedWords:
    """The segment of a bag; `terms_of` gives each word's index terms."""
    entries = _expand(bag, terms_of)
    return PackedWords(_lengths(entries, bag.chunk_count), *pack_entries(entries))


def pack_entries(entries: Entries) -> tuple[bytes, tuple[bytes, ...]]:
    """Directory and blocks."""
    if not len(entries.cell):
        return b"", ()
    texts = entries.terms
    cell_counts = np.bincount(entries.cell, minlength=len(texts) * FIELD_COUNT)
    per_term = cell_counts.reshape(-1, FIELD_COUNT).sum(axis=1)
    sizes = 3 * per_term + np.fromiter(map(len, texts), np.int64, len(texts)) + 1 + 2 * FIELD_COUNT
    ends = np.cumsum(sizes)
    # A block ends where the next term would pass a multiple of BLOCK_BYTES, so it is at most one term longer.
    cuts = np.flatnonzero(np.diff((ends - 1) // BLOCK_BYTES)) + 1
    bounds = [0, *cuts.tolist(), len(texts)]
    entry_ends = np.concatenate([[0], np.cumsum(per_term)])
    counts = cell_counts.astype("<u2")
    chunks, frequencies = entries.chunk.astype("<u2"), np.minimum(entries.frequency, 255).astype(np.uint8)
    blocks = []
    for first, last in pairwise(bounds):
        text = b"\0".join(texts[first:last])
        start, end = int(entry_ends[first]), int(entry_ends[last])
        header = np.array([last - first, len(text)], "<u4").tobytes()
        cells = counts[first * FIELD_COUNT : last * FIELD_COUNT].tobytes()
        blocks.append(b"".join((header, cells, text, chunks[start:end].tobytes(), frequencies[start:end].tobytes())))
    return b"\0".join(texts[first] for first in bounds[:-1]), tuple(blocks)


def merge(parts: Sequence[tuple[Lengths, Sequence[bytes], NDArray[np.bool_]]]) -> PackedWords:
    """One segment of the chunks that live in several; each part is (lengths, all blocks, which chunks live).

    An entry is one number (term, field, chunk, frequency) until it is sorted, and a block is unpacked only once, since
    there may be 5 million entries.
    """
    number: defaultdict[bytes, int] = defaultdict(count().__next__)
    keys, base = [np.zeros(0, np.int64)], 0
    for _, blocks, live in parts:
        renumbered = np.where(live, np.cumsum(live) - 1 + base, -1)
        keys += [_keys(Block(packed), number, renumbered) for packed in blocks]
        base += int(live.sum())
    terms = sorted(number)
    rank = np.empty(len(terms), np.int64)
    rank[[number[term] for term in terms]] = np.arange(len(terms))
    key = np.concatenate([rank[each >> 32] << 32 | each & 0xFFFF_FFFF for each in keys])
    del keys
    key.sort()
    chunk, frequency = (key >> 8 & 0xFFFF).astype("<u2"), (key & 0xFF).astype(np.uint8)
    key >>= 24
    cell = (key >> 8) * FIELD_COUNT + (key & 0xFF)
    del key
    lengths = np.concatenate([lengths[:, live] for lengths, _, live in parts], axis=1)
    return PackedWords(np.ascontiguousarray(lengths), *pack_entries(Entries(terms, cell, chunk, frequency)))


def _keys(block: Block, number: Mapping[bytes, int], renumbered: NDArray[np.int64]) -> NDArray[np.int64]:
    """The entries of a block's living chunks; each term that has any gets its number."""
    terms, cells, chunks, frequencies = block.entries()
    chunk = renumbered[chunks]
    if (dead := chunk < 0).any():
        chunk, cells, frequencies = chunk[~dead], cells[~dead], frequencies[~dead]
    term, field = np.divmod(cells, FIELD_COUNT)
    used = np.unique(term)
    numbers = np.zeros(len(terms), np.int64)
    numbers[used] = [number[terms[place]] for place in used.tolist()]
    return numbers[term] << 32 | field << 24 | chunk << 8 | frequencies


def _expand(bag: Bag, terms_of: Mapping[str, tuple[str, ...]]) -> Entries:
    """Words to terms, summed and sorted."""
    tuples = [terms_of[word] for word in bag.words]
    flat = [term for terms in tuples for term in terms]
    terms = sorted(set(flat))
    number = {term: index for index, term in enumerate(terms)}
    flat_terms = np.fromiter(map(number.__getitem__, flat), np.int64, len(flat))
    sizes = np.fromiter(map(len, tuples), np.int64, len(tuples))
    entry, position = expand(bag.word, sizes)
    key = (flat_terms[position] * FIELD_COUNT + bag.field[entry]) * max(bag.chunk_count, 1) + bag.chunk[entry]
    key, frequency = sum_by_key(key, bag.count[entry].astype(np.int64))
    cell, chunk = np.divmod(key, max(bag.chunk_count, 1))
    return Entries([term.encode("utf-8", "replace") for term in terms], cell, chunk, frequency)


def expand(items: NDArray[np.int32], sizes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each element of each item's run (runs lie one behind another): the item's place, the element's place."""
    starts = np.cumsum(sizes) - sizes
    repeats = sizes[items]
    entry = np.repeat(np.arange(len(items)), repeats)
    within = np.arange(len(entry)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return entry, starts[items][entry] + within


def sum_by_key(key: NDArray[np.int64], value: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct keys in order, and the sum of each key's values."""
    if not len(key):
        return key, value
    order = np.argsort(key)
    key = key[order]
    first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    return key[first], np.add.reduceat(value[order], first)


def _lengths(entries: Entries, chunk_count: int) -> Lengths:
    cell = entries.cell % FIELD_COUNT * chunk_count + entries.chunk
    sums = np.bincount(cell, weights=entries.frequency, minlength=FIELD_COUNT * chunk_count)
    return np.minimum(sums, 65_535).astype(np.uint16).reshape(FIELD_COUNT, chunk_count)
