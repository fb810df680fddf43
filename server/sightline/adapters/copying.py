"""COPY that ends with its connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import asyncpg

from sightline.adapters.postgres import WORK_SECONDS


@contextlib.asynccontextmanager
async def ending(connection: asyncpg.Connection, seconds: float = WORK_SECONDS) -> AsyncIterator[None]:
    """TimeoutError for what is inside once the connection is lost, or after so many seconds.

    asyncpg's COPY waits for room to write, and nobody tells it that nobody reads any more.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(seconds) as limit:

        def lost(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # what is inside has ended meanwhile
                limit.reschedule(loop.time())

        connection.add_termination_listener(lost)
        try:
            yield
        except AttributeError as error:  # asyncpg's own, where the connection was closed from here
            if connection.is_closed():
                raise TimeoutError from error
            raise
        finally:
            connection.remove_termination_listener(lost)


async def copy(
    connection: asyncpg.Connection, table: str, columns: Sequence[str], records: Iterable[Sequence[Any]]
) -> None:
    """Adds rows to a table."""
    async with ending(connection):
        await connection.copy_records_to_table(table, columns=columns, records=records)
