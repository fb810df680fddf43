"""What the command line prints: the right lines, whatever stands in them."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from rich.text import Text

from sightline import messages, printing
from sightline.adapters.files import Skipped
from sightline.answers import to_answer
from sightline.doctor import Check
from sightline.jobs import Summary
from sightline.projects import Project, ProjectInfo
from sightline.workspaces import Workspace
from support import Files, command, environment, index, search

SESSION = (
    'class SessionStore:\n    """Keeps sessions on disk."""\n\n    def save(self, session):\n        return session\n'
)


async def answered(workspace: Workspace, query: str, **options: Any) -> messages.Answer:
    return to_answer(await search(workspace, query, **options), [workspace.project], 1.0)


def numbered(output: str) -> dict[int, str]:
    """The snippet's lines by their numbers."""
    found = (re.match(r" *(\d+) (.*)", line) for line in output.splitlines())
    return {int(match[1]): match[2] for match in found if match}


@pytest.mark.parametrize("place", [0, 1, 25, 39, 45, 58, 59])
async def test_the_best_line_is_shown_with_its_number(
    workspace: Workspace, folder: Files, capsys: pytest.CaptureFixture[str], place: int
) -> None:
    lines = [f"    row_{number} = {number}" for number in range(60)]
    lines[place] = "    needle = session"
    source = ["# above", "", "", "def long_one():", *lines]
    folder.write({"a.py": "\n".join(source) + "\n"})
    await index(workspace)
    printing.show_answer(await answered(workspace, "needle session"), "needle session")
    shown = numbered(capsys.readouterr().out)
    assert 3 <= len(shown) <= 2 * printing.AROUND + 1
    assert shown == {number: source[number - 1] for number in shown}
    assert 5 + place in shown


