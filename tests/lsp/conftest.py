"""Fixtures of servers that a test may end: the run's own is everybody's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.external import External, installed
from adapters.servers import fast_disk, open_folder
from sightline.adapters import embedded
from sightline.adapters.embedded import Place


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """An embedded server of one module's tests alone."""
    with open_folder(fast_disk()) as folder:
        embedded.acquire(folder).close()
        yield Place(folder)


@pytest.fixture(scope="module")
def external() -> Iterator[External]:
    """A Postgres that can be stopped and stays so."""
    with installed() as server:
        yield server
