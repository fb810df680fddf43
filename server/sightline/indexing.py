"""Keeps a checkout's index equal to its files: scan, compare, analyse, store. Every change goes through `touch`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sightline import keeping
from sightline.adapters import files
from sightline.adapters.analysing import Recall, Result, Task, Workers, recall_nothing
from sightline.adapters.choosing import Chooser
from sightline.adapters.files import Found, Rules, Skipped
from sightline.adapters.ignoring import parts
from sightline.adapters.journal import Unfinished
from sightline.adapters.postgres import ANSWER_SECONDS
from sightline.adapters.signals import WHOLE, Ears, Seat
from sightline.adapters.store import Checkout, Store
from sightline.adapters.writing import INDEXED, Counts, FileRow, Writer
from sightline.core.analysis import VERSION
from sightline.errors import AnalysisError, Cancelled, SightlineError
from sightline.filling import Filler
from sightline.jobs import Progress, Report, State, Summary
from sightline.planning import Plan, batches, compared, divided, task_of
from sightline.rounds import Run, add, count

FEW: Final = 20
"""So few files are indexed at once whatever the machine has to do: somebody has just saved them."""
REST_SECONDS: Final = 5.0
"""How often a job that waits for mains or a quieter machine looks again."""
ANALYSIS: Final = f"chunks {VERSION}"
"""What chunks are made with: where it differs, all are made anew. Which model's vectors they have is `filling`'s."""
IGNORE_FILES: Final = frozenset((".gitignore", ".sightlineignore"))


class Indexer:
    """The one that may change a checkout's rows, if it gets the writer's lock."""

    def __init__(
        self,
        store: Store,
        checkout: Checkout,
        workers: Workers,
        rules: Rules,
        chooser: Chooser,
        must_rest: Callable[[], bool] = lambda: False,
    ) -> None:
        """While `must_rest`, long jobs wait."""
        self._store = store
        self.checkout = checkout
        self._workers = workers
        self._rules = rules
        self._chooser = chooser
        self.filler = Filler(store, checkout, workers, rules, chooser, lambda path: self.touch((path,)))
        self._touched: dict[str, bool] = {}
        self._must_rest = must_rest
        self._cancelled = asyncio.Event()
        self._preferred: frozenset[str] = frozenset()
        self._asked = self._answered = 0  # how often a job was wanted, and what of that the last one to begin is for
        self._wake = asyncio.Event()
        self._moved = asyncio.Event()
        self._going = asyncio.Event()
        self._going.set()

    def touch(self, paths: Iterable[str] = (WHOLE,), *, force: bool = False, as_job: bool = False) -> None:
        """These paths (files or folders, relative) may differ from the index.

        With `force` they are read and analysed whatever; all of them, and what somebody asked for `as_job`, is a job.
        Raises FolderError for a path that leaves the checkout.
        """
        paths = tuple(paths)
        self._note(paths, force=force)
        self._asked += as_job or WHOLE in paths
        self._wake.set()
        self._moved.set()

    def _note(self, paths: Sequence[str], *, force: bool) -> None:
        for path in filter(None, paths):
            parts(path)
        for path in paths:
            if path.rpartition("/")[2] in IGNORE_FILES:
                path = path.rpartition("/")[0]
            self._touched[path] = force or self._touched.get(path, False)

    def reconcile(self) -> None:
        """Looks at everything, in case that nobody told us of a change; no job, since nobody waits for it."""
        self._touched.setdefault(WHOLE, False)
        self._wake.set()

    def cancel(self) -> None:
        """Ends the running job, also a paused one. What is stored stays; the batches under way are dropped."""
        self._cancelled.set()
        self._going.set()
        self._moved.set()

    @property
    def cancelled(self) -> bool:
        """Whether the last job was, so that nothing is begun again by itself."""
        return self._cancelled.is_set()

    def prefer(self, paths: Iterable[str]) -> None:
        """These files are wanted first: they are open in an editor."""
        self._preferred = frozenset(paths)

    @property
    def queued(self) -> int:
        """How many touched paths wait."""
        return len(self._touched)

    @property
    def is_asked(self) -> bool:
        """Whether somebody waits for a job."""
        return self._asked > self._answered

    @property
    def paused(self) -> bool:
        return not self._going.is_set()

    def pause(self) -> None:
        """Starts no further batch until `resume`."""
        self._going.clear()

    def resume(self) -> None:
        self._going.set()

    async def woken(self, seconds: float | None = None) -> None:
        """Waits until something was touched or `wake` was called, at most for so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    def wake(self) -> None:
        self._wake.set()

    async def hand_over(self, seat: Seat) -> None:
        """Forwards what was touched here to the process that writes."""
        if not self._touched:
            return
        batch, self._touched = self._touched, {}
        as_job, self._answered = self.is_asked, self._asked
        with self._kept(batch, as_job=as_job):
            await seat.forward(batch, as_job=as_job)

    async def keep(self, report: Report, told: Callable[[State], None], look: float = keeping.TAKEOVER_SECONDS) -> None:
        """Keeps the index current for ever: as its writer, or as one that forwards to the writer and may take over."""
        await keeping.keep(self, self._store, report, told, look)

    def seat(self, ears: Ears) -> contextlib.AbstractAsyncContextManager[Seat]:
        """A place beside the one that writes, or its own."""
        serving = self._chooser.current.serving
        return self._store.seat(self.checkout.repository_id, serving.id, serving.identity, ears)

    @contextlib.asynccontextmanager
    async def writing(self, *, wait: bool = True) -> AsyncIterator[Writer | None]:
        """The right to write this checkout; None where another process has it and we do not wait."""
        serving = self._chooser.current.serving
        writer = await self._store.writer(self.checkout.repository_id, serving.id, serving.identity, wait=wait)
        try:
            yield writer
        finally:
            if writer is not None:
                await writer.close()

    async def settle(self, writer: Writer, report: Report = lambda progress: None) -> Summary:
        """Brings the index up to date with everything touched; what failed midway stays touched."""
        started = time.monotonic()
        summary = Summary()
        self._cancelled.clear()
        while not self.cancelled:
            asked = self._asked  # whose job comes while we read the jobs is heard in the next round
            left = await self._taken_over(writer)
            if self._touched:
                await writer.catch_up()
                add(summary, await self._round(writer, report, left, asked))
            elif self._asked == asked:
                self._answered = asked
                break
        if self.cancelled:  # while its last job was handed on
            self.filler.stop()
        summary.seconds = time.monotonic() - started
        return summary

    async def _round(self, writer: Writer, report: Report, left: Sequence[Unfinished], asked: int) -> Summary:
        """Does all that is touched now."""
        touched, self._touched = self._touched, {}
        as_job, self._answered = self.is_asked or bool(left), asked
        run = Run(touched, left, as_job, writer, report, Summary(), datetime.now(UTC))
        try:
            with self._kept(touched, as_job=as_job):
                await self._settle(run)
        finally:
            self._keep(run.later, as_job=False)
        return run.summary

    @contextlib.contextmanager
    def _kept(self, touched: Mapping[str, bool], *, as_job: bool) -> Iterator[None]:
        """What the block did not do to its end stays touched."""
        with contextlib.ExitStack() as undo:
            undo.callback(self._keep, touched, as_job=as_job)
            yield
            undo.pop_all()

    def _keep(self, touched: Mapping[str, bool], *, as_job: bool) -> None:
        """Touches again, beside what was touched meanwhile."""
        for path, force in touched.items():
            self._touched[path] = force or self._touched.get(path, False)
        self._asked += as_job

    async def _taken_over(self, writer: Writer) -> list[Unfinished]:
        """Jobs that somebody asked for or a dead writer left; from now on they are ours."""
        if not (writer.is_new or self.is_asked):
            return []
        await writer.recall_bodies()
        left = await writer.unfinished_jobs()
        for job in left:
            self._note(job.paths or (WHOLE,), force=job.kind == "force")
        writer.is_new = False
        return left

    async def _settle(self, run: Run) -> None:
        run.report(Progress("scanning"))
        if run.wants_job:
            run.job = await run.writer.begin_job(run.kind, tuple(run.touched), f"{os.getpid()}", run.left)
        run.summary.job = run.job
        try:
            await self._work(run)
        except Cancelled:
            await self._finish(run, "cancelled")
        except BaseException as error:
            await self._end_job(run.writer, run.job, error)
            raise
        else:
            if self.cancelled:
                await self._finish(run, "cancelled")
            elif not await self.filler.takes_over(run.writer, run.job, run.summary.sentence()):
                await self._finish(run, "completed")
        if run.whole:
            await run.writer.forget_old()
        await run.writer.merge()

    async def _work(self, run: Run) -> None:
        """Scans, compares and stores."""
        choice = await self._chooser.look()
        if choice.serving.id != run.writer.embedder_id:  # another process has rolled it back
            run.writer.serve(choice.serving.id, choice.serving.identity)
        rebuild = choice.analysis not in (None, ANALYSIS)
        plan = await self._plan(run.touched, rebuild)
        if self.cancelled:
            raise Cancelled("The job was cancelled.")
        run.summary.files_seen += plan.seen
        run.summary.files_unchanged += plan.unchanged
        run.summary.skipped += plan.skipped
        if run.job is not None:
            total = len(plan.to_read)
            await run.writer.update_job(run.job, state="running", phase="indexing", files_total=total, files_done=0)
        await self._execute(plan, run)
        add(run.summary, run.errands)
        if run.whole and not self.cancelled:
            await run.writer.set_analysis(ANALYSIS)

    async def _finish(self, run: Run, state: str) -> None:
        if run.job is not None:
            summary = run.summary
            await run.writer.update_job(run.job, texts_embedded=summary.texts_embedded)
            await run.writer.finish_job(run.job, state, summary.sentence(), failed=summary.failed)

    async def _end_job(self, writer: Writer, job: UUID | None, error: BaseException) -> None:
        """Notes why a job ended; a writer whose connection is gone cannot, and the next one goes on with it."""
        if job is None or not writer.is_open:
            return
        interrupted = isinstance(error, asyncio.CancelledError | KeyboardInterrupt)
        message = "interrupted" if interrupted else str(error)
        state = "cancelled" if interrupted else "failed"
        ending = asyncio.ensure_future(writer.finish_job(job, state, message, message))
        # Whoever is cancelled twice leaves it alone, and what becomes of it then is nobody's business.
        ending.add_done_callback(lambda done: done.cancelled() or done.exception())
        with contextlib.suppress(SightlineError, TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                await asyncio.shield(ending)

    async def _plan(self, touched: dict[str, bool], rebuild: bool) -> Plan:
        """Compares the disk with the index below the touched paths."""
        whole = WHOLE in touched
        within = () if whole else tuple(touched)
        scan = await asyncio.to_thread(
            files.scan, self.checkout.root, self._rules, within=within, cancelled=self._cancelled.is_set
        )
        rows = await self._store.files(self.checkout.repository_id, within)
        return compared(
            scan, rows, self._preferred, force=rebuild or any(touched.values()), rebuild=rebuild, whole=whole
        )

    async def _execute(self, plan: Plan, run: Run) -> None:
        """Removes what is gone, then analyses batches in the workers while finished ones are stored."""
        summary, writer = run.summary, run.writer
        removed = await writer.remove(plan.gone, run.detected_at)
        summary.files_removed += removed.files
        summary.chunks_removed += removed.chunks_removed
        total = len(plan.to_read)
        run.report(Progress("indexing", 0, total, 0, run.job))
        known = {found.path: row for found, row in plan.to_read if row is not None}
        async with contextlib.aclosing(self._results(plan, run)) as results:
            async for result in results:
                unchanged, changed = divided(result, known)
                await writer.refresh_stats(unchanged)
                counts = Counts()
                if changed.read or changed.skipped:
                    counts = await writer.apply(changed, known, run.detected_at)
                count(summary, result, changed, counts)
                run.report(Progress("indexing", summary.files_read, total, summary.chunks_added, run.job))
                if run.job is not None:
                    await writer.update_job(run.job, files_done=summary.files_read, chunks=summary.chunks_added)

    async def _results(self, plan: Plan, run: Run) -> AsyncGenerator[Result, None]:
        """Results of all batches as they come, a few of them under way at a time; none any more once cancelled."""
        waiting = batches(plan.to_read)
        recall = None if run.writer.bodies.is_empty else run.writer.bodies.asked_by(self._store.pool)
        running: set[asyncio.Task[list[Result]]] = set()
        cancelled = asyncio.create_task(self._cancelled.wait())
        try:
            while True:
                await self._rested(plan, run)
                if self._is_urgent(run) and not running:
                    await self._run_errand(plan, run)
                    continue
                while len(running) <= self._workers.count and not (self.cancelled or self._is_urgent(run)):
                    batch = next(waiting, None)
                    if batch is None:
                        break
                    if batch := [each for each in batch if each[0].path not in run.done]:
                        running.add(asyncio.create_task(self._analyse(batch, plan, recall)))
                if self.cancelled or not (running or self._is_urgent(run)):
                    return
                if not running:
                    continue
                waited: set[asyncio.Task[Any]] = {*running, cancelled}
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                done = {task for task in running if task.done()}
                for task in done:
                    running.remove(task)  # not all at once: of those that failed as well somebody has to know below
                    for result in task.result():
                        yield result
        finally:
            unneeded: tuple[asyncio.Task[Any], ...] = (cancelled, *running)
            for each in unneeded:
                each.cancel()
            await asyncio.gather(*unneeded, return_exceptions=True)

    async def _rested(self, plan: Plan, run: Run) -> None:
        """Waits while somebody has paused the work, and before a long job's next batch until the machine may do it."""
        await self._going.wait()
        while len(plan.to_read) > FEW and not (self.cancelled or self._is_urgent(run)) and self._must_rest():
            run.report(
                Progress("resting", run.summary.files_read, len(plan.to_read), run.summary.chunks_added, run.job)
            )
            self._moved.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REST_SECONDS):
                    await self._moved.wait()

    def _is_urgent(self, run: Run) -> bool:
        """Whether somebody has saved a few files, which do not wait for the end of a long job."""
        few = 0 < len(self._touched) <= FEW and WHOLE not in self._touched
        return few and not (run.is_errand or self.is_asked or self.cancelled)

    async def _run_errand(self, plan: Plan, run: Run) -> None:
        """Brings what was saved up to date, while no batch is under way that may hold the same files."""
        touched, self._touched = self._touched, {}
        errand = Run(touched, (), False, run.writer, lambda step: None, Summary(), datetime.now(UTC), is_errand=True)
        with self._kept(touched, as_job=False):
            its = await self._plan(touched, plan.rebuild)
            if len(its.to_read) > FEW:
                run.later |= touched
                return
            await self._execute(its, errand)
            await run.writer.merge()
        run.done |= {found.path for found, _ in its.to_read} | {row.path for row in its.gone}
        add(run.errands, errand.summary)

    async def _analyse(
        self, batch: Sequence[tuple[Found, FileRow | None]], plan: Plan, recall: Recall | None
    ) -> list[Result]:
        """One batch; where a worker dies on it, its halves, until the one file that kills is found and left out."""
        stored = await self._store.chunks([row.id for _, row in batch if row is not None and row.outcome == INDEXED])
        tasks = tuple(task_of(found, row, stored.get(row.id, ()) if row else (), plan) for found, row in batch)
        task = Task(self.checkout.root, self._rules, tasks, self._chooser.current.direct, recall is not None)
        try:
            return [await self._workers.run(task, recall or recall_nothing)]
        except AnalysisError:
            if len(batch) == 1:
                return [Result.failed(Skipped(batch[0][0].path, "failed", stat=batch[0][0].stat))]
            middle = len(batch) // 2
            halves = [await self._analyse(half, plan, recall) for half in (batch[:middle], batch[middle:])]
            return halves[0] + halves[1]
