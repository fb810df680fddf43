"""Chromium without a window, as Debian packages it, for tests: `python tests/get_chromium.py` prints where it is.

It is put into tests/.cache/chromium, with fonts of its own, so that screenshots look the same everywhere; a second call
costs nothing.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Final

from filelock import FileLock

from debian import CACHE, Unavailable, unpack, use_own_library, write_program

SUITE: Final = "trixie"
PACKAGES: Final = ("chromium-headless-shell", "fonts-inter", "fonts-jetbrains-mono", "fonts-dejavu-core")
_FONTS: Final = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{root}/usr/share/fonts</dir>
  <cachedir>{home}/fontconfig</cachedir>
  <alias binding="same"><family>system-ui</family><prefer><family>Inter</family></prefer></alias>
  <alias binding="same"><family>sans-serif</family><prefer><family>Inter</family></prefer></alias>
  <alias binding="same"><family>monospace</family><prefer><family>JetBrains Mono</family></prefer></alias>
</fontconfig>
"""


def chromium() -> Path:
    """The browser, fetched unless it is there."""
    home = CACHE / "chromium"
    home.mkdir(parents=True, exist_ok=True)
    program = home / "chromium"
    with FileLock(CACHE / "chromium.lock"):
        if not program.exists():
            root = unpack(home, SUITE, PACKAGES)
            (home / "fonts.conf").write_text(_FONTS.format(root=root, home=home))
            binary = next(root.glob("usr/lib/chromium/*headless*shell"))
            library = use_own_library(root, binary)
            write_program(program, _wrapper(home, library, binary))
    return program


def _wrapper(home: Path, library: Path, binary: Path) -> str:
    """Some libraries name folders below /usr for what they need in turn, which the binary's own path cannot alter."""
    path = shlex.quote(":".join(str(library / each) for each in (".", "nss", "pulseaudio")))
    environment = f"FONTCONFIG_FILE={shlex.quote(f'{home}/fonts.conf')} LD_LIBRARY_PATH={path}"
    return f'#!/bin/sh\nexport {environment}\nexec {shlex.quote(str(binary))} "$@"\n'


def main() -> None:
    try:
        sys.stdout.write(f"{chromium()}\n")
    except Unavailable as reason:
        sys.exit(f"get_chromium: {reason}")


if __name__ == "__main__":
    main()
