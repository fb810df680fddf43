"""Open documents whose text the index has not: each is analysed soon after its last key, and searched in memory."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sightline.adapters import files
from sightline.adapters.analysing import Embedder, FileTask, Result, Task, Workers, recall_nothing
from sightline.adapters.ignoring import Ignore
from sightline.adapters.snapshots import FilePlace, KnownFiles, Snapshot, Snapshots
from sightline.adapters.store import Checkout
from sightline.core.symbols import Symbol
from sightline.errors import SightlineError
from sightline.overlays import Draft, Overlaid, Overlay

READ_SECONDS: Final = 0.25
"""How long an answer waits for texts that have just been changed."""
QUIET_SECONDS: Final = 0.1
"""A text is analysed when nobody has typed for so long."""
ENCODINGS: Final = ("utf-8", "utf-8-sig", "latin-1", "cp1252")
"""In which a text of an editor may stand on the disk."""
LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Analyser:
    """Makes of a text what the index would make of it, in a worker process."""

    workers: Workers
    embedder: Callable[[], Embedder]
    """The model that serves now, if it is a local one."""

    async def begun(self, root: Path, rules: files.Rules) -> None:
        """Lets the worker process begin, while somebody still types what it is to analyse."""
        with contextlib.suppress(SightlineError):
            await self.workers.run(Task(root, rules, (), self.embedder()), recall_nothing)

    async def analysed(self, root: Path, path: str, data: bytes, rules: files.Rules) -> Result:
        """As of a file of these bytes; AnalysisError where it cannot be analysed."""
        task = Task(root, rules, (FileTask(path, len(data), None, (), data),), self.embedder())
        return await self.workers.run(task, recall_nothing)


class Buffers:
    """The documents that one client has open below one root: search them by `Unsaved`."""

    def __init__(self, checkout: Checkout, rules: files.Rules, analyser: Analyser, snapshots: Snapshots) -> None:
        self.checkout = checkout
        self._rules = rules
        self._analyser = analyser
        self._snapshots = snapshots
        self._texts: dict[str, str] = {}
        self._drafts: dict[str, Draft] = {}
        self._changed_at: dict[str, float] = {}
        self._due: set[str] = set()
        self._hashes: dict[str, bytes] = {}
        self._checking: asyncio.Task[None] | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._following: dict[str, asyncio.Task[None]] = {}

    @property
    def drafts(self) -> tuple[Draft, ...]:
        """The texts that were not the index's when they were last looked at."""
        return tuple(self._drafts.values())

    @property
    def busy(self) -> bool:
        """Whether texts wait to be analysed, or to be compared with the index."""
        return bool(self._following) or (self._checking is not None and not self._checking.done())

    @property
    def unread(self) -> tuple[asyncio.Task[None], ...]:
        """What reads the texts that no search has yet."""
        return tuple(self._following.values())

    def show(self, texts: Mapping[str, str]) -> None:
        """The documents that are open now."""
        for path in self._texts.keys() - texts.keys():
            self.drop(path)
        for path, text in texts.items():
            self.set(path, text)

    def set(self, path: str, text: str) -> None:
        """A document's text as it is now; what is open already and has not changed costs nothing."""
        if self._texts.get(path) is text:
            return
        is_edit = path in self._texts
        self._changed_at[path] = asyncio.get_running_loop().time() if is_edit else 0.0
        self._texts[path] = text
        if is_edit and not self._following and (self._beginning is None or self._beginning.done()):
            begun = self._analyser.begun(self.checkout.root, self._rules)
            self._beginning = asyncio.get_running_loop().create_task(begun, name="worker")
        self._follow(path)

    def drop(self, path: str) -> None:
        """A document was closed: its file is what counts again."""
        if path not in self._texts:
            return
        if (following := self._following.pop(path, None)) is not None:
            following.cancel()
        self._due.discard(path)
        for known in (self._texts, self._drafts, self._changed_at, self._hashes):
            known.pop(path, None)

    def recheck(self) -> None:
        """The index, or what it leaves out, has changed."""
        if self._texts and (self._checking is None or self._checking.done()):
            self._checking = asyncio.get_running_loop().create_task(self._compared(), name="buffers")

    async def close(self) -> None:
        """Ends what is under way, and shows nothing any more."""
        running = [*self._following.values(), *filter(None, (self._checking, self._beginning))]
        self.show({})
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _compared(self) -> None:
        """Looks again at the documents that have become the index's text, or are so no more."""
        repository, hashes = self.checkout.repository_id, dict(self._hashes)
        with contextlib.suppress(SightlineError):
            known = await self._snapshots.files_at((repository, path) for path in hashes)
            for path, content_hash in hashes.items():
                is_indexed = known.get((repository, path), (0, None))[1] == content_hash
                if is_indexed == (path in self._drafts) and path in self._texts:
                    self._follow(path)

    def _follow(self, path: str) -> None:
        self._due.add(path)
        if path not in self._following:
            self._following[path] = asyncio.get_running_loop().create_task(self._settled(path), name=f"buffer {path}")

    async def _settled(self, path: str) -> None:
        """Looks at a document until there is nothing newer: the last text wins."""
        clock = asyncio.get_running_loop().time
        try:
            while path in self._due:
                if (wait := self._changed_at[path] + QUIET_SECONDS - clock()) > 0:
                    await asyncio.sleep(wait)
                    continue
                self._due.discard(path)
                draft = await self._draft(path, self._texts[path])
                if draft is None:
                    self._drafts.pop(path, None)
                else:
                    self._drafts[path] = draft
        finally:
            if self._following.get(path) is asyncio.current_task():
                del self._following[path]

    async def _draft(self, path: str, text: str) -> Draft | None:
        """What is searched instead of the file; None where the file does, or where it is not for the index."""
        place = (self.checkout.repository_id, path)
        data, hashes = await asyncio.to_thread(_encoded, text)
        self._hashes[path] = hashes[0]
        with contextlib.suppress(SightlineError):  # without a database nothing is searched either
            if (await self._snapshots.files_at([place])).get(place, (0, None))[1] == hashes[0]:
                return None
        before = self._drafts.get(path)
        try:
            if await asyncio.to_thread(self._is_left_out, path):
                return None
            if before is not None and before.content_hash == hashes[0]:
                return before
            if len(data) > self._rules.max_file_bytes:
                return Draft(place, hashes[0], frozenset(hashes))
            result = await self._analyser.analysed(self.checkout.root, path, data, self._rules)
        except SightlineError as error:
            LOG.warning("an open document cannot be analysed: %s", error)
            return before
        return _draft_of(place, hashes, result)

    def _is_left_out(self, path: str) -> bool:
        return Ignore(self.checkout.root, self._rules).check(path).reason is not None


