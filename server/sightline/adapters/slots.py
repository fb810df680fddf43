"""Places to work: however many servers a user runs, so many worker processes are busy at a time and no more."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from sightline.errors import FolderError

FIRST_SECONDS: Final = 0.005
"""How often the one whose turn is next looks for a free place."""
OTHERS_SECONDS: Final = 0.05
TURN_SECONDS: Final = 10.0
"""Who is first says so all the time; a process that is stopped, as by Ctrl-Z, does not."""
PLACE_SECONDS: Final = 30.0
"""A batch that takes longer is one of a stopped process, whose place is given to another; else there is one more."""
_GATE: Final = "gate"


class Slots:
    """File locks in a folder, which the kernel frees also when their holder is killed.

    Who wants one waits at a gate until it is its turn, so that nobody who has just had a place overtakes. Beside each
    lock is a file whose time tells when it was taken, for those that wait for somebody who was stopped.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._count = count

    @contextlib.contextmanager
    def held(self, is_given_up: Callable[[], bool]) -> Iterator[None]:
        """Waits for a place and holds it; EOFError where it is given up meanwhile, FolderError where none can be."""
        try:
            place = self._taken_place(is_given_up)
        except OSError as error:
            reason = f"the data folder cannot be used: {error.strerror or error} ({self._folder})"
            raise FolderError(reason, hint="Point SIGHTLINE_DATA_DIR to a folder that you can write to.") from error
        try:
            yield
        finally:
            place.release()

    def busy(self) -> int:
        """How many places are taken, by whichever process."""
        if not self._folder.is_dir():
            return 0
        return sum(not self._is_free(str(number)) for number in range(self._count))

    def _taken_place(self, is_given_up: Callable[[], bool]) -> FileLock:
        self._folder.mkdir(parents=True, exist_ok=True)
        gate = self._lock(_GATE)
        while not (is_first := _taken(gate)) and not self._is_stuck(_GATE, TURN_SECONDS):
            _wait(OTHERS_SECONDS, is_given_up)
        try:
            while True:
                if is_first:
                    self._note(_GATE)
                for name in self._places():
                    place = self._lock(name)
                    if _taken(place):
                        self._note(name)
                        return place
                _wait(FIRST_SECONDS, is_given_up)
        finally:
            gate.release()

    def _places(self) -> list[str]:
        """From the top: a command may use more places than servers, and leaves them theirs while it can."""
        names = [str(number) for number in reversed(range(self._count))]
        stuck = sum(self._is_stuck(name, PLACE_SECONDS) for name in names)
        return names + [f"instead{number}" for number in range(stuck)]

    def _is_free(self, name: str) -> bool:
        lock = self._lock(name)
        is_free = _taken(lock)
        lock.release()
        return is_free

    def _note(self, name: str) -> None:
        self._stamp(name).touch()

    def _is_stuck(self, name: str, seconds: float) -> bool:
        """Whether who has it, if anybody, took it so long ago."""
        try:
            return time.time() - self._stamp(name).stat().st_mtime > seconds
        except FileNotFoundError:
            return False

    def _stamp(self, name: str) -> Path:
        return self._folder / f"{name}.taken"

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
