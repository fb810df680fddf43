"""What embedding servers speak: how a batch is asked for, what the answer means, and what a refusal is about."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Purpose = Literal["query", "document"]
Verdict = Literal["later", "tooLong", "tooMany", "missing", "key", "redirect", "refused"]
"""What a status is about: the server's state, a text's length, a batch's size, the model, the key, the address."""


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of a model by its name: dimensions, and the words that it wants before queries and documents."""

    dimensions: int
    query: str = ""
    document: str = ""


MODELS: Final[Mapping[str, Model]] = {
    "nomic-embed-text": Model(768, "search_query: ", "search_document: "),
    "nomic-embed-text-v1.5": Model(768, "search_query: ", "search_document: "),
    "mxbai-embed-large": Model(1024, "Represent this sentence for searching relevant passages: "),
    "snowflake-arctic-embed": Model(1024, "Represent this sentence for searching relevant passages: "),
    "snowflake-arctic-embed2": Model(1024, "query: "),
    "all-minilm": Model(384),
    "bge-m3": Model(1024),
    "bge-large": Model(1024, "Represent this sentence for searching relevant passages: "),
    "embeddinggemma": Model(768, "task: code retrieval | query: ", "title: none | text: "),
    "qwen3-embedding:0.6b": Model(1024, "Instruct: Given a question, find code that answers it\nQuery: "),
    "qwen3-embedding:4b": Model(2560, "Instruct: Given a question, find code that answers it\nQuery: "),
    "text-embedding-3-small": Model(1536),
    "text-embedding-3-large": Model(3072),
    "text-embedding-ada-002": Model(1536),
    "voyage-code-3": Model(1024),
    "voyage-3-large": Model(1024),
    "voyage-3.5": Model(1024),
    "voyage-3.5-lite": Model(1024),
    "jina-embeddings-v2-base-code": Model(768),
    "jina-embeddings-v3": Model(1024),
    "jina-embeddings-v4": Model(2048),
    "jina-code-embeddings-0.5b": Model(896),
    "jina-code-embeddings-1.5b": Model(1536),
}
OPENAI: Final = "https://api.openai.com/v1"
LIST_PRICES: Final[Mapping[str, float]] = {"text-embedding-3-small": 0.02, "text-embedding-3-large": 0.13}
"""Dollars a million tokens at OpenAI itself, by its own pages of these models in 2026. Others' are the user's to say:
they change, and the same model costs something else elsewhere."""
TOO_LONG: Final = re.compile(
    r"context (length|size|window)|maximum (context|input|sequence|token)|max(imum)?_?(model_)?len|exceed\w* .*(token|context|length)"
    r"|less than \d+ tokens|too (long|many tokens)|input length|larger than the max context|physical batch size",
    re.IGNORECASE,
)
TOO_MANY: Final = re.compile(
    r"batch size \d+ > |maximum allowed batch|batch too large|too many inputs|array.*(too long|at most)"
    r"|max(imum)? (batch|inputs|number of (items|inputs|documents))|at most \d+ (items|inputs|texts)",
    re.IGNORECASE,
)


def known(model: str) -> Model | None:
    """What is known of a model, whatever its owner's name before and its tag behind."""
    name = model.lower().rpartition("/")[2]
    return MODELS.get(name) or MODELS.get(name.partition(":")[0])


def list_price(url: str, model: str) -> float | None:
    """Dollars a million tokens; None where they are not known."""
    return LIST_PRICES.get(model) if url.startswith(OPENAI.removesuffix("v1")) else None


def path_of(provider: str, url: str) -> str:
    """The address that embeds: of a server's own, with `/v1`, or whole."""
    url = url.rstrip("/")
    if provider == "ollama":
        return url if url.endswith("/api/embed") else f"{url}/api/embed"
    if url.endswith("/embeddings"):
        return url
    return f"{url}/embeddings" if re.search(r"/v\d+$", url) else f"{url}/v1/embeddings"


