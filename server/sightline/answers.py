"""From search results to messages, in the position encoding of whoever asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal

from sightline import messages, searching
from sightline.core.anchoring import lines_of, marks
from sightline.projects import Project

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
    degraded = () if answer.complete else (messages.Degraded(code="indexing", message="the first scan has not ended"),)
    return messages.Answer(
        hits=tuple(to_hit(hit, encoding) for hit in answer.hits),
        projects=tuple(to_project(project) for project in projects),
        complete=answer.complete,
        indexed_percent=answer.indexed_percent,
        mode=answer.mode,
        degraded=degraded,
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


def to_hit(hit: searching.Hit, encoding: Encoding) -> messages.Hit:
    lines = lines_of(hit.text)
    units = _UNITS[encoding]
    best = lines[hit.best_line - hit.start_line].rstrip()
    shown = _window(len(lines), hit.best_line - hit.start_line)
    return messages.Hit(
        uri=(hit.root / hit.path).as_uri(),
        range=_range(hit.start_line, 0, hit.end_line, units(lines[-1])),
        selection_range=_range(hit.best_line, units(_indent(best)), hit.best_line, units(best)),
        path=hit.path,
        project_id=hit.project_id,
        language=hit.language,
        kind=hit.kind,
        symbol=hit.symbol,
        container=hit.container,
        snippet="\n".join(lines[shown.start : shown.stop]),
        snippet_line=hit.start_line + shown.start,
        highlights=tuple(_highlights(hit, lines, shown, units)),
        label=hit.label,
        score=round(hit.score, 4),
        verified=hit.verified,
        more=tuple(
            messages.MoreHit(range=_range(each.start_line, 0, each.end_line + 1, 0), symbol=each.symbol)
            for each in hit.more
        ),
        signals={name: round(value, 4) for name, value in hit.signals.items()} or None,
    )


def _highlights(
    hit: searching.Hit, lines: Sequence[str], shown: range, units: Callable[[str], int]
) -> list[messages.Range]:
    found = []
    for number in shown:
        line, at = lines[number], hit.start_line + number
        for start, end in marks(line, hit.terms):
            found.append(_range(at, units(line[:start]), at, units(line[:end])))
    return found[:MOST_MARKS]


def _window(count: int, best: int) -> range:
    """At most SNIPPET_LINES of `count` lines, the best one among them."""
    start = max(0, min(best - SNIPPET_LINES // 2, count - SNIPPET_LINES))
    return range(start, min(start + SNIPPET_LINES, count))


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _range(start_line: int, start: int, end_line: int, end: int) -> messages.Range:
    return messages.Range(
        start=messages.Position(line=start_line, character=start), end=messages.Position(line=end_line, character=end)
    )