async def test_words_of_the_query_are_marked_in_any_line(
    workspace: Workspace, folder: Files, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write({"a.go": 'package a\n\nfunc Save() {\n\tx := "😀é"; session(x)\t// 日本 session\n}\n'})
    await index(workspace)
    monkeypatch.setenv("FORCE_COLOR", "1")
    printing.show_answer(await answered(workspace, "session"), "session")
    line = next(each for each in capsys.readouterr().out.splitlines() if "😀" in each)
    text = Text.from_ansi(line)
    marked = {text.plain[span.start : span.end] for span in text.spans if getattr(span.style, "underline", False)}
    assert marked == {"session"}


async def test_an_entry_tells_its_other_places_and_signals(
    workspace: Workspace, folder: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    body = "".join(f"    step_{line} = session[{line}]\n" for line in range(40))
    folder.write({"a [b] :smile:.py": f"class Store:\n    def one(self):\n    {body}\n    def two(self):\n    {body}"})
    await index(workspace)
    answer = await answered(workspace, "session step", explain=True)
    printing.show_answer(answer, "session step")
    output = capsys.readouterr().out
    assert output.startswith("a [b] :smile:.py:")
    assert re.search(r"also at line \d+", output)
    explained = re.search(r"(strong|good|weak) by relevance \d\.\d\d; rank (\d+\.\d\d) = (cosine .*)", output)
    assert explained
    shares = [float(each) for each in re.findall(r"[+-]\d+\.\d\d", explained[3])]
    assert abs(sum(shares) - float(explained[2])) <= 0.01 * len(shares)


@pytest.mark.parametrize("query", ["[/]", "[bold]x", "[/foo]", "plain", ":smile:", "a'b", "\x1b[31m"])
def test_any_query_that_finds_nothing_is_told(capsys: pytest.CaptureFixture[str], query: str) -> None:
    empty = messages.Answer(hits=(), projects=(), complete=True, indexed_percent=100, mode="hybrid", took_ms=1)
    printing.show_answer(empty, query)
    assert capsys.readouterr().out == f"Nothing found for {query!r}.\n"


def test_an_answer_that_lacks_something_says_so_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    answer = messages.Answer(
        hits=(), projects=(), complete=False, indexed_percent=10, mode="hybrid", took_ms=1,
        degraded=(messages.Degraded(code="indexing", message="the first scan has not ended"),),
    )  # fmt: skip
    printing.show_answer(answer, "x")
    captured = capsys.readouterr()
    assert captured.err == "incomplete: the first scan has not ended\n"
    assert "incomplete" not in captured.out


def test_a_summary_lists_what_failed_and_all_that_is_left_out_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    skipped = [
        Skipped("[red]a.py", "unreadable", detail="permission denied"),
        Skipped("node_modules", "excluded", is_folder=True),
    ]
    summary = Summary(files_seen=3, files_indexed=1, chunks_added=2, skipped=skipped, seconds=1.23)
    printing.show_summary(summary, listed=False)
    assert capsys.readouterr().out.splitlines() == [
        "1 file indexed, 1 failed: 2 chunks new, 0 gone (1.2 s)", "  unreadable: [red]a.py [file] (permission denied)"
    ]  # fmt: skip
    printing.show_summary(summary, listed=True)
    assert capsys.readouterr().out.splitlines()[2:] == ["  excluded: node_modules [folder]"]


def test_a_folder_without_anything_has_a_status(capsys: pytest.CaptureFixture[str]) -> None:
    status = {
        "files": 0,
        "chunks": 0,
        "size_bytes": 9_000_000,
        "last_indexed_at": None,
        "languages": {},
        "job": None,
        "model": "m",
        "pending_vectors": 0,
    }
    printing.show_status(Project("id", "[b]name", "db", "folder"), Path("/some/where"), status)
    shown = dict(re.split(r"  +", line.strip(), maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert shown["project"] == "[b]name (id)"
    assert (shown["languages"], shown["current since"], shown["last job"]) == ("none", "never", "none")


def test_a_status_is_one_line_a_fact_however_long(capsys: pytest.CaptureFixture[str]) -> None:
    job = {"state": "running", "status_message": "interrupted; the next run goes on with it"}
    status = {
        "files": 0,
        "chunks": 0,
        "size_bytes": 0,
        "last_indexed_at": None,
        "languages": {},
        "job": job,
        "model": "m",
        "pending_vectors": 0,
    }
    root = Path("/some/where") / ("deep/" * 60)
    printing.show_status(Project("id", "name", "db", "folder"), root, status)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11
    assert lines[0] == f"folder         {root}"
    assert lines[-1] == "last job       interrupted; the next run goes on with it"
    assert not any(line != line.rstrip() for line in lines)


async def test_a_status_tells_counts_and_the_last_job(
    workspace: Workspace, folder: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.write({"a.py": SESSION})
    await index(workspace)
    printing.show_status(workspace.project, folder.root, await workspace.status())
    output = capsys.readouterr().out
    assert re.search(r"languages +python 1\b", output)
    assert re.search(r"current since +20\d\d-", output)
    assert "completed: 1 file indexed" in output


def test_projects_are_listed_with_their_folders(capsys: pytest.CaptureFixture[str]) -> None:
    printing.show_projects([])
    assert capsys.readouterr().out == "No projects yet.\n"
    name = uuid4().hex
    printing.show_projects(
        [ProjectInfo(name, "[b]", "db", ("/a [x]", "/b"), 1234, 5_000_000, "2026-01-02 03:04:05+00")]
    )
    output = capsys.readouterr().out
    assert f"{name}  [b]  1,234 chunks, 5 MB, last used 2026-01-02 03:04" in output
    assert "/a [x]" in output
    assert "/b" in output


def test_checks_are_listed_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    printing.show_checks([Check("model", True, "fine [x]"), Check("disk", False, "full", "Free some.")])
    assert capsys.readouterr().out.splitlines() == ["ok     model: fine [x]", "FAILED disk: full", "       Free some."]


def test_nobody_sees_a_progress_bar_that_is_piped(capsys: pytest.CaptureFixture[str]) -> None:
    with printing.progress(quiet=False) as report:
        report(printing.Step("indexing", 1, 2, 3))
    with printing.progress(quiet=True) as report:
        report(printing.Step("indexing", 1, 2, 3))
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_files_done_of_a_total_and_chunks(data_dir: Path, folder: Files) -> None:
    folder.write({f"m{number}.py": SESSION * 60 for number in range(150)})
    ours, theirs = pty.openpty()
    variables = environment(data_dir, TERM="xterm", COLUMNS="120")
    process = subprocess.Popen(command("index", folder.root), env=variables, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown, deadline = b"", time.monotonic() + 250
    while time.monotonic() < deadline:
        if select.select([ours], [], [], 1)[0]:
            try:
                shown += os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
        elif process.poll() is not None:
            break
    os.close(ours)
    assert process.wait(100) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert re.search(r"indexing .* \d+/150 +files", text)
    assert re.search(r"[\d,]+ chunks", text)
