"""Three ways to see changes below a folder: of Linux, of any other system, and polling. None goes through a link."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import struct
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, Protocol

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

Way = Literal["inotify", "watchfiles", "polling"]
NATIVE: Final[Way] = "inotify" if sys.platform == "linux" else "watchfiles"
DEBOUNCE_SECONDS, STEP_SECONDS = 0.1, 0.02
POLL_SECONDS: Final = 2.0
POLL_SHARE: Final = 20
"""Polling rests this many times as long as a look takes."""
_INTERNAL: Final = frozenset((b".git", b".hg", b".svn", b".jj"))
_LIMITS: Final = {
    errno.ENOSPC: "the system's limit of watched folders is reached (fs.inotify.max_user_watches)",
    errno.EMFILE: "the system's limit of watches is reached (fs.inotify.max_user_instances)",
}


class Watcher(Protocol):
    """Sees from its making on what changes below a folder."""

    def wait(self, seconds: float) -> set[str]:
        """Relative paths, none if nothing changes so long; "" for the folder itself, or where it cannot say what."""

    def close(self) -> None: ...


def watcher(root: Path, way: Way) -> Watcher:
    """A watcher of a folder that is there; OSError where the system gives none."""
    match way:
        case "inotify":
            return Inotify(root)
        case "watchfiles":
            return Watchfiles(root)
        case "polling":
            return Polling(root)


class Inotify:
    """Linux's watches, one a folder.

    Not by watchfiles, which follows links here and then tells of changes under the link's name only, leaves out every
    folder after one that may not be read, and is silent when the limit of watches is reached or events were lost.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.fsencode(root)
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._folders: dict[int, bytes] = {}
        self._handle = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._poll = select.poll()
        self._poll.register(self._handle, select.POLLIN)
        try:
            self._add(b"")
        except OSError:
            self.close()
            raise

    def wait(self, seconds: float) -> set[str]:
        """Gathers what happens shortly after the first event."""
        told: set[str] = set()
        until = time.monotonic() + seconds
        while self._poll.poll(1000 * max(0.0, min(until - time.monotonic(), STEP_SECONDS if told else seconds))):
            if not told:
                until = time.monotonic() + DEBOUNCE_SECONDS
            for path in self._events():
                with contextlib.suppress(UnicodeDecodeError):  # what has no name in UTF-8 is never indexed
                    told.add(path.decode())
        return told

    def close(self) -> None:
        os.close(self._handle)

    def _events(self) -> Iterator[bytes]:
        data, at = os.read(self._handle, 1 << 16), 0
        while at < len(data):
            watch, mask, _, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size + length
            path = self._path(watch, mask, data[at - length : at].rstrip(b"\0"))
            if path is not None:
                yield path

    def _path(self, watch: int, mask: int, name: bytes) -> bytes | None:
        """What an event is about, if anybody wants to know; keeps the watches those of the folders there are."""
        if mask & _OVERFLOW:
            return b""
        if mask & _IGNORED:
            self._folders.pop(watch, None)
            return None
        folder = self._folders.get(watch)
        if folder is None or name in _INTERNAL:
            return None
        if not name:  # of a folder itself, which the one above tells as well, but for the root
            return b"" if not folder and mask & _ENDED else None
        path = os.path.join(folder, name)
        if mask & _IS_FOLDER and mask & _MOVED_FROM:
            self._forget(path)
        elif mask & _IS_FOLDER and not mask & _DELETE:
            self._add(path)
        return path

    def _add(self, folder: bytes) -> None:
        """Watches a folder and those in it; a watch comes before the look, so that nothing is made between them."""
        rest = [folder]
        while rest:
            each = rest.pop()
            path = os.path.join(self._root, each)
            try:
                watch = self._checked(self._libc.inotify_add_watch(self._handle, path, _WANTED))
                self._folders[watch] = each
                rest += [os.path.join(each, entry.name) for entry in _entries(path) if _is_folder(entry)]
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                if not each:
                    raise

    def _forget(self, folder: bytes) -> None:
        """A folder that was moved keeps its watches: they would tell its old name."""
        for watch, each in list(self._folders.items()):
            if each == folder or each.startswith(folder + b"/"):
                self._libc.inotify_rm_watch(self._handle, watch)
                del self._folders[watch]

    def _checked(self, result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, _LIMITS.get(number, os.strerror(number)))
        return result


