"""Scanning folders and reading files: real links, pipes, rights and races."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sightline.adapters import files, opening
from sightline.adapters.files import Content, Rules, Scan, Skipped
from sightline.errors import Cancelled, FolderError

NOBODY = 65534


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def open_root() -> Iterator[Path]:
    """A folder that any user may enter, unlike pytest's."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@contextmanager
def without_rights() -> Iterator[None]:
    """As a user for whom file modes count; root has to step down for that."""
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)


@contextmanager
def meanwhile(act: Callable[[], object]) -> Iterator[None]:
    """Repeat an act in another thread."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.is_set():
            act()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def write(path: Path, data: bytes | str = "text\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def skips(scan: Scan) -> dict[str, str]:
    return {one.path: one.reason for one in scan.skipped}


def found(scan: Scan) -> list[str]:
    return [one.path for one in scan.found]


def test_a_scan_lists_files_in_order_and_says_why_it_skips(root: Path) -> None:
    write(root / "b.py")
    write(root / "a/é.py")
    write(root / "empty", "")
    write(root / ".gitignore", "*.log\nout/\n")
    write(root / "x.log")
    write(root / "out/deep/x.py")
    write(root / "big.txt", "x" * 2000)
    write(root / ".env", "TOKEN=1")
    write(root / "logo.png")
    os.mkfifo(root / "pipe")
    (root / "link").symlink_to(root / "b.py")
    (root / "loop").symlink_to(root)
    (root / "lost").symlink_to(root / "nowhere")
    scan = files.scan(root, Rules(max_file_bytes=1000))
    assert found(scan) == [".gitignore", "a/é.py", "b.py", "empty"]
    assert skips(scan) == {
        ".env": "secret",
        "big.txt": "tooLarge",
        "link": "link",
        "logo.png": "excluded",
        "loop": "link",
        "lost": "link",
        "out": "ignored",
        "pipe": "special",
        "x.log": "ignored",
    }
    assert [one.path for one in scan.skipped] == sorted(skips(scan))
    assert [one.path for one in scan.skipped if one.is_folder] == ["out"]


def test_the_stat_of_a_scan_equals_that_of_a_read(root: Path) -> None:
    path = write(root / "a.py", "x = 1\n")
    (one,) = files.scan(root, Rules()).found
    content = files.read(root, "a.py", Rules())
    status = path.stat()
    assert isinstance(content, Content)
    assert one.stat == content.stat == files.Stat(6, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    assert (content.path, content.data) == ("a.py", b"x = 1\n")
    assert content.sha256 == hashlib.sha256(b"x = 1\n").digest()
    assert "x = 1" not in repr(content)


def test_times_that_no_column_holds_are_cut(root: Path) -> None:
    path = write(root / "a.py")
    os.utime(path, (0, 2**34 - 1))
    (one,) = files.scan(root, Rules()).found
    assert path.stat().st_mtime_ns > 2**63
    assert one.stat.mtime_ns == 2**63 - 1


@pytest.mark.parametrize(
    ("within", "paths", "skipped"),
    [
        (("a",), ["a/b/y.py", "a/x.py"], {}),
        (("a/b", "./a//b/y.py", "c.py"), ["a/b/y.py", "c.py"], {}),
        ((".",), ["a/b/y.py", "a/x.py", "c.py"], {"node_modules": "excluded", "way": "link"}),
        (("", "gone", "gone/x.py"), ["a/b/y.py", "a/x.py", "c.py"], {
            "node_modules": "excluded", "way": "link", "gone": "vanished", "gone/x.py": "vanished"}),
        (("node_modules/m/i.js",), [], {"node_modules": "excluded"}),
        (("way/b",), [], {"way": "link"}),
        (("c.py/x",), [], {"c.py/x": "vanished"}),
    ],
)  # fmt: skip
def test_a_scan_can_be_of_some_paths(
    root: Path, within: tuple[str, ...], paths: list[str], skipped: dict[str, str]
) -> None:
    for path in ("a/x.py", "a/b/y.py", "c.py", "node_modules/m/i.js"):
        write(root / path)
    (root / "way").symlink_to(root / "a")
    scan = files.scan(root, Rules(), within=within)
    assert (found(scan), skips(scan)) == (paths, skipped)


@pytest.mark.parametrize("path", ["/etc", "../other", "a/../..", "a\0"])
def test_a_scan_outside_of_the_root_is_refused(root: Path, path: str) -> None:
    with pytest.raises(FolderError, match="no path inside the folder"):
        files.scan(root, Rules(), within=[path])


def test_a_root_must_be_an_absolute_path_of_a_folder_that_exists(root: Path) -> None:
    write(root / "file")
    (root / "circle").symlink_to(root / "circle")
    for path, words in [
        (Path("relative"), "is a relative path"),
        (root / "gone", "does not exist"),
        (root / "file", "is a file, not a folder"),
        (root / "circle", "cannot be read: too many levels of symbolic links"),
        (root / "no\0name", "cannot be read: embedded null"),
    ]:
        with pytest.raises(FolderError, match=words) as error:
            files.scan(path, Rules())
        assert error.value.hint
    with pytest.raises(FolderError, match="is a relative path"):
        files.read(Path("relative"), "a", Rules())


def test_a_root_that_went_away_is_an_error_not_a_folder_of_deleted_files(root: Path) -> None:
    with pytest.raises(FolderError, match="does not exist"):
        files.read(root / "unmounted", "a.py", Rules())


def test_a_root_behind_a_link_is_resolved(root: Path, tmp_path: Path) -> None:
    write(root / "a.py")
    (tmp_path / "link").symlink_to(root)
    assert found(files.scan(tmp_path / "link", Rules())) == ["a.py"]
    assert isinstance(files.read(tmp_path / "link", "a.py", Rules()), Content)


def test_what_may_not_be_read_is_told(open_root: Path) -> None:
    write(open_root / "closed/a.py")
    write(open_root / "ignored/a.py")
    write(open_root / ".gitignore", "ignored\n")
    write(open_root / "a.py").chmod(0)
    write(open_root / "listed/a.py")
    (open_root / "root").mkdir(mode=0)
    (open_root / "closed").chmod(0)
    (open_root / "ignored").chmod(0)
    (open_root / "listed").chmod(0o744)
    with without_rights():
        scan = files.scan(open_root, Rules())
        outcome = files.read(open_root, "a.py", Rules())
        with pytest.raises(FolderError, match="may not be read"):
            files.scan(open_root / "root", Rules())
    assert isinstance(outcome, Skipped)
    assert outcome.sentence == "It cannot be read: permission denied."
    assert found(scan) == [".gitignore", "a.py"]
    assert skips(scan) == {
        "closed": "unreadable",
        "ignored": "ignored",
        "listed/a.py": "unreadable",
        "root": "unreadable",
    }
    for folder in ("root", "closed", "ignored", "listed"):
        (open_root / folder).chmod(0o755)


def test_a_name_that_is_no_text_is_skipped_and_can_be_shown(root: Path) -> None:
    base = os.fsencode(root)
    os.mkdir(base + b"/\xff")
    for name in (b"\xff/a.py", b"b\xfe.py"):
        with open(base + b"/" + name, "wb"):
            pass
    scan = files.scan(root, Rules(include=("**",)))
    assert skips(scan) == {"\\xff": "notUtf8Name", "b\\xfe.py": "notUtf8Name"}
    outcome = files.read(root, os.fsdecode(b"b\xfe.py"), Rules())
    assert outcome == Skipped("b\\xfe.py", "notUtf8Name")


def test_folders_may_be_deeper_than_the_stack(root: Path) -> None:
    folders = [root]
    for _ in range(1200):
        folders.append(folders[-1] / "d")
        folders[-1].mkdir()
    write(folders[-1] / "a.py")
    try:
        scan = files.scan(root, Rules())
        assert found(scan) == ["d/" * 1200 + "a.py"]
        assert isinstance(files.read(root, scan.found[0].path, Rules()), Content)
    finally:
        subprocess.run(["rm", "-rf", str(root / "d")], check=True)


def test_a_path_longer_than_the_system_allows_is_told(root: Path) -> None:
    name = "n" * 200
    handle = os.open(root, os.O_RDONLY)
    for _ in range(25):
        os.mkdir(name, dir_fd=handle)
        handle, outer = os.open(name, os.O_RDONLY, dir_fd=handle), handle
        os.close(outer)
    os.close(handle)
    try:
        (skipped,) = files.scan(root, Rules()).skipped
        assert (skipped.reason, skipped.detail) == ("unreadable", "file name too long")
    finally:
        subprocess.run(["rm", "-rf", str(root / name)], check=True)


def test_a_scan_ends_when_told_so(root: Path) -> None:
    write(root / "a/b.py")
    with pytest.raises(Cancelled):
        files.scan(root, Rules(), cancelled=lambda: True)
    assert found(files.scan(root, Rules(), cancelled=lambda: False)) == ["a/b.py"]


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a.py", b"x", None),
        ("empty", b"", None),
        ("folder/a.py", b"x", None),
        ("a.dat", b"\x00\x01", "It is no text: it holds zero bytes."),
        ("a.txt", "x".encode("utf-16"), "It is no text: UTF-16 text; saved as UTF-8 it would be indexed."),
        ("a.crt", b"-----BEGIN RSA PRIVATE KEY-----\n", "It looks like a secret: it holds a private key."),
        (".env.local", b"x", "It looks like a secret: .env.local is never indexed."),
        (".ssh/config", b"x", "It looks like a secret: .ssh is never indexed."),
        ("g.go", b"// Code generated by x. DO NOT EDIT.\n",
         "A comment at its beginning says that it is generated and not to be edited."),
        ("kept.go", b"// Code generated by x. DO NOT EDIT.\n", None),
        ("big.txt", b"x" * 1001, "It is larger than index.maxFileBytes allows: 1,001 bytes, and the limit is 1,000."),
        ("yarn.lock", b"x", "It is left out: a lock file."),
        ("a.log", b"x", "An ignore file leaves it out: .gitignore:1: *.log."),
    ],
)  # fmt: skip
def test_a_file_can_be_explained(root: Path, name: str, data: bytes, sentence: str | None) -> None:
    write(root / ".gitignore", "*.log")
    write(root / ".sightlineignore", "!kept.go")
    write(root / name, data)
    assert files.explain(root, name, Rules(max_file_bytes=1000)) == sentence


def test_what_is_no_file_can_be_explained_too(root: Path) -> None:
    (root / "folder").mkdir()
    (root / "lost").symlink_to("nowhere")
    assert files.explain(root, "folder", Rules()) is None
    assert files.explain(root, "lost", Rules()) == "It is a link, or lies behind one; links are not followed."
    assert files.explain(root, "gone/a.py", Rules()) == "It does not exist (any more)."


def test_index_include_lifts_a_generated_file_but_no_secret(root: Path) -> None:
    write(root / "g.go", "// Code generated by x. DO NOT EDIT.\n")
    write(root / "id_rsa", "x")
    rules = Rules(include=("g.go", "id_rsa"))
    assert isinstance(files.read(root, "g.go", rules), Content)
    outcome = files.read(root, "id_rsa", rules)
    assert isinstance(outcome, Skipped)
    assert outcome.reason == "secret"


def test_a_skip_by_content_carries_the_stat(root: Path) -> None:
    status = write(root / "a.dat", b"\0").stat()
    outcome = files.read(root, "a.dat", Rules())
    assert isinstance(outcome, Skipped)
    assert outcome.stat
    assert outcome.stat.mtime_ns == status.st_mtime_ns


@pytest.mark.parametrize("read", [opening.beneath, opening.by_path])
def test_only_regular_files_are_opened_and_nothing_blocks(root: Path, read: Callable[..., object]) -> None:
    os.mkfifo(root / "pipe")
    (root / "link").symlink_to("/etc/passwd")
    (root / "way").symlink_to("/etc")
    (root / "folder").mkdir()
    write(root / "a.py").chmod(0o600)
    with socket.socket(socket.AF_UNIX) as unix, tempfile.TemporaryDirectory() as short:
        unix.bind(f"{short}/socket")
        assert getattr(read(short.encode(), [b"socket"]), "detail", None) == "a socket"
    base = os.fsencode(root)
    details = {name: getattr(read(base, [name]), "detail", None) for name in (b"pipe", b"folder")}
    assert details == {b"pipe": "a pipe", b"folder": "a folder"}
    assert getattr(read(b"/dev", [b"null"]), "detail", None) == "a device"
    assert getattr(read(base, [b"link"]), "reason", None) == "link"
    handle = read(base, [b"a.py"])
    assert isinstance(handle, int)
    os.close(handle)


def test_a_file_behind_a_link_is_not_read_by_either_way(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside/a.py")
    (root / "way").symlink_to(tmp_path / "outside")
    assert files.read(root, "way/a.py", Rules()) == Skipped("way/a.py", "link")
    by_path = opening.by_path(os.fsencode(root), [b"way", b"a.py"])
    assert getattr(by_path, "reason", None) == "link"


def test_what_vanished_since_the_scan_is_told(root: Path) -> None:
    write(root / "a.py")
    write(root / "b")
    assert files.read(root, "gone.py", Rules()) == Skipped("gone.py", "vanished")
    assert files.read(root, "b/c.py", Rules()) == Skipped("b/c.py", "vanished")


def test_a_folder_swapped_for_a_link_never_leaks_what_lies_outside(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside/a.py", "outside")
    write(root / "real/a.py", "inside")
    (root / "fake").symlink_to(tmp_path / "outside")

    def swap() -> None:
        for source, target in (("real", "d"), ("d", "real"), ("fake", "d"), ("d", "fake")):
            os.rename(root / source, root / target)

    outcomes: Counter[object] = Counter()
    deadline = time.monotonic() + 200
    with meanwhile(swap):
        while (outcomes.total() < 1000 or len(outcomes) < 3) and time.monotonic() < deadline:
            outcome = files.read(root, "d/a.py", Rules())
            outcomes[outcome.data if isinstance(outcome, Content) else outcome.reason] += 1
    assert set(outcomes) == {b"inside", "link", "vanished"}


def test_a_scan_beside_a_busy_writer_neither_raises_nor_loses_the_rest(root: Path) -> None:
    for number in range(50):
        write(root / f"still/{number}.py")

    def churn() -> None:
        write(root / "busy/a/b.py")
        os.mkfifo(root / "busy/pipe")
        os.remove(root / "busy/pipe")
        os.remove(root / "busy/a/b.py")
        os.rmdir(root / "busy/a")
        os.rmdir(root / "busy")

    with meanwhile(churn):
        for _ in range(200):
            scan = files.scan(root, Rules())
            assert len([path for path in found(scan) if path.startswith("still/")]) == 50
            assert set(skips(scan).values()) <= {"vanished", "special"}


def test_a_file_written_during_the_read_is_taken_with_the_older_stat(root: Path) -> None:
    path = write(root / "a.txt", "x" * 500_000)
    with open(path, "ab", buffering=0) as log, meanwhile(lambda: log.write(b"more\n")):
        for _ in range(50):
            content = files.read(root, "a.txt", Rules(max_file_bytes=1 << 26))
            assert isinstance(content, Content)
            assert len(content.data) >= content.stat.size
            assert content.sha256 == hashlib.sha256(content.data).digest()


def test_a_file_that_holds_more_than_its_size_says_is_too_large() -> None:
    outcome = files.read(Path("/proc"), "self/status", Rules())
    assert outcome == Skipped("self/status", "link")
    outcome = files.read(Path("/proc"), f"{os.getpid()}/status", Rules(max_file_bytes=10))
    assert isinstance(outcome, Skipped)
    assert outcome.reason == "tooLarge"


def test_an_error_of_the_disk_is_told() -> None:
    outcome = files.read(Path(f"/proc/{os.getpid()}"), "mem", Rules())
    assert outcome == Skipped("mem", "unreadable", detail="input/output error")


def test_a_folder_that_is_left_out_is_not_entered(open_root: Path) -> None:
    write(open_root / "node_modules/a.js")
    (open_root / "node_modules").chmod(0)
    with without_rights():
        scan = files.scan(open_root, Rules())
    (open_root / "node_modules").chmod(0o755)
    assert skips(scan) == {"node_modules": "excluded"}
