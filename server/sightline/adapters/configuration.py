"""What `.sightline/config.json` may hold, and how an id gets into one; strict, since it decides whose data is whose."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from sightline.core.identity import (
    DATABASE_HINT,
    DATABASE_PATTERN,
    DEFAULT,
    ID_GROUPS,
    ID_HINT,
    ID_LENGTH,
    NAME_HINT,
    NAME_LENGTH,
    parse_database,
    parse_id,
    parse_name,
)
from sightline.errors import ConfigError, ProjectError
from sightline.settings import AnswerSettings, FileSettings

MOST_BYTES: Final = 1 << 16
_STRICT: Final = ConfigDict(extra="forbid", frozen=True)


def _checked(parse: Callable[[str], str]) -> AfterValidator:
    def check(text: str) -> str:
        try:
            return parse(text)
        except ProjectError as error:
            raise ValueError(str(error)) from error

    return AfterValidator(check)


def _own_id(text: str) -> str:
    if parse_id(text) == DEFAULT:
        raise ProjectError(f"{DEFAULT} is the project of what has no folder")
    return text


def _prose(text: str) -> str:
    if any(unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t" for char in text):
        raise ProjectError("control characters are no description")
    return text


class ProjectSection(BaseModel):
    """Whose index this is."""

    model_config = _STRICT
    name: Annotated[str, _checked(parse_name)] = Field(
        description="What people call it; the project's, for everybody who has this file.",
        json_schema_extra={"minLength": 1, "maxLength": NAME_LENGTH},
    )
    id: Annotated[str, _checked(_own_id)] = Field(
        default="",
        description="Written by Sightline, once; commit it.",
        json_schema_extra={"pattern": f"^{ID_GROUPS}$", "maxLength": ID_LENGTH},
    )
    database_name: Annotated[str, _checked(parse_database)] = Field(
        default="",
        description="The name of its database, where you want to choose it; it cannot be changed later.",
        json_schema_extra={"pattern": f"^{DATABASE_PATTERN}$"},
    )


class Config(BaseModel):
    """A repository's own word on its project and on how it is indexed and searched."""

    model_config = _STRICT
    version: Literal["1.0"]
    project: ProjectSection
    description: Annotated[str, _checked(_prose)] = Field(default="", max_length=1_000)
    index: FileSettings = FileSettings()
    search: AnswerSettings = AnswerSettings()

    def options(self) -> dict[str, Any]:
        """What it says of settings."""
        return self.model_dump(include={"index", "search"}, exclude_unset=True, by_alias=True)


_HINTS: Final[Mapping[str, str]] = {
    "version": 'Write "version": "1.0".',
    "project": 'Write "project": {"name": "..."}.',
    "project.name": NAME_HINT,
    "project.id": f"{ID_HINT} Take the line out to get a new one.",
    "project.database_name": DATABASE_HINT,
    "description": "A description is text of at most 1000 characters.",
}
_FIELDS: Final[Mapping[str, type[BaseModel]]] = {
    "": Config,
    "project": ProjectSection,
    "index": FileSettings,
    "search": AnswerSettings,
}
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]')


def parse(data: bytes, file: str) -> Config:
    """The file's content, checked; ConfigError names the file, the field and what to do, and repeats no value."""
    try:
        return Config.model_validate(_loaded(data, file))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(_shown(part) for part in first["loc"])
        raise ConfigError(f"{file}: {field}: {_told(first['type'], first['msg'])}", hint=_hint(first)) from error


def with_id(text: str, project_id: str) -> str:
    """The file's text with an id as the first field of its project; all else stays as somebody wrote it."""
    depth, key = 0, ""
    for token in _TOKEN.finditer(text):
        match token[0]:
            case "{" if depth == 1 and key == "project":
                return _inserted(text, token.end(), f'"id": "{project_id}",')
            case "{" | "[":
                depth += 1
            case "}" | "]":
                depth -= 1
            case string:
                key = json.loads(string, strict=False)
    raise ValueError("there is no project in it")


def _inserted(text: str, place: int, field: str) -> str:
    rest = text[place:].lstrip()
    gap = text[place : len(text) - len(rest)]
    return f"{text[:place]}{gap}{field}{gap or ' '}{rest}"


def _loaded(data: bytes, file: str) -> Any:
    if len(data) > MOST_BYTES:
        raise ConfigError(f"{file}: it is larger than 64 KiB", hint="Keep what is no setting elsewhere.")
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: it is not UTF-8 (byte {error.start})", hint="Save it as UTF-8.") from error
    except json.JSONDecodeError as error:
        told = f"{file}: line {error.lineno}, column {error.colno}: it is not JSON ({error.msg})"
        raise ConfigError(
            told, hint="JSON has double quotes, no comments, and no comma after the last field."
        ) from error
    except RecursionError as error:
        raise ConfigError(f"{file}: it is nested too deeply", hint="Its fields are two levels deep.") from error
    except ValueError as error:
        raise ConfigError(f"{file}: {error}", hint="Correct that value.") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a field that is there twice, somebody would read the one and we the other."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
        raise ValueError(f"{_shown(twice)} is there twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _told(kind: str, message: str) -> str:
    match kind:
        case "missing":
            return "it is missing"
        case "extra_forbidden":
            return "there is no such field"
        case "model_type":
            return "it is no object"
    return message.removeprefix("Value error, ")


def _hint(problem: Mapping[str, Any]) -> str:
    *path, last = (str(part) for part in problem["loc"]) if problem["loc"] else ("",)
    if problem["type"] == "extra_forbidden" and (model := _FIELDS.get(".".join(path))):
        names = (field.alias or name for name, field in model.model_fields.items())
        return f"The fields are {', '.join(names)}."
    return _HINTS.get(".".join([*path, last]), "Correct it, or leave it out.")


def _shown(part: object) -> str:
    """A key as the file has it may be anything."""
    text = str(part)
    return text if re.fullmatch(r"\w{1,40}", text) else ascii(text[:40])
