"""Searching while somebody types: the built-in prompt, completion of filters, and the pickers of others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nvim.editor import FLOATS, HERE, ITEMS, TITLE, Editor, NeovimError
from nvim.get_nvim import CACHE
from nvim.project import Start, serving
from sightline.core.languages import LANGUAGES
from sightline.core.model import KINDS
from sightline.core.query import KEYS

PICKERS = CACHE / "pickers"
PARTS = f"""
    local parts = {{ windows = 0 }}
    for _, float in ipairs((function() {FLOATS} end)()) do
      parts.windows = parts.windows + 1
      parts[float.title == 'Sightline' and 'input' or float.title == '' and 'list' or 'preview'] = float
    end
"""
NOTE = """
    for _, window in ipairs(vim.api.nvim_list_wins()) do
      local footer = vim.api.nvim_win_get_config(window).footer
      if footer and #footer > 0 then return vim.trim(footer[1][1]) end
    end
"""


def typed(editor: Editor, text: str, best: str) -> list[str]:
    """Opens the prompt and types; the hits, once the best of them is in a certain file."""
    editor.command("Sightline")
    editor.keys(text)
    code = f"{PARTS} return parts.list and parts.list.lines[1]:find(best, 1, true) and parts.list.lines"
    lines: list[str] = editor.eventually(code, best=best)
    return lines


@pytest.fixture
def closed(editor: Editor) -> Iterator[Editor]:
    """The editor; no window of the prompt may be left behind by the test."""
    yield editor
    editor.eventually(f"{PARTS} return parts.windows == 0")
    assert editor.lua("return vim.fn.mode()") == "n"


def test_hits_follow_the_keys_and_enter_opens_one(closed: Editor) -> None:
    lines = typed(closed, "call again after", "web/again.js")
    assert "callAgain" in lines[0]
    closed.keys(" a failure kind:function lang:python")
    closed.eventually(f"{PARTS} return parts.list.lines[1]:find('src/retry.py:', 1, true)")
    shown = closed.eventually(f"{PARTS} return parts.preview")
    assert shown["title"].startswith("src/retry.py:")
    assert shown["lines"][0].startswith("def retry_with_backoff")
    closed.keys("<CR>")
    closed.eventually("return vim.fn.bufname():find('retry.py', 1, true)")
    assert closed.lua(HERE)[0] == "src/retry.py"


def test_the_cursor_lands_on_the_best_line(closed: Editor) -> None:
    typed(closed, "unverwechselbar", "schöne namen.py:2")
    closed.keys("<CR>")
    closed.eventually("return vim.fn.bufname():find('namen.py', 1, true)")
    assert closed.lua(HERE) == ["src/schöne namen.py", 2, 5]
    closed.keys("<C-o>")
    closed.eventually("return vim.fn.bufname():find('store.py', 1, true)")


@pytest.mark.parametrize(("key", "windows", "tabs"), [("<C-x>", 2, 1), ("<C-v>", 2, 1), ("<C-t>", 1, 2)])
def test_a_hit_opens_beside(closed: Editor, key: str, windows: int, tabs: int) -> None:
    typed(closed, "zenkaku couplet", "src/wide.py")
    closed.keys(key)
    closed.eventually("return vim.fn.bufname():find('wide.py', 1, true)")
    assert closed.lua("return { vim.fn.winnr('$'), vim.fn.tabpagenr('$') }") == [windows, tabs]


def test_enter_before_the_answer_opens_the_best_of_what_was_typed(closed: Editor) -> None:
    closed.command("Sightline")
    closed.keys("zenkaku couplet<CR>")
    closed.eventually("return vim.fn.bufname():find('wide.py', 1, true)")


def test_arrows_choose_and_all_hits_go_to_quickfix(closed: Editor) -> None:
    first, second = typed(closed, "saved session", "store.py")[:2]
    assert first != second
    closed.keys("<Down>")
    path = second.split()[1].partition(":")[0]
    closed.eventually(f"{PARTS} return parts.preview.title:find(path, 1, true)", path=path)
    closed.keys("<Up><Up><C-n><C-p><C-q>")
    closed.eventually(f"{TITLE} == 'Sightline: saved session'")
    assert [item["path"] for item in closed.lua(ITEMS)[:2]] == [
        line.split()[1].partition(":")[0] for line in (first, second)
    ]
    closed.command("cclose")


def test_a_wrong_filter_is_told_below_the_hits(closed: Editor) -> None:
    closed.command("Sightline")
    closed.keys("lnag:py session")
    assert "Did you mean lang:?" in closed.eventually(NOTE)
    closed.keys("<C-u>session<Esc>")


def test_an_emptied_prompt_has_no_hits(closed: Editor) -> None:
    typed(closed, "zenkaku couplet", "src/wide.py")
    closed.keys("<C-u>")
    closed.eventually(f"{PARTS} return #parts.list.lines == 1 and parts.list.lines[1] == '' and not parts.preview")
    closed.keys("<CR><C-c>")


def test_leaving_the_window_closes_the_prompt(closed: Editor) -> None:
    typed(closed, "zenkaku couplet", "src/wide.py")
    closed.keys("<C-\\><C-n><C-w>w")


def test_tab_completes_filters_in_the_prompt(closed: Editor) -> None:
    closed.command("Sightline")
    closed.keys("couplet la<Tab>")
    line = "return vim.api.nvim_get_current_line()"
    closed.eventually(f"{line} == 'couplet lang:'")
    closed.keys("pyt<Tab>")
    closed.eventually(f"{line} == 'couplet lang:python'")
    closed.keys("<CR>")
    closed.eventually("return vim.fn.bufname():find('wide.py', 1, true)")


def test_a_resized_screen_keeps_the_prompt_on_it(closed: Editor) -> None:
    typed(closed, "zenkaku couplet", "src/wide.py")
    closed.command("set columns=90 lines=20")
    widths = "return vim.tbl_map(vim.api.nvim_win_get_width, vim.api.nvim_list_wins())"
    assert max(closed.eventually(f"vim.cmd.redraw() {widths}")) <= 90
    closed.keys("<Esc>")
    closed.command("set columns=160 lines=40")


def test_a_small_screen_asks_for_a_line(editor: Editor) -> None:
    editor.command("set columns=160 lines=10")
    try:
        editor.lua("vim.schedule(require('sightline').pick)")
        editor.keys("zenkaku couplet<CR>")
        editor.eventually(f"{TITLE} == 'Sightline: zenkaku couplet'")
    finally:
        editor.command("set columns=160 lines=40")


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("", ["lang:", "kind:", "path:", "file:", "changed:", "project:"]),
        ("-", ["-lang:", "-kind:", "-path:", "-file:", "-changed:", "-project:"]),
        ("session -lang:typ", ["-lang:typescript", "-lang:typescriptreact"]),
        ("kind:class,me", ["kind:class,method"]),
        ("path:s", ["path:src/"]),
        ("path:src/sh", ["path:src/shapes.py"]),
        ("path:src/sch", ['path:"src/schöne namen.py"']),
        ("file:", ["file:*.py", "file:store.py"]),
        ("session", []),
        ("std::vec", []),
    ],
)
def test_filters_are_completed(editor: Editor, typed: str, completed: list[str]) -> None:
    assert editor.lua("return vim.fn.getcompletion('Sightline ' .. typed, 'cmdline')", typed=typed) == completed


def test_the_values_that_are_completed_are_the_servers(editor: Editor) -> None:
    known = editor.lua(
        "local complete = require('sightline.complete') return { complete.KINDS, complete.LANGUAGES, complete.KEYS }"
    )
    assert known == [list(KINDS), sorted(each.id for each in LANGUAGES), [f"{key}:" for key in KEYS]]


@pytest.mark.parametrize("picker", ["telescope", "fzf-lua", "snacks", "fzy"])
def test_without_the_chosen_picker_there_is_the_prompt(editor: Editor, picker: str) -> None:
    editor.lua("require('sightline').pick(picker)", picker=picker)
    editor.said("there is no picker" if picker == "fzy" else f"{picker} is not installed")
    assert editor.lua(f"{PARTS} return parts.input ~= nil")
    editor.keys("<Esc>")


def _installed(*names: str) -> str:
    """Lua for init.lua that loads plugins from the cache; skips the test where they are not there."""
    missing = [name for name in names if not (PICKERS / name).exists()]
    if missing:
        pytest.skip(f"put {', '.join(missing)} into tests/.cache/pickers to run this")
    return "".join(f"vim.opt.runtimepath:append([[{PICKERS / name}]])\n" for name in names)


@pytest.mark.parametrize(
    ("picker", "plugins", "setup"),
    [
        ("telescope", ["plenary.nvim", "telescope.nvim"], "require('telescope').load_extension('sightline')"),
        ("fzf-lua", ["fzf-lua", "fzf"], ""),
        ("snacks", ["snacks.nvim"], "require('snacks').setup({ picker = { enabled = true } })"),
    ],
)
def test_other_pickers_show_and_open_hits(
    start: Start, project: Path, picker: str, plugins: list[str], setup: str
) -> None:
    lines = f"{serving()}\n{_installed(*plugins)}\n{setup}"
    with start(project, lines, PATH=f"{PICKERS}:{os.environ['PATH']}") as editor:
        if picker == "telescope" and editor.lua("return vim.fn.has('nvim-0.11')") == 0:
            pytest.skip("telescope itself needs Neovim 0.11")
        editor.lua("vim.schedule(function() require('sightline').pick(picker) end)", picker=picker)
        editor.eventually("return #vim.api.nvim_list_wins() > 1 and vim.fn.mode() ~= 'n'")
        editor.keys("zenkaku couplet")
        _press_until_open(editor, "wide.py")


def _press_until_open(editor: Editor, name: str) -> None:
    """Presses Enter as soon as a picker, whichever it is, has drawn a hit."""
    drawn = """
        for _, window in ipairs(vim.api.nvim_list_wins()) do
          local lines = vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, -1, false)
          if table.concat(lines, '\\n'):find('src/' .. name, 1, true) then return true end
        end
    """
    editor.eventually(drawn, name=name)
    editor.keys("<CR>")
    editor.eventually("return vim.fn.expand('%:t') == name", name=name)
    assert "rror" not in editor.messages()


def test_lua_that_fails_is_an_error_of_the_test(editor: Editor) -> None:
    with pytest.raises(NeovimError, match="such a failure"):
        editor.lua("error('such a failure')")
