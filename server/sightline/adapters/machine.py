"""The machine: whether it has time for long work (on mains, not busy with something else), and its memory."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import sys
import time
from collections.abc import Callable
from typing import Final, Literal

import psutil  # type: ignore[import-untyped]

MINUTE: Final = 60.0
"""Over what the system averages its load."""


class Machine:
    """Tells when long work has to wait. What it causes itself is no reason: `busy` counts its processes."""

    def __init__(self, on_battery: Literal["index", "pause"], most_load: float, busy: Callable[[], int]) -> None:
        """`most_load` is the load average of a core, 0 for any."""
        self._pauses_on_battery = on_battery == "pause"
        self._most_load = most_load
        self._busy = busy
        self._own = 0.0
        self._asked = time.monotonic()

    def must_rest(self) -> bool:
        """Whether long work has to wait; to be asked again and again."""
        if self._pauses_on_battery and _is_on_battery():
            return True
        if self._most_load <= 0:
            return False
        now, busy = time.monotonic(), self._busy()
        # Beside those that work on batches, one stores what comes of them: we, or Postgres for us.
        self._own = averaged(self._own, busy + 1 if busy else 0, now - self._asked)
        self._asked = now
        return bool(psutil.getloadavg()[0] - self._own > self._most_load * (os.cpu_count() or 1))


def averaged(before: float, running: float, seconds: float) -> float:
    """The load average after so many processes ran for so long, as the system computes it."""
    fading = math.exp(-seconds / MINUTE)
    return before * fading + running * (1 - fading)


def _is_on_battery() -> bool:
    """False also where nothing tells: a desktop, a container, a system that psutil does not know."""
    sensors = getattr(psutil, "sensors_battery", None)
    try:
        battery = sensors() if sensors is not None else None
    except (OSError, psutil.Error):
        return False
    return battery is not None and not battery.power_plugged and battery.power_plugged is not None


def give_back_memory() -> None:
    """Gives the system what big arrays have left free: glibc would keep 200 MB after a hundred thousand chunks."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(AttributeError):  # another C library, which has no such habit
            ctypes.CDLL(None).malloc_trim(0)
