"""Searching before the index is whole: the quickfix list follows by itself, once, and in place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nvim.editor import ITEMS, TITLE, Editor
from nvim.project import FILES, Start, serving
from support import run

TITLES = """
    local titles = {}
    for number = 1, vim.fn.getqflist({ nr = '$' }).nr do
      titles[number] = vim.fn.getqflist({ nr = number, title = 0 }).title
    end
    return titles
"""
ASK = """
    vim.api.nvim_create_user_command('Ask', function(options)
      answered = nil
      require('sightline.client').request(options.args, vim.empty_dict(), function() answered = options.args end)
    end, { nargs = 1 })
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that nobody has indexed, with enough files that it takes a moment."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    _add_steps(tmp_path, 300)
    return tmp_path


@pytest.fixture
def paused(start: Start, data_dir: Path, folder: Path) -> Iterator[Editor]:
    """A Neovim whose server knows some files, and has been told to read no others for now."""
    for path in folder.glob("step*.py"):
        path.unlink()
    assert run(data_dir, "index", folder).returncode == 0
    _add_steps(folder)
    with start(folder, serving() + ASK) as editor:
        _ask(editor, "sightline/pause")
        yield editor


def test_a_new_folder_fills_the_list_as_it_is_indexed(start: Start, folder: Path) -> None:
    with start(folder) as editor:
        editor.command("Sightline where are sessions kept")
        editor.said("sightline: nothing found yet (")
        assert editor.lua(f"{TITLE}:match('^Sightline: where are sessions kept %(.+%)$')")
        editor.eventually(f"{TITLE} == 'Sightline: where are sessions kept'")
        assert editor.lua(ITEMS)[0]["path"] == "src/store.py"
        assert editor.lua("return vim.bo.buftype") == "quickfix"
        assert editor.lua(TITLES) == ["Sightline: where are sessions kept"]
        assert editor.messages().count("nothing found") == 1


def test_a_list_that_is_late_takes_nobody_away_from_a_window(start: Start, folder: Path) -> None:
    with start(folder) as editor:
        editor.lua("vim.cmd('Sightline zenkaku couplet') vim.cmd.new()")
        editor.eventually("return #vim.fn.getqflist() > 0")
        assert editor.eventually("return vim.fn.getqflist({ winid = 0 }).winid ~= 0")
        assert editor.lua("return vim.bo.buftype") == ""


def test_an_index_that_is_whole_at_last_finds_nothing(start: Start, folder: Path) -> None:
    with start(folder) as editor:
        editor.command("Sightline anything file:*.cobol")
        editor.said("sightline: nothing found yet (")
        editor.eventually("return (vim.fn.execute('messages') .. '\\n'):find('sightline: nothing found\\n', 1, true)")
        assert editor.lua(TITLE) == "Sightline: anything file:*.cobol"


def test_a_list_is_completed_in_place(paused: Editor) -> None:
    paused.command("Sightline session")
    title = paused.eventually(f"{TITLE} ~= '' and {TITLE.removeprefix('return ')}")
    assert re.fullmatch(r"Sightline: session \(\d+ % indexed\)", title)
    paused.keys("j")
    chosen = paused.lua(ITEMS)[1]["path"]
    row = "return vim.fn.getqflist({ items = 0 }).items[vim.fn.line('.')].bufnr"
    before = paused.eventually(f"return vim.fn.line('.') == 2 and (function() {row} end)()")
    _ask(paused, "sightline/resume")
    paused.eventually(f"{TITLE} == 'Sightline: session'")
    assert paused.lua(TITLES) == ["Sightline: session"]
    assert paused.lua(row) == before
    assert chosen in [item["path"] for item in paused.lua(ITEMS)]
    assert paused.lua("return vim.fn.getqflist({ context = 0 }).context.sightline.complete") is True


def test_only_the_last_question_is_asked_again(paused: Editor) -> None:
    for query in ("backoff", "session"):
        paused.command(f"Sightline {query}")
        paused.eventually(f"{TITLE}:find(query, 1, true)", query=query)
    _ask(paused, "sightline/resume")
    paused.eventually(f"{TITLE} == 'Sightline: session'")
    assert re.fullmatch(r"Sightline: backoff \(\d+ % indexed\)", paused.lua(TITLES)[0])


def test_a_list_that_somebody_replaced_stays_as_it_is(paused: Editor) -> None:
    paused.command("Sightline session")
    paused.eventually(f"{TITLE} ~= ''")
    paused.command("call setqflist([], 'r', {'title': 'mine', 'items': [{'text': 'one'}]})")
    _ask(paused, "sightline/resume")
    paused.eventually("return require('sightline').status() == 'Sightline: ready'")
    paused.command("sleep 2500m")
    assert paused.lua(f"{TITLE}, #vim.fn.getqflist()") == "mine"
    assert len(paused.lua(ITEMS)) == 1


def _ask(editor: Editor, method: str) -> None:
    editor.command(f"Ask {method}")
    editor.eventually("return answered == method", method=method)


def _add_steps(folder: Path, count: int = 60) -> None:
    for number in range(count):
        (folder / f"step{number}.py").write_text(f"def step_{number}():\n    return {number}\n")
