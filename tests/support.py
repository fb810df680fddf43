"""What several test files need: folders of files, and an index as plain values to compare."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import sightline
from sightline.adapters.store import Store
from sightline.core import bits
from sightline.core.segments import Block
from sightline.jobs import Summary
from sightline.searching import Answer, Options
from sightline.workspaces import Workspace

PACKAGE_ROOT = Path(sightline.__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Files:
    """A folder whose files a test writes."""

    root: Path

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for path, content in files.items():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)

    def remove(self, *paths: str) -> None:
        for path in paths:
            (self.root / path).unlink()


async def index(workspace: Workspace, *, force: bool = False) -> Summary:
    """Brings the workspace's index up to date."""
    return await workspace.index(lambda step: None, force=force)


async def paths_of(workspace: Workspace, query: str, **options: Any) -> list[str]:
    """The paths that a search answers, best first."""
    return [hit.path for hit in (await search(workspace, query, **options)).hits]


async def search(workspace: Workspace, query: str, **options: Any) -> Answer:
    return await workspace.search(query, Options(**options))


async def content_of(workspace: Workspace) -> dict[str, Any]:
    """The whole index of a checkout without ids and times: two equal indexes give equal values."""
    store = workspace.store
    repository = workspace.checkout.repository_id
    pool = await store.pool()
    files = await pool.fetch(
        "select relative_path, content_hash, language, outcome from code_files where repository_id = $1"
        " order by relative_path", repository,
    )  # fmt: skip
    chunks = await pool.fetch(
        "select f.relative_path, c.start_byte, c.end_byte, c.start_line, c.end_line, c.content, c.text_hash,"
        " c.document_hash, c.kind, c.symbol, c.container, c.signature, c.doc, c.project_id = $2,"
        " (select array_agg((d.name, d.folded, d.kind, d.depth, d.line_offset, d.line_count, d.container)::text"
        "   order by d.line_offset, d.name, d.kind) from definitions d where d.chunk_id = c.id),"
        " (select array_agg(e.embedding::text order by m.name) from embeddings e"
        "  join embedders m on m.id = e.embedder_id where e.chunk_id = c.id)"
        " from code_chunks c join code_files f on f.id = c.code_file_id where f.repository_id = $1"
        " order by f.relative_path, c.start_byte", repository, store.project_id,
    )  # fmt: skip
    return {
        "files": [tuple(row) for row in files],
        "chunks": [tuple(row) for row in chunks],
        "words": await _words(store, repository),
        "signs": await _signs(store, repository),
    }


async def _places(store: Store) -> dict[int, tuple[str, int]]:
    rows = await (await store.pool()).fetch(
        "select c.id, f.relative_path, c.start_byte from code_chunks c join code_files f on f.id = c.code_file_id"
    )
    return {row[0]: (row[1], row[2]) for row in rows}


async def _words(store: Store, repository: int) -> dict[tuple[str, int], Counter[tuple[str, int]]]:
    """For each chunk (by path and place) how often each term stands in each field, from the live segments."""
    places = await _places(store)
    pool = await store.pool()
    words: dict[tuple[str, int], Counter[tuple[str, int]]] = {}
    for segment, packed in await pool.fetch(
        "select id, chunk_ids from word_segments where repository_id = $1", repository
    ):
        ids = np.frombuffer(packed, "<i8")
        for each in ids.tolist():
            if each in places:
                assert places[each] not in words, "a live chunk is in two segments"
                words[places[each]] = Counter()
        for row in await pool.fetch("select data from postings where segment_id = $1", segment):
            terms, cells, chunks, frequencies = Block(row[0]).entries()
            for cell, chunk, frequency in zip(cells.tolist(), chunks.tolist(), frequencies.tolist(), strict=True):
                if (place := places.get(int(ids[chunk]))) is not None:
                    words[place][terms[cell // 6].decode(), cell % 6] += frequency
    return words


async def _signs(store: Store, repository: int) -> dict[tuple[str, int, str], bytes]:
    """The sign bits of each chunk (by path and place) by each model, from the live segments."""
    places = await _places(store)
    pool = await store.pool()
    signs: dict[tuple[str, int, str], bytes] = {}
    for packed, count, sign_bits, model in await pool.fetch(
        "select chunk_ids, chunk_count, sign_bits, m.name from vector_segments s"
        " join embedders m on m.id = s.embedder_id where repository_id = $1", repository,
    ):  # fmt: skip
        columns = bits.unpack(sign_bits, count)
        for number, each in enumerate(np.frombuffer(packed, "<i8").tolist()):
            if each in places:
                key = (*places[each], model)
                assert key not in signs, "a live chunk is in two segments"
                signs[key] = columns[:, number].tobytes()
    return signs


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    """The environment of a `sightline` process that uses the run's data folder."""
    return {**os.environ, "PYTHONPATH": str(PACKAGE_ROOT), "SIGHTLINE_DATA_DIR": str(data_dir), **more}


def command(*arguments: str | Path) -> list[str]:
    """The command line `sightline` of this checkout."""
    return [sys.executable, "-m", "sightline", *map(str, arguments)]


def run(data_dir: Path, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs `sightline` to its end."""
    return subprocess.run(
        command(*arguments), env=environment(data_dir, **more), capture_output=True, text=True, timeout=600, check=False
    )


def answered(output: str) -> Sequence[str]:
    """The paths in an answer printed with `--json`."""
    return [hit["path"] for hit in json.loads(output)["hits"]]
