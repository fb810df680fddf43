"""How soon a change is found: after a save, a checkout, and a restart.

    freshness.py FOLDER [--saves N] [--checkout N] [--data-dir DIR]

Works on a copy of FOLDER, in one process, as a server does it. Prints JSON: seconds from a save until a search finds it,
of a checkout that changes many files and of the way back (with how many texts were embedded), and of a restart on
unchanged files (with how many were read); beside each the limit, which holds for 100,000 chunks and 10,000 files.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import shutil
import statistics
import string
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sightline.jobs import State, Summary
from sightline.searching import Options
from sightline.settings import Settings
from sightline.workspaces import Workspace, Workspaces

LIMITS = {"save_p50": 0.15, "save_p95": 0.3, "checkout": 10.0, "restart": 3.0, "restart_read": 0, "restart_embedded": 0}
PATIENCE = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--saves", type=int, default=40)
    parser.add_argument("--checkout", type=int, default=1_000, help="how many files it changes")
    parser.add_argument("--data-dir", type=Path, help="parent of our temporary files")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.data_dir, ignore_cleanup_errors=True) as name:
        place = Path(name).resolve()
        place.chmod(0o711)
        root = place / "folder"
        shutil.copytree(args.folder, root, symlinks=True)
        figures = asyncio.run(measured(root, place / "data", args))
    print(json.dumps(figures | {"limits": LIMITS}, indent=1))


async def measured(root: Path, data_dir: Path, args: argparse.Namespace) -> dict[str, Any]:
    settings = Settings(data_dir=data_dir)
    async with Workspaces.started(settings, data_dir) as sightline:
        workspace = await sightline.open(root)
        await workspace.index(lambda step: None)
        figures: dict[str, Any] = {key: (await workspace.status())[key] for key in ("files", "chunks")}
        async with kept(workspace) as states:
            await settled(workspace, states)
            figures |= await saves(workspace, root, args.saves)
            figures |= await checkout(workspace, root, args.checkout, states)
    await asyncio.sleep(2.5)  # A file that is younger than its row by less than two seconds is read again.
    async with Workspaces.started(settings, data_dir) as sightline:
        workspace = await sightline.open(root)
        await workspace.index(lambda step: None)
        started = time.perf_counter()
        async with kept(workspace) as states:
            summary = await settled(workspace, states)
            figures["restart"] = round(time.perf_counter() - started, 3)
        return figures | {"restart_read": summary.files_read, "restart_embedded": summary.texts_embedded}


@contextlib.asynccontextmanager
async def kept(workspace: Workspace) -> AsyncIterator[list[State]]:
    """What a server's indexer tells."""
    states: list[State] = []
    task = asyncio.create_task(workspace.indexer.keep(lambda step: None, states.append))
    try:
        yield states
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def settled(workspace: Workspace, states: list[State]) -> Summary:
    """The next summary when nothing is left to do."""
    seen = len(states)
    async with asyncio.timeout(PATIENCE):
        while True:
            for state in states[seen:]:
                if state.summary is not None and not workspace.indexer.queued:
                    return state.summary
            await asyncio.sleep(0.002)


async def saves(workspace: Workspace, root: Path, count: int) -> dict[str, Any]:
    """Saves one file after another, and searches until the new name is found."""
    rows = await workspace.store.files(workspace.checkout.repository_id, ())
    indexed = sorted(path for path, row in rows.items() if row.outcome == "indexed" and path.endswith(".py"))
    paths = [path for each in indexed if (path := root / each).stat().st_size < 100_000]
    seconds = []
    for number in range(count):
        path = paths[number * len(paths) // count]
        name = "".join(random.choices(string.ascii_lowercase, k=12))
        path.write_bytes(path.read_bytes() + f"\n\ndef {name}(value):\n    return value\n".encode())
        started = time.perf_counter()
        workspace.indexer.touch([path.relative_to(root).as_posix()])
        await found(workspace, name)
        seconds.append(time.perf_counter() - started)
    cuts = statistics.quantiles(seconds, n=20, method="inclusive")
    return {"save_p50": round(cuts[9], 3), "save_p95": round(cuts[18], 3), "save_max": round(max(seconds), 3)}


async def found(workspace: Workspace, name: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            hits = (await workspace.search(name, Options(limit=1))).hits
            if hits and name in hits[0].text:
                return
            await asyncio.sleep(0.005)


async def checkout(workspace: Workspace, root: Path, count: int, states: list[State]) -> dict[str, Any]:
    """Another branch, and back: the texts of the first are not embedded again."""
    paths = sorted(root.rglob("*.py"))[:count]
    old = {path: path.read_bytes() for path in paths}
    figures: dict[str, Any] = {"checkout_files": len(paths)}
    for name, suffix in (("checkout", b"\n\nBRANCH = 'other'\n"), ("way_back", b"")):
        for path, content in old.items():
            path.write_bytes(content + suffix)
        started = time.perf_counter()
        workspace.indexer.touch([path.relative_to(root).as_posix() for path in paths])
        summary = await settled(workspace, states)
        figures[name] = round(time.perf_counter() - started, 3)
        figures[f"{name}_embedded"] = summary.texts_embedded
    return figures


if __name__ == "__main__":
    main()
