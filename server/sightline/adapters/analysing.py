"""Reads, parses and embeds batches of files in worker processes, where a parser that crashes takes nothing with it."""

from __future__ import annotations

import asyncio
import multiprocessing
import multiprocessing.connection
import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sightline.adapters import embedding, files
from sightline.core import bits
from sightline.core.analysis import FileChange, TermsOfWords, analyse, pack_words
from sightline.core.diffing import StoredChunk
from sightline.core.segments import MAX_CHUNKS, PackedWords
from sightline.errors import AnalysisError

IDLE_SECONDS: Final = 30.0
END_SECONDS: Final = 0.3
NICENESS: Final = 10


@dataclass(frozen=True, slots=True)
class FileTask:
    """A file to look at; `known_hash` is the content hash that the index has, `stored` its chunks."""

    path: str
    size: int
    known_hash: bytes | None
    stored: tuple[StoredChunk, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """A batch of files of one checkout."""

    root: Path
    rules: files.Rules
    files: tuple[FileTask, ...]
    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file as it was read; `change` is None where the bytes are those that the index has."""

    path: str
    stat: files.Stat
    content_hash: bytes
    change: FileChange | None


@dataclass(frozen=True, slots=True)
class Result:
    """What a batch gives: files read, files that could not be, and one segment of all new chunks."""

    read: tuple[ReadFile, ...]
    skipped: tuple[files.Skipped, ...]
    words: PackedWords | None
    kinds: NDArray[np.uint32]
    vectors: NDArray[np.float16]
    sign_bits: bytes
    embed_ms: int

    @classmethod
    def failed(cls, skipped: files.Skipped, dimensions: int) -> Result:
        """The result for a file that cannot be analysed."""
        return cls((), (skipped,), None, np.zeros(0, np.uint32), np.zeros((0, dimensions), np.float16), b"", 0)


def run(task: Task) -> Result:
    """The work on one batch; pure but for reading the files."""
    read, skipped, sources = _read(task)
    stored = {each.path: each.stored for each in task.files}
    changes, added = analyse(sources, stored)
    if added.bag.chunk_count > MAX_CHUNKS:
        raise AnalysisError("a batch has more chunks than a segment holds")
    by_path = {change.path: change for change in changes}
    started = _milliseconds()
    vectors = _embedder(task.provider, task.model).embed_chunks(added.documents, added.bag).astype(np.float16)
    embed_ms = _milliseconds() - started
    return Result(
        read=tuple(ReadFile(content.path, content.stat, content.sha256, by_path.get(content.path)) for content in read),
        skipped=tuple(skipped),
        words=pack_words(added.bag, _terms()) if added.bag.chunk_count else None,
        kinds=added.kinds,
        vectors=vectors,
        sign_bits=bits.signs(vectors).tobytes(),
        embed_ms=embed_ms,
    )


class Workers:
    """Worker processes, started when first needed, ended when idle and by `close`."""

    def __init__(self, count: int) -> None:
        self.count = count or min(4, os.cpu_count() or 1)
        self._pool: ProcessPoolExecutor | None = None
        self._running = 0
        self._idle: asyncio.TimerHandle | None = None

    async def run(self, task: Task) -> Result:
        """The result of a batch; AnalysisError where it is too much, or a worker died (then all under way do)."""
        loop = asyncio.get_running_loop()
        executor = await self._executor()
        self._running += 1
        if self._idle is not None:
            self._idle.cancel()
        try:
            return await loop.run_in_executor(executor, run, task)
        except BrokenProcessPool as error:
            if self._pool is executor:
                self._pool = None
            raise AnalysisError("a worker process died", hint="Is there enough memory?") from error
        finally:
            self._running -= 1
            if not self._running:
                self._idle = loop.call_later(IDLE_SECONDS, self.close)

    def close(self) -> None:
        """Ends the workers without waiting for the batch they have."""
        if self._idle is not None:
            self._idle.cancel()
        pool, self._pool = self._pool, None
        if pool is None:
            return
        for process in list((getattr(pool, "_processes", None) or {}).values()):
            process.terminate()
        # The executor's thread frees the semaphores of its queues, about which Python complains otherwise when the
        # process leaves by os._exit; it needs some milliseconds, but what waits for a pipe may need for ever.
        ending = threading.Thread(target=pool.shutdown, kwargs={"cancel_futures": True}, daemon=True)
        ending.start()
        ending.join(END_SECONDS)

    async def _executor(self) -> ProcessPoolExecutor:
        if self._pool is None:
            await asyncio.to_thread(_awaken)
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self.count, mp_context=_context(), initializer=_start_worker)
        return self._pool


@cache
def _context() -> BaseContext:
    """A process that has imported everything once and forks workers in milliseconds, where the system can fork."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _awaken() -> None:
    """Waits until the process that forks workers has imported everything, half a second at its first use."""
    if _context().get_start_method() == "forkserver":
        process = multiprocessing.get_context("forkserver").Process(target=os.getpid)
        process.start()
        process.join()


def _start_worker() -> None:
    """Lowest priority, one thread for numpy, and no life after the parent's, even if that is killed."""
    os.nice(NICENESS)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    embedding.bundled()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _read(task: Task) -> tuple[list[files.Content], list[files.Skipped], list[tuple[str, bytes]]]:
    """Everything that can be read, what cannot, and the sources of what has changed."""
    read: list[files.Content] = []
    skipped: list[files.Skipped] = []
    sources: list[tuple[str, bytes]] = []
    for each in task.files:
        content = files.read(task.root, each.path, task.rules)
        if isinstance(content, files.Skipped):
            skipped.append(content)
            continue
        read.append(content)
        if content.sha256 != each.known_hash:
            sources.append((content.path, content.data))
    return read, skipped, sources


@cache
def _embedder(provider: str, model: str) -> embedding.LocalEmbedder:
    return embedding.load(provider, model)


@cache
def _terms() -> TermsOfWords:
    return TermsOfWords()


def _milliseconds() -> int:
    return time.monotonic_ns() // 1_000_000
