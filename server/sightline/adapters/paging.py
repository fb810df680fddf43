"""Chunks without vectors a page at a time: their texts, what a server says to them, and storing that."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import numpy as np

from sightline.adapters import lacking
from sightline.adapters.embedders import BINARY, Embedders, Model, cache_name
from sightline.adapters.lacking import Lacking
from sightline.adapters.remembering import Bodies
from sightline.adapters.store import Store
from sightline.adapters.writing import Writer
from sightline.core import passages
from sightline.errors import EmbedderError

PAGE: Final = 256
"""Chunks that are read, embedded and stored together: more would keep a search waiting for longer than 3 ms at a time."""


@dataclass(slots=True)
class Page:
    """Chunks with their texts' hashes; `vectors` and what is `new` of them come later."""

    chunks: tuple[Lacking, ...]
    texts: list[str]
    hashes: list[bytes]
    vectors: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    new: list[int]
    began: float


class Pages:
    """One pass of one server's model over a checkout."""

    def __init__(self, store: Store, embedders: Embedders, writer: Writer, model: Model) -> None:
        self._store = store
        self._writer = writer
        self._model = model
        self._remote = embedders.remote(model.kind, model.identity)
        self._courtesy = embedders.courtesy
        self._is_exact = not model.identity.version.endswith(BINARY)
        self._bodies = Bodies(cache_name(model.identity), model.identity.dimensions)
        self._ids = np.zeros(0, np.int64)
        self._last = 0
        self.failed: dict[str, EmbedderError] = {}

    async def begin(self, after: int) -> None:
        """Looks for what lacks a vector, above an id up to which nothing does."""
        self._last = after
        await self._bodies.load(await self._store.pool())
        await self.look()

    async def look(self) -> None:
        """Adds what has come since."""
        pool = await self._store.pool()
        found = await lacking.ids(pool, self._writer.repository_id, self._model.id, self._last)
        if len(found):
            self._last = int(found[-1])
            self._ids = np.concatenate([self._ids, found])

    async def page(self) -> Page | None:
        """The next chunks; None when there are no more."""
        chunks: tuple[Lacking, ...] = ()
        await self._courtesy.turn()
        while not chunks:
            if not len(self._ids):
                return None
            own, self._ids = self._ids[:PAGE].tolist(), self._ids[PAGE:]
            chunks = await lacking.page(await self._store.pool(), own)
        texts = [passages.passage(each.path, each.container, each.names, each.content) for each in chunks]
        empty = np.zeros((len(chunks), self._model.identity.dimensions), np.float32)
        return Page(chunks, texts, [passages.hash_of(text) for text in texts], empty, [], time.monotonic())

    async def embed(self, page: Page) -> None:
        """The page's vectors, from the cache where they were asked for before; what fails leaves the rest."""
        recalled = await self._bodies.recalled(self._store.pool, page.hashes)
        page.vectors[recalled.places] = recalled.vectors
        first: dict[bytes, int] = {}
        for place in np.flatnonzero(~page.vectors.any(axis=1)).tolist():
            first.setdefault(page.hashes[place], place)
        page.new = list(first.values())
        try:
            done = self._remote.begun(len(page.new))
            await self._remote.embed_documents([page.texts[place] for place in page.new], done)
        finally:
            page.vectors[page.new] = done.vectors
            twins = [(place, first[each]) for place, each in enumerate(page.hashes) if first.get(each, place) != place]
            for place, other in twins:
                page.vectors[place] = page.vectors[other]
            for number, error in done.failed.items():
                self.failed[page.chunks[page.new[number]].path] = error

    async def store(self, page: Page) -> int:
        """Stores what the page has got."""
        await self._courtesy.turn()
        got = np.flatnonzero(page.vectors.any(axis=1))
        if not len(got):
            return 0
        vectors = page.vectors.astype(np.float16)
        new = sorted({*page.new} & {*got.tolist()})
        took = int(1000 * (time.monotonic() - page.began))
        async with self._writer.transaction() as connection:
            ids = [page.chunks[place].chunk_id for place in got.tolist()]
            stored = await lacking.store(
                connection, self._writer.repository_id, self._model.id, ids, vectors[got], exact=self._is_exact
            )
            hashes = [page.hashes[place] for place in new]
            await lacking.remember(connection, self._bodies, self._model.identity, hashes, vectors[new], took)
        await self._writer.tidy(self._bodies)
        return stored
