"""The models that this process can ask: the one that the settings name, and those that an index was made with before."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from sightline.adapters import embedding
from sightline.adapters.courtesy import Courtesy
from sightline.adapters.embedding import Identity, LocalEmbedder, Vectors
from sightline.adapters.patience import PATIENT
from sightline.core import dialects, passages
from sightline.core.dialects import Purpose
from sightline.errors import EmbedderError, EmbedderUnavailable, SettingsError
from sightline.settings import EmbeddingSettings

if TYPE_CHECKING:  # httpx takes a tenth of a second, and the bundled model needs no network
    from sightline.adapters.providers import RemoteEmbedder
    from sightline.adapters.reranking import Reranker

REMOTE: Final = ("ollama", "openai")
DEFAULT_MODELS: Final = {"ollama": "nomic-embed-text"}
DEFAULT_URLS: Final = {"ollama": "http://127.0.0.1:11434", "openai": dialects.OPENAI}
REMEMBERED: Final = 1_000
BINARY: Final = "b"
Key = tuple[str, str, int, str]


@dataclass(frozen=True, slots=True)
class Kind:
    """How a model is reached: by whom, under what name, and where."""

    provider: str
    model: str
    url: str = ""

    @property
    def is_remote(self) -> bool:
        return self.provider in REMOTE


@dataclass(frozen=True, slots=True)
class Model:
    """A model as a project's database knows it."""

    id: int
    identity: Identity
    kind: Kind

    @property
    def is_remote(self) -> bool:
        return self.kind.is_remote


