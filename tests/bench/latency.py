"""How long a person waits: a real client of a real server over stdio, idle and while it indexes.

    latency.py FOLDER ... [--queries FILE] [--count N] [--changed N] [--workers N] [--data-dir DIR]

Each folder is indexed into a database of its own, which is gone afterwards. Then, in fresh server processes:
`initialize`, `ready` (from the spawn of the server, Postgres's start included, to the first search that had the whole
index), queries and symbols one after the other while the server is idle, queries over this folder and a second one while
the second one's files (--changed) are indexed, as often as it takes for --count answers, and the shutdown in the middle
of that. Prints JSON, with the limits, and ends with 1 where one is missed.
--queries takes a file with one query, or one JSON object with a `query`, on each line; thirty of our own are built in,
which after the first round find all their words cached.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

sys.path.insert(1, str(Path(__file__).parents[1]))

from speed import machine
from timing import QUERIES, latencies, read_queries, since, spread

from adapters.servers import DISK, end, open_folder
from lsp.product import CAPABILITIES, as_folder, is_current
from lsp.support import Client, RpcError, spawned
from sightline.adapters.embedded import Place
from support import command, environment

Figures = dict[str, Any]
LIMITS: Final[dict[str, dict[str, float]]] = {
    "initialize_s": {"median": 1},
    "ready_s": {"median": 2},
    "idle_ms": {"p50": 15, "p95": 50},
    "symbol_ms": {"p95": 50},
    "indexing_ms": {"p95": 150},
    "shutdown_s": {"median": 1},
}
INITIALIZED: Final = 9
READIED: Final = 5
SHUT_DOWN: Final = 3
SETTLE_SECONDS: Final = 2.0
NOTICED_SECONDS: Final = 10.0
"""Changed files that the server has not begun with for so long are done already."""
LONGEST: Final = 1800.0
"""For everything that has to do with indexing."""


@dataclass(frozen=True, slots=True)
class Case:
    """A folder to measure, the data folder of its database, and a second folder whose files change."""

    root: Path
    second: Path
    data: Path
    queries: Sequence[str]
    count: int
    changed: int
    workers: int

    @asynccontextmanager
    async def spawned(self) -> AsyncIterator[Client]:
        """A client of a new server process."""
        env = environment(self.data, SIGHTLINE_INDEX_WORKERS=str(self.workers))
        async with spawned(command("serve", "--stdio"), env=env) as client:
            client.replies["workspace/configuration"] = lambda asked: [{}]
            yield client

    @asynccontextmanager
    async def opened(self, *others: Path) -> AsyncIterator[Client]:
        """`spawned`, with the folder and others opened in it."""
        folders = [as_folder(root) for root in (self.root, *others)]
        async with self.spawned() as client:
            await client.initialize(capabilities=CAPABILITIES, workspaceFolders=folders)
            yield client

    def asked(self) -> Iterable[str]:
        return itertools.islice(itertools.cycle(self.queries), self.count + 1)  # the first is told apart

    def stop_postgres(self) -> None:
        for log in self.data.rglob("pg18.log"):
            end(Place(log.parent))


def main() -> None:
    args = arguments()
    report: Figures = {"machine": machine(), "workers": args.workers, "limits": LIMITS, "folders": []}
    for folder in args.folders:
        load = round(os.getloadavg()[0], 2)
        figures = asyncio.run(measured(folder.resolve(), args))
        missed = [f"{group}.{name}" for group, name in over(figures)]
        report["folders"].append({"folder": str(folder), "load_before": load, **figures, "missed": missed})
        print(f"{folder}: {', '.join(missed) or 'within all limits'}", file=sys.stderr)
    print(json.dumps(report, indent=1))
    sys.exit(any(each["missed"] for each in report["folders"]))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--queries", default="", metavar="FILE")
    parser.add_argument("--count", type=int, default=1000, help="how many answers are timed of each kind")
    parser.add_argument("--changed", type=int, default=5000, help="files that are indexed meanwhile")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--data-dir", type=Path, default=DISK, help="parent of our temporary folders")
    return parser.parse_args()


def over(figures: Figures) -> list[tuple[str, str]]:
    """The figures that miss their limits."""
    wanted = [(group, name, limit) for group, limits in LIMITS.items() for name, limit in limits.items()]
    return [(group, name) for group, name, limit in wanted if figures[group][name] > limit]


async def measured(root: Path, args: argparse.Namespace) -> Figures:
    """A folder's figures."""
    with open_folder(args.data_dir) as data, tempfile.TemporaryDirectory(prefix="second", dir=args.data_dir) as second:
        queries = read_queries(args.queries)
        case = Case(root, Path(second).resolve(), data, queries, args.count, args.changed, args.workers)
        figures = await cold(case)
        figures["initialize_s"] = await initialize(case)
        figures |= await ready(case)
        figures |= await answers(case)
        figures["shutdown_s"] = await shutdown(case)
        return figures


