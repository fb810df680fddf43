"""How often a server is asked again, how soon, and when it is left alone for a while."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from sightline.errors import EmbedderUnavailable

LONGEST_SECONDS: Final = 3_600.0
"""No server is left alone for longer, whatever it asks for."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds but for counts."""

    attempts: int = 4
    first: float = 0.5
    most: float = 8.0
    jitter: float = 0.5
    failures: int = 5
    """So many in a row, and the server is left alone."""
    rest: float = 5.0
    """For so long at first, then for twice as long each time."""
    most_rest: float = 60.0


PATIENT: Final = Patience()


class Breaker:
    """Lets requests through while a server answers; after failures in a row only one now and then, to try."""

    def __init__(self, patience: Patience, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._clock = clock
        self._failures = 0
        self._rest = patience.rest
        self._closed_until = -math.inf
        self._reason = ""

    @property
    def seconds_left(self) -> float:
        """How long the server is still left alone."""
        return max(0.0, self._closed_until - self._clock())

    def check(self) -> None:
        """Raises EmbedderUnavailable while the server is left alone."""
        if self.seconds_left > 0:
            raise EmbedderUnavailable(self._reason, hint=f"It is asked again in {math.ceil(self.seconds_left)} s.")

    def worked(self) -> None:
        self._failures, self._rest, self._closed_until = 0, self._patience.rest, -math.inf

    def failed(self, reason: str, wanted: float | None = None) -> None:
        """Notes a failure; `wanted` is how long the server itself asks to be left alone."""
        self._failures += 1
        self._reason = reason
        if wanted is not None and wanted > self._patience.most:
            self._closed_until = max(self._closed_until, self._clock() + min(wanted, LONGEST_SECONDS))
        elif self._failures >= self._patience.failures:
            self._closed_until = self._clock() + self._rest
            self._rest = min(2 * self._rest, self._patience.most_rest)

    def forget(self) -> None:
        """Lets the next request try."""
        self._closed_until = -math.inf


class BatchSize:
    """How many texts a request may hold: half as many after one that was too much, more again after many that were not."""

    CALM: Final = 8

    def __init__(self, most: int) -> None:
        self._most = most
        self._calm = 0
        self.now = most

    def shrink(self, failed: int) -> None:
        """A request of `failed` texts was too much."""
        self.now, self._calm = max(1, min(self.now, failed // 2)), 0

    def worked(self) -> None:
        self._calm += 1
        if self._calm >= self.CALM and self.now < self._most:
            self.now, self._calm = min(self._most, 2 * self.now), 0


def seconds_of(retry_after: str | None) -> float | None:
    """The header Retry-After: seconds, or a date; None for nothing of use."""
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            until = parsedate_to_datetime(retry_after)
        except ValueError:
            return None
        seconds = (until if until.tzinfo else until.replace(tzinfo=UTC)).timestamp() - datetime.now(UTC).timestamp()
    return min(max(0.0, seconds), LONGEST_SECONDS) if math.isfinite(seconds) else None
