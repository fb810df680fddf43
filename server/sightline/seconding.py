"""The second look at the best hits: a re-ranker's order within the time that a search has, else the first one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sightline.adapters.embedders import reason_of
from sightline.errors import EmbedderError
from sightline.meaning import Lack
from sightline.standing import Hit

if TYPE_CHECKING:  # which loads an HTTP client
    from sightline.adapters.reranking import Reranker

DEPTH: Final = 50
TEXT: Final = 2_000
"""Of a hit's text; re-rankers read no more than some hundred tokens."""


async def reordered(
    reranker: Reranker, query: str, hits: Sequence[Hit], seconds: float
) -> tuple[list[Hit], Lack | None]:
    """The hits in the re-ranker's order; as they were where it does not give one in time, and why."""
    if len(hits) < 2:
        return list(hits), None
    texts = [f"{hit.path}\n{hit.text[:TEXT]}" for hit in hits]
    try:
        async with asyncio.timeout(seconds):
            scores = await reranker.scores(query, texts)
    except TimeoutError:
        return list(hits), Lack("deadline", "the re-ranking server takes longer than search.deadlineMs")
    except EmbedderError as error:
        return list(hits), Lack("embedderUnavailable", f"not re-ranked: {reason_of(error)}")
    order = sorted(range(len(hits)), key=lambda place: (-scores[place], place))
    return [hits[place] for place in order], None
