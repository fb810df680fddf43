"""Fixtures for the adapters: a Postgres of the user's own beside the embedded one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.external import External, installed


@pytest.fixture(scope="session")
def external_server() -> Iterator[External]:
    with installed() as server:
        yield server


@pytest.fixture
async def external(external_server: External) -> External:
    """A Postgres of the user's own, without anything of ours in it."""
    await external_server.forget()
    return external_server


@pytest.fixture(scope="session")
def without_vector() -> Iterator[External]:
    """A server on which pgvector is not installed."""
    with installed(vector=None) as server:
        yield server


@pytest.fixture(scope="session")
def with_old_vector() -> Iterator[External]:
    """A server with a pgvector from before halfvec."""
    with installed(vector="0.6.2") as server:
        yield server
