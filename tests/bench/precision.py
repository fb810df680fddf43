"""What shorter and coarser vectors cost: bytes, recall and time, beside float32 and all dimensions.

    precision.py [FOLDER] [--chunks N]

Indexes FOLDER (default: about N chunks of the standard library) with the tests' embedding server (the bundled model, 256
dimensions) in each setting of `embedding.dimensions` and `embedding.precision`, one after the other, as a change of model
would. Recall is the share of the ten and the hundred chunks nearest by float32 that a search's way finds: sign bits
choose, exact vectors re-rank. Time is that of both, with Postgres. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(1, str(Path(__file__).parents[1]))

from provider import opened, served, written
from timing import QUERIES

from adapters.servers import DISK, open_folder
from sightline.adapters import lacking
from sightline.adapters.embedding import bundled
from sightline.candidates import RERANKED
from sightline.core import bits, dialects, passages
from sightline.workspaces import Workspace

SETTINGS: Final = (
    (256, "half", None), (256, "half", RERANKED), (256, "half", 1_000), (256, "binary", RERANKED),
    (192, "half", RERANKED), (128, "half", RERANKED), (128, "binary", RERANKED), (64, "half", RERANKED),
)  # fmt: skip
"""Dimensions, precision, and how many the sign bits leave; None: all are compared exactly."""
REPEATS: Final = 3


async def truth_of(workspace: Workspace) -> tuple[np.ndarray, np.ndarray]:
    """The ids of all chunks, and their float32 vectors."""
    pool = await workspace.store.pool()
    ids = [row[0] for row in await pool.fetch("select id from code_chunks order by id")]
    rows = []
    for start in range(0, len(ids), 1_000):
        for each in await lacking.page(pool, ids[start : start + 1_000]):
            text = passages.passage(each.path, each.container, each.names, each.content)
            rows.append(bundled().embed_passage(text))
    return np.array(ids, np.int64), np.array(rows, np.float32)


async def measured(workspace: Workspace, depth: int | None, ids: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Recall of the nearest ten and hundred, and the median time of a query."""
    identity = workspace._chooser.current.serving.identity
    snapshots, repository = workspace.source.snapshots, workspace.checkout.repository_id
    found: dict[int, list[float]] = {10: [], 100: []}
    times = []
    async with snapshots.open([repository], workspace.source.embedder_id) as snapshot:
        for text in QUERIES * REPEATS:
            whole = bundled().embed_query(text)
            query = dialects.unit(whole[None], identity.dimensions)[0]
            started = time.perf_counter()
            near = snapshot.vectors.chunk_ids
            if depth is not None and depth < len(near):
                distances = bits.distances(snapshot.vectors.signs, query)
                near = near[np.argpartition(distances, depth)[:depth]]
            cosines = await snapshot.cosines(query, near.tolist())
            times.append(1_000 * (time.perf_counter() - started))
            best = sorted(cosines, key=lambda each: -cosines[each])
            for count, shares in found.items():
                nearest = set(ids[np.argsort(-(truth @ whole), kind="stable")[:count]].tolist())
                shares.append(len(nearest & set(best[:count])) / count)
    return {
        "recall": {count: statistics.mean(shares) for count, shares in found.items()},
        "ms": statistics.median(times),
    }


async def size_of(workspace: Workspace, count: int) -> float:
    """Bytes a chunk that vectors and sign bits of one model take on the disk."""
    pool = await workspace.store.pool()
    model = workspace._chooser.current.serving.id
    taken = await pool.fetchval(
        "select (select sum(pg_column_size(e.*) + 28) from embeddings e where embedder_id = $1)"
        " + (select sum(octet_length(sign_bits)) from vector_segments where embedder_id = $1)", model,
    )  # fmt: skip
    return float(taken) / count


async def run(data_dir: Path, url: str, folder: Path) -> None:
    print("| dimensions | kept | chosen by sign bits | bytes a chunk | recall of 10 | recall of 100 | ms |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    truth: tuple[np.ndarray, np.ndarray] | None = None
    for dimensions, precision, depth in SETTINGS:
        kept = {"provider": "ollama", "url": url, "precision": precision}
        async with opened(data_dir, folder, **kept, dimensions=dimensions) as workspace:
            await workspace.index(lambda step: None)
            truth = truth or await truth_of(workspace)
            told = await measured(workspace, depth, *truth)
            size = await size_of(workspace, len(truth[0]))
        chosen = "all compared" if depth is None else f"{depth:,}"
        recall = told["recall"]
        print(
            f"| {dimensions} | {precision} | {chosen} | {size:.0f} | {recall[10]:.3f} | {recall[100]:.3f} | {told['ms']:.1f} |",
            flush=True,
        )
    print(f"\n{len(truth[0]) if truth else 0:,} chunks, {len(QUERIES)} queries.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--chunks", type=int, default=20_000)
    arguments = parser.parse_args()
    with open_folder(DISK) as data_dir, served(256) as url, tempfile.TemporaryDirectory() as place:
        folder = arguments.folder
        if folder is None:
            folder = Path(place).resolve()
            written(folder, arguments.chunks)
        asyncio.run(run(data_dir, url, folder.resolve()))


if __name__ == "__main__":
    main()
