"""Which paths the ignore files, the settings and the defaults leave out; ignore files mean what they mean to git."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sightline.core import exclusions
from sightline.core.exclusions import IgnoreFile, Line, Reason
from sightline.errors import FolderError

_GIT_FILE: Final = ".gitignore"
_OWN_FILE: Final = ".sightlineignore"
_LONGEST_FILE: Final = 1 << 24
_DEEPEST_INCLUDE: Final = 10


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings `index.*`; `include` and `exclude` are lines of an ignore file at the root."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_file_bytes: int = 1 << 20


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of a path: left out for a reason, or not."""

    reason: Reason | None = None
    detail: str = ""
    explicit: bool = False
    """Whether a person asked for it, by `index.include` or by a `!` line of ours: no default applies then."""
    is_final: bool = False
    """Whether not even `index.include` lifts it."""


_UNTOLD: Final = Verdict()
_ASKED_FOR: Final = Verdict(explicit=True)
_INCLUDED: Final = Verdict(explicit=True, detail="index.include")


@dataclass(frozen=True, slots=True)
class Level:
    """A folder on the way down and the ignore files that rule in it, the one that decides first in front."""

    prefix: bytes
    """The folder's path with a slash at its end; empty for the root."""
    name: str
    names: frozenset[str] = frozenset()
    own: tuple[IgnoreFile, ...] = ()
    git: tuple[IgnoreFile, ...] = ()
    fold: bool = False
    """Whether the repository's patterns ignore case (git sets core.ignoreCase where the file system does)."""
    verdict: Verdict = _UNTOLD
    closed: bool = False
    """Whether nothing in here can be indexed."""


class Ignore:
    """The rules of one root. It keeps what it reads: make a new one for each scan and each batch of changes."""

    def __init__(self, root: Path, rules: Rules) -> None:
        self._root = os.fsencode(os.path.realpath(root))
        self._include = _setting(rules.include, "index.include")
        self._exclude = _setting(rules.exclude, "index.exclude")
        self._way = _setting(_ways(rules.include), "")
        self._levels: dict[bytes, Level] = {}

    def check(self, path: str) -> Verdict:
        """The verdict on one path, which need not exist (any more); what the file holds is not asked."""
        names = parts(path)
        level = self.trace(names[:-1])
        if level.closed:
            return level.verdict
        if stat.S_ISDIR(_mode(self._at(b"/".join(names)))):
            return self.trace(names).verdict
        return self.decide(level, names[-1], is_folder=False)

    def trace(self, folders: Sequence[bytes]) -> Level:
        """The level of a folder, or of the first one on the way to it that is closed."""
        level = self._levels.get(b"")
        if level is None:
            level = self._levels[b""] = self._top()
        for name in folders:
            if level.closed:
                break
            prefix = level.prefix + name + b"/"
            if prefix not in self._levels:
                self._levels[prefix] = self._step(level, name)
            level = self._levels[prefix]
        return level

    def decide(self, level: Level, name: bytes, *, is_folder: bool) -> Verdict:
        """The verdict on one entry of a folder that is not closed."""
        final, path = never(name, level.name, is_folder=is_folder), level.prefix + name
        if final:
            return final
        if _says(self._include, path, name, is_folder):
            return _INCLUDED
        excluded = _says(self._exclude, path, name, is_folder)
        if excluded:
            return Verdict("excluded", excluded.label)
        if level.verdict.reason or level.verdict is _INCLUDED:
            return level.verdict
        return _by_files(level, path, name, is_folder) or _by_default(level, name.decode(), is_folder)

    def enters(self, level: Level, name: bytes, verdict: Verdict) -> bool:
        """Whether to look into a folder: also into one left out that `index.include` leads into."""
        if not verdict.reason:
            return True
        return not verdict.is_final and self._way.match(level.prefix + name, name, True) is not None

    def below(self, level: Level, name: bytes, verdict: Verdict, names: frozenset[str]) -> Level:
        """The level of a folder that holds `names`."""
        folder = level.prefix + name
        if verdict is _UNTOLD and (kind := exclusions.excluded_content(names)):
            verdict = Verdict("excluded", kind)
        prefix, label = folder + b"/", folder.decode() + "/"
        inner = replace(level, prefix=prefix, name=name.decode(), names=names, verdict=verdict)
        if not self.enters(level, name, verdict):
            return replace(inner, closed=True)
        if ".git" in names and (common := _git_folder(self._at(folder))):
            inner = _repository(inner, common, Place(len(prefix)), label)
        if not names.isdisjoint((_GIT_FILE, _OWN_FILE)):
            inner = _with_files(inner, self._at(folder), Place(len(prefix)), label)
        return inner

    def _step(self, level: Level, name: bytes) -> Level:
        verdict = self.decide(level, name, is_folder=True)
        path = self._at(level.prefix + name)
        if stat.S_ISLNK(_mode(path)):
            verdict = Verdict("link", is_final=True)
        elif self.enters(level, name, verdict):
            return self.below(level, name, verdict, _names(path))
        return Level(level.prefix + name + b"/", "", verdict=verdict, closed=True)

    def _top(self) -> Level:
        """The root's level, under the rules of the repository that it lies in."""
        around = [self._root]
        while not (common := _git_folder(around[-1])) and around[-1] != os.path.dirname(around[-1]):
            around.append(os.path.dirname(around[-1]))
        above = around[:0:-1] if common else []
        level = Level(b"", os.fsdecode(os.path.basename(self._root)), _names(self._root))
        level = _repository(level, common, self._place([*above, self._root][0]), "../" * len(above))
        for distance, folder in enumerate([*above, self._root]):
            level = _with_files(level, folder, self._place(folder), "../" * (len(above) - distance))
        return level

    def _place(self, folder: bytes) -> Place:
        below = os.path.relpath(self._root, folder).replace(os.sep.encode(), b"/")
        return Place(above=b"" if below == b"." else below + b"/")

    def _at(self, path: bytes) -> bytes:
        return os.path.join(self._root, path)


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


