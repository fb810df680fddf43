"""Opens and reads one file below a folder, without following a link on the way."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from typing import Final

from sightline.adapters.ignoring import Verdict

A_FOLDER: Final = "a folder"
_KINDS: Final = {stat.S_IFDIR: A_FOLDER, stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_FOLDER_FLAGS: Final = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)
_FILE_FLAGS: Final = os.O_RDONLY | _NO_LINK | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def unfit_kind(mode: int) -> Verdict | None:
    """Why what has this mode cannot be indexed, None for a regular file."""
    if stat.S_ISREG(mode):
        return None
    return Verdict("link") if stat.S_ISLNK(mode) else Verdict("special", _KINDS.get(stat.S_IFMT(mode), "a device"))


def beneath(base: bytes, names: Sequence[bytes]) -> int | Verdict:
    """Open a file name by name, so that no link is followed even if one takes a folder's place meanwhile."""
    folder = os.open(base, _FOLDER_FLAGS)
    try:
        for name in names[:-1]:
            outer, folder = folder, os.open(name, _FOLDER_FLAGS | _NO_LINK, dir_fd=folder)
            os.close(outer)
        unfit = unfit_kind(os.stat(names[-1], dir_fd=folder, follow_symlinks=False).st_mode)
        return unfit or os.open(names[-1], _FILE_FLAGS, dir_fd=folder)
    finally:
        os.close(folder)


def at_once(base: bytes, names: Sequence[bytes]) -> int | None:
    """In one step, where the system (Linux) tells where an open file is; None if it is elsewhere."""
    handle = os.open(path := b"/".join((base, *names)), _FILE_FLAGS)
    with contextlib.suppress(OSError):
        if os.readlink(b"/proc/self/fd/%d" % handle) == path:
            return handle
    os.close(handle)
    return None


def by_path(base: bytes, names: Sequence[bytes]) -> int | Verdict:
    """The same where the system (Windows) opens by whole paths only; a swap between check and open goes unseen."""
    path = os.path.join(base, *names)
    unfit = unfit_kind(os.lstat(path).st_mode)
    if not unfit and os.path.realpath(path) != os.path.join(os.path.realpath(base), *names):
        unfit = Verdict("link")
    return unfit or os.open(path, _FILE_FLAGS)


def everything(handle: int, most: int) -> bytes:
    """An open file's bytes, at most so many."""
    os.lseek(handle, 0, os.SEEK_SET)
    # As much memory is taken as is asked for: to ask for `most` at once would cost more than the reading.
    size = os.fstat(handle).st_size
    with open(handle, "rb", closefd=False) as file:
        data = file.read(min(most, size + 1))
        return data + file.read(most - len(data)) if len(data) > size else data


def in_memory(handle: int) -> bytes:
    """An open file's bytes if the system has them in memory and can tell (Linux); else BlockingIOError."""
    size = os.fstat(handle).st_size
    data = bytearray(size + 1)
    try:
        count = os.preadv(handle, [data], 0, os.RWF_NOWAIT)
    except (AttributeError, OSError) as error:
        raise BlockingIOError from error
    if count != size:
        raise BlockingIOError
    return bytes(data[:count])
