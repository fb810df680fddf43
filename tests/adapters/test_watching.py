"""Changes on a real disk are told, whatever happens to the folder."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from sightline.adapters import watching

WITHIN = 15.0


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
async def watched(root: Path) -> AsyncIterator[Watch]:
    watch = Watch()

    async def listen() -> None:
        async with aclosing(watching.changes(root)) as changes:
            async for paths in changes:
                watch.told.append(paths)
                watch.news.set()

    task = asyncio.create_task(listen())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


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


async def test_files_are_told_by_their_relative_paths(root: Path) -> None:
    async with watched(root) as watch:
        assert "src/a.py" in await watch.until("src/a.py", writer(root / "src/a.py"))
        (root / "deep/er").mkdir(parents=True)
        assert await watch.until("deep/er/b.py", writer(root / "deep/er/b.py"))
        (root / "src/a.py").unlink()
        assert await watch.until("src/a.py", lambda: None)


async def test_a_version_controls_own_files_are_not_told(root: Path) -> None:
    (root / ".git").mkdir()
    async with watched(root) as watch:
        await watch.until("a.py", writer(root / "a.py"))
        (root / ".git/index").write_text("x")
        assert not {path for path in await watch.until("b.py", writer(root / "b.py")) if ".git" in path}


async def test_very_many_changes_are_told_as_one_of_the_folder(root: Path) -> None:
    async with watched(root) as watch:
        await watch.until("a.py", writer(root / "a.py"))

        def flood() -> None:
            for number in range(watching.MANY + 500):
                (root / f"src/{number}.py").touch()

        assert await watch.until("", flood)


@pytest.mark.parametrize("moved", [False, True])
async def test_a_folder_that_comes_back_is_watched_again(root: Path, moved: bool) -> None:
    async with watched(root) as watch:
        await watch.until("a.py", writer(root / "a.py"))
        take_away(root, moved)
        assert await watch.until("", lambda: None)
        make(root)
        assert await watch.until("b.py", writer(root / "b.py"))


async def test_a_folder_that_does_not_exist_yet_is_waited_for(tmp_path: Path) -> None:
    root = tmp_path / "later"
    async with watched(root) as watch:
        await asyncio.sleep(0.1)
        assert watch.told == []
        make(root)
        assert await watch.until("a.py", writer(root / "a.py"))


async def test_a_name_that_is_no_text_does_not_end_the_watch(root: Path) -> None:
    async with watched(root) as watch:
        await watch.until("a.py", writer(root / "a.py"))
        write_latin_1(root)
        assert await watch.until("", lambda: None)
        assert await watch.until("b.py", writer(root / "b.py"))