def never(name: bytes, parent: str, *, is_folder: bool) -> Verdict | None:
    """The verdict that no rule lifts: on secrets, on version control's own folders, on names that are no text."""
    try:
        reason = exclusions.forbidden(name.decode(), parent, is_folder=is_folder)
    except UnicodeDecodeError:
        return Verdict("notUtf8Name", is_final=True)
    return Verdict(reason, f"{name.decode()} is never indexed", is_final=True) if reason else None


def _says(file: IgnoreFile, path: bytes, name: bytes, is_folder: bool) -> Line | None:
    line = file.match(path, name, is_folder)
    return None if line is None or line.negated else line


def _by_files(level: Level, path: bytes, name: bytes, is_folder: bool) -> Verdict | None:
    """What `.sightlineignore` says, else what git says; a `!` of git's does not lift our defaults."""
    for file in level.own:
        if line := file.match(path, name, is_folder):
            return _ASKED_FOR if line.negated else Verdict("ignored", line.label)
    for file in level.git:
        if line := file.match(path, name, is_folder):
            return None if line.negated else Verdict("ignored", line.label)
    return None


def _by_default(level: Level, name: str, is_folder: bool) -> Verdict:
    kind = exclusions.excluded_folder(name, level.names) if is_folder else exclusions.excluded_file(name)
    return Verdict("excluded", kind) if kind else _UNTOLD


def _setting(lines: Iterable[str], label: str) -> IgnoreFile:
    return IgnoreFile("\n".join(lines).encode("utf-8", "surrogateescape"), label)


def _ways(include: Sequence[str]) -> Iterator[str]:
    """The folders on the way to what `index.include` names by path: `a/*/c.py` leads into `/a/` and `/a/*/`."""
    for line in include:
        names = line.strip().removeprefix("/").rstrip("/").split("/")
        if line.startswith(("!", "#")) or ("/" not in line.strip().rstrip("/")):
            continue
        for depth, name in enumerate(names):
            if depth:
                yield "/" + "/".join(names[:depth]) + "/"
            if name == "**":
                # At the front it may be anywhere: that would open every folder that is left out.
                yield from ["/" + "/".join(names[: depth + 1]) + "/"] if depth else []
                break


def _names(folder: bytes) -> frozenset[str]:
    try:
        return frozenset(name.decode("utf-8", "replace") for name in os.listdir(folder))
    except OSError:
        return frozenset()


