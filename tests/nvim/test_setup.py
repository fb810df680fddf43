"""Starting without setup(): roots, options, missing servers, health, help."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from nvim.editor import ITEMS, PLUGIN, TITLE, Editor
from nvim.project import SERVE, Start, serving

HEALTH = (
    "vim.cmd('silent checkhealth sightline') return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\\n')"
)
CLIENTS = "return #vim.lsp.get_clients({ name = 'sightline' })"


def test_the_second_line_attaches_the_server_to_files_of_projects(editor: Editor) -> None:
    editor.command("edit src/retry.py")
    editor.eventually("return #vim.lsp.get_clients({ name = 'sightline', bufnr = 0 }) == 1")
    editor.command("help | only")
    assert editor.lua("return #vim.lsp.get_clients({ name = 'sightline', bufnr = 0 })") == 0
    assert editor.lua(CLIENTS) == 1


def test_a_search_works_from_help_and_from_an_empty_buffer(start: Start, project: Path) -> None:
    with start(project) as editor:
        assert editor.lua("return package.loaded.sightline == nil")
        assert editor.lua("return require('sightline').status()") == ""
        editor.command("help | only | Sightline zenkaku couplet")
        editor.eventually(f"{TITLE} ~= ''")
        assert editor.lua("return vim.lsp.get_clients()[1].config.root_dir") == str(project)


def test_the_second_line_on_0_11_is_neovims_own_and_before_the_first_search_starts_the_server(
    start: Start, project: Path
) -> None:
    lines = f"""
        if not vim.lsp.enable then {serving()} return end
        vim.lsp.config('sightline', {{ cmd = {{ {", ".join(f"'{word}'" for word in SERVE)} }} }})
        vim.lsp.enable('sightline')
    """
    with start(project, lines) as editor:
        editor.command("edit src/store.py")
        if editor.lua("return vim.lsp.enable ~= nil"):
            editor.eventually("return #vim.lsp.get_clients({ name = 'sightline', bufnr = 0 }) == 1")
        else:
            assert editor.lua(CLIENTS) == 0
        editor.command("Sightline zenkaku couplet")
        editor.eventually(f"{TITLE} ~= ''")
        assert editor.lua(CLIENTS) == 1


def test_the_lines_of_the_readme_show_the_server_what_is_not_saved(start: Start, project: Path) -> None:
    lines = f"{serving()} if vim.fn.has('nvim-0.11') == 1 then vim.lsp.enable('sightline') end"
    with start(project, lines) as editor:
        editor.command("edit src/store.py")
        text = ["def unheard_of_quokka():", "    return 1"]
        editor.lua("vim.api.nvim_buf_set_lines(0, 0, 0, false, text)", text=text)
        editor.command("Sightline unheard_of_quokka")
        editor.eventually(f"local first = (function() {ITEMS} end)()[1] return first and first.path == 'src/store.py'")
        assert editor.lua(ITEMS)[0]["from"] == [1, 1]
        editor.command("wincmd p | set hidden | edit src/retry.py")
        editor.eventually("return #vim.lsp.get_clients({ name = 'sightline', bufnr = 0 }) == 1")
        assert editor.lua(CLIENTS) == 1


@pytest.mark.parametrize(
    ("marker", "file", "root"),
    [
        (".git/x", "a/b/c.py", "."),
        ("a/.sightline/config.json", "a/b/c.py", "a"),
        ("a/.git", "a/b/c.py", "a"),
        ("other/x", "a/b/c.py", "."),
    ],
)
def test_the_nearest_marker_is_the_root(editor: Editor, tmp_path: Path, marker: str, file: str, root: str) -> None:
    for each in (marker, file):
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each).touch()
    before = editor.lua("return vim.uv.cwd()")
    try:
        editor.lua("vim.cmd.cd(folder) vim.cmd.edit(file)", folder=str(tmp_path), file=str(tmp_path / file))
        assert Path(editor.lua("return require('sightline.root').of(0)")) == tmp_path / root
    finally:
        editor.lua("vim.cmd('bwipeout!') vim.cmd.cd(before)", before=before)


@pytest.mark.parametrize("folder", ["home", ""])
def test_the_home_folder_is_no_project(start: Start, tmp_path: Path, folder: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "notes.txt").touch()
    with start(tmp_path / folder, f"{serving()}\nrequire('sightline').enable()", HOME=str(home)) as editor:
        editor.lua("vim.cmd.edit(path)", path=str(home / "notes.txt"))
        editor.command("Sightline anything")
        editor.said("is too wide to search as one project")
        assert editor.lua(CLIENTS) == 0
        (home / ".sightline").mkdir()
        (home / ".sightline" / "config.json").write_text('{"version": "1.0", "project": {"name": "home"}}')
        assert Path(editor.lua("return (require('sightline.root').current())")) == home


def test_a_server_that_is_not_installed_is_told_with_how_to_install_it(start: Start, project: Path) -> None:
    with start(project, f"{serving(['no-such-server', 'serve'])}\nrequire('sightline').enable()") as editor:
        editor.command("edit src/store.py | edit src/retry.py")
        editor.said("no-such-server is not executable. Install the server: pip install sightline-ls")
        assert editor.messages().count("no-such-server") == 1
        editor.command("Sightline session")
        assert editor.messages().count("no-such-server") == 2
        assert re.search(r"ERROR no-such-server is not executable", editor.lua(HEALTH))
        assert editor.lua(CLIENTS) == 0


def test_a_server_that_dies_at_once_is_told(start: Start, project: Path) -> None:
    with start(project, serving([sys.executable, "-c", "raise SystemExit('broken')"])) as editor:
        editor.command("Sightline session")
        editor.said("the server ended before it was ready")
        editor.command("SightlineLog")
        assert "broken" in "".join(editor.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, false)"))


def test_a_server_that_does_not_run_is_found_by_the_health_check(start: Start, project: Path) -> None:
    with start(project, serving([sys.executable, "-m", "no_such_module", "serve"])) as editor:
        assert "does not run: " in editor.lua(HEALTH)


def test_the_health_check_asks_the_doctor(editor: Editor, project: Path) -> None:
    report = editor.lua(HEALTH)
    for line in (
        "options are valid",
        f"searches {project}",
        "OK sightline 0.",
        "OK database: ",
        f"running in {project}",
    ):
        assert line in report


def test_bad_options_are_named_and_do_no_harm(start: Start, project: Path) -> None:
    with start(project, serving(limit="'many'", pickle="true")) as editor:
        problems = editor.lua("return require('sightline.config').problems()")
        assert problems == [
            "vim.g.sightline.limit: should be a number",
            "vim.g.sightline.pickle: there is no such option",
        ]
        assert "WARNING vim.g.sightline.limit: should be a number" in editor.lua(HEALTH)
        assert editor.lua("return require('sightline.config').options().limit == nil")
        editor.lua("vim.g.sightline = 'x'")
        assert editor.lua("return require('sightline.config').problems()") == ["vim.g.sightline is no table"]


def test_limit_and_settings_reach_the_server(start: Start, tmp_path: Path) -> None:
    for name in ("src/a.py", "tests/b.py", "tests/c.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("def close_session(): ...\n")
    settings = "{ index = { exclude = { 'src/**' } }, log = { level = 'loud' } }"
    with start(tmp_path, serving(limit="1", settings=settings)) as editor:
        editor.command("Sightline session")
        editor.eventually("return #vim.fn.getqflist() == 1")
        assert editor.lua("return vim.fn.bufname(vim.fn.getqflist()[1].bufnr)").startswith("tests/")
        editor.said("log.level")


@pytest.mark.parametrize(
    ("keys", "title"),
    [
        ("<Plug>(sightline-search-word)", "Sightline: SessionStore"),
        ("vjj$<Plug>(sightline-search-word)", 'Sightline: SessionStore: """Keeps sessions on disk."""'),
        ("Vjj<Plug>(sightline-similar)", "Sightline: like src/store.py:1-3"),
        ("<Plug>(sightline-similar)", "Sightline: like src/store.py:1-2"),
    ],
)
def test_maps_to_choose_keys_for(editor: Editor, keys: str, title: str) -> None:
    motions, plug = keys.split("<Plug>")
    editor.lua("vim.keymap.set({ 'n', 'x' }, '<F5>', plug, { remap = true })", plug=f"<Plug>{plug}")
    editor.command("normal! gg0w")
    editor.keys(f"{motions}<F5>")
    assert editor.eventually(f"{TITLE} ~= '' and {TITLE.removeprefix('return ')}") == title
    assert editor.lua("return vim.fn.mode()") == "n"


def test_the_map_that_opens_the_prompt(editor: Editor) -> None:
    editor.lua("vim.keymap.set('n', '<F5>', '<Plug>(sightline-search)')")
    editor.keys("<F5>")
    editor.eventually("return vim.bo.filetype == 'sightline-prompt'")
    editor.keys("<Esc>")


def test_every_tag_of_the_help_leads_somewhere(editor: Editor, tmp_path: Path) -> None:
    doc = tmp_path / "doc"
    doc.mkdir()
    text = (PLUGIN / "doc/sightline.txt").read_text()
    (doc / "sightline.txt").write_text(text)
    editor.lua("vim.cmd.helptags(folder)", folder=str(doc))
    assert (doc / "tags").read_text() == (PLUGIN / "doc/tags").read_text()
    since_0_11 = {"vim.lsp.config()", "vim.lsp.enable()"} if editor.lua("return vim.lsp.config == nil") else set()
    for topic in sorted(set(re.findall(r"\|([^| \n]+)\|", text)) - since_0_11):
        editor.command(f"help {topic}")


@pytest.mark.parametrize(
    ("line", "character", "encoding", "byte"),
    [
        ("größe", 3, "utf-8", 3),
        ("größe", 3, "utf-16", 4),
        ("😀x", 2, "utf-16", 4),
        ("😀x", 1, "utf-32", 4),
        ("x", 9, "utf-8", 1),
        ("é", 9, "utf-16", 2),
        ("", 0, "utf-16", 0),
    ],
)
def test_characters_become_bytes(editor: Editor, line: str, character: int, encoding: str, byte: int) -> None:
    code = "return require('sightline.entries').byte_index(line, character, encoding)"
    assert editor.lua(code, line=line, character=character, encoding=encoding) == byte
