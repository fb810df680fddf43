"""Fixtures: one embedded Postgres for the run; every test has a folder, and so a project and a database, of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest

from adapters.servers import fast_disk, open_folder
from sightline.adapters import embedded
from sightline.settings import Settings
from sightline.workspaces import Workspace, Workspaces
from support import Files

# The same examples each time, and none that is too slow: what chance finds, and a stopwatch, are for people who look.
hypothesis.settings.register_profile(
    "certain", derandomize=True, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("certain")


@pytest.fixture(scope="session")
def data_dir() -> Iterator[Path]:
    """The data folder of the run's embedded server, which is up until the last test has ended."""
    with open_folder(fast_disk()) as folder:
        lease = embedded.acquire(folder)
        try:
            yield folder
        finally:
            lease.close()


@pytest.fixture
def folder(tmp_path: Path) -> Files:
    """An empty folder to index."""
    folder = tmp_path / "project"
    folder.mkdir()
    return Files(folder)


@pytest.fixture
def settings(data_dir: Path) -> Settings:
    return Settings(data_dir=data_dir)


@pytest.fixture
async def sightline(settings: Settings, data_dir: Path) -> AsyncIterator[Workspaces]:
    """The application over the run's embedded Postgres."""
    async with Workspaces.started(settings, data_dir) as workspaces:
        yield workspaces


@pytest.fixture
async def workspace(sightline: Workspaces, folder: Files) -> Workspace:
    """The folder, opened."""
    return await sightline.open(await asyncio.to_thread(folder.root.resolve))
