"""The embedding cache: what it recalls, what it forgets first, and that it stays small."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence

import asyncpg
import numpy as np
import pytest

from sightline.adapters.analysing import Recalled
from sightline.adapters.remembering import MANY_SMALL, Bodies
from sightline.workspaces import Workspace, Workspaces

MODEL, DIMENSIONS = "1 model v1 4", 4


@pytest.fixture
async def database(sightline: Workspaces, workspace: Workspace) -> AsyncIterator[asyncpg.Connection]:
    async with sightline.server.connection(workspace.project.database) as connection:
        yield connection


def hashes(*texts: object) -> list[bytes]:
    return [hashlib.blake2b(str(text).encode(), digest_size=16).digest() for text in texts]


def vectors(*numbers: float) -> np.ndarray:
    return np.repeat(np.array(numbers, np.float16)[:, None], DIMENSIONS, axis=1)


async def recalled(bodies: Bodies, workspace: Workspace, texts: Sequence[bytes]) -> dict[int, float]:
    """Place to the first component, as a thread is told."""
    answer: Recalled = await asyncio.to_thread(bodies.asked_by(workspace.store.pool), texts)
    return dict(zip(answer.places.tolist(), answer.vectors[:, 0].tolist(), strict=True))


async def test_what_was_embedded_is_recalled_by_all_and_stored_once(
    workspace: Workspace, database: asyncpg.Connection
) -> None:
    bodies = Bodies(MODEL, DIMENSIONS)
    assert bodies.is_empty
    assert await recalled(bodies, workspace, hashes("a")) == {}
    await bodies.add(database, hashes("a", "b"), vectors(1, 2))
    await bodies.add(database, hashes("b", "c"), vectors(9, 3))
    await bodies.add(database, hashes("a"), vectors(9))
    assert not bodies.is_empty
    later = Bodies(MODEL, DIMENSIONS)
    await later.load(database)
    for each in (bodies, later):
        assert await recalled(each, workspace, hashes("c", "x", "a", "b")) == {0: 3.0, 2: 1.0, 3: 2.0}
    assert await database.fetchval("select sum(text_count) from embedding_cache") == 3
    other = Bodies("1 model v2 4", DIMENSIONS)
    await other.load(database)
    assert await recalled(other, workspace, hashes("a")) == {}


async def test_what_others_have_added_is_caught_up_with(workspace: Workspace, database: asyncpg.Connection) -> None:
    """Also when they have put their rows together, and when they added more than is kept loose."""
    one, other = Bodies(MODEL, DIMENSIONS), Bodies(MODEL, DIMENSIONS, slack=4)
    await one.load(database)
    await one.catch_up(database)
    assert one.is_empty
    await other.add(database, hashes("a", "b"), vectors(1, 2))
    await one.add(database, hashes("c"), vectors(3))
    await one.catch_up(database)
    await one.add(database, hashes("a", "d"), vectors(9, 4))
    assert await database.fetchval("select sum(text_count) from embedding_cache") == 4
    assert await recalled(one, workspace, hashes("a", "b", "c", "d")) == {0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0}
    await other.catch_up(database)
    assert await recalled(other, workspace, hashes("d", "c")) == {0: 4.0, 1: 3.0}
    for number in range(MANY_SMALL):
        await other.add(database, hashes(number), vectors(number))
    await other.tidy(database)
    await one.catch_up(database)
    assert await recalled(one, workspace, hashes("a", 0, MANY_SMALL - 1)) == {0: 1.0, 1: 0.0, 2: MANY_SMALL - 1.0}


async def test_what_others_have_removed_is_embedded_again(workspace: Workspace, database: asyncpg.Connection) -> None:
    bodies = Bodies(MODEL, DIMENSIONS)
    await bodies.add(database, hashes("a"), vectors(1))
    await bodies.add(database, hashes("b"), vectors(2))
    await database.execute("delete from embedding_cache where id = (select min(id) from embedding_cache)")
    assert await recalled(bodies, workspace, hashes("a", "b")) == {1: 2.0}
    await database.execute("alter table embedding_cache rename to elsewhere")
    assert await recalled(bodies, workspace, hashes("a", "b")) == {}


@pytest.mark.parametrize(("used", "left"), [("a", ["a", "c"]), ("b", ["b", "c"])])
async def test_a_text_that_is_recalled_stays(
    workspace: Workspace, database: asyncpg.Connection, used: str, left: list[str]
) -> None:
    big = [hashes(*(f"{name}{number}" for number in range(1_000))) for name in "abc"]
    bodies = Bodies(MODEL, DIMENSIONS, most=2_000, slack=0)
    await bodies.load(database)
    for place, texts in enumerate(big):
        await bodies.add(database, texts, np.full((1_000, DIMENSIONS), place, np.float16))
    await database.execute("update embedding_cache set last_used_at = now() - interval '1 day' * (5 - id)")
    await recalled(bodies, workspace, [big["abc".index(used)][0]])
    await bodies.tidy(database)
    known = [name for name, texts in zip("abc", big, strict=True) if await recalled(bodies, workspace, texts[5:6])]
    assert known == left


async def test_many_small_rows_become_one_that_knows_the_same(
    workspace: Workspace, database: asyncpg.Connection
) -> None:
    bodies = Bodies(MODEL, DIMENSIONS, slack=20)
    for number in range(MANY_SMALL):
        await bodies.tidy(database)
        assert await database.fetchval("select count(*) from embedding_cache") == number
        await bodies.add(database, hashes(number), vectors(number))
    await bodies.tidy(database)
    assert await database.fetchval("select count(*) from embedding_cache") == 1
    await bodies.tidy(database)
    asked = list(range(MANY_SMALL))
    assert await recalled(bodies, workspace, hashes(*asked)) == {number: float(number) for number in asked}
