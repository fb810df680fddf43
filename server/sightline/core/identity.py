"""What a project is called: its id, the key by which it is found again, and its database."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from sightline.errors import ProjectError

ID_LENGTH: Final = 50
ID_GROUPS: Final = "[a-z0-9]+(-[a-z0-9]+)*"
ID_HINT: Final = "An id is lower-case letters and digits in groups joined by single hyphens, at most 50 characters."
SLUG_LENGTH: Final = 30
DEFAULT: Final = "default"
"""Id, key and name of the project that there always is."""
_ID: Final = re.compile(ID_GROUPS)


def parse_id(text: str) -> str:
    """A project id, checked whole."""
    if len(text) > ID_LENGTH or not _ID.fullmatch(text):
        raise ProjectError("that is no project id", hint=ID_HINT)
    return text


def database_name(name: str, project_id: str) -> str:
    """`sightline_<slug>_<8 hex>`: at most 49 bytes, unique as the id is, readable in a list of databases."""
    slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:SLUG_LENGTH].strip("_") or "project"
    return f"sightline_{slug}_{hashlib.sha256(project_id.encode()).hexdigest()[:8]}"


def config_key(name: str) -> str:
    """The key of a project that a config file names: whoever has that file shares it."""
    return f"config:{name}"


def folder_key(host_id: str, folder: str) -> str:
    """The key of a folder's own project, which no other host has."""
    return f"folder:{host_id}:{folder}"