_EVENT: Final = struct.Struct("iIII")
_MOVED_FROM, _DELETE, _OVERFLOW, _IGNORED, _IS_FOLDER = 0x40, 0x200, 0x4000, 0x8000, 0x40000000
_ENDED: Final = 0x400 | 0x800 | 0x2000
"""The folder was deleted, moved, or its file system unmounted."""
_WANTED: Final = 0x2 | 0x4 | 0x8 | _MOVED_FROM | 0x80 | 0x100 | _DELETE | 0x400 | 0x800 | 0x1000000 | 0x2000000
"""MODIFY ATTRIB CLOSE_WRITE MOVED_FROM MOVED_TO CREATE DELETE DELETE_SELF MOVE_SELF, ONLYDIR DONT_FOLLOW."""


class Watchfiles:
    """What watchfiles has for other systems, which watch a whole tree by themselves."""

    def __init__(self, root: Path) -> None:
        self._prefix = os.path.join(root, "")
        try:
            self._notify = RustNotify([str(root)], False, False, 0, True, False)
        except WatchfilesRustInternalError as error:
            raise OSError(errno.EIO, str(error)) from error

    def wait(self, seconds: float) -> set[str]:
        debounce, step = int(1000 * DEBOUNCE_SECONDS), int(1000 * STEP_SECONDS)
        try:
            changes = self._notify.watch(debounce, step, max(1, int(1000 * seconds)), threading.Event())
        except WatchfilesRustInternalError:  # a name that is no UTF-8: what else happened meanwhile is not known
            return {""}
        if not isinstance(changes, set):  # but "timeout"
            return set()
        return {path for path in map(self._relative, changes) if path is not None}

    def close(self) -> None:
        self._notify.close()

    def _relative(self, change: tuple[int, str]) -> str | None:
        if not change[1].startswith(self._prefix):
            return ""
        path = change[1].removeprefix(self._prefix).replace(os.sep, "/")
        return path if _INTERNAL.isdisjoint(map(str.encode, path.split("/"))) else None


class Polling:
    """Looks at the size, times and inode of every file again and again."""

    def __init__(self, root: Path) -> None:
        self._root = os.fsencode(root)
        self._rest = POLL_SECONDS
        self._seen = self._look()

    def wait(self, seconds: float) -> set[str]:
        if self._rest > seconds:
            time.sleep(seconds)
            self._rest -= seconds
            return set()
        time.sleep(self._rest)
        began, before = time.monotonic(), self._seen
        try:
            self._seen = self._look()
        except OSError:
            return {""}
        self._rest = max(POLL_SECONDS, POLL_SHARE * (time.monotonic() - began))
        return {path for path, _ in self._seen.items() ^ before.items()}

    def close(self) -> None:
        self._seen = {}

    def _look(self) -> dict[str, tuple[int, ...]]:
        seen: dict[str, tuple[int, ...]] = {}
        rest = [b""]
        while rest:
            folder = rest.pop()
            try:
                for entry in _entries(os.path.join(self._root, folder)):
                    path = os.path.join(folder, entry.name)
                    if _is_folder(entry):
                        rest.append(path)
                    else:
                        with contextlib.suppress(FileNotFoundError, UnicodeDecodeError):
                            seen[path.decode()] = _mark(entry.stat(follow_symlinks=False))
            except OSError:
                if not folder:
                    raise
        return seen


def _entries(folder: bytes) -> list[os.DirEntry[bytes]]:
    with os.scandir(folder) as entries:
        return [entry for entry in entries if entry.name not in _INTERNAL]


def _is_folder(entry: os.DirEntry[bytes]) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _mark(status: os.stat_result) -> tuple[int, ...]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
