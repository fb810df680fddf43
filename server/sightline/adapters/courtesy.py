"""Work that can wait stands back while somebody searches: both share one loop, one database and few processors."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Iterator
from typing import Final

MOST_SECONDS: Final = 0.1
"""However many search, work goes on as often as this."""
RECENT_SECONDS: Final = 1.0
"""Who has searched searches again, as a rule: for so long less is begun ahead."""


class Courtesy:
    """Knows whether somebody searches in this process."""

    def __init__(self) -> None:
        self._searches = 0
        self._ended_at = -math.inf
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
            self._ended_at = time.monotonic()
            if not self._searches:
                self._nobody.set()

    @property
    def is_wanted(self) -> bool:
        """Whether somebody searches or has just done so."""
        return self._searches > 0 or time.monotonic() - self._ended_at < RECENT_SECONDS

    async def turn(self) -> None:
        """Waits until nobody searches, but never for long."""
        if self._searches:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(MOST_SECONDS):
                    await self._nobody.wait()
