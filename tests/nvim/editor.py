"""A Neovim for tests: headless, with nobody's configuration but the plugin, driven from outside as by a user."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import sightline

PLUGIN: Final = Path(sightline.__file__).parent / "nvim"
_ANSWER = "luaeval('vim.json.encode((loadstring or load)(_A)() or vim.NIL)', {})"
COLUMNS, LINES = 160, 40
PATIENCE: Final = 200.0
"""Seconds: a server that starts, and indexes, on a machine that does other things as well."""

TITLE: Final = "return vim.fn.getqflist({ title = 0 }).title"
FLOATS: Final = """
    local floats = {}
    for _, window in ipairs(vim.api.nvim_list_wins()) do
      local config = vim.api.nvim_win_get_config(window)
      if config.relative ~= '' then
        local lines = vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, -1, false)
        local title = type(config.title) == 'table' and config.title[1][1] or ''
        table.insert(floats, { title = vim.trim(title), lines = lines })
      end
    end
    return floats
"""
ITEMS: Final = """
    return vim.tbl_map(function(item)
      return {
        path = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(item.bufnr), ':.'),
        from = { item.lnum, item.col }, to = { item.end_lnum, item.end_col }, text = item.text,
      }
    end, vim.fn.getqflist())
"""
HERE: Final = "return { vim.fn.fnamemodify(vim.api.nvim_buf_get_name(0), ':.'), vim.fn.line('.'), vim.fn.col('.') }"


class NeovimError(AssertionError):
    """Lua failed in Neovim, or what was waited for did not come about."""


class Editor:
    """One running Neovim."""

    def __init__(self, program: Path, home: Path) -> None:
        self._program = program
        self._home = home
        self.address = home / "socket"

    def lua(self, code: str, **values: Any) -> Any:
        """The value that Lua code returns; `values` are its locals."""
        names, given = ", ".join(values), json.dumps(json.dumps(list(values.values())))
        head = f"local {names} = unpack(vim.json.decode({given})) " if values else ""
        done = self._remote("--remote-expr", _ANSWER.format(_quoted(head + code)))
        if done.returncode:
            raise NeovimError(done.stderr.strip())
        return json.loads(done.stdout)

    def answers(self) -> bool:
        """Whether it listens."""
        return self._remote("--remote-expr", "1").returncode == 0

    def keys(self, keys: str) -> None:
        """Types, with `<CR>` and the like for what is no character."""
        self._remote("--remote-send", keys)

    def command(self, line: str) -> None:
        """Runs a command of Vim's."""
        self.lua("vim.cmd(line)", line=line)

    def eventually(self, code: str, within: float = PATIENCE, **values: Any) -> Any:
        """What Lua code returns as soon as that is neither nil nor false."""
        deadline = time.monotonic() + within
        while not (value := self.lua(code, **values)):
            if time.monotonic() > deadline:
                raise NeovimError(f"in {within} s it did not come about: {code}\n{self.messages()}\n{self.log()}")
            time.sleep(0.03)
        return value

    def messages(self) -> str:
        """All that was said to the user."""
        return str(self.lua("return vim.api.nvim_exec2('messages', { output = true }).output"))

    def said(self, text: str, within: float = PATIENCE) -> None:
        """Waits until the user has been told some text."""
        found = "return (vim.api.nvim_exec2('messages', { output = true }).output):find(text, 1, true) ~= nil"
        self.eventually(found, within, text=text)

    def log(self) -> str:
        """The last that Neovim noted of its servers."""
        lines = [line for path in self._home.rglob("lsp.log") for line in path.read_text().splitlines()]
        return "\n".join(lines[-30:])

    def _remote(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self._program), "--clean", "--headless", "--server", str(self.address), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


@contextlib.contextmanager
def running(program: Path, home: Path, folder: Path, environment: Mapping[str, str], lines: str) -> Iterator[Editor]:
    """A Neovim in `folder`, with `lines` as its init.lua; its own files are below `home`."""
    home.mkdir(exist_ok=True)
    init = home / "init.lua"
    init.write_text(lines)
    editor = Editor(program, home)
    command = [str(program), "--headless", "-u", str(init), "-i", "NONE", "-n", "--listen", str(editor.address)]
    options = ["--cmd", f"set columns={COLUMNS} lines={LINES}"]
    with (home / "output").open("w") as output:
        process = subprocess.Popen(
            [*command, *options], cwd=folder, env=hermetic(home, environment), stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        _await(editor, process)
        yield editor
    finally:
        _end(editor, process)


def hermetic(home: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which Neovim finds none of the user's files; HOME stays, for it is what a server goes by."""
    folders = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    kept = {name: value for name, value in environment.items() if not name.startswith(("NVIM", "VIM"))}
    return {**kept, **folders, "NVIM_LOG_FILE": str(home / "nvim.log"), "XDG_CONFIG_DIRS": str(home)}


def _await(editor: Editor, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not (editor.address.exists() and editor.answers()):
        if process.poll() is not None or time.monotonic() > deadline:
            raise NeovimError("Neovim did not start")
        time.sleep(0.02)


def _end(editor: Editor, process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(NeovimError, subprocess.TimeoutExpired):
        editor.keys("<C-\\><C-n>:qall!<CR>")
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _quoted(text: str) -> str:
    """A string of Vim script."""
    return "'" + text.replace("'", "''") + "'"
