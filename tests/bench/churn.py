"""Whether a server that runs for days stays as it is: a day of edits in minutes, and what grows meanwhile.

    churn.py FOLDER [--minutes N] [--edits N] [--data-dir DIR]

Works on a copy of FOLDER with a real server, whose watcher finds random edits, moves, removals and checkouts of whole
folders; its client searches and types. Every few seconds the server's memory and open files, the size of each table, and
the numbers of segments and of dead chunks are noted. After the first fifth, in which caches fill, nothing may grow: the
median of the last fifth is held against that of the second, with a margin for noise. What is kept on purpose for days
(change events, jobs, times of embedding, vectors of known texts) is held to so many bytes an entry instead. Prints
JSON; exits with 1 where something grows. Takes four minutes at least: Postgres tidies its tables once a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

sys.path.insert(1, str(Path(__file__).parents[1]))

from timing import QUERIES

from adapters.servers import DISK, open_folder
from lsp.product import CAPABILITIES, as_folder, is_current
from lsp.support import Client, RpcError, spawned
from sightline.settings import Settings
from sightline.workspaces import Workspace, Workspaces
from support import command, environment

EDITS_A_DAY: Final = 3_000
"""What one person and their tools may write; a checkout of a folder counts as one."""
SAMPLE_SECONDS: Final = 5.0
LONGEST: Final = 600.0
MARGINS: Final = {"rss_mb": 1.1, "files": 1.1, "threads": 1.2, "segments": 2.0, "dead_chunks": 2.0, "tables": 1.35}
"""So many times as much, and SLACK more, may be there in the end as was early; `tables` holds for each of them."""
SLACK: Final = {"rss_mb": 10.0, "files": 5, "threads": 3, "segments": 8, "dead_chunks": 500, "tables": 1.0}
KEPT: Final = {"change_events": 400, "indexing_jobs": 2_500, "embedding_metadata": 250, "embedding_cache": 2_500}
"""Tables that remember on purpose, with the bytes that an entry may take, indexes and free space included.

