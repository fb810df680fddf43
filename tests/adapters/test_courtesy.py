"""Work that can wait: it stands back while somebody searches, but not for ever."""

from __future__ import annotations

import asyncio

from sightline.adapters.courtesy import MOST_SECONDS, RECENT_SECONDS, Courtesy


async def test_work_waits_until_nobody_searches() -> None:
    courtesy = Courtesy()
    await courtesy.turn()
    with courtesy.searching():
        with courtesy.searching():
            turn = asyncio.create_task(courtesy.turn())
            await asyncio.sleep(0)
        for _ in range(3):
            await asyncio.sleep(0)
        assert not turn.done()
    await turn


async def test_work_goes_on_however_many_search() -> None:
    courtesy = Courtesy()
    with courtesy.searching():
        begun = asyncio.get_running_loop().time()
        await courtesy.turn()
        assert asyncio.get_running_loop().time() - begun >= 0.9 * MOST_SECONDS


async def test_who_has_just_searched_is_still_thought_of() -> None:
    courtesy = Courtesy()
    assert not courtesy.is_wanted
    with courtesy.searching():
        assert courtesy.is_wanted
    assert courtesy.is_wanted
    async with asyncio.timeout(100 * RECENT_SECONDS):
        while courtesy.is_wanted:
            await asyncio.sleep(0.05)
