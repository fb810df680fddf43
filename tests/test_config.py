"""`.sightline/config.json`: where it is found, what is told of a wrong one, how it gets its id, and what it decides."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from contract.generate import project_config
from projecting import config_of, configure, written
from sightline.adapters.configfiles import ConfigFile, find
from sightline.adapters.configuration import MOST_BYTES, Config, parse, with_id
from sightline.errors import ConfigError, ProjectConflict
from sightline.projects import Project
from sightline.settings import SearchSettings, Settings
from sightline.workspaces import Workspaces
from support import Files, index, paths_of

FILE = ".sightline/config.json"
VALIDATOR = Draft202012Validator(project_config())
WHOLE: dict[str, Any] = {
    "version": "1.0",
    "project": {"name": "Größe ✓", "id": "size-1", "database_name": "sightline_size"},
    "description": "What it is.\nAnd more.",
    "index": {"include": ["gen/**"], "exclude": ["*.min.js"], "maxFileBytes": 4096},
    "search": {"limit": 5, "mode": "lexical"},
}


def test_a_whole_file_is_read() -> None:
    config = parse(json.dumps(WHOLE).encode(), FILE)
    assert (config.project.name, config.project.id, config.project.database_name) == (
        "Größe ✓",
        "size-1",
        "sightline_size",
    )
    assert config.options() == {"index": WHOLE["index"] | {"include": ("gen/**",), "exclude": ("*.min.js",)},
                                "search": WHOLE["search"]}  # fmt: skip
    VALIDATOR.validate(WHOLE)


def without(*path: str) -> dict[str, Any]:
    copy = json.loads(json.dumps(WHOLE))
    inner = copy
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return copy  # type: ignore[no-any-return]


def changed(value: Any, *path: str) -> dict[str, Any]:
    copy = json.loads(json.dumps(WHOLE))
    inner = copy
    for name in path[:-1]:
        inner = inner.setdefault(name, {})
    inner[path[-1]] = value
    return copy  # type: ignore[no-any-return]


WRONG: list[tuple[dict[str, Any], str, str]] = [
    (without("version"), "version: it is missing", '"version": "1.0"'),
    (without("project"), "project: it is missing", '"name"'),
    (without("project", "name"), "project.name: it is missing", "visible characters"),
    (changed("2.0", "version"), "version: Input should be '1.0'", '"version": "1.0"'),
    (changed("1", "version"), "version: Input should be '1.0'", '"version": "1.0"'),
    (changed(1.0, "version"), "version: Input should be '1.0'", '"version": "1.0"'),
    (changed("shop", "project"), "project: it is no object", '"name"'),
    (changed([], "project"), "project: it is no object", '"name"'),
    (changed("", "project", "name"), "project.name: that is no project name", "visible"),
    (changed("My Id", "project", "id"), "project.id: that is no project id", "lower-case"),
    (changed("default", "project", "id"), "project.id: default is the project of", "lower-case"),
    (changed(None, "project", "id"), "project.id: Input should be a valid string", "lower-case"),
    (changed("postgres", "project", "database_name"), "project.database_name: that is no name", "sightline_"),
    (changed("x", "project", "nmae"), "project.nmae: there is no such field", "name, id, database_name"),
    (changed("x", "auto_switch"), "auto_switch: there is no such field", "version, project, description, index, search"),
    (changed(True, "strict_mode"), "strict_mode: there is no such field", "version"),
    (changed("a\0b", "description"), "description: control characters", "text"),
    (changed("x" * 1001, "description"), "description: String should have at most 1000", "text"),
    (changed(0, "search", "limit"), "search.limit: Input should be greater", "Correct it"),
    (changed("best", "search", "mode"), "search.mode: Input should be 'hybrid'", "Correct it"),
    (changed(True, "search", "symbolEscape"), "search.symbolEscape: there is no such field", "limit, mode"),
    (changed(2, "index", "workers"), "index.workers: there is no such field", "include, exclude, maxFileBytes"),
    (changed("pause", "index", "onBattery"), "index.onBattery: there is no such field", "include"),
    (changed([1], "index", "exclude"), "index.exclude.0: Input should be a valid string", "Correct it"),
    (changed("postgresql://x", "database", "url"), "database: there is no such field", "version"),
    (changed(1, "\x1b[31mred\n" + "x" * 99), "'\\x1b[31mred\\n", "version"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "told", "hint"), WRONG)
def test_what_is_wrong_is_told_by_file_field_and_remedy(content: dict[str, Any], told: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(json.dumps(content).encode(), FILE)
    assert str(caught.value).startswith(f"{FILE}: {told}")
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)
    if told != "project.id: default is the project of" and "no project name" not in told and "control" not in told:
        assert not VALIDATOR.is_valid(content), "the schema says so too"


NO_JSON: list[tuple[bytes, str]] = [
    (b"", "line 1, column 1: it is not JSON"),
    (b"{", "it is not JSON"),
    (b'{"version": "1.0",}', "it is not JSON"),
    (b"// no\n{}", "line 1, column 1: it is not JSON"),
    (b"\xff\xfe{\0}\0", "it is not UTF-8 (byte 0)"),
    (b'{"version": "1.0", "project": {"name": "caf\xe9"}}', "it is not UTF-8"),
    (b"[" * 60_000, "it is nested too deeply"),
    (b'{"a":' * 10_000, "it is nested too deeply"),
    (b'{"version": "1.0", "version": "1.0", "project": {"name": "x"}}', "version is there twice"),
    (b'{"version": "1.0", "project": {"name": "x", "id": "a", "id": "b"}}', "id is there twice"),
    (b'{"version": NaN}', "NaN is no JSON"),
    (b'{"search": {"limit": ' + b"9" * 5_000 + b"}}", "digits"),
    (b" " * MOST_BYTES + b"{}", "it is larger than 64 KiB"),
    (b"null", "it is no object"), (b"7", "it is no object"), (b'"x"', "it is no object"), (b"[]", "it is no object"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "told"), NO_JSON)
def test_what_is_no_json_is_told_with_its_place(data: bytes, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(data, FILE)
    assert told in str(caught.value)
    assert str(caught.value).startswith(f"{FILE}: ")
    assert caught.value.hint


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_whatever_the_bytes_are_it_is_a_config_or_an_error(data: bytes) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(parse(data, FILE), Config)


LAYOUTS = [
    ('{"version": "1.0", "project": {"name": "x"}}', '{"version": "1.0", "project": {"id": "ID", "name": "x"}}'),
    ('{"version":"1.0","project":{"name":"x"}}', '{"version":"1.0","project":{"id": "ID", "name":"x"}}'),
    ('{\n\t"project": {\n\t\t"name": "x"\n\t},\n\t"version": "1.0"\n}\n',
     '{\n\t"project": {\n\t\t"id": "ID",\n\t\t"name": "x"\n\t},\n\t"version": "1.0"\n}\n'),
    ('{\r\n  "version": "1.0",\r\n  "project": {\r\n    "name": "x" }\r\n}',
     '{\r\n  "version": "1.0",\r\n  "project": {\r\n    "id": "ID",\r\n    "name": "x" }\r\n}'),
    ('{"description": "\\"project\\": {", "version": "1.0", "pro\\u006aect": { "name": "{" } }',
     '{"description": "\\"project\\": {", "version": "1.0", "pro\\u006aect": { "id": "ID", "name": "{" } }'),
    ('{"index": {"include": ["project"]}, "version": "1.0", "project": {"name": "project"}}',
     '{"index": {"include": ["project"]}, "version": "1.0", "project": {"id": "ID", "name": "project"}}'),
    ('\ufeff{"version": "1.0", "project": {"name": "x"}}', '\ufeff{"version": "1.0", "project": {"id": "ID", "name": "x"}}'),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), LAYOUTS)
def test_an_id_is_put_in_and_all_else_stays_as_it_was_written(tmp_path: Path, before: str, after: str) -> None:
    assert with_id(before, "ID") == after
    file = written(tmp_path, before)
    file.chmod(0o640)
    ConfigFile(tmp_path, FILE).write_id("an-id")
    assert file.read_bytes() == after.replace("ID", "an-id").encode()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert os.listdir(file.parent) == ["config.json"]


def test_an_id_is_written_once_and_another_is_left_alone(tmp_path: Path) -> None:
    file = configure(tmp_path, "shop")
    config = ConfigFile(tmp_path, FILE)
    config.write_id("one")
    before = file.stat()
    config.write_id("one")
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    with pytest.raises(ProjectConflict, match="was set to one meanwhile"):
        config.write_id("two")
    assert config_of(tmp_path)["project"]["id"] == "one"


PLACES: list[tuple[str, list[str], str, str | None]] = [
    ("the folder's own", ["repo/.git/HEAD", f"repo/{FILE}"], "repo", "repo"),
    ("the repository's root", ["repo/.git/HEAD", f"repo/{FILE}", "repo/a/b/c.py"], "repo/a/b", "repo"),
    ("the nearest", ["repo/.git/HEAD", f"repo/{FILE}", f"repo/a/{FILE}", "repo/a/b/c.py"], "repo/a/b", "repo/a"),
    ("not past the root", [f"{FILE}", "repo/.git/HEAD", "repo/a/b.py"], "repo/a", None),
    ("a worktree's root is a file", [f"{FILE}", "repo/.git", "repo/a/b.py"], "repo/a", None),
    ("not of a submodule's outer repository", [".git/HEAD", FILE, "sub/.git", "sub/a/b.py"], "sub/a", None),
    ("outside of a repository only its own", [f"x/{FILE}", "x/a/b.py"], "x/a", None),
    ("outside of a repository its own", [f"x/{FILE}"], "x", "x"),
    ("a folder of that name is no absence", [".sightline/config.json/x"], "", ""),
    ("a file called .sightline is none", [".sightline"], "", None),
]


@pytest.mark.parametrize(
    ("files", "folder", "expected"), [case[1:] for case in PLACES], ids=[case[0] for case in PLACES]
)
def test_where_a_config_file_is_found(tmp_path: Path, files: list[str], folder: str, expected: str | None) -> None:
    Files(tmp_path).write(dict.fromkeys(files, "x"))
    found = find(tmp_path / folder)
    assert (found and found.root) == (None if expected is None else tmp_path / expected)
    if found is not None:
        assert os.path.normpath(tmp_path / folder / found.name) == str(tmp_path / (expected or "") / FILE)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_an_error_and_no_absence(tmp_path: Path, make: Any) -> None:
    (tmp_path / ".sightline").mkdir()
    make(tmp_path / FILE)
    found = find(tmp_path)
    assert found is not None
    with pytest.raises(ConfigError, match="it is a"):
        found.read()


async def test_a_folder_that_nobody_may_write_has_its_project_all_the_same(
    sightline: Workspaces, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Protected(ConfigFile):
        """A file on a disk that is mounted for reading: root may write wherever it can."""

        def write_id(self, project_id: str) -> None:
            raise OSError(30, "Read-only file system")

    file = configure(tmp_path, f"shop-{tmp_path.name}")
    before = file.read_bytes()
    projects = sightline.projects
    first = await projects._configured(Protected(tmp_path, FILE), [], make=True)
    assert first.trace == (f"config: {FILE}, into which the id could not be written (Read-only file system)",)
    assert file.read_bytes() == before
    assert (await projects._configured(Protected(tmp_path, FILE), [], make=True)).id == first.id
    assert (await sightline.open(tmp_path)).project.id == first.id == config_of(tmp_path)["project"]["id"]


async def opened(sightline: Workspaces, folder: Path) -> tuple[Project, list[str]]:
    workspace = await sightline.open(folder)
    await index(workspace)
    return workspace.project, await paths_of(workspace, "remember session lang:py", limit=50)


async def test_a_folder_below_searches_its_part_of_the_same_index(sightline: Workspaces, folder: Files) -> None:
    code = "def remember_session(): pass\n"
    folder.write({".git/HEAD": "", "a/one.py": code, "a/b/two.py": code, "ab/three.py": code, "four.py": code})
    configure(folder.root, folder.root.parent.name)
    whole, paths = await opened(sightline, folder.root)
    assert sorted(paths) == ["a/b/two.py", "a/one.py", "ab/three.py", "four.py"]
    part, paths = await opened(sightline, folder.root / "a")
    assert (part.id, part.root, sorted(paths)) == (whole.id, folder.root, ["a/b/two.py", "a/one.py"])
    assert part.trace[-1] == f"config: ../{FILE}"
    named = await sightline.open(folder.root / "a", whole.id)
    assert (named.project.root, named.project.resolved_by) == (folder.root, "explicit")
    roots = [each.roots for each in await sightline.projects.list() if each.id == whole.id]
    assert roots == [(str(folder.root),)]


async def test_what_the_file_says_of_index_and_search_applies(
    sightline: Workspaces, data_dir: Path, folder: Files
) -> None:
    code = "def remember_session(): pass\n"
    folder.write({"kept.py": code, "gen/made.py": code, "big.py": code + "# x\n" * 400})
    options = {"index": {"exclude": ["gen"], "maxFileBytes": 1024}, "search": {"limit": 3, "mode": "lexical"}}
    configure(folder.root, folder.root.parent.name, **options)
    _, paths = await opened(sightline, folder.root)
    assert paths == ["kept.py"]
    assert (await sightline.open(folder.root)).settings == SearchSettings(limit=3, mode="lexical")
    configure(folder.root, folder.root.parent.name)
    _, paths = await opened(sightline, folder.root)
    assert sorted(paths) == ["big.py", "gen/made.py", "kept.py"]
    assert (await sightline.open(folder.root)).settings == Settings().search