def _mode(path: bytes) -> int:
    try:
        return os.lstat(path).st_mode
    except OSError:
        return 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where an ignore file lies: its folder is the first `cut` bytes of a path, or `above` leads from it to a root."""

    cut: int = 0
    above: bytes = b""


def _with_files(level: Level, folder: bytes, place: Place, label: str) -> Level:
    own = _file(os.path.join(folder, _OWN_FILE.encode()), label + _OWN_FILE, place, fold=False)
    git = _file(os.path.join(folder, _GIT_FILE.encode()), label + _GIT_FILE, place, fold=level.fold)
    return replace(level, own=own + level.own, git=git + level.git)


def _repository(level: Level, common: bytes | None, place: Place, label: str) -> Level:
    """The level of a repository's top folder: its own rules and the user's; those of a repository around it end."""
    settings = _settings(common)
    fold = settings.get("core.ignorecase", "").lower() in ("true", "yes", "on", "1")
    excludes = os.path.expanduser(settings.get("core.excludesfile", _config_home() + "/git/ignore"))
    files = _file(os.fsencode(excludes), "git's core.excludesFile", place, fold) if os.path.isabs(excludes) else ()
    if common:
        files = _file(os.path.join(common, b"info", b"exclude"), label + ".git/info/exclude", place, fold) + files
    return replace(level, git=files, fold=fold)


def _file(path: bytes, label: str, place: Place, fold: bool) -> tuple[IgnoreFile, ...]:
    # git does not follow a link called .gitignore either; the user's own files may be links.
    inside = os.path.basename(path) in (_GIT_FILE.encode(), _OWN_FILE.encode())
    text = _read(path, follow=not inside)
    return (IgnoreFile(text, label, cut=place.cut, prefix=place.above, fold=fold),) if text else ()


def _read(path: bytes, *, follow: bool = True) -> bytes:
    """A regular file's beginning, empty if there is none; never blocks at a pipe."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | (0 if follow else getattr(os, "O_NOFOLLOW", 0))
    try:
        handle = os.open(path, flags)
    except OSError:
        return b""
    try:
        return _read_regular(handle)
    finally:
        os.close(handle)


def _read_regular(handle: int) -> bytes:
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        return b""
    with open(handle, "rb", closefd=False) as file:
        return file.read(_LONGEST_FILE)


def _git_folder(folder: bytes) -> bytes | None:
    """The folder with `info` and `config` of the repository whose top this is; a worktree's lies elsewhere."""
    link = os.path.join(folder, b".git")
    text = _read(link)
    if text.startswith(b"gitdir:"):
        link = os.path.join(folder, text[7:].strip())
        link = os.path.join(link, _read(os.path.join(link, b"commondir")).strip())
    return link if os.path.exists(os.path.join(link, b"HEAD")) else None


def _config_home() -> str:
    return os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")


def _settings(common: bytes | None) -> dict[str, str]:
    """git's settings, the user's and the repository's; those of the whole machine and `includeIf` are not read."""
    files = [os.fsencode(_config_home() + "/git/config"), os.fsencode(os.path.expanduser("~/.gitconfig"))]
    if common:
        files.append(os.path.join(common, b"config"))
    return {key: value for file in files for key, value in _config(file, 0)}


_SECTION = re.compile(r"\s*\[\s*([\w.-]+)\s*(\"[^\n]*\")?\s*\]")
_PAIR = re.compile(r"\s*([A-Za-z][\w-]*)\s*=\s*(.*)")
_PIECE = re.compile(r'"((?:[^"\\]|\\.)*)"|\\(.)|([#;].*)|(.)')


def _config(path: bytes, depth: int) -> Iterator[tuple[str, str]]:
    """The settings of a file of git's configuration without those in sub-sections, `include.path` followed."""
    section = ""
    for line in _read(path).decode("utf-8", "surrogateescape").replace("\\\n", "").splitlines():
        if head := _SECTION.match(line):
            section, line = "" if head[2] else head[1].lower(), line[head.end() :]
        if not (pair := _PAIR.match(line)) or not section:
            continue
        key, value = f"{section}.{pair[1].lower()}", _value(pair[2])
        yield key, value
        if key == "include.path" and depth < _DEEPEST_INCLUDE:
            inner = os.path.join(os.path.dirname(path), os.fsencode(os.path.expanduser(value)))
            yield from _config(inner, depth + 1)


def _value(text: str) -> str:
    pieces = (re.sub(r"\\(.)", r"\1", quoted) or escaped or plain for quoted, escaped, _, plain in _PIECE.findall(text))
    return "".join(pieces).strip()
