"""Local embedding models: the bundled static one, and any model2vec model."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Final, Protocol
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from sightline.core.bags import COMMENTS, Bag, Document, names_of, split_path
from sightline.core.segments import expand, sum_by_key
from sightline.errors import EmbedderError, SettingsError

Vectors = NDArray[np.float32]
Wanted = NDArray[np.bool_]
PATH_WEIGHT: Final = 0.7
NAMES_WEIGHT: Final = 0.5
"""v = norm(norm(body) + 0.7 norm(path) + 0.5 norm(names)): DESIGN.md §6; worth four times the model's training."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes two vectors comparable; stored with the index."""

    name: str
    version: str
    dimensions: int
    prefixes: dict[str, str] = field(default_factory=dict)


class LocalEmbedder(Protocol):
    """A model that runs in the process that asks; every vector has unit length, or is zero for text without words."""

    @property
    def identity(self) -> Identity: ...

    def embed_query(self, text: str) -> Vectors:
        """float32[d] of words that somebody looks for."""

    def embed_passage(self, text: str) -> Vectors:
        """float32[d] of code whose like somebody looks for."""

    def embed_bodies(self, documents: Sequence[Document], bag: Bag, wanted: Wanted) -> Vectors:
        """float32[n, d], the vectors of the chunks' texts; zero where not wanted. `bag` is that of `documents`."""

    def compose(self, bodies: Vectors, documents: Sequence[Document]) -> Vectors:
        """float32[n, d], what is stored of all chunks in order: their texts with their paths and names."""


def load(provider: str, model: str = "") -> LocalEmbedder:
    """The embedder that the settings name."""
    if provider == "static":
        return bundled()
    if provider == "model2vec":
        return Model2Vec(model)
    raise SettingsError(f"embedding.provider: {provider!r} is unknown", hint="Set it to one of: static, model2vec.")


@cache
def bundled() -> StaticModel:
    """The model of the package's own data."""
    folder = Path(str(files("sightline"))) / "models"
    return StaticModel(folder)


class StaticModel:
    """A table of sub-word vectors: a text is the sum of its words' rows, weighted by sqrt(tf) and a weight a word.

    Queries have word weights of their own. How it was trained: notes/static.md in the design's evidence.
    """

    def __init__(self, folder: Path) -> None:
        try:
            with np.load(folder / "vectors.npz") as arrays:
                table = {name: arrays[name] for name in ("q", "s", "r", "logp")}
            words = (folder / "vocab.txt").read_text("utf-8").split("\n")
        except (OSError, ValueError, EOFError, KeyError, TypeError, BadZipFile, zlib.error) as error:
            raise EmbedderError("the bundled model cannot be read", hint="Install sightline-ls again.") from error
        self._rows: NDArray[np.int8] = table["q"]
        self._weight: Vectors = table["s"].astype(np.float32)
        self._query_weight: Vectors = self._weight * table["r"].astype(np.float32)
        self._pieces = _Pieces(words, table["logp"].astype(np.float32).tolist())
        self.identity = Identity("sightline-static", "g2", int(self._rows.shape[1]))

    def embed_query(self, text: str) -> Vectors:
        return _unit(self._sum(self._pieces.of_text(text), self._query_weight))

    def embed_bodies(self, documents: Sequence[Document], bag: Bag, wanted: Wanted) -> Vectors:
        return _unit(self._bodies(bag, wanted))

    def compose(self, bodies: Vectors, documents: Sequence[Document]) -> Vectors:
        bodies = bodies.copy()
        number = 0
        for document in documents:
            path = PATH_WEIGHT * self.embed_passage(path_text(document.path))
            for chunk in document.syntax.chunks:
                bodies[number] += path + NAMES_WEIGHT * self.embed_passage(names_of(chunk))
                number += 1
        return _unit(bodies)

    def embed_passage(self, text: str) -> Vectors:
        return _unit(self._sum(self._pieces.of_text(text), self._weight))

    def _sum(self, pieces: list[int], weight: Vectors) -> Vectors:
        ids, counts = np.unique(np.asarray(pieces, np.int64), return_counts=True)
        factors = np.sqrt(counts, dtype=np.float32) * weight[ids]
        return factors @ self._rows[ids].astype(np.float32)

    def _bodies(self, bag: Bag, wanted: Wanted) -> Vectors:
        """Sums of the words of code and comments."""
        body = (bag.field <= COMMENTS) & wanted[bag.chunk]
        chunks, words, counts = bag.chunk[body], bag.word[body], bag.count[body]
        pieces = [self._pieces.of_word(word) for word in bag.words]
        sizes = np.fromiter(map(len, pieces), np.int64, len(pieces))
        flat = np.array([piece for each in pieces for piece in each], np.int64)
        entry, position = expand(words, sizes)
        vocabulary = len(self._rows)
        key = chunks[entry].astype(np.int64) * vocabulary + flat[position]
        key, totals = sum_by_key(key, counts[entry].astype(np.int64))
        owner, ids = np.divmod(key, vocabulary)
        factors = np.sqrt(totals).astype(np.float32) * self._weight[ids]
        bounds = np.searchsorted(owner, np.arange(bag.chunk_count + 1)).tolist()
        out = np.zeros((bag.chunk_count, self._rows.shape[1]), np.float32)
        for number, (start, end) in enumerate(pairwise(bounds)):
            if start < end:
                out[number] = factors[start:end] @ self._rows[ids[start:end]].astype(np.float32)
        return out


