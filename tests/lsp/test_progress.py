"""Work that the client shows and may cancel."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sightline.errors import Cancelled

from .demo import make
from .support import NOTHING_KEPT, PATIENCE, kept, talking, until_event

pytestmark = pytest.mark.asyncio


async def test_progress_is_begun_reported_and_ended_and_never_falls() -> None:
    async with talking(make()) as client:
        assert await client.request("demo/work", {"seconds": 0, "workDoneToken": "t"}) == "slept"
        told = [m["params"]["value"] for m in client.received if m["method"] == "$/progress"]
        assert told == [
            {"kind": "begin", "title": "Sleeping", "cancellable": True, "percentage": 0},
            {"kind": "report", "cancellable": True, "message": "deep", "percentage": 40},
            {"kind": "report", "cancellable": True, "message": "not so deep", "percentage": 40},
            {"kind": "report", "cancellable": True, "message": "deeper", "percentage": 100},
            {"kind": "end", "message": "Woke up"},
        ]


async def test_progress_is_created_where_the_client_shows_it() -> None:
    async with talking(make()) as client:
        assert await client.request("demo/work", {"seconds": 0}) == "slept"
        token = (await client.expect("window/workDoneProgress/create"))["token"]
        assert (await client.expect("$/progress"))["token"] == token


@pytest.mark.parametrize("capabilities", [{}, {"window": {}}, {"window": {"workDoneProgress": False}}])
async def test_no_progress_is_created_where_the_client_shows_none(capabilities: Any) -> None:
    async with talking(make(), capabilities=capabilities) as client:
        assert await client.request("demo/work", {"seconds": 0}) == "slept"
        assert not client.received


async def test_work_goes_on_where_the_client_refuses_its_progress() -> None:
    async with talking(make()) as client:
        del client.replies["window/workDoneProgress/create"]
        assert await client.request("demo/work", {"seconds": 0}) == "slept"
        assert [m["method"] for m in client.received] == ["window/workDoneProgress/create"]


async def test_a_request_cancelled_by_its_progress_answers_what_neovim_does_not_drop() -> None:
    async with talking(make()) as client:
        id_ = client.start("demo/work", {"workDoneToken": "t"})
        await client.expect("$/progress", lambda params: params["value"].get("message") == "deeper")
        client.notify("window/workDoneProgress/cancel", {"token": "t"})
        error = await client.failure(id_)
        assert (error.code, error.data["code"]) == (-32802, "cancelled")
        assert (await client.expect("$/progress", lambda params: params["value"]["kind"] == "end"))["value"] == {
            "kind": "end",
            "message": "Cancelled",
        }
        assert (await client.request("demo/events"))[-1] == "nap cancelled"


async def test_a_request_under_progress_that_is_cancelled_by_id_says_so() -> None:
    server = make()
    async with talking(server) as client:
        id_ = client.start("demo/work", {"workDoneToken": "t"})
        await until_event(client, "nap began")
        client.cancel(id_)
        assert (await client.failure(id_)).code == -32800
        assert kept(server) == NOTHING_KEPT


async def test_cancelling_progress_cancels_the_work_and_not_the_task() -> None:
    server = make()
    ended: list[str] = []

    async def worker() -> None:
        for number in range(2):
            try:
                async with server.work("Working", f"w{number}"):
                    await asyncio.sleep(1000 if number == 0 else 0)
                ended.append("done")
            except Cancelled:
                ended.append("cancelled")

    async with talking(server) as client:
        task = server.spawn(worker(), "worker")
        await client.expect("$/progress")
        client.notify("window/workDoneProgress/cancel", {"token": "w0"})
        client.notify("window/workDoneProgress/cancel", {"token": "unknown"})
        client.notify("window/workDoneProgress/cancel", {"token": {"no": "token"}})
        client.notify("window/workDoneProgress/cancel", {"token": []})
        await asyncio.wait_for(task, PATIENCE)
        assert ended == ["cancelled", "done"]


async def test_a_cancellation_that_comes_too_late_for_the_work_hits_nothing_else() -> None:
    server = make()
    async with talking(server) as client:
        with pytest.raises(Cancelled):
            async with server.work("Short", "t"):
                server.protocol.works.cancel("t")
        await asyncio.sleep(0)
        assert client.received == []


async def test_work_that_cannot_be_cancelled_is_not() -> None:
    server = make()
    async with talking(server) as client:
        async with server.work("Fixed", "t", cancellable=False, percentage=None) as work:
            client.notify("window/workDoneProgress/cancel", {"token": "t"})
            await client.request("demo/raw")
            work.report("half", 50)
        first, second, _ = [(await client.expect("$/progress"))["value"] for _ in range(3)]
        assert first == {"kind": "begin", "title": "Fixed", "cancellable": False}
        assert second == {"kind": "report", "message": "half", "cancellable": False}


async def test_two_works_under_one_token_show_one_bar_and_failure_ends_it() -> None:
    server = make()
    async with talking(server) as client:
        with pytest.raises(RuntimeError):
            async with server.work("One", "t"), server.work("Two", "t"):
                raise RuntimeError
        assert [(await client.expect("$/progress"))["value"]["kind"] for _ in range(2)] == ["begin", "end"]
        await client.request("demo/raw")
        assert client.received == []


async def test_the_end_of_the_server_is_no_cancellation_by_the_user() -> None:
    server = make()
    outcomes: list[type[BaseException]] = []

    async def worker() -> None:
        try:
            async with server.work("Long", "t"):
                await asyncio.sleep(60)
        except BaseException as error:
            outcomes.append(type(error))
            raise

    async with talking(server) as client:
        server.spawn(worker(), "worker")
        await client.expect("$/progress")
        await client.shut_down()
    assert outcomes == [asyncio.CancelledError]
