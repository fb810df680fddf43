"""The care of projects on a server where others live too, and on one that goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from adapters.external import External
from sightline.adapters.postgres import REGISTRY, Server
from sightline.adapters.registry import Registry, Wish
from sightline.care import Care, Finding
from sightline.core.identity import database_name
from sightline.errors import DatabaseUnavailable

LOST = database_name("lost", "some-id")


@pytest.fixture
async def care(external: External) -> AsyncIterator[Care]:
    """As a role that may create databases and nothing else."""
    await external.run("create role plain login createdb", "create role other login createdb")
    await external.run("create extension vector", database="template1")
    server = await Server.open(external.url("plain"), None)
    yield Care(server, Registry(server, "here"), "here")
    await server.close()


async def orphan(care: Care) -> Finding:
    (found,) = await care.findings(["orphan"])
    assert found.database == LOST
    return found


@pytest.mark.parametrize(
    ("statements", "keep", "has_size"),
    [
        ([f'create database "{LOST}" owner other'], "it belongs to the role other", True),
        ([f'create database "{LOST}" owner other', f'revoke connect on database "{LOST}" from public'],
         "it belongs to the role other", False),
        ([f'create database "{LOST}" owner plain', f'alter database "{LOST}" allow_connections false'],
         "the database refused a statement", True),
        ([f'create database "{LOST}" owner plain'], "it holds no index of Sightline's", True),
    ],
)  # fmt: skip
async def test_what_belongs_to_others_is_told_and_kept(
    external: External, care: Care, statements: list[str], keep: str, has_size: bool
) -> None:
    await external.run(*statements)
    found = await orphan(care)
    assert found.keep.startswith(keep)
    assert bool(found.size_bytes) is has_size
    assert not await care.prune(found)
    assert await external.run(f"select count(*) from pg_database where datname = '{LOST}'") == 1


async def test_who_shares_the_role_may_tidy_up(external: External, care: Care) -> None:
    await external.run("grant other to plain")
    server = await Server.open(external.url("plain"), None)
    await server.create_database(LOST)
    await server.close()
    await external.run(f'alter database "{LOST}" owner to other')
    found = await orphan(care)
    assert found.keep == ""
    assert await care.prune(found)
    assert await care.findings() == ()


async def test_a_server_that_is_gone_is_told_and_nothing_is_changed(
    external: External, care: Care, tmp_path: Path
) -> None:
    registry = care._registry
    entry = await registry.claim(Wish("folder:here:/none", "gone", "/none"))
    async with registry.completed(entry.id):
        pass
    file = tmp_path / "gone.zip"
    await care.export(entry.id, file)
    (finding,) = await care.findings()
    assert (finding.kind, finding.folders) == ("vanished", ("/none",))
    await asyncio.to_thread(external.stop)
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: care.show(entry.id), care.findings, lambda: care.prune(finding), lambda: care.rename(entry.id, "x"),
        lambda: care.export(entry.id, tmp_path / "more.zip"), lambda: care.bring(file, "copy"),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(DatabaseUnavailable):
            await call()
    assert [each.name for each in tmp_path.iterdir()] == ["gone.zip"]
    await asyncio.to_thread(external.start)
    assert await external.run("select array_agg(name) from projects", database=REGISTRY) == ["gone"]
    assert await care.prune(finding)
    assert (await care.bring(file)).id == entry.id
