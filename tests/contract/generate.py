"""Writes `schemas/*.schema.json`, the contract with clients, from the models that the server checks messages with."""

from __future__ import annotations

import ast
import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, get_type_hints

from pydantic import BaseModel, TypeAdapter
from pydantic.alias_generators import to_camel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from sightline import messages
from sightline.adapters.configuration import Config
from sightline.errors import SightlineError
from sightline.lsp import jsonrpc
from sightline.lsp.dispatch import Handler
from sightline.lsp.server import REQUESTS, SHOW_SIMILAR, VERSION, show_similar
from sightline.settings import Settings

Json = dict[str, Any]
FOLDER: Final = Path(__file__).resolve().parents[2] / "schemas"
DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
REF: Final = "#/$defs/{model}"
COMMANDS: Final[dict[str, tuple[type[BaseModel], Handler]]] = {
    **REQUESTS,
    SHOW_SIMILAR: (messages.SimilarParams, show_similar),
}
NOTIFICATIONS: Final[dict[str, type[BaseModel]]] = {"sightline/statusChanged": messages.StatusChanged}
ERROR_CODES: Final = {
    jsonrpc.PARSE_ERROR: "not JSON",
    jsonrpc.INVALID_REQUEST: "no request, or at the wrong moment",
    jsonrpc.METHOD_NOT_FOUND: "unknown method",
    jsonrpc.INVALID_PARAMS: "bad parameters, or a bad query",
    jsonrpc.INTERNAL_ERROR: "a fault of the server",
    jsonrpc.NOT_INITIALIZED: "before initialize",
    jsonrpc.REQUEST_CANCELLED: "cancelled by $/cancelRequest",
    jsonrpc.SERVER_CANCELLED: "cancelled by its progress, or by the server's end",
    jsonrpc.REQUEST_FAILED: "it cannot be done; data says why",
}
OTHER_REASONS: Final = ("busy", "editorRefused")
"""Reasons of the protocol itself, besides those of the error classes."""


class _Untitled(GenerateJsonSchema):
    """Without titles that say a field's name again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


class _Editor(_Untitled):
    """Settings as an editor's form can show them."""

    def nullable_schema(self, schema: Any) -> Json:
        inner = self.generate_inner(schema["schema"])
        return {"type": [inner["type"], "null"]}


class _Wire(_Untitled):
    """Models as they go over the wire: a result holds all its fields, but for those that are null."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        kind = field["schema"]
        is_told = self.mode == "serialization" and kind.get("default", "") is not None
        return is_told or kind["type"] != "default"

    def nullable_schema(self, schema: Any) -> Json:
        return self.generate_inner(schema["schema"]) if self._is_result else super().nullable_schema(schema)

    def default_schema(self, schema: Any) -> Json:
        return self.generate_inner(schema["schema"]) if self._is_result else super().default_schema(schema)

    def str_schema(self, schema: Any) -> Json:
        made = super().str_schema(schema)
        if "pattern" in made:  # JSON Schema has the patterns of JavaScript
            made["pattern"] = made["pattern"].replace(r"\A", "^").replace(r"\z", "$")
        return made

    @property
    def _is_result(self) -> bool:
        return self.mode == "serialization"


def documents() -> dict[str, Json]:
    """Each schema by the name of its file."""
    return {
        "protocol.schema.json": protocol(),
        "settings.schema.json": settings(),
        "project-config.schema.json": project_config(),
    }


def protocol() -> Json:
    """All methods, each with the schema of what goes in and of what comes out."""
    of, definitions = _models()
    requests = {
        name: _object({"params": of[name, "validation"], "result": of[name, "serialization"]}, doc=handler.__doc__)
        for name, (_, handler) in REQUESTS.items()
    }
    commands = {
        name.replace("/", "."): _object({"argument": of[name, "validation"], "result": of[name, "serialization"]})
        for name in COMMANDS
    }
    notifications = {name: _object({"params": of[name, "serialization"]}) for name in NOTIFICATIONS}
    names = {"type": "array", "items": {"type": "string"}}
    parts = {
        "requests": _object(requests, doc="From the client; each can be cancelled."),
        "commands": _object(commands, doc="For workspace/executeCommand, with one argument."),
        "notifications": _object(notifications, doc="From the server."),
        "error": _error(),
        "experimental": _object(
            {
                "version": {"const": VERSION},
                "requests": {"type": "array", "items": {"enum": list(REQUESTS)}},
                "languages": names | {"description": "What `lang:` takes, besides other names of the same."},
                "kinds": names | {"description": "What `kind:` takes."},
            },
            doc="`capabilities.experimental.sightline` in the answer to initialize.",
        ),
    }
    return {
        "$schema": DRAFT,
        "title": "Protocol",
        **_object(parts, "What Sightline adds to LSP."),
        "$defs": definitions,
    }


def _models() -> tuple[dict[tuple[str, JsonSchemaMode], Json], dict[str, Json]]:
    """The schema of each method's parameters and result, and the definitions that these refer to."""
    given: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = []
    for name, (params, handler) in COMMANDS.items():
        given.append((name, "validation", TypeAdapter(params)))
        given.append((name, "serialization", TypeAdapter(get_type_hints(handler)["return"])))
    given += [(name, "serialization", TypeAdapter(model)) for name, model in NOTIFICATIONS.items()]
    schemas, rest = TypeAdapter.json_schemas(given, ref_template=REF, schema_generator=_Wire)
    definitions: dict[str, Json] = rest["$defs"]
    docs = _field_docs()
    for model, schema in definitions.items():
        for base in getattr(messages, model).__mro__:
            for name, told in docs.get(base.__name__, {}).items():
                schema["properties"][name]["description"] = told
    return schemas, definitions


