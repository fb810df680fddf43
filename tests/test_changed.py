"""`changed:`: the files that differ from a branch, as git tells, with those that nobody has saved yet."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from sightline.adapters import revisions
from sightline.adapters.revisions import Revisions
from sightline.core.query import parse
from sightline.errors import QueryError
from sightline.searching import Options, Search
from sightline.workspaces import Workspace, Workspaces
from support import Files, answered, index, paths_of, run

TEXT = "def session_{0}():\n    return {0}\n"
IDENTITY = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")


def git(root: Path, *arguments: str) -> None:
    """git without what this machine's user has configured."""
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(("git", *IDENTITY, *arguments), cwd=root, env=environment, check=True, capture_output=True)


def write(files: Files, *names: str) -> None:
    files.write({name: TEXT.format(place) for place, name in enumerate(names)})


def begin(files: Files, branch: str = "main") -> None:
    """A repository of four files, and a branch on which some differ in every way that there is."""
    git(files.root, "init", "-q", "-b", branch)
    write(files, "same.py", "src/edited.py", "src/staged.py", "committed.py")
    commit(files)


def commit(files: Files) -> None:
    git(files.root, "add", "-A")
    git(files.root, "commit", "-q", "-m", "x")


def differ(files: Files) -> None:
    git(files.root, "checkout", "-q", "-b", "feature")
    files.write(
        {"committed.py": "def session_of_a_commit(): pass\n", "gone.py": "x = 1\n", ".gitignore": "ignored.py\n"}
    )
    commit(files)
    files.write({"src/staged.py": "def session_that_is_staged(): pass\n", "ignored.py": "session = 1\n"})
    git(files.root, "add", "src/staged.py")
    files.write({"src/edited.py": "def session_that_is_edited(): pass\n", "src/ünt racked.py": "session = 2\n"})
    files.remove("gone.py")


CHANGED = {"committed.py", "src/staged.py", "src/edited.py", "src/ünt racked.py", ".gitignore"}


async def test_git_tells_what_differs_in_any_way(folder: Files) -> None:
    begin(folder)
    differ(folder)
    known = Revisions()
    assert await known.changed(folder.root) == CHANGED
    assert await known.changed(folder.root / "src") == {"staged.py", "edited.py", "ünt racked.py"}
    assert await known.changed(folder.root, "HEAD") == (CHANGED | {"gone.py"}) - {"committed.py", ".gitignore"}
    assert await known.changed(folder.root, "feature~1") == CHANGED


async def test_what_happened_on_the_default_branch_since_is_no_change_of_ours(folder: Files) -> None:
    begin(folder)
    differ(folder)
    commit(folder)
    git(folder.root, "checkout", "-q", "main")
    folder.write({"same.py": "def session_of_somebody_else(): pass\n"})
    commit(folder)
    git(folder.root, "checkout", "-q", "feature")
    assert await Revisions().changed(folder.root) == CHANGED
    assert await Revisions().changed(folder.root, "main") == CHANGED


