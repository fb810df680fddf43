"""What a job tells of itself: how far it is, what the indexer has become, and what was done in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal
from uuid import UUID

from sightline.adapters.files import Skipped
from sightline.errors import SightlineError

RETRIED: Final = frozenset(("unreadable", "failed", "vanished"))
"""Reasons that may be gone at the next look, which is why such a file is always looked at again."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is; `files_total` is known before the first file is done."""

    phase: str
    files_done: int = 0
    files_total: int = 0
    chunks: int = 0
    job: UUID | None = None


Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class State:
    """What an indexer that runs for ever has just become or done."""

    role: Literal["writer", "reader", "waiting"]
    summary: Summary | None = None
    problem: SightlineError | None = None


@dataclass(slots=True)
class Summary:
    """What a job did. `skipped` lists every file and folder left out, with the reason."""

    job: UUID | None = None
    files_seen: int = 0
    files_read: int = 0
    files_indexed: int = 0
    files_unchanged: int = 0
    """Files whose index is that of their bytes as they are."""
    files_removed: int = 0
    chunks_added: int = 0
    chunks_removed: int = 0
    texts_embedded: int = 0
    """Texts whose vectors were computed, since neither the index nor its cache had them."""
    skipped: list[Skipped] = field(default_factory=list)
    seconds: float = 0.0
    told: str = ""
    """What another process, which did the work, says of it."""

    @property
    def failed(self) -> list[Skipped]:
        """Files that should have been indexed and could not be."""
        return [each for each in self.skipped if each.reason in RETRIED]

    def sentence(self) -> str:
        """What happened, in one sentence; where nothing was indexed, why."""
        if self.told:
            return self.told
        if self.files_indexed or self.files_removed:
            parts = [f"{counted(self.files_indexed)} indexed"]
            parts += [f"{self.files_removed} removed"] if self.files_removed else []
            parts += [f"{len(self.failed)} failed"] if self.failed else []
            return f"{', '.join(parts)}: {self.chunks_added} chunks new, {self.chunks_removed} gone"
        if self.failed:
            lost = [each.path for each in self.failed if each.reason == "vanished"]
            if len(lost) == len(self.failed):
                return f"0 files indexed: {', '.join(lost[:3])}{', ...' if lost[3:] else ''} not found"
            return f"0 files indexed: {len(self.failed)} failed ({_reasons(self.failed)})"
        if self.files_unchanged:
            unchanged = "the only file is" if self.files_unchanged == 1 else f"all {self.files_unchanged} files are"
            return f"0 files indexed: {unchanged} unchanged"
        if self.skipped:
            return f"0 files indexed: everything is left out ({_reasons(self.skipped)})"
        return "0 files indexed: the folder is empty"


def counted(files: int) -> str:
    """As it is said of one or of many."""
    return f"{files} file" if files == 1 else f"{files} files"


def _reasons(skipped: Sequence[Skipped]) -> str:
    found = Counter(each.reason for each in skipped)
    return ", ".join(f"{reason}: {count}" for reason, count in found.items())
