"""Fixtures: both Neovims, a project to search, and an editor whose server is the real one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nvim import get_nvim
from nvim.editor import Editor, running
from nvim.project import FILES, Start, serving
from support import environment, run


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
    """Starts a Neovim in a folder; `sightline nvim` prints the first line of its init.lua, the test adds others."""

    printed = run(data_dir, "nvim").stdout

    @contextlib.contextmanager
    def start(folder: Path, lines: str = "", **variables: str) -> Iterator[Editor]:
        home = tmp_path_factory.mktemp("nvim")
        everything = environment(data_dir, **variables)
        with running(program, home, folder, everything, printed + (lines or serving())) as editor:
            yield editor

    return start


@pytest.fixture(scope="module")
def shared(start: Start, project: Path) -> Iterator[Editor]:
    """One Neovim for a module, whose server has indexed the project."""
    with start(project, f"{serving()}\nrequire('sightline').enable()") as editor:
        editor.command("edit src/store.py")
        editor.eventually("return require('sightline').status() == 'Sightline: ready'")
        yield editor


@pytest.fixture
def editor(shared: Editor) -> Editor:
    """The module's Neovim, as if it had just been opened on a file."""
    shared.keys("<C-\\><C-n>")
    shared.command("silent! tabonly! | silent! cclose | silent! only! | call setqflist([], 'f') | messages clear")
    shared.command("silent! %bwipeout! | edit src/store.py")
    return shared
