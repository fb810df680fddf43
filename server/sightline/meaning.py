"""What a query means to each model: its vector, within the time that a search has, or why there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from sightline.adapters.choosing import model_of
from sightline.adapters.embedders import Embedders, Key, Model, key_of, reason_of
from sightline.adapters.store import Store
from sightline.core.dialects import Purpose
from sightline.errors import EmbedderError

Item = TypeVar("Item")
Code = Literal["vectorsPending", "embedderUnavailable", "deadline", "outside"]
LEAST_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True)
class Lack:
    """What an answer lacks, and why; `outside` is what it cannot have."""

    code: Code
    message: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """A query as the vectors of one model can be compared with it."""

    key: Key | None
    """Equal where scores may be compared; None where only words were."""
    vector: NDArray[np.float32] | None = None
    lack: Lack | None = None


NO_MEANING: Final = Meaning(None)


class Meanings:
    """The vectors of one query by all models that serve what is searched; each is asked once, all at a time."""

    def __init__(self, embedders: Embedders, text: str, purpose: Purpose) -> None:
        self._embedders = embedders
        self._text = text
        self._purpose: Purpose = purpose
        self._ends_at = asyncio.get_running_loop().time() + embedders.seconds
        self._found: dict[tuple[str, int], Meaning] = {}

    @property
    def seconds_left(self) -> float:
        return max(LEAST_SECONDS, self._ends_at - asyncio.get_running_loop().time())

    async def of(self, sources: Iterable[tuple[Store, int]]) -> Mapping[tuple[str, int], Meaning]:
        """By database and embedder id. What is new is asked for; a local model takes no turn of the loop."""
        missing = [(store, each) for store, each in dict.fromkeys(sources) if (store.database, each) not in self._found]
        remote: list[tuple[tuple[str, int], Model]] = []
        for store, embedder_id in missing:
            place = (store.database, embedder_id)
            model = self._embedders.known.get(place)
            if model is None:
                model = self._embedders.known[place] = await model_of(store, embedder_id)
            if model.is_remote:
                remote.append((place, model))
            else:
                vector = self._embedders.at_once(model.kind, self._text, self._purpose)
                self._found[place] = Meaning(key_of(model.identity), vector)
        if remote:
            meanings = await asyncio.gather(*(self._asked(model) for _, model in remote))
            self._found |= zip((place for place, _ in remote), meanings, strict=True)
        return self._found

    async def _asked(self, model: Model) -> Meaning:
        try:
            vector = await self._embedders.within(
                self.seconds_left, model.kind, model.identity, self._text, self._purpose
            )
        except TimeoutError:
            said = "the embedding server takes longer than search.deadlineMs; this was found by words and names"
            return Meaning(None, None, Lack("deadline", said))
        except EmbedderError as error:
            return Meaning(
                None, None, Lack("embedderUnavailable", f"{reason_of(error)}; this was found by words and names")
            )
        return Meaning(key_of(model.identity), vector)


def interleaved(groups: Sequence[Sequence[Item]], limit: int) -> list[Item]:
    """The best of each group, then the second best of each: for scores that cannot be compared."""
    rows = zip_longest(*groups)
    return [each for row in rows for each in row if each is not None][:limit]
