"""From search results to messages, in the position encoding of whoever asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from sightline import messages, searching
from sightline.core.anchoring import lines_of, marks
from sightline.projects import Project, ProjectInfo

Encoding = Literal["utf-8", "utf-16", "utf-32"]
SNIPPET_LINES: Final = 40
MOST_MARKS: Final = 50

_UNITS: Final[dict[Encoding, Callable[[str], int]]] = {
    "utf-8": lambda text: len(text.encode("utf-8", "surrogatepass")),
    "utf-16": lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
    "utf-32": len,
}


def to_answer(
    answer: searching.Answer, projects: Sequence[Project], took_ms: float, encoding: Encoding = "utf-16"
) -> messages.Answer:
    """The message of an answer."""
    degraded = [messages.Degraded(code=each.code, message=each.message) for each in answer.lacks]
    if answer.indexed_percent < 100:
        degraded.insert(0, messages.Degraded(code="indexing", message="the first scan has not ended"))
    return messages.Answer(
        hits=tuple(to_hit(hit, encoding) for hit in answer.hits),
        projects=tuple(to_project(project) for project in projects),
        complete=answer.complete,
        indexed_percent=answer.indexed_percent,
        mode=answer.mode,
        degraded=tuple(degraded),
        took_ms=round(took_ms, 2),
    )


def to_project(project: Project) -> messages.AnswerProject:
    return messages.AnswerProject(
        id=project.id,
        name=project.name,
        database_name=project.database,
        resolved_by=project.resolved_by,
        trace=project.trace,
    )


def to_listed(project: ProjectInfo) -> messages.ListedProject:
    return messages.ListedProject(
        id=project.id,
        name=project.name,
        database_name=project.database,
        state=project.state,
        roots=project.roots,
        chunks=project.chunks,
        size_bytes=project.size_bytes,
        last_used_at=project.last_used_at,
    )


def to_hit(hit: searching.Hit, encoding: Encoding) -> messages.Hit:
    lines = lines_of(hit.text)
    units = len if hit.text.isascii() else _UNITS[encoding]
    best = lines[hit.best_line - hit.start_line].rstrip()
    shown = _window(len(lines), hit.best_line - hit.start_line)
    # Plain values, checked in one step: a model for each position takes longer to make than all the rest.
    values = {
        "uri": (hit.root / hit.path).as_uri(),
        "range": _range(hit.start_line, 0, hit.end_line, units(lines[-1])),
        "selection_range": _range(hit.best_line, units(_indent(best)), hit.best_line, units(best)),
        "path": hit.path,
        "project_id": hit.project_id,
        "language": hit.language,
        "kind": hit.kind,
        "symbol": hit.symbol,
        "container": hit.container,
        "snippet": "\n".join(lines[shown.start : shown.stop]),
        "snippet_line": hit.start_line + shown.start,
        "highlights": _highlights(hit, lines[shown.start : shown.stop], hit.start_line + shown.start, units),
        "label": hit.label,
        "score": round(hit.score, 4),
        "verified": hit.verified,
        "more": [
            {"range": _range(each.start_line, 0, each.end_line + 1, 0), "symbol": each.symbol} for each in hit.more
        ],
        "signals": {name: round(value, 4) for name, value in hit.signals.items()} or None,
    }
    return messages.Hit.model_validate(values)


def _highlights(
    hit: searching.Hit, shown: Sequence[str], first_line: int, units: Callable[[str], int]
) -> list[dict[str, Any]]:
    """The places of what matches in the lines that are shown, the first of which is `first_line`."""
    found: list[dict[str, Any]] = []
    number = begin = 0
    for start, end in marks("\n".join(shown), hit.terms)[:MOST_MARKS]:
        while start > begin + len(shown[number]):
            begin += len(shown[number]) + 1
            number += 1
        line, at = shown[number], first_line + number
        found.append(_range(at, units(line[: start - begin]), at, units(line[: end - begin])))
    return found


def _window(count: int, best: int) -> range:
    """At most SNIPPET_LINES of `count` lines, the best one among them."""
    start = max(0, min(best - SNIPPET_LINES // 2, count - SNIPPET_LINES))
    return range(start, min(start + SNIPPET_LINES, count))


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _range(start_line: int, start: int, end_line: int, end: int) -> dict[str, Any]:
    return {"start": {"line": start_line, "character": start}, "end": {"line": end_line, "character": end}}
