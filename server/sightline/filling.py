"""Gives vectors to the chunks that lack them: after a save with a server's model, after an outage, after a change of model.

What is missing is asked of the tables each time, so an end at any moment loses nothing that was stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final
from uuid import UUID

from sightline.adapters import choosing, lacking
from sightline.adapters.analysing import Embedder, FileTask, Result, Task, Workers, recall_nothing
from sightline.adapters.choosing import Choice, Chooser
from sightline.adapters.embedders import Model
from sightline.adapters.files import Rules
from sightline.adapters.paging import Page, Pages
from sightline.adapters.store import Checkout, Store
from sightline.adapters.writing import Writer
from sightline.core import passages
from sightline.errors import Cancelled, EmbedderError, EmbedderUnavailable, SettingsError, SightlineError
from sightline.jobs import Progress, Report, counted

AHEAD: Final = 3
"""Pages under way, so that the server has work while one is stored; this bounds the memory."""
FILES: Final = 100
MERGE_EVERY: Final = 64
BUDGET_SECONDS: Final = 120.0
"""How long a job goes on without a single vector; what is missing then is tried again later."""
AGAIN_SECONDS, MOST_SECONDS = 1.0, 60.0
KEPT_DAYS: Final = 7
"""How long the vectors of the model before are kept for a rollback."""
LOG: Final = logging.getLogger(__name__)


class Filler:
    """The vectors of one checkout, beside the one that writes its words. Uses the writer's own connection to store."""

    def __init__(
        self,
        store: Store,
        checkout: Checkout,
        workers: Workers,
        rules: Rules,
        chooser: Chooser,
        touch: Callable[[str], None],
    ) -> None:
        self._store = store
        self._checkout = checkout
        self._workers = workers
        self._rules = rules
        self._embedders = chooser.embedders
        self.chooser = chooser
        self._touch = touch
        self._whole: tuple[int, int] = (0, 0)
        """A model, and the highest chunk up to which none lacks its vectors."""
        self._waiting: dict[UUID, str] = {}
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._has_more = False
        """Whether chunks have come since a pass began."""
        self.pending = 0
        """Chunks that lacked a vector when they were last counted."""
        self.problem: SightlineError | None = None
        """Why they lack it, where something is wrong."""
        self.changed: Callable[[], None] = lambda: None
        """Is told when either has changed."""

    async def count(self) -> int:
        """How many chunks lack the vectors that they shall have."""
        choice = await self.chooser.look()
        if choice.is_whole:
            self.pending = 0
        else:
            pool = await self._store.pool()
            after = self._after(choice.target)
            self.pending = await lacking.count(pool, self._checkout.repository_id, choice.target.id, after)
        return self.pending

    async def takes_over(self, writer: Writer, job: UUID | None, message: str) -> bool:
        """Whether a job that has nothing else to do waits for vectors; then it is finished with the last of them."""
        if not await self.count():
            return False
        self._has_more = True
        self._wake.set()
        if job is not None:
            self._waiting[job] = message
            await writer.update_job(
                job, phase="embedding", pending_vectors=self.pending, status_message="waits for vectors"
            )
        return True

    @contextlib.asynccontextmanager
    async def beside(self, writer: Writer) -> AsyncIterator[None]:
        """Fills whenever there is something to fill, for as long as the block lasts."""
        task = asyncio.create_task(self._keep(writer), name="vectors")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def fill(self, writer: Writer, report: Report, seconds: float = BUDGET_SECONDS) -> int:
        """Fills until nothing is missing; how much is, where files have changed meanwhile.

        EmbedderUnavailable after so many seconds without a vector, EmbedderError where waiting would not help.
        """
        try:
            return await self._fill(writer, report, seconds)
        except Cancelled:
            await self._end(writer, "cancelled", "")
            raise
        except asyncio.CancelledError:
            await asyncio.shield(self._end(writer, "cancelled", "interrupted"))
            raise
        except SightlineError as error:
            self.problem = error
            await self._end(writer, "failed", str(error))
            raise
        finally:
            self._stopping.clear()

    def stop(self) -> bool:
        """Ends the jobs that wait for vectors, also before a pass has begun; whether there are any."""
        if self._waiting:
            self._stopping.set()
        return bool(self._waiting)

    async def _fill(self, writer: Writer, report: Report, seconds: float) -> int:
        choice = await self.chooser.look()
        if choice.is_whole:
            return await self._finish(writer, choice)
        patience, worked_at = AGAIN_SECONDS, time.monotonic()
        while True:
            before = self.pending = await self.count()
            try:
                await self._once(writer, choice, report)
                self.problem = None
                return await self._finish(writer, choice)
            except EmbedderUnavailable as error:
                self.problem = error
                if await self.count() < before:
                    patience, worked_at = AGAIN_SECONDS, time.monotonic()
                if time.monotonic() - worked_at >= seconds:
                    raise
                rest = self._embedders.remote(choice.target.kind, choice.target.identity).breaker.seconds_left
                self.changed()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(max(patience, rest), seconds)):
                        await self._stopping.wait()
                self._check()
                patience = min(2 * patience, MOST_SECONDS)

    async def _keep(self, writer: Writer) -> None:
        """Whatever goes wrong is told and tried again; the database's ends are the indexer's business."""
        patience = AGAIN_SECONDS
        with contextlib.suppress(SightlineError):
            if await self.count():
                self._wake.set()
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.fill(writer, lambda step: self.changed())
                self.changed()
                patience = AGAIN_SECONDS
            except Cancelled:
                self.changed()
            except SightlineError as error:
                self.changed()
                LOG.warning("%s chunks wait for vectors: %s. %s", self.pending, error, error.hint)
                if not writer.is_open:
                    return
                await asyncio.sleep(patience)
                patience = min(2 * patience, MOST_SECONDS)
                self._wake.set()
            except Exception as error:  # without this loop no vector would come any more
                LOG.exception("vectors cannot be computed")
                self.problem = EmbedderError(f"vectors cannot be computed ({type(error).__name__})")
                await asyncio.sleep(MOST_SECONDS)
                self._wake.set()

    async def _once(self, writer: Writer, choice: Choice, report: Report) -> None:
        """One pass over all that is missing."""
        target, serving = choice.target, choice.serving
        # Until the new one serves, what is saved needs the old one; ours will soon, and waits for nobody.
        if serving.id != target.id and serving.is_remote and target.is_remote:
            with contextlib.suppress(EmbedderError):
                await self._fill_remote(writer, serving, lambda count: None)
        total, done = max(1, self.pending), 0
        job = next(iter(self._waiting), None)

        def stored(count: int) -> None:
            nonlocal done
            done += count
            self.pending = max(0, self.pending - count)
            report(Progress("embedding", min(done, total), total, done, job))

        if target.is_remote:
            await self._check_cost(target)
            failed = await self._fill_remote(writer, target, stored)
            if failed:
                path, error = next(iter(failed.items()))
                hint = error.hint or "They are searchable by words, and asked for again with the next job."
                raise EmbedderError(f"chunks of {counted(len(failed))} have no vector ({path}: {error})", hint=hint)
        else:
            await self._fill_local(writer, target, stored)

    async def _finish(self, writer: Writer, choice: Choice) -> int:
        """Lets a complete model serve, and ends the jobs that waited for it."""
        repository, target = self._checkout.repository_id, choice.target
        left = 0
        if not choice.is_whole:
            async with writer.transaction() as connection:
                highest = await connection.fetchval("select coalesce(max(id), 0) from code_chunks")
                after = 0 if target.id != choice.serving.id else self._after(target)
                left = await lacking.count(connection, repository, target.id, after)
                if not left and target.id != choice.serving.id:
                    await choosing.promote(connection, repository, choice)
                elif not left and choice.has_changed:
                    await choosing.expire(connection, repository, KEPT_DAYS)
            if not left:
                self._whole = (target.id, highest)
        self.pending = left
        if left:
            return left
        if target.id != writer.embedder_id:
            writer.serve(target.id, target.identity)
        await self.chooser.look()
        for job, message in list(self._waiting.items()):
            await writer.update_job(job, pending_vectors=0)
            await writer.finish_job(job, "completed", message)
            self._waiting.pop(job, None)
        return 0

    async def _end(self, writer: Writer, state: str, error: str) -> None:
        """The jobs that wait end as what they are: without all vectors. What is missing is the next one's."""
        with contextlib.suppress(SightlineError):
            for job in list(self._waiting):
                await writer.update_job(job, pending_vectors=self.pending)
                await writer.finish_job(job, state, f"{self.pending:,} chunks wait for vectors", error or None)
                self._waiting.pop(job, None)

    def _check(self) -> None:
        if self._stopping.is_set():
            raise Cancelled("The job was cancelled.")

    async def _fill_remote(
        self, writer: Writer, model: Model, stored: Callable[[int], None]
    ) -> dict[str, EmbedderError]:
        """Asks a server for page after page, and stores each; the chunks that it refuses, by path."""
        run = Pages(self._store, self._embedders, writer, model)
        await run.begin(self._after(model))
        under_way: deque[tuple[Page, asyncio.Task[None]]] = deque()
        pages = 0
        try:
            while True:
                self._check()
                if self._has_more:
                    self._has_more = False
                    await run.look()
                page = await run.page()
                if page is not None:
                    under_way.append((page, asyncio.create_task(run.embed(page))))
                if page is not None and len(under_way) < (1 if self._embedders.courtesy.is_wanted else AHEAD):
                    continue
                if not under_way:
                    return run.failed
                ready, task = under_way.popleft()
                try:
                    await task
                finally:  # also what came before it failed, or was ended
                    stored(await asyncio.shield(run.store(ready)))
                pages += 1
                if pages % MERGE_EVERY == 0:
                    await writer.merge()
        finally:
            for _, task in under_way:
                task.cancel()
            await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)
            for page, _ in under_way:
                with contextlib.suppress(SightlineError):
                    stored(await asyncio.shield(run.store(page)))

    async def _fill_local(self, writer: Writer, model: Model, stored: Callable[[int], None]) -> None:
        """Analyses the files anew that have such chunks: a local model's vectors need a file's syntax."""
        pool, repository = await self._store.pool(), self._checkout.repository_id
        embedder = Embedder(model.kind.provider, model.kind.model, model.id)
        every = await lacking.files(pool, repository, model.id)
        for start in range(0, len(every), FILES):
            self._check()
            await self._embedders.courtesy.turn()
            found = {path: file_id for path, file_id, _ in every[start : start + FILES]}
            chunks = await self._store.chunks(list(found.values()))
            tasks = tuple(FileTask(path, size, None, ()) for path, _, size in every[start : start + FILES])
            result = await self._workers.run(Task(self._checkout.root, self._rules, tasks, embedder), recall_nothing)
            ids = {
                (path, each.document_hash, each.position.start_byte): each.id
                for path, file_id in found.items()
                for each in chunks.get(file_id, ())
            }
            own, rows = _matched(result, ids)
            async with writer.transaction() as connection:
                stored(await lacking.store(connection, repository, model.id, own, result.vectors[rows]))
            for path in _changed(found, result, ids):  # it has changed; its words come first
                self._touch(path)

    def _after(self, model: Model) -> int:
        """The chunk up to which none lacks a model's vector, as far as this process has seen to it."""
        return self._whole[1] if self._whole[0] == model.id else 0

    async def _check_cost(self, model: Model) -> None:
        """Raises SettingsError where embedding what is missing costs more than was allowed."""
        price = self._embedders.price(model.kind)
        if not price:
            return
        pool = await self._store.pool()
        repository = self._checkout.repository_id
        dollars = price * passages.tokens(await lacking.size(pool, repository, model.id)) / 1e6
        if dollars > self._embedders.settings.confirm_above and not await self._store.allowed(repository, model.id):
            raise SettingsError(
                f"embedding {self.pending:,} chunks with {model.kind.model} costs about ${dollars:.2f}",
                hint="Run: sightline index --yes, or raise embedding.confirmAbove.",
            )


def _matched(result: Result, ids: dict[tuple[str, bytes, int], int]) -> tuple[list[int], list[int]]:
    """The stored chunks that an analysis has found again, and the rows of its vectors that are theirs."""
    own: list[int] = []
    rows: list[int] = []
    row = 0
    for read in result.read:
        for each in read.change.added if read.change else ():
            chunk = ids.get((read.path, each.document_hash, each.position.start_byte))
            if chunk is not None:
                own.append(chunk)
                rows.append(row)
            row += 1
    return own, rows


def _changed(found: Iterable[str], result: Result, ids: dict[tuple[str, bytes, int], int]) -> list[str]:
    """Files that are gone, or have chunks that are not what was stored."""
    stored: dict[str, set[tuple[bytes, int]]] = {path: set() for path in found}
    for path, document_hash, start in ids:
        stored[path].add((document_hash, start))
    fresh = {
        read.path: {(each.document_hash, each.position.start_byte) for each in read.change.added}
        if read.change
        else set()
        for read in result.read
    }
    return [path for path, chunks in stored.items() if chunks - fresh.get(path, set())]
