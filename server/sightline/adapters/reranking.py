"""A server that says how well each of a few texts answers a query: TEI's `/rerank`, or Jina's `/v1/rerank`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sightline.adapters.calling import Address, Caller, Later
from sightline.adapters.patience import PATIENT, Breaker
from sightline.core import dialects

SECONDS: Final = 30.0
"""A search's deadline is shorter; this is for a server that never answers."""
ANSWER_BYTES: Final = 1 << 20


class Reranker:
    """One re-ranking model. A server that fails is left alone for a while."""

    def __init__(self, url: str, model: str = "", *, sends_key: bool = False) -> None:
        url = url.rstrip("/")
        self._url = url if url.endswith("/rerank") else f"{url}/rerank" if url.endswith("/v1") else f"{url}/v1/rerank"
        self._model = model
        self._caller = Caller(Address("openai", url, model, timeout=SECONDS, sends_key=sends_key))
        self._breaker = Breaker(PATIENT)

    async def close(self) -> None:
        await self._caller.close()

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """Higher is better; EmbedderError where there are none."""
        self._breaker.check()
        body: dict[str, Any] = {"query": query}
        if self._url.endswith("/v1/rerank"):
            body |= {"documents": list(texts), "top_n": len(texts), "return_documents": False}
            body |= {"model": self._model} if self._model else {}
        else:
            body |= {"texts": list(texts), "truncate": True}
        try:
            scores = dialects.scores_of(
                self._caller.read(await self._caller.post(self._url, body, ANSWER_BYTES)), len(texts)
            )
            if scores is None:
                raise Later(f"{self._caller.name} answers with no scores")
        except Later as error:
            self._breaker.failed(str(error), error.seconds)
            raise
        self._breaker.worked()
        return scores
