"""Which files differ from a branch, as git tells; no hook, diff tool or file monitor of the repository is run."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sightline.errors import QueryError

DEADLINE_SECONDS: Final = 5.0
FRESH_SECONDS: Final = 1.0
"""So old may an answer be: somebody who types asks at every key."""
MOST_KEPT: Final = 64
_DEFAULTS: Final = ("refs/remotes/origin/HEAD", "refs/heads/main", "refs/heads/master")
_OPTIONS: Final = (
    "--no-optional-locks", "--no-pager", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}",
)  # fmt: skip
_DIFF: Final = (
    "diff", "--name-only", "-z", "--relative", "--no-renames", "--no-ext-diff", "--no-textconv",
    "--ignore-submodules=all",
)  # fmt: skip
_OTHER_REPOSITORY: Final = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
)  # fmt: skip
"""Set where a hook of git has started us; they would lead away from the folder."""
_NO_REPOSITORY: Final = 128


class Revisions:
    """Asks git, at most once a second for the same."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, str], tuple[float, frozenset[str]]] = {}

    async def changed(self, root: Path, base: str = "") -> frozenset[str]:
        """The files below `root` that differ from where HEAD left `base` (the default branch), untracked ones too.

        Paths are relative to `root`. Raises QueryError where git cannot tell.
        """
        known = self._known.get((root, base))
        if known is not None and time.monotonic() - known[0] < FRESH_SECONDS:
            return known[1]
        found = await asyncio.to_thread(_changed, root, base)
        if len(self._known) >= MOST_KEPT:
            self._known.clear()
        self._known[root, base] = (time.monotonic(), found)
        return found


def _changed(root: Path, base: str) -> frozenset[str]:
    git = _Git(root, time.monotonic() + DEADLINE_SECONDS)
    untracked = git.paths("ls-files", "-z", "--others", "--exclude-standard")
    if not git.succeeds("rev-parse", "--verify", "--quiet", "HEAD^{commit}"):
        return untracked | git.paths("ls-files", "-z", "--cached")  # nothing is committed yet
    there = git.commit(base) if base else _default(git)
    left = git.line("merge-base", "HEAD", there) or there
    return untracked | git.paths(*_DIFF, left, "--")


def _default(git: _Git) -> str:
    """The commit of the default branch."""
    refs = git.run("for-each-ref", "--format=%(refname) %(objectname)", *_DEFAULTS).stdout.decode("utf-8", "replace")
    known = dict(line.split(" ", 1) for line in refs.splitlines())
    for name in _DEFAULTS:
        if name in known:
            return known[name]
    named = git.line("config", "--get", "init.defaultBranch")
    there = git.line("rev-parse", "--verify", "--quiet", f"refs/heads/{named}^{{commit}}") if named else ""
    if not there:
        raise QueryError("changed: finds no default branch", hint="Name the branch to compare with: changed:BRANCH.")
    return there


class _Git:
    """git in one folder, with one deadline for all that it is asked."""

    def __init__(self, root: Path, deadline: float) -> None:
        self._root = root
        self._deadline = deadline
        kept = {name: value for name, value in os.environ.items() if name not in _OTHER_REPOSITORY}
        # What a partial clone lacks is not fetched: a search asks no network.
        self._environment = {**kept, "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Whatever comes of a command; QueryError where there is no git, no repository or no time."""
        try:
            done = subprocess.run(
                ("git", *_OPTIONS, *arguments), cwd=self._root, env=self._environment, stdin=subprocess.DEVNULL,
                capture_output=True, check=False, timeout=max(0.01, self._deadline - time.monotonic()),
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise QueryError("changed: git takes too long", hint="Search without changed:, or ask again.") from error
        except OSError as error:
            raise QueryError("changed: git cannot be run", hint="Install git, or search without changed:.") from error
        if done.returncode == _NO_REPOSITORY and b"not a git repository" in done.stderr:
            raise QueryError("changed: needs a git repository", hint="This folder is in none.")
        return done

    def succeeds(self, *arguments: str) -> bool:
        return self.run(*arguments).returncode == 0

    def line(self, *arguments: str) -> str:
        """The first line of what a command says, "" where it fails."""
        done = self.run(*arguments)
        return done.stdout.decode("utf-8", "replace").split("\n", 1)[0].strip() if done.returncode == 0 else ""

    def commit(self, name: str) -> str:
        """The commit of a branch, tag or revision."""
        found = self.line("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        if not found:
            raise QueryError(f'changed: git knows no "{name}"', hint="Name a branch, a tag or a commit.")
        return found

    def paths(self, *arguments: str) -> frozenset[str]:
        """What a command lists, without names that are not UTF-8, which are not indexed either."""
        done = self.run(*arguments)
        if done.returncode != 0:
            raise QueryError("changed: git cannot read this repository", hint="Run git status there to see why.")
        return _decoded(done.stdout.split(b"\0"))


def _decoded(names: Sequence[bytes]) -> frozenset[str]:
    decoded = (name.decode("utf-8", "replace") for name in names if name)
    return frozenset(name for name in decoded if "\ufffd" not in name)
