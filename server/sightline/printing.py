"""What the command line shows a person; stdout gets results, stderr gets progress."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.syntax import Syntax
from rich.text import Text

from sightline import messages
from sightline.care import KINDS, CheckoutFacts, Details, Finding
from sightline.core.passages import BYTES_A_TOKEN
from sightline.doctor import Check
from sightline.estimating import Estimate
from sightline.jobs import Progress as Step
from sightline.jobs import Report, Summary
from sightline.projects import Project, ProjectInfo

if TYPE_CHECKING:
    from rich.console import RenderableType

AROUND: Final = 2
"""Lines of a snippet on each side of the best one."""
TAB: Final = 4
LABEL_STYLES: Final = {"strong": "bold green", "good": "yellow", "weak": "dim"}


class _ChunksPerSecond(ProgressColumn):
    def render(self, task: Task) -> RenderableType:
        chunks = int(task.fields.get("chunks", 0))
        rate = f"{chunks / task.elapsed:,.0f}/s" if task.elapsed else ""
        return Text(f"{chunks:,} chunks {rate}", style="dim")


@cache
def warn_once(sentence: str) -> None:
    """Says on stderr why something takes long, so that nobody waits for it without a word."""
    sys.stderr.write(f"{sentence}\n")


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[Report]:
    """A bar on stderr while files are indexed; nothing where there is nothing to do, or nobody to see it."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda step: None
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[unit]}"), _ChunksPerSecond(),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("scanning", total=None, visible=False, unit="files")

        def report(step: Step) -> None:
            bar.update(
                task,
                description=step.phase,
                completed=step.files_done,
                total=step.files_total or None,
                chunks=step.chunks,
                visible=bool(step.files_total),
                unit="chunks" if step.phase == "embedding" else "files",
            )

        yield report


def show_answer(answer: messages.Answer, query: str) -> None:
    """Hits as path:line with symbol, label and snippet."""
    console = _console()
    if not answer.hits:
        console.print(f"Nothing found for {query!r}.", markup=False, highlight=False)
    names = {each.id: each.name for each in answer.projects} if len(answer.projects) > 1 else {}
    for hit in answer.hits:
        _show_hit(console, hit, names.get(hit.project_id))
    for degraded in answer.degraded:
        said = degraded.message if degraded.code == "outside" else f"incomplete: {degraded.message}"
        Console(stderr=True).print(said, style="yellow", markup=False, highlight=False)


def show_summary(summary: Summary, *, listed: bool) -> None:
    """What a job did; with `listed`, everything that was left out."""
    console = _console()
    console.print(f"{summary.sentence()} ({summary.seconds:.1f} s)", highlight=False)
    for each in summary.skipped if listed else summary.failed:
        kind = "folder" if each.is_folder else "file"
        detail = f" ({each.detail})" if each.detail else ""
        console.print(f"  {each.reason}: {each.path} [{kind}]{detail}", markup=False, highlight=False)


def show_estimate(found: Estimate) -> None:
    """What an index run would read and cost."""
    rows = {
        "files": f"{found.files:,}, {found.bytes / 1e6:.1f} MB",
        "languages": ", ".join(f"{name} {count}" for name, count in found.languages.items()) or "none",
        "biggest folders": ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in found.folders) or "none",
        "biggest files": ", ".join(f"{path} {size / 1e3:.0f} kB" for path, size in found.biggest[:3]) or "none",
        "left out": ", ".join(f"{reason} {count}" for reason, count in found.skipped.items()) or "nothing",
        "chunks": f"about {found.chunks:,}, of which {found.embedded:,} have vectors",
        "tokens": f"about {found.tokens:,}, estimated by {BYTES_A_TOKEN} bytes each",
        "time": f"about {found.seconds:,.0f} s" if found.seconds is not None else "not known before the first job",
        "costs": _price(found),
    }
    _show_facts(rows)


def _price(found: Estimate) -> str:
    if found.dollars is None:
        return "not known: embedding.dollarsPerMillionTokens is not set"
    return f"about ${found.dollars:.2f}{', needs --yes' if found.needs_consent else ''}" if found.dollars else "nothing"


def show_status(project: Project, root: Path, status: Mapping[str, Any]) -> None:
    """Counts and the last job."""
    job = status["job"]
    rows = {
        "folder": str(root),
        "project": f"{project.name} ({project.id})",
        "decided by": project.trace[-1] if project.trace else project.resolved_by,
        "database": f"{project.database}, {status['size_bytes'] / 1e6:.0f} MB",
        "files": f"{status['files']:,}",
        "chunks": f"{status['chunks']:,}",
        "model": status["model"],
        "lack vectors": f"{status['pending_vectors']:,}" if status["pending_vectors"] else "none",
        "languages": ", ".join(f"{name} {count}" for name, count in status["languages"].items()) or "none",
        "current since": f"{status['last_indexed_at']:%Y-%m-%d %H:%M:%S} UTC" if status["last_indexed_at"] else "never",
        "last job": _last_job(job) if job else "none",
    }
    _show_facts(rows)


def _show_facts(rows: Mapping[str, str]) -> None:
    console, width = _console(), max(map(len, rows))
    for name, value in rows.items():
        console.print(Text.assemble((f"{name:{width}}  ", "dim"), value))


def _last_job(job: Mapping[str, Any]) -> str:
    if job["state"] in ("pending", "running"):  # a message says that nobody is at it
        return str(job["status_message"] or job["state"])
    return f"{job['state']}: {job['status_message']}"


