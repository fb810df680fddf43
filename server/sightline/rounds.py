"""One round of the indexer's work: what it was asked for, who is told, and what it has done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from sightline.adapters.analysing import Result
from sightline.adapters.journal import Unfinished
from sightline.adapters.signals import WHOLE
from sightline.adapters.writing import Counts, Writer
from sightline.jobs import Report, Summary


@dataclass(slots=True)
class Run:
    """One round of work; or an errand, which is a small one in the middle of another."""

    touched: dict[str, bool]
    left: Sequence[Unfinished]
    wants_job: bool
    writer: Writer
    report: Report
    summary: Summary
    detected_at: datetime
    job: UUID | None = None
    is_errand: bool = False
    done: set[str] = field(default_factory=set)
    """Files that errands have brought up to date meanwhile."""
    errands: Summary = field(default_factory=Summary)
    later: dict[str, bool] = field(default_factory=dict)
    """What was touched meanwhile and is too much for an errand."""

    @property
    def whole(self) -> bool:
        return WHOLE in self.touched

    @property
    def kind(self) -> str:
        return "force" if any(self.touched.values()) else "scan" if self.whole else "paths"


def add(total: Summary, done: Summary) -> None:
    """A round's summary to that of all rounds."""
    total.job = done.job or total.job
    total.skipped += done.skipped
    for name in _COUNTED:
        setattr(total, name, getattr(total, name) + getattr(done, name))


_COUNTED: Final = (
    "files_seen", "files_read", "files_indexed", "files_unchanged", "files_removed", "chunks_added", "chunks_removed",
    "texts_embedded",
)  # fmt: skip


def count(summary: Summary, result: Result, changed: Result, counts: Counts) -> None:
    """A batch to the summary of its round."""
    summary.files_read += len(result.read) + len(result.skipped)
    summary.files_indexed += len(changed.read)
    summary.files_unchanged += len(result.read) - len(changed.read)
    summary.skipped += result.skipped
    summary.chunks_added += counts.chunks_added
    summary.chunks_removed += counts.chunks_removed
    summary.texts_embedded += len(result.new_texts)
