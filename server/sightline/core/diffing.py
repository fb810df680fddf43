"""What a new version of a file keeps of the old one's chunks."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """0-based inclusive lines and half-open bytes."""

    start_line: int
    end_line: int
    start_byte: int
    end_byte: int


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk as the index has it."""

    id: int
    document_hash: bytes
    position: Position


@dataclass(frozen=True, slots=True)
class Diff:
    """`added` are places among the fresh chunks; the others are ids of stored ones."""

    added: tuple[int, ...]
    moved: tuple[tuple[int, Position], ...]
    removed: tuple[int, ...]
    unchanged: int


def diff(stored: Sequence[StoredChunk], fresh: Sequence[tuple[bytes, Position]]) -> Diff:
    """Pairs chunks of equal document hash in their order; what is left is added or removed."""
    by_hash: dict[bytes, deque[StoredChunk]] = defaultdict(deque)
    for chunk in sorted(stored, key=lambda each: each.position.start_byte):
        by_hash[chunk.document_hash].append(chunk)
    added: list[int] = []
    moved: list[tuple[int, Position]] = []
    unchanged = 0
    for place, (document_hash, position) in enumerate(fresh):
        same = by_hash.get(document_hash)
        if not same:
            added.append(place)
            continue
        old = same.popleft()
        if old.position == position:
            unchanged += 1
        else:
            moved.append((old.id, position))
    removed = tuple(chunk.id for rest in by_hash.values() for chunk in rest)
    return Diff(tuple(added), tuple(moved), removed, unchanged)
