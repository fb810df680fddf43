"""What the ignore files, settings and defaults leave out, held against git itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.adapters import files
from sightline.adapters.ignoring import Ignore, Rules, Verdict
from sightline.errors import FolderError


@pytest.fixture(autouse=True, scope="module")
def home() -> Iterator[Path]:
    """A home without settings, so that no machine's own git settings speak."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as environment:
        environment.setenv("HOME", folder)
        environment.setenv("GIT_CONFIG_NOSYSTEM", "1")
        environment.delenv("XDG_CONFIG_HOME", raising=False)
        yield Path(folder)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repository")
    git(root, "init", "-q")
    return root


def git(root: Path, *arguments: str) -> bytes:
    command = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@localhost", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


def write(root: Path, tree: Mapping[str, str]) -> None:
    for path, text in tree.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def found(root: Path, rules: Rules = Rules()) -> set[str]:  # noqa: B008
    return {one.path for one in files.scan(root, rules).found}


def untracked(root: Path) -> set[str]:
    """What git would add: the paths that no ignore file leaves out."""
    listed = git(root, "ls-files", "-o", "--exclude-standard", "-z")
    return {path.decode() for path in listed.split(b"\0") if path}


def every_file(root: Path) -> list[str]:
    return [
        path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() and ".git/" not in str(path)
    ]


NAMES = ["a", "b", "ab", "a.c", "b.c", "foo", "Foo", "[x]", "a b", "b ", "é", "#x", "!y", "\\", "a]", "-"]
PIECES = [
    "*", "**", "?", "/", "a", "b", "ab", ".c", "foo", "**/", "/**", "[ab]", "[!a]", "[^b]", "[a-c]", "[]a]", "[", "]",
    "[[:alpha:]]", "[[:no:]]", "[\\]x]", "[a-]", "[c-a]", "\\", "\\*", " ", "!", "#", "\t", "\r", "é",
]  # fmt: skip
patterns = st.builds(
    lambda mark, pieces: mark + "".join(pieces),
    st.sampled_from(["", "", "!"]),
    st.lists(st.sampled_from(PIECES), max_size=5),
)
ignore_files = st.lists(patterns, min_size=1, max_size=4).map("\n".join)
trees = st.recursive(
    st.none(),
    lambda inner: st.fixed_dictionaries({}, optional={".gitignore": ignore_files, **dict.fromkeys(NAMES, inner)}),
    max_leaves=25,
).filter(lambda tree: isinstance(tree, dict))


def plant(folder: Path, tree: dict[str, object]) -> None:
    for name, inner in tree.items():
        if isinstance(inner, dict):
            (folder / name).mkdir()
            plant(folder / name, inner)
        else:
            (folder / name).write_text(inner if isinstance(inner, str) else "")


def clear(root: Path) -> None:
    for path in root.iterdir():
        if path.is_dir() and path.name != ".git":
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()


@settings(max_examples=150, deadline=None)
@given(tree=trees, exclude=ignore_files, everywhere=ignore_files, fold=st.booleans())
def test_a_scan_finds_what_git_would_add(
    repository: Path, home: Path, tree: dict[str, object], exclude: str, everywhere: str, fold: bool
) -> None:
    clear(repository)
    plant(repository, tree)
    (repository / ".git/info/exclude").write_text(exclude)
    write(home, {".config/git/ignore": everywhere})
    (repository / ".git/config").write_text(f"[core]\n repositoryFormatVersion = 0\n ignoreCase = {fold}\n")
    scanned = found(repository)
    assert scanned == untracked(repository)
    ignore = Ignore(repository, Rules())
    assert {path for path in every_file(repository) if ignore.check(path) == Verdict()} == scanned


@pytest.fixture
def root(tmp_path: Path, home: Path) -> Path:
    """A repository of its own, under a home without settings."""
    for leftover in home.iterdir():
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    git(tmp_path, "init", "-q", "top")
    return tmp_path / "top"


