"""Settings: what they are, where they come from, and what happens to a bad one."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

SECRETS: Final = "sightline_embedding_api_key"
"""No setting: see `adapters.keys`."""

_CAMEL = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


def _listed(value: Any) -> Any:
    """A list may come as text: JSON, or parts between commas."""
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return [part.strip() for part in value.split(",") if part.strip()]
    try:
        return json.loads(value)
    except RecursionError as error:
        raise ValueError("brackets are nested too deeply") from error


def _web_address(value: str) -> str:
    if value and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
        raise ValueError("write http://HOST:PORT or https://HOST, without a password")
    return value.rstrip("/")


Globs = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class DatabaseSettings(BaseModel):
    model_config = _CAMEL
    url: str = Field(
        default="", description="A Postgres of your own (15 or later, with pgvector 0.7 or later); empty: embedded."
    )
    max_connections: int = Field(
        default=16,
        ge=2,
        le=500,
        description="Pooled connections of one Sightline. Each open folder has one more, and up to eight more are there for"
        " a moment while projects are made, removed or listed.",
    )


class EmbeddingSettings(BaseModel):
    model_config = _CAMEL
    provider: Literal["static", "model2vec", "ollama", "openai"] = Field(
        default="static",
        description="Where vectors come from: the bundled model, any model2vec model, Ollama, or a server that speaks"
        " OpenAI's /v1/embeddings.",
    )
    model: str = Field(default="", description="The model's name or path; empty: the provider's default.")
    url: str = Field(
        default="", description="The embedding server; empty: Ollama on this machine, or OpenAI. Holds no password."
    )
    dimensions: int = Field(
        default=0,
        ge=0,
        le=8192,
        description="How many numbers of each vector are kept (for Matryoshka models); 0: all.",
    )
    batch_size: int = Field(default=64, ge=1, le=2048, description="How many texts a request to the server holds.")
    timeout: float = Field(default=30, gt=0, le=600, description="Seconds that a request to the server may take.")
    precision: Literal["half", "binary"] = Field(
        default="half",
        description="What is kept of a server's vector: 16-bit floats beside its sign bits, or those alone, for very"
        " large folders.",
    )
    confirm_above: float = Field(
        default=1,
        ge=0,
        description="Dollars: embedding that would cost more waits until `sightline index --yes` allows it.",
    )
    dollars_per_million_tokens: float = Field(
        default=0, ge=0, description="What the provider takes; 0: not known, but for OpenAI's list price at OpenAI."
    )
    rerank_url: str = Field(default="", description="A server that re-ranks the best hits (/v1/rerank); empty: none.")
    rerank_model: str = Field(default="", description="The re-ranker's model, where its server has several.")

    @field_validator("url", "rerank_url")
    @classmethod
    def _is_plain(cls, url: str) -> str:
        if not url:
            return url
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:  # ValueError for no number
            raise ValueError("is no http or https address")
        if parts.username or parts.password or parts.query:
            raise ValueError("holds a user, a key or a query; give a key by SIGHTLINE_EMBEDDING_API_KEY")
        return url


class FileSettings(BaseModel):
    """What a repository may say of its own files."""

    model_config = _CAMEL
    include: Globs = Field(
        default=(), description="Globs of files to index although a rule leaves them out; never secrets."
    )
    exclude: Globs = Field(default=(), description="Globs of files to leave out besides those that .gitignore names.")
    max_file_bytes: int = Field(default=1 << 20, ge=1024, le=1 << 25, description="Larger files are not indexed.")


class IndexSettings(FileSettings):
    workers: int = Field(
        default=0,
        ge=0,
        le=64,
        description="Worker processes that are busy at a time, over all editors; 0: half the cores while somebody edits,"
        " all of them for a command that somebody waits for; at most 4.",
    )
    on_battery: Literal["index", "pause"] = Field(
        default="index", description="Whether long indexing waits for mains; a few saved files never wait."
    )
    pause_above_load: float = Field(
        default=0,
        ge=0,
        le=100,
        description="Long indexing waits while the machine's load average is above so much a core; 0: never.",
    )


class AnswerSettings(BaseModel):
    """What a repository may say of searches in it."""

    model_config = _CAMEL
    limit: int = Field(default=10, ge=1, le=50, description="How many files an answer shows.")
    mode: Literal["hybrid", "lexical", "semantic"] = Field(
        default="hybrid", description="Which signals a search may use."
    )


class SearchSettings(AnswerSettings):
    symbol_escape: bool = Field(
        default=False,
        description="VS Code's Ctrl+T: a word that begins with ? is searched as a sentence (?retry-upload).",
    )
    deadline_ms: int = Field(
        default=300,
        ge=10,
        le=60_000,
        description="How long a search waits for an embedding server; then it answers by words and names.",
    )


class WorkflowSettings(BaseModel):
    model_config = _CAMEL
    url: Annotated[str, AfterValidator(_web_address)] = Field(
        default="", description="A server that tells which project is active (GET URL/api/v1/projects/active)."
    )
    timeout: float = Field(default=1.0, ge=0.05, le=10, description="Seconds that it may take to answer.")


class LogSettings(BaseModel):
    model_config = _CAMEL
    level: Literal["error", "warning", "info", "debug"] = Field(
        default="warning", description="What goes to the log (stderr)."
    )


class Settings(BaseSettings):
    """All settings, valid and frozen."""

    model_config = SettingsConfigDict(
        env_prefix="SIGHTLINE_",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        enable_decoding=False,
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
    )

    data_dir: Path | None = Field(default=None, description="Where the embedded database and everything else is kept.")
    database: DatabaseSettings = DatabaseSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    index: IndexSettings = IndexSettings()
    search: SearchSettings = SearchSettings()
    workflow: WorkflowSettings = WorkflowSettings()
    log: LogSettings = LogSettings()
    _nearer: dict[str, Any] = PrivateAttr(default_factory=dict)
    """What the command line and the editor said: a folder's config file does not change it."""

    def within(self, options: Mapping[str, Any]) -> Settings:
        """With the `index` and `search` of a folder's config file, between environment and editor."""
        merged = _merged(_merged(self.model_dump(by_alias=True), options), self._nearer)
        found = Settings(**merged)
        found._nearer = self._nearer
        return found

    def in_background(self) -> Settings:
        """For a server: where nothing is said of workers, half the cores are left to the one who edits."""
        workers = self.index.workers or max(1, min(4, (os.cpu_count() or 1) // 2))
        return self.model_copy(update={"index": self.index.model_copy(update={"workers": workers})})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # `parse` reads the environment itself, so that a bad variable costs its value and not all of them.
        return (init_settings,)


@dataclass(frozen=True, slots=True)
class Problem:
    """A setting that was refused: its dotted name, where it came from, and why."""

    name: str
    source: str
    message: str

    def __str__(self) -> str:
        return f"{self.name} ({self.source}): {self.message}; the value is ignored"


def parse(
    *, command_line: Mapping[str, Any] | None = None, editor: Mapping[str, Any] | None = None
) -> tuple[Settings, tuple[Problem, ...]]:
    """Settings from all sources, nearer ones first; a bad value is a problem, and what is farther decides."""
    problems: list[Problem] = []
    accepted: list[dict[str, Any]] = []
    for source, values in (("environment", _environment()), ("editor", editor), ("command line", command_line)):
        taken, refused = _accepted(dict(values or {}), source)
        accepted.append(taken)
        problems += refused
    environment, *nearer = accepted
    said = _merged(*nearer)
    settings = Settings(**_merged(environment, said))
    settings._nearer = {group: values for group, values in said.items() if values != {}}
    return settings, tuple(problems)


def _environment() -> dict[str, Any]:
    """Our own variables: pydantic-settings would take an alias without our prefix too, so any DATABASE_URL."""
    source = EnvSettingsSource(Settings)
    source.env_vars = {
        name: value
        for name, value in source.env_vars.items()
        if name.startswith("sightline_") and not name.startswith(SECRETS)
    }
    return source()


def _accepted(values: dict[str, Any], source: str) -> tuple[dict[str, Any], list[Problem]]:
    """The values of one source without those that do not validate."""
    values, problems = _known(values, source)
    if source == "editor" and _has_password(values):
        values = _without(values, ("database", "url"))
        hint = "holds a password; set it by SIGHTLINE_DATABASE_URL, PGPASSWORD or a password file"
        problems.append(Problem("database.url", source, hint))
    while True:
        try:
            Settings(**values)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            name = tuple(str(part) for part in first["loc"][:2])
            problems.append(Problem(".".join(map(to_camel, name)), source, first["msg"]))
            values = _without(values, name)
        else:
            return _by_field_name(values), problems


def _known(values: Mapping[str, Any], source: str) -> tuple[dict[str, Any], list[Problem]]:
    """Those that there are."""
    allowed = tuple(map(to_camel, Settings.model_fields))
    # Lua sends `{}` as `[]`.
    kept = {name: value for name, value in values.items() if to_camel(name) in allowed and value != []}
    return kept, [Problem(name, source, "there is no such setting") for name in values if to_camel(name) not in allowed]


def _has_password(values: Mapping[str, Any]) -> bool:
    database = values.get("database")
    url = database.get("url") if isinstance(database, Mapping) else None
    if not isinstance(url, str):
        return False
    try:
        return urlsplit(url).password is not None or "password=" in url
    except ValueError:
        return "@" in url


def _without(values: dict[str, Any], name: tuple[str, ...]) -> dict[str, Any]:
    """`values` without the named one, however it is spelt (camelCase or snake_case)."""
    head, *rest = name
    kept = {}
    for key, value in values.items():
        if to_camel(key) != to_camel(head):
            kept[key] = value
        elif rest and isinstance(value, Mapping):
            kept[key] = _without(dict(value), tuple(rest))
    return kept


def _by_field_name(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        to_camel(key): _by_field_name(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value
        for key, value in values.items()
    }


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        result[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result
