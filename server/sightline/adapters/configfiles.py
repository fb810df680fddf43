"""Finds, reads and completes a repository's `.sightline/config.json`; no link is followed on the way."""

from __future__ import annotations

import os
import stat
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sightline.adapters import configuration, opening
from sightline.adapters.configuration import MOST_BYTES, Config
from sightline.errors import ConfigError, ProjectConflict

FILE: Final = ".sightline/config.json"
_open = opening.beneath if os.open in os.supports_dir_fd else opening.by_path


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A config file that is there, whatever it holds."""

    root: Path
    """The folder that it is for."""
    name: str
    """As errors call it: from the folder where it was looked for."""

    def read(self) -> Config:
        """What it holds; ConfigError."""
        return configuration.parse(self._bytes()[0], self.name)

    def write_id(self, project_id: str) -> None:
        """Puts the id in, unless it is there by now; the caller holds the project's lock. OSError where it cannot."""
        data, mode = self._bytes()
        known = configuration.parse(data, self.name).project.id
        if known == project_id:
            return
        if known:
            raise ProjectConflict(f"{self.name}: project.id was set to {known} meanwhile", hint="Try again.")
        text = configuration.with_id(data.decode(), project_id)
        assert configuration.parse(text.encode(), self.name).project.id == project_id, "only the id is new"
        self._replace(text.encode(), mode)

    def _bytes(self) -> tuple[bytes, int]:
        """The bytes, with the file's mode."""
        try:
            handle = _open(os.fsencode(self.root), os.fsencode(FILE).split(b"/"))
            if not isinstance(handle, int):
                kind = "a symbolic link" if handle.reason == "link" else handle.detail
                raise self._unreadable(f"it is {kind}")
            with open(handle, "rb") as file:
                return file.read(MOST_BYTES + 1), stat.S_IMODE(os.fstat(handle).st_mode)
        except OSError as error:
            raise self._unreadable("it cannot be read, or is below a symbolic link") from error

    def _replace(self, data: bytes, mode: int) -> None:
        """All of the new content or all of the old, whenever somebody looks and whatever breaks off."""
        file = self.root / FILE
        fresh = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
        try:
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with open(handle, "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(handle)
            fresh.chmod(mode)
            os.replace(fresh, file)
        finally:
            fresh.unlink(missing_ok=True)

    def _unreadable(self, reason: str) -> ConfigError:
        return ConfigError(f"{self.name}: {reason}", hint="Make it a regular file that you may read, or remove it.")


def find(folder: Path) -> ConfigFile | None:
    """The nearest config file from a folder up to its repository's root; outside a repository, the folder's own."""
    found: ConfigFile | None = None
    for level, each in enumerate((folder, *folder.parents)):
        if found is None and _is_there(each / FILE):
            found = ConfigFile(each, "../" * level + FILE)
            if not level:
                return found
        if _is_there(each / ".git"):
            return found
    return None


def _is_there(path: Path) -> bool:
    """Also where it is a link that leads nowhere, or may not be looked at: that is a failure, and no absence."""
    try:
        os.lstat(path)
    except PermissionError:
        return True
    except OSError:
        return False
    return True
