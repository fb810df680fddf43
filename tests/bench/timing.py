"""What the benchmarks of time share; the standard library only, since the peer's Python has nothing of ours."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import Any

QUERIES = (
    "where are sessions persisted",
    "parse command line arguments",
    "connection pool",
    "retry with exponential backoff",
    "how is the configuration file loaded",
    "decode utf-8 bytes to text",
    "read a file line by line",
    "HTTP request handler",
    "cache eviction policy",
    "validate user input",
    "serialize an object to JSON",
    "thread safe queue",
    "compute a hash of the content",
    "open a socket and listen for connections",
    "error handling and exceptions",
    "format a date and time",
    "compile a regular expression",
    "walk a directory tree",
    "write log messages to a file",
    "schedule a task to run later",
    "close the database connection",
    "escape HTML characters",
    "compress data with gzip",
    "event loop run_forever",
    "get_logger",
    "TestCase",
    "encode_base64",
    "parse_headers",
    "Connection",
    "main",
)


def read_queries(path: str) -> list[str]:
    """The queries of a file, one a line, as text or as `query` of a JSON object; "" stands for our own thirty."""
    if not path:
        return list(QUERIES)
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["query"] if line.startswith("{") else line for line in lines if line]


def emit(**figures: Any) -> None:
    """Tell `speed.py`; `phase` names what comes next."""
    print(json.dumps(figures), flush=True)


def since(started: float) -> float:
    return round(time.perf_counter() - started, 3)


def latencies(seconds: list[float]) -> dict[str, float]:
    """Percentiles in milliseconds. The first query, which may fill caches, is told apart."""
    first, rest = seconds[0], seconds[1:]
    cuts = statistics.quantiles(rest, n=100, method="inclusive")
    named = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(rest), "first": first}
    return {name: round(value * 1000, 2) for name, value in named.items()} | {"count": len(rest)}


def spread(seconds: list[float]) -> dict[str, float]:
    """Of a few runs, in seconds."""
    return {"median": round(statistics.median(seconds), 3), "max": max(seconds), "count": len(seconds)}
