"""Fixtures: both Neovims, a project to search, and an editor whose server is the real one."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from nvim import get_nvim
from nvim.editor import Editor, running
from support import environment

SERVE = [sys.executable, "-m", "sightline", "serve"]
SHAPE = '''class {name}:
    """A {name} that knows its area and its perimeter, for the drawing program and its printed reports."""

    def area(self):
        """How much paint the {name} takes, in square metres, rounded up to whole tins of five litres each."""
        total = self.width * self.height * {number}
        for hole in self.holes:
            total = total - hole.area()
        return max(total, 0)

    def perimeter(self):
        """How much tape goes around the {name}, holes included, in metres of the broad kind of tape."""
        total = 2 * (self.width + self.height) * {number}
        for hole in self.holes:
            total = total + hole.perimeter()
        return total


'''
FILES = {
    "src/store.py": 'class SessionStore:\n    """Keeps sessions on disk."""\n\n'
    "    def save(self, session):\n        self.path.write_text(session.dump())\n",
    "src/retry.py": "def retry_with_backoff(call, attempts):\n"
    '    """Call again after a failure, waiting longer each time."""\n'
    "    for attempt in range(attempts):\n        try:\n            return call()\n"
    "        except OSError:\n            time.sleep(2 ** attempt)\n",
    "src/schöne namen.py": 'def gruss():\n    größe, ort = "😀 süß", "Zürich"  # unverwechselbar\n    return größe, ort\n',
    "src/wide.py": '"""Poems.\n\n\u3000\u3000zenkaku indented couplet\n"""\n',
    "src/shapes.py": "".join(
        SHAPE.format(name=name, number=number) for number, name in enumerate(("Square", "Kite", "Star", "Moon"))
    ),
    "web/again.js": "export async function callAgain(call) {\n  while (true) {\n    try { return await call() }\n"
    "    catch (error) { await pause(backoff()) }\n  }\n}\n",
    "tests/test_store.py": "def test_a_saved_session_is_there():\n    assert SessionStore().save(session)\n",
}
Start = Callable[..., AbstractContextManager[Editor]]


def serving(command: list[str] = SERVE, **options: object) -> str:
    """Lua for init.lua: the plugin's options, with a command that runs the server of this checkout."""
    given = "".join(f"options.{name} = {value} " for name, value in options.items())
    words = ", ".join(f"[==[{word}]==]" for word in command)
    return f"local options = {{ cmd = {{ {words} }} }} {given} vim.g.sightline = options"


@pytest.fixture(scope="session", params=get_nvim.SUITES)
def program(request: pytest.FixtureRequest) -> Path:
    """The oldest Neovim that the plugin supports, and the newest there is."""
    try:
        return get_nvim.neovim(request.param)
    except get_nvim.Unavailable as reason:
        if "CI" in os.environ:
            raise
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of a few files."""
    root = tmp_path_factory.mktemp("project").resolve()
    (root / ".git").mkdir()
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def start(program: Path, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Starts a Neovim in a folder, with lines in its init.lua and variables in its environment."""

    @contextlib.contextmanager
    def start(folder: Path, lines: str = "", **variables: str) -> Iterator[Editor]:
        home = tmp_path_factory.mktemp("nvim")
        with running(program, home, folder, environment(data_dir, **variables), lines or serving()) as editor:
            yield editor

    return start


@pytest.fixture(scope="module")
def shared(start: Start, project: Path) -> Iterator[Editor]:
    """One Neovim for a module, whose server has indexed the project."""
    with start(project, f"{serving()}\nrequire('sightline').enable()") as editor:
        editor.command("edit src/store.py")
        editor.eventually("return require('sightline').status() == 'Sightline: ready'", within=60)
        yield editor


@pytest.fixture
def editor(shared: Editor) -> Editor:
    """The module's Neovim, as if it had just been opened on a file."""
    shared.keys("<C-\\><C-n>")
    shared.command("silent! tabonly! | silent! cclose | silent! only! | call setqflist([], 'f') | messages clear")
    shared.command("silent! %bwipeout! | edit src/store.py")
    return shared
