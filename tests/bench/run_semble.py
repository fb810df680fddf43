"""One run of semble 0.7 for `speed.py`, by its own Python: run_semble.py FOLDER QUERIES, settings by environment."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from semble import SembleIndex
from semble.cache import save_index_to_cache
from semble.index.dense import load_model
from timing import emit, latencies, read_queries, since


def main() -> None:
    folder, queries = Path(sys.argv[1]).resolve(), read_queries(sys.argv[2])
    started = time.perf_counter()
    load_model()
    emit(open_seconds=since(started), phase="cold")
    started = time.perf_counter()
    index = SembleIndex.from_path(folder)
    emit(cold_seconds=since(started), files=index.stats.indexed_files, chunks=index.stats.total_chunks, phase="search")
    emit(query_ms=latencies([timed(index, query) for query in queries]), phase="save")
    started = time.perf_counter()
    save_index_to_cache(index, str(folder))
    emit(save_seconds=since(started), phase="warm")
    started = time.perf_counter()
    SembleIndex.from_path(folder)
    emit(warm_seconds=since(started))


def timed(index: SembleIndex, query: str) -> float:
    started = time.perf_counter()
    index.search(query, top_k=10)
    return time.perf_counter() - started


if __name__ == "__main__":
    # Its workers are spawned: they import this module again.
    main()
