"""Neovim as Debian packages it, for tests: `python -m nvim.get_nvim SUITE...` in the folder of the tests.

It is put into tests/.cache/nvim-SUITE; a second call costs nothing.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Final

from filelock import FileLock

from debian import CACHE, Unavailable, output, unpack, use_own_library, write_program

SUITES: Final = ("trixie", "testing")
"""Neovim 0.10, the oldest that the plugin supports, and the newest of the archive that installs cleanly (0.12 at first)."""


def neovim(suite: str) -> Path:
    """The Neovim of a suite, fetched unless it is there."""
    home = CACHE / f"nvim-{suite}"
    home.mkdir(parents=True, exist_ok=True)
    program = home / "nvim"
    with FileLock(CACHE / f"nvim-{suite}.lock"):
        if not program.exists():
            root = unpack(home, suite, ["neovim"])
            binary = (root / "usr/bin/nvim").resolve()
            use_own_library(root, binary)
            write_program(program, _wrapper(root, binary))
    return program


def version(program: Path) -> str:
    """The first line of what a Neovim says of itself."""
    return output([str(program), "--version"]).splitlines()[0]


def _wrapper(root: Path, binary: Path) -> str:
    """Debian's binary looks for its runtime and its parsers below /usr."""
    runtime, parsers = shlex.quote(f"{root}/usr/share/nvim/runtime"), shlex.quote(f"set rtp+={root}/usr/lib/nvim")
    return f'#!/bin/sh\nexport VIMRUNTIME={runtime}\nexec {shlex.quote(str(binary))} --cmd {parsers} "$@"\n'


def main() -> None:
    try:
        for suite in sys.argv[1:] or SUITES:
            program = neovim(suite)
            sys.stdout.write(f"{version(program)}  {program}\n")
    except Unavailable as reason:
        sys.exit(f"get_nvim: {reason}")


if __name__ == "__main__":
    main()
