"""A diff accounts for every chunk once, and keeps all that it can."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sightline.core.diffing import Diff, Position, StoredChunk, diff

HASHES = st.lists(st.sampled_from([b"a", b"b", b"c", b"d"]), max_size=10)


def at(place: int) -> Position:
    return Position(place, place, 10 * place, 10 * place + 10)


def stored_of(hashes: list[bytes]) -> list[StoredChunk]:
    return [StoredChunk(100 + place, each, at(place)) for place, each in enumerate(hashes)]


def fresh_of(hashes: list[bytes], shift: int = 0) -> list[tuple[bytes, Position]]:
    return [(each, at(place + shift)) for place, each in enumerate(hashes)]


@given(HASHES, HASHES, st.integers(0, 2))
def test_every_chunk_is_accounted_for_once(old: list[bytes], new: list[bytes], shift: int) -> None:
    stored, fresh = stored_of(old), fresh_of(new, shift)
    found = diff(stored, fresh)
    kept = len(found.moved) + found.unchanged
    assert len(found.added) + kept == len(fresh)
    assert len(found.removed) + kept == len(stored)
    assert len({*found.removed, *(chunk for chunk, _ in found.moved)}) == len(found.removed) + len(found.moved)
    assert kept == (Counter(old) & Counter(new)).total()


@given(HASHES, HASHES, st.integers(0, 2))
def test_applying_a_diff_gives_the_fresh_chunks(old: list[bytes], new: list[bytes], shift: int) -> None:
    stored, fresh = stored_of(old), fresh_of(new, shift)
    found = diff(stored, fresh)
    moved = dict(found.moved)
    rows = {(each.document_hash, moved.get(each.id, each.position)) for each in stored if each.id not in found.removed}
    assert rows | {fresh[place] for place in found.added} == set(fresh)
    assert all(position != at(chunk - 100) for chunk, position in found.moved)


@given(HASHES, st.permutations(range(10)))
def test_equal_chunks_pair_in_order_however_they_are_listed(hashes: list[bytes], order: list[int]) -> None:
    stored = [chunk for place in order for chunk in stored_of(hashes)[place : place + 1]]
    assert diff(stored, fresh_of(hashes)) == Diff((), (), (), len(hashes))
    moved = diff(stored, fresh_of(hashes, shift=1)).moved
    assert moved == tuple((100 + place, at(place + 1)) for place in range(len(hashes)))


def test_of_too_many_equal_chunks_the_last_are_added_or_removed() -> None:
    assert diff(stored_of([b"a"]), fresh_of([b"a", b"a", b"a"])) == Diff((1, 2), (), (), 1)
    assert diff(stored_of([b"a", b"a", b"a"]), fresh_of([b"a"])) == Diff((), (), (101, 102), 1)
