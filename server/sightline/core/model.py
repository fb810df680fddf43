"""The words that the whole house shares: chunks, definitions, filters, candidates, hits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

Label = Literal["strong", "good", "weak"]
KINDS: Final = (
    "class", "struct", "interface", "trait", "enum", "union", "module", "namespace", "type", "object", "impl",
    "function", "method", "constructor", "macro", "property", "field", "constant", "variable",
    "heading", "key", "code", "text",
)  # fmt: skip
"""Every kind that a chunk or a definition can have; `code` and `text` are for chunks that define nothing."""

TYPE_KINDS: Final = frozenset(
    ("class", "struct", "interface", "trait", "enum", "union", "module", "namespace", "type", "object", "impl")
)
CALLABLE_KINDS: Final = frozenset(("function", "method", "constructor", "macro"))


@dataclass(frozen=True, slots=True)
class Definition:
    """A name that a file defines. Lines are 0-based and inclusive, bytes half-open."""

    name: str
    kind: str
    container: str
    """The enclosing definitions' names, outermost first, joined by dots; "" at the top."""
    depth: int
    start_line: int
    end_line: int
    start_byte: int
    end_byte: int
    signature: str = ""
    """The text up to the body, on one line, at most 200 characters."""
    doc: str = ""
    """The doc comment or docstring without its marks, at most 400 characters."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A slice of a file. A file's chunks tile it: every byte is in exactly one of them."""

    start_byte: int
    end_byte: int
    start_line: int
    end_line: int
    """0-based and inclusive: the line that holds the chunk's last byte."""
    kind: str = "text"
    symbol: str = ""
    """The main definition that starts here, else the innermost that encloses the chunk."""
    container: str = ""
    signature: str = ""
    doc: str = ""
    definitions: tuple[Definition, ...] = ()
    """Those whose first byte lies in this chunk."""
    enclosing: tuple[str, ...] = ()
    """Names of definitions longer than three lines that contain the whole chunk and start before it, outermost first."""


@dataclass(frozen=True, slots=True)
class Syntax:
    """What one parse of a file tells: its chunks in order, and where its comments are."""

    language: str
    chunks: tuple[Chunk, ...]
    comments: tuple[tuple[int, int], ...] = ()
    """Half-open byte ranges, ascending and disjoint, doc strings included."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a search may return. Globs are relative to the repository's root; empty means anything."""

    languages: tuple[str, ...] = ()
    not_languages: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    not_kinds: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    """A path must match one of these globs."""
    files: tuple[str, ...] = ()
    """And one of these, if there are any."""
    within: tuple[str, ...] = ()
    """And one of these: what the query box says of paths does not widen it."""
    exclude: tuple[str, ...] = ()
    exact: tuple[str, ...] = ()
    """Text that a chunk must contain, case-sensitive."""
    not_exact: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """A file must differ from one of these branches or commits; "" is the default branch."""
    not_changed: tuple[str, ...] = ()
    """And from none of these."""
    projects: tuple[str, ...] = ()
    """Ids or names of the projects that are searched; empty: those of the open folders."""
    not_projects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identifier:
    """A name in the query that may be defined somewhere: `Session.get` has name `get`, qualifier `Session`."""

    name: str
    qualifier: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """What the query box means."""

    text: str
    """The words, without the filters; what is embedded."""
    terms: tuple[str, ...] = ()
    """Distinct index terms without stop words, compounds (`=cookiejar`) included."""
    identifiers: tuple[Identifier, ...] = ()
    filters: Filters = field(default_factory=Filters)

    @property
    def is_identifier(self) -> bool:
        """Whether the whole query is one identifier."""
        return len(self.identifiers) == 1 and len(self.text.split()) == 1


class DefinedName(NamedTuple):
    """A definition as the ranker needs it."""

    name: str
    kind: str
    depth: int
    container: str = ""
    line_offset: int = 0
    """From the chunk's first line."""
    line_count: int = 0
    words: tuple[str, ...] | None = None
    """The stems of the name's words, where they are known already."""


class Candidate(NamedTuple):
    """A chunk that may answer, with what the ranker weighs."""

    chunk_id: int
    file_id: int
    path: str
    start_byte: int
    cosine: float
    """-1..1; NaN-free: 0 for a chunk without a vector."""
    bm25: float
    """BM25F of the chunk, 0 when no term matches."""
    file_bm25: float
    definitions: tuple[DefinedName, ...] = ()
    repository_id: int = 0
    """The checkout that the file is in."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate in its place. `signals` are shares of `score` after their weights."""

    candidate: Candidate
    score: float
    signals: dict[str, float]
    label: Label
    """strong, good or weak."""
    relevance: float
    """`score` mapped to 0..1, comparable between queries only roughly."""
    more: tuple[Candidate, ...] = ()
    """Further candidates of the same file, best first."""
