"""Whether an embedding server is used to the full, and a change of model leaves searches alone.

    provider.py [--chunks N] [--change N] [--data-dir DIR]

Starts the tests' embedding server as a process of its own (the bundled model behind HTTP). Throughput: a folder of about
N chunks (copies of the standard library, with paths of their own) is indexed by words, then given vectors; beside it,
before and after, stands what the server can give: the same texts in the same batches from a client that does nothing
else. Change: a folder indexed with the bundled model changes to the server's while ten searches a second run. Prints JSON;
exits with 1 where throughput is below 90 %, memory grew with the folder, a search failed or had anything but the vectors
of one whole model, or its p95 doubled.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

sys.path.insert(1, str(Path(__file__).parents[1]))

from timing import QUERIES

from adapters.servers import DISK, open_folder, server_of
from sightline.adapters import lacking
from sightline.adapters.embedded import Place
from sightline.adapters.providers import IN_FLIGHT
from sightline.core import dialects, passages
from sightline.errors import EmbedderError
from sightline.searching import Options
from sightline.settings import EmbeddingSettings, Settings
from sightline.workspaces import Workspace, Workspaces

MODEL: Final = "nomic-embed-text"
BATCH: Final = 64
SAMPLE: Final = 6_000
LEAST_SHARE: Final = 0.9
MOST_MB: Final = 150.0
"""What giving vectors may take beside the server's idle memory, however many chunks lack one."""
SECONDS: Final = 0.1
"""Between two searches."""