class Embedders:
    """Owns the connections to embedding servers; local models are loaded when they are first needed."""

    def __init__(self, settings: EmbeddingSettings, seconds: float = 0.3) -> None:
        """`seconds` is how long a search waits for a vector."""
        self.settings = settings
        self.seconds = seconds
        self.patience = PATIENT
        self.courtesy = Courtesy()
        self.known: dict[tuple[str, int], Model] = {}
        """By database and the id of their rows."""
        self.kind = _kind_of(settings)
        self._local: dict[Kind, LocalEmbedder] = {}
        if self.kind.is_remote or settings.rerank_url:
            for name in ("providers", "reranking"):  # now, and not while a search waits
                importlib.import_module(f"sightline.adapters.{name}")
        if self.kind.is_remote:
            self.identity = remote_identity(self.kind, settings.dimensions, is_exact=settings.precision == "half")
        else:
            self.identity = self.local(self.kind).identity
        self._remote: dict[tuple[Kind, Key], RemoteEmbedder] = {}
        self._reranker: Reranker | None = None
        self._queries: OrderedDict[tuple[Key, Purpose, str], Vectors] = OrderedDict()
        self._asked: dict[tuple[Key, Purpose, str], asyncio.Task[Vectors]] = {}

    async def close(self) -> None:
        """Ends what is under way, then the connections."""
        running = list(self._asked.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for each in self._remote.values():
            await each.close()
        if self._reranker is not None:
            await self._reranker.close()

    def local(self, kind: Kind) -> LocalEmbedder:
        """A model of this process."""
        if kind not in self._local:
            self._local[kind] = embedding.load(kind.provider, kind.model)
        return self._local[kind]

    def remote(self, kind: Kind, identity: Identity) -> RemoteEmbedder:
        """A model of a server, with one set of connections however often it is asked for."""
        from sightline.adapters.calling import Address
        from sightline.adapters.providers import RemoteEmbedder

        key = (kind, key_of(identity))
        if key not in self._remote:
            own = dialects.known(kind.model)
            cut = own is not None and identity.dimensions < own.dimensions
            sends = _origin(kind.url) == _origin(self.kind.url)  # a key goes to the server that it was given for
            address = Address(
                kind.provider, kind.url, kind.model, self.settings.batch_size, self.settings.timeout, cut, sends
            )
            self._remote[key] = RemoteEmbedder(address, identity, self.patience, self.courtesy)
        return self._remote[key]

    def price(self, kind: Kind) -> float | None:
        """Dollars a million tokens; None where they are not known."""
        if not kind.is_remote or kind.provider == "ollama":
            return 0.0
        host = urlsplit(kind.url).hostname or ""
        is_here = host in ("localhost", "::1") or host.startswith("127.")
        own = self.settings.dollars_per_million_tokens
        return own or (0.0 if is_here else dialects.list_price(kind.url, kind.model))

    @property
    def reranker(self) -> Reranker | None:
        """The second stage, where the settings name one."""
        if self.settings.rerank_url and self._reranker is None:
            from sightline.adapters.reranking import Reranker

            sends = _origin(self.settings.rerank_url) == _origin(self.kind.url)
            self._reranker = Reranker(self.settings.rerank_url, self.settings.rerank_model, sends_key=sends)
        return self._reranker

    def at_once(self, kind: Kind, text: str, purpose: Purpose) -> Vectors:
        """The vector of a text by a local model."""
        model = self.local(kind)
        return model.embed_query(text) if purpose == "query" else model.embed_passage(text)

    async def within(self, seconds: float, kind: Kind, identity: Identity, text: str, purpose: Purpose) -> Vectors:
        """The vector of a text by a server's model; TimeoutError where it takes longer, and then the next may have it.

        EmbedderError where there will be none.
        """
        key = (key_of(identity), purpose, text)
        known = self._queries.get(key)
        if known is not None:
            self._queries.move_to_end(key)
            return known
        if key not in self._asked:
            model = self.remote(kind, identity)
            model.breaker.check()
            task = asyncio.create_task(model.embed_query(text, purpose), name="query vector")
            self._asked[key] = task
            task.add_done_callback(lambda done: self._keep(key, done))
        async with asyncio.timeout(seconds):
            return await asyncio.shield(self._asked[key])

    def _keep(self, key: tuple[Key, Purpose, str], done: asyncio.Task[Vectors]) -> None:
        self._asked.pop(key, None)
        if done.cancelled() or done.exception() is not None:
            return
        self._queries[key] = done.result()
        if len(self._queries) > REMEMBERED:
            self._queries.popitem(last=False)


def key_of(identity: Identity) -> Key:
    """What must be equal for two vectors to be compared."""
    return (identity.name, identity.version, identity.dimensions, repr(sorted(identity.prefixes.items())))


def kind_named(name: str, url: str) -> Kind:
    """The kind of a model that an index was made with."""
    provider, _, model = name.partition(":")
    return Kind(provider, model, url) if provider in (*REMOTE, "model2vec") else Kind("static", "")


def remote_identity(kind: Kind, dimensions: int = 0, *, is_exact: bool = True) -> Identity:
    """What is stored of a server's model; nobody is asked for it, so that a folder opens while the server is down.

    What is kept of a vector is a part of it: angles told by sign bits are not compared with cosines.
    """
    own = dialects.known(kind.model)
    if own is None and not dimensions:
        raise SettingsError(
            f"embedding.dimensions: how long the vectors of {kind.model!r} are is not known",
            hint="Set embedding.dimensions to the length of the model's vectors.",
        )
    prefixes = {"query": own.query, "document": own.document} if own else {}
    kept = {name: prefix for name, prefix in prefixes.items() if prefix}
    name = f"{kind.provider}:{kind.model}"
    return Identity(
        name, f"t{passages.VERSION}{'' if is_exact else BINARY}", dimensions or (own.dimensions if own else 0), kept
    )


def cache_name(identity: Identity) -> str:
    """Under what the vectors of a server's model are remembered."""
    version = identity.version.removesuffix(BINARY)  # the whole vectors, whatever is kept of them elsewhere
    digest = hashlib.blake2b(repr(sorted(identity.prefixes.items())).encode(), digest_size=6).hexdigest()
    return f"{identity.name} {version} {identity.dimensions} {digest}"


def reason_of(error: EmbedderError) -> str:
    """One sentence, with what to do about it."""
    is_short = isinstance(error, EmbedderUnavailable) or not error.hint
    return str(error) if is_short else f"{error}. {error.hint}"


def _kind_of(settings: EmbeddingSettings) -> Kind:
    provider = settings.provider
    model = settings.model or DEFAULT_MODELS.get(provider, "")
    if provider == "openai" and not model:
        raise SettingsError("embedding.model is empty", hint="Name a model that the server has.")
    return Kind(provider, model, (settings.url or DEFAULT_URLS[provider]).rstrip("/") if provider in REMOTE else "")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
