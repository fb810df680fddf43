"""Thousands of hostile messages: each request gets its one answer, and the server goes on as it was."""

from __future__ import annotations

import asyncio
import os

import psutil
import pytest

from . import demo
from .hostile import attack
from .support import NOTHING_KEPT, kept, python, spawned, talking

pytestmark = pytest.mark.asyncio

#: 10,000 in CI.
MESSAGES = int(os.environ.get("SIGHTLINE_FUZZ_MESSAGES", "2000"))
#: Without those that block a thread, start a process or send megabytes on purpose.
NAMES = sorted(demo.REQUESTS.keys() - {"chatter", "large", "stubborn", "thread"})
METHODS = [f"demo/{name}" for name in NAMES]


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_server_survives_hostile_messages(seed: int) -> None:
    server = demo.make()
    async with talking(server) as client:
        await attack(client, METHODS, count=MESSAGES // 2, seed=seed)
        assert kept(server) == NOTHING_KEPT
        assert not server._tasks
        assert await client.request("demo/echo", {"text": "still here"})
        assert await client.shut_down() == 0


async def test_hostile_messages_do_not_fill_the_memory() -> None:
    async with spawned(python("demo"), stderr=asyncio.subprocess.DEVNULL) as client:
        await client.initialize()
        assert client.process
        process = psutil.Process(client.process.pid)
        await attack(client, METHODS, count=MESSAGES // 2, seed=3)
        before = process.memory_info().rss
        for seed in range(4, 8):
            await attack(client, METHODS, count=MESSAGES // 4, seed=seed)
            client.answers.clear()
            client.received.clear()
        assert process.memory_info().rss - before < 10_000_000
        assert await client.shut_down() == 0
