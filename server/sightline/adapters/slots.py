"""Places to work: however many servers a user runs, so many worker processes are busy at a time and no more."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

FIRST_SECONDS: Final = 0.005
"""How often the one whose turn is next looks for a free place."""
OTHERS_SECONDS: Final = 0.05


class Slots:
    """File locks in a folder, which the kernel frees also when their holder is killed.

    Who wants one waits at a gate until it is its turn, so that nobody who has just had a place overtakes.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._count = count

    @contextlib.contextmanager
    def held(self, is_given_up: Callable[[], bool]) -> Iterator[None]:
        """Waits for a place and holds it; EOFError where it is given up meanwhile."""
        self._folder.mkdir(parents=True, exist_ok=True)
        gate = self._lock("gate")
        while not _taken(gate):
            _wait(OTHERS_SECONDS, is_given_up)
        try:
            place = self._free_place(is_given_up)
        finally:
            gate.release()
        try:
            yield
        finally:
            place.release()

    def _free_place(self, is_given_up: Callable[[], bool]) -> FileLock:
        while True:
            # From the top: a command may use more places than servers, and leaves them theirs while it can.
            for number in reversed(range(self._count)):
                place = self._lock(str(number))
                if _taken(place):
                    return place
            _wait(FIRST_SECONDS, is_given_up)

    def _lock(self, name: str) -> FileLock:
        # A lock object of its own each time: one that is shared counts how often its own process took it.
        return FileLock(self._folder / f"{name}.lock", thread_local=False)


def _taken(lock: FileLock) -> bool:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    return True


def _wait(seconds: float, is_given_up: Callable[[], bool]) -> None:
    if is_given_up():
        raise EOFError
    time.sleep(seconds)
