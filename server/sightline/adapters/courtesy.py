"""Work that can wait stands back while somebody searches: both share one loop, one database and few processors."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final

MOST_SECONDS: Final = 0.1
"""However many search, work goes on as often as this."""


class Courtesy:
    """Knows whether somebody searches in this process."""

    def __init__(self) -> None:
        self._searches = 0
        self._nobody = asyncio.Event()
        self._nobody.set()

    @contextlib.contextmanager
    def searching(self) -> Iterator[None]:
        """For as long as the block lasts, others stand back."""
        self._searches += 1
        self._nobody.clear()
        try:
            yield
        finally:
            self._searches -= 1
            if not self._searches:
                self._nobody.set()

    async def turn(self) -> None:
        """Waits until nobody searches, but never for long."""
        if self._searches:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(MOST_SECONDS):
                    await self._nobody.wait()
