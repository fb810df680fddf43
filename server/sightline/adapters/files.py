"""The files of a folder: which there are, which of them may be indexed, and what they hold."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sightline.adapters.ignoring import Ignore, Level, Rules, Verdict
from sightline.core import exclusions
from sightline.core.exclusions import Reason
from sightline.errors import Cancelled, FolderError

__all__ = ["Content", "Found", "Reason", "Rules", "Scan", "Skipped", "Stat", "explain", "parts", "read", "scan"]

_SENTENCES: Final[dict[Reason, str]] = {
    "ignored": "An ignore file leaves it out: {}.",
    "excluded": "It is left out: {}.",
    "secret": "It looks like a secret: {}.",
    "generated": "A comment at its beginning says that it is generated and not to be edited.",
    "tooLarge": "It is larger than index.maxFileBytes allows: {}.",
    "binary": "It is no text: {}.",
    "link": "It is a link, or lies behind one; links are not followed.",
    "special": "It is no regular file, but {}.",
    "notUtf8Name": "Its name is not valid UTF-8.",
    "unreadable": "It cannot be read: {}.",
    "vanished": "It does not exist (any more).",
}


@dataclass(frozen=True, slots=True)
class Stat:
    """What tells without reading that a file may differ; each number fits a signed 64-bit column."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class Found:
    """A file that may be indexed as far as its name, kind and size tell; `read` has the last word."""

    path: str
    stat: Stat


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not indexed, or a folder that is not entered, and why."""

    path: str
    reason: Reason
    is_folder: bool = False
    detail: str = ""
    """For people: the rule with its file and line, the kind of noise, the size."""
    stat: Stat | None = None
    """Known once the file's size or content was looked at."""

    @property
    def sentence(self) -> str:
        """The reason for people."""
        return _SENTENCES[self.reason].format(self.detail)


