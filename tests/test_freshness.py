"""Whatever happens to a folder, to its servers and to the database: in the end the index is that of a fresh one.

Two real servers share a folder, without an editor that tells them of changes. The normal run takes 200 random steps;
`FRESHNESS_STEPS=2000` takes more.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import psutil
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from adapters.servers import fast_disk, open_folder, server_of
from sightline.adapters import embedded
from sightline.adapters.embedded import Place
from sightline.errors import SightlineError
from sightline.settings import Settings
from sightline.workspaces import Workspaces
from support import Files, command, content_of, environment, index

NORMAL: Final = 200
STEPS: Final = int(os.environ.get("FRESHNESS_STEPS", str(NORMAL)))
STEPS_A_FOLDER: Final = 50
PATIENCE: Final = 300.0
FOLDERS: Final = ("", "src/", "src/deep/", "lib/")
PATHS: Final = st.sampled_from([f"{folder}{name}" for folder in FOLDERS for name in ("a.py", "b.py", "c.ts", "d.md")])
NAMES: Final = ("session", "upload", "retry", "cookie", "parser")
TEXTS: Final = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map(
    lambda names: "".join(
        f"def {name}_{place}(value):\n    return {name}(value)\n\n\n" * 3 for place, name in enumerate(names)
    )
)
RULES: Final = st.sampled_from(["*.ts\n", "src/\n", "deep/\n", "a.py\n", "!a.py\nb.*\n", "*\n!lib/\n!lib/**\n", ""])
BRANCHES: Final = st.sampled_from(["main", "one", "two"])


class Server:
    """`sightline serve` on a folder, as an editor starts it that says nothing more."""

    def __init__(self, root: Path, data_dir: Path) -> None:
        self._process = subprocess.Popen(
            command("serve"), env=environment(data_dir), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert self._process.stdout is not None
        threading.Thread(target=_drain, args=(self._process.stdout,), daemon=True).start()
        folders = [{"uri": root.as_uri(), "name": root.name}]
        self._say("initialize", {"processId": None, "capabilities": {}, "workspaceFolders": folders}, id=1)
        self._say("initialized", {})

    def kill(self) -> None:
        """As the system does when there is no memory left: its workers end by themselves."""
        self._process.kill()
        self._process.wait()

    def leave(self) -> None:
        """As an editor that is closed."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)

    def _say(self, method: str, params: Any, **more: Any) -> None:
        assert self._process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._process.stdin.flush()


def _drain(stream: IO[bytes]) -> None:
    while stream.read(65_536):
        pass


class World:
    """What all folders of a run share: a database that is killed, and one for fresh indexes that is not."""

    def __init__(self, runner: asyncio.Runner, fresh: Workspaces, data_dir: Path, folder: Path) -> None:
        self.runner = runner
        self.fresh = fresh
        self.data_dir = data_dir
        self.folder = folder
        self.numbers = itertools.count()
        self.steps = self.settled = self.killed = 0

    async def fresh_content(self, root: Path) -> dict[str, Any]:
        """The index of a copy, made from nothing."""
        copy = self.folder / f"fresh{next(self.numbers)}"
        shutil.copytree(root, copy, ignore=shutil.ignore_patterns(".git"))
        workspace = await self.fresh.open(copy)
        await index(workspace)
        content = await content_of(workspace)
        await self.fresh.projects.remove(workspace.project.id, workspace.project.name)
        return content

    async def settled_content(self, root: Path, expected: dict[str, Any]) -> dict[str, Any]:
        """The servers' index when it is as expected, or else when patience is at its end."""
        deadline = time.monotonic() + PATIENCE
        while True:
            content: dict[str, Any] = {}
            with contextlib.suppress(SightlineError):
                async with Workspaces.started(Settings(data_dir=self.data_dir), self.data_dir) as workspaces:
                    workspace = await workspaces.open(root)
                    while content != expected and time.monotonic() < deadline:
                        await asyncio.sleep(0.05)
                        with contextlib.suppress(AssertionError):  # of a look amid a change
                            content = await content_of(workspace)
            if content == expected or time.monotonic() > deadline:
                return content


@pytest.fixture
def world(data_dir: Path) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())
        killed = stack.enter_context(open_folder(fast_disk()))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        stack.enter_context(contextlib.closing(embedded.acquire(killed)))
        started = Workspaces.started(Settings(data_dir=data_dir), data_dir)
        fresh = runner.run(started.__aenter__())
        stack.callback(lambda: runner.run(started.__aexit__(None, None, None)))
        yield World(runner, fresh, killed, Path(folder).resolve())


