"""Tells which paths below a folder may have changed. Events are hints: what they say of the change is not used."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import stat
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final

from sightline.adapters.watchers import NATIVE, Watcher, Way, watcher

MANY: Final = 2_000
"""From this many paths on, a scan of the whole folder costs less than a look at each."""
LOOK_SECONDS: Final = 1.0
"""How often a folder is looked at: whether it is there, and still the one that is watched."""
RECONCILE_SECONDS: Final = 600.0
"""How often the whole folder is told: a scan of 10,000 unchanged files takes less than a second."""
ASLEEP_SECONDS: Final = 30.0
"""Between two looks this much time passes only if the machine, or this process, stood still."""
LOG: Final = logging.getLogger(__name__)


async def changes(
    root: Path, way: Way = NATIVE, *, every: float = RECONCILE_SECONDS, say: Callable[[str], object] = LOG.warning
) -> AsyncIterator[set[str]]:
    """Sets of relative paths, {""} for the whole folder, for as long as the caller listens.

    The whole folder is told whenever a watch begins, as what happened before it is not known, `every` so many seconds,
    and after sleep. Where the system cannot watch so many folders, they are polled; `say` is told so once.
    """
    loop, stop = asyncio.get_running_loop(), threading.Event()
    told: asyncio.Queue[set[str] | Exception] = asyncio.Queue()

    def said(sentence: str) -> None:
        loop.call_soon_threadsafe(say, sentence)

    def run() -> None:
        with contextlib.suppress(RuntimeError):  # of a loop that has ended
            for paths in _caught(_endless(root, way, every, said, stop)):
                loop.call_soon_threadsafe(told.put_nowait, paths)

    # Not one of a pool, which many folders would empty, and nothing that an exit waits for.
    threading.Thread(target=run, name=f"watching {root.name}", daemon=True).start()
    try:
        while not isinstance(paths := await told.get(), Exception):
            yield paths
        raise paths
    finally:
        stop.set()


class Schedule:
    """When it is time to look at everything, by the wall clock, which goes on while the machine sleeps."""

    def __init__(self, every: float, now: float) -> None:
        self._every, self._begun, self._asked = every, now, now

    def is_due(self, now: float) -> bool:
        """Whether to look now; to be asked every few seconds."""
        slept = now - self._asked > ASLEEP_SECONDS
        self._asked = now
        if not slept and 0 <= now - self._begun < self._every:
            return False
        self._begun = now
        return True


def _caught(changes: Iterator[set[str]]) -> Iterator[set[str] | Exception]:
    """An error is for who listens, in another thread."""
    try:
        yield from changes
    except Exception as error:  # noqa: BLE001 - raised there
        yield error


def _endless(
    root: Path, way: Way, every: float, say: Callable[[str], object], stop: threading.Event
) -> Iterator[set[str]]:
    """One watch after the other: a new one where the folder is another, or where events were lost."""
    said: set[str] = set()
    now = way
    while not stop.is_set():
        try:
            identity = _identity(root)
            current = watcher(root, now)
        except (FileNotFoundError, NotADirectoryError):
            stop.wait(LOOK_SECONDS)
            continue
        except OSError as error:
            sentence = f"{root.name} cannot be watched, it is polled instead: {error.strerror or error}"
            if sentence not in said:
                say(sentence)
            said.add(sentence)
            stop.wait(LOOK_SECONDS if now == "polling" else 0)
            now = "polling"
            continue
        with contextlib.closing(current):
            yield {""}
            yield from _while_it_stands(root, identity, current, every, stop, is_makeshift=now != way)
        now = way
        yield {""}
        stop.wait(_PAUSE_SECONDS)


_PAUSE_SECONDS: Final = 0.1
"""What ends one watch at once may end the next as well."""


def _while_it_stands(
    root: Path, identity: tuple[int, int], current: Watcher, every: float, stop: threading.Event, *, is_makeshift: bool
) -> Iterator[set[str]]:
    """Until the folder is another, or it is time to try again what the system has refused before."""
    schedule = Schedule(every, time.time())
    while not stop.is_set():
        try:
            paths = current.wait(min(LOOK_SECONDS, every))
            # No event tells that a folder above was renamed, and a watch goes with the folder, not with its name.
            if "" in paths or _identity(root) != identity:
                return
        except OSError:  # vanished, or no further folder can be watched, which the next beginning tells
            return
        is_due = schedule.is_due(time.time())
        if is_due and is_makeshift:
            return
        if is_due or len(paths) >= MANY:
            yield {""}
        elif paths:
            yield paths


def _identity(root: Path) -> tuple[int, int]:
    status = os.stat(root)
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(root)
    return status.st_dev, status.st_ino