@dataclass(frozen=True, slots=True)
class Scan:
    """Both in the order of their paths."""

    found: tuple[Found, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """A file's bytes, with its stat from before they were read."""

    path: str
    data: bytes = field(repr=False)
    stat: Stat
    sha256: bytes


def scan(root: Path, rules: Rules, *, within: Sequence[str] = (), cancelled: Callable[[], bool] | None = None) -> Scan:
    """The files under a folder, or under the given paths in it; nothing that is left out is entered, no link followed.

    Raises FolderError for a root that cannot be listed and for a path outside of it, Cancelled when told so.
    """
    walk = _Walk(_resolved(root), rules, cancelled or (lambda: False))
    for path in within or (".",):
        walk.run([] if path in ("", ".") else parts(path))
    return walk.result()


def read(root: Path, path: str, rules: Rules) -> Content | Skipped:
    """A regular file's bytes, or why they are not for the index; never leaves the root, blocks or follows a link.

    Ignore rules are not asked (`Ignore.check` does that), but secrets are refused whatever the rules say.
    """
    names, base = parts(path), os.fsencode(root)
    if not root.is_absolute():
        raise _relative(root)
    open_file = _open_beneath if os.open in os.supports_dir_fd else _open_by_path
    try:
        opened = _forbidden(names) or open_file(base, names)
        if isinstance(opened, Verdict):
            return _skipped(path, opened)
        try:
            return _content(opened, root, path, rules)
        finally:
            os.close(opened)
    except OSError as error:
        if not os.path.isdir(base):
            raise _unusable(root, error) from error
        return _skipped(path, _failure(error, base, names))


def explain(root: Path, path: str, rules: Rules) -> str | None:
    """Why a file or folder is not indexed, as a sentence, or None if nothing keeps it out."""
    base, names = _resolved(root), parts(path)
    verdict = Ignore(base, rules).check(names)
    if verdict.reason:
        return _skipped(path, verdict).sentence
    outcome = read(base, path, rules)
    is_skipped = isinstance(outcome, Skipped) and outcome.detail != _A_FOLDER
    return outcome.sentence if isinstance(outcome, Skipped) and is_skipped else None


def parts(path: str) -> list[bytes]:
    """The names in a path relative to a root; FolderError for one that is absolute, leaves the root or is empty."""
    names = [name for name in path.split("/") if name not in ("", ".")]
    is_foreign = os.path.isabs(path) or os.path.splitdrive(path)[0] or (os.sep != "/" and os.sep in path)
    try:
        encoded = [name.encode("utf-8", "surrogateescape") for name in names]
    except UnicodeEncodeError:
        encoded = []
    if is_foreign or not encoded or ".." in names or "\0" in path:
        raise FolderError(
            f"{path!r} is no path inside the folder.", hint="Name it relative to the folder, without `..`."
        )
    return encoded


def _resolved(root: Path) -> Path:
    if not root.is_absolute():
        raise _relative(root)
    try:
        resolved = os.path.realpath(root, strict=True)
        with os.scandir(resolved):
            return Path(resolved)
    except (OSError, ValueError) as error:
        raise _unusable(root, error) from error


def _relative(root: Path) -> FolderError:
    return FolderError(f"{str(root)!r} is a relative path.", hint="Name the folder by its absolute path.")


def _unusable(root: Path, error: Exception) -> FolderError:
    shown = str(root)
    match error:
        case FileNotFoundError():
            return FolderError(
                f"The folder {shown!r} does not exist.", hint="Check its spelling, or that it is mounted."
            )
        case NotADirectoryError():
            return FolderError(f"{shown!r} is a file, not a folder.", hint="Name the folder that holds it.")
        case PermissionError():
            return FolderError(f"The folder {shown!r} may not be read.", hint="Give this user the right to list it.")
        case _:
            return FolderError(f"The folder {shown!r} cannot be read: {_told(error)}.", hint="Check its path and disk.")


def _told(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


class _Walk:
    """One scan: a stack instead of recursion, one listing a folder, one stat a file."""

    def __init__(self, root: Path, rules: Rules, cancelled: Callable[[], bool]) -> None:
        self._root = os.fsencode(root)
        self._ignore = Ignore(root, rules)
        self._largest = rules.max_file_bytes
        self._cancelled = cancelled
        self._stack: list[tuple[Level, bytes, Verdict]] = []
        self._found: dict[str, Found] = {}
        self._skipped: dict[str, Skipped] = {}

    def run(self, names: Sequence[bytes]) -> None:
        """Look at one path, and at all below it."""
        level = self._ignore.trace(names[:-1])
        if level.closed:
            self._skip(level.prefix[:-1], level.verdict, is_folder=True)
            return
        try:
            entries = self._entries(level.prefix)
        except OSError:
            entries = []
        chosen = [entry for entry in entries if not names or entry.name == names[-1]]
        if names and not chosen:
            self._skip(b"/".join(names), Verdict("vanished"))
        for entry in chosen:
            self._visit(level, entry)
        while self._stack:
            self._enter(*self._stack.pop())

    def result(self) -> Scan:
        """What all runs saw; a path seen by two is told once."""
        found = sorted(self._found.values(), key=lambda one: one.path)
        return Scan(tuple(found), tuple(sorted(self._skipped.values(), key=lambda one: one.path)))

    def _enter(self, level: Level, name: bytes, verdict: Verdict) -> None:
        if self._cancelled():
            raise Cancelled("The scan was cancelled.")
        path = level.prefix + name
        try:
            entries = self._entries(path)
        except OSError as error:
            self._skip(path, _failure(error, self._root, path.split(b"/")), is_folder=True)
            return
        inside = frozenset(entry.name.decode("utf-8", "replace") for entry in entries)
        inner = self._ignore.below(level, name, verdict, inside)
        if inner.closed:
            self._skip(path, inner.verdict, is_folder=True)
            return
        for entry in entries:
            self._visit(inner, entry)

    def _visit(self, level: Level, entry: os.DirEntry[bytes]) -> None:
        path = level.prefix + entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        verdict = _unusual(entry, is_folder) or self._ignore.decide(level, entry.name, is_folder=is_folder)
        if is_folder and verdict.reason != "notUtf8Name" and self._ignore.enters(level, entry.name, verdict):
            self._stack.append((level, entry.name, verdict))
        elif verdict.reason:
            self._skip(path, verdict, is_folder=is_folder)
        else:
            self._keep(path, entry)

    def _keep(self, path: bytes, entry: os.DirEntry[bytes]) -> None:
        try:
            known = _stat(entry.stat(follow_symlinks=False))
        except OSError as error:
            self._skip(path, _failure(error, self._root, path.split(b"/")))
            return
        text = path.decode()
        if known.size > self._largest:
            self._skipped[text] = _too_large(text, known, self._largest)
        else:
            self._found[text] = Found(text, known)

    def _skip(self, path: bytes, verdict: Verdict, *, is_folder: bool = False) -> None:
        skipped = _skipped(path.decode("utf-8", "backslashreplace"), verdict, is_folder=is_folder)
        self._skipped[skipped.path] = skipped

    def _entries(self, folder: bytes) -> list[os.DirEntry[bytes]]:
        with os.scandir(os.path.join(self._root, folder)) as entries:
            return list(entries)


def _unusual(entry: os.DirEntry[bytes], is_folder: bool) -> Verdict | None:
    try:
        entry.name.decode()
    except UnicodeDecodeError:
        return Verdict("notUtf8Name")
    if not is_folder and not entry.is_file(follow_symlinks=False):
        return _unfit(entry.stat(follow_symlinks=False).st_mode)
    return None


def _skipped(path: str, verdict: Verdict, *, is_folder: bool = False) -> Skipped:
    if verdict.reason is None:
        raise ValueError(f"{path!r} is not skipped")
    return Skipped(path, verdict.reason, is_folder, verdict.detail)


def _too_large(path: str, known: Stat, largest: int) -> Skipped:
    return Skipped(path, "tooLarge", detail=f"{known.size:,} bytes, and the limit is {largest:,}", stat=known)


def _stat(status: os.stat_result) -> Stat:
    numbers = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    # Inodes are unsigned, times of the year 2400 exist, and bigint is neither.
    return Stat(*(max(min(number, 2**63 - 1), -(2**63)) for number in numbers))


_A_FOLDER: Final = "a folder"
_KINDS: Final = {stat.S_IFDIR: _A_FOLDER, stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_FOLDER_FLAGS: Final = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)
_FILE_FLAGS: Final = os.O_RDONLY | _NO_LINK | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def _unfit(mode: int) -> Verdict | None:
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISLNK(mode):
        return Verdict("link")
    return Verdict("special", _KINDS.get(stat.S_IFMT(mode), "a device"))


def _failure(error: OSError, base: bytes, names: Sequence[bytes]) -> Verdict:
    """Why a path could not be opened. Linux calls a link in a folder's place `not a directory`."""
    paths = (os.path.join(base, *names[: end + 1]) for end in range(len(names)))
    if error.errno in (errno.ENOTDIR, errno.ELOOP) and any(os.path.islink(path) for path in paths):
        return Verdict("link")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Verdict("vanished")
    return Verdict("unreadable", _told(error))


def _forbidden(names: Sequence[bytes]) -> Verdict | None:
    texts = [name.decode("utf-8", "replace") for name in names]
    for depth, text in enumerate(texts):
        parent, is_folder = texts[depth - 1] if depth else "", depth < len(texts) - 1
        if never := exclusions.forbidden(text, parent, is_folder=is_folder):
            return Verdict(never, f"{text} is never indexed")
    return None


def _open_beneath(base: bytes, names: Sequence[bytes]) -> int | Verdict:
    """Open a file name by name, so that no link is followed even if one takes a folder's place meanwhile."""
    folder = os.open(base, _FOLDER_FLAGS)
    try:
        for name in names[:-1]:
            outer, folder = folder, os.open(name, _FOLDER_FLAGS | _NO_LINK, dir_fd=folder)
            os.close(outer)
        unfit = _unfit(os.stat(names[-1], dir_fd=folder, follow_symlinks=False).st_mode)
        return unfit or os.open(names[-1], _FILE_FLAGS, dir_fd=folder)
    finally:
        os.close(folder)


def _open_by_path(base: bytes, names: Sequence[bytes]) -> int | Verdict:
    """The same where the system (Windows) opens by whole paths only; a swap between check and open goes unseen."""
    path = os.path.join(base, *names)
    unfit = _unfit(os.lstat(path).st_mode)
    if not unfit and os.path.realpath(path) != os.path.join(os.path.realpath(base), *names):
        unfit = Verdict("link")
    return unfit or os.open(path, _FILE_FLAGS)


def _content(handle: int, root: Path, path: str, rules: Rules) -> Content | Skipped:
    status = os.fstat(handle)
    known, largest = _stat(status), rules.max_file_bytes
    if unfit := _unfit(status.st_mode):
        return _skipped(path, unfit)
    if known.size > largest:
        return _too_large(path, known, largest)
    data, after = _bytes(handle, largest + 1), _stat(os.fstat(handle))
    if after != known:
        # Written meanwhile: read once more, then take it. The stat from before lets the next scan see a further change.
        known, data = after, _bytes(handle, largest + 1)
    if len(data) > largest:
        return _too_large(path, _stat(os.fstat(handle)), largest)
    if unfit := _unfit_content(data, root, path, rules):
        return Skipped(path, unfit.reason or "binary", detail=unfit.detail, stat=known)
    return Content(path, data, known, hashlib.sha256(data).digest())


def _bytes(handle: int, most: int) -> bytes:
    os.lseek(handle, 0, os.SEEK_SET)
    with open(handle, "rb", closefd=False) as file:
        return file.read(most)


def _unfit_content(data: bytes, root: Path, path: str, rules: Rules) -> Verdict | None:
    if kind := exclusions.binary(data):
        return Verdict("binary", kind)
    if exclusions.secret_text(data):
        return Verdict("secret", "it holds a private key")
    if exclusions.generated(data) and not Ignore(root, rules).check(parts(path)).explicit:
        return Verdict("generated")
    return None
