"""Places for workers, shared by all processes of a user; and whether the machine has time for long work."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from sightline.adapters.machine import must_rest
from sightline.adapters.slots import Slots

from .servers import environment

HOLDER = """
import sys, time
from pathlib import Path
from sightline.adapters.slots import Slots

slots = Slots(Path(sys.argv[1]), int(sys.argv[2]))
for _ in range(int(sys.argv[3])):
    with slots.held(lambda: False):
        began = time.monotonic()
        time.sleep(float(sys.argv[4]))
        print(began, time.monotonic(), flush=True)
"""


def holder(folder: Path, count: int, times: int, seconds: float) -> subprocess.Popen[str]:
    arguments = [str(folder), str(count), str(times), str(seconds)]
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, *arguments], env=environment(), stdout=subprocess.PIPE, text=True
    )


def test_so_many_work_at_a_time_and_no_more_and_nobody_waits_for_long(tmp_path: Path) -> None:
    processes = [holder(tmp_path / "workers", 2, 6, 0.03) for _ in range(4)]
    told = [each.communicate(timeout=30)[0].splitlines() for each in processes]
    spans = [tuple(map(float, line.split())) for lines in told for line in lines]
    assert len(spans) == 24
    assert max(sum(begin <= start < end for begin, end in spans) for start, _ in spans) == 2


def test_who_is_killed_leaves_its_place(tmp_path: Path) -> None:
    process = holder(tmp_path, 1, 2, 0.01)
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.wait()
    with Slots(tmp_path, 1).held(lambda: False):
        pass


def test_waiting_is_given_up(tmp_path: Path) -> None:
    slots, ended = Slots(tmp_path, 1), threading.Event()
    with slots.held(ended.is_set):
        waiting = [threading.Thread(target=_given_up, args=(slots, ended)) for _ in range(2)]
        for each in waiting:
            each.start()
        time.sleep(0.05)
        ended.set()
        for each in waiting:
            each.join(2)
            assert not each.is_alive()


def _given_up(slots: Slots, ended: threading.Event) -> None:
    with pytest.raises(EOFError), slots.held(ended.is_set):
        raise AssertionError("the place was taken")


def test_long_work_rests_as_the_settings_say() -> None:
    battery = getattr(psutil, "sensors_battery", lambda: None)()
    assert must_rest("index", 0) is False
    assert must_rest("pause", 0) is (battery is not None and battery.power_plugged is False)
    assert must_rest("index", 1e-9) is (psutil.getloadavg()[0] > 0)
    assert must_rest("index", 1e9) is False