@pytest.mark.parametrize(
    ("tree", "rules", "kept"),
    [
        pytest.param({".gitignore": "*.log", "a.log": "", "b": ""}, Rules(), {"b", ".gitignore"}, id="gitignore"),
        pytest.param(
            {".gitignore": "*.log\nout/", ".sightlineignore": "!a.log\n*.md", "a.log": "", "b.log": "", "c.md": ""},
            Rules(),
            {".gitignore", ".sightlineignore", "a.log"},
            id="ours after git's",
        ),
        pytest.param(
            {".sightlineignore": "!yarn.lock\n!dist/", "yarn.lock": "", "package.json": "", "dist/a.js": ""},
            Rules(),
            {".sightlineignore", "yarn.lock", "package.json", "dist/a.js"},
            id="ours lifts a default",
        ),
        pytest.param(
            {".sightlineignore": "*.md", "a/.sightlineignore": "!x.md", "a/x.md": "", "a/y.md": "", "x.md": ""},
            Rules(),
            {".sightlineignore", "a/.sightlineignore", "a/x.md"},
            id="the deeper before the higher",
        ),
        pytest.param(
            {".gitignore": "!yarn.lock", "yarn.lock": ""}, Rules(), {".gitignore"}, id="git's lifts no default"
        ),
        pytest.param(
            {"a.py": "", "gen/b.py": "", "c.txt": ""}, Rules(exclude=("gen/", "*.txt")), {"a.py"}, id="index.exclude"
        ),
        pytest.param(
            {".gitignore": "gen/\n*.lock", "gen/a.py": "", "gen/sub/b.lock": "", "yarn.lock": "", "x.lock": ""},
            Rules(include=("gen/", "yarn.lock")),
            {".gitignore", "gen/a.py", "gen/sub/b.lock", "yarn.lock"},
            id="index.include lifts a folder with all in it",
        ),
        pytest.param(
            {"node_modules/a/x.js": "", "node_modules/b/y.js": "", "node_modules/z.js": ""},
            Rules(include=("node_modules/a/**",)),
            {"node_modules/a/x.js"},
            id="index.include leads into a folder that is left out",
        ),
        pytest.param(
            {"node_modules/a/src/x.js": "", "node_modules/b/lib/y.js": "", "node_modules/b/src/z.ts": ""},
            Rules(include=("node_modules/**/src/*.js", "!no", "# no")),
            {"node_modules/a/src/x.js"},
            id="by stars as well",
        ),
        pytest.param(
            {"node_modules/a/x.js": "", "x.min.js": ""},
            Rules(include=("**/*.js",)),
            {"x.min.js"},
            id="but not by stars at the front",
        ),
        pytest.param(
            {"vendor/a.py": "", "vendor/big/b.py": ""},
            Rules(include=("vendor/",), exclude=("vendor/big/",)),
            {"vendor/a.py"},
            id="index.exclude cuts from what index.include lifts",
        ),
        pytest.param(
            {".env": "", "a/.ssh/config": "", "a/.ssh/id_rsa": "", "k.pem": "", ".env.example": ""},
            Rules(include=("**", ".env", "a/.ssh/**", "*.pem")),
            {".env.example"},
            id="nothing lifts a secret",
        ),
        pytest.param(
            {"Cargo.toml": "", "target/a.rs": "", "src/target/b.rs": "", "env/pyvenv.cfg": "", "env/lib/c.py": ""},
            Rules(),
            {"Cargo.toml", "src/target/b.rs"},
            id="output by evidence",
        ),
        pytest.param({".git/hooks/x.py": "", "a": ""}, Rules(include=(".git/**",)), {"a"}, id="never .git"),
        pytest.param({"sub/.gitignore/x": "", "sub/a": ""}, Rules(), {"sub/.gitignore/x", "sub/a"}, id="no file"),
    ],
)
def test_the_rules_in_their_order(root: Path, tree: dict[str, str], rules: Rules, kept: set[str]) -> None:
    write(root, tree)
    assert found(root, rules) == kept
    ignore = Ignore(root, rules)
    assert {path for path in tree if not ignore.check(path).reason} == kept


def test_parents_rule_up_to_the_top_of_the_repository_and_no_further(root: Path) -> None:
    write(root.parent, {".gitignore": "*.py", ".sightlineignore": "*.py"})
    write(root, {".gitignore": "*.log\n/a/b/gen\n/gen", ".sightlineignore": "*.md", "a/.gitignore": "/b/*.tmp\n!x.log"})
    write(root / "a/b", {"x.log": "", "y.log": "", "gen/z": "", "c.tmp": "", "d.md": "", "e.py": "", "f/gen": ""})
    assert found(root / "a/b") == {"x.log", "e.py", "f/gen"}
    assert files.explain(root / "a/b", "y.log", Rules()) == "An ignore file leaves it out: ../../.gitignore:1: *.log."
    assert files.explain(root / "a/b", "c.tmp", Rules()) == "An ignore file leaves it out: ../.gitignore:1: /b/*.tmp."


def test_a_repository_inside_another_has_rules_of_its_own(root: Path) -> None:
    write(root, {".gitignore": "*.log\n/skipped", ".sightlineignore": "*.md"})
    for name in ("inner", "skipped"):
        git(root, "init", "-q", name)
        write(root / name, {"a.log": "", "b.md": "", "c.tmp": "", "d": "", ".git/info/exclude": "/*.tmp"})
    write(root, {"sub/.git/README": "no repository", "sub/a.log": ""})
    assert found(root) == {".gitignore", ".sightlineignore", "inner/a.log", "inner/d"}
    verdict = Ignore(root, Rules()).check("inner/c.tmp")
    assert verdict == Verdict("ignored", "inner/.git/info/exclude:1: /*.tmp")


