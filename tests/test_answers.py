"""Answers tell places in the columns that the client counts in, and what they show is what they point at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from sightline import messages, searching
from sightline.answers import MOST_MARKS, SNIPPET_LINES, Encoding, to_answer, to_hit
from sightline.core.anchoring import lines_of, marks
from sightline.core.identifiers import text_terms
from sightline.printing import show_answer
from sightline.projects import Project

ROOT = Path.cwd().absolute() / "a folder"
PROJECT = Project("api-2", "api", "sightline_api_01234567", "folder", ("folder: the own project of api",))
ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")
WORDS = st.sampled_from(
    ["open_file", "größe", "🙂", "👩\u200d👧", "cafe\u0301", "数据", "𐐷", "\t", " ", " = ", "\u2028", "file"]
)
LINES = st.lists(WORDS, min_size=1, max_size=6).map("".join)


def hit_of(text: str, best: int = 0, query: str = "", start_line: int = 0, **others: object) -> searching.Hit:
    """A hit whose text begins at `start_line`; `best` counts from there."""
    hit = searching.Hit(
        project_id="api-2",
        root=ROOT,
        path="src/größe.py",
        language="python",
        kind="function",
        symbol="one",
        container="Outer",
        signature="def one():",
        text=text,
        start_line=start_line,
        end_line=start_line + len(lines_of(text)) - 1,
        best_line=start_line + best,
        terms=tuple(text_terms(query)),
        label="good",
        score=0.123456,
        verified=True,
    )
    return replace(hit, **others)  # type: ignore[arg-type]


def shown_by(place: messages.Range, lines: Sequence[str], first: int, encoding: Encoding) -> str:
    """What a client reads in a range of one line."""
    width = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
    codec = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}[encoding]
    assert place.start.line == place.end.line
    data = lines[place.start.line - first].encode(codec)
    return data[place.start.character * width : place.end.character * width].decode(codec)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(lines=st.lists(LINES, min_size=1, max_size=6), data=st.data())
def test_columns_count_the_clients_units(encoding: Encoding, lines: list[str], data: st.DataObject) -> None:
    best, first = data.draw(st.integers(0, len(lines) - 1)), data.draw(st.integers(0, 99))
    hit = hit_of("\n".join(lines), best, "file größe café 数据", first)
    message = to_hit(hit, encoding)
    assert shown_by(message.selection_range, lines, first, encoding) == lines[best].strip()
    words = [line[start:end] for line in lines for start, end in marks(line, hit.terms)]
    assert [shown_by(each, lines, first, encoding) for each in message.highlights] == words
    assert (message.range.start.line, message.range.start.character) == (first, 0)
    end = message.range.end
    last = messages.Range(start=messages.Position(line=end.line, character=0), end=end)
    assert shown_by(last, lines, first, encoding) == lines[-1]


@pytest.mark.parametrize(("encoding", "start", "end"), [("utf-8", 11, 17), ("utf-16", 8, 13), ("utf-32", 7, 12)])
def test_emoji_and_combining_characters_are_counted_unit_by_unit(encoding: Encoding, start: int, end: int) -> None:
    message = to_hit(hit_of("  🙂é = cafe\u0301", query="café"), encoding)
    (mark,) = message.highlights
    assert (mark.start.character, mark.end.character) == (start, end)
    assert (message.selection_range.start.character, message.selection_range.end.character) == (2, end)


def test_line_ends_of_every_sort_end_lines() -> None:
    message = to_hit(hit_of("one\r\n  two file\rthree\nfour", best=1, query="file", start_line=7), "utf-16")
    assert message.snippet == "one\n  two file\nthree\nfour"
    assert (message.selection_range.start.line, message.selection_range.start.character) == (8, 2)
    assert message.selection_range.end.character == 10
    assert (message.range.end.line, message.range.end.character) == (10, 4)
    assert [(each.start.line, each.start.character) for each in message.highlights] == [(8, 6)]


@given(st.integers(1, 130), st.data())
def test_a_long_snippet_keeps_the_best_line_and_only_its_marks(count: int, data: st.DataObject) -> None:
    best, first = data.draw(st.integers(0, count - 1)), data.draw(st.integers(0, 50))
    lines = [f"file_{number} = {number}" for number in range(count)]
    message = to_hit(hit_of("\n".join(lines), best, "file", first), "utf-16")
    shown = message.snippet.split("\n")
    assert len(shown) == min(count, SNIPPET_LINES)
    start = message.snippet_line - first
    assert shown == lines[start : start + len(shown)]
    assert lines[best] in shown
    assert [each.start.line for each in message.highlights] == [message.snippet_line + row for row in range(len(shown))]
    assert (message.range.start.line, message.range.end.line) == (first, first + count - 1)


@pytest.mark.parametrize("best", [30, 45, 59])
def test_the_command_line_shows_the_best_line_of_a_long_hit(best: int, capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join(f"value_{number} = {number}" for number in range(60))
    answer = searching.Answer((hit_of(text, best),), True, 100, "hybrid")
    show_answer(to_answer(answer, [PROJECT], 1.0), "value")
    shown = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if "value_" in line]
    assert [str(best + 1), f"value_{best} = {best}"] in shown
    assert all(text == f"value_{int(number) - 1} = {int(number) - 1}" for number, text in shown)


def test_marks_are_bounded() -> None:
    assert len(to_hit(hit_of("file " * 200, query="file"), "utf-16").highlights) == MOST_MARKS


@pytest.mark.parametrize("text", ["", "   ", "\t\n "])
def test_a_blank_hit_has_ranges_that_are_not_reversed(text: str) -> None:
    place = to_hit(hit_of(text), "utf-16").selection_range
    assert (place.start.character, place.end.character) == (0, 0)


def test_a_hit_tells_where_it_is_and_why() -> None:
    more = (searching.More(10, 12, "other"),)
    signals = {"cosine": 0.333333, "words": 0.0}
    message = to_hit(hit_of("x = 1", more=more, signals=signals), "utf-16")
    assert message.uri == (ROOT / "src/größe.py").as_uri()
    assert (message.path, message.project_id, message.symbol, message.container) == (
        "src/größe.py", "api-2", "one", "Outer",
    )  # fmt: skip
    assert (message.label, message.score, message.verified) == ("good", 0.1235, True)
    assert message.signals == {"cosine": 0.3333, "words": 0.0}
    ((further,),) = [message.more]
    assert (further.symbol, further.range.start.line, further.range.end.line) == ("other", 10, 13)
    assert (further.range.start.character, further.range.end.character) == (0, 0)


def test_an_unexplained_hit_has_no_signals() -> None:
    assert to_hit(hit_of("x"), "utf-16").signals is None


@pytest.mark.parametrize(("complete", "degraded"), [(True, []), (False, ["indexing"])])
def test_an_answer_says_whether_all_was_searched(complete: bool, degraded: list[str]) -> None:
    answer = searching.Answer((hit_of("x = 1"),), complete, 100 if complete else 40, "hybrid")
    message = to_answer(answer, [PROJECT], 1.23456)
    assert (message.complete, message.indexed_percent) == (complete, 100 if complete else 40)
    assert [each.code for each in message.degraded] == degraded
    assert (message.mode, message.took_ms, len(message.hits)) == ("hybrid", 1.23, 1)
    (project,) = message.projects
    assert (project.id, project.name, project.database_name) == (PROJECT.id, PROJECT.name, PROJECT.database)
    assert (project.resolved_by, project.trace) == ("folder", PROJECT.trace)


def test_an_answer_is_camel_case_on_the_wire_and_reads_back() -> None:
    answer = to_answer(searching.Answer((hit_of("x = 1", query="x"),), True, 100, "lexical"), [PROJECT], 2.0)
    wire = json.loads(answer.model_dump_json(by_alias=True))
    assert {"indexedPercent", "tookMs", "degraded"} <= set(wire)
    assert {"selectionRange", "projectId", "snippetLine", "highlights"} <= set(wire["hits"][0])
    assert {"databaseName", "resolvedBy"} <= set(wire["projects"][0])
    assert messages.Answer.model_validate(wire) == answer


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "query"),
        ({"query": 7}, "query"),
        ({"query": "x" * 10_001}, "query"),
        ({"query": "x", "limit": 0}, "limit"),
        ({"query": "x", "limit": 51}, "limit"),
        ({"query": "x", "maxPerFile": 0}, "maxPerFile"),
        ({"query": "x", "mode": "best"}, "mode"),
        ({"query": "x", "filters": {"paths": []}}, "filters"),
        ({"query": "x", "colour": 1}, "colour"),
        ({"query": "x", "projectId": "Not An Id"}, "projectId"),
        ({"query": "x", "projectId": "api\n"}, "projectId"),
        ({"query": "x", "projectId": "a" * 51}, "projectId"),
    ],
)
def test_wrong_parameters_are_named(params: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        messages.SearchParams.model_validate(params)
    assert [each["loc"][0] for each in caught.value.errors()] == [field]


def test_every_message_is_frozen_and_refuses_unknown_fields() -> None:
    kinds = [each for each in vars(messages).values() if isinstance(each, type) and issubclass(each, BaseModel)]
    kinds = [each for each in kinds if each is not BaseModel]
    assert len(kinds) > 9
    assert all(kind.model_config.get("extra") == "forbid" and kind.model_config.get("frozen") for kind in kinds)