async def all_read(buffers: Iterable[Buffers]) -> bool:
    """Whether searches have every document's text; waits for it, as long as nobody notices."""
    reading = {task for each in buffers for task in each.unread}
    if reading:
        _, reading = await asyncio.wait(reading, timeout=READ_SECONDS)
    return not reading


class Unsaved:
    """What the documents of one client change in the searches of one source."""

    def __init__(self, buffers: Sequence[Buffers]) -> None:
        self._buffers = buffers
        self._overlay = Overlay(())

    async def over(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot, with the drafts whose text it has not."""
        drafts = [draft for each in self._buffers for draft in each.drafts]
        if not drafts:
            return snapshot
        known = await snapshot.files_at(draft.place for draft in drafts)
        drafts = _needed(drafts, known)
        if not drafts:
            return snapshot
        if self._overlay.drafts != tuple(drafts):
            self._overlay = Overlay(drafts)
        hidden = frozenset(known[draft.place][0] for draft in drafts if draft.place in known)
        unsaved = frozenset(
            draft.place for draft in drafts if known.get(draft.place, (0, None))[1] not in draft.encoded_hashes
        )
        return Overlaid(snapshot, self._overlay, hidden, unsaved)

    async def symbols(self, snapshots: Snapshots, stored: Sequence[Symbol], typed: str) -> list[Symbol]:
        """Definitions that the index has, those of drafts in the place of their files'."""
        drafts = [draft for each in self._buffers for draft in each.drafts]
        if drafts:
            drafts = _needed(drafts, await snapshots.files_at(draft.place for draft in drafts))
        places = {draft.place for draft in drafts}
        kept = [each for each in stored if (each.repository_id, each.path) not in places]
        return kept + [symbol for draft in drafts for symbol in draft.symbols(typed)]


def _needed(drafts: Sequence[Draft], known: KnownFiles) -> list[Draft]:
    return [each for each in drafts if known.get(each.place, (0, None))[1] != each.content_hash]


def _encoded(text: str) -> tuple[bytes, tuple[bytes, ...]]:
    """The text's bytes, and the hashes of all that may be on the disk for it, that of these bytes first."""
    data = text.encode("utf-8", "surrogatepass")
    hashes = [hashlib.sha256(data).digest()]
    for encoding in ENCODINGS[1:]:
        with contextlib.suppress(UnicodeEncodeError):
            hashes.append(hashlib.sha256(text.encode(encoding)).digest())
    return data, tuple(hashes)


def _draft_of(place: FilePlace, hashes: Sequence[bytes], result: Result) -> Draft:
    change = result.read[0].change if result.read else None
    if change is None or result.words is None:
        return Draft(place, hashes[0], frozenset(hashes))
    return Draft(
        place,
        hashes[0],
        frozenset(hashes),
        change.language,
        change.added,
        result.words,
        result.kinds,
        result.vectors if len(result.vectors) else None,
        result.sign_bits,
        result.embedder_id,
    )
