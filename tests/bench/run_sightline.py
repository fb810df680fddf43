"""One run of ours for `speed.py`: run_sightline.py FOLDER QUERIES, settings in the environment."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from timing import emit, latencies, read_queries, since

from sightline.__main__ import open_sightline
from sightline.searching import Options
from sightline.settings import parse
from sightline.workspaces import Workspace


async def run(folder: Path, queries: list[str]) -> None:
    settings, _ = parse()
    started = time.perf_counter()
    async with open_sightline(settings) as sightline:
        workspace = await sightline.open(folder)
        emit(open_seconds=since(started), phase="cold")
        started = time.perf_counter()
        watching = asyncio.create_task(first_hit(workspace, queries[0], started))
        cold = await workspace.index(lambda step: None)
        emit(cold_seconds=since(started), files=cold.files_indexed, chunks=cold.chunks_added, phase="search")
        emit(first_hit_seconds=await watching)
        emit(query_ms=latencies([await timed(workspace, query) for query in queries]), phase="warm")
        started = time.perf_counter()
        warm = await workspace.index(lambda step: None)
        emit(warm_seconds=since(started), warm_files_read=warm.files_read, phase="idle")
        await asyncio.sleep(2)


async def first_hit(workspace: Workspace, query: str, started: float) -> float:
    """Seconds from the start until a search finds something, asked once a second."""
    while True:
        if (await workspace.search(query, Options())).hits:
            return since(started)
        await asyncio.sleep(1)


async def timed(workspace: Workspace, query: str) -> float:
    started = time.perf_counter()
    await workspace.search(query, Options())
    return time.perf_counter() - started


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]).resolve(), read_queries(sys.argv[2])))
