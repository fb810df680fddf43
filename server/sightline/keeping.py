"""Keeps a checkout's index current for ever, in one of two roles.

The writer settles what is touched, here or in other processes. All others forward what is touched to it, hear what it
has done, and take over when it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from sightline.adapters.signals import WHOLE, Ears, Seat
from sightline.adapters.store import Store
from sightline.errors import DatabaseUnavailable, FolderError, SightlineError
from sightline.jobs import Report, State, Summary, counted

if TYPE_CHECKING:  # which calls `keep`
    from sightline.indexing import Indexer

RETRY_SECONDS, MOST_SECONDS = 0.5, 10.0
TAKEOVER_SECONDS: Final = 2.0
"""How often a server looks whether it may write; one that is killed says nothing."""
DEBOUNCE_SECONDS: Final = 0.05
NEWS_SECONDS: Final = 1.0
"""How often at the most a reader counts anew while another process writes."""
LOG: Final = logging.getLogger(__name__)


async def keep(indexer: Indexer, store: Store, report: Report, told: Callable[[State], None], look: float) -> None:
    """Never ends by itself: whatever goes wrong is told, and tried again."""
    patience, failed_at, said = RETRY_SECONDS, -math.inf, ""
    news = _News(indexer)
    database: int | None = None
    while True:
        try:
            if failed_at > -math.inf:
                with contextlib.suppress(SightlineError):
                    await store.revive()
            async with indexer.seat(news.ears) as seat:
                database = await seat.check(database)
                await _read(indexer, seat, news, told, look)
                told(State("writer"))
                async with indexer.filler.beside(seat.writer):
                    await _write(indexer, seat, news, report, told)
        except SightlineError as error:
            told(State("waiting", problem=error))
        except Exception as error:
            if repr(error) != said:
                LOG.exception("indexing failed unexpectedly")
            said = repr(error)
            told(State("waiting", problem=SightlineError(f"indexing failed ({type(error).__name__})")))
        # What fails soon after it was begun again is given more and more time.
        recently = time.monotonic() - failed_at < 2 * MOST_SECONDS
        patience, failed_at = min(2 * patience, MOST_SECONDS) if recently else RETRY_SECONDS, time.monotonic()
        await asyncio.sleep(patience)


async def _read(indexer: Indexer, seat: Seat, news: _News, told: Callable[[State], None], look: float) -> None:
    """As a reader, until the writer's lock is ours."""
    news.writes = False
    while not await seat.claim():
        told(State("reader", summary=news.taken()))
        await indexer.hand_over(seat)
        await indexer.woken(look)
        await asyncio.sleep(DEBOUNCE_SECONDS)
    news.writes = True


async def _write(indexer: Indexer, seat: Seat, news: _News, report: Report, told: Callable[[State], None]) -> None:
    """As the writer: what happened before is unknown, so everything is looked at first."""
    indexer.touch()
    while True:
        await indexer.woken()
        await asyncio.sleep(DEBOUNCE_SECONDS)
        if not seat.writer.is_open:
            raise DatabaseUnavailable("the database does not answer", hint="Work goes on when it is back.")
        if indexer.queued or indexer.is_asked:
            await seat.writer.check()
            told(State("writer", summary=await indexer.settle(seat.writer, report)))


class _News:
    """What other processes say, kept until the one loop has time for it."""

    def __init__(self, indexer: Indexer) -> None:
        self.writes = False
        self.ears = Ears(self._touched, self._changed, indexer.wake)
        self._indexer = indexer
        self._files = 0
        self._heard = self._told = 0.0

    def taken(self) -> Summary | None:
        """What has changed since it was last asked; None for nothing, and for what was told a moment ago."""
        if self._heard <= self._told or time.monotonic() < self._told + NEWS_SECONDS:
            return None
        files, self._files, self._told = self._files, 0, time.monotonic()
        return Summary(files_indexed=files, told=f"{counted(files)} indexed by another process")

    def _touched(self, paths: Sequence[str], force: bool, as_job: bool) -> None:
        if not self.writes:
            return
        try:
            if WHOLE in paths and not (force or as_job):  # the watcher of another server begins, or looks again
                self._indexer.reconcile()
                paths = [path for path in paths if path != WHOLE]
            self._indexer.touch(paths, force=force, as_job=as_job)
        except FolderError as error:
            LOG.info("another server named a path that is none: %s", error)

    def _changed(self, files: int) -> None:
        if not self.writes:
            self._files += files
            self._heard = time.monotonic()
            self._indexer.wake()