def remote(files: Files) -> None:
    git(files.root, "update-ref", "refs/remotes/origin/trunk", "HEAD")
    git(files.root, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
    git(files.root, "checkout", "-q", "-b", "main")
    write(files, "same.py", "second.py")
    commit(files)


def configured(files: Files) -> None:
    git(files.root, "config", "init.defaultBranch", "trunk")


@pytest.mark.parametrize(
    ("branch", "prepare", "expected"),
    [
        ("trunk", remote, {"second.py", "new.py"}),  # origin's, although there is a main
        ("main", lambda files: None, {"new.py"}),
        ("master", lambda files: None, {"new.py"}),
        ("trunk", configured, {"new.py"}),
    ],
)
async def test_the_default_branch_is_found(
    folder: Files, branch: str, prepare: Callable[[Files], None], expected: set[str]
) -> None:
    begin(folder, branch)
    prepare(folder)
    folder.write({"new.py": "x = 1\n"})
    assert await Revisions().changed(folder.root) == expected


async def test_before_the_first_commit_everything_is_new(folder: Files) -> None:
    git(folder.root, "init", "-q")
    write(folder, "a.py", "b.py")
    git(folder.root, "add", "a.py")
    assert await Revisions().changed(folder.root) == {"a.py", "b.py"}


async def test_unrelated_histories_are_compared_as_they_are(folder: Files) -> None:
    begin(folder)
    git(folder.root, "checkout", "-q", "--orphan", "other")
    folder.write({"same.py": "x = 2\n"})
    commit(folder)
    assert await Revisions().changed(folder.root, "main") == {"same.py"}


async def test_git_is_asked_once_a_second(folder: Files) -> None:
    begin(folder)
    known, began = Revisions(), time.monotonic()
    assert await known.changed(folder.root) == frozenset()
    folder.write({"new.py": "x = 1\n"})
    again = await known.changed(folder.root)
    assert again == frozenset() or time.monotonic() - began > revisions.FRESH_SECONDS
    await asyncio.sleep(revisions.FRESH_SECONDS + 0.1)
    assert await known.changed(folder.root) == {"new.py"}


async def test_nothing_that_a_repository_configures_is_run(folder: Files, tmp_path: Path) -> None:
    begin(folder)
    trap, sprung = tmp_path / "trap", tmp_path / "sprung"
    trap.write_text(f"#!/bin/sh\ntouch '{sprung}'\n")
    trap.chmod(0o755)
    hooks = folder.root / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("post-index-change", "fsmonitor-watchman", "reference-transaction"):
        (hooks / hook).symlink_to(trap)
    for key in ("core.fsmonitor", "diff.external", "core.pager", "diff.odd.command", "diff.odd.textconv"):
        git(folder.root, "config", key, str(trap))
    folder.write({".gitattributes": "*.py diff=odd\n", "same.py": "x = 3\n"})
    assert await Revisions().changed(folder.root) == {".gitattributes", "same.py"}
    assert not sprung.exists()


async def test_a_lock_of_another_git_is_no_matter(folder: Files) -> None:
    begin(folder)
    folder.write({".git/index.lock": "", "same.py": "x = 3\n"})
    assert await Revisions().changed(folder.root) == {"same.py"}


# What cannot be told


@pytest.mark.parametrize(
    ("prepare", "base", "message"),
    [
        (lambda files: None, "", "needs a git repository"),
        (lambda files: begin(files, "odd"), "", "finds no default branch"),
        (begin, "nonsense", 'git knows no "nonsense"'),
        (begin, "--output=x", "git knows no"),
        (begin, "main:same.py", "git knows no"),
    ],
)
async def test_what_git_cannot_tell_is_an_error(
    folder: Files, prepare: Callable[[Files], None], base: str, message: str
) -> None:
    prepare(folder)
    with pytest.raises(QueryError, match=message) as caught:
        await Revisions().changed(folder.root, base)
    assert caught.value.hint


def program(tmp_path: Path, text: str) -> str:
    """A search path on which git is this."""
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    (folder / "git").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "git").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