def _field_docs() -> dict[str, dict[str, str]]:
    """By model and field the sentence below the field; pydantic itself would read the source at every start."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for model in ast.parse(Path(messages.__file__).read_text(encoding="utf-8")).body:
        if not isinstance(model, ast.ClassDef):
            continue
        for field, told in itertools.pairwise(model.body):
            match field, told:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[model.name][to_camel(name)] = text
    return found


def _error() -> Json:
    """The `error` of an answer."""
    codes = [{"const": code, "description": meaning} for code, meaning in ERROR_CODES.items()]
    reasons = sorted({*OTHER_REASONS, *(kind.code for kind in _family(SightlineError))})
    text = {"type": "string"}
    why = _object({"code": {"enum": reasons}, "hint": text, "reference": text}, optional=("reference",))
    where = {"type": "array", "items": {"type": ["string", "integer"]}}
    problem = _object({"loc": where, "msg": text, "type": text}, doc="What is wrong with a parameter.")
    data = {"anyOf": [why, {"type": "array", "items": problem}]}
    return _object({"code": {"oneOf": codes}, "message": text, "data": data}, "An answer's error.", ("data",))


def _family(kind: type[SightlineError]) -> Iterator[type[SightlineError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _family(child)


def _object(properties: Json, doc: str | None = None, optional: Iterable[str] = ()) -> Json:
    """An object with these properties and no others."""
    told = {"description": doc} if doc else {}
    required = [name for name in properties if name not in optional]
    needs = {"required": required} if required else {}
    return {**told, "type": "object", "properties": properties, **needs, "additionalProperties": False}


def settings() -> Json:
    """All settings, flat, by the names that they have in an editor."""
    schema = Settings.model_json_schema(schema_generator=_Editor)
    found: Json = {}
    for name, field in schema["properties"].items():
        group = schema["$defs"].get(field.get("$ref", "").rpartition("/")[2])
        inner = {f"{name}.{key}": each for key, each in group["properties"].items()} if group else {name: field}
        found |= {f"sightline.{key}": each for key, each in inner.items()}
    return {
        "$schema": DRAFT,
        "title": "Settings",
        **_object(found, "What Sightline can be told, by the names of an editor's settings.", found),
    }


def project_config() -> Json:
    """What a repository's `.sightline/config.json` may hold."""
    schema = Config.model_json_schema(schema_generator=_Untitled)
    for model in (schema, *schema["$defs"].values()):
        for field in model["properties"].values():
            if field.get("default") == "":  # which stands for a field that is left out
                del field["default"]
    told = {"title": "Project", "description": "A repository's .sightline/config.json."}
    return {"$schema": DRAFT, **schema, **told}


def as_text(document: Json) -> str:
    """A schema as it stands in its file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for file, document in documents().items():
        (FOLDER / file).write_text(as_text(document), encoding="utf-8")
