"""What differs between a checkout's files and its index, and the batches in which it is read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from sightline.adapters import files
from sightline.adapters.analysing import FileTask, Result
from sightline.adapters.files import Found, Skipped
from sightline.adapters.writing import INDEXED, FileRow
from sightline.core.diffing import StoredChunk
from sightline.jobs import RETRIED

BATCH_BYTES: Final = 1 << 20
BATCH_FILES: Final = 200
RACY_NS: Final = 2_000_000_000
"""A file changed this shortly before it was indexed may have changed again within its time stamp (as git's racy rule)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What differs between the disk and the index."""

    to_read: tuple[tuple[Found, FileRow | None], ...]
    gone: tuple[FileRow, ...]
    seen: int
    unchanged: int
    """Indexed files that need not be read."""
    skipped: tuple[Skipped, ...]
    force: bool
    """Files are analysed although their bytes are those of the index."""
    rebuild: bool
    """No stored chunk is kept: they were made by another chunker or embedder."""


def is_unchanged(found: Found, row: FileRow) -> bool:
    """Whether size, times and inode say that the file is as it was indexed, as git's index does."""
    if row.outcome in RETRIED or found.stat != row.stat:
        return False
    return found.stat.mtime_ns + RACY_NS < row.indexed_ns


def unindexed(rows: Iterable[FileRow]) -> tuple[Skipped, ...]:
    """Files that were read once and are not indexed for what they hold."""
    return tuple(
        Skipped(row.path, cast(files.Reason, row.outcome), stat=row.stat) for row in rows if row.outcome != INDEXED
    )


def compared(
    scan: files.Scan,
    rows: Mapping[str, FileRow],
    preferred: Collection[str],
    *,
    force: bool,
    rebuild: bool,
    whole: bool,
) -> Plan:
    """What there is to do, given what there is on the disk and in the index."""
    found = {each.path for each in scan.found}
    # An event means that something happened, whatever the time stamps say; a scan may trust them.
    trusted = whole and not force
    to_read = [
        (each, row)
        for each in scan.found
        if not ((row := rows.get(each.path)) is not None and trusted and is_unchanged(each, row))
    ]
    gone = tuple(row for path, row in rows.items() if path not in found)
    unread = found - {each.path for each, _ in to_read}
    left_out = unindexed(rows[path] for path in unread)
    # Open files first, then the freshest: what somebody works on is what somebody looks for.
    to_read.sort(key=lambda pair: (pair[0].path not in preferred, -pair[0].stat.mtime_ns))
    unchanged = len(unread) - len(left_out)
    return Plan(tuple(to_read), gone, len(found), unchanged, (*scan.skipped, *left_out), force, rebuild)


def task_of(found: Found, row: FileRow | None, stored: tuple[StoredChunk, ...], plan: Plan) -> FileTask:
    if plan.rebuild:
        stored = tuple(replace(chunk, document_hash=b"") for chunk in stored)
    known = row.content_hash if row is not None and row.outcome == INDEXED and not plan.force else None
    return FileTask(found.path, found.stat.size, known, stored)


def batches(to_read: Sequence[tuple[Found, FileRow | None]]) -> Iterator[list[tuple[Found, FileRow | None]]]:
    """Runs of files of about BATCH_BYTES, the first ones small so that something is found soon."""
    batch: list[tuple[Found, FileRow | None]] = []
    size, limit = 0, BATCH_BYTES // 4
    for each in to_read:
        if batch and (size + each[0].stat.size > limit or len(batch) >= BATCH_FILES):
            yield batch
            batch, size, limit = [], 0, BATCH_BYTES
        batch.append(each)
        size += each[0].stat.size
    if batch:
        yield batch


def divided(result: Result, known: dict[str, FileRow]) -> tuple[list[tuple[int, files.Stat]], Result]:
    """Files whose bytes are those of the index need a new stat only; the rest is stored."""
    unchanged = [(known[each.path].id, each.stat) for each in result.read if each.change is None]
    return unchanged, replace(result, read=tuple(each for each in result.read if each.change is not None))
