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
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, partial
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from sightline.adapters import embedding, files
from sightline.adapters.slots import Slots
from sightline.core import bits
from sightline.core.analysis import Added, FileChange, TermsOfWords, analyse, pack_words
from sightline.core.diffing import StoredChunk
from sightline.core.segments import MAX_CHUNKS, PackedWords
from sightline.errors import AnalysisError

IDLE_SECONDS: Final = 30.0
HANDSHAKE_SECONDS: Final = 0.3
NICENESS: Final = 19
Half = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class FileTask:
    """A file to look at; `known_hash` is the content hash that the index has, `stored` its chunks."""

    path: str
    size: int
    known_hash: bytes | None
    stored: tuple[StoredChunk, ...]
    data: bytes | None = None
    """The text of an open document, which is taken instead of the file."""


@dataclass(frozen=True, slots=True)
class Embedder:
    """The local model that workers embed with, and the id of its row; without a provider they embed nothing."""

    provider: str = ""
    model: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """A batch of files of one checkout."""

    root: Path
    rules: files.Rules
    files: tuple[FileTask, ...]
    embedder: Embedder
    asks: bool = False
    """Whether some of the texts may have been embedded before."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """Of the texts that a worker asked for: the places of those that were embedded before, and their vectors."""

    places: NDArray[np.int64]
    vectors: Half


@dataclass(frozen=True, slots=True)
class Question:
    """The hashes of texts for which a worker needs vectors."""

    hashes: tuple[bytes, ...]


Recall = Callable[[Sequence[bytes]], Recalled]


def recall_nothing(hashes: Sequence[bytes]) -> Recalled:
    """For who remembers no text."""
    return Recalled(np.zeros(0, np.int64), np.zeros((0, 0), np.float16))


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
    embedder_id: int = 0
    """Whose vectors they are; 0: there are none."""
    new_texts: tuple[bytes, ...] = ()
    """The hashes of the texts that were embedded; `bodies` are their vectors."""
    bodies: Half = field(default_factory=lambda: np.zeros((0, 0), np.float16))

    @classmethod
    def failed(cls, skipped: files.Skipped) -> Result:
        """The result for a file that cannot be analysed."""
        return cls((), (skipped,), None, np.zeros(0, np.uint32), np.zeros((0, 0), np.float16), b"", 0)


def run(task: Task, recall: Recall) -> Result:
    """The work on one batch; pure but for reading the files and asking for the vectors of known texts."""
    read, skipped, sources = _read(task)
    stored = {each.path: each.stored for each in task.files}
    changes, added = analyse(sources, stored)
    if added.bag.chunk_count > MAX_CHUNKS:
        raise AnalysisError("a batch has more chunks than a segment holds")
    by_path = {change.path: change for change in changes}
    texts = [row.text_hash for change in changes for row in change.added]
    started = _milliseconds()
    vectors, new_texts, bodies = _embedded(task, added, texts, recall)
    embed_ms = _milliseconds() - started
    return Result(
        read=tuple(ReadFile(content.path, content.stat, content.sha256, by_path.get(content.path)) for content in read),
        skipped=tuple(skipped),
        words=pack_words(added.bag, _terms()) if added.bag.chunk_count else None,
        kinds=added.kinds,
        vectors=vectors,
        sign_bits=bits.signs(vectors).tobytes() if len(vectors) else b"",
        embed_ms=embed_ms,
        embedder_id=task.embedder.id,
        new_texts=new_texts,
        bodies=bodies,
    )


def _embedded(task: Task, added: Added, texts: list[bytes], recall: Recall) -> tuple[Half, tuple[bytes, ...], Half]:
    """The chunks' vectors; hashes and vectors of the texts that had to be embedded, each of them once.

    Bodies have the precision of the cache before they are composed, so that it makes no difference who embedded them.
    """
    if not task.embedder.provider:
        return np.zeros((0, 0), np.float16), (), np.zeros((0, 0), np.float16)
    model = _embedder(task.embedder.provider, task.embedder.model)
    first: dict[bytes, int] = {}
    for place, text in enumerate(texts):
        first.setdefault(text, place)
    distinct = tuple(first)
    places = np.fromiter(first.values(), np.int64, len(first))
    recalled = recall(distinct) if task.asks and distinct else None
    is_new = np.ones(len(distinct), np.bool_)
    if recalled is not None:
        is_new[recalled.places] = False
    wanted = np.zeros(len(texts), np.bool_)
    wanted[places[is_new]] = True
    bodies = model.embed_bodies(added.documents, added.bag, wanted).astype(np.float16)
    if recalled is not None and len(recalled.places):
        bodies[places[recalled.places]] = recalled.vectors
    every = bodies[[first[text] for text in texts]] if len(distinct) < len(texts) else bodies
    vectors = model.compose(every.astype(np.float32), added.documents).astype(np.float16)
    new_texts = tuple(text for text, new in zip(distinct, is_new.tolist(), strict=True) if new)
    return vectors, new_texts, bodies[places[is_new]]


class Workers:
    """Worker processes, started when first needed, ended when idle and by `close`.

    Each has a pipe of its own. An executor of the standard library shares one between all of them: a worker that dies
    while it writes blocks the rest for ever, and its queues leave semaphores behind when the process is left in haste.
    """

    def __init__(self, count: int, slots: Slots, idle_seconds: float = IDLE_SECONDS) -> None:
        self.count = count
        self._idle_seconds = idle_seconds
        self._slots = slots
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

    async def run(self, task: Task, recall: Recall) -> Result:
        """The result of a batch; AnalysisError where it is too much, or its worker died.

        `recall` is called in a thread, and may raise nothing.
        """
        if self._is_closed:
            raise AnalysisError("the workers have ended")
        loop = asyncio.get_running_loop()
        self._running += 1
        if self._idle is not None:
            self._idle.cancel()
        try:
            return await loop.run_in_executor(self._threads, self._exchange, task, recall)
        finally:
            self._running -= 1
            if not self._running and not self._is_closed:
                self._idle = loop.call_later(self._idle_seconds, self._end_all)

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

    def _exchange(self, task: Task, recall: Recall) -> Result:
        """Hands a batch to the next worker that is free, and waits for what becomes of it."""
        worker = self._free.get()
        try:
            with self._slots.held(lambda: self._is_closed):
                if worker not in self._workers or not worker.process.is_alive():
                    worker = self._started()
                outcome = worker.exchange(task, recall)
        except (EOFError, OSError) as error:
            if worker is not None:
                self._end({worker})
            raise AnalysisError("a worker process died", hint="Is there enough memory?") from error
        finally:
            self._free.put(worker)
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

    def exchange(self, task: Task, recall: Recall) -> Result | Exception:
        """What becomes of a batch; meanwhile the worker may ask for vectors."""
        self.pipe.send(task)
        while True:
            answer = pickle.loads(self.pipe.recv_bytes())
            if not isinstance(answer, Question):
                return cast("Result | Exception", answer)
            self.pipe.send(recall(answer.hashes))


@cache
def _context() -> BaseContext:
    """A process that has imported everything once and forks workers in milliseconds, where the system can fork."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sightline.adapters.preloaded"])
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
            outcome: Result | Exception = run(task, partial(_asked, pipe))
        except Exception as error:  # noqa: BLE001 - told to the one who asked
            error.add_note(traceback.format_exc())
            outcome = error
        pipe.send_bytes(pickle.dumps(outcome, pickle.HIGHEST_PROTOCOL))


def _asked(pipe: Connection, hashes: Sequence[bytes]) -> Recalled:
    """What the process that has the database knows of texts."""
    pipe.send_bytes(pickle.dumps(Question(tuple(hashes)), pickle.HIGHEST_PROTOCOL))
    return cast(Recalled, pipe.recv())


def _start_worker() -> None:
    """Lowest priority, one thread for numpy, and no life after the parent's, even if that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    embedding.bundled()
    os.nice(NICENESS)  # last, since on a busy machine somebody may wait for this worker to begin


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
        content = (
            files.read(task.root, each.path, task.rules)
            if each.data is None
            else files.taken(task.root, each.path, each.data, task.rules)
        )
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
