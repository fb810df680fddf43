"""The files of a folder: which there are, which of them may be indexed, and what they hold."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from sightline.adapters import configfiles, opening
from sightline.adapters.ignoring import Ignore, Level, Rules, Verdict, never, parts
from sightline.core import exclusions
from sightline.core.exclusions import Reason
from sightline.errors import Cancelled, FolderError

__all__ = ["Content", "Found", "Reason", "Rules", "Scan", "Skipped", "Stat", "explain", "read", "scan"]

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


LARGEST_SHOWN: Final = 1 << 25
"""Not more of a file is read to show a hit in it."""


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
    """The files under a folder, or under the given paths in it; enters nothing that is left out, follows no link.

    Raises FolderError for a root that cannot be listed and for a path outside of it, Cancelled when told so.
    """
    starts = [[] if path in ("", ".") else parts(path) for path in within or (".",)]
    walk = _Walk(resolved(root), rules, cancelled or (lambda: False))
    for start in starts:
        walk.run(start)
    return walk.result()


def read(root: Path, path: str, rules: Rules) -> Content | Skipped:
    """A regular file's bytes, or why they are not for the index; never leaves the root, blocks or follows a link.

    Ignore rules are not asked (`Ignore.check` does that), but secrets are refused whatever the rules say.
    """
    names, base = parts(path), os.fsencode(root)
    shown = _text(b"/".join(names))
    open_file = opening.beneath if os.open in os.supports_dir_fd else opening.by_path
    if not root.is_absolute():
        raise _relative(root)
    try:
        opened = _never(names, root.name) or open_file(base, names)
        if isinstance(opened, Verdict):
            return _skipped(shown, opened)
        try:
            return _content(opened, root, shown, rules)
        finally:
            os.close(opened)
    except OSError as error:
        if not os.path.isdir(base):
            raise _unusable(root, error) from error
        return _skipped(shown, _failure(error, base, names))


def taken(root: Path, path: str, data: bytes, rules: Rules) -> Content | Skipped:
    """The text of an open document, as `read` would give a file of these bytes."""
    if unfit := _never(parts(path), root.name) or _unfit_content(data, root, path, rules):
        return _skipped(path, unfit)
    return Content(path, data, Stat(len(data), 0, 0, 0), hashlib.sha256(data).digest())


def current(root: Path, path: str, *, wait: bool = True) -> bytes | None:
    """A regular file's bytes now, whatever they are; None where there is no such file below the root, or no more.

    Without `wait`, a file that is not in memory raises BlockingIOError.
    """
    names, base = parts(path), os.fsencode(root)
    try:
        handle = opening.at_once(base, names) or opening.beneath(base, names)
        if isinstance(handle, Verdict):
            return None
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return None
            return opening.everything(handle, LARGEST_SHOWN) if wait else opening.in_memory(handle)
        finally:
            os.close(handle)
    except BlockingIOError:
        raise
    except OSError:
        return None


def explain(root: Path, path: str, rules: Rules) -> str | None:
    """Why a file or folder is not indexed, as a sentence, or None if nothing keeps it out."""
    base = resolved(root)
    verdict = Ignore(base, rules).check(path)
    if verdict.reason:
        return _skipped(path, verdict).sentence
    outcome = read(base, path, rules)
    if isinstance(outcome, Content) or outcome.detail == opening.A_FOLDER:
        return None
    return outcome.sentence


def resolved(root: Path) -> Path:
    """The folder without links; FolderError where it is none, or may not be read."""
    if not root.is_absolute():
        raise _relative(root)
    try:
        resolved = os.path.realpath(root, strict=True)
        with os.scandir(resolved):
            return Path(resolved)
    except (OSError, ValueError) as error:
        raise _unusable(root, error) from error


def one_project(folder: Path) -> Path:
    """The folder without links; FolderError where nobody means all of it: the home folder, and those above it."""
    root = resolved(folder)
    home = Path(os.path.realpath(os.path.expanduser("~")))
    if home.is_relative_to(root) and not (root / configfiles.FILE).is_file():
        hint = f"Name a folder of yours below it; if all of it shall be one project, put a {configfiles.FILE} there."
        raise FolderError(f"{str(root)!r} is too wide to be one project.", hint=hint)
    return root


def _relative(root: Path) -> FolderError:
    return FolderError(f"{str(root)!r} is a relative path.", hint="Name the folder by its absolute path.")


def _unusable(root: Path, error: Exception) -> FolderError:
    shown = repr(str(root))
    match error:
        case FileNotFoundError():
            return FolderError(f"The folder {shown} does not exist.", hint="Check its spelling, or that it is mounted.")
        case NotADirectoryError():
            return FolderError(f"{shown} is a file, not a folder.", hint="Name the folder that holds it.")
        case PermissionError():
            return FolderError(f"The folder {shown} may not be read.", hint="Give this user the right to list it.")
        case _:
            return FolderError(f"The folder {shown} cannot be read: {_told(error)}.", hint="Check its path and disk.")


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
            chosen = [entry for entry in self._entries(level.prefix) if not names or entry.name == names[-1]]
        except OSError as error:
            chosen = []
            self._skip(b"/".join(names), _failure(error, self._root, names))
        else:
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
        try:
            self._take(level, entry, path)
        except OSError as error:
            self._skip(path, _failure(error, self._root, path.split(b"/")))

    def _take(self, level: Level, entry: os.DirEntry[bytes], path: bytes) -> None:
        is_folder = entry.is_dir(follow_symlinks=False) and not _is_junction(entry)
        if not is_folder and not entry.is_file(follow_symlinks=False):
            self._skip(path, opening.unfit_kind(entry.stat(follow_symlinks=False).st_mode) or Verdict("link"))
            return
        verdict = self._ignore.decide(level, entry.name, is_folder=is_folder)
        if is_folder and self._ignore.enters(level, entry.name, verdict):
            self._stack.append((level, entry.name, verdict))
        elif verdict.reason:
            self._skip(path, verdict, is_folder=is_folder)
        else:
            self._keep(path.decode(), _stat(entry.stat(follow_symlinks=False)))

    def _keep(self, path: str, known: Stat) -> None:
        if known.size > self._largest:
            self._skipped[path] = _too_large(path, known, self._largest)
        else:
            self._found[path] = Found(path, known)

    def _skip(self, path: bytes, verdict: Verdict, *, is_folder: bool = False) -> None:
        skipped = _skipped(_text(path), verdict, is_folder=is_folder)
        self._skipped[skipped.path] = skipped

    def _entries(self, folder: bytes) -> list[os.DirEntry[bytes]]:
        with os.scandir(os.path.join(self._root, folder)) as entries:
            return list(entries)


_is_junction: Final[Callable[[os.DirEntry[bytes]], bool]] = getattr(os.DirEntry, "is_junction", os.DirEntry.is_symlink)
"""Windows's links between folders, which `is_dir` takes for folders; Python tells them from 3.12 on."""