def show_projects(projects: Sequence[ProjectInfo]) -> None:
    """A project's id, name, size and last use, and its folders below."""
    console = _console()
    if not projects:
        console.print("No projects yet.")
    for each in projects:
        size = f"{each.chunks:,} chunks, {each.size_bytes / 1e6:.0f} MB, last used {each.last_used_at[:16]}"
        state = f"  {each.state}" if each.state != "ready" else ""
        console.print(Text.assemble((each.id, "bold"), f"  {each.name}  ", (size, "dim"), (state, "yellow")))
        for root in each.roots:
            console.print(Text(f"    {root}"))


def show_project(details: Details) -> None:
    """Everything about one project."""
    entry = details.entry
    rows = [
        ("project", f"{entry.name} ({entry.id})"),
        ("description", entry.description),
        ("found by", entry.key),
        ("state", entry.state),
        ("database", f"{entry.database}, {details.size_bytes / 1e6:.0f} MB, schema {entry.schema_version}"),
        ("created", f"{details.created_at:%Y-%m-%d %H:%M} UTC"),
        ("last used", f"{details.last_used_at:%Y-%m-%d %H:%M} UTC"),
        ("models", ", ".join(details.models)),
        ("known texts", f"{details.known_texts:,}"),
        ("problem", details.problem),
        *(("folder", f"{each.path}{' (gone)' * (each.exists is False)}{_elsewhere(each.is_here)}") for each in details.roots),
        *(("indexed", _indexed(each)) for each in details.checkouts),
    ]  # fmt: skip
    console = _console()
    for name, value in rows:
        if value:
            console.print(Text.assemble((f"{name:<13}", "dim"), value))


def show_findings(findings: Sequence[Finding], outcomes: Mapping[str, str]) -> None:
    """What nobody needs any more, and what became of it."""
    console = _console()
    if not findings:
        console.print("Nothing is left over.")
    for each in findings:
        of = f"{each.name} ({each.project_id}), " if each.project_id else ""
        size = f"{each.size_bytes / 1e6:.0f} MB" if each.size_bytes else "no size"
        keep = f", kept: {each.keep}" if each.keep else ""
        done = f" {outcomes[each.key]}" if outcomes[each.key] and not each.keep else ""
        said = f"{KINDS[each.kind]}: {of}{each.database}, {size}{keep}"
        console.print(Text.assemble((said, "dim" if each.keep else ""), (done, "bold")))
        for folder in each.folders:
            console.print(Text(f"    {folder}"))


def show_checks(checks: Sequence[Check]) -> None:
    """A line a check, and what to do about those that failed."""
    console = _console()
    for check in checks:
        style, word = ("green", "ok") if check.is_fine else ("bold red", "FAILED")
        console.print(Text.assemble((f"{word:6} ", style), (f"{check.name}: ", "bold"), check.message))
        if check.hint:
            console.print(Text(f"       {check.hint}", style="yellow"))


def _indexed(checkout: CheckoutFacts) -> str:
    since = f"{checkout.last_indexed_at:%Y-%m-%d %H:%M} UTC" if checkout.last_indexed_at else "never whole"
    counts = f"{checkout.files:,} files, {checkout.chunks:,} chunks, {since}"
    return f"{checkout.path}{_elsewhere(checkout.is_here)}: {counts}"


def _elsewhere(is_here: bool) -> str:
    return "" if is_here else " (on another host)"


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise  # the command line knows what to do; rich would end the process with the code for "nothing found"


def _console() -> Console:
    return _Console(soft_wrap=True, emoji=False)


def _show_hit(console: Console, hit: messages.Hit, project: str | None) -> None:
    """With the project's name, where several were searched."""
    whose = f"[magenta]{escape(project)}[/]  " if project else ""
    line = hit.selection_range.start.line
    name = f"{hit.container}.{hit.symbol}" if hit.container and hit.symbol else hit.symbol
    console.print(
        f"{whose}[bold cyan]{escape(hit.path)}[/]:[bold]{line + 1}[/]  {escape(name)} [dim]{hit.kind}[/]"
        f"  [{LABEL_STYLES[hit.label]}]{hit.label}[/]",
        highlight=False,
    )
    for snippet in _snippets(hit, line):
        console.print(snippet)
    if hit.more:
        others = ", ".join(str(each.range.start.line + 1) for each in hit.more)
        console.print(f"    [dim]also at line {others}[/]", highlight=False)
    if hit.signals:
        shares = "  ".join(f"{name} {value:+.2f}" for name, value in hit.signals.items())
        rank = sum(hit.signals.values())
        console.print(
            f"    [dim]{hit.label} by relevance {hit.score:.2f}; rank {rank:.2f} = {shares}[/]", highlight=False
        )
    console.print()


def _snippets(hit: messages.Hit, line: int) -> Iterator[Text]:
    """A few lines around the best one, numbered and coloured, the query's words underlined."""
    lines = hit.snippet.split("\n")
    first = hit.snippet_line
    start, end = max(0, line - first - AROUND), min(len(lines), line - first + AROUND + 1)
    shown = "\n".join(lines[start:end])
    coloured = Syntax("", _lexer(hit.language), theme="ansi_dark", tab_size=TAB).highlight(shown).split("\n")
    for number, text in enumerate(coloured[: end - start], first + start):
        for mark in hit.highlights:
            if mark.start.line == number:
                columns = (_column(lines[number - first], each.character) for each in (mark.start, mark.end))
                text.stylize("underline bold", *columns)
        yield Text.assemble((f"{number + 1:>7} ", "dim"), text)


def _column(line: str, units: int) -> int:
    """Where a character, counted in UTF-16 as answers do, is shown: colouring makes spaces of tabs."""
    return len(line.encode("utf-16-le", "surrogatepass")[: 2 * units].decode("utf-16-le", "ignore").expandtabs(TAB))


def _lexer(language: str) -> str:
    return {"plaintext": "text", "shellscript": "bash", "javascriptreact": "jsx", "typescriptreact": "tsx"}.get(
        language, language
    )