def request_of(
    provider: str, model: str, texts: Sequence[str], purpose: Purpose, dimensions: int = 0
) -> dict[str, Any]:
    """The body that asks for the vectors of texts; with `dimensions`, for shorter ones where the server can cut."""
    if provider == "ollama":
        # Without this a text that is too long is cut without a word.
        return {"model": model, "input": list(texts), "truncate": False}
    body: dict[str, Any] = {"model": model, "input": list(texts)}
    name = model.lower().rpartition("/")[2]
    if name.startswith("voyage-"):
        body |= {"input_type": purpose, "truncation": False}
        return body | ({"output_dimension": dimensions} if dimensions else {})
    if name.startswith("jina-"):
        if not name.startswith("jina-embeddings-v2"):
            side = "query" if purpose == "query" else "passage"
            body["task"] = f"nl2code.{side}" if "code" in name else f"retrieval.{side}"
        return body | ({"dimensions": dimensions} if dimensions else {})
    body["encoding_format"] = "float"
    return body | ({"dimensions": dimensions} if dimensions and name.startswith("text-embedding-3") else {})


def vectors_of(provider: str, answer: Any) -> list[Any] | None:
    """The vectors in the order of the texts, as they came; None for an answer that is none."""
    if not isinstance(answer, dict):
        return None
    if provider == "ollama":
        found = answer.get("embeddings")
        return found if isinstance(found, list) else None
    rows = answer.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "embedding" in row for row in rows):
        return None
    places = [row.get("index", place) for place, row in enumerate(rows)]
    if sorted(map(repr, places)) != sorted(map(repr, range(len(rows)))):
        return None
    return [row["embedding"] for _, row in sorted(zip(places, rows, strict=True), key=lambda each: int(each[0]))]


def scores_of(answer: Any, count: int) -> list[float] | None:
    """The relevance of each text, from a re-ranker's answer in TEI's or Jina's style; None for an answer that is none."""
    rows = answer.get("results", answer.get("data")) if isinstance(answer, dict) else answer
    if not isinstance(rows, list) or len(rows) != count:
        return None
    scores = [float("nan")] * count
    for row in rows:
        place = row.get("index") if isinstance(row, dict) else None
        score = row.get("relevance_score", row.get("score")) if isinstance(row, dict) else None
        if not isinstance(place, int) or not 0 <= place < count or not isinstance(score, int | float):
            return None
        scores[place] = float(score)
    return scores if all(np.isfinite(scores)) else None


def matrix_of(rows: Sequence[Any], count: int) -> Vectors | str:
    """float32[count, d] of the vectors of an answer, or what is wrong with them."""
    if len(rows) != count:
        return f"{len(rows)} vectors for {count} texts"
    try:
        matrix = np.asarray([_decoded(row) if isinstance(row, str) else row for row in rows], np.float32)
    except (ValueError, TypeError, binascii.Error):
        return "vectors that are no numbers, or of different lengths"
    return matrix if matrix.ndim == 2 else "numbers instead of vectors"


def flaws_in(vectors: Vectors) -> NDArray[np.bool_]:
    """Which rows are of no use: infinite, not numbers, or without a direction."""
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    flawed: NDArray[np.bool_] = ~np.isfinite(lengths) | (lengths < 1e-12)
    return flawed


def unit(vectors: Vectors, dimensions: int) -> Vectors:
    """The first `dimensions` components of each row (as Matryoshka models allow), of unit length; zero stays zero."""
    cut = vectors[:, :dimensions].astype(np.float32)
    lengths = np.linalg.norm(cut, axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):  # infinite stays so, or is no number any more: `flaws_in` finds both
        scaled = cut / np.where(lengths > 0, lengths, 1)
    return scaled.astype(np.float32)


def verdict(status: int, said: str) -> Verdict:
    """What a refusal is about; a batch that is refused otherwise is halved until the one text is found."""
    if 300 <= status < 400:
        return "redirect"
    if status in (401, 403):
        return "key"
    if status == 404:
        return "missing"
    if status in (400, 413, 422, 500) and TOO_MANY.search(said):
        return "tooMany"
    if status in (400, 413, 422, 500) and TOO_LONG.search(said):
        return "tooLong"
    if status == 413:
        return "tooMany"
    if status in (408, 425, 429) or status >= 500:
        return "later"
    return "refused"


def said_in(answer: Any) -> str:
    """The sentence in which a server refuses: {"error": "..."}, {"error": {"message": "..."}}, {"detail": "..."}."""
    for _ in range(3):
        if not isinstance(answer, dict):
            break
        answer = answer.get("error") or answer.get("message") or answer.get("detail") or ""
    return answer if isinstance(answer, str) else str(answer or "")


def _decoded(text: str) -> Vectors:
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
