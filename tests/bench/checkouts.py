"""Whether an index follows a real repository through its branches, and embeds no text twice on the way.

    checkouts.py [--git REPOSITORY | --packages NAME ...] [--branches N] [--switches N] [--cache DIR] [--data-dir DIR]

Makes a repository with many branches: commits of REPOSITORY's own history, or else packages that pip downloads once
to a cache, each commit with another version of one of them. Then switches at random, with a watcher that is told nothing
else. After each switch the index has to become equal to a fresh one of the same tree, and as many texts may have been
embedded as there are texts that were never in the index before. Prints JSON; exits with 1 on a difference.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from freshness import kept

sys.path.insert(0, str(Path(__file__).parents[1]))
from sightline.adapters import watching
from sightline.settings import Settings
from sightline.workspaces import Workspace, Workspaces
from support import content_of

PACKAGES = ("httpx", "typer", "rich", "platformdirs", "filelock", "stamina")
PATIENCE = 120.0
LOOK_SECONDS = 0.2
Content = dict[str, str]
"""A digest for each path: of the file's row, chunks, words and signs."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--git", type=Path, help="a repository whose history is taken; nothing is downloaded then")
    parser.add_argument("--packages", nargs="+", default=PACKAGES)
    parser.add_argument("--versions", type=int, default=8, help="of each package")
    parser.add_argument("--branches", type=int, default=200)
    parser.add_argument("--switches", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "sightline-checkouts")
    parser.add_argument("--data-dir", type=Path, help="parent of our temporary files")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.data_dir, ignore_cleanup_errors=True) as name:
        place = Path(name).resolve()
        place.chmod(0o711)
        root = place / "repository"
        made = from_history(args.git, root, args) if args.git else from_packages(root, args)
        figures = asyncio.run(measured(root, place, made, args))
    print(json.dumps(figures, indent=1))
    sys.exit(bool(figures["differences"] or figures["embedded_again"]))


