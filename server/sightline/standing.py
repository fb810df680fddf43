"""Whether what was found stands in the files as they are now, and the hits of what does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from sightline.adapters.snapshots import ChunkText
from sightline.adapters.store import Checkout
from sightline.core import anchoring
from sightline.core.model import Candidate, Label, Query, Ranked
from sightline.overlays import FIRST_ID

SOURCE_STEP: Final = 1 << 48


@dataclass(frozen=True, slots=True)
class More:
    """A further hit in the same file; 0-based inclusive lines."""

    start_line: int
    end_line: int
    symbol: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A place that answers, as the file is now. Lines are 0-based and inclusive."""

    project_id: str
    root: Path
    path: str
    language: str
    kind: str
    symbol: str
    container: str
    signature: str
    text: str
    """The chunk's text; its first line is `start_line`."""
    start_line: int
    end_line: int
    best_line: int
    terms: tuple[str, ...]
    """Index terms of the query, for marking them."""
    label: Label
    score: float
    verified: bool
    more: tuple[More, ...] = ()
    signals: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Lines of a file, 0-based and inclusive."""

    root: Path
    path: str
    start_line: int
    end_line: int

    def overlaps(self, other: Place) -> bool:
        same = (self.root, self.path) == (other.root, other.path)
        return same and other.start_line <= self.end_line and self.start_line <= other.end_line


class Reader(Protocol):
    """Gives a file's current bytes, or None; without `wait` it raises BlockingIOError where it would have to."""

    def __call__(self, root: Path, path: str, /, *, wait: bool) -> bytes | None: ...


class Checked(Protocol):
    """A source of chunks, as far as their files go."""

    @property
    def project_id(self) -> str: ...

    @property
    def checkouts(self) -> tuple[Checkout, ...]: ...

    @property
    def touch(self) -> Callable[[str], None]: ...


class Standing:
    """Compares chunks with their files as they are now, each read once a search."""

    def __init__(self, sources: Sequence[Checked], read: Reader, left_out: Place | None) -> None:
        self._sources = sources
        self._read = read
        self._left_out = left_out
        self._roots = [{each.repository_id: each.root for each in source.checkouts} for source in sources]
        self.texts: dict[int, ChunkText] = {}
        """What the index has of the chunks, as far as it was read."""
        self._files: dict[tuple[Path, str], bytes | None] = {}
        self._places: dict[int, Place | None] = {}
        self._outdated: set[tuple[int, str]] = set()

    async def read_files(self, candidates: Iterable[Candidate], most: int) -> None:
        """The candidates' files, the first so many; those that are not in memory off the loop: a disk may be slow."""
        slow = []
        for each in list(dict.fromkeys(map(self._file, candidates)))[:most]:
            if each in self._files:
                continue
            try:
                self._files[each] = self._read(*each, wait=False)
            except BlockingIOError:
                slow.append(each)
        if slow:
            self._files |= await asyncio.to_thread(lambda: {each: self._read(*each, wait=True) for each in slow})

    def completed(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Those of the candidates that the index still has, with what they define."""
        return [
            Candidate(*each[:3], text.start_byte, *each[4:7], text.definitions, each[8])
            for each in candidates
            if (text := self.texts.get(each[0])) is not None
        ]

    def missing(self, ranked: Sequence[Ranked]) -> set[int]:
        """The chunks that stand nowhere now, or where they are not wanted."""
        for each in _chunks(ranked):
            if each.chunk_id not in self._places:
                self._places[each.chunk_id] = self._place(each)
        return {each.chunk_id for each in _chunks(ranked) if self._places[each.chunk_id] is None}

    def touch(self) -> None:
        """Tells the sources of files whose text is not the index's."""
        for number, path in sorted(self._outdated):
            self._sources[number].touch(path)

    def hits(self, ranked: Sequence[Ranked], query: Query, *, explain: bool) -> list[Hit]:
        """The entries, where `missing` has found them."""
        telling = anchoring.Telling(query.terms, [each.name for each in query.identifiers])
        return [
            _hit(
                entry,
                telling,
                self.texts[entry.candidate.chunk_id],
                self._found(entry.candidate),
                tuple(self._more(each) for each in entry.more),
                self._sources[entry.candidate.chunk_id // SOURCE_STEP].project_id,
                query,
                explain=explain,
            )
            for entry in ranked
        ]

    def _found(self, candidate: Candidate) -> Place:
        place = self._places[candidate.chunk_id]
        assert place is not None, "what is missing is not shown"
        return place

    def _more(self, candidate: Candidate) -> More:
        place = self._found(candidate)
        return More(place.start_line, place.end_line, self.texts[candidate.chunk_id].symbol)

    def _file(self, candidate: Candidate) -> tuple[Path, str]:
        return self._roots[candidate.chunk_id // SOURCE_STEP][candidate.repository_id], candidate.path

    def _place(self, candidate: Candidate) -> Place | None:
        """The chunk's lines now, without blank ones at its ends."""
        chunk = self.texts[candidate.chunk_id]
        root, path = self._file(candidate)
        source = self._files[root, path]
        anchor = anchoring.find(source, chunk.content, chunk.start_byte) if source is not None else None
        if (anchor is None or anchor.moved) and chunk.chunk_id < FIRST_ID:
            self._outdated.add((candidate.chunk_id // SOURCE_STEP, path))
        if anchor is None:
            return None
        first, last = anchoring.trimmed(chunk.content)
        place = Place(root, path, anchor.start_line + first, anchor.start_line + last)
        return None if self._left_out is not None and self._left_out.overlaps(place) else place


def _chunks(ranked: Sequence[Ranked]) -> list[Candidate]:
    return [each for entry in ranked for each in (entry.candidate, *entry.more)]


def _hit(
    entry: Ranked,
    telling: anchoring.Telling,
    chunk: ChunkText,
    place: Place,
    more: tuple[More, ...],
    project_id: str,
    query: Query,
    *,
    explain: bool,
) -> Hit:
    first, last = anchoring.trimmed(chunk.content)
    lines = anchoring.lines_of(chunk.content)[first : last + 1]
    best = anchoring.best_line(lines, telling, chunk.signature)
    # A chunk may hold several short definitions, and is called after the first.
    definitions = entry.candidate.definitions
    named = anchoring.defined_at(definitions, first + best)
    wanted = anchoring.of_kinds(definitions, first + best, query.filters.kinds)
    if wanted is not None and (named is None or named.kind not in query.filters.kinds):
        named, best = wanted, min(max(wanted.line_offset - first, 0), len(lines) - 1)
    return Hit(
        project_id=project_id,
        root=place.root,
        path=chunk.path,
        language=chunk.language,
        kind=named.kind if named else chunk.kind,
        symbol=named.name if named else chunk.symbol,
        container=named.container if named else chunk.container,
        signature=chunk.signature,
        text="\n".join(lines),
        start_line=place.start_line,
        end_line=place.end_line,
        best_line=place.start_line + best,
        terms=query.terms,
        label=entry.label,
        score=entry.relevance,
        verified=True,
        more=more,
        signals=entry.signals if explain else {},
    )
