"""Fixtures: one embedded Postgres for the whole run, its own registry and data folder for each test that asks."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sightline.settings import Settings
from sightline.workspaces import Workspaces


@pytest.fixture(scope="session")
def data_dir() -> Iterator[Path]:
    """A data folder that the embedded server of this run lives in; enterable by its user where we are root."""
    with tempfile.TemporaryDirectory(prefix="sightline-tests-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        os.environ["SIGHTLINE_EMBEDDED_IDLE"] = "2"
        yield Path(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder to index."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(data_dir: Path) -> Settings:
    return Settings(data_dir=data_dir)


@pytest.fixture
async def sightline(settings: Settings, data_dir: Path) -> AsyncIterator[Workspaces]:
    """The application over the run's embedded Postgres."""
    async with Workspaces.started(settings, data_dir) as workspaces:
        yield workspaces
