"""Embedding servers: what each failure of theirs comes to, with a real server that speaks their dialects."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import re
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from adapters.embedding_server import CERTIFICATE, PATIENCE, EmbeddingServer, Fault
from sightline.adapters import keys
from sightline.adapters.embedders import Embedders, Kind, kind_named, remote_identity
from sightline.adapters.embedding import Identity, bundled
from sightline.adapters.patience import BatchSize, Breaker, Patience, seconds_of
from sightline.adapters.providers import Address, RemoteEmbedder
from sightline.core import dialects, passages
from sightline.errors import EmbedderError, EmbedderUnavailable, SettingsError
from sightline.settings import EmbeddingSettings, parse

QUICK = Patience(attempts=3, first=0.01, most=0.2, jitter=0.01, failures=1_000, rest=0.2, most_rest=0.4)
BUSY = "# the server may be busy for a while so ask it once more\n"
TEXTS = [f"def retry_upload_{number}(): return {number}\n{BUSY}{BUSY}" for number in range(20)]


@pytest.fixture
def server() -> Iterator[EmbeddingServer]:
    bundled()  # so that the first answer does not wait for it
    with EmbeddingServer().running() as running:
        yield running


def model_of(
    server: EmbeddingServer, provider: str = "ollama", patience: Patience = QUICK, **more: Any
) -> RemoteEmbedder:
    kind = Kind(provider, more.pop("model", server.model), server.url)
    address = Address(kind.provider, kind.url, kind.model, **{"batch_size": 8, "timeout": PATIENCE, **more})
    return RemoteEmbedder(address, remote_identity(kind, server.dimensions), patience)


def expected(server: EmbeddingServer, texts: list[str], prefix: str = "search_document: ") -> np.ndarray:
    return dialects.unit(server.vectors([prefix + text for text in texts]), server.dimensions)


@pytest.mark.parametrize("provider", ["ollama", "openai"])
async def test_texts_come_back_as_unit_vectors_in_their_order(server: EmbeddingServer, provider: str) -> None:
    model = model_of(server, provider)
    done = await model.embed_documents(TEXTS)
    query = await model.embed_query("retry an upload")
    await model.close()
    assert np.allclose(done.vectors, expected(server, TEXTS), atol=1e-5)
    assert np.allclose(query, expected(server, ["retry an upload"], "search_query: ")[0], atol=1e-5)
    assert sorted(len(asked.texts) for asked in server.asked[:3]) == [4, 8, 8]
    assert len(server.asked[3].texts) == 1
    assert server.texts[0].startswith("search_document: def retry")
    assert {asked.path for asked in server.asked} == {"/api/embed" if provider == "ollama" else "/v1/embeddings"}
    assert not done.failed


@dataclass(frozen=True)
class Case:
    """One way in which a server fails, and what it comes to."""

    name: str
    make: Callable[[EmbeddingServer], None]
    outcome: str
    """whole: every vector in the end; kept: all but the one that failed; else a part of the error."""
    hint: str = ""
    timeout: float = PATIENCE
    provider: str = "ollama"


def once(*faults: Fault) -> Callable[[EmbeddingServer], None]:
    return lambda server: server.fail(*faults)


def always(fault: Fault) -> Callable[[EmbeddingServer], None]:
    return lambda server: setattr(server, "always", fault)


def having(**values: Any) -> Callable[[EmbeddingServer], None]:
    return lambda server: [setattr(server, name, value) for name, value in values.items()] and None


def status(code: int, said: Any = None, **headers: str) -> Fault:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault("status", code, {"error": said} if said else {}, named)


def changed(how: Callable[[list[Any]], list[Any]]) -> Fault:
    return Fault("vectors", body=lambda body: {**body, "embeddings": how(body["embeddings"])})


CASES = [
    # The server or the way to it.
    Case("not running", lambda server: server.stop(), "does not answer", "ollama serve"),
    Case("silent", once(Fault("silence", seconds=60)), "whole", timeout=2),
    Case("silent twice", once(*[Fault("silence", seconds=60)] * 2), "whole", timeout=2),
    Case("silent for good", always(Fault("silence", seconds=60)), "did not answer within 0.1 s", "busy", timeout=0.1),
    Case("slow drip", once(Fault("drip", seconds=60)), "whole", timeout=2),
    Case("endless answer", once(Fault("endless")), "whole"),
    Case("reset in mid-batch", once(Fault("reset")), "whole"),
    Case("reset three times", once(*[Fault("reset")] * 2), "whole"),
    Case("redirect", always(status(307, location="http://elsewhere.invalid/api?key=1")), "redirects", "http://elsewhere.invalid)"),
    # The model and the key.
    Case("model missing", having(model="another"), "not found", "ollama pull nomic-embed-text"),
    Case("model missing, OpenAI", having(model="another"), "not found", "have nomic-embed-text", provider="openai"),
    Case("key missing", having(key="sk-1"), "401", "SIGHTLINE_EMBEDDING_API_KEY"),
    Case("forbidden", always(status(403, "no")), "403 no", "SIGHTLINE_EMBEDDING_API_KEY"),
    # The load.
    Case("429 with seconds", once(status(429, "slow down", retry_after="0.05")), "whole"),
    Case("429 with a date", once(status(429, "slow down", retry_after="Wed, 21 Oct 2015 07:28:00 GMT")), "whole"),
    Case("429 for long", always(status(429, "tomorrow", retry_after="86400")), "429 tomorrow"),
    Case("408", once(status(408)), "whole"),
    Case("500", once(status(500, "oops")), "whole"),
    Case("500 for good", always(status(500, "oops")), "500 oops"),
    Case("502, 503, 504", once(status(502), status(503), status(504)), "whole"),
    Case("503 for good", always(status(503, "loading")), "503 loading"),
    # The batch and the texts.
    Case("413 too many", having(most_texts=3), "whole"),
    Case("413 without a word", lambda server: server.fail(Fault("status", 413, b"")), "whole"),
    Case("context too long", having(most_tokens=16), "whole"),
    Case("context too long, OpenAI", having(most_tokens=16), "whole", provider="openai"),
    Case("one text crashes it", having(poison="upload_7("), "kept"),
    Case("everything refused", always(status(400, "does not support embeddings")), "does not support", "model that embeds"),
    # The answer.
    Case("no JSON", once(Fault("status", 200, b"<html>")), "whole"),
    Case("deep JSON", once(Fault("status", 200, b"[" * 100_000)), "whole"),
    Case("no vectors", once(Fault("status", 200, {"done": True})), "whole"),
    Case("no object", once(Fault("status", 200, b"3")), "whole"),
    Case("too few", once(changed(lambda rows: rows[1:])), "whole"),
    Case("too many", once(changed(lambda rows: [*rows, rows[0]])), "whole"),
    Case("not numbers", once(changed(lambda rows: [["a"], *rows[1:]])), "whole"),
    Case("of two lengths", once(changed(lambda rows: [[1.0], *rows[1:]])), "whole"),
    Case("not even lists", once(changed(lambda rows: [3.0] * len(rows))), "whole"),
    Case("NaN", once(changed(lambda rows: [[math.nan] * 768, *rows[1:]])), "whole"),
    Case("infinite", once(changed(lambda rows: [[math.inf] * 768, *rows[1:]])), "whole"),
    Case("zero", once(changed(lambda rows: [[0.0] * 768, *rows[1:]])), "whole"),
    Case("zero for good", always(changed(lambda rows: [[0.0] * 768] * len(rows))), "without a direction", "model that embeds"),
    Case("wrong dimension", always(changed(lambda rows: [row[:512] for row in rows])), "512 numbers, not 768", "embedding.dimensions to 512"),
    Case("index twice", once(Fault("vectors", body=lambda body: {"data": [{**each, "index": 0} for each in body["data"]]})), "whole", provider="openai"),
    Case("no index", once(Fault("vectors", body=lambda body: {"data": [{"embedding": each["embedding"]} for each in body["data"][::-1]]})), "whole", provider="openai"),
    Case("data is no list", once(Fault("status", 200, {"data": {}})), "whole", provider="openai"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_every_failure_has_its_end_and_nothing_is_lost(server: EmbeddingServer, case: Case) -> None:
    model = model_of(server, case.provider, timeout=case.timeout)
    case.make(server)
    try:
        if case.outcome not in ("whole", "kept"):
            with pytest.raises(EmbedderError, match=case.outcome) as caught:
                await asyncio.wait_for(model.embed_documents(TEXTS), PATIENCE)
            assert case.hint in caught.value.hint
            assert len(server.asked) <= 80
            with pytest.raises(EmbedderError, match=case.outcome):
                await model.embed_query("a")
            case_ended(server)
            model.breaker.forget()
            if case.timeout < PATIENCE:  # a busy machine may take longer to embed
                await model.close()
                model = model_of(server, case.provider)
        done = await asyncio.wait_for(model.embed_documents(TEXTS), PATIENCE)
    finally:
        await model.close()
    places = [place for place in range(len(TEXTS)) if place not in done.failed]
    assert len(done.failed) == (case.outcome == "kept")
    if "context" not in case.name:
        assert np.allclose(done.vectors[places], expected(server, TEXTS)[places], atol=1e-5)
    assert np.allclose(np.linalg.norm(done.vectors[places], axis=1), 1, atol=1e-5)
    while server.now and case.timeout == PATIENCE:  # what was broken off is noticed in a moment
        await asyncio.sleep(0.01)


def case_ended(server: EmbeddingServer) -> None:
    """What was wrong is mended, and the same model asked again."""
    server.model, server.key, server.always = "nomic-embed-text", "", None
    server.stop()
    server.start()


EARLIER = {
    "made once": "test_whoever_asks_for_a_model_shares_its_connections",
    "made again": "test_whoever_asks_for_a_model_shares_its_connections",
    "closed": "test_a_model_that_is_closed_opens_again_when_it_is_asked",
    "closed twice": "test_a_model_that_is_closed_opens_again_when_it_is_asked",
    "asked when closed": "test_a_model_that_is_closed_opens_again_when_it_is_asked",
    "time-out for good": "silent for good",
    "time-out twice, and longer waits": "test_each_wait_is_longer_than_the_one_before",
    "not running": "not running",
    "not running, asked three times": "test_what_may_pass_is_asked_for_three_times_and_what_will_not_once",
    "status 404, asked once": "test_what_may_pass_is_asked_for_three_times_and_what_will_not_once",
    "status 500, asked three times": "test_what_may_pass_is_asked_for_three_times_and_what_will_not_once",
    "an answer of another shape": "no vectors",
    "wrong dimension": "wrong dimension",
    "what nobody thought of": "endless answer",
    "an empty text": "test_an_empty_text_keeps_no_other_back",
    "no texts": "test_an_empty_text_keeps_no_other_back",
    "an empty text among others": "test_an_empty_text_keeps_no_other_back",
    "several texts": "test_texts_come_back_as_unit_vectors_in_their_order",
    "one of several fails": "silent",
    "examined: all is well": "test_texts_come_back_as_unit_vectors_in_their_order",
    "examined: no such model": "model missing",
    "examined: not running": "not running",
    "examined: status 500": "500 for good",
    "one text for whoever asks": "test_a_query_is_embedded_once_whoever_asks",
    "several texts for whoever asks": "test_whoever_asks_for_a_model_shares_its_connections",
}
"""The 25 error paths that codebase-mcp names for its embedder, by which case or test each ends here."""


def test_all_error_paths_of_the_system_before_have_an_end() -> None:
    assert len(EARLIER) == 25
    assert set(EARLIER.values()) <= {case.name for case in CASES} | globals().keys()


async def test_whoever_asks_for_a_model_shares_its_connections(server: EmbeddingServer) -> None:
    models = Embedders(EmbeddingSettings(provider="ollama", url=server.url))
    model = models.remote(models.kind, models.identity)
    assert models.remote(kind_named(models.identity.name, server.url), models.identity) is model
    both = await asyncio.gather(model.embed_documents(TEXTS), model.embed_documents(TEXTS))
    assert np.array_equal(both[0].vectors, both[1].vectors)
    assert server.most_at_once <= 4
    await models.close()


async def test_a_model_that_is_closed_opens_again_when_it_is_asked(server: EmbeddingServer) -> None:
    model = model_of(server)
    await model.close()
    before = await model.embed_query("a")
    await model.close()
    await model.close()
    assert np.array_equal(await model.embed_query("a"), before)
    await model.close()


async def test_each_wait_is_longer_than_the_one_before(server: EmbeddingServer) -> None:
    model = model_of(server, patience=replace(QUICK, attempts=4, first=0.05, most=5, jitter=0.001))
    server.fail(*[status(503)] * 3)
    assert not (await model.embed_documents(TEXTS[:1])).failed
    await model.close()
    waits = np.diff([asked.at for asked in server.asked])
    assert (waits >= [0.05, 0.1, 0.2]).all()


@pytest.mark.parametrize(
    ("make", "requests"),
    [(lambda server: server.stop(), 3), (once(*[Fault("reset")] * 4), 3), (always(status(500)), 3),
     (always(status(503)), 3), (having(model="another"), 1), (having(key="sk-1"), 1), (always(status(400, "no")), 1)],
)  # fmt: skip
async def test_what_may_pass_is_asked_for_three_times_and_what_will_not_once(
    server: EmbeddingServer, make: Callable[[EmbeddingServer], None], requests: int
) -> None:
    model = model_of(server)
    make(server)
    done = model.begun(1)
    with contextlib.suppress(EmbedderError):
        await model.embed_documents(TEXTS[:1], done)
    await model.close()
    assert done.requests == requests
    assert not done.vectors.any()


async def test_an_empty_text_keeps_no_other_back() -> None:
    with EmbeddingServer(model="own").running() as server:  # whose prefixes are empty, so that the text is
        model = model_of(server, "openai")
        assert (await model.embed_documents([])).vectors.shape == (0, 768)
        assert not server.asked
        done = await model.embed_documents(["a", "", "b"])
        await model.close()
    assert list(done.failed) == [1]
    assert np.allclose(done.vectors[[0, 2]], expected(server, ["a", "b"], ""), atol=1e-5)


async def test_a_text_beyond_the_context_is_the_mean_of_its_parts(server: EmbeddingServer) -> None:
    model = model_of(server)
    text = "\n".join(f"line {number} of a long text about retries" for number in range(40))
    whole = await model.embed_query(text, "document")
    server.most_tokens = 100
    done = await model.embed_documents([text, "short"])
    assert not done.failed
    assert float(done.vectors[0] @ whole) > 0.95
    server.most_tokens = 0
    done = await model.embed_documents([text])
    await model.close()
    assert "context length" in str(done.failed[0])


async def test_batches_shrink_to_what_the_server_takes_and_grow_again(server: EmbeddingServer) -> None:
    server.most_texts = 3
    model = model_of(server, batch_size=16)
    await model.embed_documents(TEXTS * 4)
    server.asked.clear()
    await model.embed_documents(TEXTS[:12])
    assert max(len(asked.texts) for asked in server.asked) <= 4
    server.most_texts = 100
    for _ in range(5):
        await model.embed_documents(TEXTS * 4)
    await model.close()
    assert max(len(asked.texts) for asked in server.asked) == 16
    size = BatchSize(5)
    size.shrink(2)
    size.shrink(1)
    assert size.now == 1


async def test_requests_under_way_are_few_and_end_with_who_asked(server: EmbeddingServer) -> None:
    model = model_of(server, batch_size=1)
    server.delay = 0.05
    await model.embed_documents(TEXTS)
    server.delay = 1000
    asking = asyncio.create_task(model.embed_documents(TEXTS))
    while server.now < 4:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert server.most_at_once == 4
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await model.close()
    count = len(server.asked)
    await asyncio.sleep(0.1)
    assert len(server.asked) == count


@pytest.mark.parametrize("purpose", ["query", "document"])
async def test_who_searches_waits_behind_no_batch(server: EmbeddingServer, purpose: dialects.Purpose) -> None:
    model = model_of(server, batch_size=1)
    server.delay = 600
    asking = asyncio.create_task(model.embed_documents(TEXTS))
    while server.now < 4:
        await asyncio.sleep(0.01)
    server.delay = 0
    await asyncio.wait_for(model.embed_query("code like this", purpose), PATIENCE)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await model.close()


async def test_a_server_that_fails_is_left_alone_and_then_tried(server: EmbeddingServer) -> None:
    server.stop()
    resting, model = (model_of(server, patience=replace(QUICK, failures=3, rest=rest)) for rest in (1000, 0.2))
    for each in (resting, model):
        with pytest.raises(EmbedderUnavailable, match="does not answer"):
            await each.embed_documents(TEXTS[:1])
    server.start()
    with pytest.raises(EmbedderUnavailable, match="does not answer") as caught:
        await resting.embed_query("a")
    assert re.fullmatch(r"It is asked again in \d+ s\.", caught.value.hint)
    assert not server.asked
    while model.breaker.seconds_left:
        await asyncio.sleep(0.02)
    assert (await model.embed_query("a")).shape == (768,)
    await resting.close()
    await model.close()


def test_the_breaker_rests_twice_as_long_each_time_and_as_long_as_it_is_asked_to() -> None:
    now = [0.0]
    breaker = Breaker(Patience(failures=2, rest=5, most_rest=12, most=8), lambda: now[0])
    rests = []
    for _ in range(4):
        breaker.failed("it is down")
        breaker.failed("it is down")
        rests.append(breaker.seconds_left)
        with pytest.raises(EmbedderUnavailable, match="it is down"):
            breaker.check()
        now[0] += breaker.seconds_left
        breaker.check()
    assert rests[:2] == [5, 12]
    assert max(rests) == 12
    breaker.worked()
    breaker.failed("busy", 4)
    assert not breaker.seconds_left
    breaker.failed("busy", 90)
    assert breaker.seconds_left == 90
    breaker.forget()
    assert not breaker.seconds_left


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [("3", 3, 3), ("0.5", 0.5, 0.5), ("-1", 0, 0), ("99999999", 3600, 3600), ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
     ("Wed, 21 Oct 2115 07:28:00 -0000", 3600, 3600)],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(header: str, least: float, most: float) -> None:
    seconds = seconds_of(header)
    assert seconds is not None
    assert least <= seconds <= most


@pytest.mark.parametrize("header", [None, "", "soon", "nan", "inf"])
def test_a_retry_after_that_says_nothing_is_none(header: str | None) -> None:
    assert seconds_of(header) is None


async def test_the_key_is_sent_and_never_said(
    server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.key = "sk-right-4711"
    monkeypatch.setenv(keys.VARIABLE, server.key)
    model = model_of(server, "openai")
    assert (await model.embed_query("a")).shape == (768,)
    await model.close()
    monkeypatch.setenv(keys.VARIABLE, "sk-wrong-4712")
    model = model_of(server, "openai")
    with pytest.raises(EmbedderError, match="Incorrect API key provided: …") as caught:
        await model.embed_query("a")
    await model.close()
    said = caplog.text + repr(caught.value) + repr(model.__dict__["address"]) + str(caught.value.__cause__)
    assert "4711" not in said
    assert "4712" not in said


async def test_a_key_goes_only_to_the_server_that_it_was_given_for(
    server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(keys.VARIABLE, "sk-4711")
    models = Embedders(EmbeddingSettings(provider="openai", model="bge-m3", url="http://127.0.0.1:1"))
    former = kind_named("ollama:nomic-embed-text", server.url)
    await models.within(PATIENCE, former, remote_identity(former), "a", "query")
    await models.close()
    assert "authorization" not in server.asked[0].headers


@pytest.mark.parametrize(
    ("command", "key"),
    [(f"{sys.executable} -c \"print('sk-4711')\"", "sk-4711"), ("", ""), (f"{sys.executable} -c \"print('two words')\"", None),
     (f"{sys.executable} -c \"raise SystemExit('sk-4711')\"", None), ("no-such-command-4711", None), ("'", None)],
)  # fmt: skip
def test_a_command_may_print_the_key(monkeypatch: pytest.MonkeyPatch, command: str, key: str | None) -> None:
    monkeypatch.delenv(keys.VARIABLE, raising=False)
    monkeypatch.setenv(keys.COMMAND, command)
    if key is not None:
        assert keys.api_key() == key
        assert parse()[1] == ()
        return
    with pytest.raises(SettingsError, match="did not print") as caught:
        keys.api_key()
    assert "4711" not in f"{caught.value}{caught.value.hint}{caught.value.__cause__}"
    assert caught.value.__cause__ is None


async def test_a_key_that_was_refused_is_asked_for_again(
    server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.delenv(keys.VARIABLE, raising=False)
    file = tmp_path / "key"
    file.write_text("sk-old")
    monkeypatch.setenv(keys.COMMAND, f"cat {file}")
    server.key = "sk-old"
    model = model_of(server, "openai")
    await model.embed_query("a")
    server.key = "sk-new"
    file.write_text("sk-new")
    with pytest.raises(EmbedderError, match="401"):
        await model.embed_query("b")
    await model.embed_query("b")
    await model.close()


async def test_an_encrypted_server_is_trusted_by_its_certificate_and_spoken_to_in_http_2(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with EmbeddingServer(tls=True).running() as server:
        monkeypatch.delenv("SSL_CERT_DIR", raising=False)
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        stranger = model_of(server)
        with pytest.raises(EmbedderError, match="cannot be trusted") as caught:
            await stranger.embed_documents(TEXTS)
        await stranger.close()
        assert "SSL_CERT_FILE" in caught.value.hint
        assert not server.asked
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        model = model_of(server, batch_size=2)
        done = await model.embed_documents(TEXTS)
        await model.close()
        assert {asked.version for asked in server.asked} == {"2"}
        assert np.allclose(done.vectors, expected(server, TEXTS), atol=1e-5)


async def test_a_server_that_is_not_encrypted_is_no_secure_one(server: EmbeddingServer) -> None:
    model = RemoteEmbedder(
        Address("ollama", server.url.replace("http:", "https:"), "nomic-embed-text", timeout=0.5),
        remote_identity(Kind("ollama", "nomic-embed-text")),
        QUICK,
    )
    with pytest.raises(EmbedderError, match=r"cannot be trusted|does not accept|did not answer"):
        await model.embed_query("a")
    await model.close()


async def test_shorter_vectors_are_cut_and_have_unit_length_again(server: EmbeddingServer) -> None:
    kind = Kind("openai", server.model, server.url)
    model = RemoteEmbedder(
        Address("openai", server.url, server.model, cut_by_server=True), remote_identity(kind, 128), QUICK
    )
    done = await model.embed_documents(TEXTS)
    await model.close()
    assert np.allclose(done.vectors, dialects.unit(expected(server, TEXTS), 128), atol=1e-5)


@pytest.mark.parametrize(
    ("provider", "model", "dimensions", "extra"),
    [("ollama", "nomic-embed-text", 0, {"truncate": False}),
     ("openai", "text-embedding-3-small", 0, {"encoding_format": "float"}),
     ("openai", "text-embedding-3-small", 256, {"encoding_format": "float", "dimensions": 256}),
     ("openai", "BAAI/bge-m3", 256, {"encoding_format": "float"}),
     ("openai", "voyage-code-3", 256, {"input_type": "query", "truncation": False, "output_dimension": 256}),
     ("openai", "jina-embeddings-v2-base-code", 0, {}),
     ("openai", "jina-embeddings-v3", 512, {"task": "retrieval.query", "dimensions": 512}),
     ("openai", "jina-code-embeddings-0.5b", 0, {"task": "nl2code.query"})],
)  # fmt: skip
def test_each_provider_is_asked_in_its_own_words(
    provider: str, model: str, dimensions: int, extra: dict[str, Any]
) -> None:
    body = dialects.request_of(provider, model, ["a"], "query", dimensions)
    assert body == {"model": model, "input": ["a"], **extra}


@pytest.mark.parametrize(
    ("provider", "url", "endpoint"),
    [("ollama", "http://h:1/", "http://h:1/api/embed"), ("ollama", "http://h/api/embed", "http://h/api/embed"),
     ("openai", "https://h", "https://h/v1/embeddings"), ("openai", "https://h/v1/", "https://h/v1/embeddings"),
     ("openai", "https://h/x/v2", "https://h/x/v2/embeddings"), ("openai", "https://h/embeddings", "https://h/embeddings")],
)  # fmt: skip
def test_the_address_may_be_the_servers_or_whole(provider: str, url: str, endpoint: str) -> None:
    assert dialects.path_of(provider, url) == endpoint


@pytest.mark.parametrize(
    ("status_code", "said", "verdict"),
    [(400, "This model's maximum context length is 8192 tokens, however you requested 9000 tokens", "tooLong"),
     (413, "Input validation error: `inputs` must have less than 512 tokens. Given: 600", "tooLong"),
     (500, "input is too large to process. increase the physical batch size", "tooLong"),
     (400, "the input length exceeds the context length", "tooLong"),
     (422, "batch size 64 > maximum allowed batch size 32", "tooMany"),
     (400, "Invalid 'input': array too long. Expected an array with at most 2048 items", "tooMany"),
     (400, "no", "refused"), (418, "", "refused"), (429, "", "later"), (503, "", "later"), (302, "", "redirect"), (401, "", "key")],
)  # fmt: skip
def test_what_a_server_says_tells_what_it_is_about(status_code: int, said: str, verdict: str) -> None:
    assert dialects.verdict(status_code, said) == verdict


@pytest.mark.parametrize(
    ("answer", "said"),
    [({"error": "a"}, "a"), ({"error": {"message": "a"}}, "a"), ({"detail": "a"}, "a"), ({"detail": [{"msg": "a"}]}, "[{'msg': 'a'}]"),
     ({}, ""), (None, ""), ([], ""), ({"error": {"message": {"detail": "a"}}}, "a")],
)  # fmt: skip
def test_the_sentence_of_a_refusal_is_found(answer: Any, said: str) -> None:
    assert dialects.said_in(answer) == said


def test_vectors_may_come_packed() -> None:
    row = np.array([1, 2], "<f4")
    packed = json.loads(json.dumps([dialects.base64.b64encode(row.tobytes()).decode()]))
    assert np.array_equal(dialects.matrix_of(packed, 1), [[1, 2]])
    assert "no numbers" in dialects.matrix_of(["%"], 1)


async def test_a_query_is_embedded_once_whoever_asks(server: EmbeddingServer) -> None:
    models = Embedders(EmbeddingSettings(provider="ollama", url=server.url))
    server.delay = 0.5
    slow = [models.within(0.02, models.kind, models.identity, "retry", "query") for _ in range(3)]
    assert [type(each) for each in await asyncio.gather(*slow, return_exceptions=True)] == [TimeoutError] * 3
    found = await models.within(PATIENCE, models.kind, models.identity, "retry", "query")
    assert np.array_equal(await models.within(0.01, models.kind, models.identity, "retry", "query"), found)
    assert len(server.asked) == 1
    begun = time.monotonic()
    server.delay = 1000
    with pytest.raises(TimeoutError):
        await models.within(0.01, models.kind, models.identity, "another", "query")
    await models.close()
    assert time.monotonic() - begun < PATIENCE
    local = Embedders(EmbeddingSettings())
    assert np.array_equal(local.at_once(local.kind, "retry", "query"), bundled().embed_query("retry"))
    assert np.array_equal(local.at_once(local.kind, "retry", "document"), bundled().embed_passage("retry"))


@pytest.mark.parametrize(
    ("settings", "identity"),
    [({"provider": "ollama"}, Identity("ollama:nomic-embed-text", "t1", 768, {"query": "search_query: ", "document": "search_document: "})),
     ({"provider": "openai", "model": "text-embedding-3-large", "dimensions": 512}, Identity("openai:text-embedding-3-large", "t1", 512)),
     ({"provider": "openai", "model": "own/model", "dimensions": 300}, Identity("openai:own/model", "t1", 300)),
     ({}, Identity("sightline-static", "g2", 256))],
)  # fmt: skip
def test_what_makes_vectors_comparable_is_known_without_asking(settings: dict[str, Any], identity: Identity) -> None:
    assert Embedders(EmbeddingSettings(**settings)).identity == identity


@pytest.mark.parametrize("settings", [{"provider": "openai"}, {"provider": "openai", "model": "own/model"}])
def test_a_model_that_is_not_known_is_a_bad_setting(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"embedding\.(model|dimensions)"):
        Embedders(EmbeddingSettings(**settings))


@pytest.mark.parametrize("url", ["ftp://h", "h:1", "http://user:pass@h", "https://h?key=1", "http://"])
def test_an_address_that_is_none_or_holds_a_secret_is_refused(url: str) -> None:
    settings, problems = parse(editor={"embedding": {"url": url}})
    assert settings.embedding.url == ""
    assert [each.name for each in problems] == ["embedding.url"]
    assert "pass" not in str(problems[0]).replace("password", "")


def test_texts_are_cut_in_two_at_a_line() -> None:
    text = "a" * 50 + "\n" + "b" * 60
    assert passages.halves(text) == ("a" * 50 + "\n", "b" * 60)
    assert passages.halves("a" * 100) == ("a" * 50, "a" * 50)
    assert passages.halves("short") is None
    assert list(passages.runs([5, 5, 20, 1], 2, 10)) == [range(2), range(2, 3), range(3, 4)]
    assert passages.passage("a/b.py", "C", ["m", "C"], "x") == "a/b.py\nC m\nx"


def test_the_certificate_is_still_good() -> None:
    context = ssl.create_default_context(cafile=str(CERTIFICATE))
    assert context.cert_store_stats()["x509"] == 1