async def cold(case: Case) -> Figures:
    """Indexes the folder."""
    started = time.perf_counter()
    async with case.opened() as client:
        await whole(client)
        took = since(started)
        await asyncio.sleep(SETTLE_SECONDS)
        folder = (await client.request("sightline/status", {}))["folders"][0]
        await client.shut_down()
    return {"files": folder["files"], "chunks": folder["chunks"], "cold_s": took}


async def initialize(case: Case) -> Figures:
    """Seconds from a spawn to the answer; the first spawn only warms the file cache."""
    seconds = []
    for _ in range(1 + INITIALIZED):
        started = time.perf_counter()
        async with case.spawned() as client:
            hello = {"processId": None, "capabilities": CAPABILITIES, "workspaceFolders": [as_folder(case.root)]}
            await client.request("initialize", hello)
            seconds.append(since(started))
            await client.shut_down()
    return spread(seconds[1:])


async def ready(case: Case) -> Figures:
    """Seconds from a spawn to the first answer and to the first complete one, with Postgres down before."""
    firsts, completes = [], []
    for _ in range(READIED):
        await asyncio.to_thread(case.stop_postgres)
        started = time.perf_counter()
        async with case.opened() as client:
            await until(client, case.queries[0], lambda answer: True)
            firsts.append(since(started))
            await until(client, case.queries[0], lambda answer: answer["complete"])
            completes.append(since(started))
            await client.shut_down()
    return {"first_answer_s": spread(firsts), "ready_s": spread(completes)}


async def answers(case: Case) -> Figures:
    """Milliseconds of queries and symbols, idle and while indexing, and the server's memory."""
    async with case.opened() as client:
        await whole(client)
        await asyncio.sleep(SETTLE_SECONDS)
        figures: Figures = {"rss_mb": {"ready": rss(client)}}
        seconds, within, known = [], [], set()
        for query in case.asked():
            took, answer = await search(client, query)
            seconds.append(took)
            within.append(answer["tookMs"] / 1000)
            known |= {hit["symbol"].rpartition(".")[2] for hit in answer["hits"]}
        figures |= {"idle_ms": latencies(seconds), "idle_told_ms": latencies(within)}  # told by the server
        figures["symbol_ms"] = latencies([await symbols(client, typed) for typed in typing(case, known)])
        await asyncio.sleep(SETTLE_SECONDS)
        figures["rss_mb"]["after_queries"] = rss(client)
        figures["indexing_ms"] = await while_indexing(client, case)
        figures["rss_mb"]["after_indexing"] = rss(client)
        await client.shut_down()
    return figures


async def search(client: Client, query: str) -> tuple[float, Figures]:
    """Seconds of a query, and its answer, of which not all should be kept: Python would look at them again and again."""
    started = time.perf_counter()
    answer = await client.request("sightline/search", {"query": query})
    return time.perf_counter() - started, answer


async def symbols(client: Client, typed: str) -> float:
    started = time.perf_counter()
    await client.request("workspace/symbol", {"query": typed})
    return time.perf_counter() - started


def typing(case: Case, known: Iterable[str]) -> Iterable[str]:
    """What people type: the begin of a name, most of it, all of it, and sentences."""
    names = sorted(name for name in known if len(name) > 3) or ["main"]
    random.Random(0).shuffle(names)
    rounds = zip(itertools.cycle(names), itertools.cycle(case.queries), strict=False)
    typed = (text for name, query in rounds for text in (name[:3], name[:-1], name, query))
    return itertools.islice(typed, case.count + 1)


