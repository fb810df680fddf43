"""How long it takes until a project is there: five new ones, as JSON, with the registry's own share of each.

    python tests/bench/projects.py [--count 5] [--repeat 3]

It makes a data folder of its own, with an embedded Postgres, and removes both. The registry's share is everything that
is asked of the registry database but for CREATE DATABASE itself: claiming, locking, publishing, finding again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import asyncpg

from sightline.adapters import embedded
from sightline.adapters.postgres import REGISTRY, Server
from sightline.projects import Projects

DATABASES: Final = ("create database", "drop database")


class _Timed(asyncpg.Connection):  # type: ignore[misc]
    """Adds up what the registry is asked."""

    spent = 0.0

    async def _execute(self, query: str, *arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return await super()._execute(query, *arguments, **named)
        finally:
            self._note(query, began)

    async def execute(self, query: str, *arguments: Any, **named: Any) -> Any:
        if arguments:
            return await super().execute(query, *arguments, **named)
        began = time.perf_counter()
        try:
            return await super().execute(query, **named)
        finally:
            self._note(query, began)

    def _note(self, query: str, began: float) -> None:
        if self._params.database == REGISTRY and not query.startswith(DATABASES):
            _Timed.spent += time.perf_counter() - began


async def measured(count: int, repeat: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="sightline-bench", dir="/var/tmp") as name:
        folder = Path(name).resolve()
        folder.chmod(0o711)
        lease = embedded.acquire(folder)
        parameters = {"host": lease.host, "port": lease.port, "user": lease.user, "connection_class": _Timed}
        await (await Server.open("", folder)).close()  # makes registry and template
        server = Server(parameters, lease)
        try:
            return await _runs(Projects(server, "bench"), folder, count, repeat)
        finally:
            await server.close()


async def _runs(projects: Projects, folder: Path, count: int, repeat: int) -> dict[str, Any]:
    took, shares, sums, found = [], [], [], []
    for run in range(repeat):
        total = 0.0
        for number in range(count):
            root = folder / "work" / f"shop-{run}-{number}"
            (root / ".sightline").mkdir(parents=True)
            config = {"version": "1.0", "project": {"name": root.name}}
            (root / ".sightline/config.json").write_text(json.dumps(config))
            _Timed.spent, began = 0.0, time.perf_counter()
            await projects.resolve(root)
            took.append(time.perf_counter() - began)
            shares.append(_Timed.spent)
            total += took[-1]
            began = time.perf_counter()
            await projects.resolve(root)
            found.append(time.perf_counter() - began)
        sums.append(total)
    return {
        "projects": count,
        "repeat": repeat,
        "all_s": {"mean": round(statistics.mean(sums), 3), "max": round(max(sums), 3)},
        "each_ms": _milliseconds(took),
        "registry_ms": _milliseconds(shares),
        "found_again_ms": _milliseconds(found),
    }


def _milliseconds(values: list[float]) -> dict[str, float]:
    return {
        name: round(1000 * value, 2)
        for name, value in (
            ("mean", statistics.mean(values)),
            ("median", statistics.median(values)),
            ("max", max(values)),
        )
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    logging.basicConfig(level="WARNING")
    print(json.dumps(asyncio.run(measured(given.count, given.repeat)), indent=2))
