"""Changes on a real disk are told, whatever happens to the folder."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.servers import open_folder
from sightline.adapters import watching
from sightline.adapters.watchers import NATIVE, Way
from support import PACKAGE_ROOT

WITHIN = 60.0
WAYS: list[Way] = [*dict.fromkeys((NATIVE, "watchfiles", "polling"))]


class Watch:
    """What a watch has told since it was asked last."""

    def __init__(self) -> None:
        self.told: list[set[str]] = []
        self.news = asyncio.Event()

    async def until(self, path: str, change: Callable[[], object]) -> set[str]:
        """Everything told, repeating the change until it is: when a watch begins is not told."""
        self.told.clear()
        async with asyncio.timeout(WITHIN):
            while not any(path in paths for paths in self.told):
                change()
                self.news.clear()
                try:
                    await asyncio.wait_for(self.news.wait(), 0.5)
                except TimeoutError:
                    continue
        return set().union(*self.told)


@asynccontextmanager
async def watched(root: Path, way: Way = NATIVE, **options: Any) -> AsyncIterator[Watch]:
    watch = Watch()

    async def listen() -> None:
        async with aclosing(watching.changes(root, way, **options)) as changes:
            async for paths in changes:
                watch.told.append(paths)
                watch.news.set()

    task = asyncio.create_task(listen())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    given: Way = request.param
    return given


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = (tmp_path / "root").resolve()
    (root / "src").mkdir(parents=True)
    return root


def writer(path: Path) -> Callable[[], object]:
    return lambda: path.write_text(f"{path.name} {os.urandom(8).hex()}")


def take_away(root: Path, moved: bool) -> None:
    if moved:
        root.rename(root.with_name("elsewhere"))
    else:
        shutil.rmtree(root)


def make(root: Path) -> None:
    root.mkdir()


def write_latin_1(root: Path) -> None:
    try:
        with open(os.fsencode(root) + b"/caf\xe9.py", "w") as file:
            file.write("x")
    except OSError:
        pytest.skip("this disk takes no such names")


async def test_files_are_told_by_their_relative_paths(root: Path, way: Way) -> None:
    async with watched(root, way) as watch:
        assert "src/a.py" in await watch.until("src/a.py", writer(root / "src/a.py"))
        (root / "deep/er").mkdir(parents=True)
        assert await watch.until("deep/er/b.py", writer(root / "deep/er/b.py"))
        (root / "src/a.py").unlink()
        assert await watch.until("src/a.py", lambda: None)


async def test_the_whole_folder_is_told_when_the_watch_begins(root: Path, way: Way) -> None:
    async with watched(root, way) as watch:
        assert await watch.until("", lambda: None) == {""}


async def test_a_version_controls_own_files_are_not_told(root: Path, way: Way) -> None:
    (root / ".git").mkdir()
    async with watched(root, way) as watch:
        await watch.until("a.py", writer(root / "a.py"))
        (root / ".git/index").write_text("x")
        assert not {path for path in await watch.until("b.py", writer(root / "b.py")) if ".git" in path}


async def test_very_many_changes_are_told_as_one_of_the_folder(root: Path) -> None:
    names = [f"{number}.py" for number in range(watching.MANY + 500)]
    async with watched(root) as watch:
        await watch.until("a.py", writer(root / "a.py"))

        def flood() -> None:
            # By a program, since these must all come before those who are told begin to look, and Python is slower.
            subprocess.run(["touch", *names], cwd=root / "src", check=True)

        assert await watch.until("", flood)


@pytest.mark.parametrize("moved", [False, True])
async def test_a_folder_that_comes_back_is_watched_again(root: Path, way: Way, moved: bool) -> None:
    async with watched(root, way) as watch:
        await watch.until("a.py", writer(root / "a.py"))
        take_away(root, moved)
        assert await watch.until("", lambda: None)
        make(root)
        assert await watch.until("b.py", writer(root / "b.py"))


@pytest.mark.parametrize("pause", [0, 0.02, 0.12, 1.2])
async def test_what_is_written_as_soon_as_a_folder_is_back_is_told(root: Path, pause: float) -> None:
    async with watched(root) as watch:
        await watch.until("a.py", writer(root / "a.py"))
        for name in ("b.py", "c.py", "d.py"):
            watch.told.clear()
            shutil.rmtree(root)
            await asyncio.sleep(pause)
            make(root)
            (root / name).touch()
            written = len(watch.told)
            async with asyncio.timeout(WITHIN):
                while not any(paths & {"", name} for paths in watch.told[written:]):
                    await asyncio.sleep(0.01)


async def test_a_folder_that_goes_with_the_one_above_is_watched_again(tmp_path: Path, way: Way) -> None:
    root = tmp_path / "above/root"
    root.mkdir(parents=True)
    async with watched(root, way) as watch:
        await watch.until("a.py", writer(root / "a.py"))
        watch.told.clear()
        root.parent.rename(tmp_path / "elsewhere")
        assert await watch.until("", lambda: None)
        root.mkdir(parents=True)
        assert await watch.until("b.py", writer(root / "b.py"))


async def test_a_folder_that_does_not_exist_yet_is_waited_for(tmp_path: Path, way: Way) -> None:
    root = tmp_path / "later"
    async with watched(root, way) as watch:
        await asyncio.sleep(0.1)
        assert watch.told == []
        root.write_text("a file for now")
        await asyncio.sleep(0.1)
        assert watch.told == []
        root.unlink()
        make(root)
        assert await watch.until("a.py", writer(root / "a.py"))


async def test_a_folder_that_is_moved_is_told_by_its_new_name(root: Path, way: Way) -> None:
    (root / "src/deep").mkdir()
    async with watched(root, way) as watch:
        await watch.until("a.py", writer(root / "a.py"))
        (root / "src").rename(root / "lib")
        await watch.until("lib/deep/b.py", writer(root / "lib/deep/b.py"))
        (root / "src").mkdir()
        await watch.until("src/c.py", writer(root / "src/c.py"))
        told = await watch.until("lib/deep/d.py", writer(root / "lib/deep/d.py"))
        assert not {path for path in told if path.startswith("src/deep")}


async def test_a_name_that_is_no_text_does_not_end_the_watch(root: Path, way: Way) -> None:
    async with watched(root, way) as watch:
        await watch.until("a.py", writer(root / "a.py"))
        write_latin_1(root)
        assert await watch.until("b.py", writer(root / "b.py"))


@pytest.mark.parametrize("way", [way for way in WAYS if way != "watchfiles"])
async def test_a_link_to_a_folder_does_not_hide_what_changes_in_it(root: Path, way: Way) -> None:
    (root / "packages/shop").mkdir(parents=True)
    (root / "node_modules").mkdir()
    for name in ("a", "z"):
        (root / "node_modules" / name).symlink_to(root / "packages/shop")
    async with watched(root, way) as watch:
        assert await watch.until("packages/shop/a.ts", writer(root / "packages/shop/a.ts"))
        (root / "node_modules/a").unlink()
        told = await watch.until("packages/shop/b.ts", writer(root / "packages/shop/b.ts"))
        assert not {path for path in told if path.startswith("node_modules/") and path.endswith(".ts")}


async def test_the_whole_folder_is_told_from_time_to_time(root: Path) -> None:
    async with watched(root, every=0.2) as watch:
        for _ in range(3):
            assert await watch.until("", lambda: None) == {""}


def test_it_is_time_for_a_look_at_everything_after_a_while_after_sleep_and_when_the_clock_was_set() -> None:
    schedule = watching.Schedule(600, now=1000)
    looks = {
        1001: False,
        1020: False,
        1020 + watching.ASLEEP_SECONDS + 1: True,
        1052: False,
        **dict.fromkeys(range(1060, 1640, 20), False),
        1651: True,
        1652: False,
        900: True,
        901: False,
    }
    assert {now: schedule.is_due(now) for now in looks} == looks


_SCRIPT = """
import asyncio, os, sys
from pathlib import Path
from sightline.adapters import watching

