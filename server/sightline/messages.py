"""Our requests, answers and notifications as pydantic models: what LSP and `--json` both speak."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Label = Literal["strong", "good", "weak"]
Mode = Literal["hybrid", "lexical", "semantic"]


class Message(BaseModel):
    """camelCase on the wire; unknown fields are errors."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Position(Message):
    line: int
    character: int


class Range(Message):
    start: Position
    end: Position


class FilterParams(Message):
    """Filters besides those in the query box."""

    languages: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class SearchParams(Message):
    query: Annotated[str, Field(max_length=10_000)]
    folder: str | None = None
    project_id: str | None = None
    limit: Annotated[int, Field(ge=1, le=50)] = 10
    max_per_file: Annotated[int, Field(ge=1, le=50)] = 1
    filters: FilterParams = FilterParams()
    mode: Mode = "hybrid"
    explain: bool = False


class MoreHit(Message):
    """A further hit in the file of another."""

    range: Range
    symbol: str


class Hit(Message):
    uri: str
    range: Range
    selection_range: Range
    """The best line."""
    path: str
    """Relative to the project's root."""
    project_id: str
    language: str
    kind: str
    symbol: str
    container: str
    snippet: str
    snippet_line: int
    """The file's line that the snippet begins with: a long chunk is shown from its middle."""
    highlights: tuple[Range, ...]
    """Words that match, in the file's coordinates."""
    label: Label
    score: float
    verified: bool
    more: tuple[MoreHit, ...] = ()
    signals: dict[str, float] | None = None


class AnswerProject(Message):
    id: str
    name: str
    database_name: str
    resolved_by: Literal["explicit", "config", "workflow", "folder", "default"]
    trace: tuple[str, ...]


class Degraded(Message):
    code: Literal["indexing", "vectorsPending", "embedderUnavailable", "deadline"]
    message: str


class Answer(Message):
    hits: tuple[Hit, ...]
    projects: tuple[AnswerProject, ...]
    complete: bool
    indexed_percent: int
    mode: Mode
    degraded: tuple[Degraded, ...] = ()
    took_ms: float
