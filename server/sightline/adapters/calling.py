"""A request to a server and its answer, or what went wrong in our words. The key goes nowhere else."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import h2.connection  # noqa: F401 - which httpx would load with its first client, while a search waits
import httpcore  # noqa: F401
import httpx
import stamina
from pydantic_core import from_json

from sightline.adapters import keys
from sightline.adapters.patience import seconds_of
from sightline.core import dialects
from sightline.errors import EmbedderError, EmbedderUnavailable

CONNECT_SECONDS: Final = 5.0
CONNECTIONS: Final = 8
SAID: Final = 200
for _name in ("httpx", "httpcore", "hpack", "h2"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # below, some of them log headers, and so the key
stamina.instrumentation.set_on_retry_hooks([])  # who waits is told by the job


class Later(EmbedderUnavailable):
    """Trying again may help; `seconds` is what the server asked for."""

    def __init__(self, message: str, *, hint: str = "", seconds: float | None = None, of_texts: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.seconds = seconds
        self.of_texts = of_texts
        """Whether the texts may be what it is about: fewer of them may do."""


class TooMany(EmbedderError):
    """Fewer texts may do."""


class TooLong(EmbedderError):
    """A text is longer than the model's context."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a model is served, and how it is asked."""

    provider: str
    url: str
    model: str
    batch_size: int = 64
    timeout: float = 30.0
    cut_by_server: bool = False
    """Whether shorter vectors than the model's own are asked for."""
    sends_key: bool = True

    @property
    def endpoint(self) -> str:
        return dialects.path_of(self.provider, self.url)

    @property
    def shown(self) -> str:
        """The server, without what might be a secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came."""

    status: int
    headers: httpx.Headers
    data: bytearray


class Caller:
    """The connections to one server. Belongs to the loop that first calls; `close` ends what is under way."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client: httpx.AsyncClient | None = None
        self._key: str | None = None
        self._turn = asyncio.Lock()

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def post(self, url: str, body: dict[str, Any], most_bytes: int) -> Reply:
        """The answer, whatever it says; ours where there is none."""
        try:
            async with asyncio.timeout(self._address.timeout):  # the client's own begins anew with every byte
                return await self._exchange(url, body, most_bytes)
        except TimeoutError as error:
            said = f"{self.name} did not answer within {self._address.timeout:g} s"
            raise Later(said, hint="Is it busy? embedding.timeout may be longer.", of_texts=True) from error
        except httpx.ConnectError as error:
            raise self._unreachable(error) from error
        except httpx.TimeoutException as error:
            raise Later(f"{self.name} does not accept connections ({type(error).__name__})") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise Later(f"{self.name} broke off ({type(error).__name__})", of_texts=True) from error

    def read(self, reply: Reply) -> Any:
        """What the answer says as JSON; ours for a refusal."""
        try:
            answer = from_json(reply.data)  # a fifth of what `json` takes for vectors, which was most of our time
        except ValueError as error:
            if reply.status == 200:
                raise Later(f"{self.name} answers with what is no JSON", of_texts=True) from error
            answer = {"error": reply.data[:SAID].decode("utf-8", "replace")}
        if reply.status != 200:
            raise self._refusal(reply, self._harmless(dialects.said_in(answer)))
        return answer

    async def _exchange(self, url: str, body: dict[str, Any], most_bytes: int) -> Reply:
        client = self._client or await self._connected()
        headers = {"content-type": "application/json"}
        if key := await self._own_key():
            headers["authorization"] = f"Bearer {key}"
        # Half a surrogate pair, as a shell passes what is no UTF-8, is no text for a server.
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        async with client.stream("POST", url, content=content, headers=headers) as response:
            data = bytearray()
            async for part in response.aiter_bytes():
                data += part
                if len(data) > most_bytes:
                    raise Later(f"{self.name} answers without an end", of_texts=True)
            return Reply(response.status_code, response.headers, data)

    async def _connected(self) -> httpx.AsyncClient:
        async with self._turn:
            if self._client is None:  # libraries and certificates: 80 ms in which no search would be answered
                self._client = await asyncio.to_thread(self._opened)
            return self._client

    def _opened(self) -> httpx.AsyncClient:
        anyio.run(anyio.sleep, 0)  # loads what the first connection would
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        timeout = httpx.Timeout(self._address.timeout, connect=min(CONNECT_SECONDS, self._address.timeout))
        return httpx.AsyncClient(http2=True, limits=limits, timeout=timeout, follow_redirects=False)

    def _refusal(self, reply: Reply, said: str) -> EmbedderError:
        """What a status means."""
        told = f"{self.name} refuses: {reply.status} {said}".rstrip()
        match dialects.verdict(reply.status, said):
            case "later":
                wanted = seconds_of(reply.headers.get("retry-after"))
                return Later(told, hint="It is asked again.", seconds=wanted, of_texts=reply.status == 500)
            case "tooMany" | "refused":
                return TooMany(told)
            case "tooLong":
                return TooLong(told)
            case "missing":
                return EmbedderError(told, hint=self._how_to_get())
            case "key":
                self._key = None  # a command may print another one next time
                return EmbedderError(told, hint=keys.HINT)
            case "redirect":
                to = urlsplit(reply.headers.get("location", ""))
                hint = f"Set embedding.url to where it sends us ({to.scheme}://{to.hostname}), if you trust it."
                return EmbedderError(f"{self.name} redirects ({reply.status}), which is not followed", hint=hint)

    def _unreachable(self, error: httpx.ConnectError) -> EmbedderError:
        if "SSL" in str(error) or "CERTIFICATE" in str(error):
            return EmbedderError(
                f"{self.name} cannot be trusted: {self._harmless(str(error))}",
                hint="Is it https at all? For a certificate of your own set SSL_CERT_FILE.",
            )
        how = "Run: ollama serve" if self._address.provider == "ollama" else "Is it running, and embedding.url right?"
        return Later(f"{self.name} does not answer", hint=how)

    def _how_to_get(self) -> str:
        if self._address.provider == "ollama":
            return f"Run: ollama pull {self._address.model}"
        return f"Does the server have {self._address.model}, and is embedding.url right?"

    def _harmless(self, said: str) -> str:
        """A server may say the key that it refuses."""
        said = " ".join(said.split())[:SAID]
        return said.replace(self._key, "…") if self._key else said

    async def _own_key(self) -> str:
        if not self._address.sends_key:
            return ""
        async with self._turn:
            if self._key is None:
                self._key = await asyncio.to_thread(keys.api_key)
            return self._key

    @property
    def name(self) -> str:
        """How the server is called in sentences."""
        return f"the embedding server {self._address.shown}"