A day of rewriting small rows in minutes leaves more free space than autovacuum gives back meanwhile.
"""
PAGES_MB: Final = 0.5
"""What any table may take without an entry."""
TABLES: Final = "select relname, pg_total_relation_size(oid) from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
COUNTS: Final = (
    "select (select count(*) from word_segments) + (select count(*) from vector_segments) as segments,"
    " (select count(*) from dead_chunks) as dead_chunks, (select count(*) from code_chunks) as chunks,"
    " (select count(*) from change_events) as change_events, (select count(*) from indexing_jobs) as indexing_jobs,"
    " (select count(*) from embedding_metadata) as embedding_metadata,"
    " (select coalesce(sum(text_count), 0) from embedding_cache) as embedding_cache"
)


@dataclass
class Day:
    """A folder that somebody works on."""

    root: Path
    choice: random.Random
    paths: list[Path] = field(default_factory=list)
    kept: dict[Path, bytes] = field(default_factory=dict)
    edits: int = 0

    def begin(self) -> None:
        found = sorted(path for path in self.root.rglob("*") if path.is_file() and ".git" not in path.parts)
        self.paths = [path for path in found if path.stat().st_size < 50_000]
        self.kept = {path: path.read_bytes() for path in self.paths}

    def edit(self) -> None:
        """One step of a day's work; the folder stays about as large as it was."""
        what = self.choice.choices((self.save, self.restore, self.move, self.remove, self.check_out), (60, 25, 5, 5, 5))
        what[0](self.choice.choice(self.paths))
        self.edits += 1

    def save(self, path: Path) -> None:
        name = f"edit{self.choice.randrange(10**9)}"
        lines = self.kept[path].splitlines(keepends=True)
        lines.insert(
            self.choice.randrange(len(lines) + 1), f"\ndef {name}(value):\n    return {name}(value)\n\n".encode()
        )
        self._write(path, b"".join(lines))

    def restore(self, path: Path) -> None:
        self._write(path, self.kept[path])

    def move(self, path: Path) -> None:
        """There, and with the next restore back as well."""
        if path.exists():
            path.rename(path.with_name(f"moved{self.choice.randrange(20)}_{path.name}"))

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        for moved in path.parent.glob("moved*"):
            moved.unlink()

    def check_out(self, path: Path) -> None:
        """Another branch: half of the files around are others, or as they were."""
        other = self.choice.random() < 0.5
        for each in (each for each in self.paths if each.parent == path.parent and self.choice.random() < 0.5):
            (self.save if other else self.restore)(each)

    def _write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--edits", type=int, default=EDITS_A_DAY)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data-dir", type=Path, default=DISK, help="parent of our temporary folders")
    args = parser.parse_args()
    with open_folder(args.data_dir) as data, tempfile.TemporaryDirectory(prefix="churn", dir=args.data_dir) as name:
        root = Path(name).resolve() / "folder"
        shutil.copytree(args.folder, root, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        day = Day(root, random.Random(args.seed))
        day.begin()
        samples = asyncio.run(lived(day, data, args))
    figures = judged(samples)
    print(json.dumps({"edits": day.edits, "samples": len(samples), **figures}, indent=1))
    sys.exit(bool(figures["grown"]))


async def lived(day: Day, data: Path, args: argparse.Namespace) -> list[dict[str, float]]:
    """The day, in samples."""
    samples: list[dict[str, float]] = []
    seconds = 60 * args.minutes
    async with served(day.root, data) as (client, workspace), asyncio.TaskGroup() as tasks:
        began = time.monotonic()
        others = [tasks.create_task(searching(client, day)), tasks.create_task(sampling(client, workspace, samples))]
        while (passed := time.monotonic() - began) < seconds:
            while day.edits < args.edits * passed / seconds:
                await asyncio.to_thread(day.edit)
            await asyncio.sleep(0.01)
        for task in others:
            task.cancel()
    return samples


@asynccontextmanager
async def served(root: Path, data: Path) -> AsyncIterator[tuple[Client, Workspace]]:
    """A server process with its client, once all is indexed, and a look into its database."""
    async with (
        spawned(command("serve", "--stdio"), env=environment(data)) as client,
        Workspaces.started(Settings(data_dir=data), data) as sightline,
    ):
        client.replies["workspace/configuration"] = lambda asked: [{}]
        await client.initialize(capabilities=CAPABILITIES, workspaceFolders=[as_folder(root)])
        async with asyncio.timeout(LONGEST):
            while not await quiet(client):
                await asyncio.sleep(0.2)
        yield client, await sightline.open(root)
        await client.shut_down()


async def quiet(client: Client) -> bool:
    try:
        return is_current(await client.request("sightline/status", {}))
    except RpcError:
        return False


async def searching(client: Client, day: Day) -> None:
    """A person who asks, and types into a file that is never saved."""
    for number, query in enumerate(itertools.cycle(QUERIES)):
        await client.request("sightline/search", {"query": query})
        path = day.paths[number % len(day.paths)]
        document = {"uri": path.as_uri(), "version": 1}
        text = f"def typed{number}(value):\n    return value\n" + day.kept[path].decode("utf-8", "replace")
        client.notify("textDocument/didOpen", {"textDocument": {**document, "languageId": "python", "text": text}})
        await client.request("sightline/search", {"query": f"typed{number}"})
        client.received.clear()
        client.notify("textDocument/didClose", {"textDocument": document})
        await asyncio.sleep(0.1)


async def sampling(client: Client, workspace: Workspace, samples: list[dict[str, float]]) -> None:
    process = psutil.Process(client.process.pid)
    pool = await workspace.store.pool()
    while True:
        with process.oneshot():
            used = {"rss_mb": process.memory_info().rss / 2**20, "threads": process.num_threads()}
        used |= {"files": process.num_fds(), "processes": len(process.children(recursive=True))}
        used |= dict(await pool.fetchrow(COUNTS))
        used |= {f"{row[0]}_mb": row[1] / 2**20 for row in await pool.fetch(TABLES)}
        samples.append({name: float(value) for name, value in used.items()})
        await asyncio.sleep(SAMPLE_SECONDS)


def judged(samples: list[dict[str, float]]) -> dict[str, Any]:
    """Medians of the second and of the last fifth, and what has grown."""
    fifth = max(1, len(samples) // 5)
    early, late = samples[fifth : 2 * fifth], samples[-fifth:]
    figures: dict[str, Any] = {}
    grown: list[str] = []
    for name in samples[0]:
        before, after = (statistics.median(each[name] for each in part) for part in (early, late))
        figures[name] = [round(before, 2), round(after, 2), round(max(each[name] for each in samples), 2)]
        if after > most(name, before, late[-1]):
            grown.append(name)
    return {"early_late_max": figures, "grown": grown}


def most(name: str, before: float, last: dict[str, float]) -> float:
    """What a figure may be in the end."""
    table = name.removesuffix("_mb")
    if table in KEPT:
        return PAGES_MB + last[table] * KEPT[table] / 2**20 if name != table else float("inf")
    if name in ("chunks", "processes"):  # as the folder is, and workers come and go
        return float("inf")
    kind = name if name in MARGINS else "tables"
    return before * MARGINS[kind] + SLACK[kind]


if __name__ == "__main__":
    main()
