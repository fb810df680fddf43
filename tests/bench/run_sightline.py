"""One run of ours for `speed.py`: run_sightline.py FOLDER QUERIES, settings in the environment."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

from timing import emit, latencies, read_queries, since

from sightline.__main__ import open_sightline
from sightline.messages import SearchParams
from sightline.settings import parse


async def run(folder: Path, queries: list[str]) -> None:
    settings, _ = parse()
    started = time.perf_counter()
    async with open_sightline(settings) as sightline:
        project = await sightline.projects.resolve(folder=folder)
        emit(open_seconds=since(started), phase="cold")
        started = time.perf_counter()
        watching = asyncio.create_task(first_hit(sightline, project, queries[0], started))
        job = await sightline.index(project, folder)
        emit(cold_seconds=since(started), files=job.files_done, chunks=job.chunks, phase="search")
        emit(first_hit_seconds=await watching)
        emit(query_ms=latencies([await timed(sightline, project, query) for query in queries]), phase="warm")
        started = time.perf_counter()
        again = await sightline.index(project, folder)
        emit(warm_seconds=since(started), warm_chunks=again.chunks, phase="idle")
        await asyncio.sleep(2)


async def first_hit(sightline: Any, project: Any, query: str, started: float) -> float:
    """Seconds from the start until a search finds something, asked once a second."""
    while True:
        if (await sightline.search(project, SearchParams(query=query))).hits:
            return since(started)
        await asyncio.sleep(1)


async def timed(sightline: Any, project: Any, query: str) -> float:
    started = time.perf_counter()
    await sightline.search(project, SearchParams(query=query, limit=10))
    return time.perf_counter() - started


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]).resolve(), read_queries(sys.argv[2])))