class _Pieces:
    """Words to rows of the table; an unknown word is cut into the likeliest known pieces (Viterbi)."""

    WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^\W\d_a-zA-Z]+")
    LONGEST_WORD, LONGEST_PIECE, REMEMBERED = 40, 24, 200_000
    UNKNOWN, SHORT = -25.0, 4.0
    """Log-probability of an unknown letter, and what a piece of fewer than three letters costs more."""

    def __init__(self, words: list[str], log_probability: list[float]) -> None:
        self._id = {word: number for number, word in enumerate(words)}
        self._log_probability = log_probability
        self._cut: dict[str, tuple[int, ...]] = {}
        self._words: dict[str, tuple[int, ...]] = {}

    def of_text(self, text: str) -> list[int]:
        return [piece for word in self.WORD.findall(text) for piece in self._of_part(word.lower())]

    def of_word(self, word: str) -> tuple[int, ...]:
        """The pieces of one identifier, remembered."""
        pieces = self._words.get(word)
        if pieces is None:
            if len(self._words) >= self.REMEMBERED:
                self._words.clear()
            pieces = self._words[word] = tuple(self.of_text(word))
        return pieces

    def _of_part(self, part: str) -> tuple[int, ...]:
        known = self._id.get(part)
        if known is not None:
            return (known,)
        pieces = self._cut.get(part)
        if pieces is None:
            if len(self._cut) >= self.REMEMBERED:
                self._cut.clear()
            pieces = self._cut[part] = self._viterbi(part[: self.LONGEST_WORD])
        return pieces

    def _viterbi(self, part: str) -> tuple[int, ...]:
        best, back = [0.0] + [-1e9] * len(part), [0] * (len(part) + 1)
        for end in range(1, len(part) + 1):
            for start in range(max(0, end - self.LONGEST_PIECE), end):
                score = self._piece_score(part[start:end])
                if score is not None and best[start] + score > best[end]:
                    best[end], back[end] = best[start] + score, start
        pieces: list[int] = []
        end = len(part)
        while end > 0:
            piece, end = self._id.get(part[back[end] : end]), back[end]
            if piece is not None:
                pieces.append(piece)
        return tuple(reversed(pieces))

    def _piece_score(self, piece: str) -> float | None:
        known = self._id.get(piece)
        if known is None:
            return self.UNKNOWN if len(piece) == 1 else None
        return self._log_probability[known] - (self.SHORT if len(piece) < 3 else 0.0)


class Model2Vec:
    """Any model2vec model, by name or path; the `model2vec` extra brings the library."""

    def __init__(self, model: str) -> None:
        if not model:
            raise SettingsError(
                "embedding.model is empty", hint="Name a model2vec model, or the path of one, for this provider."
            )
        self._model = _load_model2vec(model)
        dimensions = int(self._encode(["x"]).shape[1])
        self.identity = Identity(f"model2vec:{model}", "1", dimensions)

    def embed_query(self, text: str) -> Vectors:
        vector: Vectors = self._encode([_spaced(text)])[0]
        return vector

    def embed_passage(self, text: str) -> Vectors:
        return self.embed_query(text)

    def embed_bodies(self, documents: Sequence[Document], bag: Bag, wanted: Wanted) -> Vectors:
        texts = [
            _spaced(document.source[chunk.start_byte : chunk.end_byte].decode("utf-8", "replace"))
            for document in documents
            for chunk in document.syntax.chunks
        ]
        bodies = np.zeros((len(texts), self.identity.dimensions), np.float32)
        if wanted.any():
            bodies[wanted] = self._encode([text for text, is_wanted in zip(texts, wanted, strict=True) if is_wanted])
        return bodies

    def compose(self, bodies: Vectors, documents: Sequence[Document]) -> Vectors:
        if not len(bodies):
            return bodies
        paths = [_spaced(path_text(each.path)) for each in documents for _ in each.syntax.chunks]
        names = [_spaced(names_of(chunk)) for each in documents for chunk in each.syntax.chunks]
        return _unit(bodies + PATH_WEIGHT * self._encode(paths) + NAMES_WEIGHT * self._encode(names))

    def _encode(self, texts: list[str]) -> Vectors:
        return _unit(np.asarray(self._model(texts), np.float32))


def _load_model2vec(model: str) -> Callable[[list[str]], NDArray[np.floating]]:
    try:
        from model2vec import StaticModel as Library
    except ImportError as error:
        raise EmbedderError(
            "the library model2vec is not installed", hint="Run: pip install 'sightline-ls[model2vec]'"
        ) from error
    try:
        # A model that was fetched once is not asked for again; one in a folder needs no network at all.
        library = Library.from_pretrained(model, force_download=False)
    except Exception as error:  # the library's tokenizer raises nothing narrower
        raise EmbedderError(
            f"the model2vec model {model!r} cannot be loaded",
            hint="Give the path of a folder that holds config.json, model.safetensors and tokenizer.json.",
        ) from error
    # No cut at the library's 512 tokens, and no processes of its own beside ours.
    return partial(library.encode, max_length=None, use_multiprocessing=False)


def path_text(path: str) -> str:
    """The path as words: without its last extension."""
    stem, directories = split_path(path)
    return f"{directories}/{stem}" if directories else stem


def _spaced(text: str) -> str:
    """Identifiers split at case and underscore, for tokenisers made for prose."""
    return " ".join(_Pieces.WORD.findall(text))


def _unit(vectors: Vectors) -> Vectors:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Vectors = vectors / np.maximum(norms, 1e-9)
    return scaled
