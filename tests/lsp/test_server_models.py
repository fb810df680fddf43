"""A model of one's own as an editor sees it: what waits, what is wrong, what it costs, and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.embedding_server import EmbeddingServer
from support import Files

from .product import SHOP, editing, eventually, is_current

OLLAMA = "ollama:nomic-embed-text"


@pytest.fixture
def server() -> Iterator[EmbeddingServer]:
    with EmbeddingServer().running() as running:
        yield running


async def test_an_editor_is_told_what_waits_for_vectors_and_when_none_does(
    data_dir: Path, server: EmbeddingServer, folder: Files
) -> None:
    folder.write(SHOP)
    server.stop()
    settings = {"embedding": {"provider": "ollama", "url": server.url}, "search": {"deadlineMs": 5000}}
    async with editing(data_dir, folder.root, settings=settings) as client:
        waiting = await eventually(
            client, "sightline/status", {},
            lambda status: status["folders"] and status["folders"][0]["pendingVectors"] == status["folders"][0]["chunks"] > 0,
        )  # fmt: skip
        assert waiting["folders"][0]["model"] == OLLAMA
        told = await client.expect(
            "sightline/statusChanged", lambda params: {each["code"] for each in params["degraded"]} >= {"vectorsPending", "embedderUnavailable"}
        )  # fmt: skip
        problem = next(each["message"] for each in told["degraded"] if each["code"] == "embedderUnavailable")
        assert "does not answer. Run: ollama serve" in problem
        answer = await client.request("sightline/search", {"query": "retry failed uploads"})
        assert (answer["hits"][0]["path"], answer["mode"], answer["complete"]) == (
            "src/net/upload.py",
            "lexical",
            False,
        )
        assert {each["code"] for each in answer["degraded"]} >= {"vectorsPending", "embedderUnavailable"}
        job = (await client.request("sightline/jobs"))["jobs"][0]
        assert (job["state"], job["phase"], job["pendingVectors"]) == (
            "running",
            "embedding",
            waiting["folders"][0]["chunks"],
        )
        server.start()
        await eventually(
            client, "sightline/search", {"query": "retry failed uploads"},
            lambda answer: answer["complete"] and answer["mode"] == "hybrid" and not answer["degraded"],
        )  # fmt: skip
        await eventually(client, "sightline/jobs", {}, lambda found: found["jobs"][0]["state"] == "completed")


async def test_a_change_of_model_is_seen_and_rolled_back(
    data_dir: Path, server: EmbeddingServer, folder: Files
) -> None:
    folder.write(SHOP)
    async with editing(data_dir, folder.root) as client:
        status = await eventually(client, "sightline/status", {}, is_current)
        assert status["folders"][0]["model"] == "sightline-static"
    settings = {
        "embedding": {
            "provider": "openai",
            "url": server.url,
            "model": server.model,
            "confirmAbove": 0,
            "dollarsPerMillionTokens": 9,
        }
    }
    async with editing(data_dir, folder.root, settings=settings) as client:
        told = await client.expect(
            "sightline/statusChanged", lambda params: "embedderUnavailable" in {each["code"] for each in params["degraded"]}
        )  # fmt: skip
        assert "costs about $0." in str(told["degraded"])
        found = await client.request("sightline/index", {"dryRun": True})
        assert found["needsConsent"]
        assert 0 < found["dollars"] < 1
        assert not server.asked
        assert (await client.request("sightline/search", {"query": "retry failed uploads"}))["mode"] == "hybrid"
        await client.request("sightline/index", {"confirm": True})
        await eventually(
            client, "sightline/status", {}, lambda status: status["folders"][0]["model"] == f"openai:{server.model}"
        )
        status = await client.request("sightline/rollbackModel", {})
        assert status["folders"][0]["model"] == "sightline-static"
        asked = len(server.asked)
        assert (await client.request("sightline/search", {"query": "greet the user"}))["mode"] == "hybrid"
        await client.request("sightline/rollbackModel", {})
        assert (await client.request("sightline/search", {"query": "greet the user"}))["mode"] in ("hybrid", "lexical")
        assert len(server.asked) > asked
