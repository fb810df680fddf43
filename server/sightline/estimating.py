"""What an index run would read and what it would cost, before anything is spent: the dry run."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sightline.adapters import files, lacking
from sightline.adapters.analysing import Embedder, FileTask, Task, Workers, recall_nothing
from sightline.adapters.choosing import Chooser
from sightline.adapters.files import Found, Rules, Scan
from sightline.adapters.store import Checkout, Store
from sightline.core import passages
from sightline.core.languages import detect

SAMPLE: Final = 150
"""Files that are analysed to know what the others are like: the count of chunks is right to about a tenth."""
SAMPLE_BYTES: Final = 1 << 22
HEADER_BYTES: Final = 60
"""Path and names before a chunk's text."""
LOCAL_RATE: Final = 2_000.0
"""Chunks a second and worker with the bundled model, all told: `tests/bench/speed.py` on two hyperthreads."""
BIGGEST: Final = 10


@dataclass(frozen=True, slots=True)
class Estimate:
    """Counts of everything that would be indexed from nothing, and what embedding it takes."""

    files: int
    bytes: int
    languages: dict[str, int]
    biggest: tuple[tuple[str, int], ...]
    """Files, with their bytes."""
    folders: tuple[tuple[str, int], ...]
    """Top folders, with the bytes below them."""
    skipped: dict[str, int]
    chunks: int
    tokens: int
    """An estimate by `BYTES_A_TOKEN`, since no server tells of its tokenizer beforehand."""
    embedded: int
    """Chunks whose vectors are there already."""
    seconds: float | None
    """None where nothing was embedded with this model before."""
    dollars: float | None
    """None where the price is not known."""
    needs_consent: bool


async def estimate(store: Store, checkout: Checkout, workers: Workers, rules: Rules, chooser: Chooser) -> Estimate:
    """Reads the folder and a sample of its files; asks no embedding server."""
    scan = await asyncio.to_thread(files.scan, checkout.root, rules)
    total = sum(each.stat.size for each in scan.found)
    sample = _sample(scan.found)
    chunks = texts = read = 0
    if sample:
        tasks = tuple(FileTask(each.path, each.stat.size, None, ()) for each in sample)
        result = await workers.run(Task(checkout.root, rules, tasks, Embedder()), recall_nothing)
        rows = [row for each in result.read for row in (each.change.added if each.change else ())]
        chunks, texts = len(rows), sum(len(row.content) + HEADER_BYTES for row in rows)
        read = sum(each.stat.size for each in result.read)
    scale = total / read if read else 0.0
    choice = await chooser.look()
    pool = await store.pool()
    left = await lacking.count(pool, checkout.repository_id, choice.target.id)
    stored = await pool.fetchval(
        "select count(*) from code_chunks c join code_files f on f.id = c.code_file_id where f.repository_id = $1",
        checkout.repository_id,
    )
    tokens = passages.tokens(round(texts * scale))
    all_chunks = round(chunks * scale)
    share = max(0.0, 1 - (stored - left) / all_chunks) if all_chunks else 0.0
    price = chooser.embedders.price(choice.target.kind)
    dollars = round(tokens * share * price / 1e6, 4) if price is not None else None
    settings = chooser.embedders.settings
    is_allowed = await store.allowed(checkout.repository_id, choice.target.id)
    rate = await _rate(store, choice.target.identity.name) if choice.target.is_remote else LOCAL_RATE * workers.count
    return Estimate(
        files=len(scan.found),
        bytes=total,
        languages=dict(Counter(detect(each.path).id for each in scan.found).most_common()),
        biggest=tuple((each.path, each.stat.size) for each in _biggest(scan.found)),
        folders=_folders(scan),
        skipped=dict(Counter(each.reason for each in scan.skipped)),
        chunks=all_chunks,
        tokens=tokens,
        embedded=stored - left,
        seconds=round(all_chunks * share / rate, 1) if rate else None,
        dollars=dollars,
        needs_consent=(dollars or 0) > settings.confirm_above and not is_allowed,
    )


async def _rate(store: Store, model: str) -> float | None:
    """Chunks a second that a server has given lately."""
    pool = await store.pool()
    rate: float | None = await pool.fetchval(
        "select 1000.0 * sum(chunk_count) / nullif(sum(generation_time_ms), 0) from (select * from embedding_metadata"
        " where model_name = $1 order by id desc limit 50) m", model,
    )  # fmt: skip
    return float(rate) if rate else None


def _sample(found: Sequence[Found]) -> list[Found]:
    """Every so manieth file by path, so that all folders speak."""
    ordered = sorted(found, key=lambda each: each.path)
    step = max(1, len(ordered) // SAMPLE)
    chosen: list[Found] = []
    size = 0
    for each in ordered[::step]:
        if size + each.stat.size <= SAMPLE_BYTES:
            chosen.append(each)
            size += each.stat.size
    return chosen


def _biggest(found: Sequence[Found]) -> list[Found]:
    return sorted(found, key=lambda each: (-each.stat.size, each.path))[:BIGGEST]


def _folders(scan: Scan) -> tuple[tuple[str, int], ...]:
    sizes: Counter[str] = Counter()
    for each in scan.found:
        sizes[each.path.partition("/")[0] if "/" in each.path else "."] += each.stat.size
    return tuple(sizes.most_common(BIGGEST))
