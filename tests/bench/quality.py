"""How well searches answer: the relevance benchmark through the real store.

    quality.py BENCH_DIR REPOS_DIR [--only NAME ...] [--data-dir DIR] [--results FILE] [--failures N] [--json]

BENCH_DIR holds `sources.json`, `queries.jsonl` and `score.py`, REPOS_DIR a checkout of each repository under its name.
Every repository is indexed into an embedded Postgres (a temporary one unless --data-dir names one to keep, which
makes the next run skip the indexing) and every query is searched as a client would: ten files, one entry per file.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from types import ModuleType
from typing import Any

from sightline.__main__ import open_sightline
from sightline.searching import Options
from sightline.settings import parse

LIMIT = 10
Row = dict[str, Any]


def main() -> None:
    args = arguments()
    sources = json.loads((args.bench / "sources.json").read_text())
    queries = [json.loads(line) for line in (args.bench / "queries.jsonl").read_text().splitlines()]
    chosen = [name for name in sources if not args.only or name in args.only]
    roots = {name: args.repos / name / sources[name]["root"] for name in chosen}
    queries = [query for query in queries if query["repo"] in roots]
    with data_dir(args.data_dir) as data:
        answers = asyncio.run(search_all(roots, queries, data))
    args.results.parent.mkdir(parents=True, exist_ok=True)
    args.results.write_text("".join(json.dumps({"id": name, "results": rows}) + "\n" for name, rows in answers.items()))
    report = scored(args.bench, args.results)
    scorer = load_scorer(args.bench / "score.py")
    failed = failures(scorer, queries, answers)
    report |= {"display": "one entry per file", "results": str(args.results), "imperfect": len(failed)}
    report["reliability"] = reliability(scorer, queries, answers)
    if args.json:
        print(json.dumps(report | {"failures": failed}))
    else:
        print(json.dumps(report, indent=1))
        print(*map(told, failed[: args.failures]), sep="\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("repos", type=Path)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these repositories only")
    parser.add_argument("--data-dir", type=Path, help="keep the database here")
    parser.add_argument("--results", type=Path, default=Path(tempfile.gettempdir()) / "sightline-quality.jsonl")
    parser.add_argument("--failures", type=int, default=30, help="how many failing queries to tell without --json")
    parser.add_argument("--json", action="store_true", help="one line, with every failure")
    return parser.parse_args()


@contextmanager
def data_dir(named: Path | None) -> Iterator[Path]:
    """The named folder, else one that is gone afterwards; open to the user that Postgres runs as under root."""
    if named:
        named.mkdir(parents=True, exist_ok=True)
        yield named
        return
    with tempfile.TemporaryDirectory(prefix="sightline-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


async def search_all(roots: dict[str, Path], queries: list[Row], data: Path) -> dict[str, list[Row]]:
    """Each query's results, in the form that the scorer reads."""
    settings, _ = parse(command_line={"data_dir": str(data)})
    answers: dict[str, list[Row]] = {}
    async with open_sightline(settings) as sightline:
        for name, root in roots.items():
            workspace = await sightline.open(root.resolve())
            await workspace.index(lambda step: None)
            for query in (query for query in queries if query["repo"] == name):
                answer = await workspace.search(query["query"], Options(limit=LIMIT, max_per_file=1))
                answers[query["id"]] = [as_result(hit) for hit in answer.hits]
            print(f"{name}: searched", file=sys.stderr)
    return answers


def as_result(hit: Any) -> Row:
    """A hit as the scorer wants it: lines from 1, both inclusive."""
    return {
        "path": hit.path,
        "start_line": hit.start_line + 1,
        "end_line": hit.end_line + 1,
        "symbol": hit.symbol,
        "label": hit.label,
        "score": hit.score,
    }


def scored(bench: Path, results: Path) -> Row:
    """What the benchmark's own scorer prints."""
    command = [sys.executable, str(bench / "score.py"), str(results), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def load_scorer(path: Path) -> ModuleType:
    """The scorer as a module, so that a failure is judged by the same rules as the score."""
    spec = importlib.util.spec_from_file_location("benchmark_score", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is no Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def failures(scorer: ModuleType, queries: Iterable[Row], answers: dict[str, list[Row]]) -> list[Row]:
    """The queries that scored below 1, worst first, with each target's rank."""
    rows = []
    for query in queries:
        results = answers[query["id"]]
        score = scorer.ndcg(results, query["targets"], LIMIT)
        if score > 1 - 1e-9:
            continue
        found = [rank_of(scorer, target, results) for target in query["targets"]]
        rows.append(
            {
                "id": query["id"],
                "category": query["category"],
                "query": query["query"],
                "ndcg10": round(score, 4),
                "expected": [place(target) for target in query["targets"]],
                "ranks": found,
                "returned": [place(result) for result in results],
            }
        )
    return sorted(rows, key=lambda row: (row["ndcg10"], row["id"]))


def reliability(scorer: ModuleType, queries: Iterable[Row], answers: dict[str, list[Row]]) -> Row:
    """What the hits' scores and labels promise, and the share of them that are targets."""
    hits = [
        hit | {"right": any(scorer.matches(hit, target) for target in query["targets"])}
        for query in queries
        for hit in answers[query["id"]]
    ]
    bins = {
        f"{tenth / 10:.1f}": [hit for hit in hits if int(min(hit["score"], 0.999) * 10) == tenth] for tenth in range(10)
    }
    labels = {name: [hit for hit in hits if hit["label"] == name] for name in ("strong", "good", "weak")}
    return {
        "by_score": {name: kept(each) for name, each in bins.items()},
        "by_label": {name: kept(each) for name, each in labels.items()},
    }


def kept(hits: Sequence[Row]) -> Row:
    """How many hits there are, the mean of their scores, and the share that keeps the promise."""
    if not hits:
        return {"hits": 0}
    return {
        "hits": len(hits),
        "predicted": round(mean(hit["score"] for hit in hits), 3),
        "actual": round(mean(hit["right"] for hit in hits), 3),
    }


def rank_of(scorer: ModuleType, target: Row, results: list[Row]) -> int | None:
    """The place, from 1, of the first result that matches."""
    return next((rank for rank, result in enumerate(results, 1) if scorer.matches(result, target)), None)


def place(row: Row) -> str:
    return row["path"] if row["start_line"] is None else f"{row['path']}:{row['start_line']}-{row['end_line']}"


def told(row: Row) -> str:
    """A failure for a person: the query, what was expected and where it came, what came first instead."""
    expected = ", ".join(
        f"{where} at {rank}" if rank else f"{where} absent"
        for where, rank in zip(row["expected"], row["ranks"], strict=True)
    )
    first = ", ".join(row["returned"][:3])
    return f"{row['ndcg10']:.2f} {row['id']} ({row['category']}) {row['query']!r}: {expected}; first: {first}"


if __name__ == "__main__":
    main()
