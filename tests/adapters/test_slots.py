"""Places for workers, shared by all processes of a user; and whether the machine has time for long work."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.adapters import slots as slots_module
from sightline.adapters.machine import Machine, averaged
from sightline.adapters.slots import Slots
from sightline.errors import FolderError

from .servers import PATIENCE, environment, eventually, suspend

HOLDER = """
import sys, time
from pathlib import Path
from sightline.adapters.slots import Slots

slots = Slots(Path(sys.argv[1]), int(sys.argv[2]))
for _ in range(int(sys.argv[3])):
    with slots.held(lambda: False):
        print(time.monotonic(), end=" ", flush=True)
        time.sleep(float(sys.argv[4]))
        print(time.monotonic(), flush=True)
"""


def holder(folder: Path, count: int, times: int, seconds: float) -> subprocess.Popen[str]:
    arguments = [str(folder), str(count), str(times), str(seconds)]
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, *arguments], env=environment(), stdout=subprocess.PIPE, text=True
    )


def test_so_many_work_at_a_time_and_no_more_and_nobody_waits_for_ever(tmp_path: Path) -> None:
    processes = [holder(tmp_path / "workers", 2, 6, 0.03) for _ in range(4)]
    told = [each.communicate(timeout=PATIENCE)[0].splitlines() for each in processes]
    spans = [tuple(map(float, line.split())) for lines in told for line in lines]
    assert len(spans) == 24
    assert max(sum(begin <= start < end for begin, end in spans) for start, _ in spans) <= 2
    slots = Slots(tmp_path / "workers", 2)
    with slots.held(lambda: False), slots.held(lambda: False):
        assert slots.busy() == 2


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
            each.join(PATIENCE)
            assert not each.is_alive()


def _given_up(slots: Slots, ended: threading.Event) -> None:
    with pytest.raises(EOFError), slots.held(ended.is_set):
        raise AssertionError("the place was taken")


@pytest.mark.parametrize("stuck", ["gate", "0"])
def test_who_is_stopped_keeps_its_place_but_does_not_keep_others_from_working(tmp_path: Path, stuck: str) -> None:
    first, slots = holder(tmp_path, 1, 1, 1000), Slots(tmp_path, 1)
    waiting = []
    try:
        assert first.stdout is not None
        first.stdout.read(1)
        (tmp_path / "gate.taken").unlink()
        if stuck == "gate":
            waiting.append(holder(tmp_path, 1, 1, 1000))
            eventually((tmp_path / "gate.taken").exists)
        for each in (first, *waiting):
            suspend(psutil.Process(each.pid))
        long_ago = time.time() - 2 * slots_module.PLACE_SECONDS
        for stamp in tmp_path.glob("*.taken"):
            os.utime(stamp, (long_ago, long_ago))
        began = time.monotonic()
        for _ in range(3):
            with slots.held(lambda: False):
                assert slots.busy() == 1
        assert time.monotonic() - began < slots_module.TURN_SECONDS
    finally:
        for each in (first, *waiting):
            each.kill()
            each.wait()


def test_a_folder_for_places_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "workers").write_text("")
    with pytest.raises(FolderError, match="data folder"), Slots(tmp_path / "workers", 1).held(lambda: False):
        raise AssertionError("the place was taken")


def test_long_work_rests_as_the_settings_say() -> None:
    battery = getattr(psutil, "sensors_battery", lambda: None)()
    assert not Machine("index", 0, lambda: 0).must_rest()
    assert Machine("pause", 0, lambda: 0).must_rest() is (battery is not None and battery.power_plugged is False)
    assert Machine("index", 1e-9, lambda: 0).must_rest() is (psutil.getloadavg()[0] > 0)
    assert not Machine("index", 1e9, lambda: 0).must_rest()


def test_the_load_of_our_own_work_is_no_reason_to_rest() -> None:
    machine = Machine("index", 1e-9, lambda: 1_000_000)
    machine.must_rest()
    time.sleep(0.05)
    assert not machine.must_rest()


@given(st.lists(st.tuples(st.integers(0, 8), st.floats(0.01, 100)), max_size=50))
def test_what_we_run_is_averaged_as_the_system_does_it(spans: list[tuple[int, float]]) -> None:
    ours = theirs = 0.0
    for running, seconds in spans:
        ours = averaged(ours, running, seconds)
        theirs = averaged(averaged(theirs, running, seconds / 2), running, seconds / 2)
        assert ours == pytest.approx(theirs, abs=1e-9)
        assert 0 <= ours <= 8