def test_a_worktree_obeys_the_excludes_of_its_repository(root: Path) -> None:
    git(root, "commit", "-q", "--allow-empty", "-m", "start")
    git(root, "worktree", "add", "-q", "../tree")
    write(root, {".git/info/exclude": "*.tmp"})
    tree = root.parent / "tree"
    write(tree, {"a.tmp": "", "b": ""})
    assert found(tree) == untracked(tree) == {"b"}


@pytest.mark.parametrize(
    "config",
    [
        "[core]\n\texcludesFile = ~/mine\n",
        '[Core]\n  excludesfile = "~/mi\\\\\\"ne" # no\n  excludesfile = ~/"mi"ne ; yes\n',
        '[core "sub"]\n excludesFile = ~/other\n[core] excludesfile = ~/\\\nmine\n[alias]\n x = y',
        "[include]\n path = ~/more\n path = nowhere\n",
        "[include]\n path = .gitconfig\n[core]\n excludesfile = ~/mine",
    ],
)
def test_the_users_own_excludes_count(root: Path, home: Path, config: str) -> None:
    write(home, {".gitconfig": config, "more": "[core]\nexcludesfile = ~/mine", "mine": "/top.tmp", "other": "*"})
    write(root, {"top.tmp": "", "sub/top.tmp": "", "b": ""})
    assert found(root) == {"sub/top.tmp", "b"}


def test_the_repositorys_setting_wins_and_an_empty_one_means_none(root: Path, home: Path) -> None:
    write(home, {".gitconfig": "[core]\nexcludesFile = ~/mine", "mine": "a", "xdg/git/ignore": "b"})
    write(root, {"a": "", "b": ""})
    assert found(root) == {"b"}
    git(root, "config", "core.excludesFile", "")
    assert found(root) == untracked(root) == {"a", "b"}


def test_the_folder_for_settings_may_lie_elsewhere(root: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, {"xdg/git/ignore": "b", ".config/git/ignore": "a"})
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    write(root, {"a": "", "b": ""})
    assert found(root) == untracked(root) == {"a"}


def test_ignore_files_count_without_a_repository_too(root: Path) -> None:
    shutil.rmtree(root / ".git")
    write(root.parent, {".gitignore": "*"})
    write(root, {".gitignore": "*.log", "a.log": "", "b": "", "sub/.gitignore": "/c", "sub/c": ""})
    assert found(root) == {".gitignore", "b", "sub/.gitignore"}


def test_a_link_or_pipe_called_gitignore_is_no_ignore_file(root: Path) -> None:
    write(root, {"a/x": "", "b/x": "", "rules": "x"})
    (root / "a/.gitignore").symlink_to(root / "rules")
    os.mkfifo(root / "b/.gitignore")
    assert found(root) == {"a/x", "b/x", "rules"}


def test_one_path_can_be_asked_for_whether_it_exists_or_not(root: Path) -> None:
    write(root, {".gitignore": "gone/\n*.log", "sub/a": "", "node_modules/x": ""})
    (root / "way").symlink_to(root / "sub")
    ignore = Ignore(root, Rules())
    asked = ["sub/a", "sub/no/b", "gone/x/y", "x.log", "way/a", "node_modules", "sub", "sub/.env", "node_modules/x"]
    assert [ignore.check(path).reason for path in asked] == [
        None, None, "ignored", "ignored", "link", "excluded", None, "secret", "excluded",
    ]  # fmt: skip
    assert ignore.check(os.fsdecode(b"sub/\xff/a")).reason == "notUtf8Name"


@pytest.mark.parametrize("path", ["", ".", "/etc/passwd", "..", "a/../../b", "a/..", "a\0b", "\ud800"])
def test_a_path_that_leaves_the_folder_is_refused(root: Path, path: str) -> None:
    with pytest.raises(FolderError, match="is no path inside the folder"):
        Ignore(root, Rules()).check(path)
    with pytest.raises(FolderError):
        files.read(root, path, Rules())
    with pytest.raises(FolderError):
        files.explain(root, path, Rules())


def test_no_handle_stays_open(root: Path) -> None:
    write(root, {"a/b": "", ".gitignore": "x", "a/.gitignore": "y"})
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        files.scan(root, Rules())
        files.explain(root, "a/b", Rules())
    assert len(os.listdir("/proc/self/fd")) == before
