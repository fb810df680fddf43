"""What a project is called: its id, the key by which it is found again, and its database."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Final

from sightline.errors import ProjectError

ID_LENGTH: Final = 50
ID_GROUPS: Final = "[a-z0-9]+(-[a-z0-9]+)*"
ID_HINT: Final = "An id is lower-case letters and digits in groups joined by single hyphens, at most 50 characters."
NAME_LENGTH: Final = 100
NAME_HINT: Final = "A name is 1 to 100 visible characters, without spaces at its ends."
DATABASE_PATTERN: Final = "sightline_(?!registry|template_)[a-z0-9_]{1,53}"
"""At most the 63 bytes that Postgres keeps of a name, and none of those that Sightline itself has."""
DATABASE_HINT: Final = (
    "A database's name is sightline_ and at most 53 lower-case letters, digits and underscores, not beginning with"
    " registry or template_; without one, it is made of the project's name."
)
SLUG_LENGTH: Final = 30
DEFAULT: Final = "default"
"""Id, key and name of the project that there always is."""
_ID: Final = re.compile(ID_GROUPS)
_DATABASE: Final = re.compile(DATABASE_PATTERN)
_UNSEEN: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def parse_id(text: str) -> str:
    """A project id, checked whole."""
    if len(text) > ID_LENGTH or not _ID.fullmatch(text):
        raise ProjectError("that is no project id", hint=ID_HINT)
    return text


def parse_name(text: str) -> str:
    """A name as a config file has it; what looks the same is the same."""
    text = unicodedata.normalize("NFC", text)
    # Category C: what is not seen, such as controls, and marks that turn the direction of the text.
    unseen = any(unicodedata.category(char) in _UNSEEN for char in text)
    if not 0 < len(text) <= NAME_LENGTH or text != text.strip() or unseen:
        raise ProjectError("that is no project name", hint=NAME_HINT)
    return text


def parse_database(text: str) -> str:
    """The name that a config file has for its project's database, checked whole."""
    if not _DATABASE.fullmatch(text):
        raise ProjectError("that is no name for a project's database", hint=DATABASE_HINT)
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