async def test_a_git_that_hangs_is_given_up(folder: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", program(tmp_path, "exec sleep 1000"))
    started = time.monotonic()
    with pytest.raises(QueryError, match="takes too long"):
        await Revisions().changed(folder.root)
    assert time.monotonic() - started < revisions.DEADLINE_SECONDS + 60


async def test_without_git_or_with_one_that_fails_there_is_an_error(
    folder: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", program(tmp_path, "echo fatal: odd >&2; exit 128"))
    with pytest.raises(QueryError, match="cannot read this repository"):
        await Revisions().changed(folder.root)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(QueryError, match="git cannot be run"):
        await Revisions().changed(folder.root)


async def test_who_was_started_by_a_hook_of_another_repository_looks_at_the_right_one(
    folder: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(folder)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", "odd")
    assert await Revisions().changed(folder.root) == frozenset()


# In the query box


@pytest.fixture
async def repository(workspace: Workspace, folder: Files) -> AsyncIterator[Workspace]:
    begin(folder)
    differ(folder)
    await index(workspace)
    yield workspace
    await workspace.buffers.close()


INDEXED = {"committed.py", "src/staged.py", "src/edited.py", "src/ünt racked.py"}
QUERIES: dict[str, set[str]] = {
    "changed: session": INDEXED,
    "changed:yes session": INDEXED,
    "changed:": INDEXED | {".gitignore"},
    "-changed: session": {"same.py"},
    "-changed:": {"same.py"},
    "changed:HEAD session": INDEXED - {"committed.py"},
    "changed: -changed:HEAD": {"committed.py", ".gitignore"},
    "changed:HEAD,main session": INDEXED,
    "changed: path:src": INDEXED - {"committed.py"},
    "changed: kind:function": INDEXED - {"src/ünt racked.py"},
    'changed: "is_edited"': {"src/edited.py"},
    "changed: lang:go": set(),
}


@pytest.mark.parametrize("query", QUERIES)
async def test_the_query_box_narrows_to_what_has_changed(repository: Workspace, query: str) -> None:
    assert set(await paths_of(repository, query, limit=50, mode="lexical")) == QUERIES[query]
    by_meaning = set(await paths_of(repository, query, limit=50, mode="semantic"))
    assert by_meaning - {".gitignore"} == QUERIES[query] - {".gitignore"}


async def test_an_unsaved_text_counts_as_a_change(repository: Workspace, folder: Files) -> None:
    repository.buffers.show({"same.py": "def session_unsaved(): pass\n", "new.py": "def session_new(): pass\n"})
    while repository.buffers.busy:
        await asyncio.sleep(0.01)
    texts = {"same.py": b"def session_unsaved(): pass\n", "new.py": b"def session_new(): pass\n"}

    def read(root: Path, path: str, *, wait: bool) -> bytes | None:
        return texts.get(path) or (root / path).read_bytes()

    engine = Search([repository.source], repository._search._embedder, read)

    async def found(query: str) -> set[str]:
        return {hit.path for hit in (await engine.search(parse(query), Options(limit=50, mode="lexical"))).hits}

    assert await found("changed: session") == INDEXED | {"same.py", "new.py"}
    assert await found("changed:HEAD session") == (INDEXED | {"same.py", "new.py"}) - {"committed.py"}
    assert await found("-changed:") == set()


@pytest.mark.parametrize("text", ["\ufeffdef session_marked(): pass\n", "latin-1"])
async def test_a_file_that_only_its_encoding_parts_from_its_text_is_no_change(
    workspace: Workspace, folder: Files, text: str
) -> None:
    on_disk = "# é session\n".encode("latin-1") if text == "latin-1" else text.encode()
    shown = "# é session\n" if text == "latin-1" else text.removeprefix("\ufeff")
    git(folder.root, "init", "-q", "-b", "main")
    folder.write({"odd.py": on_disk})
    commit(folder)
    await index(workspace)
    workspace.buffers.show({"odd.py": shown})
    while workspace.buffers.busy:
        await asyncio.sleep(0.01)
    engine = Search([workspace.source], workspace._search._embedder, lambda root, path, *, wait: shown.encode())
    answer = await engine.search(parse("session"), Options())
    assert [hit.text for hit in answer.hits] == [shown.rstrip()]  # as the editor has it
    assert (await engine.search(parse("changed: session"), Options())).hits == ()
    await workspace.buffers.close()


async def test_of_several_folders_those_without_a_repository_have_no_changes(
    sightline: Workspaces, tmp_path: Path
) -> None:
    workspaces = []
    for name in ("one", "two"):
        Files(tmp_path / name).write({"a.py": "session = 1\n", "b.py": "session = 2\n"})
        workspaces.append(await sightline.open(tmp_path / name))
        await index(workspaces[-1])
    both = Search([each.source for each in workspaces], sightline.embedder, workspaces[0]._search._read)
    with pytest.raises(QueryError, match="needs a git repository"):
        await both.search(parse("changed: session"), Options())
    git(tmp_path / "one", "init", "-q", "-b", "main")
    answer = await both.search(parse("changed: session"), Options())
    assert {(hit.root.name, hit.path) for hit in answer.hits} == {("one", "a.py"), ("one", "b.py")}
    await asyncio.sleep(revisions.FRESH_SECONDS)
    commit(Files(tmp_path / "one"))
    Files(tmp_path / "one").write({"a.py": "session = 3\n"})
    answer = await both.search(parse("-changed: session"), Options())
    assert {(hit.root.name, hit.path) for hit in answer.hits} == {("one", "b.py"), ("two", "a.py"), ("two", "b.py")}


def test_the_command_line_knows_it_too(data_dir: Path, folder: Files) -> None:
    begin(folder)
    differ(folder)
    found = run(data_dir, "search", "changed: session", folder.root, "--json", "--mode", "lexical")
    assert (found.returncode, set(answered(found.stdout))) == (0, INDEXED)
    refused = run(data_dir, "search", "changed:nonsense session", folder.root)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert 'git knows no "nonsense"' in refused.stderr
