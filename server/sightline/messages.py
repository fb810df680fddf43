"""Our requests, answers and notifications as pydantic models: what LSP and `--json` both speak."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from sightline.core.identity import ID_GROUPS, ID_LENGTH

ProjectId = Annotated[str, Field(max_length=ID_LENGTH, pattern=rf"\A{ID_GROUPS}\z")]
Label = Literal["strong", "good", "weak"]
Mode = Literal["hybrid", "lexical", "semantic"]


class Message(BaseModel):
    """camelCase on the wire; unknown fields are errors."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class WorkParams(Message):
    """What every request may carry."""

    work_done_token: int | str | None = None
    partial_result_token: int | str | None = None


class Position(Message):
    line: Annotated[int, Field(ge=0)]
    character: Annotated[int, Field(ge=0)]


class Range(Message):
    start: Position
    end: Position


class FilterParams(Message):
    """Filters besides those in the query box."""

    languages: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class ScopeParams(WorkParams):
    """Where to look: a folder that is open, or a project; without either, all open folders."""

    folder: str | None = None
    """The URI of an open folder, or of one below it."""
    project_id: ProjectId | None = None


class LimitParams(ScopeParams):
    limit: Annotated[int, Field(ge=1, le=50)] | None = None
    """Where nothing is said: the setting search.limit, as search.mode for the mode."""
    max_per_file: Annotated[int, Field(ge=1, le=50)] = 1
    filters: FilterParams = FilterParams()
    mode: Mode | None = None
    explain: bool = False


class SearchParams(LimitParams):
    query: Annotated[str, Field(max_length=10_000)]


class TextDocument(Message):
    uri: str


class SimilarParams(LimitParams):
    text_document: TextDocument
    range: Range


class StatusParams(ScopeParams):
    pass


class IndexParams(ScopeParams):
    paths: tuple[str, ...] = ()
    """Relative files and folders; empty: everything."""
    force: bool = False
    dry_run: bool = False
    confirm: bool = False
    """Agrees to what embedding the folder costs."""


class RollbackModelParams(ScopeParams):
    pass


class JobsParams(ScopeParams):
    pass


class CancelJobParams(WorkParams):
    id: UUID


class NoParams(WorkParams):
    pass


class RemoveProjectParams(WorkParams):
    project_id: ProjectId
    confirm: str
    """The project's name, as a proof that this one is meant."""


class ExplainFileParams(WorkParams):
    uri: str


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
    code: Literal["indexing", "vectorsPending", "embedderUnavailable", "databaseUnavailable", "deadline", "outside"]
    """`outside`: a path of the query is in no folder that is searched."""
    message: str


class Answer(Message):
    hits: tuple[Hit, ...]
    projects: tuple[AnswerProject, ...]
    complete: bool
    indexed_percent: int
    mode: Mode
    degraded: tuple[Degraded, ...] = ()
    took_ms: float


class Job(Message):
    id: UUID
    project_id: str
    kind: Literal["scan", "paths", "force"]
    state: Literal["pending", "running", "completed", "failed", "cancelled"]
    phase: str
    files_total: int
    files_done: int
    chunks: int
    texts_embedded: int
    """Texts whose vectors had to be computed."""
    pending_vectors: int
    failures: dict[str, str]
    """Path to reason, of files that should have been indexed and could not be."""
    message: str
    error: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Jobs(Message):
    jobs: tuple[Job, ...]


class DryRun(Message):
    """What an index run would do."""

    files: int
    bytes: int
    languages: dict[str, int]
    biggest: tuple[tuple[str, int], ...]
    """Files, with their bytes."""
    folders: tuple[tuple[str, int], ...]
    """Top folders, with the bytes below them."""
    skipped: dict[str, int]
    chunks: int
    """About as many, from a sample of the files."""
    tokens: int
    """An estimate by the texts' length: no server tells of its tokenizer beforehand."""
    embedded: int
    """Chunks whose vectors are there already."""
    seconds: float | None = None
    """None where nothing was embedded with this model before."""
    dollars: float | None = None
    """None where the price is not known."""
    needs_consent: bool
    """Whether it costs more than `embedding.confirmAbove`, so that it waits for `confirm`."""


class FolderStatus(Message):
    uri: str
    project_id: str
    role: Literal["writer", "reader", "waiting"]
    """Whether this server writes the index, reads what another one writes, or has no database yet."""
    phase: str
    files: int
    files_done: int
    files_total: int
    chunks: int
    indexed_percent: int
    queued: int
    paused: bool
    model: str
    """Whose vectors are searched."""
    pending_vectors: int


class PoolStatus(Message):
    """The pooled connections to one database, since the server started."""

    database: str
    open: int
    busy: int
    waiting: int
    """Statements that wait for a connection."""
    most_busy: int
    taken: int
    opened: int
    timed_out: int
    failed: int
    """Attempts to connect that failed."""
    longest_wait_ms: float
    last_error: str


class Status(Message):
    version: str
    database: str
    """embedded, external, or what is wrong with it."""
    model: str
    projects: tuple[AnswerProject, ...]
    folders: tuple[FolderStatus, ...]
    jobs: tuple[Job, ...]
    pools: tuple[PoolStatus, ...]
    max_connections: int
    """How many pooled connections there may be in all."""
    problems: tuple[str, ...]


class StatusChanged(Message):
    """The notification `sightline/statusChanged`."""

    phase: str
    percent: int
    files: int
    chunks: int
    degraded: tuple[Degraded, ...] = ()


class ListedProject(Message):
    id: str
    name: str
    database_name: str
    state: Literal["creating", "ready", "removing"]
    roots: tuple[str, ...]
    """Of all hosts that use it."""
    chunks: int
    size_bytes: int
    last_used_at: str


class ProjectList(Message):
    projects: tuple[ListedProject, ...]


class FileExplanation(Message):
    path: str
    indexed: bool
    reason: str | None = None
    language: str | None = None
    chunks: int = 0
    last_change: datetime | None = None
