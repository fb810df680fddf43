"""The plugin's commands in a real Neovim, answered by the real server."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from nvim.editor import FLOATS, HERE, ITEMS, PATIENCE, TITLE, Editor
from nvim.project import FILES, Start, serving
from support import run

UTF_16 = """
    local make = vim.lsp.protocol.make_client_capabilities
    vim.lsp.protocol.make_client_capabilities = function()
      return vim.tbl_deep_extend('force', make(), { general = { positionEncodings = { 'utf-16' } } })
    end
"""


def found(editor: Editor, command: str, title: str) -> list[dict[str, Any]]:
    """The quickfix items that a command leads to, once its list is there."""
    editor.command("call setqflist([], 'f')")
    editor.command(command)
    editor.eventually(f"{TITLE}:find(title, 1, true)", title=title)
    items: list[dict[str, Any]] = editor.lua(ITEMS)
    return items


def test_a_search_fills_the_quickfix_list(editor: Editor) -> None:
    best, *others = found(editor, "Sightline where are sessions kept", "Sightline: where are sessions kept")
    assert best["path"] == "src/store.py"
    assert best["from"] == [1, 1]
    assert best["to"] == [1, len("class SessionStore:") + 1]
    assert best["text"].split() == ["strong", "SessionStore", "class", "SessionStore:"] or best["text"].startswith(
        "good"
    )
    assert "src/store.py" not in [other["path"] for other in others]
    assert editor.lua("return vim.bo.buftype") == "quickfix"
    context = editor.lua("return vim.fn.getqflist({ context = 0 }).context.sightline")
    assert context == {"complete": True, "mode": "hybrid"}


def test_with_a_bang_further_hits_follow_their_files_first(editor: Editor) -> None:
    items = found(editor, "Sightline! area and perimeter of a shape", "Sightline: area")
    assert [item["path"] for item in items[:3]] == ["src/shapes.py"] * 3
    firsts = [item for item in items if not item["text"].startswith("   ")]
    assert len({item["path"] for item in firsts}) == len(firsts)
    assert len({item["from"][0] for item in items[:3]}) == 3
    assert len(found(editor, "Sightline area and perimeter of a shape", "Sightline: area")) == len(firsts)


@pytest.mark.parametrize(
    ("query", "path", "line", "columns"),
    [
        ("unverwechselbar", "src/schöne namen.py", 2, (5, len('    größe, ort = "😀 süß", "Zürich"  # unverwechselbar'.encode()) + 1)),
        ("zenkaku indented couplet", "src/wide.py", 3, (7, 6 + len("zenkaku indented couplet") + 1)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_columns_are_bytes_whatever_the_encoding(
    start: Start,
    editor: Editor,
    project: Path,
    encoding: str,
    query: str,
    path: str,
    line: int,
    columns: tuple[int, int],
) -> None:
    if encoding == "utf-8":
        best = found(editor, f"Sightline {query}", query)[0]
    else:
        with start(project, UTF_16 + serving()) as other:
            best = found(other, f"Sightline {query}", query)[0]
            assert other.lua("return vim.lsp.get_clients()[1].offset_encoding") == "utf-16"
    assert (best["path"], best["from"], best["to"]) == (path, [line, columns[0]], [line, columns[1]])


def test_nothing_found_is_an_empty_list_of_its_own(editor: Editor) -> None:
    assert found(editor, "Sightline session", "Sightline: session")
    editor.command("Sightline nothing file:*.cobol")
    editor.said("sightline: nothing found")
    assert editor.lua(TITLE) == "Sightline: nothing file:*.cobol"
    assert editor.lua(ITEMS) == []
    editor.command("colder")
    assert editor.lua(TITLE) == "Sightline: session"
    assert editor.lua(ITEMS)


def test_the_preview_follows_the_cursor_and_p_toggles_it(editor: Editor) -> None:
    items = found(editor, "Sightline session", "Sightline: session")
    assert len(items) > 1
    assert [each["title"] for each in editor.lua(FLOATS)] == [f"src/store.py:{items[0]['from'][0]}"]
    editor.keys("j")
    shown = editor.eventually(
        f"local floats = (function() {FLOATS} end)() return floats[1].title:find('test') and floats"
    )
    assert shown[0]["lines"][0] == "def test_a_saved_session_is_there():"
    editor.keys("p")
    editor.eventually(f"return #(function() {FLOATS} end)() == 0")
    editor.keys("p")
    editor.eventually(f"return #(function() {FLOATS} end)() == 1")
    editor.keys("<CR>")
    editor.eventually(f"return #(function() {FLOATS} end)() == 0")
    assert editor.lua(HERE)[:2] == [items[1]["path"], items[1]["from"][0]]


def test_another_quickfix_list_has_no_preview(editor: Editor) -> None:
    found(editor, "Sightline session", "Sightline: session")
    editor.command("cgetexpr ['src/retry.py:1:1: other'] | copen")
    editor.keys("p")
    editor.eventually(f"return #(function() {FLOATS} end)() == 0")


def test_lines_lead_to_their_like(editor: Editor) -> None:
    editor.command("edit src/retry.py")
    items = found(editor, "3,7SightlineSimilar", "Sightline: like src/retry.py:3-7")
    assert items[0]["path"] == "web/again.js"
    assert "src/retry.py" not in [item["path"] for item in items]


def test_without_lines_the_definition_at_the_cursor_counts(editor: Editor) -> None:
    editor.command("edit src/shapes.py | normal! 5G")
    # Python's grammar is not among those that Neovim brings along; Lua's is. A paragraph stands in for it.
    found(editor, "SightlineSimilar", "Sightline: like src/shapes.py:4-9")
    editor.command("edit! fresh.lua")
    text = [
        "local a = 1",
        "",
        "local function retry(call)",
        "  local b = 2",
        "",
        "  return call(b)",
        "end",
        "",
        "return a",
    ]
    editor.lua("vim.api.nvim_buf_set_lines(0, 0, -1, false, text) vim.cmd('normal! 4G')", text=text)
    found(editor, "SightlineSimilar", "Sightline: like fresh.lua:3-7")
    editor.command("bwipeout!")


def test_text_that_is_not_saved_has_its_like_as_well(editor: Editor) -> None:
    lines = ["def call_again_later(call, attempts):", "    return retry(call, attempts, backoff=2)"]
    editor.lua("vim.api.nvim_buf_set_lines(0, 0, 0, false, lines)", lines=lines)
    items = found(editor, "1,2SightlineSimilar", "Sightline: like src/store.py:1-2")
    assert {"src/retry.py", "web/again.js"} & {item["path"] for item in items[:2]}


def test_the_code_action_fills_the_list(editor: Editor) -> None:
    editor.command("edit src/retry.py")
    editor.eventually("return #vim.lsp.get_clients({ bufnr = 0 }) > 0")
    editor.lua("vim.lsp.buf.code_action({ apply = true, range = { start = { 1, 0 }, ['end'] = { 7, 5 } } })")
    editor.eventually(f"{TITLE}:find('Sightline: like src/retry.py:1-7', 1, true)")
    assert editor.lua(ITEMS)[0]["path"] == "web/again.js"


def test_workspace_symbol_takes_whole_sentences(editor: Editor) -> None:
    editor.eventually("return #vim.lsp.get_clients({ bufnr = 0 }) > 0")
    editor.lua("vim.lsp.buf.workspace_symbol('call again after a failure')")
    editor.eventually("return #vim.fn.getqflist() > 0")
    assert {item["path"] for item in editor.lua(ITEMS)[:2]} == {"src/retry.py", "web/again.js"}


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("Sightline lnag:py x", "unknown filter lnag:. Did you mean lang:?"),
        ("Sightline lang:klingon x", 'unknown language "klingon"'),
        ("Sightline nothing file:*.cobol", "nothing found"),
        ("SightlineIndex /etc", "/etc is not in "),
        ("SightlineIndex nosuch.py", "0 files indexed: "),
        ("9SightlineSimilar", "the selection is empty"),
    ],
)
def test_what_cannot_be_is_one_sentence(editor: Editor, command: str, sentence: str) -> None:
    editor.lua("vim.api.nvim_buf_set_lines(0, -1, -1, false, { '', '', '', '', '' })")
    editor.command(command)
    editor.said(f"sightline: {sentence}")
    assert editor.lua("return #vim.fn.getqflist()") == 0


def test_the_status_tells_folders_and_jobs(editor: Editor, project: Path) -> None:
    editor.command("SightlineStatus")
    lines = editor.eventually(
        "return vim.api.nvim_win_get_config(0).relative ~= '' and vim.api.nvim_buf_get_lines(0, 0, -1, false)"
    )
    assert lines[0].startswith("Sightline 0.")
    assert any(project.name in line and "100% indexed, 7 files" in line for line in lines)
    editor.keys("q")
    assert editor.lua("return vim.api.nvim_win_get_config(0).relative") == ""


def test_indexing_ends_with_a_sentence(editor: Editor) -> None:
    editor.command("SightlineIndex!")
    editor.said("7 files indexed")
    editor.command("SightlineIndex src")
    editor.said("unchanged")


def test_searching_while_indexing_says_so_and_progress_is_shown(start: Start, data_dir: Path, tmp_path: Path) -> None:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert run(data_dir, "index", tmp_path).returncode == 0
    for number in range(50):
        (tmp_path / f"new{number}.py").write_text(f"def step_{number}():\n    return {number}\n")
    watch = """
        titles = {}
        vim.api.nvim_create_autocmd('LspProgress', { callback = function(event)
          local value = event.data.params and event.data.params.value or event.data.result.value
          titles[#titles + 1] = value.kind .. ' ' .. (value.title or '') .. ' ' .. (value.message or '')
        end })
        local function ask(method)
          require('sightline.client').request(method, vim.empty_dict(), function() answered = method end)
        end
        vim.api.nvim_create_user_command('Ask', function(options) ask(options.args) end, { nargs = 1 })
    """
    with start(tmp_path, serving() + watch) as editor:
        editor.command("Ask sightline/pause")
        editor.eventually("return answered == 'sightline/pause'")
        found(editor, "Sightline session", "Sightline: session")
        assert re.fullmatch(r"Sightline: session \(\d+ % indexed\)", editor.lua(TITLE))
        assert re.fullmatch(r"Sightline: \w+ \d+%", editor.lua("return require('sightline').status()"))
        editor.command("Ask sightline/resume")
        editor.eventually("return require('sightline').status() == 'Sightline: ready'")
        titles = editor.lua("return titles")
        assert titles[0].startswith("begin Indexing ")
        assert titles[-1].startswith("end ")


def test_a_database_that_is_not_there_is_told_with_a_hint(start: Start, project: Path) -> None:
    with start(project, SIGHTLINE_DATABASE_URL="postgresql://127.0.0.1:1/x") as editor:
        editor.command("Sightline session")
        editor.said("sightline: the database does not answer.")
        assert "`sightline doctor`" in editor.messages()
        editor.eventually("return require('sightline').status() == 'Sightline: no database'")


def test_a_config_that_is_wrong_is_no_lost_database(start: Start, tmp_path: Path) -> None:
    (tmp_path / ".sightline").mkdir()
    (tmp_path / ".sightline/config.json").write_text("{}")
    with start(tmp_path) as editor:
        editor.command("Sightline session")
        editor.said("sightline: .sightline/config.json: version: it is missing.")
        editor.eventually("return require('sightline').status() == 'Sightline: waiting'")


def test_an_idle_neovim_is_idle(editor: Editor) -> None:
    process = psutil.Process(editor.lua("return vim.fn.getpid()"))
    spent = []
    for _ in range(20):  # what other tests have begun may still go on
        before = process.cpu_times()
        time.sleep(1)
        after = process.cpu_times()
        spent.append(after.user + after.system - before.user - before.system)
        if spent[-1] < 0.2:
            return
    raise AssertionError(f"it is never idle: {spent}")


def test_no_server_outlives_its_neovim(start: Start, project: Path) -> None:
    with start(project) as editor:
        found(editor, "Sightline session", "Sightline: session")
        servers = psutil.Process(editor.lua("return vim.fn.getpid()")).children(recursive=True)
        assert servers
    assert psutil.wait_procs(servers, timeout=PATIENCE)[1] == []