@pytest.mark.timeout(1800 + STEPS)
def test_after_anything_the_index_is_that_of_a_fresh_one(world: World) -> None:
    while world.steps < STEPS:  # a folder's steps may be fewer
        run_state_machine_as_test(
            lambda: Checkout(world),
            settings=settings(
                max_examples=max(1, (STEPS - world.steps) // STEPS_A_FOLDER),
                stateful_step_count=STEPS_A_FOLDER + 1,
                derandomize=STEPS == NORMAL,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
    assert world.steps >= STEPS
    assert world.settled >= STEPS // 50
    assert world.killed or STEPS <= NORMAL  # hypothesis leaves rules out of whole folders, and 200 steps are four


class Checkout(RuleBasedStateMachine):
    """A folder under git, with two servers on it."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.root = world.folder / f"checkout{next(world.numbers)}"
        self.root.mkdir()
        self.files = Files(self.root)
        self.is_changed = False
        self._git("init", "-q", "-b", "main")
        self._commit()
        self.servers = [Server(self.root, world.data_dir) for _ in range(2)]

    @initialize(texts=st.dictionaries(PATHS, TEXTS, min_size=4))
    def begin(self, texts: dict[str, str]) -> None:
        self.files.write(texts)

    @rule(path=PATHS, text=TEXTS)
    def write(self, path: str, text: str) -> None:
        self._step()
        self.files.write({path: text})

    @rule(path=PATHS, text=TEXTS)
    def append(self, path: str, text: str) -> None:
        self._step()
        old = (self.root / path).read_bytes() if (self.root / path).exists() else b""
        self.files.write({path: old + text.encode()})

    @rule(path=PATHS, text=TEXTS)
    def replace_as_editors_do(self, path: str, text: str) -> None:
        self._step()
        self.files.write({f"{path}~": text})
        (self.root / f"{path}~").rename(self.root / path)

    @rule(path=PATHS, content=st.sampled_from([b"\0\1\2" * 9, b"", "ü = 1\n".encode("latin-1")]))
    def write_odd_bytes(self, path: str, content: bytes) -> None:
        self._step()
        self.files.write({path: content})

    @rule(path=PATHS)
    def remove(self, path: str) -> None:
        self._step()
        (self.root / path).unlink(missing_ok=True)

    @rule(path=PATHS, to=PATHS)
    def move(self, path: str, to: str) -> None:
        self._step()
        if (self.root / path).exists() and (self.root / to).parent.is_dir():
            (self.root / path).rename(self.root / to)

    @rule()
    def swap_folders(self) -> None:
        self._step()
        names = [self.root / name for name in ("src", "lib", "other")]
        for old, new in ((names[0], names[2]), (names[1], names[0]), (names[2], names[1])):
            if old.is_dir():
                old.rename(new)

    @rule(folder=st.sampled_from(["src", "src/deep", "lib"]))
    def remove_folder(self, folder: str) -> None:
        self._step()
        shutil.rmtree(self.root / folder, ignore_errors=True)

    @rule(folder=st.sampled_from(FOLDERS), rules=RULES)
    def ignore(self, folder: str, rules: str) -> None:
        self._step()
        self.files.write({f"{folder}.gitignore": rules})

    @rule(branch=BRANCHES)
    def commit_and_check_out(self, branch: str) -> None:
        self._step()
        self._commit()
        if self._git("checkout", "-q", "-f", branch, check=False):
            self._git("checkout", "-q", "-b", branch)

    @rule(which=st.integers(0, 2))
    def kill(self, which: int) -> None:
        """-9 of a server or of Postgres."""
        self._step()
        self.world.killed += 1
        if which < 2:
            self.servers[which].kill()
            self.servers[which] = Server(self.root, self.world.data_dir)
            return
        with contextlib.suppress(AssertionError, psutil.NoSuchProcess):  # It may be down already.
            server_of(Place(self.world.data_dir)).kill()

    @rule(which=st.integers(0, 1))
    def restart(self, which: int) -> None:
        self._step()
        self.servers[which].leave()
        self.servers[which] = Server(self.root, self.world.data_dir)

    @precondition(lambda self: self.is_changed)
    @rule()
    def settle(self) -> None:
        self._step()
        self._compare()

    def teardown(self) -> None:
        try:
            self._compare()
        finally:
            for server in self.servers:
                server.kill()

    def _step(self) -> None:
        self.world.steps += 1
        self.is_changed = True

    def _compare(self) -> None:
        run = self.world.runner.run
        expected = run(self.world.fresh_content(self.root))
        content = run(self.world.settled_content(self.root, expected))
        assert content.get("files") == expected["files"]
        assert content == expected
        self.world.settled += 1
        self.is_changed = False

    def _commit(self) -> None:
        self._git("add", "-A")
        self._git("commit", "-q", "--allow-empty", "-m", "a commit")

    def _git(self, *arguments: str, check: bool = True) -> int:
        who = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "gc.auto=0")
        return subprocess.run(
            ["git", *who, *arguments], cwd=self.root, check=check, stderr=subprocess.DEVNULL
        ).returncode
