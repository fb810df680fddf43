"""Whether the machine has time for long work: on mains, and not busy with something else."""

from __future__ import annotations

import os
from typing import Literal

import psutil  # type: ignore[import-untyped]


def must_rest(on_battery: Literal["index", "pause"], most_load: float) -> bool:
    """Whether long work has to wait; `most_load` is the load average of a core, 0 for any."""
    if on_battery == "pause" and _is_on_battery():
        return True
    return most_load > 0 and bool(psutil.getloadavg()[0] > most_load * (os.cpu_count() or 1))


def _is_on_battery() -> bool:
    """False also where nothing tells: a desktop, a container, a system that psutil does not know."""
    sensors = getattr(psutil, "sensors_battery", None)
    try:
        battery = sensors() if sensors is not None else None
    except (OSError, psutil.Error):
        return False
    return battery is not None and not battery.power_plugged and battery.power_plugged is not None