async def main(root, *names):
    told = watching.changes(root, say=lambda sentence: print(sentence, flush=True))
    assert await anext(told) == {""}
    for name in names:
        (root / name).write_text("x")
        async with asyncio.timeout(60):
            while name not in (paths := await anext(told)):
                assert paths <= set(names)
        print(name, flush=True)
    await told.aclose()

if not os.geteuid():
    os.setuid(int(sys.argv[1]))
asyncio.run(main(Path(sys.argv[2]), *sys.argv[3:]))
"""


def watch_elsewhere(root: Path, *names: str, user: int = 0, before: tuple[str, ...] = ()) -> list[str]:
    """What a process of its own says, and is told of files as it writes them."""
    command = [*before, sys.executable, "-c", _SCRIPT, str(user), str(root), *names]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE_ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_where_the_system_watches_no_more_folders_they_are_polled_and_that_is_said(root: Path) -> None:
    for number in range(12):
        (root / f"src/{number}").mkdir()
    # The limit of a user namespace of its own: lowering the system's would hit every other process.
    limited = ("unshare", "-Ur", "sh", "-c", 'echo 8 > /proc/sys/user/max_inotify_watches && exec "$@"', "-")
    if shutil.which("unshare") is None or subprocess.run([*limited, "true"], check=False).returncode:
        pytest.skip("no user namespaces here")
    said, told = watch_elsewhere(root, "src/11/a.py", before=limited)
    assert said == (
        "root cannot be watched, it is polled instead: "
        "the system's limit of watched folders is reached (fs.inotify.max_user_watches)"
    )
    assert told == "src/11/a.py"


_RETRYING = """
import asyncio, os, sys
from pathlib import Path
from sightline.adapters import watching

def natively():
    return any("inotify" in os.readlink(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd")
               if os.path.islink(f"/proc/self/fd/{each}"))

async def main(root):
    said = []
    told = watching.changes(root, every=1, say=said.append)
    assert await anext(told) == {""}
    while not said:
        await anext(told)
    Path("/proc/sys/user/max_inotify_watches").write_text("1000")
    async with asyncio.timeout(100):
        while not natively():
            await anext(told)
        (root / "src/11/a.py").write_text("x")
        while "src/11/a.py" not in await anext(told):
            pass
    print(len(said))
    await told.aclose()

asyncio.run(main(Path(sys.argv[1])))
"""


def test_where_the_system_watches_as_many_folders_again_they_are_polled_no_more(root: Path) -> None:
    for number in range(12):
        (root / f"src/{number}").mkdir()
    limited = ("unshare", "-Ur", "sh", "-c", 'echo 8 > /proc/sys/user/max_inotify_watches && exec "$@"', "-")
    if shutil.which("unshare") is None or subprocess.run([*limited, "true"], check=False).returncode:
        pytest.skip("no user namespaces here")
    command = [*limited, sys.executable, "-c", _RETRYING, str(root)]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE_ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250, check=False)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_a_folder_that_may_not_be_read_does_not_keep_the_others_from_being_watched() -> None:
    nobody = os.geteuid() or 65534
    with open_folder() as root:
        root.chmod(0o755)
        names = [f"{number}/a.py" for number in range(8)]
        for name in names:
            (root / name).parent.mkdir()
            (root / name).parent.chmod(0 if name == "4/a.py" else 0o777)
        names.remove("4/a.py")
        assert watch_elsewhere(root, *names, user=nobody) == names