@contextmanager
def served(dimensions: int) -> Iterator[tuple[str, psutil.Process]]:
    """The embedding server's address and process, for as long as the block lasts."""
    script = Path(__file__).parents[1] / "adapters" / "embedding_server.py"
    paths = [str(Path(__file__).parents[1]), *sys.path]
    process = subprocess.Popen(
        [sys.executable, str(script), "--dimensions", str(dimensions), "--model", MODEL],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(10)


def written(folder: Path, chunks: int) -> None:
    """Copies of the standard library's packages until there are about so many chunks, of about 600 bytes each."""
    source, left, number = Path(sysconfig.get_path("stdlib")), chunks * 560, 0
    while left > 0:
        for file in sorted(source.rglob("*.py")):
            if left <= 0 or any(part in ("site-packages", "lib2to3", "test") for part in file.parts):
                continue
            target = folder / f"part{number}" / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            left -= file.stat().st_size
        number += 1


@asynccontextmanager
async def opened(data_dir: Path, folder: Path, **embedding: Any) -> AsyncIterator[Workspace]:
    settings = Settings(data_dir=data_dir, embedding=EmbeddingSettings(**embedding))
    async with Workspaces.started(settings, data_dir) as workspaces:
        yield await workspaces.open(folder)


async def alone(url: str, texts: list[str]) -> float:
    """Texts a second that the server gives to a client that only asks, with as many requests at a time as ours."""
    batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    bodies = iter([json.dumps(dialects.request_of("ollama", MODEL, each, "document")).encode() for each in batches])
    async with httpx.AsyncClient(timeout=60) as client:

        async def ask() -> None:
            for body in bodies:
                answer = await client.post(f"{url}/api/embed", content=body)
                answer.raise_for_status()

        started = time.perf_counter()
        await asyncio.gather(*(ask() for _ in range(IN_FLIGHT)))
        return len(texts) / (time.perf_counter() - started)


def spent(data_dir: Path, server: psutil.Process) -> dict[str, float]:
    """Seconds of CPU so far: of this process, of Postgres and of the embedding server."""
    postmaster = server_of(Place(next(data_dir.rglob("pg18.log")).parent))
    parts = {"client": [psutil.Process()], "postgres": postmaster.children(), "server": [server]}
    return {name: sum(sum(each.cpu_times()[:2]) for each in found) for name, found in parts.items()}


async def throughput(data_dir: Path, url: str, server: psutil.Process, chunks: int, dimensions: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        written(folder, chunks)
        dead = {"provider": "ollama", "url": "http://127.0.0.1:9", "dimensions": dimensions}
        async with opened(data_dir, folder, **dead) as workspace:
            try:
                await workspace.index(lambda step: None, seconds=0)
            except EmbedderError:
                pass
        async with opened(data_dir, folder, **{**dead, "url": url}) as workspace:
            repository, target = workspace.checkout.repository_id, (await workspace._chooser.look()).target
            pool = await workspace.store.pool()
            pending = await lacking.count(pool, repository, target.id)
            ids = await lacking.ids(pool, repository, target.id, 0)
            rows = await lacking.page(pool, ids[:SAMPLE].tolist())
            prefix = target.identity.prefixes["document"]
            texts = [prefix + passages.passage(each.path, each.container, each.names, each.content) for each in rows]
            del rows
            await alone(url, texts[: SAMPLE // 4])
            before = await alone(url, texts)
            memory, watching = [psutil.Process().memory_info().rss], True

            async def watch() -> None:
                while watching:
                    memory.append(psutil.Process().memory_info().rss)
                    await asyncio.sleep(0.1)

            watcher = asyncio.create_task(watch())
            async with workspace.indexer.writing() as writer:
                assert writer is not None
                started, cpu = time.perf_counter(), spent(data_dir, server)
                await workspace.indexer.filler.fill(writer, lambda step: None)
                seconds, cpu_then = time.perf_counter() - started, spent(data_dir, server)
            watching = False
            await watcher
            after = await alone(url, texts)
    rate = pending / seconds
    return {
        "chunks": pending,
        "seconds": round(seconds, 2),
        "per_second": round(rate, 1),
        "server_alone_before": round(before, 1),
        "server_alone_after": round(after, 1),
        "share": round(rate / statistics.mean((before, after)), 3),
        "cpu_us_a_chunk": {name: round(1e6 * (cpu_then[name] - cpu[name]) / pending, 1) for name in cpu},
        "memory_mb": round((max(memory) - memory[0]) / 1e6, 1),
    }


async def change(data_dir: Path, url: str, chunks: int, dimensions: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        written(folder, chunks)
        async with opened(data_dir, folder) as workspace:
            await workspace.index(lambda step: None)
        remote = {"provider": "ollama", "url": url, "dimensions": dimensions}
        async with opened(data_dir, folder, **remote) as workspace:
            found = {"before": await searches(workspace, asyncio.create_task(asyncio.sleep(10)))}
            indexing = asyncio.create_task(workspace.index(lambda step: None))
            found["during"] = await searches(workspace, indexing)
            await indexing
            found["after"] = await searches(workspace, asyncio.create_task(asyncio.sleep(10)))
            serving = await workspace.models()
    p95 = {name: statistics.quantiles(each["ms"], n=20)[-1] for name, each in found.items()}
    return {
        "serving": serving["serving"],
        "searches": {name: len(each["ms"]) for name, each in found.items()},
        "p50_ms": {name: round(statistics.median(each["ms"]), 1) for name, each in found.items()},
        "p95_ms": {name: round(value, 1) for name, value in p95.items()},
        "ratio": round(p95["during"] / p95["before"], 2),
        "failed": sum(each["failed"] for each in found.values()),
        "lacking": sum(each["lacking"] for each in found.values()),
    }


async def searches(reader: Workspace, until: asyncio.Task[Any]) -> dict[str, Any]:
    """Ten searches a second until a task has ended."""
    found: dict[str, Any] = {"ms": [], "failed": 0, "lacking": 0}
    number = 0
    while not until.done() or len(found["ms"]) < 20:
        started = time.perf_counter()
        try:
            answer = await reader.search(QUERIES[number % len(QUERIES)], Options())
            # One that had not the vectors of one whole model would be lexical, or say what it lacks.
            found["lacking"] += answer.mode != "hybrid" or any(each.code != "indexing" for each in answer.lacks)
        except Exception as error:  # noqa: BLE001 - counted, whatever it is
            found["failed"] += 1
            sys.stderr.write(f"{error!r}\n")
        took = time.perf_counter() - started
        found["ms"].append(1_000 * took)
        number += 1
        await asyncio.sleep(max(0.0, SECONDS - took))
    return found


async def measured(data_dir: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    gc.freeze()  # as the product does when it opens
    report: dict[str, Any] = {}
    with served(arguments.dimensions) as (url, server):
        if arguments.chunks:
            report["throughput"] = await throughput(data_dir, url, server, arguments.chunks, arguments.dimensions)
        if arguments.change:
            report["change"] = await change(data_dir, url, arguments.change, arguments.dimensions)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--change", type=int, default=20_000)
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--data-dir", type=Path)
    arguments = parser.parse_args()
    if arguments.data_dir is not None:
        report = asyncio.run(measured(arguments.data_dir, arguments))
    else:
        with open_folder(DISK) as data_dir:
            report = asyncio.run(measured(data_dir, arguments))
    print(json.dumps(report, indent=1))
    first, second = report.get("throughput"), report.get("change")
    is_fine = first is None or (first["share"] >= LEAST_SHARE and first["memory_mb"] <= MOST_MB)
    is_fine &= second is None or (second["failed"] == second["lacking"] == 0 and second["ratio"] <= 2)
    sys.exit(0 if is_fine else 1)


if __name__ == "__main__":
    main()
