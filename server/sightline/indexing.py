"""Keeps a checkout's index equal to its files: scan, compare, analyse, store. Every change goes through `touch`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sightline.adapters import files
from sightline.adapters.analysing import FileTask, Result, Task, Workers
from sightline.adapters.embedding import Identity
from sightline.adapters.files import Found, Rules, Skipped
from sightline.adapters.ignoring import parts
from sightline.adapters.store import Checkout, Store
from sightline.adapters.writing import INDEXED, Counts, FileRow, Writer
from sightline.core.analysis import VERSION
from sightline.core.diffing import StoredChunk
from sightline.errors import AnalysisError, SightlineError
from sightline.jobs import RETRIED, Progress, Report, State, Summary

BATCH_BYTES: Final = 1 << 20
BATCH_FILES: Final = 200
RACY_NS: Final = 2_000_000_000
"""A file changed this shortly before it was indexed may have changed again within its time stamp (as git's racy rule)."""
RETRY_SECONDS: Final = 0.5
TAKEOVER_SECONDS: Final = 2.0
"""How often a server that is not the writer looks whether it may become it."""
DEBOUNCE_SECONDS: Final = 0.05
LOG: Final = logging.getLogger(__name__)
WHOLE: Final = ""
"""The path that stands for the whole checkout."""
IGNORE_FILES: Final = frozenset((".gitignore", ".sightlineignore"))


@dataclass(frozen=True, slots=True)
class Plan:
    """What differs between the disk and the index."""

    to_read: tuple[tuple[Found, FileRow | None], ...]
    gone: tuple[FileRow, ...]
    seen: int
    skipped: tuple[Skipped, ...]
    force: bool
    """Files are analysed although their bytes are those of the index."""
    rebuild: bool
    """No stored chunk is kept: they were made by another chunker or embedder."""


class Indexer:
    """The one that may change a checkout's rows, if it gets the writer's lock."""

    def __init__(
        self,
        store: Store,
        checkout: Checkout,
        workers: Workers,
        rules: Rules,
        embedder: tuple[str, str, Identity, int],
    ) -> None:
        """`embedder` is provider, model, identity and the id of its row."""
        self._store = store
        self.checkout = checkout
        self._workers = workers
        self._rules = rules
        self._provider, self._model, self._identity, self._embedder_id = embedder
        self._touched: dict[str, bool] = {}
        self._cancelled = False
        self._preferred: frozenset[str] = frozenset()
        self._wants_job = False
        self._wake = asyncio.Event()
        self._going = asyncio.Event()
        self._going.set()

    def touch(self, paths: Iterable[str] = (WHOLE,), *, force: bool = False, as_job: bool = False) -> None:
        """These paths (files or folders, relative) may differ from the index.

        With `force` they are read and analysed whatever; scans and what somebody asked for `as_job` get a job's row.
        Raises FolderError for a path that leaves the checkout.
        """
        paths = tuple(paths)
        for path in filter(None, paths):
            parts(path)
        self._wants_job = self._wants_job or as_job
        for path in paths:
            if path.rpartition("/")[2] in IGNORE_FILES:
                path = path.rpartition("/")[0]
            self._touched[path] = force or self._touched.get(path, False)
        self._wake.set()

    def cancel(self) -> None:
        """Ends the running job after the batches under way, also a paused one."""
        self._cancelled = True
        self._going.set()

    def prefer(self, paths: Iterable[str]) -> None:
        """These files are wanted first: they are open in an editor."""
        self._preferred = frozenset(paths)

    @property
    def queued(self) -> int:
        """How many touched paths wait."""
        return len(self._touched)

    @property
    def paused(self) -> bool:
        return not self._going.is_set()

    def pause(self) -> None:
        """Starts no further batch until `resume`."""
        self._going.clear()

    def resume(self) -> None:
        self._going.set()

    async def keep(self, report: Report, told: Callable[[State], None]) -> None:
        """Keeps the index current for ever: as its writer, or waiting until the one that writes has ended."""
        patience = RETRY_SECONDS
        while True:
            try:
                async with self.writing(wait=False) as writer:
                    told(State("writer" if writer else "reader"))
                    patience = RETRY_SECONDS
                    if writer is None:
                        await asyncio.sleep(TAKEOVER_SECONDS)
                    else:
                        await self._keep(writer, report, told)
            except SightlineError as error:
                told(State("waiting", problem=error))
            except Exception as error:
                LOG.exception("indexing failed unexpectedly")
                told(State("waiting", problem=SightlineError(f"indexing failed ({type(error).__name__})")))
            else:
                continue
            await asyncio.sleep(patience)
            patience = min(2 * patience, 30.0)
            with contextlib.suppress(SightlineError):
                await self._store.revive()

    async def _keep(self, writer: Writer, report: Report, told: Callable[[State], None]) -> None:
        """As the writer: what happened before is unknown, so everything is looked at first."""
        self.touch()
        while True:
            await self._wake.wait()
            await asyncio.sleep(DEBOUNCE_SECONDS)
            self._wake.clear()
            told(State("writer", summary=await self.settle(writer, report)))

    @contextlib.asynccontextmanager
    async def writing(self, *, wait: bool = True) -> AsyncIterator[Writer | None]:
        """The right to write this checkout; None where another process has it and we do not wait."""
        writer = await self._store.writer(self.checkout.repository_id, self._embedder_id, self._identity, wait=wait)
        try:
            yield writer
        finally:
            if writer is not None:
                await writer.close()

    async def settle(self, writer: Writer, report: Report = lambda progress: None) -> Summary:
        """Brings the index up to date with everything touched; what failed midway stays touched."""
        started = time.monotonic()
        summary = Summary()
        self._cancelled = False
        while self._touched and not self._cancelled:
            batch, self._touched = self._touched, {}
            try:
                await self._settle(batch, writer, report, summary)
            except BaseException:
                self._touched = batch | self._touched
                raise
        summary.seconds = time.monotonic() - started
        return summary

    async def _settle(self, touched: dict[str, bool], writer: Writer, report: Report, summary: Summary) -> None:
        detected_at = datetime.now(UTC)
        report(Progress("scanning"))
        rebuild = await self._store.analysis_of(self.checkout.repository_id) not in (None, self._analysis)
        plan = await self._plan(touched, rebuild)
        summary.files_seen += plan.seen
        summary.skipped += plan.skipped
        whole = WHOLE in touched
        kind = "force" if any(touched.values()) else "scan" if whole else "paths"
        wanted, self._wants_job = self._wants_job, False
        job = await writer.start_job(kind, len(plan.to_read), f"{os.getpid()}") if whole or wanted else None
        summary.job = job
        try:
            await self._execute(plan, writer, report, summary, job, detected_at)
        except BaseException as error:
            await self._end_job(writer, job, error)
            raise
        if job is not None:
            state = "cancelled" if self._cancelled else "completed"
            await writer.finish_job(job, state, summary.sentence())
        if whole and not self._cancelled:
            await writer.set_analysis(self._analysis)
        await writer.merge()

    async def _end_job(self, writer: Writer, job: UUID | None, error: BaseException) -> None:
        """Notes why a job ended; a writer whose connection is gone cannot, the next one will."""
        if job is None or not writer.is_open:
            return
        interrupted = isinstance(error, asyncio.CancelledError | KeyboardInterrupt)
        message = "interrupted" if interrupted else str(error)
        with contextlib.suppress(SightlineError):
            await asyncio.shield(writer.finish_job(job, "cancelled" if interrupted else "failed", message, message))

    async def _plan(self, touched: dict[str, bool], rebuild: bool) -> Plan:
        """Compares the disk with the index below the touched paths."""
        whole = WHOLE in touched
        within = () if whole else tuple(touched)
        scan = await asyncio.to_thread(files.scan, self.checkout.root, self._rules, within=within)
        rows = await self._store.files(self.checkout.repository_id, within)
        found = {each.path: each for each in scan.found}
        force = rebuild or any(touched.values())
        # An event means that something happened, whatever the time stamps say; a scan may trust them.
        trusted = whole and not force
        to_read = tuple(
            (each, row)
            for each in scan.found
            if not ((row := rows.get(each.path)) is not None and trusted and _unchanged(each, row))
        )
        gone = tuple(row for path, row in rows.items() if path not in found)
        # Open files first, then the freshest: what somebody works on is what somebody looks for.
        to_read = tuple(sorted(to_read, key=lambda pair: (pair[0].path not in self._preferred, -pair[0].stat.mtime_ns)))
        return Plan(to_read, gone, len(found), scan.skipped, force, rebuild)

    async def _execute(
        self,
        plan: Plan,
        writer: Writer,
        report: Report,
        summary: Summary,
        job: UUID | None,
        detected_at: datetime,
    ) -> None:
        """Removes what is gone, then analyses batches in the workers while finished ones are stored."""
        removed = await writer.remove(plan.gone, detected_at)
        summary.files_removed += removed.files
        summary.chunks_removed += removed.chunks_removed
        total = len(plan.to_read)
        report(Progress("indexing", 0, total, 0, job))
        known = {found.path: row for found, row in plan.to_read if row is not None}
        async with contextlib.aclosing(self._results(plan)) as results:
            async for result in results:
                unchanged, changed = _divided(result, known)
                await writer.refresh_stats(unchanged)
                counts = (
                    await writer.apply(changed, known, detected_at) if changed.read or changed.skipped else Counts()
                )
                _count(summary, result, changed, counts)
                report(Progress("indexing", summary.files_read, total, summary.chunks_added, job))
                if job is not None:
                    done = {"files_done": summary.files_read, "chunks": summary.chunks_added, "phase": "indexing"}
                    await writer.update_job(job, **done)

    async def _results(self, plan: Plan) -> AsyncGenerator[Result, None]:
        """Results of all batches as they come, a few of them under way at a time."""
        batches = _batches(plan.to_read)
        running: set[asyncio.Task[list[Result]]] = set()
        try:
            while True:
                await self._going.wait()
                while len(running) <= self._workers.count and not self._cancelled:
                    batch = next(batches, None)
                    if batch is None:
                        break
                    running.add(asyncio.create_task(self._analyse(batch, plan)))
                if not running:
                    return
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    for result in task.result():
                        yield result
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _analyse(self, batch: Sequence[tuple[Found, FileRow | None]], plan: Plan) -> list[Result]:
        """One batch; where a worker dies on it, its halves, until the one file that kills is found and left out."""
        stored = await self._store.chunks([row.id for _, row in batch if row is not None and row.outcome == INDEXED])
        tasks = tuple(_task(found, row, stored.get(row.id, ()) if row else (), plan) for found, row in batch)
        try:
            return [await self._workers.run(Task(self.checkout.root, self._rules, tasks, self._provider, self._model))]
        except AnalysisError:
            if len(batch) == 1:
                return [
                    Result.failed(Skipped(batch[0][0].path, "failed", stat=batch[0][0].stat), self._identity.dimensions)
                ]
            middle = len(batch) // 2
            halves = [await self._analyse(half, plan) for half in (batch[:middle], batch[middle:])]
            return halves[0] + halves[1]

    @property
    def _analysis(self) -> str:
        """What the index was made with; where it differs, everything is made again."""
        identity = self._identity
        return f"{VERSION} {identity.name} {identity.version} {identity.dimensions}"


def _unchanged(found: Found, row: FileRow) -> bool:
    """Whether size, times and inode say that the file is as it was indexed, as git's index does."""
    if row.outcome in RETRIED or found.stat != row.stat:
        return False
    return found.stat.mtime_ns + RACY_NS < row.indexed_ns


def _task(found: Found, row: FileRow | None, stored: tuple[StoredChunk, ...], plan: Plan) -> FileTask:
    if plan.rebuild:
        stored = tuple(replace(chunk, document_hash=b"") for chunk in stored)
    known = row.content_hash if row is not None and row.outcome == INDEXED and not plan.force else None
    return FileTask(found.path, found.stat.size, known, stored)


def _batches(to_read: Sequence[tuple[Found, FileRow | None]]) -> Iterator[list[tuple[Found, FileRow | None]]]:
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


def _divided(result: Result, known: dict[str, FileRow]) -> tuple[list[tuple[int, files.Stat]], Result]:
    """Files whose bytes are those of the index need a new stat only; the rest is stored."""
    unchanged = [(known[each.path].id, each.stat) for each in result.read if each.change is None]
    return unchanged, replace(result, read=tuple(each for each in result.read if each.change is not None))


def _count(summary: Summary, result: Result, changed: Result, counts: Counts) -> None:
    summary.files_read += len(result.read) + len(result.skipped)
    summary.files_indexed += len(changed.read)
    summary.skipped += result.skipped
    summary.chunks_added += counts.chunks_added
    summary.chunks_removed += counts.chunks_removed
