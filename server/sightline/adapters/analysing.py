"""Reads, parses and embeds batches of files in worker processes, where a parser that crashes takes nothing with it."""

from __future__ import annotations

import asyncio
import multiprocessing
import multiprocessing.connection
import os
import pickle
import queue
import signal
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
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
HANDSHAKE_SECONDS: Final = 0.3
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
    """Worker processes, started when first needed, ended when idle and by `close`.

    Each has a pipe of its own. An executor of the standard library shares one between all of them: a worker that dies
    while it writes blocks the rest for ever, and its queues leave semaphores behind when the process is left in haste.
    """

    def __init__(self, count: int) -> None:
        self.count = count or min(4, os.cpu_count() or 1)
        # One thread more than workers: it sends the next batch while the last one's result is being read.
        self._threads = ThreadPoolExecutor(self.count + 1, "worker")
        self._free: queue.SimpleQueue[_Worker | None] = queue.SimpleQueue()
        for _ in range(self.count):
            self._free.put(None)
        self._workers: set[_Worker] = set()
        self._changing, self._starting = threading.Lock(), threading.Lock()
        self._is_closed = False
        self._running = 0
        self._idle: asyncio.TimerHandle | None = None

    async def run(self, task: Task) -> Result:
        """The result of a batch; AnalysisError where it is too much, or its worker died."""
        if self._is_closed:
            raise AnalysisError("the workers have ended")
        loop = asyncio.get_running_loop()
        self._running += 1
        if self._idle is not None:
            self._idle.cancel()
        try:
            return await loop.run_in_executor(self._threads, self._exchange, task)
        finally:
            self._running -= 1
            if not self._running and not self._is_closed:
                self._idle = loop.call_later(IDLE_SECONDS, self._end_all)

    def close(self) -> None:
        """Ends the workers without waiting for the batch they have."""
        self._is_closed = True
        if self._idle is not None:
            self._idle.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)
        # Whoever leaves while a worker begins is complained about on stderr by the process that forks them.
        if self._starting.acquire(timeout=HANDSHAKE_SECONDS):
            self._starting.release()
        self._end_all()

    def _end_all(self) -> None:
        with self._changing:
            workers = set(self._workers)
        self._end(workers)

    def _end(self, workers: set[_Worker]) -> None:
        """No batch is given to them any more, though the system may take them for alive for an instant."""
        with self._changing:
            self._workers -= workers
        for worker in workers:
            worker.process.terminate()

    def _exchange(self, task: Task) -> Result:
        """Hands a batch to the next worker that is free, and waits for what becomes of it."""
        worker = self._free.get()
        try:
            if worker not in self._workers or not worker.process.is_alive():
                worker = self._started()
            worker.pipe.send(task)
            answer = worker.pipe.recv_bytes()
        except (EOFError, OSError) as error:
            if worker is not None:
                self._end({worker})
            raise AnalysisError("a worker process died", hint="Is there enough memory?") from error
        finally:
            self._free.put(worker)
        outcome: Result | Exception = pickle.loads(answer)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _started(self) -> _Worker:
        """A new worker; the first one waits half a second for the process that forks them."""
        with self._starting:
            if self._is_closed:
                raise EOFError
            worker = _Worker.start()
        with self._changing:
            self._workers.add(worker)
        if self._is_closed:
            self._end({worker})
            raise EOFError
        return worker


@dataclass(frozen=True, eq=False)
class _Worker:
    """A worker process and our end of the pipe to it."""

    process: BaseProcess
    pipe: Connection

    @classmethod
    def start(cls) -> _Worker:
        ours, its = multiprocessing.Pipe()
        process: BaseProcess = _context().Process(target=_work, args=(its,), daemon=True)  # type: ignore[attr-defined]
        process.start()
        its.close()  # so that ours tells when it has died
        return cls(process, ours)


@cache
def _context() -> BaseContext:
    """A process that has imported everything once and forks workers in milliseconds, where the system can fork."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _work(pipe: Connection) -> None:
    """The life of a worker process."""
    _start_worker()
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        try:
            outcome: Result | Exception = run(task)
        except Exception as error:  # noqa: BLE001 - told to the one who asked
            error.add_note(traceback.format_exc())
            outcome = error
        pipe.send_bytes(pickle.dumps(outcome, pickle.HIGHEST_PROTOCOL))


def _start_worker() -> None:
    """Lowest priority, one thread for numpy, and no life after the parent's, even if that is killed."""
    os.nice(NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
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
