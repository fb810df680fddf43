"""Embedding servers over HTTP: Ollama, and all that speak OpenAI's dialect. Every failure has a defined end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import stamina

from sightline.adapters.calling import Address, Caller, Later, Reply, TooLong, TooMany
from sightline.adapters.courtesy import Courtesy
from sightline.adapters.embedding import Identity
from sightline.adapters.patience import PATIENT, BatchSize, Breaker, Patience
from sightline.core import dialects, passages
from sightline.core.dialects import Purpose, Vectors
from sightline.errors import EmbedderError, EmbedderUnavailable

IN_FLIGHT: Final = 4
"""Requests with documents at a time; as many again may be queries, which wait behind no document."""
BATCH_BYTES: Final = 1 << 18
ANSWER_BYTES: Final = 1 << 20
NUMBER_BYTES: Final = 40
"""An answer that is longer than this a number, and a megabyte besides, is not read to its end."""
MOST_REFUSED: Final = 8
"""So many texts refused one by one, and none taken between: it is not about the texts."""
DEEPEST: Final = 10


@dataclass(slots=True)
class Embedded:
    """float32[n, d] of unit length; rows of those that `failed` are zero, which any other may be asked for again."""

    vectors: Vectors
    failed: dict[int, EmbedderError] = field(default_factory=dict)
    requests: int = 0


class RemoteEmbedder:
    """One model of one server. Belongs to the loop that first asks it; `close` ends what is under way."""

    def __init__(
        self, address: Address, identity: Identity, patience: Patience = PATIENT, courtesy: Courtesy | None = None
    ) -> None:
        self.address = address
        self.identity = identity
        self.breaker = Breaker(patience)
        self._patience = patience
        self._courtesy = courtesy or Courtesy()
        self._size = BatchSize(address.batch_size)
        self._caller = Caller(address)
        self._batches, self._queries = asyncio.Semaphore(IN_FLIGHT), asyncio.Semaphore(IN_FLIGHT)
        self._refused = 0

    async def close(self) -> None:
        await self._caller.close()

    async def embed_query(self, text: str, purpose: Purpose = "query") -> Vectors:
        """float32[d]; asks once, since somebody waits."""
        async with self._queries:
            with self._noted():
                rows = self._rows(await self._post([text], purpose), 1)
        if (flaws := dialects.flaws_in(rows)).any():
            raise EmbedderError(f"{self._caller.name} gives a vector without a direction ({int(flaws.sum())})")
        vector: Vectors = rows[0]
        return vector

    def begun(self, count: int) -> Embedded:
        """For so many texts, none embedded yet."""
        return Embedded(np.zeros((count, self.identity.dimensions), np.float32))

    async def embed_documents(self, texts: Sequence[str], done: Embedded | None = None) -> Embedded:
        """The vectors of all texts, as many at a time as the server bears; into `done`, whatever the end.

        EmbedderUnavailable where it does not answer (yet), EmbedderError where it never will as things are.
        """
        done = done or self.begun(len(texts))
        sizes = [len(text) for text in texts]
        try:
            async with asyncio.TaskGroup() as group:  # the first failure cancels the others
                for run in passages.runs(sizes, self._size.now, BATCH_BYTES):
                    group.create_task(self._fill(done, texts, list(run)))
        except* EmbedderError as errors:
            raise _first(errors) from errors
        return done

    async def _fill(self, done: Embedded, texts: Sequence[str], places: list[int]) -> None:
        """Embeds some of the texts; what the server refuses together is asked for in halves."""
        try:
            rows = await self._patient([texts[place] for place in places], done)
        except TooLong as error:
            if len(places) == 1:
                await self._fill_long(done, texts[places[0]], places[0], error)
                return
            await self._fill_halves(done, texts, places)
        except (TooMany, Later) as error:
            if isinstance(error, Later) and not error.of_texts:
                raise
            if len(places) == 1:
                done.failed[places[0]] = error
                self._refused += 1
                if self._refused >= MOST_REFUSED:
                    raise EmbedderError(str(error), hint=error.hint or "Is it a model that embeds?") from error
                return
            self._size.shrink(len(places))
            await self._fill_halves(done, texts, places)
        else:
            done.vectors[places] = rows
            self._refused = 0
            self._size.worked()

    async def _fill_halves(self, done: Embedded, texts: Sequence[str], places: list[int]) -> None:
        middle = len(places) // 2
        for half in (places[:middle], places[middle:]):
            await self._fill(done, texts, half)

    async def _fill_long(self, done: Embedded, text: str, place: int, error: EmbedderError) -> None:
        """A text beyond the model's context is the mean of its parts, each weighing as much as it is long."""
        parts, depth = [text], 0
        total = np.zeros(self.identity.dimensions, np.float32)
        while parts and depth < DEEPEST:
            cut = [half for part in parts for half in passages.halves(part) or ()]
            parts, depth = [], depth + 1
            for part in cut:
                try:
                    total += len(part) * (await self._patient([part], done))[0]
                except TooLong:
                    parts.append(part)
        if parts or not total.any():
            done.failed[place] = error
        else:
            done.vectors[place] = dialects.unit(total[None], self.identity.dimensions)[0]

    async def _patient(self, texts: list[str], done: Embedded) -> Vectors:
        """One batch, asked for again while that may help."""

        def pause(error: Exception) -> bool | float:
            if not isinstance(error, Later):
                return False
            wanted = error.seconds
            return True if wanted is None else wanted if wanted <= self._patience.most else False

        waits = self._patience
        async for attempt in stamina.retry_context(
            on=pause,
            attempts=waits.attempts,
            timeout=None,
            wait_initial=waits.first,
            wait_max=waits.most,
            wait_jitter=waits.jitter,
        ):
            with attempt:
                done.requests += 1
                async with self._batches:
                    await self._courtesy.turn()
                    with self._noted():
                        reply = await self._post(texts, "document")
                        await self._courtesy.turn()
                        rows = self._rows(reply, len(texts))
                if (flaws := dialects.flaws_in(rows)).any():
                    said = f"{self._caller.name} gives vectors without a direction ({int(flaws.sum())} of {len(rows)})"
                    raise Later(said, of_texts=True)
        return rows

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        """Tells the breaker how a request ends."""
        self.breaker.check()
        try:
            yield
        except Later as error:
            self.breaker.failed(str(error), error.seconds)
            raise
        self.breaker.worked()

    async def _post(self, texts: Sequence[str], purpose: Purpose) -> Reply:
        prefix = self.identity.prefixes.get(purpose, "")
        cut = self.identity.dimensions if self.address.cut_by_server else 0
        body = dialects.request_of(
            self.address.provider, self.address.model, [prefix + text for text in texts], purpose, cut
        )
        most = ANSWER_BYTES + NUMBER_BYTES * 4_096 * len(texts)
        return await self._caller.post(self.address.endpoint, body, most)

    def _rows(self, reply: Reply, count: int) -> Vectors:
        """Unit vectors, but for those of no use."""
        found = dialects.vectors_of(self.address.provider, self._caller.read(reply))
        rows = dialects.matrix_of(found, count) if found is not None else "no vectors"
        if isinstance(rows, str):
            raise Later(f"{self._caller.name} answers with {rows}", of_texts=True)
        wanted = self.identity.dimensions
        known = dialects.known(self.address.model)
        may_cut = known is None or wanted != known.dimensions
        if rows.shape[1] < wanted or (rows.shape[1] > wanted and not may_cut):
            raise EmbedderError(
                f"{self._caller.name} gives vectors of {rows.shape[1]} numbers, not {wanted}",
                hint=f"Is it the right model? Else set embedding.dimensions to {rows.shape[1]}.",
            )
        return dialects.unit(rows, wanted)


def _first(errors: BaseExceptionGroup[EmbedderError]) -> EmbedderError:
    """Of several failures the one that waiting does not mend, if any."""
    found: list[EmbedderError] = []
    groups: list[BaseExceptionGroup[EmbedderError]] = [errors]
    while groups:
        for each in groups.pop().exceptions:
            groups.append(each) if isinstance(each, BaseExceptionGroup) else found.append(each)
    return min(found, key=lambda each: isinstance(each, EmbedderUnavailable))
