"""How fast, and how big: indexing and searching real folders, beside semble where its Python is named.

    speed.py FOLDER ... [--peer-python PATH --peer-model PATH] [--queries FILE] [--workers N] [--data-dir DIR]

For each folder, ours (`run_sightline.py`) and the peer (`run_semble.py`, in a virtual environment of its own with
semble==0.7) run one after the other, each in a fresh process with as many index workers. Prints JSON: seconds of the
cold index and of the second one, milliseconds of a query in process, and the peak memory of each phase in MB, told
apart by main process, workers and Postgres (PSS where the system has it, so that shared pages count once).
--queries takes a file with one query, or one JSON object with a `query`, on each line; thirty of our own are built in.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

HERE = Path(__file__).parent
SERVER = HERE.parents[1] / "server"
SAMPLE_SECONDS = 0.25
SAMPLE_SECONDS_OF_QUERIES = 3.0
"""To look at every process costs as much as some queries: seldom while they are timed."""
Figures = dict[str, Any]


def main() -> None:
    args = arguments()
    report: Figures = {"machine": machine(), "workers": args.workers, "folders": []}
    for folder in args.folders:
        figures = {"folder": str(folder), "load_before": round(os.getloadavg()[0], 2), "sightline": ours(folder, args)}
        if args.peer_python:
            figures["semble"] = peer(folder, args)
        report["folders"].append(figures)
        print(f"{folder}: done", file=sys.stderr)
    print(json.dumps(report, indent=1))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--peer-python", type=Path, help="the Python of a virtual environment that has semble==0.7")
    parser.add_argument("--peer-model", type=Path, help="a model2vec folder for the peer; its default needs a download")
    parser.add_argument("--queries", default="", metavar="FILE")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--data-dir", type=Path, help="parent of our temporary databases")
    return parser.parse_args()


def machine() -> Figures:
    return {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}


def ours(folder: Path, args: argparse.Namespace) -> Figures:
    """Our figures, with a database of its own that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="sightline-", dir=args.data_dir, ignore_cleanup_errors=True) as data:
        Path(data).chmod(0o755)
        env = {
            "SIGHTLINE_DATA_DIR": data,
            "SIGHTLINE_INDEX_WORKERS": str(args.workers),
            "PYTHONPATH": os.pathsep.join([str(SERVER), os.environ.get("PYTHONPATH", "")]),
        }
        return measured([sys.executable, str(HERE / "run_sightline.py"), str(folder), args.queries], env, Path(data))


def peer(folder: Path, args: argparse.Namespace) -> Figures:
    """The peer's figures, with a cache of its own that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="semble-") as cache:
        env = {"SEMBLE_CACHE_LOCATION": cache, "SEMBLE_INDEX_WORKERS": str(args.workers), "HF_HUB_OFFLINE": "1"}
        if args.peer_model:
            env["SEMBLE_MODEL_NAME"] = str(args.peer_model.absolute())
        return measured([str(args.peer_python), str(HERE / "run_semble.py"), str(folder), args.queries], env, None)


def measured(command: list[str], env: dict[str, str], data: Path | None) -> Figures:
    """What a run prints, one JSON object a line, with the memory of each phase that it announces."""
    figures: Figures = {}
    with subprocess.Popen(command, env=os.environ | env, stdout=subprocess.PIPE, text=True) as process:
        memory = Memory(psutil.Process(process.pid), data)
        memory.start()
        for line in process.stdout or ():
            row = json.loads(line)
            memory.phase = row.pop("phase", memory.phase)
            figures |= row
        memory.stopped.set()
    memory.join()
    if process.returncode:
        raise SystemExit(f"{command[1]} ended with {process.returncode}")
    return figures | {"peak_mb": {phase: dict(parts) for phase, parts in memory.peaks.items()}}


class Memory(threading.Thread):
    """Samples a run's memory until it is told to stop; `phase` may change meanwhile."""

    def __init__(self, process: psutil.Process, data: Path | None) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.data = data
        self.phase = "start"
        self.stopped = threading.Event()
        self.peaks: dict[str, dict[str, int]] = {}

    def run(self) -> None:
        while not self.stopped.wait(SAMPLE_SECONDS_OF_QUERIES if self.phase == "search" else SAMPLE_SECONDS):
            parts = self.sample()
            peaks = self.peaks.setdefault(self.phase, {})
            for part, size in (parts | {"total": sum(parts.values())}).items():
                peaks[part] = max(peaks.get(part, 0), size)

    def sample(self) -> dict[str, int]:
        """Megabytes now, by part."""
        sizes: dict[str, float] = defaultdict(float)
        for part, process in self.parts():
            try:
                info = process.memory_full_info()
                sizes[part] += getattr(info, "pss", info.rss) / 1e6
            except psutil.AccessDenied:
                sizes[part] += process.memory_info().rss / 1e6
            except psutil.NoSuchProcess:
                continue
        return {part: round(size) for part, size in sizes.items()}

    def parts(self) -> Iterator[tuple[str, psutil.Process]]:
        """The run's processes, each with the part that it plays."""
        yield "main", self.process
        try:
            children = self.process.children(recursive=True)
        except psutil.NoSuchProcess:
            return
        servers = {process.pid: process for process in psutil.process_iter() if self.is_server(process)}
        yield from (("postgres", process) for process in servers.values())
        yield from (("workers", process) for process in children if process.pid not in servers)

    def is_server(self, process: psutil.Process) -> bool:
        """Whether it is a Postgres whose files (its working folder) are in our data folder."""
        try:
            return (
                self.data is not None
                and process.name().startswith("postgres")
                and Path(process.cwd()).is_relative_to(self.data.resolve())
            )
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False


if __name__ == "__main__":
    main()