def _text(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")


def _skipped(path: str, verdict: Verdict, *, is_folder: bool = False) -> Skipped:
    assert verdict.reason
    return Skipped(path, verdict.reason, is_folder, verdict.detail)


def _too_large(path: str, known: Stat, largest: int) -> Skipped:
    return Skipped(path, "tooLarge", detail=f"{known.size:,} bytes, and the limit is {largest:,}", stat=known)


def _stat(status: os.stat_result) -> Stat:
    numbers = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    if max(numbers) >= 2**63 or min(numbers) < -(2**63):
        # Inodes are unsigned and times of the year 2400 exist; a bigint holds neither.
        return Stat(*(max(min(number, 2**63 - 1), -(2**63)) for number in numbers))
    return Stat(*numbers)


def _failure(error: OSError, base: bytes, names: Sequence[bytes]) -> Verdict:
    """Why a path could not be opened. Linux calls a link in a folder's place `not a directory`."""
    paths = (os.path.join(base, *names[: end + 1]) for end in range(len(names)))
    if error.errno in (errno.ENOTDIR, errno.ELOOP) and any(os.path.islink(path) for path in paths):
        return Verdict("link")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Verdict("vanished")
    return Verdict("unreadable", _told(error))


def _never(names: Sequence[bytes], root: str) -> Verdict | None:
    parent = root
    for depth, name in enumerate(names, 1):
        if verdict := never(name, parent, is_folder=depth < len(names)):
            return verdict
        parent = name.decode()
    return None


def _content(handle: int, root: Path, path: str, rules: Rules) -> Content | Skipped:
    status, largest = os.fstat(handle), rules.max_file_bytes
    known = _stat(status)
    if unfit := opening.unfit_kind(status.st_mode):
        return _skipped(path, unfit)
    if known.size > largest:
        return _too_large(path, known, largest)
    data, after = opening.everything(handle, largest + 1), _stat(os.fstat(handle))
    if after != known:
        # Written meanwhile: read once more, then take it. The stat from before lets the next scan see a further change.
        known, data = after, opening.everything(handle, largest + 1)
    if len(data) > largest:
        return _too_large(path, _stat(os.fstat(handle)), largest)
    if unfit := _unfit_content(data, root, path, rules):
        return replace(_skipped(path, unfit), stat=known)
    return Content(path, data, known, hashlib.sha256(data).digest())


def _unfit_content(data: bytes, root: Path, path: str, rules: Rules) -> Verdict | None:
    if kind := exclusions.binary(data):
        return Verdict("binary", kind)
    if exclusions.secret_text(data):
        return Verdict("secret", "it holds a private key")
    if exclusions.generated(data) and not Ignore(root, rules).check(path).explicit:
        return Verdict("generated")
    return None