def from_history(source: Path, root: Path, args: argparse.Namespace) -> list[str]:
    """Branches at commits that are spread over the whole history."""
    subprocess.run(["git", "clone", "-q", "--no-checkout", source, root], check=True)
    commits = git(root, "rev-list", "--first-parent", "HEAD").split()
    count = min(args.branches, len(commits))
    names = [f"branch{number:03}" for number in range(count)]
    for number, name in enumerate(names):
        git(root, "branch", name, commits[number * len(commits) // count])
    git(root, "checkout", "-q", "-f", names[0])
    return names


def from_packages(root: Path, args: argparse.Namespace) -> list[str]:
    """Branches that each have another version of one package than the branch before."""
    choice = random.Random(args.seed)
    wheels = {name: downloaded(name, args.versions, args.cache) for name in args.packages}
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    for name, files in wheels.items():
        unpacked(files[0], root / name)
    names = [f"branch{number:03}" for number in range(args.branches)]
    for name in names:
        package = choice.choice(list(wheels))
        unpacked(choice.choice(wheels[package]), root / package)
        git(root, "checkout", "-q", "-b", name)
        git(root, "add", "-A", "-f")
        git(root, "commit", "-q", "--allow-empty", "-m", "another version")
    return names


def downloaded(package: str, count: int, cache: Path) -> list[Path]:
    """Wheels of the newest versions, from the cache where they are there."""
    folder = cache / package
    if len(found := sorted(folder.glob("*.whl"))) >= count:
        return found[:count]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    told = subprocess.run([*pip, "index", "versions", package], check=True, capture_output=True, text=True).stdout
    listed = re.search(r"versions: (.*)", told)
    versions = listed[1].split(", ")[:count] if listed else []
    for version in versions:
        options = ["-q", "--no-deps", "--only-binary", ":all:", "-d", str(folder)]
        subprocess.run([*pip, "download", *options, f"{package}=={version}"], check=False, stderr=subprocess.DEVNULL)
    if not (found := sorted(folder.glob("*.whl"))):
        sys.exit(f"pip finds no wheel of {package}; --git takes the history of a repository instead")
    return found


def unpacked(wheel: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)


def git(root: Path, *arguments: str) -> str:
    who = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "gc.auto=0", "-c", "advice.detachedHead=false")
    done = subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@dataclass
class Run:
    """A repository under watch, fresh indexes of its trees so far, and every text that was in the index."""

    sightline: Workspaces
    workspace: Workspace
    root: Path
    place: Path
    fresh: dict[str, Content] = field(default_factory=dict)
    texts: set[bytes] = field(default_factory=set)
    embedded: int = 0
    settled: list[float] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


async def measured(root: Path, place: Path, branches: list[str], args: argparse.Namespace) -> dict[str, Any]:
    choice = random.Random(args.seed)
    async with Workspaces.started(Settings(data_dir=place / "data"), place / "data") as sightline:
        run = Run(sightline, await sightline.open(root), root, place)
        run.figures = {"branches": len(branches), "switches": 0, "differences": [], "embedded_again": [], "embedded": 0}
        async with kept(run.workspace), watched(run.workspace):
            await settled(run, "the beginning")
            for number in range(args.switches):
                branch = choice.choice(branches)
                git(root, "checkout", "-q", "-f", branch)
                await settled(run, branch)
                run.figures["switches"] = number + 1
    cuts = statistics.quantiles(run.settled[1:], n=20, method="inclusive")
    counts = {"trees": len(run.fresh), "texts": len(run.texts), "seconds_p50": round(cuts[9], 2)}
    return run.figures | counts | {"seconds_max": round(max(run.settled), 2)}


@contextlib.asynccontextmanager
async def watched(workspace: Workspace) -> AsyncIterator[None]:
    """What a server does with a folder's changes."""

    async def watch() -> None:
        async for paths in watching.changes(workspace.checkout.root):
            workspace.indexer.touch(paths)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def settled(run: Run, branch: str) -> None:
    """Waits until the index is that of a fresh one, and counts what was embedded for it."""
    began = time.monotonic()
    tree = git(run.root, "rev-parse", "HEAD^{tree}")
    await asyncio.sleep(LOOK_SECONDS)
    while run.workspace.indexer.queued:
        await asyncio.sleep(LOOK_SECONDS / 10)
    if tree not in run.fresh:
        run.fresh[tree] = await fresh(run)
    expected = run.fresh[tree]
    while (content := await whole(run.workspace)) != expected and time.monotonic() < began + PATIENCE:
        await asyncio.sleep(LOOK_SECONDS)
    if content != expected:
        paths = sorted(path for path, _ in content.items() ^ expected.items())
        run.figures["differences"].append({"branch": branch, "paths": paths[:10], "count": len(paths)})
    await count(run, branch)
    run.settled.append(time.monotonic() - began)


async def count(run: Run, branch: str) -> None:
    pool = await run.workspace.store.pool()
    total = await pool.fetchval("select coalesce(sum(chunk_count), 0) from embedding_metadata")
    rows = await pool.fetch("select distinct text_hash from code_chunks")
    new = {row[0] for row in rows} - run.texts
    if total - run.embedded != len(new):
        run.figures["embedded_again"].append({"branch": branch, "embedded": total - run.embedded, "new": len(new)})
    run.texts |= new
    run.embedded = run.figures["embedded"] = total


async def fresh(run: Run) -> Content:
    """The index of a copy, made from nothing in a database of its own."""
    copy = run.place / f"fresh{len(run.fresh)}"
    shutil.copytree(run.root, copy, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    workspace = await run.sightline.open(copy)
    await workspace.index(lambda step: None)
    content = await whole(workspace)
    await run.sightline.projects.remove(workspace.project.id, workspace.project.name)
    shutil.rmtree(copy)
    return content


async def whole(workspace: Workspace) -> Content:
    """The index as it is now; what changes amid a look makes another difference, and another look."""
    with contextlib.suppress(AssertionError):
        content = await content_of(workspace)
        return await asyncio.to_thread(digested, content)
    return {}


def digested(content: dict[str, Any]) -> Content:
    parts: dict[str, list[str]] = defaultdict(list)
    for path, part in _parts(content):
        parts[path].append(part)
    return {path: hashlib.sha256("\n".join(sorted(own)).encode()).hexdigest() for path, own in parts.items()}


def _parts(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for section in ("files", "chunks"):
        yield from ((row[0], f"{section} {row!r}") for row in content[section])
    yield from ((path, f"words {at} {sorted(bag.items())}") for (path, at), bag in content["words"].items())
    yield from ((path, f"signs {at} {signs.hex()}") for (path, at, _), signs in content["signs"].items())


if __name__ == "__main__":
    main()