async def while_indexing(client: Client, case: Case) -> Figures:
    """Milliseconds of the queries whose answers say that the index was behind."""
    seconds: list[float] = []
    queries = itertools.cycle(case.queries)
    rounds = 0
    while len(seconds) <= case.count:
        await asyncio.to_thread(write, case.second, case.changed, rounds)
        if rounds == 0:
            event = {"added": [as_folder(case.second)], "removed": []}
            client.notify("workspace/didChangeWorkspaceFolders", {"event": event})
        else:
            await client.request("sightline/index", {"folder": case.second.as_uri()})
        rounds += 1
        seconds += await while_behind(client, queries, case.count + 1 - len(seconds))
    return {**latencies(seconds), "rounds": rounds}


async def while_behind(client: Client, queries: Iterator[str], count: int) -> list[float]:
    """Seconds of at most `count` queries, until the index is whole again."""
    seconds: list[float] = []
    give_up = time.monotonic() + NOTICED_SECONDS
    while len(seconds) < count and (seconds or time.monotonic() < give_up):
        took, answer = await search(client, next(queries))
        if not answer["complete"]:
            seconds.append(took)
        elif seconds:
            break
    return seconds


async def shutdown(case: Case) -> Figures:
    """Seconds from the request to the process's end, when some of the changed files are indexed and more under way."""
    seconds = []
    for number in range(1, 1 + SHUT_DOWN):
        await asyncio.to_thread(write, case.second, case.changed, -number)
        async with case.opened(case.second) as client:
            await middle(client)
            started = time.perf_counter()
            await client.shut_down()
            seconds.append(since(started))
    return spread(seconds)


def write(folder: Path, count: int, number: int) -> None:
    """`count` files of some functions each, other ones for every number."""
    words = sorted({word for query in QUERIES for word in query.lower().split() if word.isalpha()})
    for file in range(count):
        draw = random.Random(f"{number}/{file}")
        path = folder / f"part{file % 50}" / f"module{file}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n\n".join(function(draw, words) for _ in range(4)), encoding="utf-8")


def function(draw: random.Random, words: Sequence[str]) -> str:
    verb, noun, thing, part, *sentence = draw.choices(words, k=12)
    return (
        f'def {verb}_{noun}_{draw.randrange(1 << 20)}(the_{thing}, the_{part}):\n    """{" ".join(sentence)}."""\n'
        f"    for {part}_of in the_{thing}.{noun}s:\n        if {part}_of.{verb}(the_{part}):\n"
        f"            the_{part}.{sentence[0]}_{sentence[1]}({part}_of)\n    return the_{part}\n"
    )


async def until(client: Client, query: str, condition: Callable[[Figures], bool]) -> None:
    """Waits for an answer to the query that fulfils the condition; until then it may fail as well."""

    async def attempt() -> bool:
        answer = await client.request("sightline/search", {"query": query})
        return bool(answer["projects"]) and condition(answer)

    await repeated(attempt)


async def whole(client: Client) -> None:
    """Waits until all is indexed."""
    await repeated(lambda: status_is(client, is_current), pause=0.2)


async def middle(client: Client) -> None:
    """Waits until some of many files are indexed."""
    await repeated(lambda: status_is(client, is_under_way))


async def status_is(client: Client, condition: Callable[[Figures], bool]) -> bool:
    status = await client.request("sightline/status", {})
    return bool(status["folders"]) and condition(status)


def is_under_way(status: Figures) -> bool:
    return any(0 < folder["filesDone"] < folder["filesTotal"] for folder in status["folders"])


async def repeated(attempt: Callable[[], Awaitable[bool]], pause: float = 0.01) -> None:
    """Tries until it is so; the server may refuse meanwhile."""
    async with asyncio.timeout(LONGEST):
        while True:
            with contextlib.suppress(RpcError):
                if await attempt():
                    return
            await asyncio.sleep(pause)


def rss(client: Client) -> int:
    """Megabytes of the server process."""
    assert client.process
    return int(psutil.Process(client.process.pid).memory_info().rss / 1e6)


if __name__ == "__main__":
    main()
