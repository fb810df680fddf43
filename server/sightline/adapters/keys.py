"""The key of a paid embedding server: from the environment, or from a command that prints it. It is kept nowhere else."""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import Final

from sightline.errors import SettingsError

VARIABLE: Final = "SIGHTLINE_EMBEDDING_API_KEY"
COMMAND: Final = "SIGHTLINE_EMBEDDING_API_KEY_COMMAND"
COMMAND_SECONDS: Final = 30.0
HINT: Final = f"Set {VARIABLE}, or {COMMAND} to a command that prints the key."


def api_key() -> str:
    """The key, or "" where there is none. May wait for the command."""
    own = os.environ.get(VARIABLE, "").strip()
    return own or _printed(os.environ.get(COMMAND, ""))


def _printed(command: str) -> str:
    try:
        words = shlex.split(command)
        if not words:
            return ""
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=True
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        # What the command said may hold the key.
        raise SettingsError(f"{COMMAND} did not print a key ({type(error).__name__})", hint=HINT) from None
    lines = done.stdout.split()
    if len(lines) != 1:
        raise SettingsError(f"{COMMAND} did not print one word", hint=HINT)
    return lines[0]
