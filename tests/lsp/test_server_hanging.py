"""The database hangs, or the way to it: whoever waits is told in seconds, and afterwards everything is as it was."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from adapters.external import External
from adapters.relay import Relay
from adapters.servers import server_of, suspend
from sightline.adapters.embedded import Place
from sightline.adapters.postgres import ANSWER_SECONDS
from sightline.lsp.server import make
from sightline.settings import DatabaseSettings, Settings
from sightline.workspaces import Workspaces
from support import Files

from .product import SESSIONS, UPLOAD, editing, eventually, indexed, is_current, paths
from .test_server_database import QUERY, same_as_fresh

SOON = 2 * ANSWER_SECONDS + 20
"""One wait for a connection, and one for what it says, on a machine that does other things as well."""


@contextlib.contextmanager
def stopped(place: Place) -> Iterator[None]:
    """No process of the server does anything; new connections are taken by the system alone."""
    processes = [server_of(place)]
    try:
        suspend(processes[0])  # first, so that no more of them come
        processes += processes[0].children(recursive=True)
        for each in processes[1:]:
            with contextlib.suppress(psutil.NoSuchProcess):
                suspend(each)
        yield
    finally:
        for each in reversed(processes):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.resume()


async def test_searches_of_a_database_that_hangs_fail_in_seconds_and_nothing_is_lost(
    place: Place, folder: Files
) -> None:
    folder.write({"a.py": SESSIONS})
    async with editing(place.folder, folder.root) as client:
        await indexed(client)
        with stopped(place):
            folder.write({"b.py": UPLOAD})
            for _ in range(2):
                began = time.monotonic()
                asked = [client.start("sightline/search", QUERY) for _ in range(6)]
                told = [await client.failure(each) for each in asked]
                assert {each.data["code"] for each in told} <= {"databaseUnavailable", "databaseBusy"}
                assert time.monotonic() - began < SOON
        healed = await eventually(client, "sightline/search", QUERY, lambda answer: len(answer["hits"]) == 2)
        assert sorted(paths(healed)) == ["a.py", "b.py"]
        assert (await eventually(client, "sightline/status", {}, is_current))["folders"][0]["role"] == "writer"


async def test_a_search_of_a_database_that_hangs_can_be_cancelled(place: Place, folder: Files) -> None:
    folder.write({"a.py": SESSIONS})
    async with editing(place.folder, folder.root) as client:
        await indexed(client)
        with stopped(place):
            asked = client.start("sightline/search", QUERY)
            await asyncio.sleep(0.3)
            began = time.monotonic()
            client.cancel(asked)
            assert (await client.failure(asked)).code in (-32800, -32802, -32803)
            assert time.monotonic() - began < SOON
        await eventually(client, "sightline/search", QUERY, lambda answer: answer["complete"])


async def test_a_job_in_which_the_database_hangs_goes_on_where_it_was(place: Place, folder: Files) -> None:
    count = 1_200
    folder.write({f"part{number}.py": f"def function{number}(): pass\n" for number in range(count)})
    async with editing(place.folder, folder.root, settings={"index": {"workers": 1}}) as client:
        await client.expect("$/progress", lambda params: params["value"]["kind"] == "report")
        with stopped(place):
            folder.write({"b.py": UPLOAD})
            await asyncio.sleep(ANSWER_SECONDS + 2)
        await eventually(
            client, "sightline/status", {},
            lambda status: is_current(status) and status["folders"][0]["files"] == count + 1,
        )  # fmt: skip
        answer = await client.request("sightline/search", {"query": "retry_failed_uploads"})
        assert paths(answer)[0] == "b.py"


async def test_a_way_to_the_database_that_goes_silent_is_found_out_and_another_is_taken(
    external: External, folder: Files, tmp_path: Path
) -> None:
    """As a firewall does that forgets connections: nobody says that they have ended. The database looks, at last."""
    async with Relay(external.socket) as relay:
        settings = Settings(database=DatabaseSettings(url=relay.url))
        started = Workspaces.started(settings, tmp_path / "data")
        folder.write({"a.py": SESSIONS})
        async with editing(tmp_path, folder.root, server=make(lambda _: started)) as client:
            await indexed(client)
            relay.forget()
            folder.write({"b.py": UPLOAD})
            await eventually(client, "sightline/status", {}, lambda status: status["folders"][0]["role"] == "reader")
            await eventually(client, "sightline/search", QUERY, lambda answer: paths(answer) == ["a.py"])
            relay.end()
            began = time.monotonic()
            found = await eventually(client, "sightline/search", QUERY, lambda answer: len(answer["hits"]) == 2)
            assert sorted(paths(found)) == ["a.py", "b.py"]
            assert time.monotonic() - began < 4 * SOON
            await eventually(
                client, "sightline/status", {},
                lambda status: is_current(status) and (status["folders"][0]["role"], status["folders"][0]["files"]) == ("writer", 2),
            )  # fmt: skip
        await same_as_fresh(settings, folder, tmp_path)


async def test_a_client_leaves_while_the_database_hangs(place: Place, folder: Files) -> None:
    folder.write({f"part{number}.py": SESSIONS for number in range(300)})
    async with editing(place.folder, folder.root) as client:
        await client.expect("$/progress", lambda params: params["value"]["kind"] == "report")
        with stopped(place):
            await asyncio.sleep(0.5)
            began = time.monotonic()
            assert await client.shut_down() == 0
            assert time.monotonic() - began < SOON
